"""Planted bugs: mistakes that such systems are known for. A simulation that does not catch them proves nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from chalicelib.domain import allocation, cancellation, entry, holds, lifecycle, moves, shipping
from chalicelib.domain.orders import Order
from chalicelib.inbound import polls
from chalicelib.outbound import offers, relay, tell
from chalicelib.stages import entry as entry_stage
from chalicelib.stages import settlement as settlement_stage
from chalicelib.store.accounts import move_cursor
from chalicelib.store.tables import Put, When
from local.memory import tables
from local.memory.world import WORK
from local.simulation import shop as shop_module
from local.simulation.faults import FaultyTables
from local.simulation.label_mutants import LABEL_PLANTS
from local.simulation.market_mutants import MARKET_PLANTS
from local.simulation.planting import Plant, planted
from local.simulation.story import Story
from local.simulation.till_mutants import TILL_PLANTS
from local.simulation.woo_mutants import WOO_PLANTS

MOST_SEEDS = 100


@dataclass(frozen=True)
class Catch:
    """Which seeds saw the bug, and what the first of them saw."""

    first_seed: int
    symptom: str


def order_id_not_derived() -> Any:
    """Each message makes an order of its own."""
    numbers = itertools.count()
    read = entry_stage.reader_for

    def reader_for(kind: str) -> Any:
        def read_orders(*args: Any, **more: Any) -> Any:
            return tuple(
                replace(fact, external_id=f"{fact.external_id}x{next(numbers)}") for fact in read(kind)(*args, **more)
            )

        return read_orders

    return planted((entry_stage, "reader_for", reader_for))


def fact_applied_twice() -> Any:
    """A payout that comes again is another payout."""
    numbers = itertools.count()
    decide = settlement_stage.decide_settlement

    def again(order: Order, lines: Any, now_ms: int) -> Any:
        return decide(order, [replace(lines[0], payout_id=f"p{next(numbers)}"), *lines[1:]], now_ms)

    return planted((settlement_stage, "decide_settlement", again))


def older_fact_wins() -> Any:
    """What arrives last is taken for what is newest."""
    ticks = itertools.count()
    return planted((entry, "precedence", lambda fact: (next(ticks),)))


def write_without_version() -> Any:
    """Whoever writes last wins."""
    stands = tables._holds
    return planted((tables, "_holds", lambda item, when: stands(item, When(when.absent, None, when.at_least))))


def check_then_write_apart() -> Any:
    """What is free is looked at before, not by the write itself."""
    stands = tables._holds
    return planted((tables, "_holds", lambda item, when: stands(item, When(when.absent, when.version))))


def stock_pushed_as_delta() -> Any:
    """The channel is told by how much stock has changed."""
    pushed = offers._availability
    answer = shop_module.Shop._answer

    def delta(wanted: Any) -> Any:
        offer = pushed(wanted)
        return replace(offer, quantity=offer.quantity - (offer.shown or 0))

    def adding(self: Any, method: str, path: list[str], query: Any, body: Any) -> Any:
        if path == ["availability"]:
            for item in body["items"]:
                item["quantity"] += self.shown.get(item["sku"], 0)
        return answer(self, method, path, query, body)

    return planted((offers, "_availability", delta), (shop_module.Shop, "_answer", adding))


def price_acknowledged_unseen() -> Any:
    """Whoever has pushed a price acknowledges the one that is wanted by then."""
    acknowledge = offers.acknowledge_price

    def trusting(tables: Any, listing: Any, *rest: Any) -> bool:
        entry = offers.read_entry(tables, listing.sku)
        (newest,) = [each for each in entry.listings if each.channel == listing.channel]
        return acknowledge(tables, newest, *rest)

    return planted((offers, "acknowledge_price", trusting))


def send_after_commit() -> Any:
    """A handler writes, then sends what follows itself; no stream."""
    write = FaultyTables.write
    follow_up = relay._follow_up

    def write_then_send(self: Any, *writes: Any) -> None:
        write(self, *writes)
        for each in writes:
            if isinstance(each, Put) and each.key.sk == "STATE":
                item = {**each.item, "pk": each.key.pk, "sk": each.key.sk}
                for queue, message in follow_up(relay.Record("", 0, None, item)):
                    self.queues.send(queue, [message])

    return planted((FaultyTables, "write", write_then_send), (relay, "_follow_up", lambda record: []))


def kit_components_not_summed() -> Any:
    """Each line of an order is checked against all that is free, whatever the lines before it took."""
    take = allocation._take

    def forgetful(line: Any, units: Any, place: str, change: int, available: Any, moved: Any) -> Any:
        return take(line, units, place, change, {sku: dict(places) for sku, places in available.items()}, moved)

    return planted((allocation, "_take", forgetful))


def refund_without_key() -> Any:
    """A refund that is tried again is another refund."""
    numbers = itertools.count()
    request = tell.RefundRequest

    def keyless(refund_id: str, *args: Any) -> Any:
        return request(f"{refund_id}-{next(numbers)}", *args)

    return planted((tell, "RefundRequest", keyless))


def uncancel_without_reserve() -> Any:
    """Units that are wanted again are taken for promised, as they were before."""
    settle = entry.settle_cancellation

    def back_as_before(units: Any) -> Any:
        after = settle(units)
        back = units.cancelled - after.cancelled
        if back <= 0:
            return after
        return replace(after, allocations={**after.allocations, "main": after.allocations.get("main", 0) + back})

    unguarded = {
        name: replace(moves.MOVES[name], flows=(*moves.MOVES[name].flows, "cancelled>allocated"))
        for name in ("edit", "uncancel")
    }
    return planted(
        (entry, "settle_cancellation", back_as_before),
        (cancellation, "settle_cancellation", back_as_before),
        (moves, "MOVES", {**moves.MOVES, **unguarded}),
    )


def hold_ignored_at_release() -> Any:
    """Stock is promised to orders on hold."""
    may = allocation._may
    return planted(
        (allocation, "_may", lambda state, now_ms: may(replace(state, holds=()), now_ms)),
        (lifecycle, "work_due", lambda order: _work_due(order.having(holds=()))),
        (relay, "work_due", lambda order: _work_due(order.having(holds=()))),
    )


_work_due = lifecycle.work_due


def cancelled_under_way_unseen() -> Any:
    """An order that is called off after its goods have left is over."""
    return planted(*((module, "late_cancellation", lambda state: []) for module in (entry, holds)))


def late_failure_lowers_paid() -> Any:
    """The newest word about the payment is the whole truth."""
    return planted((entry, "_payment", lambda before, now: now))


def cursor_from_the_clock() -> Any:
    """The next poll begins at the time of this one."""

    def move(tables: Any, channel: str, cursor: Any) -> None:
        move_cursor(tables, channel, replace(cursor, read_to_ms=cursor.read_to_ms + 3_600_000))

    return planted((polls, "move_cursor", move))


def batch_returns_none() -> Any:
    """A handler that answers nothing has its whole batch deleted."""

    def silent(work: Any) -> Any:
        return lambda deliveries, runtime: work(deliveries, runtime)[:0]

    return patch.dict(WORK, {queue: silent(work) for queue, work in WORK.items()})


def leak_on_cancel() -> Any:
    """What is called off is taken from the order and stays promised in the stock."""
    take = allocation._take

    def leaky(line: Any, units: Any, place: str, change: int, available: Any, moved: list[Any]) -> Any:
        return take(line, units, place, change, available, moved if change > 0 else [])

    return planted((allocation, "_take", leaky))


def message_lost_by_the_relay() -> Any:
    """One committed change in fifty is not told."""
    follow_up = relay._follow_up
    calls = itertools.count()
    return planted((relay, "_follow_up", lambda record: follow_up(record) if next(calls) % 50 else []))


def stream_batch_counted_twice() -> Any:
    """The counters do not know a batch that comes again."""
    count = relay.count
    names = itertools.count()
    return planted(
        (
            relay,
            "count",
            lambda tables, records: count(tables, [r._replace(event_id=f"x{next(names)}") for r in records]),
        )
    )


def shipment_without_key() -> Any:
    """A parcel that is told twice has left twice."""
    names = itertools.count()
    decide = shipping.decide_shipment
    from chalicelib.domain import commands

    def keyless(order: Order, shipment: Any, now_ms: int) -> Any:
        return decide(order, replace(shipment, shipment_id=f"n{next(names)}"), now_ms)

    return planted((commands, "decide_shipment", keyless))


def reservation_never_ends() -> Any:
    """Stock that is kept for an unpaid order is kept for ever."""
    may = allocation._may
    return planted((allocation, "_may", lambda state, now_ms: replace(may(state, now_ms), expire=False)))


def kits_not_told() -> Any:
    """A change of a component is not told for the kits that it is in."""
    read = offers.read_entry
    return planted((offers, "read_entry", lambda tables, sku: replace(read(tables, sku), kits=())))


def wait_without_deadline() -> Any:
    """An unpaid order is looked at when somebody pays, and never else."""
    deadline = moves.deadline_ms

    def forgetful(order: Order, where: str, since_ms: int, now_ms: int) -> int:
        return 0 if where == "funding" else deadline(order, where, since_ms, now_ms)

    return planted((moves, "deadline_ms", forgetful))


def buyer_in_the_log() -> Any:
    """The log tells what came in."""
    enter = entry_stage.decide_entry

    def telling(order: Any, fact: Any, *args: Any) -> Any:
        entry_stage.log("entering", buyer=fact.contact.name)
        return enter(order, fact, *args)

    return planted((entry_stage, "decide_entry", telling))


PLANTS = (
    order_id_not_derived,
    fact_applied_twice,
    older_fact_wins,
    write_without_version,
    check_then_write_apart,
    stock_pushed_as_delta,
    price_acknowledged_unseen,
    send_after_commit,
    kit_components_not_summed,
    refund_without_key,
    uncancel_without_reserve,
    hold_ignored_at_release,
    cancelled_under_way_unseen,
    late_failure_lowers_paid,
    cursor_from_the_clock,
    batch_returns_none,
    leak_on_cancel,
    message_lost_by_the_relay,
    stream_batch_counted_twice,
    shipment_without_key,
    reservation_never_ends,
    kits_not_told,
    wait_without_deadline,
    buyer_in_the_log,
    *MARKET_PLANTS,
    *TILL_PLANTS,
    *LABEL_PLANTS,
    *WOO_PLANTS,
)
MUTANTS: dict[str, Plant] = {plant.__name__: plant for plant in PLANTS}


def caught(plant: Plant, seeds: Iterable[int] = range(MOST_SEEDS)) -> Catch | None:
    """The first seed that sees the bug; None when all are blind to it."""
    for seed in seeds:
        with plant():
            try:
                wrong = Story(seed).run()
            except AssertionError as error:
                wrong = [f"assertion: {error}"]
        if wrong:
            return Catch(seed, wrong[0])
    return None
