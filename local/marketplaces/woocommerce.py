"""A stand-in WooCommerce shop: REST v3 with its oddities. It lowers its own stock at checkout, its times carry no zone,
its webhooks are built when they are delivered, told once and never again, and a failure is a page of HTML.

Source of shapes: wc-v3-properties.json, wc-v3-index.json and recorded answers (samples/woocommerce).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, ClassVar

from local.marketplaces.catalogue import Listing, derived_digits
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, Parcel, Sale
from local.marketplaces.shopify_webhooks import Webhook, sign
from local.marketplaces.wire import RefusalError, Request, Response, json_response, to_json
from local.marketplaces.woo_back_office import WooOffice
from local.marketplaces.woo_gateway import Gateway
from local.marketplaces.woo_hooks import list_webhooks, make_webhook, update_webhook
from local.marketplaces.woo_order_body import order_body, stamp
from local.marketplaces.woo_products import (
    batch,
    change_variations,
    changed_product,
    error,
    list_products,
    list_variations,
    money,
    page,
    product_id,
)

__all__ = ["WC", "WooCommerce", "product_id"]

WC = "/wp-json/wc/v3"
_BOT_PAGE = Response(403, {"Content-Type": "text/html"}, b"<html><body>Checking your browser</body></html>")
_ORDER = rf"{WC}/orders/(?P<order>\d+)"
_PRODUCT = rf"{WC}/products/(?P<product>\d+)"
_TRACKINGS = r"/wp-json/wc-shipment-tracking/v3/orders/(?P<order>\d+)/shipment-trackings"


class WooCommerce(Market):
    """One shop. `variable`: the SKUs that are variations, and whether each has its stock (own) or its product manages
    it (parent); others are simple products. `has_tracking`: the Shipment Tracking plugin is there. `gateway_refuses`:
    refunds that ask for the gateway's money fail. `gateway`: Stripe's, where a `stripe_share` of the buyers pays; other
    orders are paid at once. `may_write`: the key has the permission; `version`: WooCommerce's own."""

    name: ClassVar[str] = "woocommerce"
    habits: ClassVar[Habits] = Habits(pending=0.1, pending_cancelled=0.2, cancelled=0.03, discounted=0.2)
    consumer_key, consumer_secret, webhook_secret = "ck_stand_in", "cs_stand_in", "woo & stand-in"

    def __init__(
        self, catalogue: Sequence[Listing], clock: Clock, die: FaultDie | None = None, *, has_tracking: bool = False
    ) -> None:
        super().__init__(catalogue, clock, die)
        self.has_tracking = has_tracking
        self.gateway_refuses = False
        self.may_write, self.version = True, "11.0.0"
        self.gateway: Gateway | None = None
        self.stripe_share = 0.5
        self.variable: dict[str, str] = {}

    @property
    def office(self) -> WooOffice:
        """What is saved with the shelf, which a restart replaces."""
        self.shelf.woo = self.shelf.woo or WooOffice()
        return self.shelf.woo

    @property
    def hooks(self) -> dict[int, dict[str, Any]]:
        """Webhooks by their id."""
        return self.office.hooks

    @property
    def refunds(self) -> dict[str, list[dict[str, Any]]]:
        """By order id, oldest first."""
        return self.office.refunds

    @property
    def notes(self) -> dict[str, list[dict[str, Any]]]:
        """By order id."""
        return self.office.notes

    @property
    def trackings(self) -> dict[str, list[dict[str, Any]]]:
        """Of the plugin, by order id."""
        return self.office.trackings

    @property
    def completed(self) -> dict[str, datetime]:
        """By order id, when."""
        return self.office.completed

    # --- buyers -------------------------------------------------------------------------------------

    def sell(
        self, rng: Random, now: datetime, sku: str | None = None, *, authorised: bool = False, referred: bool = False
    ) -> Sale | None:
        """An order; who pays at Stripe has it authorised."""
        if authorised and not self.gateway:
            raise ValueError("the shop has no gateway that authorises")
        sale = super().sell(rng, now, sku, referred=referred)
        if sale and self.gateway and (authorised or rng.random() < self.stripe_share):
            sale.paid, dropped = False, ("pay", "cancel") if authorised else ("pay",)
            self.shelf.due = [d for d in self.shelf.due if d.order_id != sale.order_id or d.action not in dropped]
            self.gateway.authorise(sale)
        return sale

    def advance(self, now: datetime) -> None:
        """What is due, and what the gateway hears of Stripe."""
        super().advance(now)
        if self.gateway:
            self.gateway.hear(now)

    def cancel(self, sale: Sale, now: datetime) -> None:
        """The gateway gives free what is only authorised."""
        super().cancel(sale, now)
        if self.gateway and sale.cancelled_at:
            self.gateway.void(sale)

    def total_minor(self, sale: Sale) -> int:
        """What the order costs; less where only a part was captured."""
        payment = self.office.payments.get(sale.order_id)
        lowered_minor = payment.lowered_minor if payment else None
        return sale.before_tax_minor + sale.tax_minor if lowered_minor is None else lowered_minor

    def refunded_minor(self, sale: Sale) -> int:
        """All refunds of an order."""
        return sum(round(float(each["amount"]) * 100) for each in self.refunds.get(sale.order_id, []))

    def note_change(self, sale: Sale, kind: str, now: datetime) -> None:
        """The order has changed."""
        sale.touch(now)
        self.changed(sale, kind)

    def order_id(self, number: int) -> str:
        """Post ids rise, with gaps."""
        return str(1000 + 3 * number)

    def line_id(self, number: int, index: int) -> str:
        """Ids of items count over all orders."""
        return str(5000 + 10 * number + index)

    def throttled(self, _request: Request, /) -> Response:
        """A firewall, not WooCommerce."""
        return _BOT_PAGE

    def not_found(self, _request: Request, /) -> Response:
        """No such route."""
        return error(404, "rest_no_route")

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Every call needs the key and secret."""
        pair = base64.b64encode(f"{self.consumer_key}:{self.consumer_secret}".encode()).decode()
        if request.header("authorization") != f"Basic {pair}":
            return error(401, "woocommerce_rest_cannot_view")
        if route.method != "GET" and not self.may_write:
            return error(401, "woocommerce_rest_authentication_error")
        if "tracking" in route.operation and not self.has_tracking:
            return self.not_found(request)
        return super().carry_out(route, request, names)

    # --- orders -------------------------------------------------------------------------------------

    def order(self, sale: Sale) -> dict[str, Any]:
        """An order as REST and webhooks show it."""
        return order_body(self, sale)

    def status(self, sale: Sale) -> str:
        """The word for where an order is."""
        payment = self.office.payments.get(sale.order_id)
        if sale.cancelled_at:
            return "cancelled"
        if payment and payment.failed:
            return "failed"
        if self.refunded_minor(sale) >= self.total_minor(sale):
            return "refunded"
        if sale.order_id in self.completed:
            return "completed"
        return "processing" if sale.paid else "on-hold" if payment else "pending"

    def list_orders(self, request: Request, names: dict[str, str]) -> Response:
        """`modified_after` is exclusive; it is the shop's own time unless `dates_are_gmt` is sent."""
        del names
        if request.query.get("dates_are_gmt") != "true" or request.query.get("orderby") != "modified":
            return error(400, "rest_invalid_param")
        after = request.query.get("modified_after", "")
        found = [sale for sale in self.shelf.sales.values() if stamp(sale.updated_at) > after]
        found.sort(key=lambda sale: (stamp(sale.updated_at), int(sale.order_id)))
        return page(request, [self.order(sale) for sale in found])

    def show_order(self, request: Request, names: dict[str, str]) -> Response:
        """One order."""
        del request
        return json_response(200, self.order(self._sale(names)))

    def update_order(self, request: Request, names: dict[str, str]) -> Response:
        """Only the status can be set here: completed, cancelled."""
        sale, status = self._sale(names), request.json().get("status")
        if status == "cancelled":
            self.cancel(sale, self.clock())
        elif status == "completed" and sale.order_id not in self.completed:
            sale.touch(self.clock())
            self.completed[sale.order_id] = sale.updated_at
            if self.gateway:
                self.gateway.capture(sale)
            sale.paid = True  # with the status, whatever became of the money
            units = {line.line_id: line.quantity for line in sale.lines}
            told = self.trackings.get(sale.order_id) or [{}]
            number, carrier = told[-1].get("tracking_number", ""), told[-1].get("tracking_provider", "")
            self.ship(sale, Parcel("completed", carrier, number, sale.updated_at, sale.updated_at, units))
        return json_response(200, self.order(sale))

    # --- refunds, notes, trackings ------------------------------------------------------------------

    def list_refunds(self, request: Request, names: dict[str, str]) -> Response:
        """Whole refunds, newest first."""
        return page(request, self.refunds.get(self._sale(names).order_id, [])[::-1])

    def make_refund(self, request: Request, names: dict[str, str]) -> Response:
        """Takes no key: the same again is a second refund. The gateway's refusal is a 500."""
        sale, body = self._sale(names), request.json()
        amount_minor, by_gateway = round(float(body["amount"]) * 100), bool(body.get("api_refund", True))
        if amount_minor + self.refunded_minor(sale) > self.total_minor(sale):
            return error(400, "woocommerce_rest_invalid_order_refund")
        if by_gateway and not self._paid_back(sale, amount_minor):
            return error(500, "woocommerce_rest_cannot_create_order_refund")
        reason = body.get("reason", "")
        return json_response(201, self.note_refund(sale, amount_minor, reason, self.clock(), by_gateway=by_gateway))

    def note_refund(
        self, sale: Sale, amount_minor: int, reason: str, now: datetime, *, by_gateway: bool
    ) -> dict[str, Any]:
        """A refund of the order; its money is the gateway's business."""
        made = {
            "id": self.next_id(),
            "date_created_gmt": stamp(now),
            "amount": money(amount_minor),
            "reason": reason,
            "refunded_payment": by_gateway,
            "line_items": [],
        }
        self.refunds.setdefault(sale.order_id, []).append(made)
        self.note_change(sale, "updated", now)
        return made

    def _paid_back(self, sale: Sale, amount_minor: int) -> bool:
        if self.gateway_refuses:
            return False
        at_stripe = self.gateway and sale.order_id in self.office.payments
        return self.gateway.refund(sale, amount_minor) if self.gateway and at_stripe else True

    def list_notes(self, request: Request, names: dict[str, str]) -> Response:
        """All of them: notes have no pages."""
        del request
        return json_response(200, self.notes.get(self._sale(names).order_id, []))

    def make_note(self, request: Request, names: dict[str, str]) -> Response:
        """One to the customer is mailed."""
        return self._added(self.notes, names, {"note": "", "customer_note": False, **request.json()})

    def list_trackings(self, request: Request, names: dict[str, str]) -> Response:
        """Of the plugin."""
        del request
        return json_response(200, self.trackings.get(self._sale(names).order_id, []))

    def make_tracking(self, request: Request, names: dict[str, str]) -> Response:
        """Of the plugin."""
        return self._added(self.trackings, names, {"tracking_provider": "", **request.json()})

    def _added(self, kept: dict[str, list[dict[str, Any]]], names: dict[str, str], body: dict[str, Any]) -> Response:
        sale = self._sale(names)
        made = {"id": self.next_id(), "date_created_gmt": stamp(self.clock()), **body}
        kept.setdefault(sale.order_id, []).append(made)
        return json_response(201, made)

    # --- products, webhooks -------------------------------------------------------------------------

    def change_products(self, request: Request, names: dict[str, str]) -> Response:
        """Quantities and prices."""
        del names
        return batch(request, self._changed_product)

    def _changed_product(self, wish: dict[str, Any]) -> dict[str, Any]:
        return changed_product(self, wish)

    # --- the shop itself ----------------------------------------------------------------------------

    def show_currency(self, request: Request, names: dict[str, str]) -> Response:
        """The shop's own."""
        del request, names
        return json_response(200, {"code": self.currency, "name": self.currency, "symbol": "$"})

    def show_status(self, request: Request, names: dict[str, str]) -> Response:
        """As much of it as is asked for."""
        del names
        status = {"environment": {"version": self.version}, "settings": {"currency": self.currency}}
        wanted = request.query.get("_fields", ",".join(status)).split(",")
        return json_response(200, {name: value for name, value in status.items() if name in wanted})

    def show_tracking(self, request: Request, names: dict[str, str]) -> Response:
        """The plugin's own list of routes."""
        del request, names
        return json_response(200, {"namespace": "wc-shipment-tracking/v3", "routes": {}})

    def webhook(self, change: Change) -> Webhook:
        """The delivery of one change, with the order as it is when it is delivered."""
        body = to_json(self.order(self.shelf.sales[change.order_id]))
        event = "created" if change.kind == "created" else "updated"
        return Webhook(
            {
                "Content-Type": "application/json",
                "X-WC-Webhook-Topic": f"order.{event}",
                "X-WC-Webhook-Resource": "order",
                "X-WC-Webhook-Event": event,
                "X-WC-Webhook-Signature": sign(self.webhook_secret, body),
                "X-WC-Webhook-ID": "10",
                "X-WC-Webhook-Delivery-ID": derived_digits(f"10{stamp(change.at)}", 32),  # one for all of a second
            },
            body,
        )

    def _sale(self, names: dict[str, str]) -> Sale:
        sale = self.shelf.sales.get(names["order"])
        if sale is None:
            raise RefusalError(error(404, "woocommerce_rest_shop_order_invalid_id"))
        return sale

    def next_id(self) -> int:
        """Of a refund, a note, a webhook."""
        self.office.ids += 1
        return 90_000 + self.office.ids

    routes: ClassVar[tuple[Route, ...]] = (
        Route("GET", rf"{WC}/orders", "list_orders", list_orders),
        Route("GET", _ORDER, "show_order", show_order),
        Route("PUT", _ORDER, "update_order", update_order),
        Route("GET", rf"{_ORDER}/refunds", "list_refunds", list_refunds),
        Route("POST", rf"{_ORDER}/refunds", "make_refund", make_refund),
        Route("GET", rf"{_ORDER}/notes", "list_notes", list_notes),
        Route("POST", rf"{_ORDER}/notes", "make_note", make_note),
        Route("GET", _TRACKINGS, "list_trackings", list_trackings),
        Route("POST", _TRACKINGS, "make_tracking", make_tracking),
        Route("GET", rf"{WC}/products", "list_products", list_products),
        Route("POST", rf"{WC}/products/batch", "change_products", change_products),
        Route("GET", rf"{_PRODUCT}/variations", "list_variations", list_variations),
        Route("POST", rf"{_PRODUCT}/variations/batch", "change_variations", change_variations),
        Route("GET", rf"{WC}/data/currencies/current", "show_currency", show_currency),
        Route("GET", rf"{WC}/system_status", "show_status", show_status),
        Route("GET", r"/wp-json/wc-shipment-tracking/v3", "show_tracking", show_tracking),
        Route("GET", rf"{WC}/webhooks", "list_webhooks", list_webhooks),
        Route("POST", rf"{WC}/webhooks", "make_webhook", make_webhook),
        Route("PUT", rf"{WC}/webhooks/(?P<hook>\d+)", "update_webhook", update_webhook),
    )
