"""eBay's inventory items and offers: reading them, taking an offer off the site and putting it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import derived_digits, ebay_item_id, ebay_offer_id
from local.marketplaces.ebay_errors import INVENTORY, refuse
from local.marketplaces.ebay_money import amount
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

BASE = "/sell/inventory/v1"
ITEMS_PAGE, MAX_ITEMS = 25, 200


def get_inventory_items(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/inventory/v1/inventory_item: `offset` is the number of a page, not of an item as elsewhere."""
    limit, page = request.query.get("limit", str(ITEMS_PAGE)), request.query.get("offset", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_ITEMS or not page.isdecimal():
        raise refuse(400, 25706, "You have provided invalid pagination values.", domain=INVENTORY)
    size, number = int(limit), int(page)
    listings = list(market.shelf.listings.values())
    shown = listings[number * size : (number + 1) * size]

    def link(to: int) -> str:
        return f"{market.base_url}{BASE}/inventory_item?limit={size}&offset={to}"

    answer: dict[str, Any] = {
        "href": link(number),
        "total": len(listings),
        "size": len(shown),
        "limit": size,
        "inventoryItems": [_item(listing) for listing in shown],
    }
    if (number + 1) * size < len(listings):
        answer["next"] = link(number + 1)
    if number:
        answer["prev"] = link(number - 1)
    return json_response(200, answer)


def get_inventory_item(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /sell/inventory/v1/inventory_item/{sku}: the total quantity, which the offer's may cap."""
    listing = market.shelf.listings.get(names["sku"])
    if listing is None:
        raise refuse(404, 25710, "We didn't find the resource/entity you are requesting.", domain=INVENTORY)
    return json_response(200, _item(listing))


def get_offers(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/inventory/v1/offer?sku=…: the SKU has to be named."""
    sku = request.query.get("sku", "")
    if not sku:
        raise refuse(400, 25709, "Invalid value for sku.", domain=INVENTORY)
    listing = market.shelf.listings.get(sku)
    if listing is None:
        raise refuse(404, 25713, "This Offer is not available.", domain=INVENTORY)
    href = f"{market.base_url}{BASE}/offer?sku={sku}&offset=0&limit=100"
    offers = [_offer(market, listing)]
    return json_response(200, {"total": 1, "size": 1, "href": href, "limit": 100, "offers": offers})


def publish_offer(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /sell/inventory/v1/offer/{offerId}/publish -> listingId"""
    listing = _of_offer(market, names)
    if not market.out_of_stock_control and not min(listing.quantity, _shown_quantity(listing)):
        raise refuse(400, 25004, "Invalid quantity. A valid number greater than 0 is needed.", domain=INVENTORY)
    listing.live = True
    return json_response(200, {"listingId": ebay_item_id(listing.sku)})


def withdraw_offer(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /sell/inventory/v1/offer/{offerId}/withdraw -> listingId; refused when it is not published."""
    listing = _of_offer(market, names)
    if not listing.live:
        raise refuse(400, 25002, "Any User error.", "The offer is not published.", domain=INVENTORY)
    listing.live = False
    return json_response(200, {"listingId": ebay_item_id(listing.sku)})


def _of_offer(market: Ebay, names: dict[str, str]) -> ShelfListing:
    sku = market.sku_of_offer.get(names["offer_id"])
    if sku is None:
        raise refuse(404, 25713, "This Offer is not available.", domain=INVENTORY)
    return market.shelf.listings[sku]


def _item(listing: ShelfListing) -> dict[str, Any]:
    return {
        "sku": listing.sku,
        "locale": "en_US",
        "condition": "NEW",
        "product": {"title": listing.title, "description": listing.title},
        "availability": {"shipToLocationAvailability": {"quantity": listing.quantity}},
    }


def _shown_quantity(listing: ShelfListing) -> int:
    return listing.quantity if listing.offer_quantity is None else listing.offer_quantity


def _offer(market: Ebay, listing: ShelfListing) -> dict[str, Any]:
    sold = sum(line.quantity for sale in market.shelf.sales.values() for line in sale.lines if line.sku == listing.sku)
    body = {
        "offerId": ebay_offer_id(listing.sku),
        "sku": listing.sku,
        "marketplaceId": market.site,
        "format": "FIXED_PRICE",
        "availableQuantity": _shown_quantity(listing),
        "listingDuration": "GTC",
        "listingPolicies": {
            policy: derived_digits(f"ebay/{policy}", 10)
            for policy in ("fulfillmentPolicyId", "paymentPolicyId", "returnPolicyId")
        },
        "hideBuyerDetails": False,
        "includeCatalogProductDetails": False,
        "pricingSummary": {"price": amount(listing.price_minor, listing.currency)},
        "status": "PUBLISHED" if listing.live else "UNPUBLISHED",
    }
    if listing.live:
        state = "ACTIVE" if listing.available else "OUT_OF_STOCK"
        body["listing"] = {"listingId": ebay_item_id(listing.sku), "listingStatus": state, "soldQuantity": sold}
    return body
