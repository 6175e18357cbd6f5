"""Shopify's GraphQL Admin API: orders, inventory, fulfilments. Source: schema admin_2026-10.

Answers are HTTP 200 whatever happened: a throttle or a refused document stands in `errors`, a refused wish in
`userErrors`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from chalicelib.channels.budgets import Budget
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs, TokenStore
from chalicelib.channels.port import Availability, Basic, ShipmentConfirmation, Skip, read_all
from chalicelib.channels.shopify import documents, fulfilment
from chalicelib.channels.transport import HttpRequest, Transport, checked, with_token
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised

USER_AGENT = "Headrace/0.1 (Language=Python)"
_PAGE = 100
_TOGETHER = 50  # items set in one call; a look at so many costs about 150 points
_LOOK_AGAIN = ("CHANGE_FROM_QUANTITY_STALE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
_EARLY_MS = 300_000  # a token is taken for ended this long before it is


class ShopifyClient(Basic):
    """Speaks for one shop. `account`: base_url or shop_domain; `credentials`: client_id and client_secret."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, Any],
        tokens: TokenStore,
        now_ms: int,
        budget: Budget | None = None,  # noqa: ARG002 it speaks the shop's own cost words, see _wait_s
        jobs: Jobs | None = None,  # noqa: ARG002
    ) -> None:
        self._transport = transport
        self._base_url = str(account.get("base_url") or f"https://{account['shop_domain']}").rstrip("/")
        self._credentials = credentials
        self._tokens = tokens
        self._now_ms = now_ms

    def get_order(self, external_id: str) -> bytes:
        """One order with all its lines, as GraphQL gives it. Raises `Refused` when the shop does not have it."""
        found = self._order(f"gid://shopify/Order/{external_id}")
        return json.dumps({"order": found}).encode()

    def changed_orders(
        self,
        since_ms: int,
        skip: Skip = read_all,
        position: str = "",  # noqa: ARG002 a reading that broke off begins again
    ) -> Iterator[tuple[bytes, int]]:
        """Every order updated since then, oldest first: each read whole, with its time of change (Unix ms) as the list
        had it, since a later one could hide an order that changed while the list was being read."""
        since = datetime.fromtimestamp(since_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        variables: dict[str, Any] = {"query": f"updated_at:>='{since}'", "first": _PAGE, "after": None}
        while True:
            page = self._graphql(documents.ORDERS, variables)["orders"]
            for found in page["nodes"]:
                changed_ms = Node(found).time_ms("updatedAt")
                if not skip(found["id"].rpartition("/")[2], changed_ms):
                    yield json.dumps({"order": self._order(found["id"])}).encode(), changed_ms
            if not page["pageInfo"]["hasNextPage"]:
                return
            variables["after"] = page["pageInfo"]["endCursor"]

    def _order(self, gid: str) -> dict[str, Any]:
        order: dict[str, Any] | None = self._graphql(documents.ORDER, {"id": gid, "after": None})["order"]
        if order is None:
            raise Refused("unknown_order", f"Shopify does not know {gid}")
        page = order["lineItems"]["pageInfo"]
        while page["hasNextPage"]:
            more = self._graphql(documents.ORDER, {"id": gid, "after": page["endCursor"]})["order"]["lineItems"]
            order["lineItems"]["nodes"] += more["nodes"]
            page = more["pageInfo"]
        if order["displayFulfillmentStatus"] != "UNFULFILLED":
            order["fulfillments"] = self._parcels(gid)
            if any(line["currentQuantity"] < line["quantity"] for line in order["lineItems"]["nodes"]):
                order["refunds"] = self._graphql(documents.REFUNDS, {"id": gid})["order"]["refunds"]
        return order

    def _parcels(self, gid: str) -> list[dict[str, Any]]:
        """What the shop has shipped of an order, each parcel with all its lines."""
        order = self._graphql(documents.PARCELS, {"id": gid})["order"]
        if order is None:
            raise Refused("unknown_order", f"Shopify does not know {gid}")
        parcels: list[dict[str, Any]] = order["fulfillments"]
        for parcel in parcels:
            lines = parcel["fulfillmentLineItems"]
            page = lines["pageInfo"]
            while page["hasNextPage"]:
                variables = {"id": parcel["id"], "after": page["endCursor"]}
                more = self._graphql(documents.PARCEL_LINES, variables)["fulfillment"]["fulfillmentLineItems"]
                lines["nodes"] += more["nodes"]
                page = more["pageInfo"]
        return parcels

    def _fulfilment_orders(self, gid: str) -> Iterator[dict[str, Any]]:
        """What the shop has to ship of an order; a long fulfilment order comes in several parts."""
        variables: dict[str, Any] = {"id": gid, "after": None, "lineAfter": None}
        while True:
            found = self._graphql(documents.FULFILMENT_ORDERS, variables)["order"]["fulfillmentOrders"]
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
                return not self._set_all(items, self._available(items), self._now_ms)
            return True
        except Refused:
            return False

    def _set_all(self, items: Sequence[Availability], change_from: Sequence[int | None], attempt: int) -> str:
        """ "" when all are set, or why to look again. Raises `Refused` where looking would not help."""
        pairs = list(zip(items, change_from, strict=True))
        quantities = [_quantity(item, shown) for item, shown in pairs]
        named = (part for item, shown in pairs for part in (item.channel_sku, item.version, item.quantity, shown))
        errors = self._set(quantities, _key(*named, attempt))
        codes = {str(error.get("code")) for error in errors}
        if codes - set(_LOOK_AGAIN):
            raise Refused("listing_refused", f"Shopify answered {', '.join(sorted(codes))}")
        return min(codes, default="")

    def _set(self, quantities: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        variables = {"input": {"name": "available", "reason": "correction", "quantities": quantities}, "key": key}
        errors = self._graphql(documents.SET_QUANTITIES, variables)["inventorySetQuantities"]["userErrors"]
        return list(errors)

    def _set_available(self, item: Availability, change_from: int | None, *, last: bool = False) -> str:
        """ "" when set, or why to look again. The key names the wish, so that a repeat is no second change; the last
        attempt gets a key of its own, since a failed attempt uses its key up. What it compares with keeps it safe."""
        quantity = _quantity(item, change_from)
        attempt = self._now_ms if last else 0
        key = _key(item.channel_sku, item.refs["location_id"], item.version, item.quantity, change_from, attempt)
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
        found = self._graphql(documents.available(len(items)), variables)
        levels = [(found[f"i{n}"] or {}).get("inventoryLevel") for n in range(len(items))]
        return [int(level["quantities"][0]["quantity"]) if level else None for level in levels]

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """fulfillmentCreate over what is left to ship; a parcel that the shop already has is not told again."""
        gid = f"gid://shopify/Order/{external_id}"
        for wish in fulfilment.wishes(self._parcels(gid), self._fulfilment_orders(gid), parcel):
            errors = self._graphql(documents.FULFIL, {"fulfillment": wish})["fulfillmentCreate"]["userErrors"]
            if errors:
                raise Refused("shipment_refused", f"Shopify refused {errors[0].get('field')}")

    def _graphql(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps({"query": document, "variables": variables}).encode()
        url = f"{self._base_url}/admin/api/{documents.VERSION}/graphql.json"

        def call(token: str) -> dict[str, Any]:
            headers = {"x-shopify-access-token": token, "content-type": "application/json", "user-agent": USER_AGENT}
            answer = checked(self._transport(HttpRequest("POST", url, headers, body)), "Shopify")
            return _data(answer)

        data: dict[str, Any] = with_token(self._tokens, self._fetch_token, call)
        return data

    def _fetch_token(self) -> tuple[str, int]:
        """Client credentials grant. Source: shopify.dev, client credentials grant; a token lives 24 hours."""
        fields = {"grant_type": "client_credentials"} | {
            name: str(self._credentials[name]) for name in ("client_id", "client_secret")
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": USER_AGENT}
        url = f"{self._base_url}/admin/oauth/access_token"
        response = self._transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
        if response.status in (400, 401, 403):
            raise Unauthorised("Shopify refused the client id and secret")
        answer = checked(response, "Shopify")
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise Busy("Shopify granted no token", after_s=5)
        return str(answer["access_token"]), self._now_ms + int(answer.get("expires_in", 86_399)) * 1000 - _EARLY_MS


def _data(answer: Any) -> dict[str, Any]:
    """The data of an answer; a success without it will pass. A throttle says how much was asked for and how fast it
    comes back."""
    if not isinstance(answer, dict):
        raise Busy("Shopify answered without data", after_s=5)
    for error in answer.get("errors") or []:
        code = (error.get("extensions") or {}).get("code") if isinstance(error, dict) else None
        if code in ("THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"):
            raise Busy(f"Shopify answered {code}", after_s=_wait_s(answer))
        raise Refused("channel_refused", f"Shopify answered {code or 'an error'}")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise Busy("Shopify answered without data", after_s=5)
    return data


def _wait_s(answer: Mapping[str, Any]) -> int:
    cost = (answer.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    lacking = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return min(max(ceil(lacking / float(status.get("restoreRate") or 50)), 1), 60)


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


def _key(*parts: object) -> str:
    return str(UUID(bytes=hashlib.sha256(json.dumps(parts).encode()).digest()[:16]))
