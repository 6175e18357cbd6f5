"""Speaks to an own shop that serves our channel API (docs/channels.md): five routes, each idempotent by its path.

The shop's orders come as the storefront's JSON; what we want of it is put, never added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.fields import Node
from chalicelib.channels.port import (
    Availability,
    CancellationRequest,
    RefundRequest,
    ShipmentConfirmation,
    TokenStore,
)
from chalicelib.channels.transport import HttpRequest, TokenRejected, Transport, checked
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unreadable
from chalicelib.domain.money import to_text

_AGENT = "Headrace/0.1 (Language=Python)"
_MOST_ITEMS = 100


class ShopClient:
    """One shop. `account` carries `base_url`; `credentials` carry `token`, sent as Bearer."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, str],
        tokens: TokenStore,  # noqa: ARG002 every client is made alike; a shop's token does not expire
        now_ms: int,  # noqa: ARG002
    ) -> None:
        self._transport = transport
        self._base_url = str(account.get("base_url") or "").rstrip("/")
        if not self._base_url.startswith("https://"):
            raise Refused("bad_account", "settings.base_url must begin with https://")
        self._token = credentials["token"]

    def get_order(self, external_id: str) -> bytes:
        """One order as JSON. Raises `Refused` when the shop does not know it."""
        return json.dumps(self._call("GET", _order_path(external_id))).encode()

    def changed_orders(self, since_ms: int) -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, oldest change first, as JSON with its time of change (Unix ms)."""
        query = {"changed_since": datetime.fromtimestamp(since_ms / 1000, UTC).isoformat()}
        seen: set[str] = set()
        while True:
            page = self._call("GET", f"/orders?{urlencode(query)}")
            if not isinstance(page, dict) or not isinstance(page.get("orders"), list):
                raise Busy("the shop answered without orders", after_s=5)
            for order in page["orders"]:
                yield json.dumps(order).encode(), _changed_ms(order, since_ms)
            cursor = page.get("cursor")
            if not cursor:
                return
            query["cursor"] = str(cursor)
            if query["cursor"] in seen:
                raise Refused("bad_page", "the shop's next page is one that it has given already")
            seen.add(query["cursor"])

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when the shop acknowledged it."""
        outcome: list[HeadraceError | None] = []
        for start in range(0, len(wanted), _MOST_ITEMS):
            chunk = wanted[start : start + _MOST_ITEMS]
            items = [{"sku": each.channel_sku, "quantity": each.quantity, "version": each.version} for each in chunk]
            answer = self._call("PUT", "/availability", {"items": items})
            words = _words(answer)
            outcome += [_judged(each.channel_sku, words) for each in chunk]
        return outcome

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell the shop of a parcel."""
        body = {
            "carrier": parcel.carrier,
            "tracking_number": parcel.tracking_number,
            "shipped_at": datetime.fromtimestamp(parcel.shipped_ms / 1000, UTC).isoformat(),
            "lines": _lines(parcel.items),
        }
        self._call("PUT", f"{_order_path(external_id)}/shipments/{quote(parcel.shipment_id, safe='')}", body)

    def refund(self, external_id: str, refund: RefundRequest) -> bool:
        """Have the shop pay the buyer back; whether it has done so already. Raises `Refused` when it will not."""
        body = {
            "amount": to_text(refund.amount_minor, refund.currency),
            "currency": refund.currency,
            "reason": refund.reason,
        }
        path = f"{_order_path(external_id)}/refunds/{quote(refund.refund_id, safe='')}"
        answer = self._call("PUT", path, body)
        return isinstance(answer, dict) and answer.get("status") == "refunded"

    def cancel(self, external_id: str, cancellation: CancellationRequest) -> None:
        """Tell the shop what will not be delivered. Raises `Refused` when it does not take that."""
        path = f"{_order_path(external_id)}/cancellations/{quote(cancellation.cancellation_id, safe='')}"
        self._call("PUT", path, {"lines": _lines(cancellation.items), "reason": cancellation.reason})

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "User-Agent": _AGENT}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode() if body is not None else b""
        try:
            return checked(self._transport(HttpRequest(method, self._base_url + path, headers, data)), "shop")
        except TokenRejected as error:
            raise Refused("not_authorised", f"{error}: set a new token in the secret of this channel") from None


def _order_path(external_id: str) -> str:
    return f"/orders/{quote(external_id, safe='')}"


def _lines(items: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"id": line_id, "units": units} for line_id, units in items]


def _words(answer: Any) -> dict[str, Any]:
    """The shop's status by SKU; nothing of what has another form than agreed."""
    results = answer.get("results") if isinstance(answer, dict) else None
    found = results if isinstance(results, list) else []
    return {str(word.get("sku")): word.get("status") for word in found if isinstance(word, dict)}


def _judged(sku: str, words: Mapping[str, Any]) -> HeadraceError | None:
    """`stale`: the shop has a newer number already, which is as good."""
    word = words.get(sku)
    if word in ("ok", "stale"):
        return None
    if word is None:
        return Busy(f"the shop said nothing of {sku}", after_s=5)
    return Refused("push_refused", f"the shop says {word!r} of {sku}")


def _changed_ms(order: Any, otherwise_ms: int) -> int:
    """An order that cannot be read must not stop the others: entry keeps it, and the cursor stays."""
    try:
        return Node(order).time_ms("updated_at")
    except Unreadable:
        return otherwise_ms
