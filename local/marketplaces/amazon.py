"""Amazon: Login with Amazon, and the SP-API operations of one seller in one store.

Sources: orders_2026-01-01.json, ordersV0.json (confirmShipment) and listingsItems_2021-08-01.json for paths,
parameters, usage plans and error shapes; connecting-to-the-selling-partner-api for the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from local.marketplaces import amazon_listings, amazon_notifications, amazon_orders, amazon_shipments
from local.marketplaces.amazon_errors import error_response, refuse
from local.marketplaces.catalogue import Listing, derived_digits
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, QuantityDue
from local.marketplaces.throttle import TokenBucket
from local.marketplaces.wire import Request, Response, json_response

TOKEN_LIFETIME_S = 3600
STORES = {
    "USD": ("ATVPDKIKX0DER", "Amazon.com"),
    "CAD": ("A2EUQ1WTGCTBG2", "Amazon.ca"),
    "GBP": ("A1F83G8C2ARO7P", "Amazon.co.uk"),
    "EUR": ("A1PA6795UKMFR9", "Amazon.de"),
    "JPY": ("A1VC38T7YXB528", "Amazon.co.jp"),
}


@dataclass(frozen=True)
class UsagePlan:
    """Default rate and burst of an operation, for each pair of seller and application."""

    rate_per_s: float
    burst: int


USAGE_PLANS = {
    "searchOrders": UsagePlan(0.0056, 20),
    "getOrder": UsagePlan(0.5, 30),
    "confirmShipment": UsagePlan(2, 10),
    "getListingsItem": UsagePlan(5, 10),
    "patchListingsItem": UsagePlan(5, 5),
}


class Amazon(Market):
    """One seller in one store. `rate_scale` multiplies the published rates, for a day that is played in minutes."""

    name: ClassVar[str] = "amazon"
    habits: ClassVar[Habits] = Habits(pending=0.3, pending_cancelled=0.1, cancelled=0.02, discounted=0.1)

    seller_id: ClassVar[str] = "A3MILLRACE0XMP"
    client_id: ClassVar[str] = "amzn1.application-oa2-client.local"
    client_secret: ClassVar[str] = "local-amazon-client-secret"  # noqa: S105 - opens nothing but this stand-in
    refresh_token: ClassVar[str] = "Atzr|local-amazon-refresh-token"  # noqa: S105

    def __init__(
        self,
        catalogue: Sequence[Listing],
        clock: Clock,
        die: FaultDie | None = None,
        *,
        rate_scale: float = 1.0,
    ) -> None:
        super().__init__(catalogue, clock, die)
        self.marketplace_id, self.store_name = STORES[self.currency]
        self.rate_scale = rate_scale
        self.requests_answered = 0
        self.buckets = {
            operation: TokenBucket.full(plan.rate_per_s * rate_scale, plan.burst, clock())
            for operation, plan in USAGE_PLANS.items()
        }

    def order_id(self, number: int) -> str:
        """3-7-7 digits."""
        return f"114-{derived_digits(f'amazon/{number}', 7)}-{number:07}"

    def line_id(self, number: int, index: int) -> str:
        """orderItemId"""
        return str(60_000_000_000_000 + number * 10 + index)

    def notification(self, change: Change) -> bytes:
        """The SQS body that this change causes, with the order as it is now."""
        return amazon_notifications.order_change(self, change)

    def put_live_later(self, sku: str, quantity: int) -> None:
        """An accepted quantity becomes visible after the die's `listing_delay_s`, at once when that is 0."""
        at = self.clock() + timedelta(seconds=self.die.faults.listing_delay_s)
        self.shelf.quantities_due.append(QuantityDue(at, sku, quantity))
        self.put_due_quantities_live()

    def put_due_quantities_live(self) -> None:
        """Applies accepted quantities in the order of their acceptance."""
        now = self.clock()
        ripe = [due for due in self.shelf.quantities_due if due.at <= now]
        self.shelf.quantities_due = [due for due in self.shelf.quantities_due if due.at > now]
        for due in ripe:
            self.shelf.listings[due.sku].quantity = due.quantity

    # --- answers ----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """As Market.answer, with the headers that every SP-API answer bears."""
        self.put_due_quantities_live()
        response = super().answer(request)
        self.requests_answered += 1
        return Response(response.status, {**response.headers, **self._request_id()}, response.body)

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Token first, then the usage plan, then the operation."""
        plan = USAGE_PLANS.get(route.operation)
        if plan is None:
            return super().carry_out(route, request, names)
        self._authorise(request)
        if not self.buckets[route.operation].take(1, self.clock()):
            return self.throttled(request)
        response = super().carry_out(route, request, names)
        limit = {"x-amzn-RateLimit-Limit": str(plan.rate_per_s * self.rate_scale)}
        return Response(response.status, {**response.headers, **limit}, response.body)

    def _request_id(self) -> dict[str, str]:
        return {"x-amzn-RequestId": f"{self.requests_answered:08x}-local"}

    def _authorise(self, request: Request) -> None:
        token = request.header("x-amz-access-token")
        if self.token_valid(token):
            return
        expired = token.startswith("Atza|")
        details = (
            "The access token you provided has expired."
            if expired
            else "Access token is missing in the request header."
        )
        # Only the v0 operation's model knows 401; the others answer 403 for both.
        status = 401 if request.path.startswith("/orders/v0/") and not expired else 403
        raise refuse(status, "Unauthorized", "Access to requested resource is denied.", details)

    def throttled(self, _request: Request) -> Response:
        """429 QuotaExceeded; it bears no rate limit header."""
        response = error_response(429, "QuotaExceeded", "You exceeded your quota for the requested resource.", "")
        return Response(response.status, {**response.headers, **self._request_id()}, response.body)

    def not_found(self, request: Request) -> Response:
        """The gateway's answer to an unknown path."""
        return error_response(404, "NotFound", "The requested resource is not found.", request.path)

    def grant_token(self, request: Request, _names: dict[str, str]) -> Response:
        """POST /auth/o2/token: Login with Amazon, which has an error shape of its own."""
        fields: dict[str, Any] = request.form()
        if (fields.get("client_id"), fields.get("client_secret")) != (self.client_id, self.client_secret):
            return lwa_error(401, "invalid_client", "Client authentication failed")
        if fields.get("grant_type") != "refresh_token":
            return lwa_error(400, "unsupported_grant_type", "The authorization grant type is not supported")
        if fields.get("refresh_token") != self.refresh_token:
            return lwa_error(400, "invalid_grant", "The request has an invalid grant parameter : refresh_token")
        answer = {
            "access_token": self.issue_token("Atza|", TOKEN_LIFETIME_S),
            "refresh_token": self.refresh_token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFETIME_S,
        }
        return json_response(200, answer)

    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", r"/auth/o2/token", "token", grant_token),
        Route("GET", r"/orders/2026-01-01/orders", "searchOrders", amazon_orders.search_orders),
        Route("GET", r"/orders/2026-01-01/orders/(?P<order_id>[^/]+)", "getOrder", amazon_orders.get_order),
        Route(
            "POST",
            r"/orders/v0/orders/(?P<order_id>[^/]+)/shipmentConfirmation",
            "confirmShipment",
            amazon_shipments.confirm_shipment,
        ),
        Route(
            "GET",
            r"/listings/2021-08-01/items/(?P<seller_id>[^/]+)/(?P<sku>[^/]+)",
            "getListingsItem",
            amazon_listings.get_item,
        ),
        Route(
            "PATCH",
            r"/listings/2021-08-01/items/(?P<seller_id>[^/]+)/(?P<sku>[^/]+)",
            "patchListingsItem",
            amazon_listings.patch_item,
        ),
    )


def lwa_error(status: int, error: str, description: str) -> Response:
    """An error of Login with Amazon."""
    return json_response(status, {"error": error, "error_description": description})
