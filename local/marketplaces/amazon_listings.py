"""Amazon's Listings Items API 2021-08-01: a listing read, and its quantity and price patched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_errors import choices, invalid, json_object, refuse
from local.marketplaces.amazon_order_body import money, stamp
from local.marketplaces.catalogue import asin
from local.marketplaces.market import Route
from local.marketplaces.money import amount_minor, amount_text
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

DATA_SETS = frozenset(
    [
        "summaries",
        "attributes",
        "issues",
        "offers",
        "fulfillmentAvailability",
        "procurement",
        "relationships",
        "productTypes",
    ]
)
OPERATIONS = frozenset({"add", "replace", "merge", "delete"})
ATTRIBUTES = "/attributes/"
ITEM = r"/listings/2021-08-01/items/(?P<seller_id>[^/]+)/(?P<sku>[^/]+)"
LISTED_SINCE = datetime(2025, 2, 3, 9, tzinfo=UTC)


class IssueError(Exception):
    """The patch is well formed and yet cannot be applied: the answer is 200 with status INVALID."""

    def __init__(self, code: str, message: str, attribute: str) -> None:
        super().__init__(message)
        self.issue: dict[str, Any] = {
            "code": code,
            "message": message,
            "severity": "ERROR",
            "attributeNames": [attribute],
            "categories": ["INVALID_ATTRIBUTE"],
        }


def get_item(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """GET /listings/2021-08-01/items/{sellerId}/{sku}"""
    check_account(market, request, names)
    wanted = choices(request.query.get("includedData", "summaries"), DATA_SETS, "includedData")
    listing = market.shelf.listings.get(names["sku"])
    if listing is None:
        raise refuse(404, "NOT_FOUND", f"SKU '{names['sku']}' not found in marketplace {market.marketplace_id}", "")
    return json_response(200, item_body(market, listing, wanted))


def item_body(market: Amazon, listing: ShelfListing, wanted: frozenset[str]) -> dict[str, Any]:
    """Item, with the data sets asked for."""
    parts: dict[str, Any] = {
        "summaries": [_summary(market, listing)],
        "attributes": _attributes(market, listing),
        "issues": [_standing_issue(each) for each in market.office.issues.get(listing.sku, [])],
        "offers": [_offer(market, listing)],
        "fulfillmentAvailability": [{"fulfillmentChannelCode": "DEFAULT", "quantity": listing.available}],
        "procurement": [],
        "relationships": [],
        "productTypes": [{"marketplaceId": market.marketplace_id, "productType": "PRODUCT"}],
    }
    return {"sku": listing.sku, **{name: parts[name] for name in parts if name in wanted}}


def _standing_issue(severity: str) -> dict[str, Any]:
    """What market.report_issue has left on a listing."""
    message = "The listing needs the seller's attention."
    return {"code": "18027", "message": message, "severity": severity, "categories": ["MISSING_ATTRIBUTE"]}


def patch_item(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """PATCH /listings/2021-08-01/items/{sellerId}/{sku}: ACCEPTED is not live yet, see Amazon.put_live_later."""
    check_account(market, request, names)
    preview = request.query.get("mode", "")
    if preview not in {"", "VALIDATION_PREVIEW"}:
        raise invalid("mode knows VALIDATION_PREVIEW only.")
    patches = check_patches(json_object(request))
    status, issues = ("VALID" if preview else "ACCEPTED"), []
    try:
        apply_patches(market, names["sku"], patches, preview=bool(preview))
    except IssueError as refused:
        status, issues = "INVALID", [refused.issue]
    market.shelf.submissions += 1
    submission = f"{market.shelf.submissions:012x}-local"
    return json_response(200, {"sku": names["sku"], "status": status, "submissionId": submission, "issues": issues})


def apply_patches(market: Amazon, sku: str, patches: list[dict[str, Any]], *, preview: bool = False) -> None:
    """Does what the patches of one listing say, or, for a preview, only judges them. Raises IssueError."""
    listing = market.shelf.listings.get(sku)
    if listing is None:
        raise IssueError("8560", "The SKU does not match any product in the catalogue.", "sku")
    changes = [_understand(market, listing, patch) for patch in patches]
    if not preview:
        _apply(market, listing, {name: value for change in changes for name, value in change.items()})


def check_account(market: Amazon, request: Request, names: dict[str, str]) -> None:
    if names["seller_id"] != market.seller_id:
        raise refuse(403, "Unauthorized", "Access to requested resource is denied.", "sellerId is not the token's.")
    stores = request.query.get("marketplaceIds", "")
    if stores != market.marketplace_id:
        raise invalid("marketplaceIds is required, and must name the seller's store.")


def check_patches(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The patches of a ListingsItemPatchRequest; refused when it is not one."""
    patches = body.get("patches")
    if not isinstance(body.get("productType"), str) or not body["productType"]:
        raise invalid("productType is required.")
    if not isinstance(patches, list) or not patches:
        raise invalid("patches must hold one patch at least.")
    for patch in patches:
        if not isinstance(patch, dict) or patch.get("op") not in OPERATIONS:
            raise invalid("op must be one of add, replace, merge, delete.")
        path, value = patch.get("path"), patch.get("value", [])
        if not isinstance(path, str) or not path.startswith(ATTRIBUTES) or "/" in path.removeprefix(ATTRIBUTES):
            raise invalid("path must be /attributes/ and the name of one attribute.")
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise invalid("value must be a list of objects.")
    return patches


