"""Disputes as accounts tell of them on a schedule: each told to its order once when it begins and once when it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.channels.facts import ChannelDispute
from chalicelib.domain.errors import Busy
from chalicelib.inbound.accounts import JOBS
from local.memory.world import World
from tests.accounts import (
    DAY_MS,
    NOW_MS,
    Account,
    booked,
    connected,
    keep,
    kept,
    lines_fixture,  # noqa: F401
    named,
    sent,
    world_fixture,  # noqa: F401
)

ORDER = "shopify:1001"
OPEN = ChannelDispute("d1", "1001", 400, "EUR", "open", NOW_MS + DAY_MS)


@pytest.fixture
def shopify(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "shopify")["shopify"]


def poll(world: World) -> None:
    JOBS["poll_money"](world.runtime)


def test_a_dispute_is_told_when_it_begins_and_when_it_ends_and_not_in_between(world: World, shopify: Account) -> None:
    keep(world, ORDER)
    shopify.disputed = [OPEN]
    poll(world)
    (told,) = sent(world, "funding")
    fact = {"dispute_id": "d1", "amount_minor": 400, "status": "open", "due_ms": NOW_MS + DAY_MS}
    assert told == {"order": ORDER, "do": "dispute", "fact": fact, "actor": "shopify"}
    world.run()
    poll(world)
    assert sent(world, "funding") == []
    shopify.disputed = [replace(OPEN, status="won")]
    poll(world)
    world.run()
    assert kept(world, ORDER).state.disputes["d1"].status == "won"
    poll(world)
    assert sent(world, "funding") == []
    assert ("disputes", NOW_MS - 180 * DAY_MS) in shopify.asked


def test_a_dispute_of_no_order_of_ours_or_in_another_currency_stops_no_other(
    world: World, shopify: Account, lines: list[Any]
) -> None:
    keep(world, ORDER)
    other = replace(OPEN, dispute_id="d3", currency="USD")
    shopify.disputed = [replace(OPEN, dispute_id="d2", external_id="old"), other, OPEN]
    poll(world)
    assert [each["fact"]["dispute_id"] for each in sent(world, "funding")] == ["d1"]
    assert [each["dispute"] for each in named(lines, "dispute_skipped")] == ["d3"]


def test_trouble_with_the_one_keeps_nothing_of_the_other_back(world: World, shopify: Account, lines: list[Any]) -> None:
    keep(world, ORDER)
    shopify.facts, shopify.disputed, shopify.trouble = [booked("s", "sale", 500)], [OPEN], Busy("later")
    poll(world)
    assert [each["work"] for each in named(lines, "account_broken_off")] == ["money_read", "disputes_read"]
    assert [each["fact"]["dispute_id"] for each in sent(world, "funding")] == ["d1"]
