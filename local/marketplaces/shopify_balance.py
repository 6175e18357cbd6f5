"""Shopify Payments' account: balance transactions, derived from what was paid and given back, and payouts of them.

Source: schema admin_2026-10. Fees are those of a standard plan; a refund gives none back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo

from local.marketplaces.shopify_back_office import Booking, PayoutMade
from local.marketplaces.shopify_nodes import money_bag, pages, stamp
from local.marketplaces.shopify_payments import OK, payments

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

FEE_PER_MILLE, FEE_FIXED_MINOR = 29, 30
_TERM = re.compile(r"(?P<field>\w+):(?P<operator>>=|)'?(?P<value>[^'\s]+)'?")


def bookings(shop: Shopify) -> list[Booking]:
    """Everything on the balance, oldest first."""
    found = [*shop.office.bookings]
    for sale in shop.shelf.sales.values():
        for each in payments(shop, sale):
            if each.status != OK or each.kind not in ("SALE", "CAPTURE", "REFUND"):
                continue
            back = each.kind == "REFUND"
            amount_minor = -each.amount_minor if back else each.amount_minor
            fee_minor = 0 if back else FEE_FIXED_MINOR + each.amount_minor * FEE_PER_MILLE // 1000
            kind = "REFUND" if back else "CHARGE"
            number = 42_000_000_000_000 + each.number
            amount_minor, fee_minor = _settled(shop, amount_minor), _settled(shop, fee_minor)
            found.append(Booking(number, kind, amount_minor, each.at, fee_minor, sale.order_id, each.number))
    return sorted(found, key=lambda each: (each.at, each.number))


def _settled(shop: Shopify, amount_minor: int) -> int:
    """In the payouts' currency; both have two decimals."""
    return round(amount_minor * Decimal(shop.settles_in[1])) if shop.settles_in else amount_minor


def book(shop: Shopify, kind: str, amount_minor: int, fee_minor: int = 0, order_id: str = "") -> Booking:
    """A dispute, a reserve, an adjustment …"""
    shop.office.numbers += 1
    made = Booking(43_000_000_000_000 + shop.office.numbers, kind, amount_minor, shop.clock(), fee_minor, order_id)
    shop.office.bookings.append(made)
    return made


def pay_out(shop: Shopify, now: datetime, status: str = "PAID") -> PayoutMade | None:
    """Sends the whole balance to the bank; None when there is nothing to send."""
    office = shop.office
    ready = [each for each in bookings(shop) if str(each.number) not in office.payout_of and each.at <= now]
    net_minor = sum(each.amount_minor - each.fee_minor for each in ready)
    if net_minor <= 0:
        return None
    office.numbers += 1
    payout = PayoutMade(44_000_000_000_000 + office.numbers, now, net_minor, status)
    office.payouts.append(payout)
    ready.append(book(shop, "TRANSFER", -net_minor))
    office.payout_of |= {str(each.number): payout.number for each in ready}
    return payout


def account(shop: Shopify, _info: GraphQLResolveInfo[Any]) -> dict[str, Any] | None:
    """shopifyPaymentsAccount"""
    if not shop.has_payments:
        return None
    return {
        "id": "gid://shopify/ShopifyPaymentsAccount/1",
        "activated": True,
        "balanceTransactions": searched(shop, bookings, booking_node),
        "payouts": searched(shop, lambda shop: shop.office.payouts, payout_node),
    }


def booking_node(shop: Shopify, each: Booking) -> dict[str, Any]:
    """ShopifyPaymentsBalanceTransaction"""
    number = shop.office.payout_of.get(str(each.number))
    payout = next((made for made in shop.office.payouts if made.number == number), None)
    sale = shop.shelf.sales.get(each.order_id)
    order = {"id": f"gid://shopify/Order/{each.order_id}", "name": f"#{1000 + sale.number}"} if sale else None
    return {
        "id": f"gid://shopify/ShopifyPaymentsBalanceTransaction/{each.number}",
        "type": each.kind,
        "transactionDate": stamp(each.at),
        "test": False,
        "amount": _money(shop, each.amount_minor),
        "fee": _money(shop, each.fee_minor),
        "net": _money(shop, each.amount_minor - each.fee_minor),
        "associatedOrder": order,
        "sourceOrderTransactionId": str(each.transaction) if each.transaction else None,
        "associatedPayout": {"id": _payout_id(payout), "status": payout.status if payout else "PENDING"},
        "processed_at": each.at,
        "payments_transfer_id": str(number),
    }


def payout_node(shop: Shopify, each: PayoutMade) -> dict[str, Any]:
    """ShopifyPaymentsPayout"""
    return {
        "id": _payout_id(each),
        "legacyResourceId": str(each.number),
        "issuedAt": stamp(each.at),
        "status": each.status,
        "transactionType": "DEPOSIT",
        "net": _money(shop, each.amount_minor),
        "issued_at": each.at,
    }


def _payout_id(payout: PayoutMade | None) -> str | None:
    return f"gid://shopify/ShopifyPaymentsPayout/{payout.number}" if payout else None


def _money(shop: Shopify, amount_minor: int) -> dict[str, Any]:
    money: dict[str, Any] = money_bag(amount_minor, shop.settles_in[0] if shop.settles_in else shop.currency)[
        "shopMoney"
    ]
    return money


def searched(shop: Shopify, rows: Callable[[Shopify], Any], node: Callable[[Shopify, Any], dict[str, Any]]) -> Any:
    """A connection over what one condition selects: a time from then on, or a number."""

    def resolve(info: GraphQLResolveInfo[Any], query: str = "", sortKey: str = "", **page: Any) -> Any:  # noqa: ARG001, N803
        found = [node(shop, each) for each in rows(shop)]
        term = _TERM.fullmatch(query)
        if query and (not term or any(term["field"] not in each for each in found)):
            raise GraphQLError(f"Invalid search query: {query!r}", extensions={"code": "BAD_REQUEST"})
        if term and term["operator"]:
            moment = datetime.fromisoformat(term["value"])
            found = [each for each in found if each[term["field"]].replace(microsecond=0) >= moment]
        elif term:
            found = [each for each in found if each[term["field"]] == term["value"]]
        return pages(found)(info, **page)

    return resolve
