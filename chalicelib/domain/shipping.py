"""Decisions of the warehouse: work taken and laid down, parcels gone, goods that come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.customs import CUSTOMS_MISSING
from chalicelib.domain.errors import Refused
from chalicelib.domain.holds import with_late_cancellation
from chalicelib.domain.lifecycle import asked_back, cancel_open, is_funded, told_status
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Order, Quantities, Return, Shipment
from chalicelib.domain.parcels import TrackingEvent, advanced
from chalicelib.domain.stock import StockMove

CONFIRMATION_REFUSED = "confirmation_refused"  # hold: the selling channel will not take a parcel
ADDRESS_UNDELIVERABLE = "address_undeliverable"  # hold: the carrier cannot deliver to the buyer's address
NO_RATE = "no_rate"  # hold: no offer keeps the limits that were set for the label
LABEL_REFUSED = "label_refused"  # hold: the carrier will not sell the label
LABEL_HOLDS = (ADDRESS_UNDELIVERABLE, NO_RATE, LABEL_REFUSED, CUSTOMS_MISSING)

Decided = tuple[Order, list[StockMove]]

ANSWERS = ("accept", "label", "reopen", "yield", "refuse_cancel", "reroute")
RETURN_STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {  # step -> (from, to); "" is a return nobody announced
    "request": (("",), "requested"),
    "approve": (("requested",), "approved"),
    "decline": (("requested", "approved"), "declined"),
    "receive": (("", "requested", "approved"), "received"),
    "inspect": (("", "received"), "inspected"),
}


def decide_shipment(order: Order, shipment: Shipment, now_ms: int) -> Decided | None:
    """Units leave their location. None when this shipment is known; `Refused` when it ships what is not allocated."""
    if any(known.shipment_id == shipment.shipment_id for known in order.state.shipments):
        return None
    quantities = list(order.state.quantities)
    moves = []
    for index, units in shipment.items.items():
        promised = quantities[index].allocations.get(shipment.location, 0)
        if not 0 < units <= promised:
            where = f"line {order.lines[index].line_id}: {units} units shipped from {shipment.location!r}"
            raise Refused("not_allocated", f"{where}, {promised} allocated")
        left = _less(quantities[index], shipment.location, units)
        quantities[index] = replace(left, shipped=left.shipped + units)
        moves += _moves(order, index, shipment.location, on_hand=-units, allocated=-units)
    after = order.having(
        quantities=tuple(quantities),
        shipments=(*order.state.shipments, shipment),
        fulfilment=_still_at_work(order, quantities),
    )
    cause = f"{sum(shipment.items.values())} units as {shipment.shipment_id}"
    return moved(order, with_late_cancellation(after, now_ms), "ship", now_ms=now_ms, cause=cause), moves


def decide_confirmation(order: Order, shipment_ids: frozenset[str], now_ms: int) -> Order | None:
    """The selling channel has acknowledged these shipments."""
    shipments = tuple(
        replace(s, confirmed_ms=now_ms) if s.shipment_id in shipment_ids and not s.confirmed_ms else s
        for s in order.state.shipments
    )
    if shipments == order.state.shipments:
        return None
    holds = tuple(hold for hold in order.state.holds if hold.reason != CONFIRMATION_REFUSED)
    cause = f"{order.channel} has {', '.join(sorted(shipment_ids))}"
    return moved(order, order.having(shipments=shipments, holds=holds), "confirm", now_ms=now_ms, cause=cause)


def may_be_labelled(order: Order) -> bool:
    """Whether a label may be bought: the order is paid, and on hold for nothing but a label that could not be."""
    return is_funded(order.state) and all(hold.reason in LABEL_HOLDS for hold in order.state.holds)


def lacks_units(order: Order, location: str, lines: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any of these units, [{line_id, units}], is not allocated at the location (any more)."""
    places = {line.line_id: units.allocations for line, units in zip(order.lines, order.state.quantities, strict=True)}
    return any(places.get(line["line_id"], {}).get(location, 0) < line["units"] for line in lines)


def has_parcel(order: Order, label_id: str, tracking_number: str) -> bool:
    """Whether the parcel of a label has been recorded: under the label's id, whole or in numbered parts, or by the
    warehouse under an id of its own."""
    return any(
        each.shipment_id.partition("/")[0] == label_id or (tracking_number and each.tracking_number == tracking_number)
        for each in order.state.shipments
    )


