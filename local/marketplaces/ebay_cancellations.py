"""Cancellations of whole orders at eBay (Post-Order v2): the buyer asks and the seller answers, or the seller does it.

Sources: api-docs/user-guides/static/post-order-user-guide/post-order-cancellations.html; CancelStateEnum, CancelDetail
and CreateCancelResponse of Devzone/post-order. Numbers of errors are the stand-in's own: no list of them is at hand.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_back_office import Cancellation
from local.marketplaces.ebay_buyers import shown_name
from local.marketplaces.ebay_post_order import between, body_of, date_value, money, no, paged, sale_named
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

RESPONSE_TIME = timedelta(days=3)
REACH = timedelta(days=30)
SELLER_REASONS = frozenset(
    {"OUT_OF_STOCK_OR_CANNOT_FULFILL", "BUYER_ASKED_CANCEL", "ADDRESS_ISSUES", "BUYER_CANCEL_OR_ADDRESS_ISSUE"}
)
# Our word -> cancelState, cancelStatus.
WIRE_STATES = {
    "REQUESTED": ("APPROVAL_PENDING", "CANCEL_REQUESTED"),
    "COMPLETED": ("CLOSED", "CANCEL_CLOSED_WITH_REFUND"),
    "REJECTED": ("CLOSED", "CANCEL_REJECTED"),
}


# --- what the buyer does, and what is read elsewhere --------------------------------------------------


def request_by_buyer(market: Ebay, sale: Sale, now: datetime) -> Cancellation | None:
    """The buyer asks for it; None when there is nothing left to ask: shipped, cancelled or asked before."""
    if sale.cancelled_at or sale.parcels or of_order(market, sale):
        return None
    made = _make(market, sale, "BUYER", "BUYER_ASKED_CANCEL", now)
    sale.touch(now)
    market.changed(sale, "cancel_requested")
    return made


def of_order(market: Ebay, sale: Sale) -> list[Cancellation]:
    """All requests about the order, oldest first."""
    return [each for each in market.shelf.ebay.cancellations if each.order_id == sale.order_id]


def open_request(market: Ebay, sale: Sale) -> Cancellation | None:
    """The request that waits for the seller."""
    return next((each for each in of_order(market, sale) if each.state == "REQUESTED"), None)


def complete_open(market: Ebay, sale: Sale) -> None:
    """The order has been called off: what waited for that is done."""
    if found := open_request(market, sale):
        found.state, found.closed_at = "COMPLETED", sale.cancelled_at


def _make(market: Ebay, sale: Sale, initiator: str, reason: str, now: datetime) -> Cancellation:
    cancel_id = f"5{market.shelf.ebay.number():09}"
    made = Cancellation(cancel_id, sale.order_id, initiator, reason, "REQUESTED", now)
    market.shelf.ebay.cancellations.append(made)
    return made


# --- operations ---------------------------------------------------------------------------------------


def check_eligibility(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /post-order/v2/cancellation/check_eligibility"""
    sale = sale_named(market, body_of(request, 1601).get("legacyOrderId"), 1602)
    failures = [{"failureReason": reason} for reason in [_why_not(market, sale)] if reason]
    result: dict[str, Any] = {"legacyOrderId": sale.order_id, "eligible": not failures}
    if failures:
        result["failureReason"] = [failure["failureReason"] for failure in failures]
    return json_response(200, result)


