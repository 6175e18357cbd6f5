"""What Amazon books: a shipment's money when a parcel leaves, fees, and the release of what it held back.

The labels are those of the settlement report; amazon_finances and amazon_settlement give them the names of their wire.
A commission is 15 % of what the buyer paid before tax; Amazon withholds the sales tax it collects (US).
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local.marketplaces.amazon_back_office import MoneyItem, Transaction
from local.marketplaces.shelf import Parcel, Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

COMMISSION_PER_CENT = 15


def shipping_of(sale: Sale, line: SoldLine) -> int:
    """The shipping charge of a line, minor units: the whole of it rides on the first line."""
    return sale.shipping_minor if line is sale.lines[0] else 0


def line_money(sale: Sale, line: SoldLine, units: int) -> dict[str, int]:
    """What so many units of a line bring, minor units by label. All units together bring exactly the line's amounts."""

    def share(amount_minor: int) -> int:
        return amount_minor * units // line.quantity

    shipping_minor, tax_minor = share(shipping_of(sale, line)), share(line.tax_minor)
    commission_minor = (share(line.net_minor) + shipping_minor) * COMMISSION_PER_CENT // 100
    return {
        "Principal": share(line.gross_minor),
        "Promotion": -share(line.discount_minor),
        "Shipping": shipping_minor,
        "Tax": tax_minor,
        "WithheldTax": -tax_minor,
        "Commission": -commission_minor,
    }


def parts(amounts_minor: dict[str, int]) -> dict[str, int]:
    """The amounts that are not zero."""
    return {label: amount for label, amount in amounts_minor.items() if amount}


def book(market: Amazon, transaction: Transaction) -> Transaction:
    """Enters a transaction and tells whoever is subscribed."""
    market.office.transactions[transaction.transaction_id] = transaction
    market.emit("TRANSACTION_UPDATE", transaction.transaction_id, transaction.posted_at)
    return transaction


def new_transaction(market: Amazon, kind: str, status: str, posted_at: datetime) -> Transaction:
    """A transaction with an id of its own, not yet booked."""
    return Transaction(f"TX-{market.office.next_id():010}", kind, status, posted_at)


def book_shipment(market: Amazon, sale: Sale, before: dict[str, int], parcel: Parcel, now: datetime) -> None:
    """Books the units that have left since `before` (units shipped per line id); an edited parcel may bring none."""
    items = []
    for line in sale.lines:
        was, is_now = before.get(line.line_id, 0), sale.shipped(line.line_id)
        if is_now > was:
            old, new = line_money(sale, line, was), line_money(sale, line, is_now)
            amounts = parts({label: new[label] - old[label] for label in new})
            items.append(MoneyItem(line.line_id, line.sku, line.title, is_now - was, amounts))
    if not items:
        return
    held = market.deferred_days > 0
    transaction = new_transaction(market, "Shipment", "DEFERRED" if held else "RELEASED", now)
    transaction.order_id, transaction.description = sale.order_id, "Order Payment"
    transaction.shipment_id, transaction.items = f"{sale.order_id}/{parcel.reference}", items
    transaction.matures_at = now + timedelta(days=market.deferred_days) if held else None
    book(market, transaction)
    if held:
        known = market.office.transactions
        insort(market.office.held, transaction.transaction_id, key=lambda each: known[each].matures_at or now)


def release(market: Amazon, now: datetime) -> None:
    """What was held back long enough is released: the old entry says so, and a second one counts."""
    office = market.office
    while office.held:
        held = office.transactions[office.held[0]]
        if held.matures_at is None or held.matures_at > now:
            return
        office.held.pop(0)
        freed = new_transaction(market, held.kind, "RELEASED", held.matures_at)
        freed.order_id, freed.shipment_id, freed.description = held.order_id, held.shipment_id, held.description
        freed.items, freed.deferred_id = held.items, held.transaction_id
        held.status, held.release_id = "DEFERRED_RELEASED", freed.transaction_id
        book(market, freed)


def charge(market: Amazon, label: str, amount_minor: int, now: datetime, kind: str = "ServiceFee") -> Transaction:
    """A fee (positive `amount_minor`) that belongs to no order, e.g. 'Subscription Fee'."""
    transaction = new_transaction(market, kind, "RELEASED", now)
    transaction.description, transaction.other_minor = label, {label: -amount_minor}
    return book(market, transaction)
