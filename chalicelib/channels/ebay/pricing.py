"""The amounts of an eBay order. Source: sell_fulfillment_v1_oas3.json, PricingSummary and Amount."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.channels.fields import Amounts, Node
from chalicelib.domain.channel_order import ChannelLine, Charge, Problem


class EbayAmounts:
    """Reads amounts in the order's currency. eBay shows a seller's amounts in his own currency, converted, and what
    they were converted from beside them: the half that is in the order's currency counts."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self._stated = Amounts(currency, "value", "currency")
        self._source = Amounts(currency, "convertedFromValue", "convertedFromCurrency")

    def minor(self, money: Node) -> int:
        """Minor units; 0 when missing. An amount in a foreign currency counts as 0 and becomes a problem."""
        if money.text("currency") != self.currency and money.text("convertedFromCurrency") == self.currency:
            return self._source.minor(money)
        return self._stated.minor(money)

    def problems(self) -> tuple[Problem, ...]:
        return self._stated.problems()


def charges_of(root: Node, lines: Sequence[ChannelLine], amounts: EbayAmounts) -> tuple[int, tuple[Charge, ...]]:
    """The order's total without the tax that eBay remits, and all of it that is no line.

    PricingSummary signs its discounts. Its tax is part of the total only for some requests (TAX_BREAKDOWN), which
    nothing but the sum tells.
    """
    summary = root.at("pricingSummary")
    total_minor = amounts.minor(summary.at("total"))
    shipping_minor = amounts.minor(summary.at("deliveryCost")) + amounts.minor(summary.at("deliveryDiscount"))
    on_lines_minor = sum(line.discount_minor for line in lines)
    discount_minor = amounts.minor(summary.at("priceDiscount")) + on_lines_minor if summary.has("priceDiscount") else 0
    parts = [
        Charge("shipping", shipping_minor),
        Charge("discount", discount_minor, "order discount"),
        Charge("fee", amounts.minor(summary.at("fee"))),
        Charge("other", amounts.minor(summary.at("adjustment")), "adjustment"),
    ]
    lines_minor = sum(line.price_minor - line.discount_minor for line in lines)
    tax_minor = amounts.minor(summary.at("tax"))
    if total_minor != lines_minor + sum(part.amount_minor for part in parts):
        remitted_minor = min(_remitted_minor(root, amounts), tax_minor)
        total_minor -= remitted_minor
        parts.append(Charge("tax", tax_minor - remitted_minor))
    return total_minor, tuple(part for part in parts if part.amount_minor)


def _remitted_minor(root: Node, amounts: EbayAmounts) -> int:
    """The tax that eBay collects and passes on itself: never the seller's money."""
    taxes = (tax for line in root.each("lineItems") for tax in line.each("ebayCollectAndRemitTaxes"))
    return sum(amounts.minor(tax.at("amount")) for tax in taxes)
