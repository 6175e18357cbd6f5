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
        return _failed(root, amounts, total_minor, problems)
    if status != "PENDING":
        problems.append(Problem("payment_unknown", f"orderPaymentStatus is {status or 'missing'}"))
    return Payment()


def call_off_refunded(root: Node, lines: tuple[ChannelLine, ...]) -> tuple[ChannelLine, ...]:
    """Whoever has all his money back gets nothing more delivered."""
    if root.text("orderPaymentStatus") != "FULLY_REFUNDED":
        return lines
    return tuple(replace(line, cancelled=line.quantity - line.fulfilled) for line in lines)


def _failed(root: Node, amounts: EbayAmounts, total_minor: int, problems: list[Problem]) -> Payment:
    """FAILED means that the payment failed, or a refund of a payment that did not."""
    summary = root.at("paymentSummary")
    paid = any(payment.text("paymentStatus") == "PAID" for payment in summary.each("payments"))
    if not paid and not summary.each("refunds"):
        return Payment(lapsed=True)
    problems.append(Problem("refund_failed", "eBay could not refund the buyer: settle it before anything ships"))
    return Payment(vouched=True, refunded_minor=min(_refunded_minor(root, amounts), max(total_minor, 0)))


def _refunded_minor(root: Node, amounts: EbayAmounts) -> int:
    """Refunds of lines are what the buyer got back; those of the order are net of eBay's fees and tax, and may tell of
    the same money again: beside lines they count only where the ids of both are seen to be the same ones. A refund that
    the order calls undone is none."""
    of_order = root.at("paymentSummary").each("refunds")
    undone = {_id(refund) for refund in of_order if refund.text("refundStatus") not in ("", "REFUNDED")} - {""}
    of_lines = [refund for line in root.each("lineItems") for refund in line.each("refunds")]
    told = {_id(refund) for refund in of_lines}
    shared = "" not in told and bool(told & {_id(refund) for refund in of_order})
    counted = [refund for refund in of_lines if _id(refund) not in undone]
    if not of_lines or shared:
        done = [refund for refund in of_order if refund.text("refundStatus") in ("", "REFUNDED")]
        counted += [refund for refund in done if _id(refund) not in told - {""}]
    return max(sum(amounts.minor(refund.at("amount")) for refund in counted), 0)


def _id(refund: Node) -> str:
    return refund.text("refundId")
