"""Buyers' returns of what the seller shipped, as the report of returns tells of them.

Source: GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE and its columns in the SP-API documentation (returns report
attributes); "Order Item ID" is not documented and stands in newer files only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from chalicelib.channels.amazon.dates import time_ms
from chalicelib.channels.amazon.documents import rows_of
from chalicelib.channels.amazon.reader import read_orders
from chalicelib.channels.facts import ChannelReturn
from chalicelib.channels.memory import Jobs
from chalicelib.domain.channel_order import ChannelLine
from chalicelib.domain.errors import Busy, Refused, Stale, Unauthorised

_JOB = "returns/lines"
_PLACE = "place\t"  # no column can be called so
_MOST_ORDERS = 3000  # so that the job fits into one item of the table
RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
_DATES = ("return-request-date", "return-delivery-date")
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


Lines = Callable[[str], Mapping[str, str]]  # the order's id -> its order item ids by the seller's SKU


def _no_lines(order_id: str) -> Mapping[str, str]:  # noqa: ARG001 takes what every `Lines` takes
    return {}


def read_returns(report: str, lines: Lines = _no_lines) -> Iterator[ChannelReturn]:
    """Each return with its items: one row for each item, rows of one RMA together. An item is named by its order item
    id, which `lines` tells where the row does not, else by the SKU; a row that names no order is left out."""
    found: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    told: Counter[tuple[str, str]] = Counter()
    for each in rows_of(report):
        order_id = each.get("order-id", "")
        if order_id:
            return_id = each.get("amazon-rma-id") or each.get("merchant-rma-id") or _unnamed(each)
            place = (order_id, each.get("merchant-sku", ""))
            told[place] += 1
            found.setdefault((order_id, return_id), []).append({**each, _PLACE: str(told[place])})
    for (order_id, return_id), rows in found.items():
        items: dict[str, int] = {}
        for row in rows:
            sku = row.get("merchant-sku", "")
            item = row.get("order-item-id") or (_line(lines(order_id), sku, int(row[_PLACE])) or row.get("asin", ""))
            if item:
                items[item] = items.get(item, 0) + _units(row.get("return-quantity", ""))
        last = rows[-1]
        yield ChannelReturn(
            return_id=return_id[:200],
            external_id=order_id[:200],
            step=step_of(last.get("return-request-status", "")),
            items=tuple(items.items()),
            reason=last.get("return-reason", "")[:120],
            changed_ms=max(max(time_ms(row.get(name, "")) for name in _DATES) for row in rows),
        )


class OrderLines:
    """The order item ids of returned orders, read once for each order: a job keeps them as long as a report tells of
    the order. While Amazon lets no more orders be read the rest has none; the next reading goes on."""

    def __init__(self, jobs: Jobs, read: Callable[[str], bytes]) -> None:
        self._jobs = jobs
        self._read = read
        self._known: dict[str, dict[str, str]] = dict(jobs.get(_JOB) or {})
        self._asked: dict[str, dict[str, str]] = {}
        self._is_busy = False

    def of(self, order_id: str) -> Mapping[str, str]:
        """SKU -> order item id, see `_named`; empty for an order that cannot be read."""
        if order_id in self._known:
            self._asked[order_id] = self._known[order_id]
        if order_id not in self._asked and not self._is_busy:
            try:
                (order,) = read_orders(self._read(order_id), "amazon")
                self._asked[order_id] = _named(order.lines)
            except Unauthorised:
                raise
            except Refused:  # unknown, or older than Amazon shows
                self._asked[order_id] = {}
            except Busy:
                self._is_busy = True
        return self._asked.get(order_id, {})

    def keep(self) -> None:
        """Remember what was asked for, and forget the rest."""
        kept = dict(list(self._asked.items())[-_MOST_ORDERS:])
        if kept != self._known:
            with suppress(Stale):  # another worker has read the same report
                self._jobs.put(_JOB, kept)


def step_of(status: str) -> str:
    """request, approve, decline or receive; what Amazon may call otherwise one day is a request."""
    folded = status.lower()
    return next((step for word, step in _STEPS if word in folded), "request")


def _unnamed(row: Mapping[str, str]) -> str:
    return f"{row.get('order-id', '')}/{row.get('return-request-date', '')}"


def _named(lines: Iterable[ChannelLine]) -> dict[str, str]:
    """The first line of each SKU by the SKU, the second by the SKU and a 2, and so on."""
    named: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for line in lines:
        seen[line.channel_sku] += 1
        named[_key(line.channel_sku, seen[line.channel_sku])] = line.line_id
    return named


def _line(lines: Mapping[str, str], sku: str, place: int) -> str:
    """The line of the row that is the `place`th of this SKU in its order; the first where there are not so many."""
    return lines.get(_key(sku, place)) or lines.get(sku, sku)


def _key(sku: str, place: int) -> str:
    return sku if place == 1 else f"{sku}\n{place}"


def _units(text: str) -> int:
    """1 for what is no whole number."""
    whole, _, rest = text.partition(".")
    return min(int(whole), 10**6) if whole.isdecimal() and len(whole) < 8 and not rest.strip("0") else 1
