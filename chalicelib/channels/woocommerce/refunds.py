"""Money back and orders called off.

A refund is made with the gateway's money (`api_refund`) and takes no key: our refund id stands in its reason, and is
looked for before anything is asked. Job `refund/<order>/<refund id>`: {asked_ms (0: certainly not done), failed}. It is
never dropped: the same wish must not move money again. Source: WC_REST_Order_Refunds_Controller, wc_create_refund (the
refund is saved before the gateway is asked, and taken away when it refuses).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.channels.woocommerce.once import SETTLES_MS
from chalicelib.channels.woocommerce.orders import order_path, read_order
from chalicelib.channels.woocommerce.parcels import note_once
from chalicelib.channels.woocommerce.reader import GONE, refund_lines
from chalicelib.channels.woocommerce.wire import Declined, WooWire, having_id
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.domain.money import to_minor, to_text

_UNCLEAR_MS = 900_000


def give_back(wire: WooWire, jobs: Jobs, external_id: str, wish: RefundRequest, now_ms: int, *, by_api: bool) -> bool:
    """True when the gateway has paid. Raises `Refused` (refund_failed, refund_unclear) where a person must look."""
    name = f"refund/{external_id}/{wish.refund_id}"
    job = dict(jobs.get(name) or {})
    mark = f"[{wish.refund_id}]"
    order = read_order(wire, external_id)
    found = next((each for each in order.get("refunds") or [] if mark in str(each.get("reason"))), None)
    asked_ms = int(job.get("asked_ms", 0))
    if found:
        return _settled(found, wish, now_ms - asked_ms if asked_ms else _UNCLEAR_MS, by_api=by_api)
    if job.get("failed"):
        raise _failed(wish, str(job["failed"]))
    if asked_ms and now_ms - asked_ms < SETTLES_MS:
        raise Busy("the answer to a refund was lost: it may still show", after_s=SETTLES_MS // 1000)
    if str(order.get("currency")) != wish.currency:
        raise Refused("currency_mismatch", f"{wish.refund_id}: the order is not in {wish.currency}")
    jobs.put(name, {"asked_ms": now_ms})
    return _ask(wire, jobs, name, external_id, wish, by_api=by_api)


def _ask(wire: WooWire, jobs: Jobs, name: str, external_id: str, wish: RefundRequest, *, by_api: bool) -> bool:
    body = {
        "amount": to_text(wish.amount_minor, wish.currency),
        "reason": f"{wish.reason} [{wish.refund_id}]".strip(),
        "api_refund": by_api,
    }
    try:
        made = having_id(wire.send("POST", f"{order_path(external_id)}/refunds", body))
    except Declined as declined:
        if declined.status >= 500:  # the gateway was asked; what it did is not ours to guess
            jobs.put(name, {"failed": declined.code})
            raise _failed(wish, declined.code) from None
        jobs.put(name, {"asked_ms": 0})
        raise
    except Unauthorised:
        jobs.put(name, {"asked_ms": 0})
        raise
    return _settled(made, wish, 0, by_api=by_api)


def _settled(found: Mapping[str, Any], wish: RefundRequest, since_ms: int, *, by_api: bool) -> bool:
    amount = found.get("amount")
    if amount is not None and abs(to_minor(amount, wish.currency)) != wish.amount_minor:
        raise Refused("refund_unclear", f"{wish.refund_id}: the shop has a refund of that name with another amount")
    if found.get("refunded_payment") is not False or not by_api:
        return True
    if since_ms < _UNCLEAR_MS:
        raise Busy("the shop has noted a refund, and its gateway has not paid yet", after_s=SETTLES_MS // 1000)
    remedy = "noted in the shop, not paid by its gateway: look there before any money moves again"
    raise Refused("refund_unclear", f"{wish.refund_id}: {remedy}")


def _failed(wish: RefundRequest, code: str) -> Refused:
    remedy = "see in the shop's payment gateway whether it was paid, and refund there"
    return Refused("refund_failed", f"{wish.refund_id}: WooCommerce answered {code}; {remedy}")


def call_off(wire: WooWire, jobs: Jobs, external_id: str, wish: CancellationRequest, now_ms: int) -> None:
    """Set the whole order to cancelled, which gives the shop its stock back and moves no money. WooCommerce cannot call
    off a part: a note tells the shop's people which units, and `Refused` (partial_cancel) says what they can do."""
    order = read_order(wire, external_id)
    if str(order.get("status")) in (*GONE, "refunded"):
        return
    if str(order.get("status")) == "completed":
        raise Refused("already_shipped", f"{wish.cancellation_id}: the shop has completed the order")
    if _is_whole(order, wish):
        having_id(wire.send("PUT", order_path(external_id), {"status": "cancelled"}))
        return
    lines = ", ".join(f"{units} of line {line_id}" for line_id, units in wish.items)
    text = f"Not to be delivered: {lines}."
    note_once(wire, jobs, external_id, wish.cancellation_id, text, now_ms, to_customer=False)
    remedy = "refund these lines at the shop (amount 0 where no money goes back): their units then leave the order"
    raise Refused("partial_cancel", f"{wish.cancellation_id}: WooCommerce calls off whole orders only; {remedy}")


def _is_whole(order: Mapping[str, Any], wish: CancellationRequest) -> bool:
    root = Node(order)
    off: Counter[str] = sum((refund_lines(refund) for refund in root.each("refunds")), Counter())
    off += Counter(dict(wish.items))
    return all(line.whole("quantity") <= off[line.text("id")] for line in root.each("line_items"))
