"""Returns, measures, listings and orders as accounts tell of them on a schedule, and how the accounts are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.facts import ChannelReturn, ListedItem, Metric
from chalicelib.domain.errors import Busy
from chalicelib.domain.orders import Order
from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime import log
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import add_account
from chalicelib.store.budgets import Bucket, draw
from chalicelib.store.findings import list_health, read_account_views, read_unlinked
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
from chalicelib.store.orders import order_writes, read_order
from local.memory.world import World
from tests.accounts import DAY_MS, NOW_MS, Account, connected, quiet_world
from tests.factories import T0_MS, entered, fact, line
from tests.turns import promised, secured, shipped

ORDER = "ebay:1001"
HOUR_MS = 3_600_000


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def ebay(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "ebay")["ebay"]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged."""
    logged: list[Any] = []
    monkeypatch.setattr(log, "sink", lambda text: logged.append(json.loads(text)))
    return logged


def run(world: World, job: str) -> None:
    JOBS[job](world.runtime)


def keep(world: World) -> None:
    """Two mugs that have left."""
    order = shipped(promised(secured(fact(line(quantity=2), channel="ebay"))), 2)
    world.tables.write(*order_writes(None, order))
    world.tables.stream.clear()


def kept(world: World) -> Order:
    order = read_order(world.tables, ORDER, content=True)
    assert order
    return order


def sent(world: World, queue: str) -> list[Any]:
    return [json.loads(body) for _, body, _ in world.queues.waiting[queue]]


def named(lines: list[Any], event: str) -> list[Any]:
    return [each for each in lines if each["event"] == event]


# --- what buyers send back


def back(step: str, **more: Any) -> ChannelReturn:
    told = {"return_id": "r1", "external_id": "1001", "items": (("l1", 1),), "changed_ms": NOW_MS - HOUR_MS, **more}
    return ChannelReturn(step=step, **told)


@pytest.mark.parametrize(
    ("step", "status"),
    [("request", "requested"), ("approve", "approved"), ("decline", "declined"), ("receive", "approved")],
)
def test_a_return_gets_as_far_as_the_channel_tells_but_never_to_the_warehouse(
    world: World, ebay: Account, step: str, status: str
) -> None:
    keep(world)
    ebay.sent_back = [back(step)]
    run(world, "poll_returns")
    world.run()
    assert kept(world).state.returns["r1"].status == status
    assert kept(world).state.quantities[0].returned == 0
    assert not kept(world).state.holds


def test_a_return_goes_from_step_to_step_and_is_handed_on_only_when_it_has_changed(world: World, ebay: Account) -> None:
    keep(world)
    ebay.sent_back = [back("request")]
    run(world, "poll_returns")
    world.run()
    run(world, "poll_returns")
    assert sent(world, "shipping") == []
    ebay.sent_back = [back("approve", changed_ms=NOW_MS)]
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1
    world.run()
    assert kept(world).state.returns["r1"].status == "approved"
    assert [since_ms for _, since_ms in ebay.asked[1:]] == [NOW_MS - HOUR_MS - 3 * DAY_MS] * 2


def test_the_steps_of_a_return_may_overtake_each_other(world: World, ebay: Account) -> None:
    keep(world)
    ebay.sent_back = [back("request"), back("approve")]
    run(world, "poll_returns")
    world.queues.waiting["shipping"].reverse()
    world.run()
    assert kept(world).state.returns["r1"].status == "approved"
    assert not kept(world).state.holds


def test_a_refused_return_holds_its_order_once_and_not_at_every_look(world: World, ebay: Account) -> None:
    keep(world)
    ebay.sent_back = [back("request", items=(("l1", 9),))]
    run(world, "poll_returns")
    world.run()
    assert [hold.reason for hold in kept(world).state.holds] == ["shipping_not_shipped"]
    run(world, "poll_returns")
    assert sent(world, "shipping") == []


def test_a_return_of_what_is_not_known_is_skipped_and_stops_no_other(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    keep(world)
    ebay.sent_back = [
        back("request", return_id="r2", external_id="old"),
        back("request", return_id="r3", items=(("other", 1),)),
        back("escalate", return_id="r4"),
        back("request", items=(("other", 1), ("l1", 2))),
    ]
    run(world, "poll_returns")
    assert [each["return_id"] for each in named(lines, "return_skipped")] == ["r2", "r3", "r4"]
    (told,) = sent(world, "shipping")
    assert told["fact"]["lines"] == [{"line_id": "l1", "units": 2}]
    assert told["actor"] == "ebay"


def test_a_return_that_comes_before_its_order_is_handed_on_with_it(world: World, ebay: Account) -> None:
    ebay.sent_back = [back("request")]
    run(world, "poll_returns")
    assert sent(world, "shipping") == []
    keep(world)
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1


def test_returns_that_a_channel_shows_for_months_are_looked_at_once(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    """Amazon's report has those of 60 days, whenever they changed."""
    long_ago_ms = NOW_MS - 40 * DAY_MS
    ebay.sent_back = [
        back("request", return_id="r2", external_id="old", changed_ms=long_ago_ms),
        back("escalate", return_id="r4", changed_ms=long_ago_ms),
        back("request", return_id="r5", changed_ms=NOW_MS - HOUR_MS),
    ]
    keep(world)
    for _ in range(3):
        run(world, "poll_returns")
    assert [each["return_id"] for each in named(lines, "return_skipped")] == ["r2", "r4"]
    assert len(sent(world, "shipping")) == 1


def test_a_return_dated_ahead_hides_no_other(world: World, ebay: Account) -> None:
    keep(world)
    ebay.sent_back = [back("request", changed_ms=NOW_MS + 300 * DAY_MS)]
    run(world, "poll_returns")
    run(world, "poll_returns")
    assert ebay.asked[-1] == ("returns", NOW_MS - 3 * DAY_MS)
    assert len(sent(world, "shipping")) == 1


def test_goods_that_the_warehouse_has_taken_back_already_hold_nothing(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    keep(world)
    fact_of_all = {"return_id": "own", "step": "receive", "location": "main", "lines": [{"line_id": "l1", "units": 2}]}
    world.queues.send("shipping", [{"order": ORDER, "do": "return", "fact": fact_of_all, "actor": "api"}])
    world.run()
    ebay.sent_back = [back("approve")]
    run(world, "poll_returns")
    assert (sent(world, "shipping"), len(named(lines, "return_skipped"))) == ([], 1)


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


# --- what the channel lists


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
