"""What an event of Stripe's points at. Sources: docs.stripe.com/api/events/types, /event-destinations (thin events).

Events come twice and in any order: they say where to look, the object is read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.channels.fields import Node, parse
from chalicelib.channels.stripe.amounts import stripe_int

_PAYMENT = ("amount_capturable_updated", "succeeded", "canceled", "payment_failed")
_PAYOUT = ("paid", "failed", "reconciliation_completed")
_OBJECTS = {"payment": "payment_intent", "refund": "refund", "dispute": "dispute", "payout": "payout"}


@dataclass(frozen=True)
class StripeEvent:
    """`kind`: payment, refund, dispute or payout; `name`: Stripe's own. `object_id`: what it is about.

    `payment` (a PaymentIntent's id) and `order_id` are "" where the event does not tell them. `thin`: it carries its
    object's id only.
    """

    event_id: str
    kind: str
    name: str
    at_ms: int
    object_id: str
    payment: str = ""
    order_id: str = ""
    thin: bool = False


def read_event(body: bytes, order_key: str = "order_id") -> StripeEvent | None:
    """The event, or None when it is of no use here. Raises `Unreadable` when it is no event at all."""
    root = parse(body)
    name = root.text("type").removeprefix("v1.")
    kind = _kind(name)
    if not kind:
        return None
    event_id = root.identity("id")
    if not root.has("data") and root.has("related_object"):
        about = root.at("related_object")
        found, is_payment = about.identity("id"), about.text("type") == _OBJECTS["payment"]
        payment = found if is_payment else ""
        return StripeEvent(event_id, kind, name, root.time_ms("created"), found, payment, thin=True)
    about = root.at("data").at("object")
    found = about.identity("id")
    payment = found if kind == "payment" else _id(about.at("payment_intent"))
    order_id = about.at("metadata").text(order_key)
    at_ms = stripe_int(root, "created") * 1000
    return StripeEvent(event_id, kind, name, at_ms, found, payment, order_id)


def _kind(name: str) -> str:
    group, _, what = name.rpartition(".")
    if group == "payment_intent" and what in _PAYMENT:
        return "payment"
    if name == "charge.refunded" or group in ("refund", "charge.refund"):
        return "refund"
    if group == "charge.dispute":
        return "dispute"
    return "payout" if group == "payout" and what in _PAYOUT else ""


def _id(place: Node) -> str:
    return place.value if isinstance(place.value, str) else ""
