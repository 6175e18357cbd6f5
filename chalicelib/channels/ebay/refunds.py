"""Money back to the buyer: issueRefund, which is asynchronous and pays twice when it is called twice.

Source: sell_fulfillment_v1_oas3.json, issueRefund and OrderRefund. Job `refund/<order>/<refund id>` is written before
the call; a refund's id is its order's alone:
    known       the ids of the order's refunds at that moment; what comes after may be ours
    asked_ms    when it was asked for; 0: it was certainly not done, and may be asked for again
    lost        an answer was lost once: whatever eBay says to a later question, the first may have been done
    taken       eBay has said that it does it
    ebay_id     eBay's id of it, "" while the answer is not known
    done        the buyer has it
    failed      eBay has tried and could not
It is never dropped: the same wish asked for again must not move money again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.return_refunds import pay_through_return
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import RefundRequest
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unanswered
from chalicelib.domain.money import to_text

ORDERS = "/sell/fulfillment/v1/order"
_ALREADY_REFUNDED = 34917
_CASE_OPEN = 34916
_SETTLES_MS = 120_000  # so long a refund may be on its way before the order shows it
_REASONS = frozenset({"BUYER_CANCEL", "SELLER_CANCEL", "ITEM_NOT_RECEIVED", "BUYER_RETURN", "ITEM_NOT_AS_DESCRIBED"})
_REASONS |= {"OTHER_ADJUSTMENT", "SHIPPING_DISCOUNT"}
# Words that a person uses, and eBay's reason.
_WORDS = {"return": "BUYER_RETURN", "cancel": "SELLER_CANCEL", "lost": "ITEM_NOT_RECEIVED"}
_WORDS |= {"not received": "ITEM_NOT_RECEIVED", "shipping": "SHIPPING_DISCOUNT"}


def give_back(wire: EbayWire, jobs: Jobs, external_id: str, wish: RefundRequest) -> bool:
    """True when the buyer has it, False while it is on its way. Raises `Refused` with eBay's error id, and
    `Refused` (refund_failed, refund_unclear) where a person must look."""
    name = f"refund/{external_id}/{wish.refund_id}"
    job = jobs.get(name)
    if job and job.get("done"):
        return True
    if job and job.get("failed"):
        raise _failed(job)
    order = wire.ask(Call("GET", order_path(external_id)), "orderId")
    if job is None or not job.get("asked_ms"):
        job = {"known": sorted(refund_ids(order)), "asked_ms": wire.now_ms, "ebay_id": ""}
        jobs.put(name, job)
        return _ask(wire, jobs, name, job, external_id, wish)
    return _look(wire, jobs, name, job, order, external_id, wish)


def refund_ids(order: Mapping[str, Any]) -> set[str]:
    """The ids of an order's refunds: those of the order itself and those of its lines."""
    return {each.text("refundId") for each in _refunds(order) if each.text("refundId")}


def order_path(external_id: str) -> str:
    return f"{ORDERS}/{quote(external_id, safe='')}"


def reason_of(text: str) -> str:
    """eBay's reason for what a person wrote."""
    wanted = text.strip().upper().replace(" ", "_").replace("-", "_")
    if wanted in _REASONS:
        return wanted
    lower = text.lower()
    return next((reason for word, reason in _WORDS.items() if word in lower), "OTHER_ADJUSTMENT")


def _ask(wire: EbayWire, jobs: Jobs, name: str, job: Mapping[str, Any], external_id: str, wish: RefundRequest) -> bool:
    amount = {"value": to_text(wish.amount_minor, wish.currency), "currency": wish.currency}
    body = {"reasonForRefund": reason_of(wish.reason), "orderLevelRefundAmount": amount}
    try:
        made = _issue(wire, external_id, body)
    except Unanswered:
        raise
    except HeadraceError as error:
        jobs.put(name, job if job.get("lost") else {**job, "asked_ms": 0})
        if isinstance(error, Declined) and _ALREADY_REFUNDED in error.codes:
            order = wire.ask(Call("GET", order_path(external_id)), "orderId")
            if ours := _ours(order, job, wish):
                return _settle(jobs, name, job, order, ours)
        raise
    return _told(jobs, name, {**job, "ebay_id": made.text("refundId"), "taken": True}, made.text("refundStatus"))


