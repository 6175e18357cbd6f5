"""Reconciliation of stock with orders, once a day: a promise whose order is finished is found, released and reported.

Orders and stock move in one transaction, so there should be nothing to find. What there is would stay for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.domain.errors import Stale
from chalicelib.domain.stock import Place, Stock, StockMove, promises
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.explain import HOLDING_STAGES, holding_order_ids
from chalicelib.store.listings import list_skus
from chalicelib.store.orders import read_orders
from chalicelib.store.stock import read_stock, stock_writes

blueprint = Blueprint(__name__)

_PAGE = 100
_BUDGET_MS = 240_000  # of the function's 300 s
_SETTLED_MS = 15 * 60_000  # a record that has just changed is left alone: the index of open orders may lag behind it


@blueprint.schedule(Rate(24, unit=Rate.HOURS), name="reconcile")
@on_schedule(lambda runtime: reconcile_stock(runtime))
def reconcile(event: Any) -> None:
    """Lambda."""


def reconcile_stock(runtime: Runtime) -> None:
    """Compare every stock record with what the open orders are promised, and release what no order is.

    A record is corrected only when it has not changed since before the orders were read. What orders are promised
    beyond the record is reported (`allocation_missing`) and left to a person.
    """
    deadline_ms = runtime.clock() + _BUDGET_MS
    released = missing = 0
    try:
        before = {_place(stock): stock for page in _pages(runtime, deadline_ms) for stock in page}
        promised = _promised(runtime, deadline_ms)
        for page in _pages(runtime, deadline_ms):
            for stock in page:
                if _unchanged(stock, before.get(_place(stock)), runtime.clock()):
                    surplus = stock.allocated - promised[_place(stock)]
                    released += _release(stock, surplus, runtime) if surplus > 0 else 0
                    missing += _report_missing(stock, -surplus) if surplus < 0 else 0
    except _OutOfTime:
        log("reconcile_unfinished", leaks_released=released, allocations_missing=missing)
        return
    log("reconciled", records=len(before), leaks_released=released, allocations_missing=missing)


class _OutOfTime(Exception):
    """The function would be stopped soon; what was corrected stays so, and tomorrow is another day."""


def _place(stock: Stock) -> Place:
    return stock.sku, stock.location


def _pages(runtime: Runtime, deadline_ms: int) -> Iterator[list[Stock]]:
    """The records of all SKUs, a page of SKUs at a time."""
    locations = read_locations(runtime.tables)
    cursor, more = "", True
    while more:
        _check_time(runtime, deadline_ms)
        skus, cursor = list_skus(runtime.tables, _PAGE, cursor)
        yield [stock for places in read_stock(runtime.tables, skus, locations).values() for stock in places]
        more = bool(cursor)


def _promised(runtime: Runtime, deadline_ms: int) -> Counter[Place]:
    """What all open orders are promised. An order that moves from stage to stage meanwhile could be missed on one way
    through the stages, so the ids are gathered both ways; then each order is read once, by its id."""
    order_ids: dict[str, None] = {}
    for stage in (*HOLDING_STAGES, *reversed(HOLDING_STAGES)):
        for page in holding_order_ids(runtime.tables, stage):
            _check_time(runtime, deadline_ms)
            order_ids.update(dict.fromkeys(page))
    units: Counter[Place] = Counter()
    for some in _some(order_ids):
        _check_time(runtime, deadline_ms)
        for order in read_orders(runtime.tables, some, content=True).values():
            units.update(promises(order))
    return units


def _some(order_ids: Iterable[str]) -> Iterator[list[str]]:
    left = iter(order_ids)
    while page := list(islice(left, _PAGE)):
        yield page


def _check_time(runtime: Runtime, deadline_ms: int) -> None:
    if runtime.clock() > deadline_ms:
        raise _OutOfTime


def _unchanged(now: Stock, before: Stock | None, now_ms: int) -> bool:
    return before is not None and now.version == before.version and now.changed_ms <= now_ms - _SETTLED_MS


def _release(stock: Stock, units: int, runtime: Runtime) -> int:
    """Give back what no order is promised; 1 when it was done."""
    moves = [StockMove(stock.sku, stock.location, allocated=-units)]
    with suppress(Stale):  # somebody moved it just now: it is looked at again tomorrow
        runtime.tables.write(*stock_writes(moves, runtime.clock(), {_place(stock): stock.version}))
        log("leak_released", sku=stock.sku, location=stock.location, units=units)
        return 1
    return 0


def _report_missing(stock: Stock, units: int) -> int:
    log("allocation_missing", sku=stock.sku, location=stock.location, units=units)
    return 1
