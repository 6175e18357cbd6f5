"""Returns at eBay (Post-Order v2): units of one line of an order.

Sources: ReturnSummaryType, DecisionEnum, DecideReturnRequest of Devzone/post-order. Numbers of errors are the
stand-in's own: no list of them is at hand.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_back_office import ReturnRequest
from local.marketplaces.ebay_buyers import shown_name
from local.marketplaces.ebay_post_order import between, body_of, date_value, money, no, paged
from local.marketplaces.ebay_refunds import begin_refund, remaining_minor
from local.marketplaces.money import amount_minor
from local.marketplaces.shelf import Sale, SoldLine
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

RESPONSE_TIME = timedelta(days=3)
# state -> status, and what the seller can do
STATUSES = {
    "RETURN_REQUESTED": ("RETURN_REQUESTED", ("SELLER_APPROVE_REQUEST", "SELLER_DECLINE_REQUEST")),
    "ITEM_READY_TO_SHIP": ("READY_FOR_SHIPPING", ("SELLER_ISSUE_REFUND",)),
    "ITEM_SHIPPED": ("ITEM_SHIPPED", ("SELLER_MARK_AS_RECEIVED", "SELLER_ISSUE_REFUND")),
    "ITEM_DELIVERED": ("ITEM_DELIVERED", ("SELLER_ISSUE_REFUND",)),
    "CLOSED": ("CLOSED", ()),
}
DECISIONS = {"APPROVE": "ITEM_READY_TO_SHIP", "DECLINE": "CLOSED"}


# --- what the buyer does ------------------------------------------------------------------------------


def open_by_buyer(
    market: Ebay, sale: Sale, line_id: str, units: int, now: datetime, reason: str = "NO_LONGER_NEED_ITEM"
) -> ReturnRequest:
    """The buyer wants to send units back. Raises ValueError for more than have been shipped and not yet returned."""
    asked = sum(
        each.units for each in market.shelf.ebay.returns if (each.order_id, each.line_id) == (sale.order_id, line_id)
    )
    if units < 1 or units > sale.shipped(line_id) - asked:
        raise ValueError(f"{sale.order_id}/{line_id}: {units} units cannot be returned")
    return_id = f"52{market.shelf.ebay.number():08}"
    made = ReturnRequest(return_id, sale.order_id, line_id, units, reason, "RETURN_REQUESTED", now, now)
    market.shelf.ebay.returns.append(made)
    sale.touch(now)
    return made


def ship_by_buyer(found: ReturnRequest, now: datetime) -> None:
    """The parcel is on its way back; nothing happens before the seller has agreed."""
    if found.state == "ITEM_READY_TO_SHIP":
        _move(found, "ITEM_SHIPPED", now)


# --- operations ---------------------------------------------------------------------------------------


def search(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /post-order/v2/return/search, newest first."""
    wanted = request.query.get("order_id"), request.query.get("return_id")
    state = request.query.get("return_state")
    found = [
        each
        for each in reversed(market.shelf.ebay.returns)
        if between(request, each.opened_at)
        and wanted[0] in {None, each.order_id}
        and wanted[1] in {None, each.return_id}
        and state in {None, "ALL", each.state, "ALL_OPEN" if each.state != "CLOSED" else None}
    ]
    return json_response(200, paged(request, "members", [_summary(market, each) for each in found]))