def decide_tracking(order: Order, event: TrackingEvent, now_ms: int) -> Order | None:
    """A carrier's report of a parcel, which may be recorded in several parts; None when it brings the parcel no
    further, or the order does not have it (yet). An order that is put away stays so."""
    number = event.tracking_number
    shipments = tuple(_tracked(s, event) if s.tracking_number == number else s for s in order.state.shipments)
    if order.state.archived or not number or shipments == order.state.shipments:
        return None
    after = order.having(shipments=shipments)
    return moved(order, after, "track", now_ms=now_ms, cause=f"{number} {event.status}")


def _tracked(parcel: Shipment, event: TrackingEvent) -> Shipment:
    delivered_ms = parcel.delivered_ms or (event.at_ms if event.status == "delivered" else 0)
    return replace(parcel, tracking=advanced(parcel.tracking, event), delivered_ms=delivered_ms)


def decide_fulfilment(order: Order, location: str, answer: str, actor: str, now_ms: int) -> Decided | None:
    """A location's word on its part of the order, one of `ANSWERS`; None when that is how things stand."""
    moves: list[StockMove] = []
    quantities = list(order.state.quantities)
    fulfilment = dict(order.state.fulfilment)
    word = {"accept": "accepted", "label": "labelled", "reroute": "rejected"}.get(answer, fulfilment.get(location, ""))
    promised = {i: n for i, units in enumerate(quantities) if (n := units.allocations.get(location, 0))}
    if answer == "reopen":
        fulfilment.pop(location, None)
    elif answer in ("accept", "label", "reroute"):
        if word == fulfilment.get(location):
            return None
        _check_promised(order, location, promised, answer)
        fulfilment[location] = word
    if answer in ("yield", "reroute"):
        for index, units in (asked_back(order.state, location) if answer == "yield" else promised).items():
            left = _less(quantities[index], location, units)
            quantities[index] = (
                replace(left, cancelled=left.cancelled + units) if answer == "yield" else cancel_open(left)
            )
            moves += _moves(order, index, location, allocated=-units)
    elif answer == "refuse_cancel":
        for index, units in asked_back(order.state, location).items():
            refused = quantities[index].cancel_refused + units
            quantities[index] = replace(quantities[index], cancel_refused=refused)
    after = order.having(quantities=tuple(quantities), fulfilment=fulfilment)
    after = after.having(fulfilment=_still_at_work(after, quantities))
    if after == order:
        return None
    return moved(order, after, answer, now_ms=now_ms, actor=actor, cause=location), moves


def _check_promised(order: Order, location: str, promised: Mapping[int, int], answer: str) -> None:
    if not promised:
        raise Refused("not_allocated", f"nothing of {order.order_id} is allocated at {location!r}")
    if answer != "reroute" and (order.state.holds or not is_funded(order.state)):
        raise Refused("on_hold", f"{order.order_id} may not be worked on: it is on hold or not paid")


def _still_at_work(order: Order, quantities: list[Quantities]) -> dict[str, str]:
    """Fulfilment orders that still have units, and the locations that will have none."""
    return {
        place: word
        for place, word in order.state.fulfilment.items()
        if word == "rejected" or any(place in units.allocations for units in quantities)
    }


@dataclass(frozen=True)
class ReturnStep:
    """One step of a return, of `RETURN_STEPS`. `items`: units by line index (none: as known); `restock`: of those
    inspected, how many are good to sell again (None: all); `exchange`: see `Return`."""

    return_id: str
    step: str
    items: Mapping[int, int]
    location: str = ""
    restock: Mapping[int, int] | None = None
    exchange: str = ""


