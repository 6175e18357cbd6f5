"""Whole stories of orders that turn: through messages, streams and the sweep, over in-memory ports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.catalogue import Parts, Sku
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.lifecycle import ARCHIVE_AFTER_MS, stage, status
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Sourcing
from chalicelib.outbound.sweep import archive_old
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import kit_writes, sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import read_stock, receipt_writes
from local.memory.world import World
from tests.integration.test_lifecycle import CHANNEL, books, document, pay, send, sweep_at

PLACES = ("main", "east", "north")
HOUR_MS = 3_600_000
LATER = "2026-01-05T11:00:00Z"
LATEST = "2026-01-05T12:00:00Z"


@pytest.fixture
def world() -> World:
    """A world of three locations that sells mugs, cups and jugs; stock is received by each test."""
    world = World()
    for channel in (CHANNEL, "storefront-b", "storefront-c", "storefront-d"):
        add_account(world.tables, channel, {"kind": "storefront"})
    set_sourcing(world.tables, Sourcing(PLACES))
    for sku in ("MUG", "CUP", "JUG"):
        world.tables.write(*sku_writes(sku, sku.title()))
    return world


def receive(world: World, sku: str, units: int, place: str = "main", name: str = "opening") -> None:
    world.tables.write(*receipt_writes(name, sku, place, units, world.now_ms))
    world.run()


def make(world: World, sku: str, components: Parts = (), release_ms: int = 0) -> None:
    """What a SKU is made of, and when it is released."""
    world.tables.write(*sku_writes(sku, sku.title()))
    world.tables.write(*kit_writes(Sku(sku), components, release_ms))


def ask(world: World, do: str, number: str = "1001", **fact: Any) -> None:
    """A command, which arrives twice."""
    order_id = number if ":" in number else f"{CHANNEL}:{number}"
    message = {"order": order_id, "do": do, "fact": fact, "actor": "people"}
    world.queues.send(COMMANDS[do].stage, [message, message])
    world.run()


def lines(units: int = 2, line_id: str = "1") -> list[dict[str, Any]]:
    return [{"line_id": line_id, "units": units}]


def ship(world: World, units: int = 2, place: str = "main", number: str = "1001", parcel: str = "p1") -> None:
    ask(world, "ship", number, shipment_id=parcel, location=place, shipped_ms=1, lines=lines(units))


def answer(world: World, word: str, place: str = "main", number: str = "1001") -> None:
    ask(world, "fulfilment", number, location=place, answer=word)


def order_of(world: World, number: str = "1001") -> Order:
    order = read_order(world.tables, number if ":" in number else f"{CHANNEL}:{number}", content=True)
    assert order is not None
    return order


def status_of(world: World, number: str = "1001") -> str:
    return status(order_of(world, number))


def available(world: World, sku: str = "MUG", *places: str) -> int:
    return sum(stock.available for stock in read_stock(world.tables, [sku], places or PLACES)[sku])


def test_an_authorisation_that_lapses_gives_its_stock_back_after_the_reservation_and_is_paid_late(world: World) -> None:
    receive(world, "MUG", 2)
    until = {"status": "authorised", "authorised_until": "2023-11-15T00:00:00Z"}
    send(world, document(payment=until))
    assert (status_of(world), available(world)) == ("allocated", 0)
    ends_ms = order_of(world).state.payment.expires_ms
    sweep_at(world, ends_ms + 1)
    assert (status_of(world), available(world)) == ("awaiting_funds", 0)
    sweep_at(world, order_of(world).state.reserved_until_ms + 1)
    assert (status_of(world), available(world)) == ("awaiting_funds", 2)
    books(world)
    send(world, document(at=LATER))
    assert (status_of(world), available(world)) == ("allocated", 0)
    books(world)


def test_a_late_failure_never_lowers_a_paid_order(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document(payment={"status": "failed"}))
    assert status_of(world) == "awaiting_funds"
    send(world, document(at=LATER))
    send(world, document(at=LATEST, payment={"status": "failed"}))
    assert (status_of(world), order_of(world).state.payment.captured_minor) == ("allocated", 1000)
    books(world)


def test_who_is_due_first_is_served_first_whenever_he_ordered(world: World) -> None:
    send(world, document("1", ship_by="2026-01-09T00:00:00Z"))
    send(world, document("2", ship_by="2026-01-07T00:00:00Z"))
    receive(world, "MUG", 2)
    assert (status_of(world, "1"), status_of(world, "2")) == ("backordered", "allocated")
    receive(world, "MUG", 2, name="second")
    assert status_of(world, "1") == "allocated"
    books(world)


def test_held_orders_in_front_take_nothing_from_those_behind(world: World) -> None:
    for number in range(110):
        send(world, document(f"{number}", ship_by="2026-01-07T00:00:00Z"))
        ask(world, "hold", f"{number}", reason="fraud")
    send(world, document("last", ship_by="2026-01-09T00:00:00Z"))
    receive(world, "MUG", 2)
    assert status_of(world, "last") == "allocated"
    books(world)


def test_a_location_that_rejects_is_passed_over_and_another_ships(world: World) -> None:
    receive(world, "MUG", 2)
    receive(world, "MUG", 2, "east")
    send(world, document())
    answer(world, "accept")
    answer(world, "reroute")
    order = order_of(world)
    assert order.state.quantities[0].allocations == {"east": 2}
    assert order.state.sourcing["main"].startswith("rejected the order")
    assert order.state.sourcing["east"].endswith("2 units")
    ship(world, place="east")
    assert (status_of(world), available(world, "MUG", "main")) == ("shipped", 2)
    books(world)


def test_a_cancel_after_the_label_takes_the_units_back_when_the_location_agrees(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document())
    answer(world, "label")
    ask(world, "cancel", cancellation_id="c1", lines=[], reason="buyer")
    assert (status_of(world), available(world)) == ("allocated", 0)
    answer(world, "yield")
    assert (status_of(world), available(world)) == ("cancelled", 2)
    books(world)


def test_a_cancel_after_the_label_ships_when_the_location_refuses(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document())
    answer(world, "label")
    ask(world, "cancel", cancellation_id="c1", lines=[], reason="buyer")
    answer(world, "refuse_cancel")
    ship(world)
    pay(world)
    assert (status_of(world), available(world)) == ("settled", 0)
    books(world)


def test_what_is_wanted_after_all_must_be_promised_anew(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document("1"))
    answer(world, "accept", number="1")
    ask(world, "cancel", "1", cancellation_id="c1", lines=[])
    ask(world, "uncancel", "1", cancellation_id="c1")
    assert (status_of(world, "1"), order_of(world, "1").state.cancellations) == ("allocated", {})
    books(world)


def test_a_line_called_off_at_the_channel_and_wanted_again_waits_behind_who_took_its_stock(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document("1"))
    send(world, document("2"))
    send(world, document("1", LATER, cancelled=True))
    assert status_of(world, "2") == "allocated"
    send(world, document("1", LATEST))
    assert status_of(world, "1") == "backordered"
    books(world)


def test_a_substitute_is_sent_where_nothing_was_to_be_had(world: World) -> None:
    receive(world, "CUP", 5)
    send(world, document())
    assert status_of(world) == "backordered"
    ask(world, "substitute", line_id="1", sku={"sku": "CUP", "title": "Cup"})
    assert (status_of(world), available(world, "CUP")) == ("allocated", 3)
    receive(world, "MUG", 2)
    assert available(world) == 2
    books(world)


def test_a_pre_order_is_promised_stock_when_the_clock_releases_it(world: World) -> None:
    release_ms = world.now_ms + 2 * HOUR_MS
    make(world, "SOON", release_ms=release_ms)
    receive(world, "SOON", 5)
    send(world, document(sku="SOON"))
    assert (status_of(world), available(world, "SOON"), order_of(world).state.wake_ms) == ("backordered", 5, release_ms)
    sweep_at(world, release_ms - 1)
    assert status_of(world) == "backordered"
    sweep_at(world, release_ms + 1)
    assert (status_of(world), available(world, "SOON")) == ("allocated", 3)
    books(world)


def test_components_of_kits_are_summed_over_the_order_before_anything_is_promised(world: World) -> None:
    make(world, "SET", (("MUG", 2), ("CUP", 1)))
    receive(world, "MUG", 5)
    receive(world, "CUP", 9)
    basket = [
        {"id": "1", "sku": "SET", "quantity": 2, "unit_price": "2.50"},
        {"id": "2", "sku": "MUG", "quantity": 2, "unit_price": "2.50"},
    ]
    send(world, document(lines=basket))
    first, second = order_of(world).state.quantities
    assert (first.allocated, second.allocated, second.backordered) == (2, 1, 1)
    assert (available(world), available(world, "CUP")) == (0, 7)
    receive(world, "MUG", 1, name="more")
    assert status_of(world) == "allocated"
    ship(world)
    assert status_of(world) == "partially_shipped"
    books(world)


def test_an_exchange_waits_for_the_goods(world: World) -> None:
    receive(world, "MUG", 2)
    receive(world, "CUP", 1)
    send(world, document())
    ship(world)
    ask(world, "return", return_id="r1", step="request", lines=lines(1), location="main", restock=None)
    ask(world, "exchange", return_id="r1", lines=[{"sku": {"sku": "CUP"}, "units": 1}])
    new = order_of(world).state.returns["r1"].exchange
    assert (status_of(world, new), available(world, "CUP")) == ("on_hold", 1)
    ask(world, "return", return_id="r1", step="receive", lines=[], location="main", restock=None)
    assert (status_of(world, new), available(world, "CUP")) == ("allocated", 0)
    ship_new = {"shipment_id": "p2", "location": "main", "shipped_ms": 1, "lines": lines(1, "x1")}
    ask(world, "ship", new, **ship_new)
    assert status_of(world, new) == "settled"
    books(world)


def test_inspected_goods_are_stock_again_and_scrap_is_not(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document())
    ship(world)
    ask(world, "return", return_id="r1", step="request", lines=lines(2), location="main", restock=None)
    ask(world, "return", return_id="r1", step="approve", lines=[], location="main", restock=None)
    ask(world, "return", return_id="r1", step="receive", lines=[], location="main", restock=None)
    assert available(world) == 0
    ask(world, "return", return_id="r1", step="inspect", lines=[], location="main", restock=lines(1))
    assert (status_of(world), available(world)) == ("returned", 1)
    books(world)


def test_a_dispute_that_is_lost_after_the_payout_reopens_the_order_until_it_is_booked(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document())
    ship(world)
    pay(world)
    assert stage(order_of(world)) == "settled"
    ask(world, "dispute", dispute_id="d1", amount_minor=1000, status="open", due_ms=world.now_ms + HOUR_MS)
    assert (stage(order_of(world)), order_of(world).state.due_ms) == ("settlement", world.now_ms + HOUR_MS)
    ask(world, "dispute", dispute_id="d1", amount_minor=1000, status="lost")
    assert stage(order_of(world)) == "settled"
    taken = [{"line_id": "dispute", "kind": "dispute", "amount_minor": -1000}]
    pay(world, payout_id="po2", lines=taken)
    assert (stage(order_of(world)), order_of(world).state.settled_minor) == ("settled", 0)
    books(world)


def test_a_late_fact_brings_an_archived_order_back(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document())
    ship(world)
    pay(world)
    world.now_ms = order_of(world).state.placed_ms + ARCHIVE_AFTER_MS + HOUR_MS
    archive_old(CHANNEL, world.runtime)
    world.run()
    assert order_of(world).state.archived
    send(world, document(at="2026-09-01T00:00:00Z", payment={"status": "paid", "refunded": "1.00"}))
    assert not order_of(world).state.archived
    books(world)


def test_an_address_that_changes_under_the_hands_of_a_location_holds_the_order(world: World) -> None:
    receive(world, "MUG", 2)
    send(world, document(ship_to={"name": "A", "line1": "1 Old Row", "country": "GB"}))
    send(world, document(at=LATER, ship_to={"name": "A", "line1": "2 New Row", "country": "GB"}))
    assert order_of(world).state.holds == ()
    answer(world, "accept")
    send(world, document(at=LATEST, ship_to={"name": "A", "line1": "3 Last Row", "country": "GB"}))
    assert [hold.reason for hold in order_of(world).state.holds] == ["address"]
    ask(world, "resolve", reason="address")
    ship(world)
    assert status_of(world) == "shipped"
    books(world)


def test_what_cannot_be_had_by_its_ship_by_date_is_put_before_a_person(world: World) -> None:
    ship_by_ms = world.now_ms + 5 * HOUR_MS
    send(world, document(ship_by="2023-11-15T03:13:20Z"))
    assert order_of(world).state.ship_by_ms == ship_by_ms
    sweep_at(world, ship_by_ms + 1)
    assert [hold.reason for hold in order_of(world).state.holds] == ["stock_shortfall"]
    ask(world, "resolve", reason="stock_shortfall")
    receive(world, "MUG", 2)
    assert status_of(world) == "allocated"
    books(world)


def _records(world: World) -> dict[Any, Any]:
    """Every number but 0 of every stock record, but for its version and the time of its last change."""
    return {
        key: {name: value for name, value in item.items() if value and name not in ("version", "changed_ms")}
        for key, item in world.tables.items.items()
        if key.table == "stock" and key.sk.startswith("LOC#")
    }


def test_an_order_of_1200_lines_over_three_locations_goes_through_and_back(world: World) -> None:
    """One unit at each of two locations for two of three lines, none for every third; four units of each are wanted."""
    basket = []
    for n in range(1200):
        world.tables.write(*sku_writes(f"S{n}", ""))
        for place in (PLACES[n % 3], PLACES[(n + 1) % 3]):
            world.tables.write(*receipt_writes("opening", f"S{n}", place, 1 if n % 3 else 0, world.now_ms))
        basket.append({"id": str(n), "sku": f"S{n}", "quantity": 4, "unit_price": "1.00"})
    world.run()
    opening = _records(world)
    send(world, document(lines=basket, total="4800.00"))
    order = order_of(world)
    assert status(order) == "partially_allocated"
    assert sum(units.allocated for units in order.state.quantities) == 1600
    assert sum(units.backordered for units in order.state.quantities) == 3200
    assert {len(units.allocations) for units in order.state.quantities} == {0, 2}
    assert set(order.state.sourcing) == set(PLACES)
    send(world, document(at=LATER, lines=basket, total="4800.00", cancelled=True))
    assert status_of(world) == "cancelled"
    assert _records(world) == opening
    assert not [key for key in world.tables.items if key.sk.startswith("BACKORDER#")]
    books(world)


def test_ten_thousand_orders_from_four_channels_for_five_hundred_units_oversell_nothing(world: World) -> None:
    """The record that all of them want is written once for a whole batch of them."""
    receive(world, "JUG", 500)
    one = [{"id": "1", "sku": "JUG", "quantity": 1, "unit_price": "10.00"}]
    names = (CHANNEL, "storefront-b", "storefront-c", "storefront-d")
    world.queues.send(
        "entry",
        [{"channel": names[n % 4], "raw": json.dumps(document(f"{n}", lines=one)), "hint": {}} for n in range(10_000)],
    )
    spent = _hot_record_writes(world)
    world.run()
    orders = [order_of(world, f"{names[n % 4]}:{n}") for n in range(10_000)]
    assert sum(order.state.quantities[0].allocated for order in orders) == 500
    assert sum(order.state.quantities[0].backordered for order in orders) == 9_500
    assert available(world, "JUG") == 0
    assert spent[0] / 10_000 <= 0.2
    books(world)


def _hot_record_writes(world: World) -> list[float]:
    """Write units spent from now on in transactions that touch a stock record, filed by the meter under its table."""
    write, spent = world.tables.write, [0.0]

    def counted(*writes: Any) -> None:
        records = sum(1 for each in writes if each.key.sk.startswith("LOC#"))
        spent[0] += 2 * records  # a record is smaller than a unit, and costs two in a transaction
        write(*writes)

    world.tables.write = counted  # type: ignore[method-assign]
    return spent
