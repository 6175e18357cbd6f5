"""Calling orders and units off. Source: schema admin_2026-10, orderCancel, refundCreate.

A whole order is called off by orderCancel, which is a job of Shopify's and voids open authorisations itself. Money is
never given back by it (that is a wish of its own), and nothing is restocked: its units leave Shopify's committed
quantity, `available` stays what we have shown, and our next number for the listing is the truth.

A part is called off by refundCreate with units and no money. Its restock type must be CANCEL, for a unit that is not
restocked stays to be shipped; Shopify puts such units back on offer by itself, until our next quantity is set against
what it then shows. orderEdit could spare that, at three calls that cannot be repeated safely.
Job `cancel/<order>/<cancellation id>`: {asked_ms, job_id} of a whole order, {attempt, input} of a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import CancellationRequest
from chalicelib.channels.shopify import documents_money as documents
from chalicelib.channels.shopify.refunds import create, mark, note_of
from chalicelib.channels.shopify.wire import ShopifyWire, gid, nodes_of, number
from chalicelib.domain.errors import Busy, HeadraceError, Refused

_SETTLES_MS = 120_000
_REASONS = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")
_WORDS = {"buyer": "CUSTOMER", "customer": "CUSTOMER", "stock": "INVENTORY", "fraud": "FRAUD"}
_WORDS |= {"paid": "DECLINED", "payment": "DECLINED", "declined": "DECLINED"}


class _Units(NamedTuple):
    """`left`: units by line that are still to ship; `kept`: units that the buyer keeps or is still to get."""

    cancelled: bool
    left: Mapping[str, int]
    kept: Mapping[str, int]
    notes: tuple[str, ...]


def call_off(wire: ShopifyWire, jobs: Jobs, external_id: str, wish: CancellationRequest) -> None:
    """Done already is done. Raises `Busy` while Shopify is at it, `Refused` (cancel_refused, cancel_failed,
    nothing_left_to_cancel)."""
    units = _units(wire, external_id)
    if units.cancelled or any(note.endswith(mark(wish.cancellation_id)) for note in units.notes):
        return
    name = f"cancel/{external_id}/{wish.cancellation_id}"
    job = jobs.get(name) or {}
    wanted = dict(wish.items)
    whole = all(wanted.get(line_id, 0) >= count for line_id, count in units.kept.items())
    if "input" in job or not whole:
        _part(wire, jobs, name, job, _items(units, wanted), external_id, wish)
    else:
        _whole(wire, jobs, name, job, external_id, wish)


def reason_of(text: str) -> str:
    """OrderCancelReason for what a person wrote."""
    wanted = text.strip().upper()
    if wanted in _REASONS:
        return wanted
    return next((reason for word, reason in _WORDS.items() if word in text.lower()), "OTHER")


def _whole(
    wire: ShopifyWire, jobs: Jobs, name: str, job: Mapping[str, Any], external_id: str, wish: CancellationRequest
) -> None:
    if job_id := job.get("job_id"):
        found = wire.ask(documents.JOB, {"id": job_id}).at("job")
        if found and not found.flag("done"):
            raise Busy("Shopify is calling the order off", after_s=30)
        if _units(wire, external_id).cancelled:
            return
        jobs.drop(name)
        raise Refused("cancel_failed", f"Shopify has not called order {external_id} off: look at it there")
    if wire.now_ms - int(job.get("asked_ms") or 0) < _SETTLES_MS:
        raise Busy("the answer to a cancellation was lost: it may still show", after_s=60)
    asked = {
        "order": gid("Order", external_id),
        "reason": reason_of(wish.reason),
        "note": note_of(wish.reason, wish.cancellation_id),
        "notify": True,
        "refund": {"originalPaymentMethodsRefund": False},
    }
    jobs.put(name, {"asked_ms": wire.now_ms})
    try:
        made = wire.do(documents.CANCEL, asked, "orderCancel", "cancel_refused").at("job")
    except Busy:
        raise
    except HeadraceError:
        jobs.drop(name)  # it was certainly not done
        if _units(wire, external_id).cancelled:
            return
        raise
    jobs.put(name, {"asked_ms": wire.now_ms, "job_id": made.text("id")})
    if not made.flag("done"):
        raise Busy("Shopify is calling the order off", after_s=10)


def _part(
    wire: ShopifyWire,
    jobs: Jobs,
    name: str,
    job: Mapping[str, Any],
    items: list[dict[str, Any]],
    external_id: str,
    wish: CancellationRequest,
) -> None:
    if job.get("input") is None:
        if not items:
            raise Refused("nothing_left_to_cancel", f"Shopify has none of these units of order {external_id} to ship")
        note = note_of(wish.reason, wish.cancellation_id)
        asked = {"orderId": gid("Order", external_id), "note": note, "refundLineItems": items, "transactions": []}
        job = {"attempt": job.get("attempt", 0), "input": asked}
        jobs.put(name, job)
    create(wire, jobs, name, job)


def _items(units: _Units, wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """RefundLineItemInputs over what is still to ship."""
    counts = {line_id: min(count, units.left.get(line_id, 0)) for line_id, count in wanted.items()}
    return [
        {"lineItemId": gid("LineItem", line_id), "quantity": count, "restockType": "CANCEL"}
        for line_id, count in counts.items()
        if count > 0
    ]


def _units(wire: ShopifyWire, external_id: str) -> _Units:
    def read(after: str | None) -> Node:
        order = wire.ask(documents.OPEN_UNITS, {"id": gid("Order", external_id), "after": after}).at("order")
        if not order:
            raise Refused("unknown_order", f"Shopify does not know order {external_id}")
        return order

    order, left, kept = read(None), {}, {}
    for line in nodes_of(order.at("lineItems"), lambda after: read(after).at("lineItems")):
        left[number(line.text("id"))] = line.whole("unfulfilledQuantity")
        kept[number(line.text("id"))] = line.whole("currentQuantity")
    notes = tuple(each.text("note") for each in order.listed("refunds"))
    return _Units(order.has("cancelledAt"), left, kept, notes)