def decide_return(order: Order, step: ReturnStep, actor: str, now_ms: int) -> Decided | None:
    """The return one step further; None when it has been there. Received units count as returned; inspected ones that
    are good go back into stock."""
    known = order.state.returns.get(step.return_id)
    froms, to = RETURN_STEPS[step.step]
    was = known.status if known else ""
    if was == to or (known and _order_of(was) > _order_of(to)):
        return None
    if was not in froms:
        raise Refused("bad_step", f"return {step.return_id!r} is {was or 'not known'}: it cannot be {to}")
    back = replace(_announced(known, step), status=to)
    if actor == order.channel:  # it says so itself
        back = replace(back, told=told_status(back))
    quantities = list(order.state.quantities)
    if to in ("received", "inspected") and was != "received":
        for index, units in back.items.items():
            quantities[index] = _returned(order, index, units)
    elif to == "requested":
        for index, units in back.items.items():
            _returned(order, index, units)
    moves: list[StockMove] = []
    if to == "inspected":
        back = replace(back, restocked=_restocked(step, back))
        for index, units in back.restocked.items():
            moves += _moves(order, index, back.location, on_hand=units) if order.lines[index].sku else []
    after = order.having(quantities=tuple(quantities), returns={**order.state.returns, step.return_id: back})
    after = with_late_cancellation(after, now_ms)
    cause = f"{sum(back.items.values())} units as {step.return_id}"
    return moved(order, after, f"{step.step}_return", now_ms=now_ms, actor=actor, cause=cause), moves


def decide_exchanged(order: Order, step: ReturnStep, actor: str, now_ms: int) -> Order | None:
    """Goods that go out for those of a known return were agreed upon after its step was taken; None when there are
    none, or that is known."""
    back = order.state.returns.get(step.return_id)
    if back is None or back.exchange or not step.exchange:
        return None
    returns = {**order.state.returns, step.return_id: replace(back, exchange=step.exchange)}
    cause = f"{step.return_id} for new lines"
    return moved(order, order.having(returns=returns), "exchange", now_ms=now_ms, actor=actor, cause=cause)


def is_early(order: Order, return_id: str, step: str) -> bool:
    """Whether a step is only refused because one before it is not there yet, which may be on its way."""
    known = order.state.returns.get(return_id)
    was = known.status if known else ""
    froms, _ = RETURN_STEPS[step]
    return was not in froms and any(_order_of(status) > _order_of(was) for status in froms)


def decide_return_told(order: Order, return_id: str, now_ms: int) -> Order | None:
    """The channel knows how a return stands; None when it did before."""
    back = order.state.returns.get(return_id)
    if back is None or not back.told or back.told == told_status(back):
        return None
    told = replace(back, told=told_status(back))
    after = order.having(returns={**order.state.returns, return_id: told})
    return moved(order, after, "return_told", now_ms=now_ms, cause=f"{return_id} {told.told}")


def _announced(known: Return | None, step: ReturnStep) -> Return:
    """The return as this step names it; once it has come, what has come is what is inspected."""
    back = known or Return({}, "")
    items = back.items if back.status == "received" else dict(step.items) or back.items
    if not items:
        raise Refused("not_shipped", f"lines: return {step.return_id!r} names nothing that comes back")
    exchange = back.exchange or step.exchange
    return replace(back, items=items, location=step.location or back.location, exchange=exchange)


def _order_of(status: str) -> int:
    return ("", "requested", "approved", "received", "inspected", "declined").index(status)


def _restocked(step: ReturnStep, back: Return) -> dict[int, int]:
    restock = back.items if step.restock is None else step.restock
    for index, units in restock.items():
        if not 0 <= units <= back.items.get(index, 0):
            raise Refused("not_returned", f"restock: {units} of {back.items.get(index, 0)} units that came back")
    return {index: units for index, units in restock.items() if units}


def _returned(order: Order, index: int, units: int) -> Quantities:
    line = order.state.quantities[index]
    if not 0 < units <= line.shipped - line.returned:
        out = line.shipped - line.returned
        raise Refused("not_shipped", f"line {order.lines[index].line_id}: {units} units returned, {out} are still out")
    return replace(line, returned=line.returned + units)


def _less(units: Quantities, place: str, taken: int) -> Quantities:
    left = {where: n - (taken if where == place else 0) for where, n in units.allocations.items()}
    return replace(units, allocations={where: n for where, n in left.items() if n})


def _moves(order: Order, index: int, location: str, *, on_hand: int = 0, allocated: int = 0) -> list[StockMove]:
    parts = order.lines[index].parts
    return [StockMove(sku, location, on_hand=on_hand * each, allocated=allocated * each) for sku, each in parts]
