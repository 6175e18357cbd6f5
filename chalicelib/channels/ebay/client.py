"""Speaks to eBay's Sell Fulfillment and Inventory APIs for one seller.

Sources: sell_fulfillment_v1_oas3.json, sell_inventory_v1_oas3.json. Nothing at eBay takes an idempotency key:
quantities are absolute, and a shipment is looked for before it is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from chalicelib.channels.ebay.availability import MOST_ENTRIES, outcome_of, request_of
from chalicelib.channels.ebay.oauth import fetch_token
from chalicelib.channels.ebay.parcels import fulfilment_of, is_told, stamp
from chalicelib.channels.fields import Node
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
from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport, checked, with_token
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Retry, Unauthorised, Unreadable

_AGENT = "Headrace/0.1 (Language=Python)"
_ORDERS = "/sell/fulfillment/v1/order"
_BULK = "/sell/inventory/v1/bulk_update_price_quantity"
_PAGE = 200
_REACH_MS = 729 * 86_400_000  # eBay refuses a range of more than two years


class EbayClient(Basic):
    """One seller. `account` may carry base_url; `credentials` are client_id, client_secret and refresh_token."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, str],
        tokens: TokenStore,
        now_ms: int,
        budget: Budget | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self._transport = transport
        self._base_url = str(account.get("base_url") or "https://api.ebay.com").rstrip("/")
        self._credentials = credentials
        self._tokens = tokens
        self._now_ms = now_ms
        self._budget = budget or Unlimited()
        self._jobs = jobs or JobsInMemory()

    def get_order(self, external_id: str) -> bytes:
        """One order as JSON. Raises `Refused` when eBay does not know it."""
        return json.dumps(self._ask("GET", _order_path(external_id), "orderId")).encode()

    def changed_orders(
        self,
        since_ms: int,
        skip: Skip = read_all,
        position: str = "",  # noqa: ARG002 a reading that broke off begins again
    ) -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, as JSON with its own time of change (Unix ms); an order may come twice.

        The window is open at its end: an order that changes meanwhile stays in it, so no page skips another order.
        """
        start_ms = max(since_ms, self._now_ms - _REACH_MS)
        query = {"filter": f"lastmodifieddate:[{stamp(start_ms)}..]", "limit": str(_PAGE)}
        offset = 0
        while True:
            page = self._ask("GET", f"{_ORDERS}?{urlencode({**query, 'offset': offset})}", "total")
            for order in page.get("orders") or []:
                changed_ms = _changed_ms(order, start_ms)
                if not skip(id_in(order, "orderId"), changed_ms):
                    yield json.dumps(order).encode(), changed_ms
            if not page.get("next"):
                return
            following = _offset(page["next"])
            if following <= offset:
                raise Refused("bad_page", f"the page after offset {offset} is said to begin at {following}")
            offset = following

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when eBay acknowledged it."""
        chunks = [wanted[start : start + MOST_ENTRIES] for start in range(0, len(wanted), MOST_ENTRIES)]
        return [outcome for chunk in chunks for outcome in self._push(chunk)]

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell eBay of a parcel, unless it knows of it already. Raises `Refused` for what it will never take."""
        path = f"{_order_path(external_id)}/shipping_fulfillment"
        body = fulfilment_of(parcel, self._now_ms)
        known = self._ask("GET", path, "total")  # always there; the list may be missing when it is 0
        if not is_told(body, known.get("fulfillments") or []):
            self._call("POST", path, body)

    def _push(self, chunk: Sequence[Availability]) -> list[HeadraceError | None]:
        """A call that is refused as a whole has applied nothing: each listing then goes alone, so that one that is
        wrong does not hold up the others."""
        try:
            answer = self._ask("POST", _BULK, "responses", {"requests": [request_of(each) for each in chunk]})
        except Refused as error:
            if len(chunk) == 1 or isinstance(error, Unauthorised):
                return [error] * len(chunk)
            return [outcome for each in chunk for outcome in self._push([each])]
        except Retry as error:
            return [error] * len(chunk)
        return [outcome_of(each, answer["responses"]) for each in chunk]

    def _ask(self, method: str, path: str, wanted: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """An answer that holds `wanted`; a success without its content is no success."""
        answer = self._call(method, path, body)
        if not isinstance(answer, dict) or answer.get(wanted) is None:
            raise Busy(f"ebay answered without {wanted}", after_s=5)
        return answer

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of the answer, with the shared access token."""

        def send(token: str) -> Any:
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": _AGENT}
            if body is not None:
                headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode() if body is not None else b""
            return _answer(self._transport(HttpRequest(method, self._base_url + path, headers, data)))

        return with_token(self._tokens, self._fetch_token, send)

    def _fetch_token(self) -> tuple[str, int]:
        return fetch_token(self._transport, self._base_url, self._credentials, _AGENT, self._now_ms)


def _answer(response: HttpResponse) -> Any:
    """409 says that somebody else is at the same order: like 429, it passes."""
    if response.status == 409:
        raise Busy("ebay answered 409", after_s=5)
    return checked(response, "ebay")


def _order_path(external_id: str) -> str:
    return f"{_ORDERS}/{quote(external_id, safe='')}"


def _changed_ms(order: Any, otherwise_ms: int) -> int:
    """An order that cannot be read must not stop the others: entry keeps it, and the cursor stays."""
    try:
        return Node(order).time_ms("lastModifiedDate")
    except Unreadable:
        return otherwise_ms


def _offset(link: str) -> int:
    """Only the offset is taken from a link, never the host."""
    offset = parse_qs(urlsplit(link).query).get("offset", [""])[0]
    return int(offset) if offset.isdecimal() else -1
