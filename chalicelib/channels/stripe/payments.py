"""A PaymentIntent: how it stands, and money taken, given free or given back once.

Sources: docs.stripe.com/payments/place-a-hold-on-a-payment-method, /payments/multicapture, /api/refunds;
for a partial capture, which shows what it gives free as a refund, woocommerce-gateway-stripe issue 1073 and
docs.stripe.com/reports/reporting-categories. Idempotency keys are forgotten after a day or more, so a capture and a
refund leave their name in the metadata and are looked for there first.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from chalicelib.channels.fields import Node
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.stripe.amounts import from_stripe, stripe_int, to_stripe, told_int
from chalicelib.channels.stripe.wire import StripeWire
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Busy, Refused

REFUND_KEY = "headrace_refund_id"  # metadata of a refund: which wish of ours it is
_CAPTURE_KEY = "headrace_capture_"  # metadata of a payment: + digest of the wish; the value is what was taken
_LONGEST_VALUE = 500
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_REVERSAL = "partial_capture_reversal"
_AWAITED = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")


def read_intent(wire: StripeWire, reference: str) -> Node:
    """The PaymentIntent with its latest charge in it."""
    return wire.get(_path(reference), {"expand": ["latest_charge"]})


def payment_of(wire: StripeWire, intent: Node) -> Payment:
    """How it stands, in our minor units of its own currency. A refund that is pending counts, one that failed does not.

    `processing` (a bank debit under way) is awaited. A status that nobody knows yet secures nothing.
    """
    status, currency = intent.text("status"), intent.currency("currency")
    told = told_int if status == "succeeded" else stripe_int
    captured = from_stripe(told(intent, "amount_received"), currency)
    refunded = from_stripe(_refunded(wire, intent), currency)
    if status == "canceled":
        once_minor = from_stripe(told_int(intent, "amount"), currency) if _charge(intent).flag("paid") else 0
        return Payment(authorised_minor=once_minor, captured_minor=captured, refunded_minor=refunded, lapsed=True)
    held = told_int(intent, "amount_capturable") if status == "requires_capture" else 0
    open_minor = from_stripe(held, currency)
    return Payment(
        authorised_minor=captured + open_minor,
        captured_minor=captured,
        refunded_minor=refunded,
        awaited=status in _AWAITED,
        expires_ms=_expires_ms(intent) if open_minor else 0,
    )


def capture(wire: StripeWire, reference: str, wish: CaptureRequest) -> int:
    """Take the money; how much was taken, in minor units.

    Taken before, under this wish: the same again. Taken at Stripe by another hand: as much of it as no wish of ours
    accounts for. Raises `Refused` where nothing can be taken, or (no_multicapture) the card takes one only.
    """
    intent = read_intent(wire, reference)
    currency, status = intent.currency("currency"), intent.text("status")
    if currency != wish.currency:
        raise Refused("currency_mismatch", f"payment {reference} is in {currency}, the capture in {wish.currency}")
    name = _capture_key(wish.capture_id)
    if taken := intent.at("metadata").text(name):
        return from_stripe(_stored(taken), currency)
    if status == "processing":
        raise Busy(f"payment {reference} is being processed", after_s=60)
    if status == "succeeded":
        return _taken_elsewhere(intent, reference, wish)
    if status != "requires_capture":
        raise Refused("not_capturable", f"payment {reference} is {status or 'in no status'}: nothing is authorised")
    amount = min(to_stripe(wish.amount_minor, currency), told_int(intent, "amount_capturable"))
    if amount <= 0:
        raise Refused("not_capturable", f"payment {reference}: nothing is left to capture")
    if not wish.final and not _takes_many(intent):
        remedy = "this card allows one capture only: capture all that is wanted at once"
        raise Refused("no_multicapture", f"payment {reference}: {remedy}")
    fields = {"amount_to_capture": amount, "metadata": {name: amount}}
    # Only where it may be said: `final_capture` is refused on a card that takes one capture.
    more = {"final_capture": wish.final} if _takes_many(intent) else {}
    wire.post(f"{_path(reference)}/capture", {**fields, **more}, _key("capture", reference, wish.capture_id))
    return from_stripe(amount, currency)


def void(wire: StripeWire, reference: str) -> None:
    """Give the authorisation free. Gone already is fine; raises `Refused` (already_captured) once money was taken in
    full. Of several captures, what is left is given free."""
    status = read_intent(wire, reference).text("status")
    if status == "canceled":
        return
    if status == "succeeded":
        raise Refused("already_captured", f"payment {reference}: refund it instead")
    if status == "processing":
        raise Busy(f"payment {reference} is being processed", after_s=60)
    wire.post(f"{_path(reference)}/cancel", {}, f"void/{reference}")


def refund(wire: StripeWire, reference: str, refund_id: str, amount_minor: int, currency: str, reason: str) -> bool:
    """Give money back: True when it is done, False while it is pending. Raises `Refused` (refund_failed) when the bank
    has sent it back or it was called off. A reason that is none of Stripe's goes into the metadata."""
    for each in wire.each("/v1/refunds", {"payment_intent": reference}):
        if each.at("metadata").text(REFUND_KEY) == refund_id:
            return _outcome(each, refund_id)
    intent = read_intent(wire, reference)
    if intent.currency("currency") != currency:
        raise Refused("currency_mismatch", f"payment {reference} is not in {currency}")
    metadata = {REFUND_KEY: refund_id}
    fields = {"payment_intent": reference, "amount": to_stripe(amount_minor, currency)}
    if reason in _REASONS:
        fields["reason"] = reason
    elif reason:
        metadata["headrace_reason"] = reason[:_LONGEST_VALUE]
    key = _key("refund", reference, refund_id)
    return _outcome(wire.post("/v1/refunds", {**fields, "metadata": metadata}, key), refund_id)


