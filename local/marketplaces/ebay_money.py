"""The arithmetic of an eBay order: fees, refunds, what is due to the seller.

Checked on real payloads: totalDueSeller = total - totalMarketplaceFee - refunds, where a refund is what leaves the
seller: what the buyer gets without the tax that eBay had collected, less the fee that eBay gives back. The fixed part
of the fee is given back only when the whole order is called off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from local.marketplaces.money import trimmed_amount_text
from local.marketplaces.shelf import Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

# 13.25 % and 0.30, what most categories cost.
FEE_PER_MYRIAD = 1325
FEE_FIXED_MINOR = 30


@dataclass(frozen=True)
class RefundView:
    """A refund of an order. `net_minor` leaves the seller, `lines` (line id -> minor units) reach the buyer."""

    refund_id: str
    at: datetime
    status: str
    gross_minor: int
    net_minor: int
    lines: dict[str, int]

    @property
    def fee_credit_minor(self) -> int:
        """The fee that comes back with it."""
        return self.gross_minor - self.net_minor


def amount(amount_minor: int, currency: str) -> dict[str, str]:
    """Amount"""
    return {"value": trimmed_amount_text(amount_minor, currency), "currency": currency}


def fee_minor(sale: Sale) -> int:
    """totalMarketplaceFee"""
    return round((sale.before_tax_minor + sale.tax_minor) * FEE_PER_MYRIAD / 10_000) + FEE_FIXED_MINOR


def line_total_minor(sale: Sale, line: SoldLine) -> int:
    """A line after discount, before tax; the whole shipping charge rides on the first line."""
    return line.net_minor + (sale.shipping_minor if line is sale.lines[0] else 0)


def refunds_of(market: Ebay, sale: Sale) -> list[RefundView]:
    """All refunds of the order, oldest first: those asked for, then that of its cancellation."""
    views = [
        RefundView(
            each.refund_id,
            each.done_at or each.asked_at,
            each.status,
            each.gross_minor,
            each.gross_minor - _fee_credit_minor(sale, each.gross_minor),
            each.lines,
        )
        for each in market.shelf.ebay.refunds.get(sale.order_id, [])
    ]
    if sale.cancelled_at:
        views.append(_of_cancellation(sale, sale.cancelled_at, views))
    return views


def standing(refunds: list[RefundView]) -> list[RefundView]:
    """Those that have not failed."""
    return [refund for refund in refunds if refund.status != "FAILED"]


def due_seller_minor(sale: Sale, refunds: list[RefundView]) -> int:
    """totalDueSeller: refunds count once they are done."""
    done_minor = sum(refund.net_minor for refund in refunds if refund.status == "REFUNDED")
    return sale.before_tax_minor - fee_minor(sale) - done_minor


def payment_status(sale: Sale, refunds: list[RefundView]) -> str:
    """OrderPaymentStatusEnum; FAILED is said of a refund too."""
    if not sale.paid:
        return "PENDING"
    if refunds and refunds[-1].status == "FAILED":
        return "FAILED"
    done_minor = sum(refund.gross_minor for refund in refunds if refund.status == "REFUNDED")
    if done_minor <= 0:
        return "PAID"
    return "FULLY_REFUNDED" if done_minor >= sale.before_tax_minor else "PARTIALLY_REFUNDED"


def _fee_credit_minor(sale: Sale, gross_minor: int) -> int:
    share_minor = fee_minor(sale) - FEE_FIXED_MINOR
    return round(share_minor * gross_minor / sale.before_tax_minor)


def _of_cancellation(sale: Sale, at: datetime, earlier: list[RefundView]) -> RefundView:
    """Everything that is left, all fees with it: the seller is left with nothing."""
    earlier = standing(earlier)
    taken = {line.line_id: sum(view.lines.get(line.line_id, 0) for view in earlier) for line in sale.lines}
    return RefundView(
        f"5{sale.number:09}",
        at,
        "REFUNDED",
        sale.before_tax_minor - sum(view.gross_minor for view in earlier),
        sale.before_tax_minor - fee_minor(sale) - sum(view.net_minor for view in earlier),
        {line.line_id: line_total_minor(sale, line) - taken[line.line_id] for line in sale.lines},
    )
