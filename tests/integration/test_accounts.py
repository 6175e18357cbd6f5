"""Measures and orders as accounts tell of them on a schedule, and how the accounts are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.facts import Metric
from chalicelib.domain.errors import Busy
from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import add_account
from chalicelib.store.budgets import Bucket, draw
from chalicelib.store.findings import list_health, read_account_views
from chalicelib.store.orders import order_writes
from local.memory.world import World
from tests.accounts import (
    DAY_MS,
    NOW_MS,
    Account,
    connected,
    lines_fixture,  # noqa: F401
    named,
    sent,
    world_fixture,  # noqa: F401
)
from tests.factories import T0_MS, entered, fact

HOUR_MS = 3_600_000


@pytest.fixture
def ebay(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "ebay")["ebay"]


def run(world: World, job: str) -> None:
    JOBS[job](world.runtime)


# --- how the channel rates the seller


def test_the_latest_measures_of_a_day_are_kept_and_a_bad_one_calls_a_person_once_a_day(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    ebay.metrics = [Metric("late", "3.1", "3", is_good=False), Metric("defects", "0.1", "2", is_good=True)]
    run(world, "check_accounts")
    ebay.metrics = [Metric("late", "3.2", "3", is_good=False), Metric("defects", "2.5", "2", is_good=False)]
    run(world, "check_accounts")
    assert [each["metric"] for each in named(lines, "metric_beyond_limit")] == ["late", "defects"]
    (day,) = list_health(world.tables, "ebay")
    assert (day.day, [each["value"] for each in day.metrics]) == ("2023-11-14", ["3.2", "2.5"])
    world.now_ms += DAY_MS
    run(world, "check_accounts")
    assert len(named(lines, "metric_beyond_limit")) == 4
    assert [each.day for each in list_health(world.tables, "ebay")] == ["2023-11-15", "2023-11-14"]


def test_a_measure_that_the_channel_does_not_judge_calls_nobody(world: World, ebay: Account, lines: list[Any]) -> None:
    ebay.metrics = [Metric("tracking", "99", "95")]
    run(world, "check_accounts")
    assert named(lines, "metric_beyond_limit") == []
    assert len(list_health(world.tables, "ebay")) == 1


def test_a_report_that_is_being_made_is_read_the_next_time(world: World, ebay: Account) -> None:
    ebay.trouble = Busy("being made", after_s=60)
    run(world, "check_accounts")
    assert list_health(world.tables, "ebay") == []


# --- whether an order has slipped through


def have(world: World, external_id: str, version_ms: int) -> None:
    order = entered(fact(external_id=external_id, channel="ebay", version_ms=version_ms))
    world.tables.write(*order_writes(None, order))
    world.tables.stream.clear()


def test_orders_that_slipped_through_are_handed_on_and_a_person_is_called(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    changed_ms = NOW_MS - 2 * HOUR_MS
    for name, version_ms in (("same", changed_ms), ("newer", changed_ms + 5), ("older", changed_ms - 5)):
        have(world, name, version_ms)
    ebay.orders = [(name, name.encode(), changed_ms) for name in ("same", "newer", "older", "missing")]
    ebay.orders.append(("on its way", b"-", NOW_MS - HOUR_MS + 1))
    run(world, "check_orders")
    assert [each["raw"] for each in sent(world, "entry")] == ["older", "missing"]
    (told,) = named(lines, "orders_compared")
    assert (told["orders_checked"], told["missing"], told["older"]) == (4, 1, 1)
    assert [each["missing"] for each in named(lines, "orders_missing")] == [1]
    assert ebay.asked == [("orders", NOW_MS - 3 * DAY_MS)]


def test_nobody_is_called_where_every_order_is_here(world: World, ebay: Account, lines: list[Any]) -> None:
    have(world, "same", T0_MS - DAY_MS)
    ebay.orders = [("same", b"-", T0_MS - DAY_MS)]
    run(world, "check_orders")
    assert (sent(world, "entry"), named(lines, "orders_missing")) == ([], [])


def test_orders_before_the_import_are_not_missing(world: World, ebay: Account) -> None:
    add_account(world.tables, "ebay", {"account": "ebay", "import_from_ms": NOW_MS - HOUR_MS})
    run(world, "check_orders")
    assert ebay.asked == [("orders", NOW_MS - HOUR_MS)]


def test_what_was_found_before_the_channel_broke_off_is_handed_on(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    ebay.orders = [(str(n), b"-", NOW_MS - DAY_MS) for n in range(13)]
    ebay.trouble = Busy("later")
    run(world, "check_orders")
    assert len(sent(world, "entry")) == 13
    assert [each["missing"] for each in named(lines, "orders_missing")] == [13]
    assert [each["error"] for each in named(lines, "account_broken_off")] == ["Busy"]


# --- how the accounts stand


def test_an_account_is_shown_with_its_pause_and_budgets_and_without_secrets(world: World, ebay: Account) -> None:
    add_account(world.tables, "ebay", {"account": "ebay", "site": "EBAY_GB", "client_secret": "s3cret"})
    pause("ebay", "no consent", world.runtime)
    draw(world.tables, "ebay", "getOrders", Bucket(1.0, 5), 1, NOW_MS)
    run(world, "show_accounts")
    view = read_account_views(world.tables, ["ebay"])["ebay"]
    assert view["paused"] == {"why": "no consent", "since_ms": NOW_MS}
    assert view["settings"] == {"account": "ebay", "site": "EBAY_GB"}
    (left,) = view["budgets"]
    assert (left["operation"], left["calls"], left["used_today"], left["shared"]) == ("getOrders", 4, 1, False)
    before = dict(world.tables.items)
    run(world, "show_accounts")
    assert world.tables.items == before


def test_no_secret_is_shown_however_deep_it_lies(world: World, ebay: Account) -> None:
    settings = {
        "base_url": "https://me:s3cret@shop.example/api?sig=s3cret",
        "headers": {"Authorization-Token": "s3cret", "accept": "json"},
        "mirrors": ["https://s3cret@mirror.example", {"password": "s3cret", "port": 8443}],
        "bulk_skus": 25,
    }
    add_account(world.tables, "ebay", settings)
    run(world, "show_accounts")
    view = read_account_views(world.tables, ["ebay"])["ebay"]
    assert "s3cret" not in json.dumps(view, default=str)
    assert view["settings"] == {
        "base_url": "https://shop.example/api",
        "headers": {"accept": "json"},
        "mirrors": ["https://mirror.example", {"port": 8443}],
        "bulk_skus": 25,
    }


# --- trouble


def test_a_bug_that_one_account_brings_to_light_stops_no_other_and_fails_the_function(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = connected(world, monkeypatch, "amazon", "ebay")
    accounts["amazon"].metrics = [None]  # type: ignore[list-item]
    accounts["ebay"].metrics = [Metric("late", "1")]
    with pytest.raises(AttributeError):
        run(world, "check_accounts")
    assert len(list_health(world.tables, "ebay")) == 1
