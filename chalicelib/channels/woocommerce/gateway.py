"""What the gateway of WooCommerce Stripe keeps on an order: which payment it is, and whether its money was taken.

An order that is only authorised is on hold, unpaid, with `_stripe_charge_captured` no. The gateway takes the money when
the order becomes processing or completed, gives it free when it becomes cancelled or refunded, and hears what happens
at Stripe: captured whole is processing and paid, captured in part lowers the total, given free is cancelled, expired is
failed. `yes` says nothing of a bank debit, which is on hold until it arrives. Source: woocommerce-gateway-stripe
(process_response, WC_Stripe_Order_Handler, WC_Stripe_Webhook_Handler).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.channels.fields import Node
from chalicelib.domain.channel_order import Payment

PROCESSOR = "stripe"  # the kind of account that takes the money, and its name where nobody says which
_HELD_MS = 7 * 86_400_000  # a card online. Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method


@dataclass(frozen=True)
class Gateway:
    """`at`: whom to ask for the money, and by which reference; nothing where it is not at Stripe. `authorised`: none of
    it was taken yet. `captured`: the gateway has asked for it."""

    at: Payment = Payment()
    authorised: bool = False
    captured: bool = False


def gateway_of(order: Node, meta: Mapping[str, str], processor: str) -> Gateway:
    """`processor`: the account that speaks to Stripe; "" for none, then the gateway is left to itself."""
    method, reference = order.text("payment_method"), meta.get("_stripe_intent_id", "")
    if method != "stripe" and not method.startswith("stripe_"):
        return Gateway()
    captured = meta.get("_stripe_charge_captured", "")
    known = bool(processor) and reference.startswith("pi_")
    at = Payment(captor=processor, reference=reference) if known else Payment()
    return Gateway(at, captured == "no", captured == "yes")


def expires_ms(order: Node, changed_ms: int) -> int:
    """When the authorisation ends, until Stripe tells it: counted from the order, which may be older. None (0) where
    that was over when the shop still called it authorised."""
    ends_ms = order.optional_time_ms("date_created_gmt") + _HELD_MS
    return ends_ms if ends_ms > changed_ms else 0
