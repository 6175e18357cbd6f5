"""Fulfilment orders and fulfilments as Shopify's GraphQL shows them."""

from __future__ import annotations

from typing import Any

from local.marketplaces.catalogue import shopify_inventory_item_id
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.shopify_back_office import FulfilmentOrder
from local.marketplaces.shopify_fulfilment import gid, line_gid, status
from local.marketplaces.shopify_nodes import line_node, listed, pages, stamp


def fulfillment_order_node(sale: Sale, part: FulfilmentOrder) -> dict[str, Any]:
    """FulfillmentOrder"""
    lines = [
        {
            "id": line_gid(part, line.line_id),
            "inventoryItemId": f"gid://shopify/InventoryItem/{shopify_inventory_item_id(line.sku)}",
            "lineItem": line_node(sale, line),
            "productTitle": line.title,
            "sku": line.sku,
            "requiresShipping": True,
            "remainingQuantity": part.units.get(line.line_id, 0),
            "totalQuantity": 0 if sale.cancelled_at else line.quantity,
        }
        for line in sale.lines
        if line.line_id in part.units
    ]
    name = "Parcel people" if part.service else "Mill Street warehouse"
    location = {
        "id": f"gid://shopify/Location/{part.location}",
        "legacyResourceId": str(part.location),
        "name": name,
        "isActive": True,
    }
    return {
        "id": gid(part),
        "orderId": f"gid://shopify/Order/{sale.order_id}",
        "orderName": f"#{1000 + sale.number}",
        "status": status(sale, part),
        "requestStatus": "UNSUBMITTED",
        "createdAt": stamp(sale.placed_at),
        "updatedAt": stamp(part.updated_at),
        "fulfillAt": stamp(part.fulfil_at),
        "fulfillmentHolds": [
            {"id": f"gid://shopify/FulfillmentHold/{part.number}{n}", "reason": reason, "reasonNotes": None}
            for n, reason in enumerate(part.holds)
        ],
        "supportedActions": [{"action": action} for action in _actions(sale, part)],
        "assignedLocation": {"location": location, "name": name},
        "lineItems": pages(lines),
    }


def _actions(sale: Sale, part: FulfilmentOrder) -> list[str]:
    """FulfillmentOrderAction, as a live capture shows them of 2026-04."""
    kinds = {
        "CLOSED": [],
        "ON_HOLD": ["RELEASE_HOLD", "HOLD", "MOVE"],
        "SCHEDULED": ["MARK_AS_OPEN"],
    }
    first = "REQUEST_FULFILLMENT" if part.service else "CREATE_FULFILLMENT"
    return kinds.get(status(sale, part), [first, "MOVE", "HOLD", "SPLIT"])


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