def _outcome(found: Node, refund_id: str) -> bool:
    status = found.text("status")
    if status in ("failed", "canceled"):
        why = found.text("failure_reason") or status
        raise Refused("refund_failed", f"{refund_id}: {why[:80]}; pay the buyer another way")
    return status == "succeeded"  # `pending` and `requires_action` are on their way


def _taken_elsewhere(intent: Node, reference: str, wish: CaptureRequest) -> int:
    metadata = intent.at("metadata").value
    ours = metadata.items() if isinstance(metadata, dict) else ()
    told = sum(_stored(str(value)) for name, value in ours if name.startswith(_CAPTURE_KEY))
    rest = from_stripe(stripe_int(intent, "amount_received") - told, wish.currency)
    if rest <= 0:
        raise Refused("not_capturable", f"payment {reference}: what was not captured has been given free")
    return min(wish.amount_minor, rest)


def _refunded(wire: StripeWire, intent: Node) -> int:
    """What the buyer got back, in Stripe's units. What a partial capture gave free shows as refunded too: only the
    refunds one by one tell the two apart."""
    charge = _charge(intent)
    refunded = stripe_int(charge, "amount_refunded")
    if not charge.flag("captured"):
        return 0
    if not refunded or stripe_int(charge, "amount_captured") >= stripe_int(charge, "amount"):
        return refunded
    query = {"payment_intent": intent.identity("id"), "expand": ["data.balance_transaction"]}
    return sum(
        told_int(each, "amount")
        for each in wire.each("/v1/refunds", query)
        if each.text("status") not in ("failed", "canceled") and not _is_release(each)
    )


def _is_release(refund: Node) -> bool:
    booked = refund.at("balance_transaction")
    return isinstance(booked.value, dict) and booked.text("reporting_category") == _REVERSAL


def _takes_many(intent: Node) -> bool:
    return _card(intent).at("multicapture").text("status") == "available"


def _expires_ms(intent: Node) -> int:
    return stripe_int(_card(intent), "capture_before") * 1000


def _card(intent: Node) -> Node:
    return _charge(intent).at("payment_method_details").at("card")


def _charge(intent: Node) -> Node:
    """The latest charge where it came with the payment, else nothing."""
    charge = intent.at("latest_charge")
    return charge if isinstance(charge.value, dict) else Node(None, charge.path)


def _key(what: str, reference: str, wish_id: str) -> str:
    """Idempotency keys hold for the whole account, our wishes are named within one order: `capture-1` is in each."""
    return f"{what}/{reference}/{wish_id}"


def _capture_key(capture_id: str) -> str:
    """A name in metadata has 40 characters at most."""
    return _CAPTURE_KEY + hashlib.sha256(capture_id.encode()).hexdigest()[:20]


def _stored(value: str) -> int:
    return int(value) if value.isascii() and value.isdecimal() else 0


def _path(reference: str) -> str:
    return f"/v1/payment_intents/{quote(reference, safe='')}"
