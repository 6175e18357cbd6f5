"""Orders through the real handlers over in-memory ports: once, twice, shuffled, short of stock, called off, held."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from chalicelib.domain.lifecycle import RESERVE_MS, status
from chalicelib.outbound.sweep import sweep_due
from chalicelib.store.accounts import add_account
from chalicelib.store.counters import read_counts
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import read_stock, receipt_writes
from local.audit import Books, audit
from local.memory.world import World
from local.replay.backends import MemoryBackend

CHANNEL = "storefront"


def document(number: str = "1001", at: str = "2026-01-05T10:00:00Z", sku: str = "MUG", **more: Any) -> dict[str, Any]:
    """A paid order of two mugs at 5 EUR, with whatever else a test wants."""
    return {
        "id": number,
        "updated_at": at,
        "placed_at": "2026-01-05T10:00:00Z",
        "currency": "EUR",
        "total": "10.00",
        "lines": [{"id": "1", "sku": sku, "quantity": 2, "unit_price": "5.00"}],
        "payment": {"status": "paid"},
        **more,
    }


@pytest.fixture
def world() -> World:
    """A world that sells mugs, with a hundred on hand."""
    world = World()
    add_account(world.tables, CHANNEL, {"kind": "storefront"})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 100, world.now_ms))
    return world


def send(world: World, *documents: dict[str, Any]) -> None:
    messages = [{"channel": CHANNEL, "raw": json.dumps(each), "hint": {}} for each in documents]
    world.queues.send("entry", messages)
    world.run()


def books(world: World) -> Books:
    """The audited books; every invariant must hold and nothing may be dead."""
    assert not {queue: dead for queue, dead in world.queues.dead.items() if dead}
    backend = MemoryBackend()
    backend.world = world
    found = audit(*backend.stored())
    assert found.wrong == []
    return found


def status_of(world: World, number: str = "1001") -> str:
    order = read_order(world.tables, f"{CHANNEL}:{number}")
    assert order is not None
    return status(order)


def available(world: World, sku: str = "MUG") -> int:
    return sum(stock.available for stock in read_stock(world.tables, [sku], ("main",))[sku])


def ship(world: World, number: str = "1001", units: int = 2, parcel: str = "p1") -> None:
    lines = [{"line_id": "1", "units": units}]
    fact = {"shipment_id": parcel, "location": "main", "shipped_ms": 1, "lines": lines}
    world.queues.send("shipping", [{"order": f"{CHANNEL}:{number}", "do": "ship", "fact": fact}])
    world.run()


def pay(world: World, number: str = "1001", amount_minor: int = 1000, **more: Any) -> None:
    payout = {
        "channel": CHANNEL,
        "payout_id": "po1",
        "order_id": f"{CHANNEL}:{number}",
        "currency": "EUR",
        "paid_ms": 1,
        "lines": [{"line_id": f"sale-{number}", "kind": "sale", "amount_minor": amount_minor}],
    }
    world.queues.send("settlement", [{"payout": payout | more}])
    world.run()


def test_an_order_goes_all_the_way(world: World) -> None:
    send(world, document())
    assert (status_of(world), available(world)) == ("allocated", 98)
    ship(world)
    assert status_of(world) == "shipped"
    pay(world)
    assert status_of(world) == "settled"
    order = read_order(world.tables, f"{CHANNEL}:1001")
    assert order is not None
    assert [h.actor for h in order.state.timeline] == ["entry", "funding", "allocation", "shipping", "settlement"]
    assert read_counts(world.tables)[CHANNEL]["settled"] == 1
    books(world)


def test_every_fact_may_come_twice(world: World) -> None:
    for _ in range(2):
        send(world, document(), document())
    for _ in range(2):
        ship(world)
    for _ in range(2):
        pay(world)
    assert (status_of(world), available(world)) == ("settled", 98)
    assert len(books(world).orders) == 1


def test_a_thousand_doubled_and_shuffled_deliveries_end_in_fifty_orders(world: World) -> None:
    """Each order is stated in four versions (pending, paid, one unit called off, a note); each is sent five times."""
    chance = random.Random(7)
    deliveries = []
    for number in range(50):
        name = f"{2000 + number}"
        line = {"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.00"}
        fewer = [{**line, "cancelled": 1}]
        paid = {"status": "paid", "refunded": "5.00"}
        versions = [
            document(name, "2026-01-05T10:00:00Z", payment={"status": "pending"}),
            document(name, "2026-01-05T10:00:00Z"),
            document(name, "2026-01-05T10:05:00Z", lines=fewer, payment=paid),
            document(name, "2026-01-05T10:09:00Z", lines=fewer, payment=paid, note="gift"),
        ]
        deliveries += versions * 5
    chance.shuffle(deliveries)
    assert len(deliveries) == 1000
    for start in range(0, 1000, 37):
        send(world, *deliveries[start : start + 37])
    found = books(world)
    assert len(found.orders) == 50
    assert {order.state.quantities[0].allocated for order in found.orders.values()} == {1}
    assert {order.state.quantities[0].cancelled for order in found.orders.values()} == {1}
    assert available(world) == 50


def sweep_at(world: World, now_ms: int) -> None:
    world.now_ms = now_ms
    sweep_due(world.runtime)
    world.run()


def test_pending_payment_waits_in_funding_and_keeps_stock_for_half_an_hour(world: World) -> None:
    send(world, document(payment={"status": "pending"}))
    assert (status_of(world), available(world)) == ("awaiting_funds", 98)
    books(world)
    began_ms = world.now_ms
    sweep_at(world, began_ms + RESERVE_MS - 1)
    assert available(world) == 98
    sweep_at(world, began_ms + RESERVE_MS + 1)
    assert (status_of(world), available(world)) == ("awaiting_funds", 100)
    books(world)
    sweep_at(world, began_ms + 100 * RESERVE_MS)
    assert available(world) == 100
    send(world, document(at="2026-01-05T11:00:00Z"))
    assert (status_of(world), available(world)) == ("allocated", 98)
    books(world)


def test_a_payment_within_the_half_hour_keeps_what_was_reserved(world: World) -> None:
    send(world, document(payment={"status": "pending"}))
    send(world, document(at="2026-01-05T11:00:00Z"))
    assert (status_of(world), available(world)) == ("allocated", 98)
    sweep_at(world, world.now_ms + 2 * RESERVE_MS)
    assert (status_of(world), available(world)) == ("allocated", 98)
    books(world)


def test_stock_of_a_reservation_that_ends_serves_who_waits(world: World) -> None:
    hundred = [{"id": "1", "sku": "MUG", "quantity": 100, "unit_price": "0.10"}]
    send(world, document("1", lines=hundred, payment={"status": "pending"}))
    send(world, document("2"))
    assert status_of(world, "2") == "backordered"
    sweep_at(world, world.now_ms + RESERVE_MS + 1)
    assert status_of(world, "2") == "allocated"
    books(world)


def test_money_that_the_channel_vouches_for_is_secured_as_the_order_enters(world: World) -> None:
    world.queues.send("entry", [{"channel": CHANNEL, "raw": json.dumps(document()), "hint": {}}])
    world.deliver("entry")
    order = read_order(world.tables, f"{CHANNEL}:1001")
    assert order is not None
    assert (order.state.secured_minor, order.state.version) == (1000, 2)
    assert [h.move for h in order.state.timeline] == ["enter", "secure"]
    world.relay(list(world.tables.stream))
    assert {queue for queue, waiting in world.queues.waiting.items() if waiting} == {"allocation"}


def test_a_cancelled_order_gives_its_stock_back(world: World) -> None:
    send(world, document())
    send(world, document(at="2026-01-05T11:00:00Z", cancelled=True, payment={"status": "paid", "refunded": "10.00"}))
    assert (status_of(world), available(world)) == ("cancelled", 100)
    books(world)


def test_shortage_is_backordered_and_the_longest_waiting_is_served_first(world: World) -> None:
    for number in range(51):
        send(world, document(f"{3000 + number}", placed_at=f"2026-01-05T10:{number:02d}:00Z"))
    assert (status_of(world, "3050"), available(world)) == ("backordered", 0)
    send(world, document("3099", placed_at="2026-01-05T12:00:00Z"))
    world.tables.write(*receipt_writes("delivery-1", "MUG", "main", 3, world.now_ms))
    world.run()
    assert (status_of(world, "3050"), status_of(world, "3099")) == ("allocated", "partially_allocated")
    books(world)


def test_stock_that_comes_in_while_an_order_is_decided_is_not_missed(world: World) -> None:
    """The stock's own wake-up finds nobody waiting yet; the order, when it begins to wait, is looked at once more."""
    world.tables.write(*receipt_writes("write-off", "MUG", "main", -100, world.now_ms))
    write = world.tables.write
    arrived = []

    def write_after_a_delivery(*writes: Any) -> None:
        if not arrived and any(each.key.sk.startswith("BACKORDER#") for each in writes):
            arrived.append(True)
            write(*receipt_writes("delivery", "MUG", "main", 5, world.now_ms))
            world.relay(list(world.tables.stream))
            while world._deliver("allocation"):
                pass
        write(*writes)

    world.tables.write = write_after_a_delivery  # type: ignore[method-assign]
    send(world, document())
    assert arrived
    assert status_of(world) == "allocated"
    books(world)


