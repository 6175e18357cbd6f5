"""Shopify's queries: orders by search, one order, inventory."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo

from local.marketplaces.catalogue import shopify_inventory_item_id
from local.marketplaces.shelf import Sale, ShelfListing
from local.marketplaces.shopify_fulfilment import find
from local.marketplaces.shopify_nodes import connection
from local.marketplaces.shopify_orders import order_node
from local.marketplaces.shopify_payments import financial_status
from local.marketplaces.shopify_returns import RETURN_STATUSES, return_status
from local.marketplaces.shopify_shipments import fulfillment_order_node

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

_TERM = re.compile(r"(?P<field>\w+):(?P<operator>>=|<=|>|<|)(?P<value>'[^']*'|\"[^\"]*\"|[^\s'\"]+)")
_SORT: dict[str, Callable[[Sale], Any]] = {
    "UPDATED_AT": lambda sale: sale.updated_at,
    "CREATED_AT": lambda sale: sale.placed_at,
    "PROCESSED_AT": lambda sale: sale.placed_at,
    "ID": lambda sale: sale.number,
    "ORDER_NUMBER": lambda sale: sale.number,
}
_STATES = (
    "available",
    "committed",
    "damaged",
    "incoming",
    "on_hand",
    "quality_control",
    "reserved",
    "safety_stock",
)


def find_order(shop: Shopify, _info: GraphQLResolveInfo[Any], id: str) -> dict[str, Any] | None:  # noqa: A002
    """order(id:)"""
    sale = shop.sale_of(id)
    return order_node(shop, sale) if sale else None


def find_fulfillment_order(shop: Shopify, _info: GraphQLResolveInfo[Any], id: str) -> dict[str, Any] | None:  # noqa: A002
    """fulfillmentOrder(id:)"""
    found = find(shop, id)
    return fulfillment_order_node(*found) if found else None


def search_orders(
    shop: Shopify,
    _info: GraphQLResolveInfo[Any],
    first: int | None = None,
    after: str | None = None,
    query: str = "",
    sortKey: str = "PROCESSED_AT",  # noqa: N803 - the official name
    reverse: bool = False,
) -> dict[str, Any]:
    """orders(query:, sortKey:, first:, after:)"""
    matches = search(shop, query or "")
    sales = [sale for sale in shop.shelf.sales.values() if all(match(sale) for match in matches)]
    key = _SORT[sortKey or "PROCESSED_AT"]
    sales.sort(key=lambda sale: (key(sale), sale.number), reverse=bool(reverse))

    def cursor(sale: Sale) -> str:
        value = key(sale)
        text = f"{value.isoformat() if isinstance(value, datetime) else value}/{sale.number}"
        return base64.b64encode(text.encode()).decode()

    start = _start_after(sales, key, after, bool(reverse)) if after else 0
    return connection(sales[start:], first, cursor, lambda sale: order_node(shop, sale), has_previous=start > 0)


def _start_after(sales: Sequence[Sale], key: Callable[[Sale], Any], after: str, reverse: bool) -> int:
    """The place behind the cursor's order, even when that order has moved on since the page was read."""
    try:
        value, _, number = base64.b64decode(after, validate=True).decode().rpartition("/")
        position = (value, int(number))
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"}) from None

    def comes_after(sale: Sale) -> bool:
        mark = key(sale)
        at_cursor = datetime.fromisoformat(position[0]) if isinstance(mark, datetime) else int(position[0])
        here, there = (mark, sale.number), (at_cursor, position[1])
        return here < there if reverse else here > there

    return next((index for index, sale in enumerate(sales) if comes_after(sale)), len(sales))


def search(shop: Shopify, query: str) -> list[Callable[[Sale], bool]]:
    """The conditions of Shopify's search syntax, all of which must hold.

    Known: updated_at and created_at with a comparison, name, financial_status, status:any, and return_status, of which
    several are joined by OR in brackets. Shopify ignores a field it does not know; this stand-in refuses it, so that a
    misspelt condition does not quietly select everything.
    """
    rest = re.sub(r"\b(AND|OR)\b|[()]", "", _TERM.sub("", query)).strip()
    if rest:
        raise GraphQLError(f"Invalid search query: {rest!r}", extensions={"code": "BAD_REQUEST"})
    found = [(match["field"], match["operator"], match["value"].strip("'\")")) for match in _TERM.finditer(query)]
    statuses = {value.upper() for field, _, value in found if field == "return_status"}
    if unknown := statuses - RETURN_STATUSES:
        raise GraphQLError(f"Invalid return_status: {sorted(unknown)}", extensions={"code": "BAD_REQUEST"})
    ors = [lambda sale: return_status(shop, sale) in statuses] if statuses else []
    return [*ors, *(_condition(shop, *term) for term in found if term[0] != "return_status")]


