"""What Stripe's objects look like; no more of them than is read. Shapes: the fixtures of Stripe's own OpenAPI files.

`capture_before` is in recorded payments only, not in those fixtures. `expand`: the fields shown whole, as paths.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from local.processors.stripe_books import Booking, Books, Dispute, Endpoint, Intent, Payout, Refund

Body = dict[str, Any]
_TYPES = {"partial_capture_reversal": "refund", "dispute": "adjustment", "dispute_reversal": "adjustment"}


def intent_body(books: Books, intent: Intent, expand: Collection[str] = ()) -> Body:
    """A PaymentIntent."""
    return {
        "id": intent.intent_id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.capturable,
        "amount_received": intent.received,
        "canceled_at": intent.canceled_at,
        "capture_method": "manual",
        "created": intent.created,
        "currency": intent.currency,
        "latest_charge": charge_body(books, intent) if "latest_charge" in expand else intent.charge_id,
        "livemode": False,
        "metadata": dict(intent.metadata),
        "payment_method_types": ["card"],
        "status": intent.status,
    }


def endpoint_body(endpoint: Endpoint) -> Body:
    """A webhook endpoint, without its secret."""
    return {
        "id": endpoint.endpoint_id,
        "object": "webhook_endpoint",
        "created": endpoint.created,
        "enabled_events": list(endpoint.events),
        "livemode": False,
        "metadata": {},
        "status": endpoint.status,
        "url": endpoint.url,
    }


def charge_body(books: Books, intent: Intent) -> Body:
    """A payment's charge; what was never taken counts as refunded on it."""
    card = {
        "brand": "visa",
        "last4": "4242",
        "multicapture": {"status": "available" if intent.takes_many else "unavailable"},
    }
    if intent.status == "requires_capture" and intent.tells_until:
        card["capture_before"] = intent.capture_before
    never_taken = intent.amount if intent.status == "canceled" else 0
    back = books.refunded(intent, releases=True) + never_taken
    disputed = any(each.intent_id == intent.intent_id for each in books.disputes.values())
    return {
        "id": intent.charge_id,
        "object": "charge",
        "amount": intent.amount,
        "amount_captured": intent.received,
        "amount_refunded": back,
        "balance_transaction": intent.booking_id,
        "captured": bool(intent.captures),
        "created": intent.created,
        "currency": intent.currency,
        "disputed": disputed,
        "livemode": False,
        "metadata": {name: value for name, value in intent.metadata.items() if not name.startswith("headrace_")},
        "paid": True,
        "payment_intent": intent.intent_id,
        "payment_method_details": {"card": card, "type": "card"},
        "refunded": back >= intent.amount,
        "status": "succeeded",
    }


def refund_body(books: Books, refund: Refund, expand: Collection[str] = ()) -> Body:
    """A refund."""
    intent = books.intents[refund.intent_id]
    booking: Any = refund.booking_id
    if booking and "balance_transaction" in expand:
        booking = booking_body(books, books.bookings[booking])
    return {
        "id": refund.refund_id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": booking,
        "charge": charge_body(books, intent) if "charge" in expand else intent.charge_id,
        "created": refund.created,
        "currency": intent.currency,
        "metadata": dict(refund.metadata),
        "payment_intent": intent.intent_id,
        "reason": refund.reason,
        "status": refund.status,
    }


def dispute_body(books: Books, dispute: Dispute, expand: Collection[str] = ()) -> Body:
    """A dispute. Its metadata is its own: the payment's is not copied."""
    intent = books.intents[dispute.intent_id]
    return {
        "id": dispute.dispute_id,
        "object": "dispute",
        "amount": dispute.amount,
        "charge": charge_body(books, intent) if "charge" in expand else intent.charge_id,
        "created": dispute.created,
        "currency": intent.currency,
        "evidence_details": {"due_by": dispute.created + 7 * 86_400, "has_evidence": False, "past_due": False},
        "livemode": False,
        "metadata": {},
        "payment_intent": intent.intent_id,
        "reason": "fraudulent",
        "status": dispute.status,
    }


def booking_body(books: Books, booking: Booking, expand: Collection[str] = (), now: int = 0) -> Body:
    """A balance transaction."""
    fees = [{"amount": booking.fee, "application": None, "currency": booking.currency, "type": "stripe_fee"}]
    return {
        "id": booking.booking_id,
        "object": "balance_transaction",
        "amount": booking.amount,
        "available_on": booking.available_on,
        "created": booking.created,
        "currency": booking.currency,
        "exchange_rate": booking.rate,
        "fee": booking.fee,
        "fee_details": fees if booking.fee else [],
        "net": booking.net,
        "reporting_category": booking.category,
        "source": _source(books, booking.source_id, expand) if "source" in expand else booking.source_id,
        "status": "available" if booking.available_on <= now else "pending",
        "type": _TYPES.get(booking.category, booking.category),
    }


def payout_body(payout: Payout) -> Body:
    """A payout of the schedule, itemised."""
    return {
        "id": payout.payout_id,
        "object": "payout",
        "amount": payout.amount,
        "arrival_date": payout.created,
        "automatic": True,
        "balance_transaction": payout.booking_id,
        "created": payout.created,
        "currency": payout.currency,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed",
        "status": "paid",
    }


def _source(books: Books, source_id: str, expand: Collection[str]) -> Body:
    inner = {each.removeprefix("source.") for each in expand if each.startswith("source.")}
    if source_id in books.refunds:
        return refund_body(books, books.refunds[source_id], inner)
    if source_id in books.disputes:
        return dispute_body(books, books.disputes[source_id], inner)
    if source_id in books.payouts:
        return payout_body(books.payouts[source_id])
    return charge_body(books, next(each for each in books.intents.values() if each.charge_id == source_id))
