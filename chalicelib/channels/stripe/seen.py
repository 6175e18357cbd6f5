"""What an event is about, as it is now: events come twice, late and in any order, and tell a part only.

Sources: docs.stripe.com/api/charges, /api/refunds, /api/disputes. A refund and a dispute have metadata of their own:
the order stands on the payment.
"""

from __future__ import annotations

from urllib.parse import quote

from chalicelib.channels.fields import Node
from chalicelib.channels.processor_port import Seen
from chalicelib.channels.stripe.amounts import from_stripe, stripe_int, told_int
from chalicelib.channels.stripe.naming import Naming
from chalicelib.channels.stripe.payments import REFUND_KEY, payment_of, read_intent
from chalicelib.channels.stripe.wire import StripeWire
from chalicelib.domain.orders import Dispute

_PATHS = {"ch": "charges", "py": "charges", "re": "refunds", "pyr": "refunds", "dp": "disputes", "du": "disputes"}
_OVER = {"won": "won", "lost": "lost", "warning_closed": "won", "prevented": "won"}


def seen(wire: StripeWire, naming: Naming, object_id: str) -> Seen | None:
    """The payment that a PaymentIntent, charge, refund or dispute belongs to; None where it names no order of ours."""
    kind = object_id.partition("_")[0]
    about = Node(None)
    if kind != "pi":
        about = wire.get(f"/v1/{_PATHS[kind]}/{quote(object_id, safe='')}") if kind in _PATHS else about
        object_id = about.text("payment_intent")
    if not object_id:
        return None
    intent = read_intent(wire, object_id)
    order_id = naming.order_of(intent.at("metadata"))
    if not order_id:
        return None
    currency = intent.currency("currency")
    what = _PATHS.get(kind)
    disputes = {about.identity("id"): dispute_of(about)} if what == "disputes" else {}
    sent_back = _sent_back(about, currency) if what == "refunds" else {}
    return Seen(order_id, currency, payment_of(wire, intent).refunded_minor, disputes, sent_back)


def _sent_back(refund: Node, currency: str) -> dict[str, int]:
    """A refund can fail days after it succeeded: the money is in our balance again. Source: docs.stripe.com/refunds,
    failed refunds."""
    if refund.text("status") != "failed":
        return {}
    back_minor = from_stripe(told_int(refund, "amount"), currency)
    return {refund.at("metadata").text(REFUND_KEY) or refund.identity("id"): back_minor}


def dispute_of(about: Node) -> Dispute:
    """A dispute; a status that nobody knows yet is open."""
    due_ms = stripe_int(about.at("evidence_details"), "due_by") * 1000
    status = _OVER.get(about.text("status"), "open")
    return Dispute(from_stripe(told_int(about, "amount"), about.currency("currency")), status, due_ms)
