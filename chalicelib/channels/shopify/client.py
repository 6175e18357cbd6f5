"""Speaks to Shopify's GraphQL Admin API for one shop: orders, inventory, fulfilments. Source: schema admin_2026-10.

What comes after a sale and what concerns the account stands in a module each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
from chalicelib.channels.shopify.wire import USER_AGENT, ShopifyWire, key_of, next_cursor, nodes_of, number
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unreadable
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
        variables = {"query": f"updated_at:>='{since}'", "first": _PAGE}
        after = position or None
        while True:
            page = self._wire.ask(documents.ORDERS, {**variables, "after": after}).at("orders")
            for found in page.listed("nodes"):
                changed_ms, gid = found.time_ms("updatedAt"), found.identity("id")
                if not skip(number(gid), changed_ms):
                    yield json.dumps({"order": self._order_or_name(gid)}).encode(), changed_ms
            after = next_cursor(page, after)
            if after is None:
                return
            self.position = after

    def _order_or_name(self, gid: str) -> dict[str, Any]:
        """One whose answer cannot be read is passed on by its name: the reader refuses it, the others go on."""
        try:
            return self._order(gid)
        except Unreadable:
            return {"id": gid}

    def _known(self, document: str, gid: str, **variables: Any) -> Node:
        """The order, as far as a document reads it. Raises `Refused` when the shop does not have it."""
        order = self._wire.ask(document, {"id": gid, **variables}).at("order")
        if not order:
            raise Refused("unknown_order", f"Shopify does not know {gid}")
        return order

    def _order(self, gid: str) -> dict[str, Any]:
        """One order as Shopify gives it, its lists whole."""

        def more_lines(after: str) -> Node:
            return self._known(documents.ORDER, gid, after=after).at("lineItems")

        order = self._known(documents.ORDER, gid, after=None)
        lines, standings = list(nodes_of(order.at("lineItems"), more_lines)), order.at("fulfillmentOrders")
        whole = {**order.content(), "lineItems": _connection(lines)}
        if next_cursor(standings):
            found = self._wire.pages(documents.STANDINGS, {"id": gid}, "order", "fulfillmentOrders")
            whole["fulfillmentOrders"] = _connection(found)
        if order.text("displayFulfillmentStatus") != "UNFULFILLED":
            whole["fulfillments"] = [parcel.content() for parcel in self._parcels(gid)]
            if any(line.whole("currentQuantity") < line.whole("quantity") for line in lines):
                whole["refunds"] = [each.content() for each in self._known(documents.REFUNDS, gid).listed("refunds")]
        return whole

    def _parcels(self, gid: str) -> list[Node]:
        """What the shop has shipped of an order, each parcel with all its lines."""
        return [self._whole(parcel) for parcel in self._known(documents.PARCELS, gid).listed("fulfillments")]

    def _whole(self, parcel: Node) -> Node:
        def more(after: str) -> Node:
            found = self._wire.ask(documents.PARCEL_LINES, {"id": parcel.identity("id"), "after": after})
            return found.at("fulfillment").at("fulfillmentLineItems")

        lines = nodes_of(parcel.at("fulfillmentLineItems"), more)
        return Node({**parcel.content(), "fulfillmentLineItems": _connection(lines)}, parcel.path)

    def _fulfilment_orders(self, gid: str) -> Iterator[Node]:
        """What the shop has to ship of an order; a long fulfilment order comes in several parts."""
        after = line_after = None
        while True:
            found = self._known(documents.FULFILMENT_ORDERS, gid, after=after, lineAfter=line_after)
            page = found.at("fulfillmentOrders")
            nodes = page.listed("nodes")
            yield from nodes
            line_after = next_cursor(nodes[0].at("lineItems"), line_after) if nodes else None
            if line_after is None:
                after = next_cursor(page, after)
                if after is None:
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
        codes = {error.text("code") for error in errors}
        if codes - set(_LOOK_AGAIN):
            raise Refused("listing_refused", f"Shopify answered {', '.join(sorted(codes))}")
        return min(codes, default="")

    def _set(self, quantities: list[dict[str, Any]], key: str) -> list[Node]:
        variables = {"input": {"name": "available", "reason": "correction", "quantities": quantities}, "key": key}
        return self._wire.tell(documents.SET_QUANTITIES, variables, "inventorySetQuantities")[1]

    def _set_available(self, item: Availability, change_from: int | None, *, last: bool = False) -> str:
        """ "" when set, or why to look again. The key names the wish, so that a repeat is no second change; the last
        attempt gets a key of its own, since a failed attempt uses its key up. What it compares with keeps it safe."""
        quantity = _quantity(item, change_from)
        attempt = self._wire.now_ms if last else 0
        key = key_of(item.channel_sku, item.refs["location_id"], item.version, item.quantity, change_from, attempt)
        errors = self._set([quantity], key)
        if not errors:
            return ""
        code = errors[0].text("code")
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
        levels = [found.at(f"i{n}").at("inventoryLevel") for n in range(len(items))]
        return [_shown(level) if level else None for level in levels]

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """fulfillmentCreate over what is left to ship; a parcel that the shop already has is not told again."""
        gid = f"gid://shopify/Order/{external_id}"
        for wish in fulfilment.wishes(self._parcels(gid), self._fulfilment_orders(gid), parcel):
            self._wire.do(documents.FULFIL, {"fulfillment": wish}, "fulfillmentCreate", "shipment_refused")

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


def _connection(nodes: Iterable[Node]) -> dict[str, Any]:
    return {"nodes": [node.content() for node in nodes]}


def _shown(level: Node) -> int | None:
    """What is available there; None where the level does not say."""
    return next((each.whole("quantity") for each in level.each("quantities") if each.has("quantity")), None)


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
