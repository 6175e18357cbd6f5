"""eBay's Finances API: transactions and payouts, derived from the orders and what became of them.

Sources: sell_finances_v1_oas3.json; a live getTransactions (a SALE's id is the order's, an AD_FEE names the order only
among its references, collected tax is spelt `ebayCollectedTaxAmount`, which the document spells otherwise).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_back_office import Payout
from local.marketplaces.ebay_errors import parse_stamp, refuse, stamp
from local.marketplaces.ebay_money import FEE_FIXED_MINOR, amount, fee_minor, line_total_minor, refunds_of
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

FINANCES = "API_FINANCES"
BASE = "/sell/finances/v1"
PAGE, MAX_TRANSACTIONS, MAX_PAYOUTS = 20, 1000, 200
REACH, RANGE_MAX = timedelta(days=5 * 365), timedelta(days=36 * 31)
# Every fifth order was sold through a promoted listing, which costs 2 % of its goods.
ADVERTISED_EVERY, AD_FEE_PER_CENT = 5, 2
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


@dataclass(frozen=True)
class Transaction:
    """One movement of the seller's funds; `signed_minor` below 0 is a debit."""

    kind: str
    transaction_id: str
    at: datetime
    signed_minor: int
    status: str
    payout_id: str
    order_id: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The id alone is unique only within its type."""
        return f"{self.kind}/{self.transaction_id}"


def pay_out(market: Ebay, now: datetime) -> Payout | None:
    """Sends all available funds to the bank; None, and nothing sent, when they do not add up to something."""
    ready = [each for each in transactions(market, now) if each.status == "FUNDS_AVAILABLE_FOR_PAYOUT"]
    total_minor = sum(each.signed_minor for each in ready)
    if total_minor <= 0:
        return None
    office = market.shelf.ebay
    payout = Payout(f"65{office.number():08}", now, total_minor, len(ready))
    office.payouts.append(payout)
    office.payout_of |= {each.key: payout.payout_id for each in ready}
    return payout


# --- transactions -------------------------------------------------------------------------------------


def transactions(market: Ebay, now: datetime) -> list[Transaction]:
    """All of them until `now`, newest first."""
    found = [each for sale in market.shelf.sales.values() if sale.paid for each in _of_sale(market, sale, now)]
    for transfer in market.shelf.ebay.transfers:
        memo = {"transactionMemo": "TRANSFER_FROM" if transfer.amount_minor > 0 else "TRANSFER_TO"}
        facts = ("TRANSFER", transfer.transfer_id, transfer.at, transfer.amount_minor)
        found.append(_made(market, now, *facts, details=memo))
    return sorted((each for each in found if each.at <= now), key=lambda each: (each.at, each.key), reverse=True)


def _of_sale(market: Ebay, sale: Sale, now: datetime) -> Iterator[Transaction]:
    net_minor = sale.before_tax_minor - fee_minor(sale)
    yield _made(market, now, "SALE", sale.order_id, sale.placed_at, net_minor, sale=sale, details=_sale_details(sale))
    for refund in refunds_of(market, sale):
        if refund.status == "REFUNDED":
            details = {"totalFeeAmount": amount(refund.fee_credit_minor, sale.currency), **_buyer(sale)}
            facts = ("REFUND", refund.refund_id, refund.at, -refund.net_minor)
            yield _made(market, now, *facts, sale=sale, details=details)
    if sale.number % ADVERTISED_EVERY == 0:
        references = [
            {"referenceId": ebay_item_id(sale.lines[0].sku), "referenceType": "ITEM_ID"},
            {"referenceId": sale.order_id, "referenceType": "ORDER_ID"},
        ]
        fee = -max(1, sale.subtotal_minor * AD_FEE_PER_CENT // 100)
        facts = ("NON_SALE_CHARGE", f"FEE-{sale.number:013}_11", sale.placed_at + timedelta(minutes=4), fee)
        yield _made(market, now, *facts, details={"feeType": "AD_FEE", "references": references})


def _made(
    market: Ebay,
    now: datetime,
    kind: str,
    transaction_id: str,
    at: datetime,
    signed_minor: int,
    *,
    sale: Sale | None = None,
    details: dict[str, Any],
) -> Transaction:
    payout_id = market.shelf.ebay.payout_of.get(f"{kind}/{transaction_id}", "")
    hold = market.shelf.ebay.holds.get(sale.order_id) if sale else None
    if payout_id:
        status = "PAYOUT"
    elif hold and not hold.released_at and kind == "SALE":
        status = "FUNDS_ON_HOLD"
    else:
        clear_at = at + timedelta(seconds=market.funds_take_s)
        status = "FUNDS_AVAILABLE_FOR_PAYOUT" if clear_at <= now else "FUNDS_PROCESSING"
    order_id = sale.order_id if sale else ""
    return Transaction(kind, transaction_id, at, signed_minor, status, payout_id, order_id, details)


def _buyer(sale: Sale) -> dict[str, Any]:
    return {"buyer": {"username": sale.buyer.handle}}


def _sale_details(sale: Sale) -> dict[str, Any]:
    """Fees per line: the fixed one on the first, the rest by the lines' shares, to the cent."""
    left_minor, basis_left = fee_minor(sale) - FEE_FIXED_MINOR, sale.before_tax_minor + sale.tax_minor
    lines = []
    for line in sale.lines:
        basis_minor = line_total_minor(sale, line) + line.tax_minor
        share_minor = round(left_minor * basis_minor / basis_left) if basis_left else 0
        left_minor, basis_left = left_minor - share_minor, basis_left - basis_minor
        fixed = [("FINAL_VALUE_FEE_FIXED_PER_ORDER", FEE_FIXED_MINOR)] if line is sale.lines[0] else []
        fees = [*fixed, ("FINAL_VALUE_FEE", share_minor)]
        lines.append(
            {
                "lineItemId": line.line_id,
                "feeBasisAmount": amount(basis_minor, sale.currency),
                "marketplaceFees": [{"feeType": name, "amount": amount(fee, sale.currency)} for name, fee in fees],
            }
        )
    tax = {"ebayCollectedTaxAmount": amount(sale.tax_minor, sale.currency)} if sale.tax_minor else {}
    return {
        **_buyer(sale),
        "totalFeeBasisAmount": amount(sale.before_tax_minor + sale.tax_minor, sale.currency),
        "totalFeeAmount": amount(fee_minor(sale), sale.currency),
        "orderLineItems": lines,
        **tax,
    }


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
    readers = {
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
