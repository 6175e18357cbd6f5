"""eBay: OAuth, and the Sell Fulfillment and Inventory operations of one seller.

Sources: sell_fulfillment_v1_oas3.json, sell_inventory_v1_oas3.json (operations, limits, `x-response-codes`);
api-docs/static/oauth-refresh-token-request.html.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, ClassVar

from local.marketplaces import ebay_fulfillments, ebay_inventory, ebay_orders
from local.marketplaces.catalogue import Listing, derived_digits, ebay_offer_id
from local.marketplaces.ebay_errors import error_response, refuse
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.wire import Request, Response, json_response

TOKEN_LIFETIME_S = 7200
SITES = {"USD": "EBAY_US", "CAD": "EBAY_CA", "GBP": "EBAY_GB", "EUR": "EBAY_DE", "AUD": "EBAY_AU"}


class Ebay(Market):
    """One seller on one site. `base_url` is what links in answers begin with. It notifies nobody: it is polled."""

    name: ClassVar[str] = "ebay"
    habits: ClassVar[Habits] = Habits(cancelled=0.03, discounted=0.1)

    seller_id: ClassVar[str] = "millrace_goods"
    client_id: ClassVar[str] = "MillraceG-Local-PRD-0000000000-00000000"
    client_secret: ClassVar[str] = "local-ebay-client-secret"  # noqa: S105 - opens nothing but this stand-in
    refresh_token: ClassVar[str] = "v^1.1#local-ebay-refresh-token"  # noqa: S105

    def __init__(
        self,
        catalogue: Sequence[Listing],
        clock: Clock,
        die: FaultDie | None = None,
        *,
        base_url: str = "https://api.ebay.com",
    ) -> None:
        super().__init__(catalogue, clock, die)
        self.site = SITES[self.currency]
        self.base_url = base_url
        self.sku_of_offer = {ebay_offer_id(listing.sku): listing.sku for listing in catalogue}

    def order_id(self, number: int) -> str:
        """2-5-5 digits."""
        return f"12-{derived_digits(f'ebay/{number // 100_000}', 5)}-{number % 100_000:05}"

    def line_id(self, number: int, index: int) -> str:
        """lineItemId"""
        return str(10_080_000_000_000 + number * 10 + index)

    # --- answers ----------------------------------------------------------------------------------

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """The token is checked before every operation but the one that grants it."""
        scheme, _, token = request.header("Authorization").partition(" ")
        if route.operation != "token" and (scheme != "Bearer" or not self.token_valid(token)):
            message = "Invalid access token"
            raise refuse(
                401,
                1001,
                message,
                "Check the value of the Authorization HTTP request header.",
                domain="OAuth",
            )
        return super().carry_out(route, request, names)

    def throttled(self, _request: Request) -> Response:
        """429, error 2001"""
        details = "The request limit has been reached for the resource."
        return error_response(429, 2001, "Too many requests.", details, domain="ACCESS")

    def not_found(self, request: Request) -> Response:
        """404 for a path that is no operation."""
        return error_response(404, 2002, "Resource not found", request.path, domain="ACCESS")

    def grant_token(self, request: Request, _names: dict[str, str]) -> Response:
        """POST /identity/v1/oauth2/token with Basic credentials and a refresh token; scopes are not looked at."""
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        fields: dict[str, Any] = request.form()
        if request.header("Authorization") != f"Basic {basic}":
            return oauth_error(401, "invalid_client", "client authentication failed")
        if fields.get("grant_type") != "refresh_token":
            return oauth_error(
                400,
                "unsupported_grant_type",
                "grant type in request is not supported by the authorization server",
            )
        if fields.get("refresh_token") != self.refresh_token:
            return oauth_error(
                400,
                "invalid_grant",
                "the provided authorization refresh token is invalid or was issued to another client",
            )
        token = self.issue_token("v^1.1#", TOKEN_LIFETIME_S)
        return json_response(
            200, {"access_token": token, "token_type": "User Access Token", "expires_in": TOKEN_LIFETIME_S}
        )

    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", r"/identity/v1/oauth2/token", "token", grant_token),
        Route("GET", r"/sell/fulfillment/v1/order", "getOrders", ebay_orders.get_orders),
        Route("GET", r"/sell/fulfillment/v1/order/(?P<order_id>[^/]+)", "getOrder", ebay_orders.get_order),
        Route(
            "POST",
            r"/sell/fulfillment/v1/order/(?P<order_id>[^/]+)/shipping_fulfillment",
            "createShippingFulfillment",
            ebay_fulfillments.create,
        ),
        Route(
            "GET",
            r"/sell/fulfillment/v1/order/(?P<order_id>[^/]+)/shipping_fulfillment",
            "getShippingFulfillments",
            ebay_fulfillments.get_all,
        ),
        Route(
            "GET",
            r"/sell/fulfillment/v1/order/(?P<order_id>[^/]+)/shipping_fulfillment/(?P<fulfillment_id>[^/]+)",
            "getShippingFulfillment",
            ebay_fulfillments.get_one,
        ),
        Route(
            "POST",
            r"/sell/inventory/v1/bulk_update_price_quantity",
            "bulkUpdatePriceQuantity",
            ebay_inventory.bulk_update_price_quantity,
        ),
        Route(
            "GET",
            r"/sell/inventory/v1/inventory_item/(?P<sku>[^/]+)",
            "getInventoryItem",
            ebay_inventory.get_inventory_item,
        ),
    )


def oauth_error(status: int, error: str, description: str) -> Response:
    """An error of eBay's OAuth."""
    return json_response(status, {"error": error, "error_description": description})
