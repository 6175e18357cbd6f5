"""Decisions about authorised money: take it once goods have left, give it free when nothing will leave."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.authorisation import (
    CAPTURE_REFUSED,
    CAPTURE_SHORT,
    VOID_REFUSED,
    open_authorisation_minor,
    wants_capture,
    wants_void,
)
from chalicelib.domain.lifecycle import securable_minor
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Capture, Hold, Order, refunded_minor


def decide_capture(order: Order, now_ms: int) -> Order | None:
    """Write down that authorised money is to be taken, or given free; None when neither is wanted (any more).

    One capture takes all that the order still costs, whatever has left of it: most processors take an authorisation
    once. Needs the order's content.
    """
    state = order.state
    if wants_void(state):
        return moved(order, order.having(void="wanted"), "void", now_ms=now_ms)
    if not wants_capture(state):
        return None
    wanted_minor = cost_minor(order) - (state.payment.captured_minor - refunded_minor(state))
    if wanted_minor <= 0 and not state.payment.captured_minor and not state.void:
        return moved(order, order.having(void="wanted"), "void", now_ms=now_ms, cause="nothing is left to pay")
    amount_minor = max(min(wanted_minor, open_authorisation_minor(state)), 0)
    name = f"capture-{len(state.captures) + 1}"
    wish = Capture(
        amount_minor,
        status="created" if amount_minor else "confirmed",  # what is captured already pays for all
        captured_minor=state.payment.captured_minor,
        authorised_minor=state.payment.authorised_minor,
        spared_minor=max(state.total_minor - state.payment.captured_minor - max(wanted_minor, 0), 0),
    )
    cause = f"{name}: {amount_minor} minor units"
    return moved(order, order.having(captures={**state.captures, name: wish}), "capture", now_ms=now_ms, cause=cause)


def cost_minor(order: Order) -> int:
    """What the order still costs: its total less called-off units at their price, or less what was paid back, if that
    is more. Both may be about the same goods."""
    called_off = 0
    for line, units in zip(order.lines, order.state.quantities, strict=True):
        amount_minor = line.price_minor - line.discount_minor + line.tax_minor
        if units.cancelled:
            called_off += amount_minor - amount_minor * (units.ordered - units.cancelled) // units.ordered
    return max(order.state.total_minor - max(called_off, refunded_minor(order.state)), 0)


def decide_capture_outcome(order: Order, name: str, taken_minor: int, failure: str, now_ms: int) -> Order | None:
    """`taken_minor` has been taken, or nothing because of `failure`; None when the outcome is known.

    The channel may have told of the same money before: then the larger of the two counts. What was refused, or fell
    short, is for a person to see, unless the money is here.
    """
    state = order.state
    wish = state.captures.get(name)
    if wish is None or wish.status != "created":
        return None
    wanted_minor = wish.captured_minor + wish.amount_minor
    if failure and state.payment.captured_minor >= wanted_minor:
        failure, taken_minor = "", wish.amount_minor  # somebody else took it; that is why it was refused
    captured_minor = max(state.payment.captured_minor, wish.captured_minor + taken_minor)
    after = replace(
        wish, status="failed" if failure else "confirmed", detail=failure, taken_minor=0 if failure else taken_minor
    )
    captures = {**state.captures, name: after}
    if failure:
        detail = f"{failure}: mend it at {state.payment.captor} and resolve this, and it is asked for again"
        order_after = _held(order.having(captures=captures), CAPTURE_REFUSED, detail, now_ms)
        return moved(order, order_after, "capture_failed", now_ms=now_ms, cause=name)
    payment = replace(state.payment, captured_minor=captured_minor)
    order_after = order.having(captures=captures, payment=payment)
    if captured_minor < wanted_minor:
        detail = f"{captured_minor} of {wanted_minor} minor units were taken: have the buyer pay the rest"
        order_after = _held(order_after, CAPTURE_SHORT, detail, now_ms)
    order_after = order_after.having(secured_minor=securable_minor(order_after.state))
    return moved(order, order_after, "capture_confirmed", now_ms=now_ms, cause=f"{name}: {taken_minor} minor units")


def decide_void_outcome(order: Order, failure: str, now_ms: int) -> Order | None:
    """The authorisation has been given free, or will not be (`failure`); None when that is known."""
    if order.state.void != "wanted":
        return None
    if failure:
        after = order.having(void="failed")
        detail = f"{failure}: give the money free at {order.state.payment.captor}, or let the authorisation run out"
        return moved(order, _held(after, VOID_REFUSED, detail, now_ms), "void_failed", now_ms=now_ms)
    after = order.having(void="done", payment=replace(order.state.payment, lapsed=True))
    after = after.having(secured_minor=securable_minor(after.state))
    return moved(order, after, "void_confirmed", now_ms=now_ms)


def _held(order: Order, reason: str, detail: str, now_ms: int) -> Order:
    holds = [hold for hold in order.state.holds if hold.reason != reason]
    return order.having(holds=(*holds, Hold(reason, detail, now_ms, "sync")))
