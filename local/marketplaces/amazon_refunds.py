"""The seller gives money back, by feed. Amazon takes every row for a new refund, up to what the buyer has paid."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from local.marketplaces.amazon_back_office import MoneyItem, Refund
from local.marketplaces.amazon_money import COMMISSION_PER_CENT, book, new_transaction, parts, shipping_of
from local.marketplaces.money import amount_minor
from local.marketplaces.shelf import Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

REASONS = frozenset(
    [
        "NoInventory",
        "CustomerReturn",
        "GeneralAdjustment",
        "CouldNotShip",
        "DifferentItem",
        "Abandoned",
        "CustomerCancel",
        "PriceError",
        "ProductOutofStock",
        "CustomerAddressIncorrect",
        "Exchange",
        "Other",
        "CarrierCreditDecision",
        "CarrierCoverageFailure",
        "TransactionRecord",
    ]
)
# Columns of the feed that this stand-in cannot carry out; a row that uses one is refused rather than half done.
UNKNOWN_COLUMNS = (
    "shipping-tax-adj",
    "gift-wrap-price-adj",
    "gift-wrap-tax-adj",
    "item-promotion-adj",
    "ship-promotion-adj",
)
# Amazon keeps a part of the commission of what is refunded: a fifth, five units of the currency at most.
REFUND_COMMISSION_CAP_MINOR = 500


def refunded_minor(market: Amazon, line_id: str) -> tuple[int, int, int]:
    """What has been given back for a line: principal, tax, shipping."""
    past = [refund for refund in market.office.refunds if refund.line_id == line_id]
    return (
        sum(refund.principal_minor for refund in past),
        sum(refund.tax_minor for refund in past),
        sum(refund.shipping_minor for refund in past),
    )


def adjust(market: Amazon, sale: Sale, row: dict[str, str], now: datetime) -> None:
    """Carries out one row of the adjustment feed. Raises ValueError, in words, for what Amazon refuses."""
    line = sale.line(row.get("order-item-id", ""))
    if line is None:
        raise ValueError("The order-item-id is not of this order.")
    if row.get("adjustment-reason-code") not in REASONS:
        raise ValueError("The adjustment-reason-code is not known.")
    if row.get("currency") != sale.currency:
        raise ValueError("The currency is not the order's.")
    if used := [name for name in UNKNOWN_COLUMNS if row.get(name, "")]:
        raise ValueError(f"This stand-in does not know {used[0]}.")
    if not sale.shipped(line.line_id):
        raise ValueError("The item has not been shipped.")
    refund = Refund(
        sale.order_id,
        line.line_id,
        now,
        row["adjustment-reason-code"],
        _amount(sale, row, "item-price-adj"),
        _amount(sale, row, "item-tax-adj"),
        _amount(sale, row, "shipping-price-adj"),
    )
    _check(market, sale, line, refund)
    market.office.refunds.append(refund)
    _book(market, sale, line, refund)


def _amount(sale: Sale, row: dict[str, str], column: str) -> int:
    text = row.get(column, "")
    try:
        return amount_minor(text, sale.currency) if text else 0
    except ValueError:
        raise ValueError(f"{column} is not an amount.") from None


def _check(market: Amazon, sale: Sale, line: SoldLine, refund: Refund) -> None:
    """Something must be given back, and of nothing more than the buyer paid."""
    wanted = (refund.principal_minor, refund.tax_minor, refund.shipping_minor)
    if not any(wanted):
        raise ValueError("Nothing is to be refunded.")
    paid = (line.net_minor, line.tax_minor, shipping_of(sale, line))
    if any(new + old > most for new, old, most in zip(wanted, refunded_minor(market, line.line_id), paid, strict=True)):
        raise ValueError("The refund is more than the buyer has paid.")


def _book(market: Amazon, sale: Sale, line: SoldLine, refund: Refund) -> None:
    commission_minor = (refund.principal_minor + refund.shipping_minor) * COMMISSION_PER_CENT // 100
    amounts = {
        "Principal": -refund.principal_minor,
        "Shipping": -refund.shipping_minor,
        "Tax": -refund.tax_minor,
        "WithheldTax": refund.tax_minor,
        "Commission": commission_minor,
        "RefundCommission": -min(commission_minor // 5, REFUND_COMMISSION_CAP_MINOR),
    }
    transaction = new_transaction(market, "Refund", "RELEASED", refund.at)
    transaction.order_id, transaction.description = sale.order_id, "Refund Order"
    transaction.items = [MoneyItem(line.line_id, line.sku, line.title, 0, parts(amounts))]
    book(market, transaction)
