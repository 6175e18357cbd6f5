"""Product variants of the stand-in shop: one to a product, each with its price. Source: schema admin_2026-10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo

from local.marketplaces.catalogue import listing_ids
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.shopify_nodes import pages
from local.marketplaces.shopify_queries import inventory_item_node

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


def find_variants(shop: Shopify, info: GraphQLResolveInfo[Any], **asked: Any) -> dict[str, Any]:
    """productVariants(first:, after:)"""
    asked.pop("sortKey", None)
    return pages([variant_node(shop, each) for each in shop.shelf.listings.values()])(info, **asked)


def variant_node(shop: Shopify, listing: ShelfListing) -> dict[str, Any]:
    """ProductVariant"""
    ids = listing_ids(listing.sku)["shopify"]
    return {
        "id": ids["variant_id"],
        "legacyResourceId": ids["variant_id"].rpartition("/")[2],
        "sku": listing.sku,
        "title": "Default Title",
        "displayName": f"{listing.title} - Default Title",
        "price": amount_text(listing.price_minor, listing.currency),
        "product": {
            "id": ids["product_id"],
            "title": listing.title,
            "status": "ACTIVE" if listing.live else "DRAFT",
        },
        "inventoryItem": inventory_item_node(shop, listing),
    }


def set_prices(shop: Shopify, _info: GraphQLResolveInfo[Any], **asked: Any) -> dict[str, Any]:
    """productVariantsBulkUpdate(productId:, variants:, allowPartialUpdates:)"""
    listings = [each for each in shop.shelf.listings.values() if _ids(each)["product_id"] == asked["productId"]]
    if not listings:
        message = "Product does not exist"
        return _refused([{"field": ["productId"], "message": message, "code": "PRODUCT_DOES_NOT_EXIST"}])
    known = {_ids(each)["variant_id"]: each for each in listings}
    errors, wanted = [], []
    for place, variant in enumerate(asked["variants"]):
        listing, price_minor = known.get(variant["id"]), round(float(variant["price"]) * 100)
        if listing is None:
            wrong = {"field": ["variants", str(place), "id"], "message": "Product variant does not exist"}
            errors.append({**wrong, "code": "PRODUCT_VARIANT_DOES_NOT_EXIST"})
        elif price_minor < 0:
            wrong = {"field": ["variants", str(place), "price"], "message": "Price must be greater than or equal to 0"}
            errors.append({**wrong, "code": "NEGATIVE_PRICE_VALUE"})
        else:
            wanted.append((listing, price_minor))
    if errors and not asked.get("allowPartialUpdates"):
        return _refused(errors)
    for listing, price_minor in wanted:
        listing.price_minor = price_minor
    return {"productVariants": [variant_node(shop, listing) for listing, _ in wanted], "userErrors": errors}


def _ids(listing: ShelfListing) -> dict[str, str]:
    return listing_ids(listing.sku)["shopify"]


def _refused(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"productVariants": None, "userErrors": errors}
