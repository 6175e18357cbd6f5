"""Reading orders. What has changed is read in windows of time that one page holds each: how a list is sorted depends on
its filter in a way that eBay does not tell, and pages by offset would skip an order each time that one before it moves.

Source: sell_fulfillment_v1_oas3.json, getOrders (both ends of `lastmodifieddate` belong to it; 30850: none may lie in
the future; 30830: two years at most) and OrderSearchPagedCollection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.parcels import stamp
from chalicelib.channels.ebay.refunds import ORDERS, order_path
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.fields import Node
from chalicelib.channels.port import Skip, id_in
from chalicelib.domain.errors import Busy, Refused, Unreadable

_PAGE = 200
_AIM = 150  # orders in a window: one page, though sales come unevenly
_NARROWEST_MS = 1000
_REACH_MS = 729 * 86_400_000
_CLOCKS_DIFFER_MS = 60_000  # how far ours may be ahead of eBay's
_NO_REQUEST = ("", "NONE_REQUESTED", "CANCELED")


def read_order(wire: EbayWire, external_id: str) -> bytes:
    """One order as JSON. Raises `Refused` when eBay does not know it."""
    return json.dumps(wire.ask(Call("GET", order_path(external_id)), "orderId")).encode()


class Changes:
    """One reading of what has changed. `position`: where its next window begins (Unix ms), and how wide it is."""

    def __init__(self, wire: EbayWire) -> None:
        self._wire = wire
        self.position = ""

    def read(self, since_ms: int, skip: Skip, position: str) -> Iterator[tuple[bytes, int]]:
        """Every order changed since then, oldest window first, as JSON with its own time of change (Unix ms); an order
        may come twice. One whose time cannot be read is passed on as of `since_ms`: entry keeps it, the cursor stays.

        The last window is open at its end. When more has changed in this minute than a page holds, all of that is left
        to the next reading: nothing newer has been given.
        """
        self.position = position
        since_ms = max(since_ms, self._wire.now_ms - _REACH_MS)
        for window in self._windows(*_begin(since_ms, position, self._wire.now_ms)):
            for order in window:
                changed_ms = _changed_ms(order, since_ms)
                if not skip(id_in(order, "orderId"), changed_ms):
                    yield self._whole(order), changed_ms
        self.position = ""

    def _windows(self, start_ms: int, width_ms: int) -> Iterator[list[Any]]:
        """The orders of each window. It is narrowed until one page holds it, but for a second that no page holds."""
        now_ms = self._wire.now_ms
        settled_ms = now_ms - _CLOCKS_DIFFER_MS
        while True:
            end_ms = start_ms + width_ms
            is_last = end_ms >= settled_ms
            page = self._page(start_ms, 0 if is_last else end_ms)
            if page.get("next") and (is_last or width_ms > _NARROWEST_MS):
                if start_ms + _NARROWEST_MS >= settled_ms:
                    return
                narrower_ms = _fitting(min(width_ms, now_ms - start_ms), max(_count(page), _PAGE + 1))
                width_ms = min(narrower_ms, settled_ms - start_ms - 1)
                continue
            orders = self._all(page, start_ms, end_ms)
            yield orders
            if is_last:
                return
            start_ms, width_ms = end_ms, _fitting(width_ms, max(len(orders), _AIM // 4))
            self.position = f"{start_ms}/{width_ms}"

    def _all(self, page: dict[str, Any], start_ms: int, end_ms: int) -> list[Any]:
        """The orders of a window that begins with this page. Raises `Busy` where one has left it between two pages."""
        orders, count, offset = list(page.get("orders") or []), _count(page), 0
        while page.get("next"):
            following = _offset(page["next"])
            if following <= offset:
                raise Refused("bad_page", f"the page after offset {offset} is said to begin at {following}")
            offset = following
            page = self._page(start_ms, end_ms, offset)
            if _count(page) != count:
                raise Busy("orders of one second changed while its pages were read", after_s=5)
            orders += page.get("orders") or []
        return orders

    def _page(self, start_ms: int, end_ms: int, offset: int = 0) -> dict[str, Any]:
        window = f"lastmodifieddate:[{stamp(start_ms)}..{stamp(end_ms) if end_ms else ''}]"
        query = urlencode({"filter": window, "limit": str(_PAGE), "offset": offset})
        return self._wire.ask(Call("GET", f"{ORDERS}?{query}"), "total")

    def _whole(self, order: Any) -> bytes:
        """A list shows no requests to cancel: an order that has one is read by itself."""
        status = order.get("cancelStatus") if isinstance(order, dict) else None
        if isinstance(status, dict) and not status.get("cancelRequests"):
            order_id = id_in(order, "orderId")
            if order_id and str(status.get("cancelState") or "") not in _NO_REQUEST:
                try:
                    return read_order(self._wire, order_id)
                except Declined:
                    pass  # what the list shows is better than no order
        return json.dumps(order).encode()


def _begin(since_ms: int, position: str, now_ms: int) -> tuple[int, int]:
    """Start and width of the first window: at first it reaches until now."""
    start, _, width = position.partition("/")
    if start.isdecimal() and width.isdecimal():
        return max(int(start), since_ms), max(int(width), _NARROWEST_MS)
    return since_ms, now_ms - since_ms


def _fitting(width_ms: int, orders: int) -> int:
    """How wide a window would be that holds as many orders as are aimed at, where one so wide holds so many."""
    return max(width_ms * _AIM // orders, _NARROWEST_MS)


def _count(page: dict[str, Any]) -> int:
    total = page["total"]
    return total if isinstance(total, int) else 0


def _changed_ms(order: Any, otherwise_ms: int) -> int:
    try:
        return Node(order).time_ms("lastModifiedDate")
    except Unreadable:
        return otherwise_ms


def _offset(link: Any) -> int:
    """Only the offset is taken from a link, never the host."""
    offset = parse_qs(urlsplit(str(link)).query).get("offset", [""])[0]
    return int(offset) if offset.isdecimal() else -1