def _made(answer: Any) -> Node:
    """An answer that names the refund or says how it stands; anything else tells nothing."""
    made = Node(answer if isinstance(answer, dict) else {})
    if not made.has("refundId") and not made.has("refundStatus"):
        raise Unanswered("ebay answered without a refund", after_s=5)
    return made


def _issue(wire: EbayWire, external_id: str, body: Mapping[str, Any]) -> Node:
    """issueRefund; where a return of the order is open, through that."""
    try:
        return _made(wire.call(Call("POST", f"{order_path(external_id)}/issue_refund", body, signed=True)))
    except Declined as declined:
        if _CASE_OPEN not in declined.codes:
            raise
    return Node({"refundStatus": pay_through_return(wire, external_id, body["orderLevelRefundAmount"])})


def _look(
    wire: EbayWire,
    jobs: Jobs,
    name: str,
    job: Mapping[str, Any],
    order: Mapping[str, Any],
    external_id: str,
    wish: RefundRequest,
) -> bool:
    """What became of it. One whose answer was lost is looked for, and asked for again only when it had time to show."""
    ebay_id = str(job.get("ebay_id") or "") or _ours(order, job, wish)
    if ebay_id:
        return _settle(jobs, name, job, order, ebay_id)
    if refund_ids(order) - set(job["known"]):
        remedy = "another refund was made meanwhile: look at the order at eBay before any money moves again"
        raise Refused("refund_unclear", f"{wish.refund_id}: the answer was lost, and {remedy}")
    if job.get("taken"):
        return False  # eBay has it, though it gave no id: asked for again, it would be paid twice
    waited_ms = wire.now_ms - int(job["asked_ms"])
    if waited_ms < _SETTLES_MS:
        raise Busy("the answer to a refund was lost: it may still show", after_s=(_SETTLES_MS - waited_ms) // 1000 + 1)
    job = {**job, "asked_ms": wire.now_ms, "lost": True}
    jobs.put(name, job)
    return _ask(wire, jobs, name, job, external_id, wish)


def _ours(order: Mapping[str, Any], job: Mapping[str, Any], wish: RefundRequest) -> str:
    """The id of a refund that was not there before and is of this amount; "" for none. The order shows what left the
    seller (less tax and fees), its lines what reached the buyer: either may be the amount that was asked for."""
    new = [each for each in _refunds(order) if each.text("refundId") not in ("", *job["known"])]
    for refund_id in {each.text("refundId"): None for each in new}:
        own = [each for each in new if each.text("refundId") == refund_id]
        amounts = [_minor(each, wish.currency) for each in own]
        in_lines = sum(_minor(each, wish.currency) for each in own if each.path.startswith("lineItems"))
        if wish.amount_minor in (*amounts, in_lines):
            return refund_id
    return ""


def _settle(jobs: Jobs, name: str, job: Mapping[str, Any], order: Mapping[str, Any], ebay_id: str) -> bool:
    own = [each for each in _refunds(order) if each.text("refundId") == ebay_id]
    stated = {status for each in own if (status := each.text("refundStatus"))}
    if not stated and any(each.has("refundDate") for each in own):
        stated = {"REFUNDED"}  # a line's refund has no status, and no date before it is done
    status = next((each for each in ("FAILED", "PENDING", "REFUNDED") if each in stated), "PENDING")
    return _told(jobs, name, {**job, "ebay_id": ebay_id}, status)


def _told(jobs: Jobs, name: str, job: Mapping[str, Any], status: str) -> bool:
    jobs.put(name, {**job, "done": status == "REFUNDED", "failed": status == "FAILED"})
    if status == "FAILED":
        raise _failed(job)
    return status == "REFUNDED"


def _failed(job: Mapping[str, Any]) -> Refused:
    remedy = "settle it at eBay, or make a new refund"
    return Refused("refund_failed", f"eBay could not refund the buyer ({job.get('ebay_id') or 'no id'}): {remedy}")


def _refunds(order: Mapping[str, Any]) -> Iterable[Node]:
    root = Node(order)
    yield from root.at("paymentSummary").each("refunds")
    for line in root.each("lineItems"):
        yield from line.each("refunds")


def _minor(refund: Node, currency: str) -> int:
    """Positive minor units; a seller's amounts are converted, with the order's currency beside them."""
    amount = refund.at("amount")
    if amount.text("currency") == currency:
        return abs(amount.minor("value", currency))
    if amount.text("convertedFromCurrency") == currency:
        return abs(amount.minor("convertedFromValue", currency))
    return 0
