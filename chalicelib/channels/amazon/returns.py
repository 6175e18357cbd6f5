"""Buyers' returns of what the seller shipped, as the report of returns tells of them.

Source: GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE and its columns in the SP-API documentation (returns report
attributes); "Order Item ID" is not documented and stands in newer files only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.channels.amazon.dates import time_ms
from chalicelib.channels.amazon.documents import rows_of
from chalicelib.channels.port import ChannelReturn

RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
_DATES = ("return request date", "return delivery date")
REACH_MS = 60 * 86_400_000  # the report covers at most so long
# The first word that a status contains decides. A carrier's delivery is not told by the status, nor taken for receipt.
_STEPS = (
    ("den", "decline"),
    ("declin", "decline"),
    ("reject", "decline"),
    ("cancel", "decline"),
    ("closed", "decline"),
    ("complet", "receive"),
    ("receiv", "receive"),
    ("refund", "receive"),
    ("approv", "approve"),
    ("authori", "approve"),
)


def read_returns(report: str) -> Iterator[ChannelReturn]:
    """Each return with its items: one row for each item, rows of one RMA together. An item is named by its order item
    id, else by the seller's SKU; a row that names no order is left out."""
    found: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for each in rows_of(report):
        order_id = each.get("order id", "")
        if order_id:
            return_id = each.get("amazon rma id") or each.get("merchant rma id") or _unnamed(each)
            found.setdefault((order_id, return_id), []).append(each)
    for (order_id, return_id), rows in found.items():
        items: dict[str, int] = {}
        for row in rows:
            item = row.get("order item id") or row.get("merchant sku") or row.get("asin", "")
            if item:
                items[item] = items.get(item, 0) + _units(row.get("return quantity", ""))
        last = rows[-1]
        yield ChannelReturn(
            return_id=return_id[:200],
            external_id=order_id[:200],
            step=step_of(last.get("return request status", "")),
            items=tuple(items.items()),
            reason=last.get("return reason", "")[:120],
            changed_ms=max(max(time_ms(row.get(name, "")) for name in _DATES) for row in rows),
        )


def step_of(status: str) -> str:
    """request, approve, decline or receive; what Amazon may call otherwise one day is a request."""
    folded = status.lower()
    return next((step for word, step in _STEPS if word in folded), "request")


def _unnamed(row: Mapping[str, str]) -> str:
    return f"{row.get('order id', '')}/{row.get('return request date', '')}"


def _units(text: str) -> int:
    return min(int(text), 10**6) if text.isdecimal() and len(text) < 8 else 1
