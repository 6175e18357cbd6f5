"""Amazon's Selling Partner API, the few operations that we need.

Sources: SP-API models orders_2026-01-01, listingsItems_2021-08-01 and ordersV0 (confirmShipment).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.fields import parse
from chalicelib.channels.port import (
    Availability,
    Basic,
    Budget,
    Jobs,
    JobsInMemory,
    ShipmentConfirmation,
    Skip,
    TokenStore,
    Unlimited,
    id_in,
    read_all,
)
from chalicelib.channels.transport import HttpRequest, TokenRejected, Transport, checked, with_token
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised, Unreadable

USER_AGENT = "Headrace/0.1 (Language=Python)"
_LWA_URL = "https://api.amazon.com/auth/o2/token"
_INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES"
_PAGE = 100
_EARLY_MS = 300_000  # a token is taken for ended this long before it is
_CARRIERS = {
    name.lower(): name for name in ("UPS", "USPS", "FedEx", "DHL", "OnTrac", "Royal Mail", "Hermes", "DPD", "GLS")
}


class AmazonClient(Basic):
    """Speaks for one seller account. `account`: base_url, seller_id, marketplace_id, and lwa_url where it differs."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, Any],
        tokens: TokenStore,
        now_ms: int,
        budget: Budget | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self._transport = transport
        self._base_url = str(account["base_url"]).rstrip("/")
        self._account = account
        self._credentials = credentials
        self._tokens = tokens
        self._now_ms = now_ms
        self._budget = budget or Unlimited()
        self._jobs = jobs or JobsInMemory()

    def get_order(self, external_id: str) -> bytes:
        """getOrder: the order with everything that our role may see, as Amazon wrote it."""
        path = f"/orders/2026-01-01/orders/{quote(external_id, safe='')}?{urlencode({'includedData': _INCLUDED})}"
        return json.dumps(_having(self._call("GET", path), "order")).encode()

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """searchOrders by time of last update, all pages: each order raw, and when it changed.

        An order whose time cannot be read is passed on as of `since_ms`: the reader refuses it, the others go on.
        """
        query = {
            **({"paginationToken": position} if position else {}),
            "lastUpdatedAfter": _iso(since_ms),
            "marketplaceIds": str(self._account["marketplace_id"]),
            "fulfilledBy": "MERCHANT",
            "includedData": _INCLUDED,
            "maxResultsPerPage": str(_PAGE),
        }
        while True:
            answer = _having(self._call("GET", f"/orders/2026-01-01/orders?{urlencode(query)}"), "orders")
            for order in answer["orders"]:
                raw = json.dumps({"order": order}).encode()
                changed_ms = _changed_ms(raw, since_ms)
                if not skip(id_in(order, "orderId"), changed_ms):
                    yield raw, changed_ms
            token = (answer.get("pagination") or {}).get("nextToken")
            if not token:
                self.position = ""
                return
            self.position = query["paginationToken"] = str(token)

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """patchListingsItem for each listing; merging keeps lead time and restock date. After a throttle the rest waits
        without being sent, since they would be throttled too."""
        outcome: list[HeadraceError | None] = []
        for item in wanted:
            if outcome and isinstance(outcome[-1], Busy):
                outcome.append(Busy("behind a throttled call", after_s=2))
                continue
            try:
                outcome.append(self._set_quantity(item))
            except HeadraceError as error:
                outcome.append(error)
        return outcome

    def _set_quantity(self, item: Availability) -> HeadraceError | None:
        sku = quote(item.channel_sku, safe="")
        query = urlencode({"marketplaceIds": str(self._account["marketplace_id"])})
        availability = {"fulfillment_channel_code": "DEFAULT", "quantity": item.quantity}
        patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [availability]}
        path = f"/listings/2021-08-01/items/{quote(str(self._account['seller_id']), safe='')}/{sku}?{query}"
        answer = _having(self._call("PATCH", path, {"productType": "PRODUCT", "patches": [patch]}), "status")
        if answer["status"] == "ACCEPTED":
            return None
        codes = ", ".join(str(issue.get("code")) for issue in answer.get("issues") or [])
        return Refused("listing_refused", f"{answer['status']}: {codes}")

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """confirmShipment. The package's number is its place in the order, and the same number again only edits it."""
        carrier = _CARRIERS.get(parcel.carrier.lower())
        detail: dict[str, Any] = {
            "packageReferenceId": str(parcel.sequence),
            "carrierCode": carrier or "Other",
            "trackingNumber": parcel.tracking_number or parcel.shipment_id,
            "shipDate": _iso(parcel.shipped_ms),
            "orderItems": [{"orderItemId": line_id, "quantity": units} for line_id, units in parcel.items],
        }
        if not carrier:
            detail["carrierName"] = parcel.carrier or "Other"
        body = {"marketplaceId": self._account["marketplace_id"], "packageDetail": detail}
        self._call("POST", f"/orders/v0/orders/{quote(external_id, safe='')}/shipmentConfirmation", body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        def call(token: str) -> Any:
            headers = {
                "x-amz-access-token": token,
                "x-amz-date": datetime.fromtimestamp(self._now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ"),
                "user-agent": USER_AGENT,
                "accept": "application/json",
                **({"content-type": "application/json"} if body is not None else {}),
            }
            sent = json.dumps(body).encode() if body is not None else b""
            return checked(self._transport(HttpRequest(method, self._base_url + path, headers, sent)), "Amazon")

        return with_token(self._tokens, self._fetch_token, call)

    def _fetch_token(self) -> tuple[str, int]:
        """A new access token of Login with Amazon. `Refused` when consent or our own credentials are no longer good."""
        is_amazon = self._base_url.endswith(".amazon.com")
        url = str(self._account.get("lwa_url") or (_LWA_URL if is_amazon else f"{self._base_url}/auth/o2/token"))
        fields = {"grant_type": "refresh_token"} | {
            name: str(self._credentials[name]) for name in ("refresh_token", "client_id", "client_secret")
        }
        headers = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8", "user-agent": USER_AGENT}
        response = self._transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
        try:
            answer = _having(checked(response, "Login with Amazon"), "access_token", "expires_in")
        except (Refused, TokenRejected) as error:
            raise Unauthorised(f"{error}: authorise again, or correct the client id and secret") from None
        return str(answer["access_token"]), self._now_ms + int(answer["expires_in"]) * 1000 - _EARLY_MS


def _having(answer: Any, *names: str) -> dict[str, Any]:
    """The answer, when it is an object with these fields; a success without them is a fault that will pass."""
    if not isinstance(answer, dict) or any(answer.get(name) is None for name in names):
        raise Busy(f"Amazon answered without {', '.join(names)}", after_s=5)
    return answer


def _changed_ms(raw: bytes, otherwise_ms: int) -> int:
    try:
        return parse(raw).at("order").time_ms("lastUpdatedTime")
    except Unreadable:
        return otherwise_ms


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