def _condition(shop: Shopify, field: str, operator: str, value: str) -> Callable[[Sale], bool]:
    if field in {"updated_at", "created_at"}:
        return _time_condition(field, operator, value)
    if field == "name":
        return lambda sale: f"#{1000 + sale.number}" == value
    if field == "financial_status":
        return lambda sale: financial_status(shop, sale) == value.upper()
    if field == "status" and value == "any":
        return lambda _sale: True
    raise GraphQLError(f"Invalid search field: {field}:{value}", extensions={"code": "BAD_REQUEST"})


def _time_condition(field: str, operator: str, value: str) -> Callable[[Sale], bool]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not operator:
        raise GraphQLError(f"Invalid search value: {field}:{operator}{value}", extensions={"code": "BAD_REQUEST"})
    compare: dict[str, Callable[[datetime], bool]] = {
        ">=": lambda at: at >= moment,
        "<=": lambda at: at <= moment,
        ">": lambda at: at > moment,
        "<": lambda at: at < moment,
    }
    holds = compare[operator]
    # Shopify compares whole seconds, which is all that it prints.
    return lambda sale: holds((sale.updated_at if field == "updated_at" else sale.placed_at).replace(microsecond=0))


def location_node(shop: Shopify) -> dict[str, Any]:
    """The shop's only location."""
    return {
        "id": shop.location_id,
        "legacyResourceId": str(shop.location),
        "name": "Mill Street warehouse",
        "isActive": True,
    }


def inventory_item_node(shop: Shopify, listing: ShelfListing | None) -> dict[str, Any] | None:
    """InventoryItem of a listing."""
    if listing is None:
        return None
    number = shopify_inventory_item_id(listing.sku)

    def level(_info: GraphQLResolveInfo[Any], locationId: str) -> dict[str, Any] | None:  # noqa: N803
        return inventory_level_node(shop, listing) if locationId == shop.location_id else None

    def levels(_info: GraphQLResolveInfo[Any], first: int | None = None, after: str | None = None) -> dict[str, Any]:
        found = [] if after else [listing]
        return connection(
            found,
            first,
            lambda _: "1",
            lambda each: inventory_level_node(shop, each),
            has_previous=bool(after),
        )

    return {
        "id": f"gid://shopify/InventoryItem/{number}",
        "legacyResourceId": str(number),
        "sku": listing.sku,
        "tracked": True,
        "requiresShipping": True,
        "inventoryLevel": level,
        "inventoryLevels": levels,
    }


def inventory_level_id(shop: Shopify, sku: str) -> str:
    """An inventory level's global id names the item in its query."""
    return f"gid://shopify/InventoryLevel/{shop.location}?inventory_item_id={shopify_inventory_item_id(sku)}"


def inventory_level_by_id(shop: Shopify, level_id: str) -> dict[str, Any] | None:
    """inventoryLevel(id:)"""
    listings = shop.shelf.listings.values()
    found = next((listing for listing in listings if inventory_level_id(shop, listing.sku) == level_id), None)
    return inventory_level_node(shop, found) if found else None


def inventory_level_node(shop: Shopify, listing: ShelfListing) -> dict[str, Any]:
    """InventoryLevel of a listing: on_hand = available + committed, for nothing is ever damaged here."""
    level_id = inventory_level_id(shop, listing.sku)
    committed = shop.committed(listing.sku)
    known = {"available": listing.quantity, "committed": committed, "on_hand": listing.quantity + committed}

    def quantities(_info: GraphQLResolveInfo[Any], names: list[str]) -> list[dict[str, Any]]:
        if unknown := sorted(set(names) - set(_STATES)):
            message = f"Invalid inventory quantity name: {', '.join(unknown)}"
            raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})
        base = level_id.replace("InventoryLevel", "InventoryQuantity")
        return [{"id": f"{base}&name={name}", "name": name, "quantity": known.get(name, 0)} for name in names]

    return {
        "id": level_id,
        "isActive": True,
        "item": lambda _info: inventory_item_node(shop, listing),
        "location": location_node(shop),
        "quantities": quantities,
    }
