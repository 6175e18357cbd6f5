"""Disputes of Shopify Payments. Source: schema admin_2026-10, ShopifyPaymentsDispute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_back_office import DisputeMade
from local.marketplaces.shopify_balance import book, searched
from local.marketplaces.shopify_nodes import money_bag, stamp

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

ANSWER_DUE = timedelta(days=10)
FEE_MINOR = 1500


def open_dispute(shop: Shopify, sale: Sale, amount_minor: int) -> DisputeMade:
    """The buyer's bank takes the money back until the dispute is decided."""
    shop.office.numbers += 1
    now = shop.clock()
    made = DisputeMade(598_000_000 + shop.office.numbers, sale.order_id, amount_minor, now, now + ANSWER_DUE)
    shop.office.disputes.append(made)
    book(shop, "DISPUTE_WITHDRAWAL", -amount_minor, FEE_MINOR, sale.order_id)
    return made


def decide(shop: Shopify, made: DisputeMade, status: str) -> None:
    """WON gives the money back."""
    made.status = status
    if status == "WON":
        book(shop, "DISPUTE_REVERSAL", made.amount_minor, 0, made.order_id)


def disputes(shop: Shopify, *asked: Any, **page: Any) -> Any:
    """disputes(query:, first:, after:)"""
    return searched(shop, lambda shop: shop.office.disputes, _node)(*asked, **page)


def _node(shop: Shopify, made: DisputeMade) -> dict[str, Any]:
    gid = f"gid://shopify/Order/{made.order_id}"
    return {
        "id": f"gid://shopify/ShopifyPaymentsDispute/{made.number}",
        "type": "CHARGEBACK",
        "status": made.status,
        "amount": money_bag(made.amount_minor, shop.currency)["shopMoney"],
        "initiatedAt": stamp(made.at),
        "initiated_at": made.at,
        "evidenceDueBy": stamp(made.due_at),
        "order": lambda info: info.root_value["order"](info, id=gid),
    }
