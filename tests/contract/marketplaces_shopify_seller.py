"""A seller's GraphQL documents, checked against the official schema, and what he does with them."""

from __future__ import annotations

from typing import Any

from local.marketplaces.catalogue import CATALOGUE, shopify_inventory_item_id
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify import Shopify
from tests.contract.marketplaces_calls import graphql
from tests.contract.marketplaces_models import shopify_document, shopify_variables

SKU = CATALOGUE[0].sku
ITEM = f"gid://shopify/InventoryItem/{shopify_inventory_item_id(SKU)}"

ORDERS = """
query Orders($query: String, $first: Int!, $after: String) {
  orders(query: $query, sortKey: UPDATED_AT, first: $first, after: $after) {
    nodes { id name updatedAt displayFinancialStatus }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ORDER = """
query Order($id: ID!) {
  order(id: $id) {
    id legacyResourceId name createdAt updatedAt cancelledAt cancelReason currencyCode
    displayFinancialStatus displayFulfillmentStatus email
    totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
    currentTotalPriceSet { shopMoney { amount } }
    subtotalPriceSet { shopMoney { amount } }
    totalTaxSet { shopMoney { amount } }
    totalShippingPriceSet { shopMoney { amount } }
    totalReceivedSet { shopMoney { amount } }
    totalRefundedSet { shopMoney { amount } }
    shippingAddress { name address1 city provinceCode zip countryCodeV2 }
    lineItems(first: 50) {
      nodes {
        id sku quantity currentQuantity
        originalUnitPriceSet { shopMoney { amount } }
        taxLines { priceSet { shopMoney { amount } } }
      }
    }
    transactions(first: 10) { kind status amountSet { shopMoney { amount } } }
    refunds(first: 10) { id refundLineItems(first: 50) { nodes { quantity lineItem { id } } } }
    fulfillmentOrders(first: 10) {
      nodes {
        id status assignedLocation { location { id } }
        lineItems(first: 50) { nodes { id remainingQuantity totalQuantity lineItem { id } } }
      }
    }
    fulfillments(first: 10) {
      id status trackingInfo { number company url } fulfillmentLineItems(first: 9) { nodes { quantity } }
    }
  }
}
"""
LEVEL = """
query Level($item: ID!, $location: ID!) {
  inventoryItem(id: $item) {
    sku
    inventoryLevel(locationId: $location) {
      id quantities(names: ["available", "committed", "on_hand"]) { name quantity }
    }
    inventoryLevels(first: 2) { nodes { location { id } } }
  }
}
"""
LEVEL_BY_ID = (
    'query Level($id: ID!) { inventoryLevel(id: $id) { quantities(names: ["available"]) { quantity } item { sku } } }'
)
SET = """
mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta item { id } location { id } } }
    userErrors { field message code }
  }
}
"""
SHIP = """
mutation Ship($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status totalQuantity } userErrors { field message } }
}
"""


def answered(shop: Shopify, query: str, variables: dict[str, Any]) -> Any:
    """The data of an answer without errors, to a document and variables that the official schema accepts."""
    assert shopify_document(query) == []
    assert shopify_variables(query, variables) == []
    answer = graphql(shop, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]


def quantity(value: int, expected: int | None, item: str = ITEM, location: str = "") -> dict[str, Any]:
    return {"inventoryItemId": item, "locationId": location, "quantity": value, "changeFromQuantity": expected}


def set_quantities(shop: Shopify, *quantities: dict[str, Any], key: str = "k1", **changes: Any) -> Any:
    located = [{**each, "locationId": each["locationId"] or shop.location_id} for each in quantities]
    asked = {"name": "available", "reason": "correction", "quantities": located, **changes}
    return answered(shop, SET, {"input": asked, "key": key})["inventorySetQuantities"]


def error_codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


def order_of(shop: Shopify, sale: Sale) -> Any:
    return answered(shop, ORDER, {"id": f"gid://shopify/Order/{sale.order_id}"})["order"]


def ship(shop: Shopify, sale: Sale, units: list[int] | None = None, **tracking: str) -> Any:
    """Ships `units` of each line, or all that remains."""
    fulfillment_order = order_of(shop, sale)["fulfillmentOrders"]["nodes"][0]
    group: dict[str, Any] = {"fulfillmentOrderId": fulfillment_order["id"]}
    if units is not None:
        lines = fulfillment_order["lineItems"]["nodes"]
        group["fulfillmentOrderLineItems"] = [
            {"id": line["id"], "quantity": each} for line, each in zip(lines, units, strict=False) if each
        ]
    asked = {"lineItemsByFulfillmentOrder": [group], "trackingInfo": tracking or {"company": "UPS", "number": "1Z1"}}
    return answered(shop, SHIP, {"fulfillment": asked})["fulfillmentCreate"]


def money(bag: Any) -> int:
    return round(float(bag["shopMoney"]["amount"]) * 100)