def test_stock_of_a_cancelled_order_serves_who_waits(world: World) -> None:
    send(world, document("1", lines=[{"id": "1", "sku": "MUG", "quantity": 100, "unit_price": "0.10"}]))
    send(world, document("2"))
    assert status_of(world, "2") == "backordered"
    send(world, document("1", "2026-01-06T10:00:00Z", cancelled=True))
    assert status_of(world, "2") == "allocated"
    books(world)


def test_an_unknown_sku_holds_the_order_until_the_catalogue_knows_it(world: World) -> None:
    send(world, document(sku="CUP"))
    assert status_of(world) == "on_hold"
    assert world.bodies.get(f"held/{CHANNEL}:1001")
    assert read_counts(world.tables)[CHANNEL]["on_hold"] == 1
    world.tables.write(*sku_writes("CUP", "Cup"))
    world.queues.send("entry", [{"order": f"{CHANNEL}:1001"}])
    world.run()
    assert status_of(world) == "backordered"
    books(world)


def test_what_nobody_can_read_becomes_an_order_on_hold_with_its_payload(world: World) -> None:
    world.queues.send("entry", [{"channel": CHANNEL, "raw": '{"hello": 1}', "hint": {}}] * 2)
    world.run()
    (order,) = books(world).orders.values()
    assert [hold.reason for hold in order.state.holds] == ["unreadable"]
    assert world.bodies.get(f"held/{order.order_id}") == b'{"hello": 1}'


