"""eBay's Finances API: reading transactions and payouts.

Source: sell_finances_v1_oas3.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.marketplaces.ebay_back_office import Payout
from local.marketplaces.ebay_errors import parse_stamp, refuse, stamp
from local.marketplaces.ebay_money import amount
from local.marketplaces.ebay_transactions import Transaction, transactions
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

FINANCES = "API_FINANCES"
BASE = "/sell/finances/v1"
PAGE, MAX_TRANSACTIONS, MAX_PAYOUTS = 20, 1000, 200
REACH, RANGE_MAX = timedelta(days=5 * 365), timedelta(days=36 * 31)
TYPES = frozenset(
    {
        "SALE",
        "REFUND",
        "CREDIT",
        "DISPUTE",
        "SHIPPING_LABEL",
        "TRANSFER",
        "NON_SALE_CHARGE",
        "ADJUSTMENT",
        "WITHDRAWAL",
        "LOAN_REPAYMENT",
        "PURCHASE",
    }
)
STATUSES = frozenset(
    {"FUNDS_ON_HOLD", "FUNDS_PROCESSING", "FUNDS_AVAILABLE_FOR_PAYOUT", "PAYOUT", "COMPLETED", "FAILED"}
)
PAYOUT_STATUSES = frozenset({"INITIATED", "SUCCEEDED", "REVERSED", "RETRYABLE_FAILED", "TERMINAL_FAILED"})
_FILTER = re.compile(r"(\w+):(\[[^\]]*\]|\{[^}]*\})")
_RANGE = re.compile(r"\[([^\]]*?)\.\.([^\]]*)\]")


def _body(market: Ebay, each: Transaction) -> dict[str, Any]:
    ids = {"orderId": each.order_id} if each.order_id else {}
    if each.payout_id:
        ids["payoutId"] = each.payout_id
    return {
        "transactionId": each.transaction_id,
        **ids,
        "salesRecordReference": "0",
        "transactionType": each.kind,
        "amount": amount(abs(each.signed_minor), market.currency),
        "bookingEntry": "CREDIT" if each.signed_minor >= 0 else "DEBIT",
        "transactionDate": stamp(each.at),
        "transactionStatus": each.status,
        "paymentsEntity": "eBay Commerce Inc.",
        **each.details,
    }


# --- operations ---------------------------------------------------------------------------------------


def get_transactions(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/finances/v1/transaction, newest first (sort=transactionDate: oldest first); 204 when there is none."""
    filters = _filters(request.query.get("filter", ""))
    found = [each for each in transactions(market, market.clock()) if _of_site(market, request)]
    if "transactionDate" in filters:
        start, end = _range(market, filters["transactionDate"], 135008, 135015, 135016)
        found = [each for each in found if start <= each.at <= end]
    if "transactionId" in filters and "transactionType" not in filters:
        raise _no(135009, "Transaction type filter is missing.")
    for name, allowed, error_id in (("transactionType", TYPES, 135006), ("transactionStatus", STATUSES, 135007)):
        if name in filters and not _values(filters[name]) <= allowed:
            raise _no(error_id, f"The value of {name} filter is invalid.")
    readers: dict[str, Callable[[Transaction], str]] = {
        "payoutId": lambda each: each.payout_id,
        "orderId": lambda each: each.order_id,
        "transactionId": lambda each: each.transaction_id,
        "transactionType": lambda each: each.kind,
        "transactionStatus": lambda each: each.status,
        "buyerUsername": lambda each: each.details.get("buyer", {}).get("username", ""),
    }
    for name, read in readers.items():
        if name in filters:
            wanted = _values(filters[name])
            found = [each for each in found if read(each) in wanted]
    if request.query.get("sort") == "transactionDate":
        found.reverse()
    return _paged(market, request, "transaction", [_body(market, each) for each in found], MAX_TRANSACTIONS)


