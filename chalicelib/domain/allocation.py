"""Which units are promised to which order: pure, for one order against what is available now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import RESERVE_MS, cancel_open, is_funded, locked_locations
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Order, OrderLine, Quantities, State, total_units
from chalicelib.domain.sourcing import Available, Need, Sourcing, ranked
from chalicelib.domain.stock import StockMove, merged


@dataclass(frozen=True)
class AllocationPlan:
    """The order afterwards, the stock moves that go with it, and the units of each SKU it waits for (0: none).

    `more`: the order touches more SKUs than one plan may; decide again when this one is written.
    """

    order: Order
    moves: list[StockMove]
    backorders: Mapping[str, int]
    more: bool = False


@dataclass(frozen=True)
class _May:
    """What may be done for an order now: promise units, let them wait for stock, take unpaid promises back."""

    promise: bool
    wait: bool
    expire: bool
    now_ms: int


def decide_allocation(
    order: Order, available: Available, sourcing: Sourcing, now_ms: int, max_skus: int
) -> AllocationPlan | None:
    """Take back what was called off, then promise what can be promised; None when nothing would change.

    An order that is not funded yet gets a reservation, once, for `RESERVE_MS`. At most `max_skus` SKUs are touched; a
    larger order needs further plans. `available` is lowered (or raised) by what the plan takes, so that the next order
    of a batch is decided on what is left.
    """
    may = _may(order.state, now_ms)
    places, why = _places(order, available, sourcing) if may.promise else ([], {})
    locked = locked_locations(order.state)
    touched: set[str] = set()
    more = False
    moves: list[StockMove] = []
    quantities = list(order.state.quantities)
    for index, line in enumerate(order.lines):
        skus = {sku for sku, _ in line.parts}
        if len(touched | skus) > max(max_skus, len(skus)):
            more = True
            continue
        after, own_moves = _line(line, quantities[index], available, places, locked, may)
        if after != quantities[index]:
            touched |= skus
            quantities[index] = after
            moves += own_moves
    wake_ms = _wake_ms(order, quantities, now_ms)
    reserved = may.promise and not may.wait and not more
    if not touched and wake_ms == order.state.wake_ms and not reserved:
        return None
    state = order.state
    after_order = order.having(
        quantities=tuple(quantities),
        wake_ms=wake_ms,
        sourcing=_explained(why, state, quantities) if may.promise else state.sourcing,
        reserved_until_ms=now_ms + RESERVE_MS if reserved else state.reserved_until_ms,
    )
    backorders = _backorders(order, quantities, touched)
    cause = _words(state.quantities, quantities)
    after_order = moved(order, after_order, _move(may), now_ms=now_ms, cause=cause)
    return AllocationPlan(after_order, merged(moves), backorders, more)


def decide_substitution(order: Order, line_id: str, sku: Sku, actor: str, now_ms: int) -> AllocationPlan | None:
    """From now on `sku` is what is sent for this line; None when it is already. Nothing of it
    may be promised or gone."""
    assert order.content
    index = next((i for i, line in enumerate(order.lines) if line.line_id == line_id), -1)
    if index < 0:
        raise Refused("unknown_line", f"{order.order_id} has no line {line_id!r}")
    line, units = order.lines[index], order.state.quantities[index]
    if line.sku == sku.sku:
        return None
    if units.allocated or units.shipped:
        raise Refused(
            "already_promised", f"line {line_id!r}: {units.allocated + units.shipped} units are promised or gone"
        )
    quantities = list(order.state.quantities)
    quantities[index] = cancel_open(replace(units, backordered=0))
    lines = list(order.lines)
    lines[index] = replace(line, sku=sku.sku, components=sku.components, release_ms=sku.release_ms)
    after = replace(order.having(quantities=tuple(quantities)), content=replace(order.content, lines=tuple(lines)))
    cause = f"{line.sku} by {sku.sku} on line {line_id}"
    after = moved(order, after, "substitute", now_ms=now_ms, actor=actor, cause=cause)
    return AllocationPlan(after, [], _backorders(order, quantities, {part for part, _ in line.parts}))


def _may(state: State, now_ms: int) -> _May:
    funded = is_funded(state)
    unheld = not state.holds
    return _May(
        promise=unheld and (funded or not state.reserved_until_ms),
        wait=unheld and funded,
        expire=not funded and 0 < state.reserved_until_ms <= now_ms and any(u.allocations for u in state.quantities),
        now_ms=now_ms,
    )


def _move(may: _May) -> str:
    if may.wait:
        return "allocate"
    if may.promise:
        return "reserve"
    return "expire" if may.expire else "release"


def _places(order: Order, available: Available, sourcing: Sourcing) -> tuple[list[str], dict[str, str]]:
    """The locations to ask in order, and why each stands where it does."""
    refused = {place for place, word in order.state.fulfilment.items() if word == "rejected"}
    if len(sourcing.locations) == 1:
        return [place for place in sourcing.locations if place not in refused], {}
    units: Counter[str] = Counter()
    for line, ledger in zip(order.lines, order.state.quantities, strict=True):
        for sku, each in line.parts if line.ships else ():
            units[sku] += each * (ledger.open + ledger.backordered)
    region = order.content.region if order.content else ""
    found = ranked(sourcing, Need(+units, region), available)
    why = {place: "rejected the order" if place in refused else reason for place, reason in found}
    return [place for place, _ in found if place not in refused], why


def _explained(why: Mapping[str, str], state: State, after: Sequence[Quantities]) -> dict[str, str]:
    """Why each location was chosen or passed over, in words; nothing to tell where there is only one."""
    chosen: Counter[str] = Counter()
    for was, now in zip(state.quantities, after, strict=True):
        chosen.update({place: n - was.allocations.get(place, 0) for place, n in now.allocations.items()})
    told = {place: f"{reason}: {chosen[place] or 'no'} units" for place, reason in why.items()}
    return told if +chosen or not state.sourcing else dict(state.sourcing)


def _line(
    line: OrderLine,
    units: Quantities,
    available: Available,
    places: Sequence[str],
    locked: frozenset[str],
    may: _May,
) -> tuple[Quantities, list[StockMove]]:
    moves: list[StockMove] = []
    waiting = max(min(units.to_cancel, units.backordered), 0)
    units = replace(units, cancelled=units.cancelled + waiting, backordered=units.backordered - waiting)
    let_go = may.expire or (may.wait and not line.ships)
    free = units.allocated if let_go else max(units.to_cancel, 0)
    for place, promised in sorted(units.allocations.items()):
        taken = min(promised, free) if place not in locked else 0
        if taken:
            free -= taken
            units = _take(line, units, place, -taken, available, moves)
    units = replace(units, cancelled=units.cancelled + max(min(units.to_cancel, units.open), 0))
    if not line.ships and may.wait:
        return replace(units, shipped=units.shipped + units.open + units.backordered, backordered=0), moves
    if not may.promise or not line.ships or not line.sku:
        return units, moves
    if may.wait:  # a reservation takes nothing from those who wait in line
        units = replace(units, backordered=0)
    wanted = units.open
    for place in places if line.release_ms <= may.now_ms else ():
        given = min(wanted, *(max(available.get(sku, {}).get(place, 0), 0) // each for sku, each in line.parts))
        if given:
            wanted -= given
            units = _take(line, units, place, given, available, moves)
    return replace(units, backordered=wanted) if may.wait else units, moves


def _take(
    line: OrderLine, units: Quantities, place: str, change: int, available: Available, moves: list[StockMove]
) -> Quantities:
    """`change` more (or fewer) units of the line promised at `place`, with the stock of all its parts."""
    for sku, each in line.parts:
        free = available.setdefault(sku, {})
        free[place] = free.get(place, 0) - change * each
        moves.append(StockMove(sku, place, allocated=change * each))
    allocations = {**units.allocations, place: units.allocations.get(place, 0) + change}
    return replace(units, allocations={where: n for where, n in allocations.items() if n})


def _wake_ms(order: Order, quantities: Sequence[Quantities], now_ms: int) -> int:
    """When the next pre-ordered line may be promised stock; 0 for none."""
    releases = [
        line.release_ms
        for line, units in zip(order.lines, quantities, strict=True)
        if line.release_ms > now_ms and units.backordered
    ]
    return min(releases, default=0)


def _backorders(order: Order, after: Sequence[Quantities], touched: set[str]) -> dict[str, int]:
    """Units that the order waits for of each touched SKU, where they differ from before."""
    was: Counter[str] = Counter()
    now: Counter[str] = Counter()
    for line, old, new in zip(order.lines, order.state.quantities, after, strict=True):
        for sku, each in line.parts:
            was[sku] += each * old.backordered
            now[sku] += each * new.backordered
    return {sku: now[sku] for sku in sorted(touched) if was[sku] != now[sku]}


def _words(before: tuple[Quantities, ...], after: Sequence[Quantities]) -> str:
    places: Counter[str] = Counter()
    for was, now in zip(before, after, strict=True):
        for place in {*was.allocations, *now.allocations}:
            places[place] += now.allocations.get(place, 0) - was.allocations.get(place, 0)
    words = [f"{units:+d} at {place}" for place, units in sorted(places.items()) if units]
    backordered = total_units(after)["backordered"]
    return ", ".join([*words, *([f"{backordered} backordered"] if backordered else [])])
