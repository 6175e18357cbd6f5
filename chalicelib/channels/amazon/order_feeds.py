"""Calling off and paying back: Amazon takes both from a seller by flat-file feeds only.

Sources: order feed types of the SP-API documentation; their column names and codes as public clients of these feeds
write them. No call of the Orders API does either (orders_2026-01-01.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.channels.amazon.documents import TABS, flat_file
from chalicelib.channels.amazon.feeds import Feed, Feeds, begun, flat_verdict
from chalicelib.channels.amazon.reader import read_orders
from chalicelib.channels.amazon.wire import Wire
from chalicelib.channels.fields import parse
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.money import to_text

CANCELLATIONS = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
REFUNDS = "POST_FLAT_FILE_PAYMENT_ADJUSTMENT_DATA"
_CANCEL_HEADING = (
    "TemplateType=OrderCancellation\tVersion=1.0/1.0.3\tThis row for Amazon.com use only.  Do not modify or delete."
)
_CANCEL_COLUMNS = ("order-id", "cancellation-reason-code", "amazon-order-item-code")
_REFUND_COLUMNS = (
    "order-id",
    "order-item-id",
    "adjustment-reason-code",
    "currency",
    "item-price-adj",
    "item-tax-adj",
    "shipping-price-adj",
    "gift-wrap-price-adj",
)
_PENDING_S = 60

# The first word that a reason contains decides. A cancellation that the buyer asked for does not count against us.
_CANCEL_CODES = (
    ("cancel_requested", "BuyerCanceled"),
    ("buyer", "BuyerCanceled"),
    ("customer", "BuyerCanceled"),
    ("address", "ShippingAddressUndeliverable"),
    ("fraud", "RiskAssessmentInformationNotValid"),
    ("risk", "RiskAssessmentInformationNotValid"),
    ("stock", "NoInventory"),
    ("inventory", "NoInventory"),
    ("short", "NoInventory"),
)
_REFUND_CODES = (("return", "CustomerReturn"), ("stock", "NoInventory"), ("inventory", "NoInventory"))
_OTHERWISE = "GeneralAdjustment"


@dataclass
class Share:
    """What one line can still get back of each of its parts, in minor units."""

    line_id: str
    parts: dict[str, int] = field(default_factory=dict)


class OrderFeeds:
    """Cancellations and refunds of one seller account."""

    def __init__(self, wire: Wire, jobs: Jobs) -> None:
        self._wire = wire
        self._jobs = jobs
        self._feeds = Feeds(wire, jobs)

    def cancel(self, external_id: str, wish: CancellationRequest, read: Callable[[str], bytes]) -> None:
        """Call whole lines off. Returns when Amazon has done it, or had done it before; `Busy` while it is at work.

        Raises `Refused`: whole_lines_only for a part of a line, cancel_refused with Amazon's code.
        """
        name = f"cancel/{external_id}/{wish.cancellation_id}"
        job = self._jobs.get(name)
        if job and job.get("outcome") is not None:
            _raise_refusal(str(job["outcome"]), "cancel_refused")
            return
        if job is None:
            lines = _whole_lines(read_orders(read(external_id), "amazon")[0], wish)
            if not lines:
                return
            job = begun(
                CANCELLATIONS, self._wire.now_ms, order=external_id, lines=lines, code=_cancel_code(wish.reason)
            )
            self._jobs.put(name, job)
        rows = [
            {
                "order-id": external_id,
                "cancellation-reason-code": str(job["code"]),
                "amazon-order-item-code": str(line_id),
            }
            for line_id in job["lines"]
        ]
        feed = self._feeds.advance(name, CANCELLATIONS, TABS, flat_file(_CANCEL_COLUMNS, rows, _CANCEL_HEADING))
        if feed is None:
            raise Busy("the cancellation is being worked at", after_s=_PENDING_S)
        refusal = self._closed(name, feed, len(rows))
        _raise_refusal(refusal, "cancel_refused")

    def refund(self, external_id: str, wish: RefundRequest, read: Callable[[str], bytes]) -> bool:
        """Pay back once, however often it is asked for; `read` fetches the order. False while Amazon is at work.

        Raises `Refused`: refund_refused with Amazon's code, refund_too_large, refund_currency.
        """
        name = f"refund/{external_id}/{wish.refund_id}"
        job = self._jobs.get(name)
        if job and job.get("outcome") is not None:
            _raise_refusal(str(job["outcome"]), "refund_refused")
            return True
        if job is None or self._is_idle(name, job):
            noted = f"refunds/{external_id}"
            # Read first and written before the job: of two refunds at once the later is `Stale`, and none is unnoted.
            names = [str(each) for each in (self._jobs.get(noted) or {}).get("names", [])]
            rows = self._refund_rows(wish, read(external_id), [each for each in names if each != name])
            self._jobs.put(noted, {"names": [*(each for each in names if each != name), name]})
            job = begun(REFUNDS, self._wire.now_ms, order=external_id, rows=rows)
            self._jobs.put(name, job)
        lines = [
            {
                "order-id": external_id,
                "order-item-id": str(row["line"]),
                "adjustment-reason-code": _code(wish.reason, _REFUND_CODES),
                "currency": wish.currency,
                **{column: to_text(int(minor), wish.currency) for column, minor in row["parts"].items()},
            }
            for row in job["rows"]
        ]
        try:
            feed = self._feeds.advance(name, REFUNDS, TABS, flat_file(_used(lines), lines))
        except Refused:
            left = self._jobs.get(name) or {}
            if not left.get("outcome") and self._feeds.unbegun_since_ms(name) is not None:
                self._jobs.put(name, {**left, "undone": True})  # what was not begun holds no money
            raise
        if feed is None:
            return False
        _raise_refusal(self._closed(name, feed, len(lines)), "refund_refused")
        return True

    def _closed(self, name: str, feed: Feed, sent: int) -> str:
        """Why Amazon did not do it, "" when it did: kept, so that asking again costs no call."""
        job = self._jobs.get(name) or {}
        outcome = _refusal(feed, sent if job.get("found") else None)
        undone = bool(outcome) and not job.get("found") and _is_undone(feed)  # one found may be another's
        self._jobs.put(name, {**job, "outcome": outcome, "undone": undone})
        return outcome

    def _refund_rows(self, wish: RefundRequest, raw_order: bytes, others: Sequence[str]) -> list[dict[str, Any]]:
        shares = refundable(raw_order, wish.currency)
        for earlier in self._earlier(others):
            for row in earlier:
                for share in shares:
                    if share.line_id == row["line"]:
                        share.parts = {k: v - int(row["parts"].get(k, 0)) for k, v in share.parts.items()}
        return spread(shares, wish)

    def _earlier(self, names: Sequence[str]) -> list[Sequence[Mapping[str, Any]]]:
        """The rows of these refunds, but for those of which Amazon surely paid nothing."""
        jobs = {name: self._jobs.get(name) for name in names}
        return [
            job["rows"]
            for name, job in jobs.items()
            if job and not (job.get("undone") and job.get("outcome")) and not self._is_idle(name, job)
        ]

    def _is_idle(self, name: str, job: Mapping[str, Any]) -> bool:
        """Whether Amazon refused to begin it, and nobody is beginning it again."""
        return bool(job.get("undone")) and not job.get("outcome") and self._feeds.unbegun_since_ms(name) is not None


def refundable(raw_order: bytes, currency: str) -> list[Share]:
    """What the buyer paid for each line: price less discount, tax, shipping and gift wrap, by the feed's columns.

    Raises `Refused` when the order is in another currency.
    """
    (order,) = read_orders(raw_order, "amazon")
    if order.currency != currency:
        raise Refused("refund_currency", f"the order is in {order.currency}, the refund in {currency}")
    root = parse(raw_order)
    items = {
        item.identity("orderItemId"): item
        for item in (root.at("order") if root.has("order") else root).each("orderItems")
    }
    shares = []
    for line in order.lines:
        if line.cancelled == line.quantity:  # called off before it was paid for
            continue
        parts = {"item-price-adj": line.price_minor - line.discount_minor, "item-tax-adj": line.tax_minor}
        for column, kind in (("shipping-price-adj", "SHIPPING"), ("gift-wrap-price-adj", "GIFT_WRAP")):
            amounts = [
                part.at("subtotal").minor("amount", currency)
                for part in items[line.line_id].at("proceeds").each("breakdowns")
                if part.text("type").upper() == kind
            ]
            parts[column] = sum(amounts)
        shares.append(Share(line.line_id, {column: max(amount, 0) for column, amount in parts.items()}))
    return shares


def spread(shares: Sequence[Share], wish: RefundRequest) -> list[dict[str, Any]]:
    """The wish as rows {line, parts}: the price of every line first, then taxes, shipping and gift wrap, each no more
    than was paid. Raises `Refused` when that does not cover the wish, or when it asks for nothing."""
    left = wish.amount_minor
    rows: dict[str, dict[str, int]] = {}
    for column in _REFUND_COLUMNS[4:]:
        for share in shares:
            part = min(max(share.parts.get(column, 0), 0), left)
            if part > 0:
                rows.setdefault(share.line_id, {})[column] = part
                left -= part
    if left or not rows:
        text = to_text(wish.amount_minor, wish.currency)
        raise Refused("refund_too_large", f"{text} {wish.currency} is not what is left of the order: refund on Amazon")
    return [{"line": line_id, "parts": parts} for line_id, parts in rows.items()]


def _used(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns that every file has, and those that a line fills."""
    return [name for name in _REFUND_COLUMNS if name in _REFUND_COLUMNS[:5] or any(name in line for line in lines)]


