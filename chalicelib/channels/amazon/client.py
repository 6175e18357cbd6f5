"""Amazon's Selling Partner API as the app's `ChannelClient`.

Sources: SP-API models orders_2026-01-01, listingsItems_2021-08-01, ordersV0 (confirmShipment), feeds_2021-06-30,
reports_2021-06-30, finances_2024-06-19, notifications and sellers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.finances import read_transactions
from chalicelib.channels.amazon.health import PERFORMANCE, read_performance
from chalicelib.channels.amazon.listings import Listings, wanted_price, wanted_quantity
from chalicelib.channels.amazon.offers import Offers
from chalicelib.channels.amazon.order_feeds import OrderFeeds
from chalicelib.channels.amazon.reports import Reports
from chalicelib.channels.amazon.returns import REACH_MS, RETURNS, OrderLines, read_returns
from chalicelib.channels.amazon.settlement import SETTLEMENTS, read_settlements
from chalicelib.channels.amazon.shipments import confirm_shipment
from chalicelib.channels.amazon.subscriptions import ensure_destination, ensure_subscription, participations
from chalicelib.channels.amazon.wire import Wire, having, iso
from chalicelib.channels.facts import ChannelReturn, ListedItem, Metric, Payout
from chalicelib.channels.fields import Node, parse
from chalicelib.channels.port import (
    Availability,
    Basic,
    CancellationRequest,
    Price,
    RefundRequest,
    ShipmentConfirmation,
    Skip,
    id_in,
    read_all,
)
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised, Unreadable
from chalicelib.domain.settlement import LedgerFact

# TAX is left out: it tells of the buyer's tax registration, which nothing here needs; amounts come with PROCEEDS.
_INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES"
_PAGE = 100
_REMEMBERED = 400  # settlements; more than are kept, even of a seller who is paid several times a day
_PAID_LATER_MS = 3 * 86_400_000


class AmazonClient(Basic):
    """Speaks for one seller account. `account`: base_url, seller_id, marketplace_id, and lwa_url where it differs."""

    def __init__(self, access: Access) -> None:
        self._wire = Wire(access)
        self._jobs = access.jobs

    # --- orders -----------------------------------------------------------------------------------

    def get_order(self, external_id: str) -> bytes:
        """getOrder: the order with everything that our role may see, as Amazon wrote it."""
        path = f"/orders/2026-01-01/orders/{quote(external_id, safe='')}?{urlencode({'includedData': _INCLUDED})}"
        return json.dumps(having(self._wire.call("getOrder", "GET", path), "order")).encode()

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """searchOrders by time of last update, all pages: each order raw, and when it changed.

        An order whose time cannot be read is passed on as of `since_ms`: the reader refuses it, the others go on.
        """
        query = {
            **({"paginationToken": position} if position else {}),
            "lastUpdatedAfter": iso(since_ms),
            "marketplaceIds": self._wire.marketplace_id,
            "fulfilledBy": "MERCHANT",
            "includedData": _INCLUDED,
            "maxResultsPerPage": str(_PAGE),
        }
        while True:
            answer = self._wire.call("searchOrders", "GET", f"/orders/2026-01-01/orders?{urlencode(query)}")
            page = having(answer, "orders")
            if not isinstance(page["orders"], list):
                raise Busy("Amazon answered with orders of another kind", after_s=5)
            for order in page["orders"]:
                raw = json.dumps({"order": order}).encode()
                changed_ms = _changed_ms(raw, since_ms)
                if not skip(id_in(order, "orderId"), changed_ms):
                    yield raw, changed_ms
            following = page.get("pagination")
            token = following.get("nextToken") if isinstance(following, dict) else None
            if not token:
                self.position = ""
                return
            self.position = query["paginationToken"] = str(token)

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """confirmShipment. The package's number is its place in the order, and the same number again only edits it.

        Raises `Refused` tracking_missing for a parcel without a tracking number.
        """
        confirm_shipment(self._wire, external_id, parcel)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call whole lines off by a feed: see `OrderFeeds.cancel`."""
        OrderFeeds(self._wire, self._jobs).cancel(external_id, wish, self.get_order)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Pay back by a feed: see `OrderFeeds.refund`."""
        return OrderFeeds(self._wire, self._jobs).refund(external_id, wish, self.get_order)

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:  # noqa: ARG002
        """Every return asked for in the last 60 days, whenever it changed: the report tells only when it was asked for,
        and reaches no further back. `Busy` while it is being made."""
        start_ms = self._wire.now_ms - REACH_MS
        # Rounded to days, so that a report asked for a little earlier still serves.
        report = Reports(self._wire, self._jobs).fetch(RETURNS, start_ms - start_ms % 86_400_000 + 86_400_000)
        lines = OrderLines(self._jobs, self.get_order)
        found = list(read_returns(report, lines.of))
        lines.keep()
        yield from found

    # --- listings ---------------------------------------------------------------------------------

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Patch by patch in the order given; more than 20 at once by one feed, but for those that fall to 0. `Busy`
        for a listing whose feed is not finished, and for what stands behind a throttled call."""
        return Listings(self._wire, self._jobs, "listing").show([wanted_quantity(item) for item in wanted])

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """The same for prices; smallest and largest price and those for businesses stay."""
        prices = [wanted_price(item, self._wire.marketplace_id) for item in wanted]
        return Listings(self._wire, self._jobs, "price").show(prices)

    def listings(self) -> Iterator[ListedItem]:
        """Everything that the seller lists in this store: see `Offers`, which goes on after `Busy`."""
        return Offers(self._wire)

    # --- money and metrics ------------------------------------------------------------------------

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """listTransactions since then: see `read_transactions`."""
        return read_transactions(self._wire, since_ms)

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every settlement reported since then, and three days before, since a report is made before the bank is paid;
        oldest first. One that has been given, and after which the next was asked for, never changes and is not fetched
        again. One that cannot be read or does not add up is raised last, when the others have been given."""
        reports = Reports(self._wire, self._jobs)
        made = [each for each in reports.made(SETTLEMENTS, since_ms - _PAID_LATER_MS) if _is_done(each)]
        given = list((self._jobs.get(SETTLEMENTS) or {}).get("given", ()))
        refused: Refused | None = None
        for report in sorted(made, key=_made_ms):
            report_id = report.identity("reportId")
            if report_id in given:
                continue
            try:
                payouts = read_settlements(reports.document(report.identity("reportDocumentId")))
            except Unauthorised:
                raise
            except Refused as error:
                refused = error
                continue
            yield from payouts
            given = [*given, report_id][-_REMEMBERED:]
            self._jobs.put(SETTLEMENTS, {"given": given})
        if refused:
            raise refused

    def health(self) -> list[Metric]:
        """The report of the seller's performance, asked for anew. `Busy` while it is being made."""
        report = Reports(self._wire, self._jobs).fetch(PERFORMANCE)
        return read_performance(report, self._wire.marketplace_id) if report else []

    # --- setting an account up --------------------------------------------------------------------

    def participations(self) -> list[dict[str, Any]]:
        """The stores that the seller sells in: see `subscriptions.participations`."""
        return participations(self._wire)

    def ensure_destination(self, sqs_arn: str, name: str) -> str:
        """The id of the app's destination for this queue: see `subscriptions.ensure_destination`."""
        return ensure_destination(self._wire, sqs_arn, name)

    def ensure_subscription(self, notification_type: str, destination_id: str) -> str:
        """The id of the seller's subscription: see `subscriptions.ensure_subscription`."""
        return ensure_subscription(self._wire, notification_type, destination_id)


def _is_done(report: Node) -> bool:
    return report.text("processingStatus") == "DONE"


def _made_ms(report: Node) -> int:
    try:
        return report.optional_time_ms("createdTime")
    except Unreadable:
        return 0


def _changed_ms(raw: bytes, otherwise_ms: int) -> int:
    try:
        return parse(raw).at("order").time_ms("lastUpdatedTime")
    except Unreadable:
        return otherwise_ms
