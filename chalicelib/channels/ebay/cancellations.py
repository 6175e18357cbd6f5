"""Calling orders off, and answering buyers who ask for it: Post-Order v2, whole orders only.

Sources: developer.ebay.com/Devzone/post-order (CreateCancelRequest, CancelStatusEnum, EligibilityFailureReasonEnum);
api-docs/user-guides/static/post-order-user-guide/post-order-cancellations.html. A buyer's request that is approved is
no defect of the seller, a cancellation of his own is one: an open request is always answered, never passed over.
Job `cancel/<order>/<cancellation id>`: when we asked for a cancellation whose answer we have not had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.refunds import order_path
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import CancellationRequest
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unanswered

_PATH = "/post-order/v2/cancellation"
_SETTLES_MS = 120_000  # so long a cancellation may be on its way before a search shows it
_SELLERS = ("OUT_OF_STOCK_OR_CANNOT_FULFILL", "BUYER_ASKED_CANCEL", "ADDRESS_ISSUES")
_IN_HAND = ("CANCELLATION_EXIST", "CANCELLATION_IN_PROGRESS")
_UNSUPPORTED = (404, 405, 501)  # check_eligibility is not everywhere
_MISSING = 404


def call_off(wire: EbayWire, jobs: Jobs, external_id: str, wish: CancellationRequest) -> None:
    """Calls the whole order off; done already is done. Raises `Refused` (whole_orders_only, not_eligible), and `Busy`
    while eBay works on it."""
    order = Node(wire.ask(Call("GET", order_path(external_id)), "orderId"))
    if order.at("cancelStatus").text("cancelState") == "CANCELED":
        return
    _whole(order, external_id, wish)
    known = _search(wire, external_id)
    if waiting := _open_request(known):
        _approve(wire, external_id, waiting)
        return
    if _goes_on(known) or not _eligible(wire, external_id):
        return
    name = f"cancel/{external_id}/{wish.cancellation_id}"
    job = jobs.get(name)
    waited_ms = wire.now_ms - int((job or {}).get("asked_ms") or 0)
    if waited_ms < _SETTLES_MS:
        raise Busy("the answer to a cancellation was lost: it may still show", after_s=60)
    jobs.put(name, {"external_id": external_id, "asked_ms": wire.now_ms})
    try:
        wire.ask(Call("POST", _PATH, _body(order, external_id, wish.reason), signed=True), "cancelId")
    except Unanswered:
        raise
    except HeadraceError:
        jobs.drop(name)  # it was certainly not done
        raise
    jobs.drop(name)


def reason_of(text: str) -> str:
    """eBay's reason for what a person wrote; without a hint of the buyer it is the seller who cannot deliver."""
    wanted = text.strip().upper().replace(" ", "_").replace("-", "_")
    if wanted in _SELLERS:
        return wanted
    lower = text.lower()
    if "address" in lower:
        return "ADDRESS_ISSUES"
    return "BUYER_ASKED_CANCEL" if "buyer" in lower or "customer" in lower else _SELLERS[0]


def _whole(order: Node, external_id: str, wish: CancellationRequest) -> None:
    sold = {line.text("lineItemId"): line.whole("quantity") for line in order.each("lineItems")}
    wanted = dict(wish.items)
    if any(wanted.get(line_id, 0) < units for line_id, units in sold.items()):
        remedy = "refund the units that will not come, and tell the buyer"
        raise Refused("whole_orders_only", f"eBay calls off order {external_id} as a whole or not at all: {remedy}")


def _search(wire: EbayWire, external_id: str) -> list[Node]:
    """Every cancellation of the order, as summaries."""
    query = urlencode({"legacy_order_id": external_id, "limit": "200"})
    try:
        found = wire.found(Call("GET", f"{_PATH}/search?{query}"))
    except Declined as error:
        if error.status == _MISSING:
            return []
        raise
    return [each for each in Node(found).each("cancellations") if _of(each, external_id)]


def _of(each: Node, external_id: str) -> bool:
    """A filter that is not understood would give every cancellation of the seller."""
    return each.text("legacyOrderId") in ("", external_id)


def _open_request(known: list[Node]) -> Node | None:
    waiting = ("CANCEL_REQUESTED",)
    return next(
        (
            each
            for each in known
            if each.text("requestorType") != "SELLER"
            and (each.text("cancelStatus") in waiting or each.text("cancelState") == "APPROVAL_PENDING")
            and each.text("cancelState") != "CLOSED"
        ),
        None,
    )


def _goes_on(known: list[Node]) -> bool:
    """Whether the order has been called off; raises `Busy` while eBay is at it."""
    statuses = [each.text("cancelStatus") for each in known]
    if any(status.startswith("CANCEL_CLOSED") for status in statuses):
        return True
    if any(status not in ("CANCEL_REJECTED", "CANCEL_FAILED", "INVALID") for status in statuses):
        raise Busy("ebay is working on the cancellation of this order", after_s=300)
    return False


def _approve(wire: EbayWire, external_id: str, waiting: Node) -> None:
    """A conflict may say that it has been approved meanwhile."""
    try:
        wire.call(Call("POST", f"{_PATH}/{_id(waiting)}/approve", {}, signed=True))
    except (Busy, Declined):
        now = [each for each in _search(wire, external_id) if _id(each) == _id(waiting)]
        if _open_request(now) or not _goes_on(now):
            raise


def _eligible(wire: EbayWire, external_id: str) -> bool:
    """False when it has been called off already. Raises `Refused` with eBay's reasons."""
    try:
        found = wire.call(Call("POST", f"{_PATH}/check_eligibility", {"legacyOrderId": external_id}))
    except Declined as error:
        if error.status in _UNSUPPORTED:
            return True
        raise
    if not isinstance(found, dict) or found.get("eligible") is not False:
        return True
    reasons = [str(each) for each in found.get("failureReason") or []]
    if any("ALREADY_CANCEL" in reason for reason in reasons):
        return False
    if any(reason in _IN_HAND for reason in reasons):
        raise Busy("ebay has a cancellation of this order in hand", after_s=60)
    told = ", ".join(reasons)[:120] or "no reason given"
    raise Refused("not_eligible", f"eBay does not call off order {external_id} any more ({told}): refund the buyer")


def _body(order: Node, external_id: str, reason: str) -> dict[str, Any]:
    paid = order.text("orderPaymentStatus") in ("PAID", "PARTIALLY_REFUNDED")
    body: dict[str, Any] = {"legacyOrderId": external_id, "cancelReason": reason_of(reason), "buyerPaid": paid}
    dates = [each.text("paymentDate") for each in order.at("paymentSummary").each("payments")]
    if paid and (date := next(filter(None, dates), "")):
        body["buyerPaidDate"] = _date(date)
    return body


def _date(text: str) -> Mapping[str, str]:
    return {"value": text}


def _id(each: Node) -> str:
    return quote(each.identity("cancelId"), safe="")