def _whole_lines(order: ChannelOrder, wish: CancellationRequest) -> list[str]:
    """The lines to call off, without those that are called off already."""
    known = {line.line_id: line for line in order.lines}
    lines = []
    for line_id, units in wish.items:
        line = known.get(line_id)
        if line is None:
            raise Refused("unknown_line", f"order {order.external_id} has no item {line_id}")
        if line_id in lines or order.cancelled or (not line.fulfilled and not line.quantity):
            continue
        if line.cancelled == line.quantity - line.fulfilled > 0:
            continue
        if line.fulfilled:
            raise Refused("already_shipped", f"item {line_id} has left: take it back and refund it")
        if units < line.quantity:
            remedy = "ship the line whole, or confirm what you can and refund the rest"
            raise Refused("whole_lines_only", f"item {line_id} has {line.quantity} units, not {units}: {remedy}")
        lines.append(line_id)
    return lines


def _refusal(feed: Feed, exactly: int | None) -> str:
    """`exactly`: how many records a feed must count that was found by its time alone."""
    if feed.status != "DONE":
        return f"the feed ended as {feed.status}: look at the order on Amazon before trying again"
    verdict = flat_verdict(feed.report)
    if verdict and exactly is not None and verdict.processed != exactly:
        return f"the feed that was found counts {verdict.processed} records, not {exactly}: look at the order on Amazon"
    if verdict is None:
        return "the feed's report cannot be read: look at the order on Amazon"
    if verdict.errors or verdict.successful < verdict.processed or not verdict.processed:
        told = "; ".join(verdict.errors) or "no code told"
        return f"{verdict.successful} of {verdict.processed} taken: {told}"[:300]
    return ""


def _is_undone(feed: Feed) -> bool:
    """Whether nothing of a refused feed was carried out. A FATAL one may have been carried out in part."""
    verdict = flat_verdict(feed.report) if feed.status == "DONE" else None
    return feed.status == "CANCELLED" or (verdict is not None and not verdict.successful and verdict.processed > 0)


def _raise_refusal(refusal: str, reason: str) -> None:
    if refusal:
        raise Refused(reason, refusal)


def _cancel_code(reason: str) -> str:
    return _code(reason, _CANCEL_CODES)


def _code(reason: str, codes: Sequence[tuple[str, str]]) -> str:
    folded = reason.lower()
    return next((code for word, code in codes if word in folded), _OTHERWISE)
