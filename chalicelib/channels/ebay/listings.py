"""Everything that a seller lists through the Inventory API. Source: sell_inventory_v1_oas3.json.

One call for each SKU beside the pages: getOffers takes no more than one. Listings made elsewhere (Trading, eBay's own
pages) are not seen here until they are migrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from chalicelib.channels.ebay.stock import offers_of
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Refused, Unreadable

_ITEMS = "/sell/inventory/v1/inventory_item"
_PAGE = 200
_MOST_PAGES = 10_000


def read_listings(wire: EbayWire) -> Iterator[ListedItem]:
    """One item for each offer; a SKU without an offer is not listed. `offset` counts pages here, not items."""
    for page in range(_MOST_PAGES):
        query = urlencode({"limit": str(_PAGE), "offset": str(page)})
        found = wire.ask(Call("GET", f"{_ITEMS}?{query}"), "total")
        items = [each for each in found.get("inventoryItems") or [] if isinstance(each, dict)]
        for item in items:
            if sku := str(item.get("sku") or ""):
                yield from (listed_item(item, offer) for offer in offers_of(wire, sku))
        if not items or not found.get("next"):
            return
    raise Refused("bad_page", f"the inventory items do not end after {_MOST_PAGES} pages")


def listed_item(item: dict[str, Any], offer: dict[str, Any]) -> ListedItem:
    """What a buyer sees of one offer: the smaller of both quantities. What cannot be read is left out."""
    root, sold = Node(offer, "offer"), Node(item, "inventoryItem")
    price_minor, currency = _price(root)
    listing = root.at("listing")
    refs = {"offer_id": root.text("offerId"), "item_id": listing.text("listingId")}
    return ListedItem(
        channel_sku=root.text("sku") or sold.text("sku"),
        refs={name: ref for name, ref in refs.items() if ref},
        title=sold.at("product").text("title"),
        quantity=_quantity(root, sold),
        price_minor=price_minor,
        currency=currency,
        live=listing.text("listingStatus") == "ACTIVE",
    )


def _quantity(offer: Node, item: Node) -> int | None:
    total = item.at("availability").at("shipToLocationAvailability")
    places = [(offer, "availableQuantity"), (total, "quantity")]
    return min((place.whole(key) for place, key in places if place.has(key)), default=None)


def _price(offer: Node) -> tuple[int | None, str]:
    """An auction has no such price, and one that cannot be read must not hide the listing."""
    try:
        price = offer.at("pricingSummary").at("price")
        if not price:
            return None, ""
        currency = price.currency("currency")
        return price.minor("value", currency), currency
    except Unreadable:
        return None, ""
