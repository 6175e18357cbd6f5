"""The movements of a seller's funds at eBay, derived from the orders and what became of them; and payouts of them.

Source: a live getTransactions: a SALE's id is the order's, an AD_FEE names the order only among its references,
collected tax is spelt `ebayCollectedTaxAmount`, which sell_finances_v1_oas3.json spells otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_back_office import Payout
from local.marketplaces.ebay_buyers import shown_name
from local.marketplaces.ebay_money import FEE_FIXED_MINOR, amount, fee_minor, line_total_minor, refunds_of
from local.marketplaces.shelf import Sale

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

# Every fifth order was sold through a promoted listing, which costs 2 % of its goods.
ADVERTISED_EVERY, AD_FEE_PER_CENT = 5, 2


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
    yield _made(
        market, now, "SALE", sale.order_id, sale.placed_at, net_minor, sale=sale, details=_sale_details(market, sale)
    )
    for refund in refunds_of(market, sale):
        if refund.status == "REFUNDED":
            details = {"totalFeeAmount": amount(refund.fee_credit_minor, sale.currency), **_buyer(market, sale)}
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


def _buyer(market: Ebay, sale: Sale) -> dict[str, Any]:
    return {"buyer": {"username": shown_name(market, sale)}}


def _sale_details(market: Ebay, sale: Sale) -> dict[str, Any]:
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
        **_buyer(market, sale),
        "totalFeeBasisAmount": amount(sale.before_tax_minor + sale.tax_minor, sale.currency),
        "totalFeeAmount": amount(fee_minor(sale), sale.currency),
        "orderLineItems": lines,
        **tax,
    }