def test_one_poisoned_message_stops_no_other(world: World) -> None:
    world.queues.send("entry", [{"nonsense": True}])
    send(world, document())
    assert status_of(world) == "allocated"
    assert len(world.queues.dead["entry"]) == 1


def test_a_basket_of_502_lines_is_allocated_and_given_back_whole(world: World) -> None:
    lines = []
    for n in range(502):
        world.tables.write(*sku_writes(f"S{n}", ""))
        world.tables.write(*receipt_writes("opening", f"S{n}", "main", 3, world.now_ms))
        lines.append({"id": str(n), "sku": f"S{n}", "quantity": 2, "unit_price": "1.00"})
    send(world, document(lines=lines, total="1004.00"))
    assert status_of(world) == "allocated"
    units = {f"{n}": 1 for n in range(502)}
    shipped = [{"line_id": line_id, "units": n} for line_id, n in units.items()]
    fact = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": shipped}
    world.queues.send("shipping", [{"order": f"{CHANNEL}:1001", "do": "ship", "fact": fact}] * 2)
    world.run()
    assert status_of(world) == "partially_shipped"
    send(world, document(at="2026-01-06T10:00:00Z", lines=lines, total="1004.00", cancelled=True))
    assert {available(world, f"S{n}") for n in range(502)} == {2}
    books(world)


