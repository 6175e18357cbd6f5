"""The goods on offer, and the ids under which each marketplace lists them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Listing:
    """One SKU on offer: the price includes no tax, `quantity` is what each marketplace opens with."""

    sku: str
    title: str
    price_minor: int
    currency: str = "USD"
    quantity: int = 0


def derived_digits(text: str, count: int) -> str:
    """Decimal digits that depend on nothing but the text; the first is never 0."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    return str(10 ** (count - 1) + number % (9 * 10 ** (count - 1)))


def asin(sku: str) -> str:
    """Amazon's own id of the product: ten characters that begin with B0."""
    alphabet = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
    digest = hashlib.sha256(f"asin/{sku}".encode()).digest()
    return "B0" + "".join(alphabet[byte % len(alphabet)] for byte in digest[:8])


def shopify_variant_id(sku: str) -> int:
    """Shopify's number of the product variant."""
    return int(derived_digits(f"variant/{sku}", 14))


def shopify_product_id(sku: str) -> int:
    """Shopify's number of the product."""
    return int(derived_digits(f"product/{sku}", 13))


def shopify_inventory_item_id(sku: str) -> int:
    """Shopify's number of the inventory item, the thing whose quantity is set."""
    return int(derived_digits(f"inventory/{sku}", 14))


def ebay_offer_id(sku: str) -> str:
    """eBay's id of the offer that an Inventory API listing is published from."""
    return derived_digits(f"offer/{sku}", 10)


def ebay_item_id(sku: str) -> str:
    """eBay's listing number, called legacyItemId in orders."""
    return derived_digits(f"item/{sku}", 12)


def listing_ids(sku: str) -> dict[str, dict[str, str]]:
    """Marketplace -> the ids a seller must know to speak about this SKU there."""
    return {
        "shopify": {
            "product_id": f"gid://shopify/Product/{shopify_product_id(sku)}",
            "variant_id": f"gid://shopify/ProductVariant/{shopify_variant_id(sku)}",
            "inventory_item_id": f"gid://shopify/InventoryItem/{shopify_inventory_item_id(sku)}",
        },
        "amazon": {"sku": sku, "asin": asin(sku)},
        "ebay": {"sku": sku, "offer_id": ebay_offer_id(sku), "item_id": ebay_item_id(sku)},
    }


def common_currency(catalogue: Sequence[Listing]) -> str:
    """The catalogue's one currency; raises ValueError when it is empty or has several."""
    currencies = {listing.currency for listing in catalogue}
    if len(currencies) != 1:
        raise ValueError(f"a catalogue needs exactly one currency, got {sorted(currencies)}")
    return currencies.pop()


# The order matters: the first sell best.
CATALOGUE: tuple[Listing, ...] = (
    Listing("MUG-STONE-350", "Stoneware mug, 350 ml, slate", 1450, quantity=120),
    Listing("BTL-STEEL-750", "Insulated steel bottle, 750 ml", 2999, quantity=90),
    Listing("TEA-ASSAM-250", "Assam leaf tea, 250 g tin", 1190, quantity=150),
    Listing("LAMP-DESK-OAK", "Oak desk lamp with linen shade", 7400, quantity=25),
    Listing("NOTE-A5-GRID", "A5 notebook, grid, 200 pages", 1275, quantity=200),
    Listing("BAG-TOTE-CNVS", "Canvas tote, 18 oz, natural", 2450, quantity=80),
    Listing("SOAP-OLIVE-3", "Olive oil soap, set of 3", 1599, quantity=110),
    Listing("KNIFE-CHEF-20", "Chef's knife, 20 cm, carbon steel", 8900, quantity=18),
    Listing("BLNKT-WOOL-T", "Merino throw, 130 × 180 cm", 11900, quantity=14),
    Listing("CANDLE-BEES-L", "Beeswax candle, large", 2100, quantity=70),
    Listing("CLOCK-WALL-30", "Wall clock, 30 cm, birch", 5450, quantity=22),
    Listing("PEN-BRASS-0.5", "Brass gel pen, 0.5 mm", 3200, quantity=60),
)
