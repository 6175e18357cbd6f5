"""A stand-in for the Stripe gateway of a WooCommerce shop, set to authorise at checkout and capture later.

The shop's orders and Stripe's payments are two truths, saved apart. What happened at Stripe is looked up there at each
tick: that stands for its webhooks to the shop. Source: woocommerce-gateway-stripe (process_response,
WC_Stripe_Order_Handler, WC_Stripe_Webhook_Handler).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import md5
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request
from local.marketplaces.woo_back_office import GatewayPayment

if TYPE_CHECKING:
    from local.marketplaces.woocommerce import WooCommerce

SITE_URL = "https://shop.example.com"
_HELD_S = (4 * 24 + 18) * 3600  # the shortest that a card holds money: what is given free later has expired
_LOOKED_AT = 20  # captured payments at each tick; authorised ones are looked at all
_RELEASE = "partial_capture_reversal"


class Till(Protocol):
    """Stripe, as the shop's checkout and its server reach it."""

    api_key: str

    def handle(self, request: Request) -> Any:
        """One API call."""

    def authorise(self, amount_minor: int, currency: str, order_id: str, **metadata: Any) -> str:
        """The buyer pays at the checkout; the PaymentIntent's id."""


class Gateway:
    """One shop's gateway."""

    def __init__(self, shop: WooCommerce, till: Till) -> None:
        self._shop, self._till = shop, till

    def authorise(self, sale: Sale) -> None:
        """The buyer's card is good for the whole: the order is on hold from then on."""
        metadata = {
            "customer_name": sale.buyer.name,
            "customer_email": f"{sale.buyer.handle}@example.com",
            "site_url": SITE_URL,
            "order_key": f"wc_order_{sale.number}",
            "payment_type": "single",
            "signature": f"{sale.order_id}:{md5(sale.order_id.encode(), usedforsecurity=False).hexdigest()}",
        }
        total_minor = self._shop.total_minor(sale)
        intent_id = self._till.authorise(total_minor, sale.currency, sale.order_id, **metadata)
        charge_id = self._look(f"payment_intents/{intent_id}").get("latest_charge", "")
        self._shop.office.payments[sale.order_id] = GatewayPayment(intent_id, charge_id)

    def capture(self, sale: Sale) -> None:
        """The order was completed: what is authorised is taken, less what was refunded."""
        payment = self._open(sale)
        if payment:
            amount = self._shop.total_minor(sale) - self._shop.refunded_minor(sale)
            self._ask(f"payment_intents/{payment.intent_id}/capture", amount_to_capture=amount)
            self._hear_of_payment(sale, payment, self._shop.clock())

    def void(self, sale: Sale) -> None:
        """The order was cancelled, or refunded before anything was taken."""
        payment = self._open(sale)
        if payment:
            self._ask(f"payment_intents/{payment.intent_id}/cancel")

    def refund(self, sale: Sale, amount_minor: int) -> bool:
        """Whether the money goes back. Before the capture it is the whole authorisation, whatever the amount."""
        payment = self._shop.office.payments[sale.order_id]
        if not payment.captured_at:
            self.void(sale)
            return True
        made = self._ask("refunds", payment_intent=payment.intent_id, amount=amount_minor)
        payment.refund_ids += [made["id"]] if made else []
        return bool(made)

    def hear(self, now: datetime) -> None:
        """Of what has happened at Stripe."""
        for order_id, payment in self._due():
            sale = self._shop.shelf.sales[order_id]
            if payment.captured_at:
                self._hear_of_refunds(sale, payment, now)
            else:
                self._hear_of_payment(sale, payment, now)

    def _due(self) -> Iterable[tuple[str, GatewayPayment]]:
        office, now_open = self._shop.office, []
        captured = [(name, each) for name, each in office.payments.items() if each.captured_at]
        for name, each in office.payments.items():
            if not each.captured_at and not each.failed and not self._shop.shelf.sales[name].cancelled_at:
                now_open.append((name, each))
        start = office.looked_at if office.looked_at < len(captured) else 0
        office.looked_at = start + _LOOKED_AT
        return [*now_open, *captured[start : start + _LOOKED_AT]]

    def _hear_of_payment(self, sale: Sale, payment: GatewayPayment, now: datetime) -> None:
        intent = self._look(f"payment_intents/{payment.intent_id}", **{"expand[0]": "latest_charge"})
        if intent.get("status") == "succeeded":
            payment.captured_at = now
            if intent["amount_received"] < intent["amount"]:
                payment.lowered_minor = intent["amount_received"]
            else:
                sale.paid = True
            self._shop.note_change(sale, "paid", now)
        elif intent.get("status") == "canceled" and intent["canceled_at"] - intent["created"] >= _HELD_S:
            payment.failed = True
            self._shop.note_change(sale, "failed", now)
        elif intent.get("status") == "canceled":
            self._shop.cancel(sale, now)

    def _hear_of_refunds(self, sale: Sale, payment: GatewayPayment, now: datetime) -> None:
        query = {"payment_intent": payment.intent_id, "limit": "100", "expand[0]": "data.balance_transaction"}
        for each in self._look("refunds", **query).get("data", ()):
            booked = each["balance_transaction"] or {}
            is_news = each["id"] not in payment.refund_ids and each["status"] != "failed"
            if is_news and booked.get("reporting_category") != _RELEASE:
                payment.refund_ids.append(each["id"])
                self._shop.note_refund(sale, each["amount"], "Refunded via Stripe Dashboard", now, by_gateway=False)

    def _open(self, sale: Sale) -> GatewayPayment | None:
        payment = self._shop.office.payments.get(sale.order_id)
        return payment if payment and not payment.captured_at and not payment.failed else None

    def _look(self, path: str, **query: str) -> dict[str, Any]:
        return self._call(Request("GET", f"/v1/{path}", query, self._headers(), b""))

    def _ask(self, path: str, **form: Any) -> dict[str, Any]:
        return self._call(Request("POST", f"/v1/{path}", {}, self._headers(), urlencode(form).encode()))

    def _call(self, request: Request) -> dict[str, Any]:
        """Nothing where Stripe refuses, or is out of reach: what really happened is heard later."""
        answer = self._till.handle(request)
        found: dict[str, Any] = json.loads(answer.body) if answer.status == 200 else {}
        return found

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._till.api_key}", "content-type": "application/x-www-form-urlencoded"}