def test_an_old_message_after_settlement_moves_nothing(world: World) -> None:
    send(world, document(at="2026-01-05T11:00:00Z"))
    ship(world)
    pay(world)
    send(world, document(payment={"status": "pending"}))
    assert status_of(world) == "settled"
    books(world)


def test_a_shipment_of_what_was_not_promised_holds_the_order(world: World) -> None:
    send(world, document())
    ship(world, units=3)
    assert status_of(world) == "on_hold"
    assert available(world) == 98
    books(world)


def test_a_payout_line_waits_for_its_order(world: World) -> None:
    pay(world)
    send(world, document())
    ship(world)
    world.now_ms += 3_600_000
    world.run()
    assert status_of(world) == "settled"
    books(world)


@pytest.mark.parametrize("wrong", [{"currency": "JPY"}, {"channel": "ebay"}])
def test_a_payout_line_of_another_currency_or_channel_settles_nothing(world: World, wrong: dict[str, str]) -> None:
    send(world, document())
    ship(world)
    pay(world, **wrong)
    assert status_of(world) == "on_hold"
    books(world)


def test_a_line_that_names_another_item_holds_the_order(world: World) -> None:
    world.tables.write(*sku_writes("CUP", "Cup"))
    send(world, document())
    send(world, document(at="2026-01-05T11:00:00Z", sku="CUP"))
    order = read_order(world.tables, f"{CHANNEL}:1001")
    assert order is not None
    assert [hold.reason for hold in order.state.holds] == ["item_changed"]
    books(world)


def test_the_time_of_order_does_not_move_with_an_edit(world: World) -> None:
    world.tables.write(*receipt_writes("write-off", "MUG", "main", -100, world.now_ms))
    undated = document()
    del undated["placed_at"]
    send(world, undated)
    send(world, {**undated, "updated_at": "2026-01-06T10:00:00Z"})
    world.tables.write(*receipt_writes("delivery", "MUG", "main", 2, world.now_ms))
    world.run()
    assert status_of(world) == "allocated"
    books(world)


def test_all_who_wait_are_served_when_there_is_enough(world: World) -> None:
    world.tables.write(*receipt_writes("write-off", "MUG", "main", -100, world.now_ms))
    one = [{"id": "1", "sku": "MUG", "quantity": 1, "unit_price": "10.00"}]
    send(world, *(document(f"{number}", lines=one) for number in range(150)))
    world.tables.write(*receipt_writes("delivery", "MUG", "main", 500, world.now_ms))
    world.run()
    assert available(world) == 350
    books(world)


def test_a_payout_line_without_an_order_is_booked_as_unmatched_at_last(world: World) -> None:
    pay(world, number="9999")
    for _ in range(10):
        world.now_ms += 3_600_000
        world.run()
    backend = MemoryBackend()
    backend.world = world
    (line,) = backend.stored()[0]["ledger"]
    assert line["matched"] is False


def test_contacts_are_apart_and_a_poorer_payload_never_blanks_them(world: World) -> None:
    from chalicelib.store.contacts import read_contact

    buyer = {"name": "Ada Example", "email": "ada@example.org"}
    send(world, document(customer=buyer))
    send(world, document(at="2026-01-06T10:00:00Z"))
    contact = read_contact(world.tables, f"{CHANNEL}:1001")
    assert contact is not None
    assert contact.name == "Ada Example"
    stored = [
        str(item) + str(item.get("body", b"")) for key, item in world.tables.items.items() if key.table == "orders"
    ]
    assert stored
    assert not [text for text in stored if "Ada" in text]
