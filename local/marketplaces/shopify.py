"""Shopify: the client credentials grant and the GraphQL Admin API 2026-10 of one shop.

Sources: shopify.dev client-credentials-grant (24 h token), the schema admin_2026-10 and live captures of
2026-04 (inventory and fulfilment errors, `extensions.cost`). The GraphQL answers live in shopify_graphql.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from local.marketplaces import shopify_graphql, shopify_payments, shopify_returns, shopify_webhooks
from local.marketplaces.catalogue import Listing, shopify_inventory_item_id
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, Sale, ShelfListing
from local.marketplaces.shopify_back_office import Payment, ReturnMade, ShopOffice
from local.marketplaces.throttle import TokenBucket
from local.marketplaces.wire import RefusalError, Request, Response, json_response

API_VERSION = "2026-10"
TOKEN_LIFETIME_S = 86_399
SCOPES = (
    "read_orders,write_orders,read_customers,read_inventory,write_inventory,read_locations,"
    "write_merchant_managed_fulfillment_orders,read_products,write_products,read_shopify_payments_payouts,read_returns,"
    "write_returns,read_shopify_payments_disputes"
)
# The standard plan: 2,000 points at most, 100 restored a second.
COST_CEILING = 2000
COST_RESTORED_PER_S = 100
HELD = timedelta(days=7)  # how long a card's money can be captured


class Shopify(Market):
    """One shop. `scopes`: what the app was granted; `more_locations`: so many beside the one that keeps the stock;
    `has_payments`: it takes money by Shopify Payments."""

    name: ClassVar[str] = "shopify"
    habits: ClassVar[Habits] = Habits(pending=0.15, pending_cancelled=0.2, cancelled=0.04, discounted=0.15)

    shop_domain: ClassVar[str] = "millrace-goods.myshopify.com"
    client_id: ClassVar[str] = "local-shopify-client"
    client_secret: ClassVar[str] = "local-shopify-client-secret"  # noqa: S105 - opens nothing but this stand-in
    location: ClassVar[int] = 70_110_220_330

    def __init__(self, catalogue: Sequence[Listing], clock: Clock, die: FaultDie | None = None) -> None:
        super().__init__(catalogue, clock, die)
        self.scopes = SCOPES.split(",")
        self.settles_in: tuple[str, str] | None = None  # the currency of the payouts and its rate, where not the shop's
        self.more_locations, self.is_location_active, self.has_payments = 0, True, True
        self.points = TokenBucket.full(COST_RESTORED_PER_S, COST_CEILING, clock())
        self.sku_of_item = {shopify_inventory_item_id(listing.sku): listing.sku for listing in catalogue}

    @property
    def location_id(self) -> str:
        """The location's global id."""
        return f"gid://shopify/Location/{self.location}"

    def order_id(self, number: int) -> str:
        """The order's number in the whole of Shopify, as REST bodies give it in `id`."""
        return str(6_100_000_000_000 + number)

    def line_id(self, number: int, index: int) -> str:
        """The line item's number."""
        return str(15_000_000_000_000 + number * 10 + index)

    def listing_of_item(self, inventory_item_gid: str) -> ShelfListing | None:
        """The listing behind gid://shopify/InventoryItem/N."""
        _, _, number = inventory_item_gid.rpartition("gid://shopify/InventoryItem/")
        sku = self.sku_of_item.get(int(number)) if number.isdecimal() else None
        return self.shelf.listings.get(sku) if sku else None

    @property
    def office(self) -> ShopOffice:
        """What this shop alone has to remember."""
        if self.shelf.shopify is None:
            self.shelf.shopify = ShopOffice()
        return self.shelf.shopify

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Jobs whose time has come are over before anything is answered."""
        shopify_payments.end_jobs(self)
        return super().carry_out(route, request, names)

    def committed(self, sku: str) -> int:
        """Units that open orders hold: sold, and not shipped."""
        sales = self.shelf.sales.values()
        return sum(sale.open_units(line.line_id) for sale in sales for line in sale.lines if line.sku == sku)

    def sale_of(self, order_gid: str) -> Sale | None:
        """The order behind gid://shopify/Order/N."""
        return self.shelf.sales.get(order_gid.removeprefix("gid://shopify/Order/"))

    def authorise(self, sale: Sale) -> Payment:
        """The money is held for a week."""
        return shopify_payments.authorise(self, sale, sale.placed_at + HELD)

    def open_return(self, sale: Sale, line_id: str, units: int, now: datetime, /) -> ReturnMade:
        """The buyer wants to send units back."""
        return shopify_returns.open_by_buyer(self, sale, {line_id: units}, now)

    def webhooks(self, change: Change) -> list[shopify_webhooks.Webhook]:
        """The deliveries that this change causes, with the order as it is now."""
        return shopify_webhooks.webhooks(self, change)

    # --- answers ----------------------------------------------------------------------------------

    def throttled(self, request: Request) -> Response:
        """HTTP 200 with a THROTTLED error; the token endpoint knows 429 only."""
        if request.path.endswith("/access_token"):
            return json_response(429, {"errors": "Exceeded 2 calls per second for api client."}, {"Retry-After": "2.0"})
        self.points.refill(self.clock())
        return shopify_graphql.throttled(self, requested=self.points.burst)

    def not_found(self, _request: Request) -> Response:
        """404 in REST's shape."""
        return json_response(404, {"errors": "Not Found"})

    def grant_token(self, request: Request, _names: dict[str, str]) -> Response:
        """POST /admin/oauth/access_token, body as form or JSON."""
        is_json = request.header("Content-Type").startswith("application/json")
        try:
            fields: dict[str, Any] = request.json() if is_json else request.form()
        except ValueError:
            fields = {}
        if (fields.get("client_id"), fields.get("client_secret")) != (self.client_id, self.client_secret):
            return oauth_error("invalid_client", "The client id or the client secret is wrong.")
        if fields.get("grant_type") != "client_credentials":
            return oauth_error("unsupported_grant_type", "This app is granted tokens by client_credentials only.")
        token = self.issue_token("shpat_", TOKEN_LIFETIME_S)
        return json_response(
            200, {"access_token": token, "scope": ",".join(self.scopes), "expires_in": TOKEN_LIFETIME_S}
        )

    def graphql(self, request: Request, _names: dict[str, str]) -> Response:
        """POST /admin/api/2026-10/graphql.json with {query, variables?, operationName?}."""
        if not self.token_valid(request.header("X-Shopify-Access-Token")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            raise RefusalError(json_response(401, {"errors": message}))
        try:
            asked = request.json()
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
            raise RefusalError(json_response(400, {"errors": {"query": "Required parameter missing or invalid"}}))
        return shopify_graphql.execute(self, asked)

    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", r"/admin/oauth/access_token", "accessToken", grant_token),
        Route("POST", rf"/admin/api/{API_VERSION}/graphql\.json", "graphql", graphql),
    )


def oauth_error(error: str, description: str) -> Response:
    """400 in OAuth's shape."""
    return json_response(400, {"error": error, "error_description": description})
