"""The amounts of an eBay order. Source: sell_fulfillment_v1_oas3.json, PricingSummary and Amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    PricingSummary signs its discounts, and says nothing of the sign of an adjustment. Tax and special fees are part of
    the total only for some requests (TAX_BREAKDOWN), wholly or without what eBay remits: nothing but the sum tells.
    """
    summary = root.at("pricingSummary")
    total_minor = amounts.minor(summary.at("total"))
    shipping_minor = amounts.minor(summary.at("deliveryCost")) - abs(amounts.minor(summary.at("deliveryDiscount")))
    on_lines_minor = sum(line.discount_minor for line in lines)
    discounted = summary.has("priceDiscount")
    discount_minor = on_lines_minor - abs(amounts.minor(summary.at("priceDiscount"))) if discounted else 0
    goods_minor = sum(line.price_minor - line.discount_minor for line in lines) + shipping_minor + discount_minor
    adjustment_minor = amounts.minor(summary.at("adjustment"))
    duties = _Duties(
        tax_minor=amounts.minor(summary.at("tax")),
        fee_minor=amounts.minor(summary.at("fee")),
        remitted_minor=_remitted_minor(root, amounts),
    )
    signed = [sign for sign in (1, -1) if duties.explain(total_minor - goods_minor - sign * adjustment_minor)]
    if signed:
        adjustment_minor *= signed[0]
    remitted_minor, fee_minor, tax_minor = duties.inside(total_minor - goods_minor - adjustment_minor)
    parts = (
        Charge("shipping", shipping_minor),
        Charge("discount", discount_minor, "order discount"),
        Charge("fee", fee_minor),
        Charge("other", adjustment_minor, "adjustment"),
        Charge("tax", tax_minor),
    )
    return total_minor - remitted_minor, tuple(part for part in parts if part.amount_minor)


@dataclass(frozen=True)
class _Duties:
    """Tax and special fees of an order, and what of both eBay passes on itself."""

    tax_minor: int
    fee_minor: int
    remitted_minor: int

    def explain(self, rest_minor: int) -> bool:
        """Whether they are the rest of a total beside its goods."""
        return rest_minor in (0, self.fee_minor, self._all, self._all - self._remitted, self.remitted_minor)

    def inside(self, rest_minor: int) -> tuple[int, int, int]:
        """What of the rest eBay passes on, and the fee and the tax that the seller gets. Where they do not explain it,
        they are taken as told: the order then shows that it does not add up."""
        if rest_minor == 0:
            return 0, 0, 0
        if rest_minor == self.fee_minor:
            return 0, self.fee_minor, 0
        if rest_minor == self.remitted_minor and rest_minor not in (self._all, self._all - self._remitted):
            return self.remitted_minor, 0, 0
        of_tax_minor = min(self._remitted, self.tax_minor)
        own = (self.fee_minor - (self._remitted - of_tax_minor), self.tax_minor - of_tax_minor)
        return 0 if rest_minor == self._all - self._remitted else self._remitted, *own

    @property
    def _all(self) -> int:
        return self.tax_minor + self.fee_minor

    @property
    def _remitted(self) -> int:
        return min(self.remitted_minor, self._all)


def _remitted_minor(root: Node, amounts: EbayAmounts) -> int:
    """The tax that eBay collects and passes on itself: never the seller's money."""
    taxes = (tax for line in root.each("lineItems") for tax in line.each("ebayCollectAndRemitTaxes"))
    return sum(amounts.minor(tax.at("amount")) for tax in taxes)
