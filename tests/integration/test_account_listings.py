"""Listings as accounts show them on a schedule: what is wrong is pushed again, what is unlinked is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.facts import ListedItem
from chalicelib.domain.errors import Busy
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.findings import read_unlinked
from chalicelib.store.listings import (
    Listing,
    acknowledge,
    acknowledge_price,
    listing_writes,
    listings_of,
    price_write,
    sku_writes,
)
from chalicelib.store.listings import Shown as ShownNow
from local.memory.world import World
from tests.accounts import (
    NOW_MS,
    Account,
    connected,
    lines_fixture,  # noqa: F401
    named,
    sent,
    world_fixture,  # noqa: F401
)

HOUR_MS = 3_600_000


@pytest.fixture
def ebay(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "ebay")["ebay"]


def run(world: World, job: str) -> None:
    JOBS[job](world.runtime)


def lists(world: World, channel_sku: str, quantity: int, acked_ms: int) -> None:
    """A SKU of that name whose listing was acknowledged."""
    world.tables.write(*sku_writes(channel_sku, channel_sku.title()))
    world.tables.write(*listing_writes(Listing("ebay", channel_sku, channel_sku, {})))
    (listing,) = listings_of(world.tables, [channel_sku])
    if acked_ms:
        acknowledge(world.tables, listing, ShownNow(quantity, 1, acked_ms), acked_ms)


@pytest.mark.parametrize(
    ("shown", "acked_ms", "again"),
    [
        (4, NOW_MS - HOUR_MS, True),
        (5, NOW_MS - HOUR_MS, False),
        (None, NOW_MS - HOUR_MS, False),
        (4, NOW_MS - 14 * 60_000, False),
        (4, 0, False),
    ],
)
def test_a_listing_that_shows_less_than_was_acknowledged_is_pushed_again_when_a_sale_would_have_come(
    world: World, ebay: Account, shown: int | None, acked_ms: int, again: bool
) -> None:
    lists(world, "MUG", 5, acked_ms)
    ebay.items = [ListedItem("MUG", {}, quantity=shown)]
    run(world, "check_listings")
    delayed = [json.loads(message[1]) for _, queue, message in world.queues.delayed if queue == "sync-ebay"]
    assert delayed == ([{"sku": "MUG", "again": True}] if again else [])
    assert sent(world, "sync-ebay") == []


@pytest.mark.parametrize(
    ("price_minor", "currency", "hours_ago", "again"),
    [
        (900, "EUR", 1, True),
        (1000, "EUR", 1, False),
        (900, "USD", 1, False),
        (None, "", 1, False),
        (900, "EUR", 0, False),
    ],
)
def test_a_listing_that_costs_something_else_than_was_acknowledged_is_pushed_again(
    world: World, ebay: Account, price_minor: int | None, currency: str, hours_ago: int, again: bool
) -> None:
    lists(world, "MUG", 5, NOW_MS - HOUR_MS)
    (listing,) = listings_of(world.tables, ["MUG"])
    world.tables.write(price_write(listing, 1000, "EUR"))
    (listing,) = listings_of(world.tables, ["MUG"])
    acknowledge_price(world.tables, listing, NOW_MS - hours_ago * HOUR_MS)
    ebay.items = [ListedItem("MUG", {}, quantity=5, price_minor=price_minor, currency=currency)]
    run(world, "check_listings")
    waiting = [*world.queues.waiting["sync-ebay"], *(message for _, _, message in world.queues.delayed)]
    assert [json.loads(body) for _, body, _ in waiting] == ([{"sku": "MUG", "again": True}] if again else [])


def test_a_listing_that_shows_more_than_was_acknowledged_is_put_right_at_once(world: World, ebay: Account) -> None:
    lists(world, "MUG", 5, NOW_MS - HOUR_MS)
    ebay.items = [ListedItem("MUG", {}, quantity=6)]
    run(world, "check_listings")
    assert (sent(world, "sync-ebay"), world.queues.delayed) == ([{"sku": "MUG", "again": True}], [])


def test_items_without_a_sku_are_kept_for_a_person_and_counted(world: World, ebay: Account, lines: list[Any]) -> None:
    lists(world, "MUG", 5, NOW_MS - HOUR_MS)
    world.tables.write(*sku_writes("CUP", "Cup"))  # a SKU of that name is no link
    ebay.items = [ListedItem("MUG", {}, quantity=5), ListedItem("CUP", {}, title="A cup")]
    ebay.items += [ListedItem(f"X{n}", {}, title="t" * 300) for n in range(600)]
    run(world, "check_listings")
    found = read_unlinked(world.tables, "ebay")
    assert (found.in_all, len(found.items), found.items[0]) == (601, 500, ("CUP", "A cup"))
    (told,) = named(lines, "listings_checked")
    assert (told["items"], told["unlinked"], told["shown_wrong"]) == (602, 601, 0)
    ebay.items = []
    run(world, "check_listings")
    assert read_unlinked(world.tables, "ebay").in_all == 0


def test_a_channel_whose_listings_cannot_be_read_is_passed_over_without_a_word(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    run(world, "check_listings")
    assert lines == []


def test_a_list_that_breaks_off_says_nothing_of_what_is_unlinked(world: World, ebay: Account) -> None:
    ebay.items = [ListedItem("X", {})]
    run(world, "check_listings")
    ebay.items, ebay.trouble = [], Busy("later")
    run(world, "check_listings")
    assert read_unlinked(world.tables, "ebay").in_all == 1
