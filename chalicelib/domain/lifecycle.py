"""Where an order stands: stage, status, deadline and the work that is due, all derived from quantities and money."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.authorisation import (
    HOLDS,
    authorisation_ends_ms,
    authorisation_warns_ms,
    open_authorisation_minor,
    price_minor,
    unsent_captures,
    unsent_void,
    wants_capture,
    wants_void,
)
from chalicelib.domain.orders import Order, Quantities, Return, State, collectible_minor, refunded_minor, total_units

STAGES = ("entry", "funding", "allocation", "shipping", "settlement", "settled", "cancelled")
CLOSED = ("settled", "cancelled")
LOCKED = ("accepted", "labelled")  # a fulfilment order so far on gives units back only if it agrees
RETURN_DONE = ("declined", "inspected")
CANCELLED_AFTER_SHIPPING = "cancelled_after_shipping"  # hold: goods are under way that the channel has called off

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
RESERVE_MS = 30 * _MINUTE_MS  # how long stock is kept for an order whose money is not sure yet
ARCHIVE_AFTER_MS = 180 * _DAY_MS  # card disputes may come for 120 days, marketplace claims for fewer


def is_funded(state: State) -> bool:
    """The money is sure enough to ship. An order that costs nothing needs none, unless its price is yet to be told."""
    return state.secured_minor >= price_minor(state) and not state.payment.awaited


def securable_minor(state: State) -> int:
    """The money that the channel's word is good for: vouched, captured, or authorised and not lapsed."""
    payment = state.payment
    if payment.vouched:
        return max(state.total_minor, 0)
    return min(payment.captured_minor + open_authorisation_minor(state), max(state.total_minor, 0))


def funding(state: State) -> str:
    """The one word for the order's money."""
    payment, back = state.payment, refunded_minor(state)
    if back:
        return "refunded" if back >= collectible_minor(state) else "partly_refunded"
    if payment.vouched:
        return "vouched"
    if payment.captured_minor:
        return "captured" if payment.captured_minor >= price_minor(state) else "partly_captured"
    if payment.lapsed:
        return "expired" if payment.authorised_minor else "failed"
    if payment.authorised_minor:
        return "authorised"
    return "pending" if state.total_minor > 0 or payment.awaited else "free"


def outstanding_minor(state: State) -> int:
    """Money collected from the buyer that no payout, refund or lost dispute has accounted for yet."""
    lost = sum(dispute.amount_minor for dispute in state.disputes.values() if dispute.status == "lost")
    return collectible_minor(state) - refunded_minor(state) - lost - state.settled_minor


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
        return "allocation" if units["open"] + units["backordered"] or to_release(state) else "shipping"
    if state.holds and not units["ordered"] and not state.cancelled:
        return "entry"
    if not units["shipped"] and (units["ordered"] or state.cancelled):
        return "settlement" if _unfinished(state) else "cancelled"
    if not is_funded(state) and not _shipped_in_vain(state):
        return "funding"
    return "settlement" if _unfinished(state) else "settled"


def _unfinished(state: State) -> bool:
    return (
        outstanding_minor(state) > 0
        or _to_capture(state)
        or bool(unsent_captures(state) or unsent_void(state) or wants_void(state))
        or any(hold.reason in (*HOLDS, CANCELLED_AFTER_SHIPPING) for hold in state.holds)
        or bool(unsent_refunds(state))
        or bool(untold_cancellations(state))
        or any(dispute.status == "open" for dispute in state.disputes.values())
        or any(back.status not in RETURN_DONE for back in state.returns.values())
    )


def lost_units(state: State) -> int:
    """Units that are under way although the channel has called off the whole order."""
    return sum(units.shipped - units.returned for units in state.quantities) if _shipped_in_vain(state) else 0


def _shipped_in_vain(state: State) -> bool:
    """Nobody pays for what has left: the channel has called off the whole order, and more than had not left."""
    return state.cancelled and any(units.cancel_wanted + units.shipped > units.ordered for units in state.quantities)


def _to_capture(state: State) -> bool:
    """Goods have left against money that is only authorised."""
    shipped = any(units.shipped for units in state.quantities)
    return shipped and open_authorisation_minor(state) > 0 and state.payment.captured_minor < price_minor(state)


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
    return "shipped" if where == "settlement" else where


def _fulfilment_status(units: dict[str, int]) -> str:
    if units["shipped"]:
        return "partially_shipped"
    if units["backordered"]:
        return "partially_allocated" if units["allocated"] else "backordered"
    return "allocated" if units["allocated"] and not units["open"] else "funded"


def work_due(order: Order) -> str:
    """The stage whose handler can advance this order now; "" while it waits for the outside.

    Units that were called off are taken back even from an order on hold, and money is taken for goods that have left.
    """
    state = order.state
    if to_release(state):
        return "allocation"
    if wants_capture(state) or wants_void(state):
        return "funding"
    if state.holds:
        return ""
    if state.secured_minor != securable_minor(state):
        return "funding"
    untouched = is_funded(state) or not state.reserved_until_ms
    return "allocation" if untouched and any(units.open for units in state.quantities) else ""


