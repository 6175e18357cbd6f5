"""Holds: named reasons why an order may not advance; each is resolved or rejected; a new cause re-arms it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.domain.authorisation import authorisation_ends_ms, authorisation_warns_ms
from chalicelib.domain.channel_order import Problem
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import CANCELLED_AFTER_SHIPPING, cancel_open, lost_units, next_clock_ms, stage
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import COMPUTED, Cancellation, Hold, Order, State, total_units

NEVER_WAIVED = ("unknown_sku", "unreadable")  # nothing could be allocated
STOCK_SHORTFALL = "stock_shortfall"


def computed_holds(state: State, problems: Iterable[Problem], now_ms: int) -> tuple[Hold, ...]:
    """Holds that people placed stay; computed ones follow the problems, keep the time they began, and are left out
    where somebody has waved the very same problem through."""
    kept = {hold.reason: hold for hold in state.holds if hold.owner != COMPUTED}
    since = {hold.reason: hold.since_ms for hold in state.holds}
    for problem in problems:
        if problem.reason not in kept and (problem.reason, problem.detail) not in state.waived:
            kept[problem.reason] = Hold(problem.reason, problem.detail, since.get(problem.reason, now_ms))
    return tuple(kept[reason] for reason in sorted(kept))


def late_cancellation(state: State) -> list[Problem]:
    """The problem of an order that the channel has called off when goods had left."""
    if not lost_units(state):
        return []
    detail = "goods had left when the channel called the order off: stop the parcel, or record what comes back"
    return [Problem(CANCELLED_AFTER_SHIPPING, detail)]


def with_late_cancellation(order: Order, now_ms: int) -> Order:
    """The order, whose goods have just left or come back, held or not for what was called off after they had left."""
    state = order.state
    if not state.cancelled:
        return order
    others = (Problem(hold.reason, hold.detail) for hold in state.holds if hold.reason != CANCELLED_AFTER_SHIPPING)
    return order.having(holds=computed_holds(state, [*others, *late_cancellation(state)], now_ms))


def decide_hold(order: Order, reason: str, detail: str, owner: str, now_ms: int) -> Order | None:
    """Hold the order until somebody resolves or rejects `reason`; None when it is held for that already."""
    if any(hold.reason == reason for hold in order.state.holds):
        return None
    holds = (*order.state.holds, Hold(reason, detail, now_ms, owner))
    return moved(order, order.having(holds=holds), "hold", now_ms=now_ms, actor=owner, cause=reason)


def decide_resolve(order: Order, reason: str, actor: str, now_ms: int) -> Order | None:
    """Somebody has resolved a hold; None when there is none of that name. The same problem does not come back."""
    gone = [hold for hold in order.state.holds if hold.reason == reason]
    if not gone:
        return None
    if reason in NEVER_WAIVED:
        raise Refused(
            "bad_request", f"{reason} cannot be waved through: link the listing, or let the channel restate it"
        )
    after = order.having(
        holds=tuple(hold for hold in order.state.holds if hold.reason != reason),
        waived=(*order.state.waived, *((hold.reason, hold.detail) for hold in gone)),
    )
    return moved(order, after, "resolve", now_ms=now_ms, actor=actor, cause=reason)


def decide_reject(order: Order, reason: str, actor: str, now_ms: int) -> Order | None:
    """Somebody has decided against the order: everything that has not left is called off, and no hold remains."""
    if not any(hold.reason == reason for hold in order.state.holds):
        return None
    quantities = tuple(
        cancel_open(replace(units, called_off=units.ordered - units.shipped)) for units in order.state.quantities
    )
    items = {
        i: n
        for i, units in enumerate(order.state.quantities)
        if (n := units.ordered - units.shipped - units.unwanted) > 0
    }
    called_off = {f"rejected-{reason}": Cancellation(items, reason)} if items else {}
    after = order.having(
        holds=(),
        waived=(*order.state.waived, *((p.reason, p.detail) for p in late_cancellation(order.state))),
        quantities=quantities,
        cancelled=True,
        cancellations={**order.state.cancellations, **called_off},
    )
    return moved(order, after, "reject", now_ms=now_ms, actor=actor, cause=reason)


def decide_overdue(order: Order, now_ms: int) -> Order | None:
    """An order whose deadline has passed gets a line of timeline and a later deadline, each time twice as far off but
    never beyond its next clock. One that cannot be served by its ship-by date is held for a person: wait, substitute or
    cancel."""
    state = order.state
    if not state.due_ms or state.due_ms > now_ms:
        return None
    cause = f"{stage(order)} since {(now_ms - state.since_ms) // 1000} s"
    if 0 < authorisation_warns_ms(state) <= now_ms:
        cause += f", the authorisation ends in {max(authorisation_ends_ms(state) - now_ms, 0) // 1000} s"
    after = moved(order, order, "overdue", now_ms=now_ms, cause=cause)
    put_off_ms = now_ms + max(now_ms - state.since_ms, state.due_ms - state.since_ms)
    due_ms = min(put_off_ms, next_clock_ms(order, now_ms) or put_off_ms)
    short = total_units(state.quantities)["backordered"]
    if 0 < state.ship_by_ms <= now_ms and short and (STOCK_SHORTFALL, "") not in state.waived:
        after = decide_hold(after, STOCK_SHORTFALL, "", "sweep", now_ms) or after
    return after.having(due_ms=due_ms)  # last: a move works the deadline out anew
