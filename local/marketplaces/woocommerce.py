"""A stand-in WooCommerce shop: REST v3 with its oddities. It lowers its own stock at checkout, its times carry no zone,
its webhooks are built when they are delivered, told once and never again, and a failure is a page of HTML.

Source of shapes: wc-v3-properties.json, wc-v3-index.json and recorded answers (samples/woocommerce).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from local.marketplaces.catalogue import Listing, derived_digits
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, Parcel, Sale, SoldLine
from local.marketplaces.shopify_webhooks import Webhook, sign
from local.marketplaces.wire import RefusalError, Request, Response, json_response, to_json

WC = "/wp-json/wc/v3"
_BOT_PAGE = Response(403, {"Content-Type": "text/html"}, b"<html><body>Checking your browser</body></html>")
_ORDER = rf"{WC}/orders/(?P<order>\d+)"
_TRACKINGS = r"/wp-json/wc-shipment-tracking/v3/orders/(?P<order>\d+)/shipment-trackings"


def product_id(sku: str) -> int:
    """The shop's number of a product."""
    return int(derived_digits(f"woo/{sku}", 5))


class WooCommerce(Market):
    """One shop of simple products. `has_tracking`: the Shipment Tracking plugin is there. `gateway_refuses`: refunds
    that ask for the gateway's money fail. `may_write`: the key has the permission; `version`: WooCommerce's own."""

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
        self.hooks: dict[int, dict[str, Any]] = {}
        self.refunds: dict[str, list[dict[str, Any]]] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.trackings: dict[str, list[dict[str, Any]]] = {}
        self.completed: dict[str, datetime] = {}
        self._ids = 0

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
        return _error(404, "rest_no_route")

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Every call needs the key and secret."""
        pair = base64.b64encode(f"{self.consumer_key}:{self.consumer_secret}".encode()).decode()
        if request.header("authorization") != f"Basic {pair}":
            return _error(401, "woocommerce_rest_cannot_view")
        if route.method != "GET" and not self.may_write:
            return _error(401, "woocommerce_rest_authentication_error")
        if "tracking" in route.operation and not self.has_tracking:
            return self.not_found(request)
        return super().carry_out(route, request, names)

    # --- orders -------------------------------------------------------------------------------------

    def order(self, sale: Sale) -> dict[str, Any]:
        """An order as REST and webhooks show it. Amounts of lines never include tax."""
        town, refunds = sale.buyer.town, self.refunds.get(sale.order_id, [])
        shipping = _money(sale.shipping_minor)
        place = {
            "first_name": sale.buyer.first_name,
            "last_name": sale.buyer.last_name,
            "address_1": sale.buyer.street,
            "address_2": sale.buyer.street_2,
            "city": town.name,
            "state": town.state_code,
            "postcode": town.postal_code,
            "country": "US",
            "phone": sale.buyer.phone,
        }
        completed = self.completed.get(sale.order_id)
        return {
            "id": int(sale.order_id),
            "number": sale.order_id,
            "status": self.status(sale),
            "currency": sale.currency,
            "date_created_gmt": _stamp(sale.placed_at),
            "date_modified_gmt": _stamp(sale.updated_at),
            "date_paid_gmt": _stamp(sale.placed_at) if sale.paid else None,
            "date_completed_gmt": _stamp(completed) if completed else None,
            "shipping_total": shipping,
            "total": _money(sale.before_tax_minor + sale.tax_minor),
            "total_tax": _money(sale.tax_minor),
            "prices_include_tax": False,
            "customer_id": 0,
            "billing": {**place, "email": f"{sale.buyer.handle}@example.com"},
            "shipping": place,
            "line_items": [_line(line) for line in sale.lines],
            "tax_lines": [],
            "shipping_lines": [{"id": 1, "method_title": "Flat rate", "total": shipping, "total_tax": "0.00"}],
            "fee_lines": [],
            "coupon_lines": [{"id": 2, "code": sale.discount_code}] if sale.discount_code else [],
            "refunds": [
                {"id": each["id"], "reason": each["reason"], "total": f"-{each['amount']}"} for each in refunds
            ],
        }

    def status(self, sale: Sale) -> str:
        """The word for where an order is."""
        if sale.cancelled_at:
            return "cancelled"
        if sum(float(each["amount"]) for each in self.refunds.get(sale.order_id, [])) * 100 >= _total(sale) - 0.5:
            return "refunded"
        return "completed" if sale.order_id in self.completed else "processing" if sale.paid else "pending"

    def list_orders(self, request: Request, names: dict[str, str]) -> Response:
        """`modified_after` is exclusive; it is the shop's own time unless `dates_are_gmt` is sent."""
        del names
        if request.query.get("dates_are_gmt") != "true" or request.query.get("orderby") != "modified":
            return _error(400, "rest_invalid_param")
        after = request.query.get("modified_after", "")
        found = [sale for sale in self.shelf.sales.values() if _stamp(sale.updated_at) > after]
        found.sort(key=lambda sale: (_stamp(sale.updated_at), int(sale.order_id)))
        return _page(request, [self.order(sale) for sale in found])

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
            units = {line.line_id: line.quantity for line in sale.lines}
            told = self.trackings.get(sale.order_id) or [{}]
            number, carrier = told[-1].get("tracking_number", ""), told[-1].get("tracking_provider", "")
            self.ship(sale, Parcel("completed", carrier, number, sale.updated_at, sale.updated_at, units))
        return json_response(200, self.order(sale))

    # --- refunds, notes, trackings ------------------------------------------------------------------

    def list_refunds(self, request: Request, names: dict[str, str]) -> Response:
        """Whole refunds, newest first."""
        return _page(request, self.refunds.get(self._sale(names).order_id, [])[::-1])

    def make_refund(self, request: Request, names: dict[str, str]) -> Response:
        """Takes no key: the same again is a second refund. The gateway's refusal is a 500."""
        sale, body = self._sale(names), request.json()
        known = self.refunds.setdefault(sale.order_id, [])
        so_far = sum(round(float(each["amount"]) * 100) for each in known)
        amount_minor = round(float(body["amount"]) * 100)
        if amount_minor + so_far > _total(sale):
            return _error(400, "woocommerce_rest_invalid_order_refund")
        if body.get("api_refund", True) and self.gateway_refuses:
            return _error(500, "woocommerce_rest_cannot_create_order_refund")
        made = {
            "id": self._next_id(),
            "date_created_gmt": _stamp(self.clock()),
            "amount": _money(amount_minor),
            "reason": body.get("reason", ""),
            "refunded_payment": bool(body.get("api_refund", True)),
            "line_items": [],
        }
        known.append(made)
        sale.touch(self.clock())
        self.changed(sale, "updated")
        return json_response(201, made)

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
        made = {"id": self._next_id(), "date_created_gmt": _stamp(self.clock()), **body}
        kept.setdefault(sale.order_id, []).append(made)
        return json_response(201, made)

    # --- products -----------------------------------------------------------------------------------

    def product(self, sku: str) -> dict[str, Any]:
        """A simple product."""
        listing = self.shelf.listings[sku]
        return {
            "id": product_id(sku),
            "name": listing.title,
            "type": "simple",
            "status": "publish",
            "sku": sku,
            "regular_price": _money(listing.price_minor),
            "virtual": False,
            "manage_stock": True,
            "stock_quantity": listing.quantity,
            "variations": [],
        }

    def list_products(self, request: Request, names: dict[str, str]) -> Response:
        """All, or those of `include`."""
        del names
        wanted = request.query.get("include", "").split(",") if request.query.get("include") else None
        found = [self.product(sku) for sku in self.shelf.listings]
        return _page(request, [each for each in found if wanted is None or str(each["id"]) in wanted])

    def change_products(self, request: Request, names: dict[str, str]) -> Response:
        """At most 100, each judged alone inside a 200."""
        del names
        wishes = request.json().get("update", [])
        if len(wishes) > 100:
            return _error(413, "woocommerce_rest_request_entity_too_large")
        return json_response(200, {"update": [self._changed_product(wish) for wish in wishes]})

    def _changed_product(self, wish: dict[str, Any]) -> dict[str, Any]:
        sku = next((sku for sku in self.shelf.listings if product_id(sku) == wish["id"]), "")
        if not sku or self.die.hits(self.die.faults.partial):
            problem = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}
            return {"id": wish["id"], "error": problem}
        listing = self.shelf.listings[sku]
        listing.quantity = int(wish.get("stock_quantity", listing.quantity))
        if "regular_price" in wish:
            listing.price_minor = round(float(wish["regular_price"]) * 100)
        return self.product(sku)

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

    # --- webhooks -----------------------------------------------------------------------------------

    def list_webhooks(self, request: Request, names: dict[str, str]) -> Response:
        """Their secrets are not shown."""
        del names
        return _page(request, list(self.hooks.values()))

    def make_webhook(self, request: Request, names: dict[str, str]) -> Response:
        """A new subscription."""
        del names
        body = request.json()
        hook = {"id": self._next_id(), **{key: value for key, value in body.items() if key != "secret"}}
        self.hooks[hook["id"]] = hook
        return json_response(201, hook)

    def update_webhook(self, request: Request, names: dict[str, str]) -> Response:
        """Enables or disables it."""
        hook = self.hooks.get(int(names["hook"]))
        if hook is None:
            return _error(404, "woocommerce_rest_shop_webhook_invalid_id")
        hook["status"] = request.json().get("status", hook["status"])
        return json_response(200, hook)

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
                "X-WC-Webhook-Delivery-ID": derived_digits(f"10{_stamp(change.at)}", 32),  # one for all of a second
            },
            body,
        )

    def _sale(self, names: dict[str, str]) -> Sale:
        sale = self.shelf.sales.get(names["order"])
        if sale is None:
            raise RefusalError(_error(404, "woocommerce_rest_shop_order_invalid_id"))
        return sale

    def _next_id(self) -> int:
        self._ids += 1
        return 90_000 + self._ids

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
        Route("GET", rf"{WC}/data/currencies/current", "show_currency", show_currency),
        Route("GET", rf"{WC}/system_status", "show_status", show_status),
        Route("GET", r"/wp-json/wc-shipment-tracking/v3", "show_tracking", show_tracking),
        Route("GET", rf"{WC}/webhooks", "list_webhooks", list_webhooks),
        Route("POST", rf"{WC}/webhooks", "make_webhook", make_webhook),
        Route("PUT", rf"{WC}/webhooks/(?P<hook>\d+)", "update_webhook", update_webhook),
    )


def _total(sale: Sale) -> int:
    return sale.before_tax_minor + sale.tax_minor


def _line(line: SoldLine) -> dict[str, Any]:
    return {
        "id": int(line.line_id),
        "name": line.title,
        "product_id": product_id(line.sku),
        "variation_id": 0,
        "quantity": line.quantity,
        "subtotal": _money(line.gross_minor),
        "total": _money(line.net_minor),
        "total_tax": _money(line.tax_minor),
        "meta_data": [],
        "sku": line.sku,
        "price": line.net_minor / line.quantity / 100,
    }


def _money(amount_minor: int) -> str:
    return f"{amount_minor // 100}.{amount_minor % 100:02}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _page(request: Request, found: list[dict[str, Any]]) -> Response:
    size, page = min(int(request.query.get("per_page", "10")), 100), int(request.query.get("page", "1"))
    counts = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))}
    return json_response(200, found[(page - 1) * size : page * size], counts)


def _error(status: int, code: str) -> Response:
    return json_response(status, {"code": code, "message": "", "data": {"status": status}})