def get_payouts(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/finances/v1/payout, newest first; 204 when there is none."""
    found = _payouts(market, request)
    return _paged(market, request, "payout", [_payout_body(market, each) for each in found], MAX_PAYOUTS)


def get_payout(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /sell/finances/v1/payout/{payout_Id}"""
    for each in market.shelf.ebay.payouts:
        if each.payout_id == names["payout_id"]:
            return json_response(200, _payout_body(market, each))
    raise refuse(404, 135001, "The payout id was not found.", domain=FINANCES)


def get_payout_summary(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/finances/v1/payout_summary"""
    found = _payouts(market, request)
    summary: dict[str, Any] = {
        "payoutCount": len(found),
        "transactionCount": sum(each.transactions for each in found),
    }
    if found:
        summary["amount"] = amount(sum(each.amount_minor for each in found), market.currency)
    return json_response(200, summary)


def _payouts(market: Ebay, request: Request) -> list[Payout]:
    filters = _filters(request.query.get("filter", ""))
    found = [each for each in reversed(market.shelf.ebay.payouts) if _of_site(market, request)]
    if "payoutDate" in filters:
        start, end = _range(market, filters["payoutDate"], 135004, 135013, 135014)
        found = [each for each in found if start <= each.at <= end]
    statuses = _values(filters["payoutStatus"]) if "payoutStatus" in filters else {"SUCCEEDED"}
    if not statuses <= PAYOUT_STATUSES:
        raise _no(135002, "The value of payout status filter is invalid.")
    return found if "SUCCEEDED" in statuses else []


def _payout_body(market: Ebay, each: Payout) -> dict[str, Any]:
    return {
        "payoutId": each.payout_id,
        "payoutStatus": "SUCCEEDED",
        "payoutStatusDescription": "Successful transfer to the bank",
        "amount": amount(each.amount_minor, market.currency),
        "payoutDate": stamp(each.at),
        "payoutInstrument": {"instrumentType": "BANK", "nickname": "Local bank", "accountLastFourDigits": "0000"},
        "transactionCount": each.transactions,
    }


# --- queries ------------------------------------------------------------------------------------------


def _no(error_id: int, message: str) -> RefusalError:
    return refuse(400, error_id, message, domain=FINANCES)


def _of_site(market: Ebay, request: Request) -> bool:
    return (request.header("X-EBAY-C-MARKETPLACE-ID") or "EBAY_US") == market.site


def _filters(text: str) -> dict[str, str]:
    return dict(_FILTER.findall(text))


def _values(text: str) -> set[str]:
    return {value for value in re.split(r"[|,]", text.strip("{}")) if value}


def _range(market: Ebay, text: str, wrong: int, too_old: int, too_wide: int) -> tuple[datetime, datetime]:
    match, now = _RANGE.fullmatch(text), market.clock()
    start = parse_stamp(match[1]) if match else None
    end = (parse_stamp(match[2]) if match[2] else now) if match else None
    if start is None or end is None or start > end:
        raise _no(wrong, "The value of the date filter is invalid.")
    if start < now - REACH:
        raise _no(too_old, "The supplied start date is more than five years ago.")
    if end - start > RANGE_MAX:
        raise _no(too_wide, "The date range cannot exceed 36 months.")
    return start, end


def _paged(market: Ebay, request: Request, name: str, items: list[dict[str, Any]], most: int) -> Response:
    query: Mapping[str, str] = request.query
    limit_text, offset_text = query.get("limit", str(PAGE)), query.get("offset", "0")
    if not limit_text.isdecimal() or not 1 <= int(limit_text) <= most or not offset_text.isdecimal():
        raise _no(135003, "The value of pagination is invalid.")
    if not items:
        return Response(204)
    limit, offset = int(limit_text), int(offset_text)

    def link(to: int) -> str:
        return f"{market.base_url}{BASE}/{name}?{urlencode({**query, 'limit': limit, 'offset': to})}"

    answer: dict[str, Any] = {
        "href": link(offset),
        f"{name}s": items[offset : offset + limit],
        "total": len(items),
        "limit": limit,
        "offset": offset,
    }
    if offset + limit < len(items):
        answer["next"] = link(offset + limit)
    if offset:
        answer["prev"] = link(max(0, offset - limit))
    return json_response(200, answer)