def get(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """GET /post-order/v2/return/{returnId}: `detail`, or `summary` alone when that is asked for."""
    found = _find(market, names)
    if request.query.get("fieldgroups") == "SUMMARY":
        return json_response(200, {"summary": _summary(market, found)})
    history = [{"author": "BUYER", "activity": "BUYER_CREATE_RETURN", "creationDate": date_value(found.opened_at)}]
    return json_response(200, {"detail": {**_summary(market, found), "responseHistory": history}})


def decide(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """POST /post-order/v2/return/{returnId}/decide {"decision": "APPROVE" or "DECLINE"}"""
    found, decision = _find(market, names), body_of(request, 1701).get("decision")
    if decision not in DECISIONS:
        raise no(400, 1702, "Invalid decision.")
    if found.state != "RETURN_REQUESTED":
        raise no(409, 1703, f"The return cannot be decided in the state {found.state}.")
    _move(found, DECISIONS[decision], market.clock())
    return json_response(200, {})


def mark_as_received(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /post-order/v2/return/{returnId}/mark_as_received"""
    found = _find(market, names)
    if found.state not in {"ITEM_READY_TO_SHIP", "ITEM_SHIPPED"}:
        raise no(409, 1703, f"The return cannot be received in the state {found.state}.")
    _move(found, "ITEM_DELIVERED", market.clock())
    return Response(200)


def issue_refund(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """POST /post-order/v2/return/{returnId}/issue_refund {"refundDetail": {"totalAmount"}} -> PENDING; closes it."""
    found, body = _find(market, names), body_of(request, 1701)
    if found.refund_id or found.state in {"RETURN_REQUESTED", "CLOSED"}:
        raise no(409, 1704, f"No refund can be issued in the state {found.state}.")
    sale, line = _sold(market, found)
    stated = body.get("refundDetail", {}).get("totalAmount", {})
    try:
        wanted_minor = amount_minor(f"{stated['value']}", sale.currency)
        right_currency = stated["currency"] == sale.currency
    except (KeyError, TypeError, ValueError):
        raise no(400, 1705, "Invalid refund amount.") from None
    if not right_currency or not 0 < wanted_minor <= remaining_minor(market, sale)[line.line_id]:
        raise no(400, 1705, "Invalid refund amount.")
    found.refund_id = begin_refund(market, sale, {line.line_id: wanted_minor}, "BUYER_RETURN").refund_id
    _move(found, "CLOSED", market.clock())
    return json_response(200, {"refundStatus": "PENDING"})


def _move(found: ReturnRequest, state: str, now: datetime) -> None:
    found.state, found.changed_at = state, now


def _find(market: Ebay, names: dict[str, str]) -> ReturnRequest:
    for each in market.shelf.ebay.returns:
        if each.return_id == names["return_id"]:
            return each
    raise no(404, 1706, "The return was not found.")


def _sold(market: Ebay, found: ReturnRequest) -> tuple[Sale, SoldLine]:
    sale = market.shelf.sales[found.order_id]
    line = sale.line(found.line_id)
    assert line is not None
    return sale, line


def _summary(market: Ebay, each: ReturnRequest) -> dict[str, Any]:
    sale, line = _sold(market, each)
    status, options = STATUSES[each.state]
    estimate = money(line.net_minor * each.units // line.quantity, sale.currency)
    refund: dict[str, Any] = {"estimatedRefundAmount": estimate}
    for made in market.shelf.ebay.refunds.get(each.order_id, []):
        if made.refund_id == each.refund_id:
            refund["actualRefundAmount"] = money(made.gross_minor, sale.currency)
    body = {
        "returnId": each.return_id,
        "orderId": each.order_id,
        "buyerLoginName": shown_name(market, sale),
        "sellerLoginName": market.seller_id,
        "currentType": "MONEY_BACK",
        "state": each.state,
        "status": status,
        "creationInfo": {
            "item": {
                "itemId": ebay_item_id(line.sku),
                "transactionId": each.line_id,
                "returnQuantity": each.units,
            },
            "type": "MONEY_BACK",
            "reason": each.reason,
            "reasonType": "REMORSE",
            "creationDate": date_value(each.opened_at),
        },
        "sellerTotalRefund": refund,
        "buyerTotalRefund": refund,
        "sellerAvailableOptions": [{"actionType": option} for option in options],
    }
    if options:
        due = {"activityDue": options[0], "respondByDate": date_value(each.changed_at + RESPONSE_TIME)}
        body["sellerResponseDue"] = due
    return body
