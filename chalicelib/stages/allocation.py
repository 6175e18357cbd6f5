"""Allocation: promise stock to funded orders and take back what was called off. The only stage that promises.

Orders of one batch are decided together and written in as few transactions as fit, so that a SKU that many orders want
is written once for all of them.

Messages: {order} = look at it; {sku} = stock has come in, serve who is due first; {order, do, …} = a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.allocation import AllocationPlan, decide_allocation
from chalicelib.domain.errors import Busy, Stale
from chalicelib.domain.lifecycle import promised_ms, waits_for_stock
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Available, Sourcing
from chalicelib.domain.stock import merged
from chalicelib.runtime.batch import Delivery, each, failed, put_back_together
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages.turns import do
from chalicelib.store.accounts import read_sourcing
from chalicelib.store.orders import order_writes, read_orders
from chalicelib.store.stock import backorder_writes, backorders, read_stock, stock_writes
from chalicelib.store.tables import MAX_ACTIONS, Write

blueprint = Blueprint(__name__)

_ROUNDS = 60  # a round decides every order of the batch once; very large orders need one for each chunk
_STALE_ROUNDS = 8

Decided = tuple[Order, AllocationPlan]


@blueprint.on_sqs_message(queue_arn=queue_arn("allocation"), batch_size=100, name="allocation")
@from_sqs(lambda batch, runtime: work(batch, runtime))
def allocation(event: Any) -> None:
    """Lambda."""


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Do what is asked, then allocate the orders of the batch together; ids of the messages that must come again."""
    asked = [delivery for delivery in batch if "do" in delivery.body]
    again = each("allocation", _do, asked, runtime) if asked else []
    looks = [delivery for delivery in batch if "do" not in delivery.body]
    return again + (_look(looks, runtime) if looks else [])


def _do(message: Message, runtime: Runtime) -> None:
    do(message, runtime)


def _look(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    try:
        sourcing = runtime.settled("sourcing", lambda: read_sourcing(runtime.tables))
        tried, unfinished = _serve(batch, sourcing, runtime)
    except Busy as busy:
        return _put_back(batch, busy, runtime)
    except Exception as error:  # noqa: BLE001 one order that cannot be written must not stop the others
        if len(batch) > 1:
            return [message_id for delivery in batch for message_id in _look([delivery], runtime)]
        failed("allocation", batch[0], error)
        return [batch[0].message_id]
    return [message_id for message_id, order_ids in tried.items() if unfinished & order_ids]


def _put_back(batch: Sequence[Delivery], busy: Busy, runtime: Runtime) -> list[str]:
    """All looks together, each once however often the batch had it: a queue that doubles what it is given would else
    fill up while a table is throttled."""
    looks = {(d.body.get("order"), d.body.get("sku")): d.body for d in batch}
    is_back = put_back_together("allocation", [(body, busy) for body in looks.values()], runtime)
    done = dict(zip(looks, is_back, strict=True))
    return [d.message_id for d in batch if not done[d.body.get("order"), d.body.get("sku")]]


def _serve(batch: Sequence[Delivery], sourcing: Sourcing, runtime: Runtime) -> tuple[dict[str, set[str]], set[str]]:
    """The orders that were looked at for each message, and those that lost too many races. Who is due first may be
    unable to take what is free (a kit that lacks another part, a pre-order): then twice as many are asked."""
    tried: dict[str, set[str]] = {delivery.message_id: set() for delivery in batch}
    unfinished: set[str] = set()
    appetite = 1
    while True:
        wanted = {d.message_id: _order_ids(d, tried[d.message_id], appetite, sourcing, runtime) for d in batch}
        order_ids = {order_id for ids in wanted.values() for order_id in ids}
        if not order_ids:
            return tried, unfinished
        unfinished |= _allocate(order_ids, sourcing, runtime)
        tried = {message_id: ids | wanted[message_id] for message_id, ids in tried.items()}
        appetite *= 2


def _order_ids(delivery: Delivery, tried: set[str], appetite: int, sourcing: Sourcing, runtime: Runtime) -> set[str]:
    """The order to look at; for a SKU those that are due first, as many as `appetite` times what is free could serve in
    part. Orders on hold take nothing and so stand in nobody's way."""
    if "order" in delivery.body:
        return {delivery.body["order"]} - tried
    sku = delivery.body["sku"]
    places = read_stock(runtime.tables, [sku], sourcing.locations)[sku]
    free = appetite * sum(max(stock.available, 0) for stock in places)
    chosen: set[str] = set()
    for page in backorders(runtime.tables, sku) if free > 0 else ():
        fresh = [entry for entry in page if entry[0] not in tried]
        orders = read_orders(runtime.tables, [order_id for order_id, _ in fresh])
        for order_id, units in fresh:
            if free > 0 and order_id in orders and waits_for_stock(orders[order_id]):
                chosen.add(order_id)
                free -= units
        if free <= 0:
            break
    return chosen


def _allocate(order_ids: set[str], sourcing: Sourcing, runtime: Runtime) -> set[str]:
    """Decide and commit until every order has all it can have; what lost too many races is returned."""
    together, lost = True, 0
    for _ in range(_ROUNDS):
        decided = _decide(order_ids, sourcing, runtime)
        order_ids = {order.order_id for order, plan in decided if plan.more}
        for group in _groups(decided) if together else ([one] for one in decided):
            try:
                runtime.tables.write(*_writes(group, runtime.clock()))
            except Stale:  # somebody else moved an order or took the stock: read again, and go on one by one
                order_ids |= {order.order_id for order, _ in group}
                together, lost = False, lost + 1
        if not order_ids or lost >= _STALE_ROUNDS:
            break
    return order_ids


def _decide(order_ids: Iterable[str], sourcing: Sourcing, runtime: Runtime) -> list[Decided]:
    """A plan for each order that can change, first due first served."""
    orders = read_orders(runtime.tables, sorted(order_ids), content=True)
    queue = sorted(orders.values(), key=lambda order: (promised_ms(order.state), order.order_id))
    skus = {sku for order in queue for line in order.lines for sku, _ in line.parts if sku}
    stock = read_stock(runtime.tables, sorted(skus), sourcing.locations)
    available: Available = {sku: {s.location: s.available for s in places} for sku, places in stock.items()}
    max_skus = (MAX_ACTIONS - 1) // (len(sourcing.locations) + 1)
    now_ms = runtime.clock()
    plans = ((order, decide_allocation(order, available, sourcing, now_ms, max_skus)) for order in queue)
    return [(order, plan) for order, plan in plans if plan]


def _groups(decided: Sequence[Decided]) -> list[list[Decided]]:
    """Plans that fit into one transaction together, in order."""
    groups: list[list[Decided]] = []
    own, stock = 0, set[tuple[str, str]]()
    for order, plan in decided:
        places = {(move.sku, move.location) for move in plan.moves}
        actions = 1 + len(plan.backorders)
        if not groups or own + actions + len(stock | places) > MAX_ACTIONS:
            groups.append([])
            own, stock = 0, set()
        groups[-1].append((order, plan))
        own, stock = own + actions, stock | places
    return groups


def _writes(group: Sequence[Decided], now_ms: int) -> list[Write]:
    writes: list[Write] = []
    for before, plan in group:
        writes += order_writes(before, plan.order)
        writes += backorder_writes(plan.order, plan.backorders)
    return writes + stock_writes(merged(move for _, plan in group for move in plan.moves), now_ms)
