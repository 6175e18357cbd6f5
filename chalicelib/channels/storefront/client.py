"""Speaks to an own shop over the open JSON API that such a shop serves: docs/channels.md, "Connected shop".

Everything that we ask for is a PUT of an absolute value or under a name of its own, so a repeat changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.fields import Node
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
from chalicelib.channels.transport import HttpRequest, TokenRejected, checked
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised, Unreadable
from chalicelib.domain.money import to_text

MOST_ITEMS = 100  # in one request of availability

_AGENT = "Headrace/0.1 (Language=Python)"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ShopClient(Basic):
    """Speaks for one shop. `account`: base_url, https; `credentials`: token, sent as Bearer."""

    def __init__(self, access: Access) -> None:
        self._transport = access.transport
        self._base_url = _safe_url(str(access.account.get("base_url") or ""))
        self._token = str(access.credentials["token"])
        self._tokens = access.tokens

    def get_order(self, external_id: str) -> bytes:
        """One order document. Raises `Refused` when the shop does not know it."""
        return json.dumps(_having(self._call("GET", _order_path(external_id)), "id")).encode()

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, oldest change first: each document with its `updated_at` (Unix ms).

        A document whose time cannot be read is passed on as of `since_ms`: the reader refuses it, the others go on.
        """
        query = {"changed_since": _iso(int(position) if position.isdecimal() else since_ms)}
        given: set[str] = set()
        newest_ms = since_ms
        while True:
            page = _having(self._call("GET", f"/orders?{urlencode(query)}"), "orders")
            for document in page["orders"]:
                changed_ms = _changed_ms(document, since_ms)
                newest_ms = max(newest_ms, changed_ms)
                if not skip(id_in(document, "id"), changed_ms):
                    yield json.dumps(document).encode(), changed_ms
            cursor = page.get("cursor")
            if not cursor:
                return
            query["cursor"] = str(cursor)
            if query["cursor"] in given:
                raise Refused("bad_page", "the shop names a page that it has given already as the next one")
            given.add(query["cursor"])
            self.position = str(newest_ms)  # a cursor may count orders, of which some move meanwhile

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities. A shop that already has a newer version says `stale`, which needs nothing more."""
        return self._push(
            "/availability",
            [{"sku": each.channel_sku, "quantity": each.quantity, "version": each.version} for each in wanted],
        )

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell of a parcel, under its shipment id."""
        path = f"{_order_path(external_id)}/shipments/{quote(parcel.shipment_id, safe='')}"
        told = {
            "carrier": parcel.carrier,
            "tracking_number": parcel.tracking_number,
            "shipped_at": _iso(parcel.shipped_ms),
            "lines": _lines(parcel.items),
        }
        self._call("PUT", path, told)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back, under the refund's id: True when it is done, False while it is pending."""
        path = f"{_order_path(external_id)}/refunds/{quote(wish.refund_id, safe='')}"
        money = {"amount": to_text(wish.amount_minor, wish.currency), "currency": wish.currency}
        status = _having(self._call("PUT", path, {**money, "reason": wish.reason}), "status")["status"]
        if status not in ("refunded", "pending"):
            raise Busy("the shop did not say what became of a refund", after_s=30)
        return bool(status == "refunded")

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call units off, under the cancellation's id."""
        path = f"{_order_path(external_id)}/cancellations/{quote(wish.cancellation_id, safe='')}"
        self._call("PUT", path, {"lines": _lines(wish.items), "reason": wish.reason})

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Show these prices, under the same rules as quantities."""
        return self._push(
            "/prices",
            [
                {
                    "sku": each.channel_sku,
                    "price": to_text(each.price_minor, each.currency),
                    "currency": each.currency,
                    "version": each.version,
                }
                for each in wanted
            ],
        )

    def _push(self, path: str, items: Sequence[Mapping[str, Any]]) -> list[HeadraceError | None]:
        chunks = [items[start : start + MOST_ITEMS] for start in range(0, len(items), MOST_ITEMS)]
        return [outcome for chunk in chunks for outcome in self._push_chunk(path, chunk)]

    def _push_chunk(self, path: str, chunk: Sequence[Mapping[str, Any]]) -> list[HeadraceError | None]:
        try:
            results = _having(self._call("PUT", path, {"items": chunk}), "results")["results"]
        except HeadraceError as error:
            return [error] * len(chunk)
        status_by_sku = {str(each.get("sku")): each.get("status") for each in results if isinstance(each, dict)}
        return [_outcome(each["sku"], status_by_sku.get(each["sku"])) for each in chunk]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"authorization": f"Bearer {self._token}", "accept": "application/json", "user-agent": _AGENT}
        if body is not None:
            headers["content-type"] = "application/json"
        sent = json.dumps(body).encode() if body is not None else b""
        try:
            return checked(self._transport(HttpRequest(method, self._base_url + path, headers, sent)), "the shop")
        except TokenRejected as error:
            refused = Unauthorised(f"{error}: renew the token in the secret of the account")
            self._tokens.lost(refused.detail)
            raise refused from None


def _safe_url(base_url: str) -> str:
    """The address without its last slash. A token never travels in the clear beyond this machine."""
    url = urlsplit(base_url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        raise Refused("not_authorised", "base_url of the account must begin with https://")
    return base_url.rstrip("/")


def _outcome(sku: str, status: object) -> HeadraceError | None:
    if status in ("ok", "stale"):
        return None
    if status == "unknown_sku":
        return Refused("listing_refused", f"the shop does not know {sku}")
    return Busy(f"the shop did not say what became of {sku}", after_s=30)


def _having(answer: Any, name: str) -> dict[str, Any]:
    """The answer, when it is an object with this field; a success without it is a fault that will pass."""
    if not isinstance(answer, dict) or answer.get(name) is None:
        raise Busy(f"the shop answered without {name}", after_s=5)
    return answer


def _order_path(external_id: str) -> str:
    return f"/orders/{quote(external_id, safe='')}"


def _lines(items: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"id": line_id, "units": units} for line_id, units in items]


def _changed_ms(document: Any, otherwise_ms: int) -> int:
    try:
        return Node(document).time_ms("updated_at")
    except Unreadable:
        return otherwise_ms


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
