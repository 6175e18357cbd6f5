"""What a shop lists, and the prices of it. Source: schema admin_2026-10, productVariants, productVariantsBulkUpdate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.channels.port import Price
from chalicelib.channels.shopify import documents_account as documents
from chalicelib.channels.shopify.wire import ShopifyWire, next_cursor
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from chalicelib.domain.money import to_text

_TOGETHER = 100
_ONLY_VARIANT = " - Default Title"  # what Shopify calls the variant of a product that has one


class Listings(Iterator[ListedItem]):
    """Every variant that has a SKU, page by page. `location_id`: the account's own, "" when it has named none. It goes
    on after it has raised `Busy`: a large shop has more variants than points."""

    def __init__(self, wire: ShopifyWire, location_id: str) -> None:
        self._wire, self._location_id = wire, location_id
        self._after: str | None = None
        self._read: list[ListedItem] = []
        self._is_last = False

    def __next__(self) -> ListedItem:
        while not self._read and not self._is_last:
            self._read_page()
        if not self._read:
            raise StopIteration
        return self._read.pop(0)

    def _read_page(self) -> None:
        answer = self._wire.ask(documents.VARIANTS, {"after": self._after})
        currency, found = answer.at("shop").currency("currencyCode"), answer.at("productVariants")
        variants = (each for each in found.listed("nodes") if each.text("sku"))
        self._read = [_item(each, currency, self._location_id) for each in variants]
        self._after = next_cursor(found, self._after)
        self._is_last = self._after is None


def set_prices(wire: ShopifyWire, wanted: Sequence[Price]) -> list[HeadraceError | None]:
    """One outcome for each, None when the shop has taken it. Another currency than the shop's is refused, for the shop
    would take the bare number."""
    try:
        currency = wire.ask(documents.SHOP, {}).at("shop").currency("currencyCode")
    except HeadraceError as error:
        return [error] * len(wanted)
    outcomes = {place: _wrong(each, currency) for place, each in enumerate(wanted)}
    by_product: dict[str, list[int]] = defaultdict(list)
    for place, wrong in outcomes.items():
        if wrong is None:
            by_product[wanted[place].refs["product_id"]].append(place)
    for product_id, places in by_product.items():
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            outcomes |= zip(some, _set(wire, product_id, [wanted[place] for place in some]), strict=True)
    return [outcomes[place] for place in range(len(wanted))]


def _item(variant: Node, currency: str, location_id: str) -> ListedItem:
    stock = variant.at("inventoryItem")
    levels = {
        level.at("location").text("id"): quantity.whole("quantity")
        for level in stock.at("inventoryLevels").each("nodes")
        for quantity in level.each("quantities")
    }
    place = location_id or (next(iter(levels)) if len(levels) == 1 else "")
    product = variant.at("product")
    refs = {
        "inventory_item_id": stock.text("id"),
        "variant_id": variant.text("id"),
        "product_id": product.text("id"),
        "location_id": place,
    }
    return ListedItem(
        channel_sku=variant.text("sku"),
        refs={name: value for name, value in refs.items() if value},
        title=variant.text("displayName").removesuffix(_ONLY_VARIANT),
        quantity=levels.get(place) if stock.flag("tracked") else None,
        price_minor=variant.minor("price", currency) if variant.has("price") else None,
        currency=currency,
        live=product.text("status") == "ACTIVE",
    )


def _wrong(wanted: Price, currency: str) -> HeadraceError | None:
    for name in ("product_id", "variant_id"):
        if not wanted.refs.get(name):
            return Refused("listing_incomplete", f"{wanted.channel_sku} has no {name}: import the listings to learn it")
    if wanted.currency != currency:
        return Refused("wrong_currency", f"{wanted.channel_sku}: the shop's prices are in {currency}")
    return None


def _set(wire: ShopifyWire, product_id: str, wanted: Sequence[Price]) -> list[HeadraceError | None]:
    """Those that Shopify names are refused, the others set; an error that names none refuses all."""
    prices = [{"id": each.refs["variant_id"], "price": to_text(each.price_minor, each.currency)} for each in wanted]
    try:
        asked = {"product": product_id, "variants": prices}
        payload, errors = wire.tell(documents.SET_PRICES, asked, "productVariantsBulkUpdate")
    except HeadraceError as error:
        return [error] * len(wanted)
    refused: dict[int, HeadraceError] = {}
    for told in errors:
        places = _places(told, len(wanted))
        detail = f"Shopify refused the price: {told.text('code') or 'no code'}"
        refused |= {place: Refused("price_refused", f"{wanted[place].channel_sku}: {detail}") for place in places}
    if not refused and not payload.has("productVariants"):
        return [Busy("Shopify has not said whether prices are set", after_s=5)] * len(wanted)
    return [refused.get(place) for place in range(len(wanted))]


def _places(error: Node, count: int) -> Sequence[int]:
    """What an error is about: field ["variants", "3", "price"] is the fourth."""
    field = error.at("field").value
    numbers = [int(part) for part in map(str, field if isinstance(field, list) else ()) if part.isdecimal()]
    return numbers[:1] if numbers and numbers[0] < count else range(count)
