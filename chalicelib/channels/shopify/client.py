"""Speaks to Shopify's GraphQL Admin API for one shop: orders, inventory, fulfilments. Source: schema admin_2026-10.

What comes after a sale and what concerns the account stands in a module each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.channels.access import Access
from chalicelib.channels.facts import ChannelDispute, ChannelReturn, ListedItem, Payout
from chalicelib.channels.fields import Node
from chalicelib.channels.port import (
    Availability,
    Basic,
    CancellationRequest,
    CaptureRequest,
    Items,
    Price,
    RefundRequest,
    ShipmentConfirmation,
    Skip,
    read_all,
)
from chalicelib.channels.shopify import (
    balance,
    cancellations,
    disputes,
    documents,
    fulfilment,
    payments,
    refunds,
    returns,
    setup,
    variants,
    webhooks,
)
from chalicelib.channels.shopify.payments import stamp
from chalicelib.channels.shopify.wire import USER_AGENT, ShopifyWire, key_of
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from chalicelib.domain.settlement import LedgerFact

__all__ = ["USER_AGENT", "ShopifyClient"]

_PAGE = 100
_TOGETHER = 50  # items set in one call; a look at so many costs about 150 points
_LOOK_AGAIN = ("CHANGE_FROM_QUANTITY_STALE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")


class ShopifyClient(Basic):
    """Speaks for one shop. `account`: base_url or shop_domain; `credentials`: client_id and client_secret."""

    def __init__(self, access: Access) -> None:
        self._wire = ShopifyWire(access)
        self._location_id = str(access.account.get("location_id") or "")
        self._jobs = access.jobs

    def get_order(self, external_id: str) -> bytes:
        """One order with all its lines, as GraphQL gives it; the global id of one of its fulfilment orders names it
        too. Raises `Refused` when the shop does not have it."""
        found = self._order(f"gid://shopify/Order/{webhooks.owner_of(self._wire, external_id)}")
        return json.dumps({"order": found}).encode()

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order updated since then, oldest first: each read whole, with its time of change (Unix ms) as the list
        had it, since a later one could hide an order that changed while the list was being read."""
        since = stamp(since_ms)
        variables: dict[str, Any] = {"query": f"updated_at:>='{since}'", "first": _PAGE, "after": position or None}
        while True:
            page = self._wire.ask(documents.ORDERS, variables)["orders"]
            for found in page["nodes"]:
                changed_ms = Node(found).time_ms("updatedAt")
                if not skip(found["id"].rpartition("/")[2], changed_ms):
                    yield json.dumps({"order": self._order(found["id"])}).encode(), changed_ms
            if not page["pageInfo"]["hasNextPage"]:
                return
            self.position = variables["after"] = page["pageInfo"]["endCursor"]

    def _order(self, gid: str) -> dict[str, Any]:
        order: dict[str, Any] | None = self._wire.ask(documents.ORDER, {"id": gid, "after": None})["order"]
        if order is None:
            raise Refused("unknown_order", f"Shopify does not know {gid}")
        page = order["lineItems"]["pageInfo"]
        while page["hasNextPage"]:
            more = self._wire.ask(documents.ORDER, {"id": gid, "after": page["endCursor"]})["order"]["lineItems"]
            order["lineItems"]["nodes"] += more["nodes"]
            page = more["pageInfo"]
        standings = order["fulfillmentOrders"]
        if standings["pageInfo"]["hasNextPage"]:
            standings["nodes"] = list(self._wire.pages(documents.STANDINGS, {"id": gid}, "order", "fulfillmentOrders"))
        if order["displayFulfillmentStatus"] != "UNFULFILLED":
            order["fulfillments"] = self._parcels(gid)
            if any(line["currentQuantity"] < line["quantity"] for line in order["lineItems"]["nodes"]):
                order["refunds"] = self._wire.ask(documents.REFUNDS, {"id": gid})["order"]["refunds"]
        return order

    def _parcels(self, gid: str) -> list[dict[str, Any]]:
        """What the shop has shipped of an order, each parcel with all its lines."""
        order = self._wire.ask(documents.PARCELS, {"id": gid})["order"]
        if order is None:
            raise Refused("unknown_order", f"Shopify does not know {gid}")
        parcels: list[dict[str, Any]] = order["fulfillments"]
        for parcel in parcels:
            lines = parcel["fulfillmentLineItems"]
            page = lines["pageInfo"]
            while page["hasNextPage"]:
                variables = {"id": parcel["id"], "after": page["endCursor"]}
                more = self._wire.ask(documents.PARCEL_LINES, variables)["fulfillment"]["fulfillmentLineItems"]
                lines["nodes"] += more["nodes"]
                page = more["pageInfo"]
        return parcels

    def _fulfilment_orders(self, gid: str) -> Iterator[dict[str, Any]]:
        """What the shop has to ship of an order; a long fulfilment order comes in several parts."""
        variables: dict[str, Any] = {"id": gid, "after": None, "lineAfter": None}
        while True:
            found = self._wire.ask(documents.FULFILMENT_ORDERS, variables)["order"]["fulfillmentOrders"]
            yield from found["nodes"]
            lines = found["nodes"][0]["lineItems"]["pageInfo"] if found["nodes"] else {"hasNextPage": False}
            if lines["hasNextPage"]:
                variables["lineAfter"] = lines["endCursor"]
            elif found["pageInfo"]["hasNextPage"]:
                variables |= {"after": found["pageInfo"]["endCursor"], "lineAfter": None}
            else:
                return

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Set `available` by compare-and-set against what the shop showed last, so that a sale that we have not heard
        of yet is never overwritten blindly. All in one call, which applies all or nothing; where it applies nothing,
        each by itself, and when the shop shows something else, look, and set against that."""
        try:
            if len(wanted) > 1 and all(self._set_together(wanted[n : n + _TOGETHER]) for n in _starts(wanted)):
                return [None] * len(wanted)
        except Busy as busy:
            return [busy] * len(wanted)
        outcome: list[HeadraceError | None] = []
        for item in wanted:
            if outcome and isinstance(outcome[-1], Busy):
                outcome.append(Busy("behind a throttled call", after_s=2))
                continue
            try:
                if self._set_available(item, item.shown) in _LOOK_AGAIN:
                    self._set_available(item, self._available([item])[0], last=True)
                outcome.append(None)
            except HeadraceError as error:
                outcome.append(error)
        return outcome

    def _set_together(self, items: Sequence[Availability]) -> bool:
        """Whether one call has set all of these, if need be after a look at what the shop shows. Raises `Busy`."""
        try:
            if self._set_all(items, [item.shown for item in items], 0) in _LOOK_AGAIN:
                return not self._set_all(items, self._available(items), self._wire.now_ms)
            return True
        except Refused:
            return False

    def _set_all(self, items: Sequence[Availability], change_from: Sequence[int | None], attempt: int) -> str:
        """ "" when all are set, or why to look again. Raises `Refused` where looking would not help."""
        pairs = list(zip(items, change_from, strict=True))
        quantities = [_quantity(item, shown) for item, shown in pairs]
        named = (part for item, shown in pairs for part in (item.channel_sku, item.version, item.quantity, shown))
        errors = self._set(quantities, key_of(*named, attempt))
        codes = {str(error.get("code")) for error in errors}
        if codes - set(_LOOK_AGAIN):
            raise Refused("listing_refused", f"Shopify answered {', '.join(sorted(codes))}")
        return min(codes, default="")

    def _set(self, quantities: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        variables = {"input": {"name": "available", "reason": "correction", "quantities": quantities}, "key": key}
        errors = self._wire.ask(documents.SET_QUANTITIES, variables)["inventorySetQuantities"]["userErrors"]
        return list(errors)

    def _set_available(self, item: Availability, change_from: int | None, *, last: bool = False) -> str:
        """ "" when set, or why to look again. The key names the wish, so that a repeat is no second change; the last
        attempt gets a key of its own, since a failed attempt uses its key up. What it compares with keeps it safe."""
        quantity = _quantity(item, change_from)
        attempt = self._wire.now_ms if last else 0
        key = key_of(item.channel_sku, item.refs["location_id"], item.version, item.quantity, change_from, attempt)
        errors = self._set([quantity], key)
        if not errors:
            return ""
        code = str(errors[0].get("code"))
        if code in _LOOK_AGAIN and not last:
            return code
        if code in _LOOK_AGAIN or code == "IDEMPOTENCY_CONCURRENT_REQUEST":
            raise Busy(f"Shopify answered {code}", after_s=2)
        raise Refused("listing_refused", f"Shopify answered {code} for {item.channel_sku}")

    def _available(self, items: Sequence[Availability]) -> list[int | None]:
        """What the shop shows now; None for what it does not stock there."""
        variables = {
            name: value
            for n, item in enumerate(items)
            for name, value in (
                (f"item{n}", item.refs["inventory_item_id"]),
                (f"location{n}", item.refs["location_id"]),
            )
        }
        found = self._wire.ask(documents.available(len(items)), variables)
        levels = [(found[f"i{n}"] or {}).get("inventoryLevel") for n in range(len(items))]
        return [int(level["quantities"][0]["quantity"]) if level else None for level in levels]

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """fulfillmentCreate over what is left to ship; a parcel that the shop already has is not told again."""
        gid = f"gid://shopify/Order/{external_id}"
        for wish in fulfilment.wishes(self._parcels(gid), self._fulfilment_orders(gid), parcel):
            errors = self._wire.ask(documents.FULFIL, {"fulfillment": wish})["fulfillmentCreate"]["userErrors"]
            if errors:
                raise Refused("shipment_refused", f"Shopify refused {errors[0].get('field')}")

    # --- after the sale -------------------------------------------------------------------------------

    def capture(self, external_id: str, wish: CaptureRequest) -> int:
        """Take authorised money; how much was taken. The same wish takes once."""
        return payments.take(self._wire, self._jobs, external_id, wish)

    def void(self, external_id: str) -> None:
        """Give every open authorisation free."""
        payments.give_free(self._wire, external_id)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back over the original payments: True when done, False while pending; the same wish pays once."""
        return refunds.give_back(self._wire, self._jobs, external_id, wish)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call a whole order off, or units of it. `Busy` while Shopify's job runs."""
        cancellations.call_off(self._wire, self._jobs, external_id, wish)

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        """Every return of an order that has changed since then; none without the scope `read_returns`."""
        return returns.read_returns(self._wire, self._jobs, since_ms)

    def answer_return(self, external_id: str, return_id: str, status: str, items: Items = ()) -> None:  # noqa: ARG002 its id is enough
        """Approve or decline what a buyer has asked for, or say which goods are back."""
        returns.answer(self._wire, return_id, status, items)

    # --- the account ----------------------------------------------------------------------------------

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Set the prices of variants, product by product; one outcome for each."""
        return variants.set_prices(self._wire, wanted)

    def listings(self) -> Iterator[ListedItem]:
        """Every variant with what is available of it at the account's `location_id`, or where alone it is stocked."""
        return variants.Listings(self._wire, self._location_id)

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount that Shopify Payments has booked since then; none without Shopify Payments."""
        return balance.read_transactions(self._wire, since_ms)

    def disputes(self, since_ms: int) -> Iterator[ChannelDispute]:
        """Every dispute begun since then; none without the scope `read_shopify_payments_disputes`."""
        return disputes.read_disputes(self._wire, since_ms)

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout issued since then that is paid, with all its transactions."""
        return balance.read_payouts(self._wire, self._jobs, since_ms)

    def installation(self) -> setup.Installation:
        """The scopes that were granted, and the shop's currency."""
        return setup.read_installation(self._wire)

    def locations(self) -> list[setup.Location]:
        """Where the shop keeps stock."""
        return setup.read_locations(self._wire)

    def has_payments(self) -> bool:
        """Whether the shop takes money by Shopify Payments."""
        return setup.has_payments(self._wire)

    def ensure_webhooks(self, delivery_url: str, secret: str) -> dict[str, str]:  # noqa: ARG002 the app's own signs
        """Have the shop tell this address of every change: topic -> kept, created, moved or refused."""
        return webhooks.ensure(self._wire, delivery_url)


def _starts(wanted: Sequence[Availability]) -> range:
    return range(0, len(wanted), _TOGETHER)


def _quantity(item: Availability, change_from: int | None) -> dict[str, Any]:
    return {
        "inventoryItemId": _ref(item, "inventory_item_id"),
        "locationId": _ref(item, "location_id"),
        "quantity": item.quantity,
        "changeFromQuantity": change_from,
    }


def _ref(item: Availability, name: str) -> str:
    """An id without which the listing cannot be spoken of. Raises `Refused` when nobody has given it."""
    if not item.refs.get(name):
        raise Refused("listing_incomplete", f"{item.channel_sku} has no {name}: link the listing again with it")
    return item.refs[name]