def _understand(market: Amazon, listing: ShelfListing, patch: dict[str, Any]) -> dict[str, int]:
    """What a patch changes: quantity or price_minor."""
    attribute = patch["path"].removeprefix(ATTRIBUTES)
    if patch["op"] == "delete" or attribute not in {"fulfillment_availability", "purchasable_offer"}:
        raise IssueError("4000001", f"This stand-in cannot {patch['op']} {attribute}.", attribute)
    if len(patch.get("value", [])) != 1:
        raise IssueError("90220", f"{attribute} needs exactly one value.", attribute)
    value = patch["value"][0]
    if attribute == "fulfillment_availability":
        return {"quantity": _quantity(value)}
    return {"price_minor": _price_minor(market, listing, value)}


def _quantity(value: dict[str, Any]) -> int:
    if value.get("fulfillment_channel_code") != "DEFAULT":
        message = "fulfillment_channel_code must be DEFAULT for a seller-fulfilled quantity."
        raise IssueError("90244", message, "fulfillment_availability")
    quantity = value.get("quantity")
    if type(quantity) is not int or quantity < 0:
        raise IssueError("90225", "quantity must be an integer of 0 or more.", "fulfillment_availability")
    return quantity


def _price_minor(market: Amazon, listing: ShelfListing, value: dict[str, Any]) -> int:
    try:
        if (
            value["currency"] != listing.currency
            or value.get("marketplace_id", market.marketplace_id) != market.marketplace_id
        ):
            raise IssueError("90041", "The currency or the store is not the listing's.", "purchasable_offer")
        price = value["our_price"][0]["schedule"][0]["value_with_tax"]
        return amount_minor(str(price), listing.currency)
    except (KeyError, IndexError, TypeError, ValueError):
        raise IssueError("90225", "our_price must hold a schedule with value_with_tax.", "purchasable_offer") from None


def _apply(market: Amazon, listing: ShelfListing, change: dict[str, int]) -> None:
    if "quantity" in change:
        market.put_live_later(listing.sku, change["quantity"])
    listing.price_minor = change.get("price_minor", listing.price_minor)


def _summary(market: Amazon, listing: ShelfListing) -> dict[str, Any]:
    return {
        "marketplaceId": market.marketplace_id,
        "asin": asin(listing.sku),
        "productType": "PRODUCT",
        "conditionType": "new_new",
        "status": ["BUYABLE", "DISCOVERABLE"] if listing.available else ["DISCOVERABLE"],
        "itemName": listing.title,
        "createdDate": stamp(LISTED_SINCE),
        "lastUpdatedDate": stamp(market.clock()),
    }


def _attributes(market: Amazon, listing: ShelfListing) -> dict[str, Any]:
    price = {"schedule": [{"value_with_tax": float(amount_text(listing.price_minor, listing.currency))}]}
    return {
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": listing.available}],
        "purchasable_offer": [
            {"marketplace_id": market.marketplace_id, "currency": listing.currency, "our_price": [price]}
        ],
    }


def _offer(market: Amazon, listing: ShelfListing) -> dict[str, Any]:
    price = money(listing.price_minor, listing.currency)
    return {"marketplaceId": market.marketplace_id, "offerType": "B2C", "price": price}


ROUTES = (
    Route("GET", ITEM, "getListingsItem", get_item),
    Route("PATCH", ITEM, "patchListingsItem", patch_item),
)
