"""Reading orders. A page of what has changed is sorted by time of change, and the next one asks for what came after its
last: pages by number would skip an order each time that one moves to the end meanwhile.

`modified_after`, `dates_are_gmt` and `orderby=modified` are newer than wc-v3-index.json of 2024-03. Source:
class-wc-rest-crud-controller.php; `modified_after` is exclusive and knows whole seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.channels.fields import Node
from chalicelib.channels.port import Skip, id_in
from chalicelib.channels.woocommerce.wire import WC, WooWire, is_more, listed
from chalicelib.domain.errors import Refused, Unreadable

_PAGE = "100"
_SECOND_MS = 1000


def order_path(external_id: str) -> str:
    """Raises `Refused` for what cannot be an order's id there: it would change the path."""
    if not (external_id.isascii() and external_id.isdecimal()):
        raise Refused("unknown_order", "an order of WooCommerce has a number for its id")
    return f"{WC}/orders/{external_id}"


def read_order(wire: WooWire, external_id: str) -> dict[str, Any]:
    """One order, with its refunds whole."""
    return with_refunds(wire, wire.one(order_path(external_id)))


def with_refunds(wire: WooWire, order: dict[str, Any]) -> dict[str, Any]:
    """The order itself tells the sums of its refunds only; their lines say which units are meant."""
    if not order.get("refunds") or not str(order.get("id") or "").isdecimal():
        return order
    return {**order, "refunds": wire.pages(f"{order_path(str(order['id']))}/refunds")}


class Changes:
    """One reading of what has changed. `position`: milliseconds/page of the next question."""

    def __init__(self, wire: WooWire) -> None:
        self._wire = wire
        self.position = ""

    def read(self, since_ms: int, skip: Skip, position: str) -> Iterator[tuple[bytes, int]]:
        """Every order with its time of change (Unix ms). One whose time cannot be read is passed on as of `since_ms`:
        the reader refuses it, the others go on."""
        after_ms, page = _begin(since_ms, position)
        given: set[tuple[str, int]] = set()
        while True:
            answer = self._wire.get(
                f"{WC}/orders",
                modified_after=_stamp(after_ms),
                dates_are_gmt="true",
                orderby="modified",
                order="asc",
                per_page=_PAGE,
                page=str(page),
            )
            orders = listed(answer)
            newest_ms = after_ms
            for order in orders:
                name, changed_ms = id_in(order, "id"), _changed_ms(order, since_ms)
                newest_ms = max(newest_ms, changed_ms)
                if (name, changed_ms) in given:
                    continue
                given.add((name, changed_ms))
                if not skip(name, changed_ms):
                    yield json.dumps(with_refunds(self._wire, order)).encode(), changed_ms
            if not is_more(answer, page, len(orders)):
                return
            if newest_ms - _SECOND_MS > after_ms:
                after_ms, page = newest_ms - _SECOND_MS, 1  # its last second again: it may hold more than this page
            else:
                page += 1
            self.position = f"{after_ms}/{page}"


def _begin(since_ms: int, position: str) -> tuple[int, int]:
    after, _, page = position.partition("/")
    if after.isdecimal() and page.isdecimal():
        return int(after), max(int(page), 1)
    return max(since_ms - _SECOND_MS, 0) // _SECOND_MS * _SECOND_MS, 1


def _changed_ms(order: Any, otherwise_ms: int) -> int:
    try:
        return Node(order).time_ms("date_modified_gmt")
    except Unreadable:
        return otherwise_ms


def _stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
