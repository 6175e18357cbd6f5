"""Products of a stand-in WooCommerce shop: simple ones, and variable ones whose variations have the stock, or whose
product manages it for all of them.

Source of shapes: wc-v3-properties.json (products, product-variations), samples product-stock*.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import derived_digits
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.woocommerce import WooCommerce

OWN, PARENT = "own", "parent"  # who manages the stock of a variation
SIZES = ("small", "large")  # of a product that manages the stock: it has one quantity for both
_MOST = 100


def product_id(sku: str) -> int:
    """The shop's number of a product."""
    return int(derived_digits(f"woo/{sku}", 5))


def variation_ids(sku: str, managed_by: str) -> list[int]:
    """The shop's numbers of its variations; none of a simple product."""
    names = {OWN: ("only",), PARENT: SIZES}.get(managed_by, ())
    return [int(derived_digits(f"woo/{sku}/{name}", 6)) for name in names]


def list_products(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """All, or those of `include`."""
    del names
    return page(request, _included(request, [_product(shop, listing) for listing in shop.shelf.listings.values()]))


def changed_product(shop: WooCommerce, wish: dict[str, Any]) -> dict[str, Any]:
    """What has become of one wish of a batch."""
    by_id = {product_id(sku): listing for sku, listing in shop.shelf.listings.items()}
    return _changed(shop, wish, by_id.get(wish["id"])) or _product(shop, by_id[wish["id"]])


def list_variations(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """All of a product, or those of `include`."""
    listing = _of_product(shop, names)
    return page(request, _included(request, _variations(shop, listing)))


def change_variations(shop: WooCommerce, request: Request, names: dict[str, str]) -> Response:
    """The quantity of one whose product manages the stock stays."""
    listing = _of_product(shop, names)
    managed_by = shop.variable.get(listing.sku, "")

    def changed(wish: dict[str, Any]) -> dict[str, Any]:
        found = listing if wish["id"] in variation_ids(listing.sku, managed_by) else None
        failed = _changed(shop, wish, found, stock=managed_by == OWN)
        return failed or next(each for each in _variations(shop, listing) if each["id"] == wish["id"])

    return batch(request, changed)


def batch(request: Request, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """At most 100, each judged alone inside a 200."""
    wishes = request.json().get("update", [])
    if len(wishes) > _MOST:
        return error(413, "woocommerce_rest_request_entity_too_large")
    return json_response(200, {"update": [changed(wish) for wish in wishes]})


def _changed(
    shop: WooCommerce, wish: dict[str, Any], listing: ShelfListing | None, *, stock: bool = True
) -> dict[str, Any]:
    """Why it was not changed, as it stands in the answer; nothing when it was."""
    if listing is None or shop.die.hits(shop.die.faults.partial):
        problem = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}
        return {"id": wish["id"], "error": problem}
    if stock:
        listing.quantity = int(wish.get("stock_quantity", listing.quantity))
    if "regular_price" in wish:
        listing.price_minor = round(float(wish["regular_price"]) * 100)
    return {}


def _product(shop: WooCommerce, listing: ShelfListing) -> dict[str, Any]:
    managed_by = shop.variable.get(listing.sku, "")
    is_managing = managed_by != OWN
    return {
        "id": product_id(listing.sku),
        "name": listing.title,
        "type": "variable" if managed_by else "simple",
        "status": "publish",
        "sku": "" if managed_by else listing.sku,
        "regular_price": "" if managed_by else money(listing.price_minor),
        "virtual": False,
        "manage_stock": is_managing,
        "stock_quantity": listing.quantity if is_managing else None,
        "variations": variation_ids(listing.sku, managed_by),
    }


def _variations(shop: WooCommerce, listing: ShelfListing) -> list[dict[str, Any]]:
    """Of a product that manages the stock they have no SKU of their own, and show the product's."""
    managed_by = shop.variable.get(listing.sku, "")
    return [
        {
            "id": number,
            "status": "publish",
            "sku": listing.sku if managed_by == OWN else "",
            "regular_price": money(listing.price_minor),
            "virtual": False,
            "manage_stock": True if managed_by == OWN else "parent",
            "stock_quantity": listing.quantity,
        }
        for number in variation_ids(listing.sku, managed_by)
    ]


def _of_product(shop: WooCommerce, names: dict[str, str]) -> ShelfListing:
    found = (each for each in shop.shelf.listings.values() if str(product_id(each.sku)) == names["product"])
    listing = next(found, None)
    if listing is None:
        raise RefusalError(error(404, "woocommerce_rest_product_invalid_id"))
    return listing


def _included(request: Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = request.query.get("include", "").split(",") if request.query.get("include") else None
    return [each for each in found if wanted is None or str(each["id"]) in wanted]


def money(amount_minor: int) -> str:
    """1250 -> 12.50."""
    return f"{amount_minor // 100}.{amount_minor % 100:02}"


def page(request: Request, found: list[dict[str, Any]]) -> Response:
    """One page of a list."""
    size, number = min(int(request.query.get("per_page", "10")), 100), int(request.query.get("page", "1"))
    counts = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))}
    return json_response(200, found[(number - 1) * size : number * size], counts)


def error(status: int, code: str) -> Response:
    """WooCommerce says no."""
    return json_response(status, {"code": code, "message": "", "data": {"status": status}})
