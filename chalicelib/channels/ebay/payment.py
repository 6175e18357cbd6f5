"""What eBay says of an order's money. Source: sell_fulfillment_v1_oas3.json, OrderPaymentStatusEnum.

eBay collects from the buyer and pays out later: PAID is its word that the order may ship.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.channels.ebay.pricing import EbayAmounts
from chalicelib.channels.fields import Node
from chalicelib.domain.channel_order import ChannelLine, Payment, Problem


def read_payment(root: Node, amounts: EbayAmounts, total_minor: int, problems: list[Problem]) -> Payment:
    """Vouched, lapsed or nothing; refunds are gross and never more than the total."""
    status = root.text("orderPaymentStatus")
    if status == "PAID":
        return Payment(vouched=True)
    if status == "FULLY_REFUNDED":
        return Payment(vouched=True, refunded_minor=max(total_minor, 0))
    if status == "PARTIALLY_REFUNDED":
        return Payment(vouched=True, refunded_minor=min(_refunded_minor(root, amounts), max(total_minor, 0)))
    if status == "FAILED":
        return _failed(root, problems)
    if status != "PENDING":
        problems.append(Problem("payment_unknown", f"orderPaymentStatus is {status or 'missing'}"))
    return Payment()


def call_off_refunded(root: Node, lines: tuple[ChannelLine, ...]) -> tuple[ChannelLine, ...]:
    """Whoever has all his money back gets nothing more delivered."""
    if root.text("orderPaymentStatus") != "FULLY_REFUNDED":
        return lines
    return tuple(replace(line, cancelled=line.quantity - line.fulfilled) for line in lines)


def _failed(root: Node, problems: list[Problem]) -> Payment:
    """FAILED means that the payment failed, or a refund of a payment that did not."""
    payments = root.at("paymentSummary").each("payments")
    if not any(payment.text("paymentStatus") == "PAID" for payment in payments):
        return Payment(lapsed=True)
    problems.append(Problem("refund_failed", "eBay could not refund the buyer: settle it before anything ships"))
    return Payment(vouched=True)


def _refunded_minor(root: Node, amounts: EbayAmounts) -> int:
    """Refunds of lines are what the buyer got back; those of the order are net of eBay's fees and tax, so they count
    only where no line has one. Adding both would count the same money twice."""
    of_lines = [refund for line in root.each("lineItems") for refund in line.each("refunds")]
    of_order = [
        refund
        for refund in root.at("paymentSummary").each("refunds")
        if refund.text("refundStatus") in ("", "REFUNDED")
    ]
    return max(sum(amounts.minor(refund.at("amount")) for refund in of_lines or of_order), 0)