def waits_for_stock(order: Order) -> bool:
    """Whether stock that comes in may be given to this order."""
    state = order.state
    return is_funded(state) and not state.holds and any(units.backordered for units in state.quantities)


def promised_ms(state: State) -> int:
    """By what the order stands in line for stock: its ship-by time, else when it was placed. Never changes."""
    return state.ship_by_ms or state.placed_ms


def unconfirmed_shipments(order: Order) -> tuple[str, ...]:
    """Shipments of which the selling channel has not acknowledged a confirmation yet."""
    return tuple(s.shipment_id for s in order.state.shipments if not s.confirmed_ms)


def unsent_refunds(state: State) -> tuple[str, ...]:
    """Refunds that the channel has not confirmed yet."""
    return tuple(name for name, refund in state.refunds.items() if refund.status == "created")


def untold_cancellations(state: State) -> tuple[str, ...]:
    """Cancellations of ours that the channel has not been told of, once no location's word is awaited."""
    if any(units.to_cancel > 0 for units in state.quantities):
        return ()
    return tuple(name for name, each in state.cancellations.items() if each.status == "created")


def unsaid_to_channel(order: Order) -> bool:
    """Whether the channel that sold it, or who has the buyer's money, has yet to be told of something."""
    state = order.state
    told = (unconfirmed_shipments(order), untold_cancellations(state), untold_returns(state))
    return any((*told, unsent_refunds(state), unsent_captures(state), unsent_void(state)))


def asks_processor(state: State) -> bool:
    """Whether something is to be asked of a payment processor, which has the money of this order."""
    asked = unsent_refunds(state) or unsent_captures(state) or unsent_void(state)
    return state.payment.captor not in ("", "channel") and bool(asked)


def untold_returns(state: State) -> tuple[str, ...]:
    """Returns that the channel told us of and that have come further here than it knows."""
    return tuple(name for name, back in state.returns.items() if back.told and _goes_further(back))


def told_status(back: Return) -> str:
    """The status of a return in words that a channel has: inspecting is our own business."""
    return "received" if back.status == "inspected" else back.status


def _goes_further(back: Return) -> bool:
    steps = ("requested", "approved", "received", "declined")
    return steps.index(told_status(back)) > steps.index(back.told)


def locked_locations(state: State) -> frozenset[str]:
    """Locations whose fulfilment order is too far on to take units back without asking."""
    return frozenset(place for place, word in state.fulfilment.items() if word in LOCKED)


def to_release(state: State) -> bool:
    """Whether called-off units can be taken back without asking anybody."""
    locked = locked_locations(state)
    return any(units.to_cancel > 0 and releasable(units, locked) for units in state.quantities)


def releasable(units: Quantities, locked: frozenset[str]) -> int:
    """Units of a line that are not in the hands of a location."""
    held = sum(n for place, n in units.allocations.items() if place in locked)
    return units.open + units.backordered + units.allocated - held


def asked_back(state: State, location: str) -> dict[int, int]:
    """Units by line index that are called off and wait for the word of an accepted location."""
    locked = sorted(locked_locations(state))
    asked: dict[int, int] = {}
    for index, units in enumerate(state.quantities):
        left = units.to_cancel - releasable(units, frozenset(locked))
        for place in locked:
            taken = min(left, units.allocations.get(place, 0))
            if taken > 0 and place == location:
                asked[index] = taken
            left -= max(taken, 0)
    return asked


def deadline_ms(order: Order, where: str, since_ms: int, now_ms: int) -> int:
    """When the sweep looks at an order in stage `where`: the stage's allowance or any earlier clock; 0 when closed.

    A clock that some handler acts on stays when it has passed, until that has happened; one that only warns does not.
    """
    if where in CLOSED:
        return 0
    acting, warning = _clocks(order.state, where)
    return min([since_ms + ALLOWANCE_MS[where], *acting, *(at_ms for at_ms in warning if at_ms > now_ms)])


def next_clock_ms(order: Order, now_ms: int) -> int:
    """When the next clock of the order runs out that has not run out yet; 0 for none."""
    acting, warning = _clocks(order.state, stage(order))
    return min((at_ms for at_ms in (*acting, *warning) if at_ms > now_ms), default=0)


def _clocks(state: State, where: str) -> tuple[list[int], list[int]]:
    """The clocks that run: those that some handler acts on, and those that only warn."""
    acting = [authorisation_ends_ms(state), state.wake_ms]
    if not is_funded(state) and any(units.allocations for units in state.quantities):
        acting.append(state.reserved_until_ms)
    warning = [dispute.due_ms for dispute in state.disputes.values() if dispute.status == "open"]
    warning.append(authorisation_warns_ms(state))
    if where in ("allocation", "shipping"):
        warning.append(state.ship_by_ms)
    return [at_ms for at_ms in acting if at_ms], [at_ms for at_ms in warning if at_ms]


def cancel_open(units: Quantities) -> Quantities:
    """Called-off units that nobody has looked at yet leave the work at once; allocation takes back all others."""
    return replace(units, cancelled=units.cancelled + max(min(units.to_cancel, units.open), 0))
