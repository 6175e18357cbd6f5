"""The decisions of funding, shipping and settlement: each takes an order and a fact and says what follows, or None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import moved, securable_minor
from chalicelib.domain.orders import Hold, Order, Quantities, Shipment
from chalicelib.domain.stock import StockMove

CONFIRMATION_REFUSED = "confirmation_refused"  # hold: the selling channel will not take a parcel


def decide_funding(order: Order, now_ms: int) -> Order | None:
    """Secure the money that the channel's word is good for; None when that is already so."""
    secured = securable_minor(order.state)
    if secured == order.state.secured_minor:
        return None
    what = f"secured {secured} of {order.state.total_minor}"
    return moved(order, order.having(secured_minor=secured), now_ms=now_ms, actor="funding", what=what)


def decide_shipment(order: Order, shipment: Shipment, now_ms: int) -> tuple[Order, list[StockMove]] | None:
    """Units leave their location. None when this shipment is known; `Refused` when it ships what is not allocated."""
    if any(known.shipment_id == shipment.shipment_id for known in order.state.shipments):
        return None
    quantities = list(order.state.quantities)
    moves = []
    for index, units in shipment.items.items():
        quantities[index] = _shipped(order, quantities[index], index, units, shipment.location)
        moves.append(StockMove(order.lines[index].sku, shipment.location, on_hand=-units, allocated=-units))
    after = order.having(quantities=tuple(quantities), shipments=(*order.state.shipments, shipment))
    what = f"shipped {sum(shipment.items.values())} units as {shipment.shipment_id}"
    return moved(order, after, now_ms=now_ms, actor="shipping", what=what), moves


def _shipped(order: Order, line: Quantities, index: int, units: int, location: str) -> Quantities:
    promised = line.allocations.get(location, 0)
    if not 0 < units <= promised:
        raise Refused(
            "not_allocated",
            f"line {order.lines[index].line_id}: {units} units shipped from {location!r}, {promised} allocated",
        )
    left = {place: n - (units if place == location else 0) for place, n in line.allocations.items()}
    return replace(line, allocations={place: n for place, n in left.items() if n}, shipped=line.shipped + units)


def decide_confirmation(order: Order, shipment_ids: frozenset[str], now_ms: int) -> Order | None:
    """The selling channel has acknowledged these shipments."""
    shipments = tuple(
        replace(s, confirmed_ms=now_ms) if s.shipment_id in shipment_ids and not s.confirmed_ms else s
        for s in order.state.shipments
    )
    if shipments == order.state.shipments:
        return None
    holds = tuple(hold for hold in order.state.holds if hold.reason != CONFIRMATION_REFUSED)
    what = f"{order.channel} acknowledged {', '.join(sorted(shipment_ids))}"
    return moved(order, order.having(shipments=shipments, holds=holds), now_ms=now_ms, actor="sync", what=what)


def decide_return(
    order: Order, return_id: str, items: Mapping[int, int], location: str, now_ms: int
) -> tuple[Order, list[StockMove]] | None:
    """Shipped units come back and are restocked at `location`. None when this return is known."""
    if return_id in order.state.returns:
        return None
    quantities = list(order.state.quantities)
    for index, units in items.items():
        line = quantities[index]
        if not 0 < units <= line.shipped - line.returned:
            raise Refused(
                "not_shipped", f"{order.order_id}: {units} units returned of {line.shipped - line.returned} still out"
            )
        quantities[index] = replace(line, returned=line.returned + units)
    moves = [StockMove(order.lines[i].sku, location, on_hand=n) for i, n in items.items() if order.lines[i].sku]
    after = order.having(quantities=tuple(quantities), returns={**order.state.returns, return_id: dict(items)})
    what = f"returned {sum(items.values())} units as {return_id}"
    return moved(order, after, now_ms=now_ms, actor="shipping", what=what), moves


@dataclass(frozen=True)
class PayoutLine:
    """One amount of one kind in a payout: `sale` and `refund` are gross, `fee` is what the channel kept.

    Key: (payout_id, line_id). `amount_minor` is signed from the seller's side: sale +, refund -, fee -.
    """

    channel: str
    payout_id: str
    line_id: str
    order_id: str
    kind: str
    amount_minor: int
    currency: str
    paid_ms: int


def decide_settlement(order: Order, line: PayoutLine, now_ms: int) -> Order:
    """The order after a payout line; the caller applies each line once (its ledger entry is written beside it)."""
    state = order.state
    if line.kind in ("sale", "refund"):
        after = order.having(settled_minor=state.settled_minor + line.amount_minor)
    else:
        after = order.having(fees_minor=state.fees_minor - line.amount_minor)
    what = f"{line.kind} {line.amount_minor} in payout {line.payout_id}"
    return moved(order, after, now_ms=now_ms, actor="settlement", what=what)


def decide_hold(order: Order, reason: str, detail: str, owner: str, now_ms: int) -> Order | None:
    """Hold the order until somebody resolves `reason`; None when it is held for that already."""
    if any(hold.reason == reason for hold in order.state.holds):
        return None
    holds = (*order.state.holds, Hold(reason, detail, now_ms, owner))
    return moved(order, order.having(holds=holds), now_ms=now_ms, actor=owner, what=f"held: {reason}")


def decide_release(order: Order, reason: str, actor: str, now_ms: int) -> Order | None:
    """Somebody has resolved a hold; None when there is none of that name. A computed one is back at the next look if
    its cause is still there."""
    holds = tuple(hold for hold in order.state.holds if hold.reason != reason)
    if holds == order.state.holds:
        return None
    return moved(order, order.having(holds=holds), now_ms=now_ms, actor=actor, what=f"hold resolved: {reason}")


def decide_overdue(order: Order, now_ms: int) -> Order | None:
    """An order whose deadline has passed gets a line of timeline and a later deadline, each time twice as far off."""
    state = order.state
    if not state.due_ms or state.due_ms > now_ms:
        return None
    waited_s = (now_ms - state.since_ms) // 1000
    after = moved(order, order, now_ms=now_ms, actor="sweep", what=f"overdue after {waited_s} s")
    return after.having(due_ms=now_ms + max(now_ms - state.since_ms, state.due_ms - state.since_ms))
