"""What several of Shopify's GraphQL types are made of: connections, money, order lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError, GraphQLResolveInfo

from local.marketplaces.buyers import Buyer
from local.marketplaces.catalogue import shopify_inventory_item_id, shopify_variant_id
from local.marketplaces.money import trimmed_amount_text
from local.marketplaces.shelf import Sale, SoldLine

Item = TypeVar("Item")
PAGE_LIMIT = 250
GATEWAY = "shopify_payments"
LANDING_SITE = "/"


def connection(
    items: Sequence[Item],
    first: int | None,
    cursor: Callable[[Item], str],
    node: Callable[[Item], Any],
    *,
    has_previous: bool = False,
) -> dict[str, Any]:
    """One page of what follows a cursor. `first` is required and at most 250."""
    if first is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    if not 0 < first <= PAGE_LIMIT:
        raise GraphQLError(f"first must be between 1 and {PAGE_LIMIT}", extensions={"code": "BAD_REQUEST"})
    edges = [{"cursor": cursor(item), "node": node(item)} for item in items[:first]]
    info = {
        "hasNextPage": len(items) > first,
        "hasPreviousPage": has_previous,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "nodes": [edge["node"] for edge in edges], "pageInfo": info}


def pages(nodes: Sequence[dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A connection field over a list that is there already; its cursors are places in the list."""

    def resolve(_info: GraphQLResolveInfo[Any], first: int | None = None, after: str | None = None) -> dict[str, Any]:
        start = int(after) if after and after.isdecimal() else 0
        numbered = list(enumerate(nodes, start=1))[start:]
        return connection(numbered, first, lambda pair: str(pair[0]), lambda pair: pair[1], has_previous=start > 0)

    return resolve


def listed(nodes: Sequence[dict[str, Any]]) -> Callable[..., Sequence[dict[str, Any]]]:
    """A plain list field with an optional `first`."""
    return lambda _info, first=None: nodes[:first]


def stamp(moment: datetime | None) -> str | None:
    """2026-05-04T22:56:33Z"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def fulfillment_status(sale: Sale) -> str:
    """OrderDisplayFulfillmentStatus"""
    if sale.fully_shipped:
        return "FULFILLED"
    return "PARTIALLY_FULFILLED" if sale.shipped_units else "UNFULFILLED"


def total_minor(sale: Sale) -> int:
    """What the buyer owes: this shop's prices are without tax."""
    return sale.before_tax_minor + sale.tax_minor


def money_bag(amount_minor: int, currency: str) -> dict[str, Any]:
    """MoneyBag; the shop sells in its own currency only."""
    money = {"amount": trimmed_amount_text(amount_minor, currency), "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}


def line_node(sale: Sale, line: SoldLine) -> dict[str, Any]:
    """LineItem"""
    current = sale.current_units(line.line_id)
    allocations = [{"allocatedAmountSet": money_bag(line.discount_minor, sale.currency)}] if line.discount_minor else []
    tax_lines = tax_line_nodes(sale, line.tax_minor)
    variant = shopify_variant_id(line.sku)
    item = {"id": f"gid://shopify/InventoryItem/{shopify_inventory_item_id(line.sku)}", "sku": line.sku}
    return {
        "id": f"gid://shopify/LineItem/{line.line_id}",
        "sku": line.sku,
        "title": line.title,
        "name": line.title,
        "quantity": line.quantity,
        "currentQuantity": current,
        "unfulfilledQuantity": sale.open_units(line.line_id),
        "refundableQuantity": current,
        "requiresShipping": True,
        "taxable": True,
        "isGiftCard": False,
        "originalUnitPriceSet": money_bag(line.unit_price_minor, sale.currency),
        "originalTotalSet": money_bag(line.gross_minor, sale.currency),
        "discountedUnitPriceAfterAllDiscountsSet": money_bag(line.net_minor // line.quantity, sale.currency),
        "totalDiscountSet": money_bag(0, sale.currency),
        "discountAllocations": allocations,
        "taxLines": listed(tax_lines),
        "customAttributes": [],
        "variant": {
            "id": f"gid://shopify/ProductVariant/{variant}",
            "legacyResourceId": str(variant),
            "sku": line.sku,
            "title": "Default Title",
            "inventoryItem": {
                **item,
                "legacyResourceId": item["id"].rpartition("/")[2],
                "tracked": True,
                "requiresShipping": True,
            },
        },
    }


def tax_line_nodes(sale: Sale, tax_minor: int) -> list[dict[str, Any]]:
    if not tax_minor:
        return []
    rate = sale.buyer.town.tax_per_mille / 1000
    title = f"{sale.buyer.town.state} State Tax"
    return [
        {
            "priceSet": money_bag(tax_minor, sale.currency),
            "rate": rate,
            "ratePercentage": rate * 100,
            "title": title,
        }
    ]


def email(buyer: Buyer) -> str:
    """An address that no mail server will take."""
    return f"{buyer.handle}@example.com"


def customer_number(buyer: Buyer) -> int:
    """Shopify's number of the customer."""
    return 7_700_000_000_000 + int(buyer.handle.removeprefix("buyer"))
