"""Speaks to eBay for one seller.

Nothing at eBay takes an idempotency key: quantities are absolute, and a shipment, a refund or a cancellation is looked
for before it is made. Each concern has a module of its own, which names its sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.access import Access
from chalicelib.channels.ebay import (
    cancellations,
    listings,
    refunds,
    returns,
    settlement,
    setup,
    standards,
    stock,
)
from chalicelib.channels.ebay.availability import MOST_ENTRIES
from chalicelib.channels.ebay.orders import Changes, read_order
from chalicelib.channels.ebay.parcels import fulfilment_of, is_told
from chalicelib.channels.ebay.refunds import order_path
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.facts import ChannelReturn, ListedItem, Metric, Payout
from chalicelib.channels.port import (
    Availability,
    Basic,
    CancellationRequest,
    Items,
    Price,
    RefundRequest,
    ShipmentConfirmation,
    Skip,
    read_all,
)
from chalicelib.domain.errors import HeadraceError
from chalicelib.domain.settlement import LedgerFact


class EbayClient(Basic):
    """One seller.

    account      base_url, marketplace_id (EBAY_US), bulk_skus (25: listings in one call that shows quantities)
    credentials  client_id, client_secret, refresh_token; scopes when he has consented to fewer than `oauth.SCOPES`;
                 signing_key {jwe, private_key, expires_ms} for sellers in the EU and the UK
    """

    def __init__(self, access: Access) -> None:
        self._wire = EbayWire(access)
        self._bulk_skus = min(max(int(access.account.get("bulk_skus") or MOST_ENTRIES), 1), MOST_ENTRIES)
        self._changes = Changes(self._wire)
        self._now_ms = access.now_ms
        self._jobs = access.jobs

    # --- orders ---------------------------------------------------------------------------------------

    def get_order(self, external_id: str) -> bytes:
        """One order as JSON. Raises `Refused` when eBay does not know it."""
        return read_order(self._wire, external_id)

    @property
    def position(self) -> str:  # type: ignore[override]
        """Where a reading of `changed_orders` that breaks off can go on."""
        return self._changes.position

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, as JSON with its own time of change (Unix ms); an order may come twice."""
        return self._changes.read(since_ms, skip, position)

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell eBay of a parcel, unless it knows of it already. Raises `Refused` for what it will never take."""
        path = f"{order_path(external_id)}/shipping_fulfillment"
        body = fulfilment_of(parcel, self._now_ms)
        known = self._wire.ask(Call("GET", path), "total")  # always there; the list may be missing when it is 0
        if not is_told(body, known.get("fulfillments") or []):
            self._wire.call(Call("POST", path, body))

    # --- listings -------------------------------------------------------------------------------------

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when eBay acknowledged it."""
        return stock.show_quantities(self._wire, self._jobs, wanted, self._bulk_skus)

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Show these prices; one outcome for each, None when eBay acknowledged it."""
        return stock.show_prices(self._wire, wanted, self._bulk_skus)

    def listings(self) -> Iterator[ListedItem]:
        """Every offer made through the Inventory API; one call for each SKU."""
        return listings.read_listings(self._wire)

    # --- after the sale -------------------------------------------------------------------------------

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back: True when the buyer has it, False while it is on its way; the same wish pays once."""
        return refunds.give_back(self._wire, self._jobs, external_id, wish)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call the whole order off; a buyer's open request is approved. Raises `Refused` for a part of an order."""
        cancellations.call_off(self._wire, self._jobs, external_id, wish)

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        """Every return that has come to another step since then."""
        return returns.read_returns(self._wire, self._jobs, since_ms)

    def answer_return(self, external_id: str, return_id: str, status: str, items: Items = ()) -> None:  # noqa: ARG002 its id is enough
        """Accept or decline what a buyer has asked for, or say that the goods are back."""
        returns.answer(self._wire, return_id, status)

    # --- money and standing ---------------------------------------------------------------------------

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount of a transaction dated since then; its status may change later, and its payout tells of that."""
        return settlement.read_transactions(self._wire, since_ms)

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout that succeeded since then, with all its transactions."""
        return settlement.read_payouts(self._wire, self._jobs, since_ms)

    def health(self) -> list[Metric]:
        """The seller standards, as they are and as eBay expects them to be."""
        return standards.read_standards(self._wire)

    def rate_limits(self) -> list[standards.RateLimit]:
        """What is left of the application's calls."""
        return standards.read_rate_limits(self._wire)

    # --- connecting an account ------------------------------------------------------------------------

    def opted_in_programs(self) -> list[str]:
        """The seller's programmes, e.g. OUT_OF_STOCK_CONTROL."""
        return setup.opted_in_programs(self._wire)

    def opt_in(self, program: str) -> None:
        """Take the seller into a programme; in already is in."""
        setup.opt_in(self._wire, program)

    def ensure_config(self, alert_email: str) -> None:
        """Whom eBay writes to when an endpoint fails: needed before any destination."""
        setup.ensure_config(self._wire, alert_email)

    def ensure_destination(self, endpoint: str, verification_token: str, name: str) -> str:
        """The id of the destination for notifications; the endpoint must answer eBay's challenge."""
        return setup.ensure_destination(self._wire, endpoint, verification_token, name)

    def ensure_subscription(self, topic: str, destination_id: str) -> str:
        """The id of the enabled subscription to a topic."""
        return setup.ensure_subscription(self._wire, topic, destination_id)

    def create_signing_key(self) -> dict[str, Any]:
        """A new {jwe, private_key, expires_ms} for the account's secret; eBay shows the private key this once."""
        return setup.create_signing_key(self._wire)

    def public_key(self, kid: str) -> Mapping[str, Any]:
        """The key that notifications are signed with: {key, algorithm, digest}; to be kept for an hour."""
        return setup.public_key(self._wire, kid)
