"""Which units are promised to which order: pure, for one order against what is available now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.lifecycle import is_funded, moved
from chalicelib.domain.orders import Order, OrderLine, Quantities
from chalicelib.domain.stock import StockMove, merged

Available = dict[str, dict[str, int]]  # SKU -> location -> units that may be promised; best location first


@dataclass(frozen=True)
class AllocationPlan:
    """The order afterwards, the stock moves that go with it, and its backordered units by SKU (0: no longer).

    `more`: the order touches more SKUs than one plan may; decide again when this one is written.
    """

    order: Order
    moves: list[StockMove]
    backorders: Mapping[str, int]
    more: bool

    @property
    def actions(self) -> int:
        """How many items a transaction of this plan writes."""
        return 1 + len(self.moves) + len(self.backorders)


def decide_allocation(order: Order, available: Available, now_ms: int, max_skus: int) -> AllocationPlan | None:
    """Take back what was called off, then promise what can be promised; None when nothing would change.

    At most `max_skus` SKUs are touched; a larger order needs further plans. `available` is lowered (or raised) by what
    the plan takes, so that the next order of a batch is decided on what is left.
    """
    may_promise = is_funded(order.state) and not order.state.holds
    touched: set[str] = set()
    more = False
    moves: list[StockMove] = []
    quantities = list(order.state.quantities)
    for index, line in enumerate(order.lines):
        if line.sku not in touched and len(touched) >= max_skus:
            more = True
            continue
        after, own_moves = _line(line, quantities[index], available, may_promise)
        if after != quantities[index]:
            touched.add(line.sku)
            quantities[index] = after
            moves += own_moves
    if not touched:
        return None
    backorders = _backorders(order, quantities, touched)
    after_order = order.having(quantities=tuple(quantities))
    what = _words(order.state.quantities, quantities)
    after_order = moved(order, after_order, now_ms=now_ms, actor="allocation", what=what)
    return AllocationPlan(after_order, merged(moves), backorders, more)


def _line(
    line: OrderLine, units: Quantities, available: Available, may_promise: bool
) -> tuple[Quantities, list[StockMove]]:
    moves = []
    places = available.setdefault(line.sku, {})
    waiting = max(min(units.to_cancel, units.backordered), 0)
    units = replace(units, cancelled=units.cancelled + waiting, backordered=units.backordered - waiting)
    while units.to_cancel > 0 and units.allocations:
        place, promised = next(iter(sorted(units.allocations.items())))
        taken = min(promised, units.to_cancel)
        moves.append(StockMove(line.sku, place, allocated=-taken))
        places[place] = places.get(place, 0) + taken
        units = replace(_with(units, place, -taken), cancelled=units.cancelled + taken)
    if not may_promise or (line.ships and not line.sku):
        return units, moves
    if not line.ships:
        return replace(units, shipped=units.shipped + units.open), moves
    wanted = units.open + units.backordered
    units = replace(units, backordered=0)
    for place, free in places.items():
        given = min(wanted, max(free, 0))
        if given:
            wanted -= given
            places[place] -= given
            moves.append(StockMove(line.sku, place, allocated=given))
            units = _with(units, place, given)
    return replace(units, backordered=wanted), moves


def _with(units: Quantities, place: str, change: int) -> Quantities:
    allocations = {**units.allocations, place: units.allocations.get(place, 0) + change}
    return replace(units, allocations={where: n for where, n in allocations.items() if n})


def _backorders(order: Order, after: list[Quantities], touched: set[str]) -> dict[str, int]:
    """Backordered units of each touched SKU, where they differ from before."""
    totals: dict[str, tuple[int, int]] = {}
    for line, was, now in zip(order.lines, order.state.quantities, after, strict=True):
        if line.sku in touched:
            before_units, after_units = totals.get(line.sku, (0, 0))
            totals[line.sku] = (before_units + was.backordered, after_units + now.backordered)
    return {sku: now for sku, (was, now) in totals.items() if was != now}


def _words(before: tuple[Quantities, ...], after: list[Quantities]) -> str:
    allocated = sum(b.allocated - a.allocated for a, b in zip(before, after, strict=True))
    backordered = sum(b.backordered for b in after)
    words = f"allocated {allocated}" if allocated >= 0 else f"released {-allocated}"
    return f"{words}, {backordered} backordered" if backordered else words