def create(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /post-order/v2/cancellation by the seller -> 201 and cancelId; the buyer is refunded."""
    body = body_of(request, 1601)
    sale = sale_named(market, body.get("legacyOrderId"), 1602)
    if body.get("cancelReason") not in SELLER_REASONS:
        raise no(400, 1604, "Invalid cancel reason.")
    if reason := _why_not(market, sale):
        raise no(409, 1605, f"The order is not eligible for cancellation: {reason}")
    made = _make(market, sale, "SELLER", str(body["cancelReason"]), market.clock())
    market.cancel(sale, market.clock())
    return json_response(201, {"cancelId": made.cancel_id})


def get(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """GET /post-order/v2/cancellation/{cancelId}"""
    found = _find(market, names)
    detail = _summary(market, found)
    if request.query.get("fieldgroups", "FULL") == "FULL":
        detail |= _full(market, found)
    return json_response(200, {"cancelDetail": detail})


def search(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /post-order/v2/cancellation/search, newest first."""
    wanted = request.query.get("legacy_order_id"), request.query.get("cancel_id")
    found = [
        each
        for each in reversed(market.shelf.ebay.cancellations)
        if between(request, each.asked_at)
        and wanted[0] in {None, each.order_id}
        and wanted[1] in {None, each.cancel_id}
        and request.query.get("cancel_state") in {None, WIRE_STATES[each.state][0]}
    ]
    return json_response(200, paged(request, "cancellations", [_summary(market, each) for each in found]))


def approve(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /post-order/v2/cancellation/{cancelId}/approve: the order is called off and the buyer refunded."""
    found = _waiting(market, names)
    sale = market.shelf.sales[found.order_id]
    if sale.parcels:
        raise no(409, 1605, "The order has been shipped.")
    market.cancel(sale, market.clock())
    return Response(200)


def reject(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """POST /post-order/v2/cancellation/{cancelId}/reject: needs a JSON body, which may be {}."""
    body_of(request, 1601)
    found = _waiting(market, names)
    sale = market.shelf.sales[found.order_id]
    found.state, found.closed_at = "REJECTED", market.clock()
    sale.touch(market.clock())
    return Response(200)


def _why_not(market: Ebay, sale: Sale) -> str:
    """'' when the seller may call the order off."""
    if sale.cancelled_at:
        return "ALREADY_CANCELED"
    if sale.parcels:
        return "ALREADY_SHIPPED"
    if open_request(market, sale):
        return "CANCELLATION_IN_PROGRESS"
    return "CANCELLATION_WINDOW_OVER" if market.clock() > sale.placed_at + REACH else ""


def _find(market: Ebay, names: dict[str, str]) -> Cancellation:
    for each in market.shelf.ebay.cancellations:
        if each.cancel_id == names["cancel_id"]:
            return each
    raise no(404, 1606, "The cancellation was not found.")


def _waiting(market: Ebay, names: dict[str, str]) -> Cancellation:
    found = _find(market, names)
    if found.state != "REQUESTED" or found.initiator != "BUYER":
        raise no(409, 1607, "The cancellation does not wait for the seller.")
    return found


def _summary(market: Ebay, each: Cancellation) -> dict[str, Any]:
    sale = market.shelf.sales[each.order_id]
    state, status = WIRE_STATES[each.state]
    body = {
        "cancelId": each.cancel_id,
        "marketplaceId": market.site,
        "legacyOrderId": each.order_id,
        "requestorType": each.initiator,
        "cancelState": state,
        "cancelStatus": status,
        "cancelReason": each.reason,
        "paymentStatus": "PAID",
        "buyerLoginName": shown_name(market, sale),
        "sellerLoginName": market.seller_id,
        "requestRefundAmount": money(sale.before_tax_minor + sale.tax_minor, sale.currency),
        "cancelRequestDate": date_value(each.asked_at),
        "lastModifiedDate": date_value(each.closed_at or each.asked_at),
    }
    if each.state == "REQUESTED":
        body["sellerResponseDueDate"] = date_value(each.asked_at + RESPONSE_TIME)
    elif each.closed_at:
        body["cancelCloseDate"] = date_value(each.closed_at)
        body["cancelCloseReason"] = "FULL_REFUNDED" if each.state == "COMPLETED" else "SELLER_REJECTED"
    return body


def _full(market: Ebay, each: Cancellation) -> dict[str, Any]:
    sale = market.shelf.sales[each.order_id]
    history = [{"activityParty": each.initiator, "activityType": "CREATE", "actionDate": date_value(each.asked_at)}]
    if each.closed_at:
        done = "APPROVE" if each.state == "COMPLETED" else "REJECT"
        history.append({"activityParty": "SELLER", "activityType": done, "actionDate": date_value(each.closed_at)})
    lines = [{"itemId": ebay_item_id(line.sku), "transactionId": line.line_id} for line in sale.lines]
    return {"activityHistories": history, "lineItems": lines}
