"""Speaks to one WooCommerce shop over REST v3. Each concern has a module of its own, which names its sources.

Nothing there takes an idempotency key: quantities and prices are absolute, and a parcel, a refund or a note is looked
for before it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from chalicelib.channels.access import Access
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.port import (
    Availability,
    Basic,
    CancellationRequest,
    Price,
    RefundRequest,
    ShipmentConfirmation,
    Skip,
    read_all,
)
from chalicelib.channels.woocommerce import offers, parcels, refunds, setup, webhooks
from chalicelib.channels.woocommerce.orders import Changes, read_order
from chalicelib.channels.woocommerce.wire import Resolve, WooWire, resolved
from chalicelib.domain.errors import HeadraceError


class WooClient(Basic):
    """One shop.

    account      base_url (https, a public address); currency (ISO 4217: the shop's, to check and read prices);
                 api_refund (true; false where a refund is noted only and paid by hand); allow_private (only for the
                 stand-in on 127.0.0.1: admits plain http to this machine, never another private address)
    credentials  consumer_key, consumer_secret with read and write permission
    """

    def __init__(self, access: Access, resolve: Resolve = resolved) -> None:
        self._wire = WooWire(access, resolve)
        self._changes = Changes(self._wire)
        self._currency = str(access.account.get("currency") or "")
        self._by_api = access.account.get("api_refund") is not False
        self._now_ms = access.now_ms
        self._jobs = access.jobs

    @property
    def position(self) -> str:  # type: ignore[override]
        """Where a reading of `changed_orders` that breaks off can go on."""
        return self._changes.position

    def get_order(self, external_id: str) -> bytes:
        """One order as JSON, its refunds whole. Raises `Refused` when the shop does not know it."""
        return json.dumps(read_order(self._wire, external_id)).encode()

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, oldest change first, as JSON with its time of change (Unix ms)."""
        return self._changes.read(since_ms, skip, position)

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when the shop shows it."""
        return offers.show_quantities(self._wire, wanted)

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Show these regular prices; one outcome for each. A sale price of the shop's own stays."""
        return offers.show_prices(self._wire, wanted, self._currency)

    def listings(self) -> Iterator[ListedItem]:
        """Every product and variation."""
        return offers.read_listings(self._wire, self._currency)

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell of a parcel, once; the order is completed with its last one."""
        parcels.tell(self._wire, self._jobs, external_id, parcel, self._now_ms)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back through the order's gateway: True when it is done; the same wish pays once."""
        return refunds.give_back(self._wire, self._jobs, external_id, wish, self._now_ms, by_api=self._by_api)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call the whole order off. Raises `Refused` (partial_cancel) for a part, of which the shop gets a note."""
        refunds.call_off(self._wire, self._jobs, external_id, wish, self._now_ms)

    def ensure_webhooks(self, delivery_url: str, secret: str) -> dict[str, str]:
        """Create what is missing of the webhooks to this address and enable what was disabled: topic -> kept, created
        or enabled. `secret` is what the account's secret `webhook` holds."""
        return webhooks.ensure(self._wire, delivery_url, secret)

    def shop_currency(self) -> str:
        """The shop's currency. Raises `Refused` where there is no WooCommerce."""
        return setup.read_currency(self._wire)

    def version(self) -> str:
        """WooCommerce's version."""
        return setup.read_version(self._wire)

    def may_write(self) -> bool:
        """Whether the key may write."""
        return setup.may_write(self._wire)

    def has_tracking(self) -> bool:
        """Whether the Shipment Tracking plugin is there."""
        return setup.has_tracking(self._wire)
