"""Exchanges at Shopify: what comes back pays for new lines of the same order, as the shop and its buyer agree.

Source: schema admin_2026-10 (totals "before returns" and current ones, Return.exchangeLineItems). That the new lines
count in the totals before returns is our reading of it: no capture of an exchange is at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.marketplaces.shelf import Sale, SoldLine
from local.marketplaces.shopify_back_office import FulfilmentOrder, Payment, ReturnMade
from local.marketplaces.shopify_fulfilment import next_number, part_of

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


def exchange(shop: Shopify, made: ReturnMade, sku: str, units: int, unit_price_minor: int) -> SoldLine:
    """Add a line to the order for all that the return brings back, which counts as gone from then on."""
    sale, listing = shop.shelf.sales[made.order_id], shop.shelf.listings[sku]
    price_minor = unit_price_minor * units
    tax_minor = round(price_minor * sale.buyer.town.tax_per_mille / 1000)
    line_id = shop.line_id(sale.number, len(sale.lines))
    part_of(shop, sale)  # what was there before stays in fulfilment orders of its own
    new = SoldLine(line_id, sku, listing.title, units, unit_price_minor, 0, tax_minor)
    sale.lines.append(new)
    number = next_number(shop, sale)
    part = FulfilmentOrder(number, {line_id: units}, shop.clock(), location=shop.location)
    shop.office.fulfilment[sale.order_id].append(part)
    made.added.append(line_id)
    made.exchanged += 1
    for line in made.lines:
        sale.returned[line.line_id] = sale.returned.get(line.line_id, 0) + line.units - line.processed
        line.processed = line.units
    sale.touch(shop.clock())
    shop.changed(sale, "exchanged")
    return new


def pay(shop: Shopify, sale: Sale, amount_minor: int) -> None:
    """The buyer pays what the new lines cost beyond what came back."""
    shop.office.numbers += 1
    paid = Payment(8_300_000_000_000 + shop.office.numbers, "SALE", amount_minor, shop.clock())
    shop.office.payments.setdefault(sale.order_id, []).append(paid)
    sale.touch(shop.clock())
    shop.changed(sale, "paid")


def added_minor(shop: Shopify, sale: Sale) -> int:
    """What the lines cost that exchanges have added."""
    added = {line_id for made in shop.office.returns for line_id in made.added if made.order_id == sale.order_id}
    return sum(line.net_minor + line.tax_minor for line in sale.lines if line.line_id in added)


def credit_minor(shop: Shopify, sale: Sale) -> int:
    """What came back for other goods, at its price."""
    back = [
        line for made in shop.office.returns if made.added and made.order_id == sale.order_id for line in made.lines
    ]
    sold = {line.line_id: line for line in sale.lines}
    return sum(
        (sold[each.line_id].net_minor + sold[each.line_id].tax_minor) * each.units // sold[each.line_id].quantity
        for each in back
    )
