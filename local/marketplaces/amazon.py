"""Amazon: Login with Amazon, and the SP-API operations of one seller in one store.

Sources: the official models (orders_2026-01-01, ordersV0, listingsItems_2021-08-01, feeds_2021-06-30,
reports_2021-06-30, finances_2024-06-19, notifications, sellers) for paths, parameters, usage plans and error shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import ClassVar

from local.marketplaces import (
    amazon_access,
    amazon_documents,
    amazon_feeds,
    amazon_finances,
    amazon_life,
    amazon_listings,
    amazon_listings_search,
    amazon_money,
    amazon_notifications,
    amazon_orders,
    amazon_report_types,
    amazon_reports,
    amazon_sellers,
    amazon_settlement,
    amazon_shipments,
    amazon_subscriptions,
)
from local.marketplaces.amazon_back_office import AmazonOffice, Job, ReturnRequest
from local.marketplaces.amazon_errors import error_response
from local.marketplaces.amazon_plans import USAGE_PLANS
from local.marketplaces.catalogue import Listing, derived_digits
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, Parcel, QuantityDue, Sale
from local.marketplaces.throttle import TokenBucket
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response

STORES = {
    "USD": ("ATVPDKIKX0DER", "Amazon.com"),
    "CAD": ("A2EUQ1WTGCTBG2", "Amazon.ca"),
    "GBP": ("A1F83G8C2ARO7P", "Amazon.co.uk"),
    "EUR": ("A1PA6795UKMFR9", "Amazon.de"),
    "JPY": ("A1VC38T7YXB528", "Amazon.co.jp"),
}


class Amazon(Market):
    """One seller in one store. `rate_scale` multiplies the published rates, for a day that is played in minutes.

    `base_url`: where the addresses of documents begin. Attributes that a test or a console may set at any time:
    `consented` (False: the seller took his consent back), `throttled_until` and `down_until`, `queue_s` and
    `processing_s` (of a feed or report), `deferred_days` (how long a shipment's money is held, 0 not at all),
    `transactions_per_page`, `compress_documents`, `pii_kept_days`, `account_status` (NORMAL, AT_RISK, DEACTIVATED).
    `over_budget` counts, per operation, the calls that a usage plan refused; the die's random 429s are not in it.
    """

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
        base_url: str = "https://sellingpartnerapi-na.amazon.com",
    ) -> None:
        super().__init__(catalogue, clock, die)
        self.marketplace_id, self.store_name = STORES[self.currency]
        self.rate_scale = rate_scale
        self.base_url = base_url
        self.requests_answered = 0
        self.consented = True
        self.throttled_until: datetime | None = None
        self.down_until: datetime | None = None
        self.queue_s, self.processing_s = 2.0, 3.0
        self.deferred_days = 7.0
        self.transactions_per_page = 500
        self.compress_documents = True
        self.pii_kept_days = 30.0
        self.account_status = "NORMAL"
        self.over_budget: Counter[str] = Counter()
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

    @property
    def office(self) -> AmazonOffice:
        """What Amazon knows beside listings and orders; it lies on the shelf, and so survives a restart."""
        if self.shelf.amazon is None:
            self.shelf.amazon = AmazonOffice()
        return self.shelf.amazon

    def notification(self, change: Change) -> bytes:
        """The SQS body that this change causes, with the order, feed, report … as it is now."""
        return amazon_notifications.notification(self, change)

    def emit(self, kind: str, subject_id: str, at: datetime) -> None:
        """Notes a change of another kind than ORDER_CHANGE, if the seller has subscribed to it."""
        if self.office.subscribed(kind):
            self.shelf.changes.append(Change(subject_id, kind, at))

    # --- time -------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """As Market.advance; feeds, reports and held money move on too."""
        super().advance(now)
        self.catch_up()

    def catch_up(self) -> None:
        """Does what was due by now: quantities, feeds, reports, the release of money."""
        self.put_due_quantities_live()
        amazon_feeds.work_off(self)
        amazon_reports.work_off(self)
        amazon_money.release(self, self.clock())

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
            self.emit("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", due.sku, now)

    # --- the life of an order ---------------------------------------------------------------------

    def sell_fba(self, rng: Random, now: datetime, sku: str | None = None) -> Sale | None:
        """An order that Amazon ships from its own stock: the seller sees it, and has nothing to do with it."""
        sale = self.sell(rng, now, sku)
        if sale:
            self.office.note(sale.order_id).fulfilled_by = "AMAZON"
            for line in sale.lines:
                self.shelf.listings[line.sku].put_back(line.quantity)
        return sale

    def cancel(self, sale: Sale, now: datetime) -> None:
        """As Market.cancel; Amazon notes who did it: the buyer, or itself when the payment failed."""
        if sale.cancelled_at or sale.parcels:
            return
        by, why = ("BUYER", "BUYER_CANCELED") if sale.paid else ("AMAZON", "PAYMENT_NOT_AUTHORIZED")
        amazon_life.call_off(self, sale, [line.line_id for line in sale.lines], by, why, now)

    def ship(self, sale: Sale, parcel: Parcel) -> None:
        """As Market.ship; the units that left are booked."""
        before = {line.line_id: sale.shipped(line.line_id) for line in sale.lines}
        super().ship(sale, parcel)
        amazon_money.book_shipment(self, sale, before, parcel, self.clock())

    def request_cancel(self, sale: Sale, now: datetime, reason: str = "Ordered by mistake") -> bool:
        """The buyer asks to cancel; False when the order does not wait to be shipped."""
        return amazon_life.request_cancel(self, sale, now, reason)

    def open_return(
        self, sale: Sale, line_id: str, units: int, now: datetime, reason: str = "CR-UNWANTED_ITEM"
    ) -> ReturnRequest:
        """The buyer sends units back. Raises ValueError for more than have been shipped."""
        return amazon_report_types.open_return(self, sale, line_id, units, now, reason)

    def set_status(self, sale: Sale, status: str, now: datetime) -> None:
        """Shows a status of a test's choice, e.g. UNFULFILLABLE or an unknown one; '' shows the real one again."""
        self.office.note(sale.order_id).status = status
        sale.touch(now)
        self.changed(sale, "status_set")

    def report_issue(self, sku: str, severities: list[str], now: datetime) -> None:
        """Issues of these severities (ERROR, WARNING) stand on the listing from now on; [] clears them."""
        self.office.issues[sku] = severities
        self.emit("LISTINGS_ITEM_ISSUES_CHANGE", sku, now)

    def charge_fee(self, label: str, amount_minor: int, now: datetime) -> None:
        """A service fee that belongs to no order, e.g. 'Subscription Fee'."""
        amazon_money.charge(self, label, amount_minor, now)

    def close_settlement(self, now: datetime, *, european: bool = False, unknown_row: bool | None = None) -> Job:
        """Settles what is released; see amazon_settlement."""
        return amazon_settlement.close_settlement(self, now, european=european, unknown_row=unknown_row)

    # --- answers ----------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """As Market.handle. While Amazon is down nothing answers; while it throttles, tokens and documents still do."""
        now = self.clock()
        if self.down_until and now < self.down_until:
            return GATEWAY_PAGE
        if (
            self.throttled_until
            and now < self.throttled_until
            and not request.path.startswith(("/auth/", "/documents/"))
        ):
            return self.throttled(request)
        return super().handle(request)

    def answer(self, request: Request) -> Response:
        """As Market.answer, with the headers that every SP-API answer bears."""
        self.catch_up()
        response = super().answer(request)
        self.requests_answered += 1
        return Response(response.status, {**response.headers, **self._request_id()}, response.body)

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Token first, then the usage plan, then the operation."""
        plan = USAGE_PLANS.get(route.operation)
        if plan is None:
            return super().carry_out(route, request, names)
        amazon_access.authorise(self, route.operation, request)
        if not self.buckets[route.operation].take(1, self.clock()):
            self.over_budget[route.operation] += 1
            return self.throttled(request)
        response = super().carry_out(route, request, names)
        limit = {"x-amzn-RateLimit-Limit": str(plan.rate_per_s * self.rate_scale)}
        return Response(response.status, {**response.headers, **limit}, response.body)

    def _request_id(self) -> dict[str, str]:
        return {"x-amzn-RequestId": f"{self.requests_answered:08x}-local"}

    def throttled(self, request: Request) -> Response:
        """429 QuotaExceeded; it bears no rate limit header. The storage of documents has its own way to say it."""
        if request.path.startswith("/documents/"):
            return amazon_documents.SLOW_DOWN
        response = error_response(429, "QuotaExceeded", "You exceeded your quota for the requested resource.", "")
        return Response(response.status, {**response.headers, **self._request_id()}, response.body)

    def not_found(self, request: Request) -> Response:
        """The gateway's answer to an unknown path."""
        return error_response(404, "NotFound", "The requested resource is not found.", request.path)

    routes: ClassVar[tuple[Route, ...]] = (
        *amazon_access.ROUTES,
        *amazon_orders.ROUTES,
        *amazon_shipments.ROUTES,
        *amazon_listings.ROUTES,
        *amazon_listings_search.ROUTES,
        *amazon_sellers.ROUTES,
        *amazon_subscriptions.ROUTES,
        *amazon_feeds.ROUTES,
        *amazon_reports.ROUTES,
        *amazon_documents.ROUTES,
        *amazon_finances.ROUTES,
    )
