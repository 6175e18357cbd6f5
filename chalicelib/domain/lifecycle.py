"""Where an order stands: stage, status, deadline and the work that is due, all derived from quantities and money."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.orders import Happening, Order, Quantities, State, collectible_minor, total_units

STAGES = ("entry", "funding", "allocation", "shipping", "settlement", "settled", "cancelled")
CLOSED = ("settled", "cancelled")

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

# How long an order may stay in a stage before the sweep looks at it.
ALLOWANCE_MS = {
    "entry": 15 * _MINUTE_MS,
    "funding": _DAY_MS,
    "allocation": 6 * _HOUR_MS,
    "shipping": 2 * _DAY_MS,
    "settlement": 16 * _DAY_MS,  # Amazon disburses every 14 days, Shopify and eBay sooner
}


def is_funded(state: State) -> bool:
    """The money is sure enough to ship. An order that costs nothing needs none, unless its price is yet to be told."""
    return state.secured_minor >= state.total_minor and not state.payment.awaited


def securable_minor(state: State) -> int:
    """The money that the channel's word is good for: vouched, captured, or authorised and not lapsed."""
    payment = state.payment
    if payment.vouched:
        return max(state.total_minor, 0)
    authorised = 0 if payment.lapsed else payment.authorised_minor
    return min(max(payment.captured_minor, authorised), max(state.total_minor, 0))


def outstanding_minor(state: State) -> int:
    """Money collected from the buyer that neither a payout nor a refund has accounted for yet."""
    return collectible_minor(state) - state.payment.refunded_minor - state.settled_minor


def stage(order: Order) -> str:
    """One of `STAGES`; a pure function of holds, money and quantities."""
    state = order.state
    units = total_units(state.quantities)
    moving = units["open"] + units["backordered"] + units["allocated"]
    if moving:
        if state.holds and not units["allocated"]:
            return "entry"
        if not is_funded(state):
            return "funding"
        return "allocation" if units["open"] + units["backordered"] or _to_release(state) else "shipping"
    if state.holds and not units["shipped"]:
        return "entry"
    if not units["shipped"] and state.quantities:
        return "settlement" if outstanding_minor(state) > 0 else "cancelled"
    if not is_funded(state):
        return "funding"
    return "settlement" if outstanding_minor(state) > 0 else "settled"


def status(order: Order) -> str:
    """The one word that people read."""
    units = total_units(order.state.quantities)
    where = stage(order)
    if order.state.holds and where not in CLOSED:
        return "on_hold"
    if units["ordered"] and units["cancelled"] == units["ordered"]:
        return "cancelled"
    if where == "funding":
        return "awaiting_funds"
    if where in ("allocation", "shipping"):
        return _fulfilment_status(units)
    if units["shipped"] and units["returned"] == units["shipped"]:
        return "returned"
    return {"settlement": "shipped", "entry": "entered"}.get(where, where)


def _fulfilment_status(units: dict[str, int]) -> str:
    if units["shipped"]:
        return "partially_shipped"
    if units["backordered"]:
        return "partially_allocated" if units["allocated"] else "backordered"
    return "allocated" if units["allocated"] and not units["open"] else "funded"


def work_due(order: Order) -> str:
    """The stage whose handler can advance this order now; "" while it waits for the outside.

    Units that were called off are taken back even from an order on hold.
    """
    state = order.state
    if _to_release(state):
        return "allocation"
    if state.holds:
        return ""
    if state.secured_minor != securable_minor(state):
        return "funding"
    if is_funded(state) and any(units.open for units in state.quantities):
        return "allocation"
    return ""


def waits_for_stock(order: Order) -> bool:
    """Whether stock that comes in may be given to this order."""
    state = order.state
    return is_funded(state) and not state.holds and any(units.backordered for units in state.quantities)


def unconfirmed_shipments(order: Order) -> tuple[str, ...]:
    """Shipments of which the selling channel has not acknowledged a confirmation yet."""
    return tuple(s.shipment_id for s in order.state.shipments if not s.confirmed_ms)


def _to_release(state: State) -> bool:
    return any(units.to_cancel > 0 for units in state.quantities)


def moved(before: Order | None, after: Order, *, now_ms: int, actor: str, what: str) -> Order:
    """`after` as the next version: clock of the stage, deadline and one line of timeline added."""
    was = stage(before) if before else ""
    now = stage(after)
    since = after.state.since_ms if was == now else now_ms
    state = replace(
        after.state,
        version=after.state.version + 1,
        since_ms=since,
        due_ms=since + ALLOWANCE_MS[now] if now in ALLOWANCE_MS else 0,
        timeline=(*after.state.timeline, Happening(now_ms, actor, what, was, now)),
    )
    return replace(after, state=state)


def cancel_open(units: Quantities) -> Quantities:
    """Called-off units that nobody has looked at yet leave the work at once; allocation takes back all others."""
    return replace(units, cancelled=units.cancelled + max(min(units.to_cancel, units.open), 0))
