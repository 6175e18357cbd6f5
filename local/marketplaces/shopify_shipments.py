"""Fulfilment orders and fulfilments as Shopify's GraphQL shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import shopify_inventory_item_id
from local.marketplaces.shelf import Parcel, Sale, SoldLine
from local.marketplaces.shopify_nodes import line_node, listed, pages, stamp

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


def fulfillment_order_id(sale: Sale) -> str:
    """This shop has one location, so each order has one fulfilment order."""
    return f"gid://shopify/FulfillmentOrder/{7_000_000_000_000 + sale.number}"


def fulfillment_order_line_id(line: SoldLine) -> str:
    """The id of a line inside its fulfilment order."""
    return f"gid://shopify/FulfillmentOrderLineItem/{3_000_000_000_000 + int(line.line_id)}"


def fulfillment_order_node(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """FulfillmentOrder"""
    lines = [
        {
            "id": fulfillment_order_line_id(line),
            "inventoryItemId": f"gid://shopify/InventoryItem/{shopify_inventory_item_id(line.sku)}",
            "lineItem": line_node(sale, line),
            "productTitle": line.title,
            "sku": line.sku,
            "requiresShipping": True,
            "remainingQuantity": sale.open_units(line.line_id),
            "totalQuantity": 0 if sale.cancelled_at else line.quantity,
        }
        for line in sale.lines
    ]
    location = {
        "id": shop.location_id,
        "legacyResourceId": str(shop.location),
        "name": "Mill Street warehouse",
        "isActive": True,
    }
    return {
        "id": fulfillment_order_id(sale),
        "orderId": f"gid://shopify/Order/{sale.order_id}",
        "orderName": f"#{1000 + sale.number}",
        "status": fulfillment_order_status(sale),
        "requestStatus": "UNSUBMITTED",
        "createdAt": stamp(sale.placed_at),
        "updatedAt": stamp(sale.updated_at),
        "assignedLocation": {"location": location, "name": location["name"]},
        "lineItems": pages(lines),
    }


def fulfillment_order_status(sale: Sale) -> str:
    """FulfillmentOrderStatus"""
    if sale.cancelled_at or sale.fully_shipped:
        return "CLOSED"
    return "IN_PROGRESS" if sale.shipped_units else "OPEN"


def fulfillment_number(sale: Sale, parcel: Parcel) -> int:
    """Shopify's number of a fulfilment; the parcel's reference counts them within the order."""
    return 5_500_000_000_000 + sale.number * 100 + int(parcel.reference)


def fulfillment_line_id(sale: Sale, parcel: Parcel, index: int) -> str:
    """The id of what a fulfilment has of the order's line at that place."""
    return f"gid://shopify/FulfillmentLineItem/{fulfillment_number(sale, parcel)}{index}"


def fulfillment_node(sale: Sale, parcel: Parcel) -> dict[str, Any]:
    """Fulfillment"""
    number = fulfillment_number(sale, parcel)
    lines = [
        {
            "id": fulfillment_line_id(sale, parcel, index),
            "lineItem": line_node(sale, line),
            "quantity": parcel.units[line.line_id],
        }
        for index, line in enumerate(sale.lines)
        if line.line_id in parcel.units
    ]
    tracking = {
        "company": parcel.carrier or None,
        "number": parcel.tracking or None,
        "url": parcel.url or None,
    }
    return {
        "id": f"gid://shopify/Fulfillment/{number}",
        "legacyResourceId": str(number),
        "name": f"#{1000 + sale.number}-F{parcel.reference}",
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "createdAt": stamp(parcel.reported_at),
        "updatedAt": stamp(parcel.reported_at),
        "requiresShipping": True,
        "totalQuantity": sum(parcel.units.values()),
        "trackingInfo": listed([tracking] if parcel.tracking else []),
        "fulfillmentLineItems": pages(lines),
    }
