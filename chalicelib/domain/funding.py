"""Decisions about money: secure it, let an authorisation lapse, give money back, answer a dispute."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.authorisation import READ, RECKONED, authorisation_ends_ms
from chalicelib.domain.errors import Refused
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.lifecycle import (
    RESERVE_MS,
    is_funded,
    locked_locations,
    securable_minor,
)
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Dispute, Hold, Order, Refund, State, collectible_minor, refunded_minor

PAYMENT_REVIEW = "payment_review"
REFUND_SENT_BACK = "refund_sent_back"
REFUND_MISMATCH = "refund_mismatch"  # hold: the channel has given back more than was collected, as far as we know


def decide_funding(order: Order, now_ms: int) -> Order | None:
    """Secure the money that the channel's word is good for; None when that is already so.

    An authorisation whose time is over is good for nothing. Stock that is promised then stays promised for as long as
    a reservation does; what a location has in its hands already is for a person to get back.
    """
    ends_ms = authorisation_ends_ms(order.state)
    lapsed = 0 < ends_ms <= now_ms
    after = order.having(payment=replace(order.state.payment, lapsed=True)) if lapsed else order
    secured = securable_minor(after.state)
    if not lapsed and secured == order.state.secured_minor:
        return None
    after = after.having(secured_minor=secured)
    if is_funded(order.state) and not is_funded(after.state):
        after = after.having(reserved_until_ms=now_ms + RESERVE_MS, holds=_holds_at_work(after.state, now_ms))
    return moved(order, after, "lapse" if lapsed else "secure", now_ms=now_ms)


def decide_expiry(order: Order, reference: str, expires_ms: int, actor: str, now_ms: int) -> Order | None:
    """Whoever holds the payment `reference` has told until when it stands (Unix ms); None when nothing of it is
    reckoned (any more). Of one that tells nothing (0) the reckoned end stays, and it is not asked again. What has
    lapsed by that alone stands again."""
    payment = order.state.payment
    if payment.expiry != RECKONED or payment.reference != reference:
        return None
    lapsed = payment.lapsed and expires_ms <= now_ms
    payment = replace(payment, expires_ms=expires_ms or payment.expires_ms, expiry=READ, lapsed=lapsed)
    return moved(order, order.having(payment=payment), "read_expiry", now_ms=now_ms, actor=actor)


def _holds_at_work(state: State, now_ms: int) -> tuple[Hold, ...]:
    at_work = sorted(locked_locations(state))
    if not at_work or any(hold.reason == PAYMENT_REVIEW for hold in state.holds):
        return state.holds
    detail = f"no longer paid while {', '.join(at_work)} works on it: have the work laid down, or the money secured"
    return (*state.holds, Hold(PAYMENT_REVIEW, detail, now_ms, "funding"))


def decide_refund(
    order: Order, refund_id: str, amount_minor: int, reason: str, actor: str, now_ms: int
) -> Order | None:
    """Record that money is to be given back, before anybody is called; None when this refund is known.

    One that the channel has refused may be asked for again. Raises `Refused` when it is more than is left.
    """
    known = order.state.refunds.get(refund_id)
    if known and known.status != "failed":
        return None
    pending = sum(refund.amount_minor for refund in order.state.refunds.values() if refund.status == "created")
    left = collectible_minor(order.state) - refunded_minor(order.state) - pending
    if not 0 < amount_minor <= left:
        raise Refused("over_refund", f"amount: {amount_minor} of {left} minor units that are left to refund")
    refunds = {**order.state.refunds, refund_id: Refund(amount_minor, reason)}
    return moved(order, order.having(refunds=refunds), "refund", now_ms=now_ms, actor=actor, cause=refund_id)


def decide_refund_outcome(order: Order, refund_id: str, failure: str, now_ms: int) -> Order | None:
    """The channel has paid the buyer back, or says why not (`failure`); None when that is known."""
    refund = order.state.refunds.get(refund_id)
    if refund is None or refund.status != "created":
        return None
    status = "failed" if failure else "confirmed"
    refunds = {**order.state.refunds, refund_id: replace(refund, status=status, detail=failure)}
    after = _collected(replace(order.state, refunds=refunds))
    return moved(order, replace(order, state=after), f"refund_{status}", now_ms=now_ms, cause=refund_id)


def decide_refunds_seen(order: Order, total_minor: int, actor: str, now_ms: int) -> Order | None:
    """The channel has given back `total_minor` in all, whoever asked for it; None when no less is known.

    Refunds of ours that it has confirmed are part of its total: the larger of the two counts. What it gives back it has
    collected, up to the order's total, though its word about the payment may come later; more than that cannot be given
    back, so the rest is for a person to see (`refund_mismatch`).
    """
    collected = max(collectible_minor(order.state), min(total_minor, order.state.total_minor))
    after = order
    if min(total_minor, collected) > refunded_minor(order.state):
        payment = replace(order.state.payment, refunded_minor=min(total_minor, collected))
        cause = f"{payment.refunded_minor} in all"
        state = _collected(replace(order.state, payment=payment))
        after = moved(order, replace(order, state=state), "refunds_seen", now_ms=now_ms, actor=actor, cause=cause)
    if total_minor > collected:
        detail = f"the channel has refunded {total_minor} minor units, and {collected} were collected: compare there"
        if (REFUND_MISMATCH, detail) not in order.state.waived:
            after = decide_hold(after, REFUND_MISMATCH, detail, "funding", now_ms) or after
    return None if after is order else after


def decide_refund_sent_back(order: Order, refund_id: str, amount: str, actor: str, now_ms: int) -> Order | None:
    """The buyer's bank has sent a refund back that had succeeded. The buyer is owed the money all the same, so it stays
    counted and a person pays it another way (`refund_sent_back`). One of ours that is pending fails by itself."""
    known = order.state.refunds.get(refund_id)
    detail = f"the bank has sent refund {refund_id} of {amount} back: pay the buyer another way"
    if (known and known.status != "confirmed") or (REFUND_SENT_BACK, detail) in order.state.waived:
        return None
    return decide_hold(order, REFUND_SENT_BACK, detail, actor, now_ms)


def _collected(state: State) -> State:
    """What has been paid back was collected before, also where the marketplace has vouched no more in the meantime."""
    captured = max(state.payment.captured_minor, refunded_minor(state))
    if collectible_minor(state) >= captured:
        return state
    return replace(state, payment=replace(state.payment, captured_minor=captured))


def decide_dispute(order: Order, dispute_id: str, dispute: Dispute, actor: str, now_ms: int) -> Order | None:
    """The buyer's challenge, or its end; None when it is known. A case that is decided is never opened again."""
    if dispute.amount_minor <= 0:
        raise Refused("bad_request", f"amount: a dispute is about a positive amount, not {dispute.amount_minor}")
    known = order.state.disputes.get(dispute_id)
    if known == dispute or (known and known.status != "open"):
        return None
    disputes = {**order.state.disputes, dispute_id: dispute}
    cause = f"{dispute_id} {dispute.status}"
    return moved(order, order.having(disputes=disputes), "dispute", now_ms=now_ms, actor=actor, cause=cause)
