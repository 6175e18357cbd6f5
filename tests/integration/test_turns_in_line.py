"""Shorter stories through the real handlers, messages, stream and sweep: who is served in line, clocks, edits, goods
that come back and money that is given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.domain.catalogue import Parts
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.lifecycle import ARCHIVE_AFTER_MS, RESERVE_MS, funding, stage, status
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Sourcing
from chalicelib.outbound.sweep import sweep_due
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import sku_key, sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import read_stock, receipt_writes
from chalicelib.store.tables import Change
from local.memory.world import World
from tests.integration.test_lifecycle import CHANNEL, books, document, send

HOUR_MS = 3_600_000
NOON_MS = 1_767_614_400_000  # 2026-01-05T12:00:00Z
PLACES = ("east", "west")


@pytest.fixture
def world() -> World:
    """A seller with two warehouses and ten mugs in the east."""
    world = World(NOON_MS)
    add_account(world.tables, CHANNEL, {"kind": "storefront"})
    set_sourcing(world.tables, Sourcing(PLACES))
    sells(world, "MUG", east=10)
    return world


def sells(world: World, sku: str, components: Parts = (), release_ms: int = 0, **units: int) -> None:
    """A SKU is in the catalogue, with `units` on hand by location."""
    world.tables.write(*sku_writes(sku, sku))
    makeup = {"components": [list(part) for part in components], "release_ms": release_ms}
    world.tables.write(Change(sku_key(sku), put=makeup))
    for place, n in units.items():
        world.tables.write(*receipt_writes(f"opening-{place}", sku, place, n, world.now_ms))


def receives(world: World, sku: str, place: str, units: int, name: str) -> None:
    world.tables.write(*receipt_writes(f"{name}-{place}", sku, place, units, world.now_ms))
    world.run()


def ask(world: World, do: str, number: str = "1001", **fact: Any) -> None:
    """A command goes to the stage that makes the move."""
    message = {"order": f"{CHANNEL}:{number}", "do": do, "fact": fact, "actor": "tests"}
    world.queues.send(COMMANDS[do].stage, [message])
    world.run()


def answers(world: World, place: str, *words: str) -> None:
    for word in words:
        ask(world, "fulfilment", location=place, answer=word)


def ships(world: World, parcel: str, place: str = "east", number: str = "1001", **units: int) -> None:
    lines = [{"line_id": line_id.removeprefix("l"), "units": n} for line_id, n in (units or {"l1": 2}).items()]
    ask(world, "ship", number, shipment_id=parcel, location=place, shipped_ms=world.now_ms, lines=lines)


def pays_out(world: World, name: str, number: str = "1001", **amounts: int) -> None:
    payout = {"channel": CHANNEL, "payout_id": name, "order_id": f"{CHANNEL}:{number}", "currency": "EUR", "paid_ms": 1}
    lines = [{"line_id": kind, "kind": kind, "amount_minor": amount} for kind, amount in amounts.items()]
    world.queues.send("settlement", [{"payout": {**payout, "lines": lines}}])
    world.run()


def later(world: World, span_ms: int) -> None:
    """Time passes, and the sweep comes by a moment after it is over."""
    world.now_ms += span_ms + 1
    sweep_due(world.runtime)
    world.run()


def order(world: World, number: str = "1001") -> Order:
    found = read_order(world.tables, f"{CHANNEL}:{number}", content=True)
    assert found is not None
    return found


def word(world: World, number: str = "1001") -> str:
    return status(order(world, number))


def held_for(world: World, number: str = "1001") -> list[str]:
    return [hold.reason for hold in order(world, number).state.holds]


def moves(world: World, number: str = "1001") -> list[str]:
    return [happening.move for happening in order(world, number).state.timeline]


def free(world: World, sku: str = "MUG") -> Mapping[str, int]:
    return {stock.location: stock.available for stock in read_stock(world.tables, [sku], PLACES)[sku]}


def basket(*lines: tuple[str, int], number: str = "1001", **more: Any) -> dict[str, Any]:
    """A paid order of lines (SKU, units) at 1 EUR a unit."""
    listed = [
        {"id": f"{n}", "sku": sku, "quantity": units, "unit_price": "1.00"} for n, (sku, units) in enumerate(lines, 1)
    ]
    total = f"{sum(units for _, units in lines)}.00"
    return document(number, lines=listed, total=total, **more)


def test_a_reservation_that_runs_out_frees_its_stock_for_others(world: World) -> None:
    send(world, basket(("MUG", 10), payment={"status": "pending"}))
    assert (word(world), free(world)) == ("awaiting_funds", {"east": 0})
    later(world, RESERVE_MS)
    assert (word(world), free(world)) == ("awaiting_funds", {"east": 10})
    assert moves(world)[-2:] == ["overdue", "expire"]
    books(world)


def test_a_failed_payment_that_is_paid_after_all_goes_on(world: World) -> None:
    send(world, document(payment={"status": "failed"}))
    assert (word(world), funding(order(world).state)) == ("awaiting_funds", "failed")
    send(world, document(at="2026-01-05T11:00:00Z"))
    assert (word(world), funding(order(world).state)) == ("allocated", "captured")
    books(world)


def test_a_backorder_that_waits_for_another_component_starves_nobody_behind(world: World) -> None:
    receives(world, "MUG", "east", -10, "write-off")
    sells(world, "CUP", east=0)
    sells(world, "SET", (("MUG", 5), ("CUP", 1)))
    send(world, basket(("SET", 1), number="kit", placed_at="2026-01-01T00:00:00Z"))
    send(world, document("behind"))
    receives(world, "MUG", "east", 4, "delivery")
    assert (word(world, "kit"), word(world, "behind")) == ("backordered", "allocated")
    books(world)


def test_a_pre_order_starves_nobody_behind_before_its_release(world: World) -> None:
    sells(world, "NEW", release_ms=NOON_MS + 48 * HOUR_MS)
    send(world, basket(("NEW", 5), number="early", placed_at="2026-01-01T00:00:00Z"))
    world.tables.write(Change(sku_key("NEW"), put={"release_ms": 0}))
    send(world, basket(("NEW", 1), number="behind"))
    receives(world, "NEW", "east", 2, "delivery")
    assert (word(world, "early"), word(world, "behind")) == ("backordered", "allocated")
    books(world)


def test_a_location_that_rejected_is_asked_again_once_it_reopens(world: World) -> None:
    send(world, document())
    answers(world, "east", "reroute")
    assert (word(world), free(world)) == ("backordered", {"east": 10})
    answers(world, "east", "reopen")
    assert (word(world), free(world)) == ("allocated", {"east": 8})
    books(world)


def test_a_split_order_ships_in_two_parcels(world: World) -> None:
    receives(world, "MUG", "west", 5, "delivery")
    send(world, basket(("MUG", 12)))
    assert order(world).state.quantities[0].allocations == {"east": 10, "west": 2}
    ships(world, "p1", "west", l1=2)
    assert word(world) == "partially_shipped"
    ships(world, "p2", "east", l1=10)
    assert word(world) == "shipped"
    books(world)


def test_a_kit_takes_its_components_and_gives_them_back(world: World) -> None:
    sells(world, "CUP", east=4)
    sells(world, "SET", (("MUG", 1), ("CUP", 2)))
    send(world, basket(("SET", 2), ("MUG", 8)))
    assert (word(world), free(world), free(world, "CUP")) == ("allocated", {"east": 0}, {"east": 0})
    ships(world, "p1", l1=1)
    ask(world, "cancel", cancellation_id="c1")
    assert (free(world), free(world, "CUP")) == ({"east": 9}, {"east": 2})
    lines = [{"line_id": "1", "units": 1}]
    ask(world, "return", return_id="r1", step="inspect", lines=lines, location="east")
    assert (free(world), free(world, "CUP")) == ({"east": 10}, {"east": 4})
    books(world)


def test_a_pre_order_is_promised_stock_when_the_clock_says_so(world: World) -> None:
    sells(world, "NEW", release_ms=NOON_MS + 48 * HOUR_MS, east=5)
    send(world, basket(("NEW", 2), ("MUG", 1)))
    assert (word(world), free(world, "NEW")) == ("partially_allocated", {"east": 5})
    later(world, 40 * HOUR_MS)
    assert moves(world)[-1] == "overdue"
    later(world, 7 * HOUR_MS)
    assert free(world, "NEW") == {"east": 5}
    later(world, HOUR_MS)
    assert (word(world), free(world, "NEW")) == ("allocated", {"east": 3})
    books(world)


def test_one_line_is_cancelled_and_the_rest_goes_on(world: World) -> None:
    sells(world, "CUP", east=5)
    send(world, basket(("MUG", 2), ("CUP", 1)))
    ask(world, "cancel", cancellation_id="c1", lines=[{"line_id": "2", "units": 1}])
    assert (word(world), free(world), free(world, "CUP")) == ("allocated", {"east": 8}, {"east": 5})
    ships(world, "p1")
    assert word(world) == "shipped"
    books(world)


def test_a_rejected_order_gives_its_stock_back(world: World) -> None:
    send(world, document())
    ask(world, "hold", reason="fraud")
    assert (word(world), free(world)) == ("on_hold", {"east": 8})
    ask(world, "reject", reason="fraud")
    assert (word(world), free(world)) == ("cancelled", {"east": 10})
    books(world)


def test_a_line_added_and_a_quantity_raised_after_allocation_are_promised_too(world: World) -> None:
    sells(world, "CUP", east=5)
    send(world, basket(("MUG", 2)))
    send(world, basket(("MUG", 3), ("CUP", 1)) | {"updated_at": "2026-01-05T11:00:00Z"})
    assert (word(world), free(world), free(world, "CUP")) == ("allocated", {"east": 7}, {"east": 4})
    books(world)


def test_a_line_taken_away_and_a_quantity_lowered_after_allocation_give_stock_back(world: World) -> None:
    sells(world, "CUP", east=5)
    send(world, basket(("MUG", 3), ("CUP", 1)))
    send(world, basket(("MUG", 2)) | {"updated_at": "2026-01-05T11:00:00Z"})
    assert (word(world), free(world), free(world, "CUP")) == ("allocated", {"east": 8}, {"east": 5})
    books(world)


def shipped_and_paid(world: World) -> None:
    send(world, document())
    ships(world, "p1")
    pays_out(world, "po1", sale=1000)
    assert word(world) == "settled"


def test_no_more_is_restocked_than_was_received(world: World) -> None:
    shipped_and_paid(world)
    one, two = [{"line_id": "1", "units": 1}], [{"line_id": "1", "units": 2}]
    ask(world, "return", return_id="r1", step="receive", lines=one, location="east")
    ask(world, "return", return_id="r1", step="inspect", lines=two, restock=two, location="east")
    assert free(world) == {"east": 8}
    assert held_for(world) == ["shipping_not_returned"]
    books(world)


def test_a_claim_is_refunded_without_a_return(world: World) -> None:
    shipped_and_paid(world)
    ask(world, "refund", refund_id="f1", amount_minor=300, reason="claim")
    assert (stage(order(world)), order(world).state.quantities[0].returned) == ("settlement", 0)
    ask(world, "refund_outcome", refund_id="f1")
    assert (stage(order(world)), funding(order(world).state)) == ("settled", "partly_refunded")
    books(world)


def test_a_refused_refund_may_be_asked_for_again(world: World) -> None:
    shipped_and_paid(world)
    for failure in ("card closed", ""):
        ask(world, "refund", refund_id="f1", amount_minor=300)
        ask(world, "refund_outcome", refund_id="f1", failure=failure)
    assert order(world).state.refunds["f1"].status == "confirmed"
    books(world)


def test_the_sweep_archives_what_nobody_can_come_back_on(world: World) -> None:
    shipped_and_paid(world)
    later(world, ARCHIVE_AFTER_MS - HOUR_MS)
    assert not order(world).state.archived
    later(world, HOUR_MS)
    assert order(world).state.archived
    books(world)
