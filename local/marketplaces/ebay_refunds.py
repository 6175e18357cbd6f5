"""eBay's issueRefund: asynchronous, and not idempotent.

Source: sell_fulfillment_v1_oas3.json (`x-response-codes` of issueRefund).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_back_office import Refund
from local.marketplaces.ebay_errors import FULFILLMENT, json_object, refuse
from local.marketplaces.ebay_money import line_total_minor, refunds_of, standing
from local.marketplaces.money import amount_minor
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

# The schema's limit; the text of error 34921 says 1000.
COMMENT_MAX = 100
REACH = timedelta(days=90)
REASONS = frozenset(
    {
        "BUYER_CANCEL",
        "SELLER_CANCEL",
        "ITEM_NOT_RECEIVED",
        "BUYER_RETURN",
        "ITEM_NOT_AS_DESCRIBED",
        "OTHER_ADJUSTMENT",
        "SHIPPING_DISCOUNT",
    }
)


def issue_refund(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """POST …/order/{order_id}/issue_refund -> refundId and PENDING; asked twice, it pays twice (once done)."""
    sale = market.shelf.sales.get(names["order_id"])
    if sale is None:
        raise refuse(404, 34913, "Can not find the order.")
    body = json_object(request, 34902, FULFILLMENT)
    if body.get("reasonForRefund") not in REASONS:
        raise refuse(400, 34903, "The refund reason must be specified.")
    if len(str(body.get("comment", ""))) > COMMENT_MAX:
        raise refuse(400, 34921, "The comment exceeds the length limit.")
    _check_possible(market, sale)
    lines = _lines_minor(market, sale, body)
    refund = begin_refund(market, sale, lines, str(body["reasonForRefund"]))
    return json_response(200, {"refundId": refund.refund_id, "refundStatus": "PENDING"})


def begin_refund(market: Ebay, sale: Sale, lines: dict[str, int], reason: str) -> Refund:
    """A refund on its way: line id -> minor units."""
    number = market.shelf.ebay.number()
    refund = Refund(f"6{number:09}", sale.order_id, market.clock(), sum(lines.values()), lines, reason)
    market.shelf.ebay.refunds.setdefault(sale.order_id, []).append(refund)
    sale.touch(market.clock())
    return refund


def complete_refunds(market: Ebay, now: datetime) -> None:
    """Refunds asked for long enough ago reach the buyer."""
    for refund in (each for refunds in market.shelf.ebay.refunds.values() for each in refunds):
        due_at = refund.asked_at + timedelta(seconds=market.refund_takes_s)
        if refund.done_at is None and due_at <= now:
            sale = market.shelf.sales[refund.order_id]
            sale.touch(due_at)
            refund.done_at, refund.failed = due_at, market.refunds_fail


def remaining_minor(market: Ebay, sale: Sale) -> dict[str, int]:
    """Line id -> what may still be given back of it."""
    refunds = standing(refunds_of(market, sale))
    return {
        line.line_id: line_total_minor(sale, line) - sum(each.lines.get(line.line_id, 0) for each in refunds)
        for line in sale.lines
    }


def _check_possible(market: Ebay, sale: Sale) -> None:
    now = market.clock()
    refunds = standing(refunds_of(market, sale))
    if market.refund_refusal:
        raise refuse(409, market.refund_refusal, "The refund operation could not be completed.", category="BUSINESS")
    if not sale.paid or now < sale.placed_at + timedelta(seconds=market.payment_takes_s):
        raise refuse(409, 34929, "You cannot refund this order yet since the payment has not been processed.")
    if any(each.order_id == sale.order_id and each.state != "CLOSED" for each in market.shelf.ebay.returns):
        raise refuse(400, 34916, "A post-transaction case exists on this order.", category="BUSINESS")
    if any(each.status == "PENDING" for each in refunds):
        raise refuse(400, 34922, "Refund cannot be issued while previous refund is processing.")
    if sale.cancelled_at or sum(each.gross_minor for each in refunds) >= sale.before_tax_minor:
        raise refuse(400, 34917, "This order was already refunded.", category="BUSINESS")
    if now > sale.placed_at + REACH:
        raise refuse(400, 34920, "It's too late to issue a refund for this order.", category="BUSINESS")


def _lines_minor(market: Ebay, sale: Sale, body: dict[str, Any]) -> dict[str, int]:
    """Line id -> minor units, of the request's items, or spread over the lines for an amount of the whole order."""
    items, whole = body.get("refundItems"), body.get("orderLevelRefundAmount")
    if bool(items) == bool(whole):
        raise refuse(400, 34905, "Either orderLevelRefundAmount or refundItems must be specified.")
    left = remaining_minor(market, sale)
    if whole:
        return _spread(left, _checked_minor(sale, whole))
    lines: dict[str, int] = {}
    for item in items if isinstance(items, list) else [items]:
        item = item if isinstance(item, dict) else {}
        line_id = item.get("lineItemId")
        if line_id is None:
            raise refuse(400, 34910, "Either legacyReference or lineItemId must be specified.")
        if line_id not in left:
            raise refuse(400, 34914, "Can't find the item in the order.")
        lines[line_id] = lines.get(line_id, 0) + _checked_minor(sale, item.get("refundAmount"))
        if lines[line_id] > left[line_id]:
            raise refuse(409, 34924, "The item refund amount exceeds the item remaining amount.", category="BUSINESS")
    return lines


def _spread(left: dict[str, int], wanted_minor: int) -> dict[str, int]:
    if wanted_minor > sum(left.values()):
        raise refuse(400, 34915, "The refund amount exceeds order amount.")
    lines: dict[str, int] = {}
    for line_id, most_minor in left.items():
        lines[line_id] = min(most_minor, wanted_minor)
        wanted_minor -= lines[line_id]
    return {line_id: minor for line_id, minor in lines.items() if minor}


def _checked_minor(sale: Sale, stated: Any) -> int:
    stated = stated if isinstance(stated, dict) else {}
    if "value" not in stated:
        raise refuse(400, 34906, "The amount value must be specified.")
    if "currency" not in stated:
        raise refuse(400, 34908, "The amount currency must be specified.")
    if stated["currency"] != sale.currency:
        raise refuse(400, 34909, "The amount currency isn't correct.")
    try:
        minor = amount_minor(str(stated["value"]), sale.currency)
    except ValueError:
        minor = 0
    if minor <= 0:
        raise refuse(400, 34907, "The amount value must be positive and within two decimals.")
    return minor
