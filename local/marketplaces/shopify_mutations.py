"""Shopify's mutations: the quantity of an inventory item, and a shipment.

Sources: schema admin_2026-10; live captures inventory-quantity-contracts-2026-04 (messages, codes, the two
demands of 2026-04: `@idempotent` and `changeFromQuantity`).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo, get_directive_values

from local.marketplaces.shelf import Parcel, Replay, Sale, ShelfListing
from local.marketplaces.shopify_back_office import FulfilmentOrder
from local.marketplaces.shopify_fulfilment import find, line_gid, status
from local.marketplaces.shopify_nodes import stamp
from local.marketplaces.shopify_payments import refund
from local.marketplaces.shopify_queries import inventory_item_node, location_node
from local.marketplaces.shopify_shipments import (
    fulfillment_node,
)

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

MAX_QUANTITY = 1_000_000_000
MAX_REPLAYS = 2000
REASONS = frozenset(
    (
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    )
)


class UserErrors(Exception):
    """The mutation is refused with these userErrors."""

    def __init__(self, *errors: dict[str, Any]) -> None:
        super().__init__(*errors)
        self.errors = list(errors)


def user_error(field: list[str], message: str, code: str | None = None) -> dict[str, Any]:
    """One userError; `code` where the mutation's error type has one."""
    return {"field": field, "message": message, **({"code": code} if code else {})}


# --- inventorySetQuantities ---------------------------------------------------------------------------


def set_quantities(
    shop: Shopify,
    info: GraphQLResolveInfo[Any],
    input: dict[str, Any],  # noqa: A002 - the official name
) -> dict[str, Any]:
    """inventorySetQuantities(input:) @idempotent(key:)"""
    key = idempotency_key(info)
    for quantity in input["quantities"]:
        if "changeFromQuantity" not in quantity:
            message = "InventoryQuantityInput must include the following argument: changeFromQuantity."
            raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})
    asked = json.dumps(input, sort_keys=True)
    try:
        group = _replayed(shop, key, asked)
        if group is None:
            group = _adjust(shop, input)
            _remember(shop, key, Replay(asked, json.dumps(group)))
    except UserErrors as refused:
        if key not in shop.shelf.replays:
            _remember(shop, key, Replay(asked, ""))
        return {"inventoryAdjustmentGroup": None, "userErrors": refused.errors}
    return {"inventoryAdjustmentGroup": _group_node(shop, group), "userErrors": []}


def idempotency_key(info: GraphQLResolveInfo[Any]) -> str:
    """The key of @idempotent on the mutation's field; without it the mutation is refused."""
    directive = info.schema.get_directive("idempotent")
    values = get_directive_values(directive, info.field_nodes[0], info.variable_values) if directive else None
    if not values or not values["key"]:
        message = "The @idempotent directive is required for this mutation but was not provided."
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    return str(values["key"])


def _replayed(shop: Shopify, key: str, asked: str) -> dict[str, Any] | None:
    """The answer given earlier under the key; None when the key is new."""
    replay = shop.shelf.replays.get(key)
    if replay is None:
        return None
    if replay.asked != asked:
        message = "The idempotency key was used before with other parameters."
        raise UserErrors(user_error(["input"], message, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"))
    if not replay.answered:
        message = "The previous attempt with this idempotency key failed; use a new key."
        raise UserErrors(user_error(["input"], message, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"))
    group: dict[str, Any] = json.loads(replay.answered)
    return group


def _remember(shop: Shopify, key: str, replay: Replay) -> None:
    """Keeps what was done under the key, for the latest keys only."""
    shop.shelf.replays[key] = replay
    if len(shop.shelf.replays) > MAX_REPLAYS:
        del shop.shelf.replays[next(iter(shop.shelf.replays))]


def _adjust(shop: Shopify, asked: dict[str, Any]) -> dict[str, Any]:
    """Checks everything, then sets all quantities: one refusal leaves all of them as they were."""
    if asked["name"] not in {"available", "on_hand"}:
        message = "The quantity name must be either 'available' or 'on_hand'."
        raise UserErrors(user_error(["input", "name"], message, "INVALID_NAME"))
    if asked["reason"] not in REASONS:
        message = f"The specified reason is invalid. Valid values are: {', '.join(sorted(REASONS))}."
        raise UserErrors(user_error(["input", "reason"], message, "INVALID_REASON"))
    listings = [_checked(shop, asked, index) for index in range(len(asked["quantities"]))]
    changes = []
    for listing, quantity in zip(listings, asked["quantities"], strict=True):
        delta = quantity["quantity"] - _current(shop, listing, asked["name"])
        listing.quantity += delta
        changes += [{"name": name, "delta": delta, "sku": listing.sku} for name in ("available", "on_hand")]
    shop.shelf.submissions += 1
    return {
        "id": f"gid://shopify/InventoryAdjustmentGroup/{54_000_000_000_000 + shop.shelf.submissions}",
        "createdAt": stamp(shop.clock()),
        "reason": asked["reason"],
        "referenceDocumentUri": asked.get("referenceDocumentUri"),
        "changes": changes,
    }


def _current(shop: Shopify, listing: ShelfListing, name: str) -> int:
    return listing.quantity + (shop.committed(listing.sku) if name == "on_hand" else 0)


def _checked(shop: Shopify, asked: dict[str, Any], index: int) -> ShelfListing:
    """The listing that the quantity speaks of; raises UserErrors when it cannot be set."""
    quantity = asked["quantities"][index]

    def refuse(field: str, message: str, code: str) -> UserErrors:
        return UserErrors(user_error(["input", "quantities", str(index), field], message, code))

    listing = shop.listing_of_item(quantity["inventoryItemId"])
    if listing is None:
        raise refuse("inventoryItemId", "The specified inventory item could not be found.", "INVALID_INVENTORY_ITEM")
    if quantity["locationId"] != shop.location_id:
        raise refuse("locationId", "The specified location could not be found.", "INVALID_LOCATION")
    if quantity["inventoryItemId"] in [earlier["inventoryItemId"] for earlier in asked["quantities"][:index]]:
        message = "The combination of inventoryItemId and locationId must be unique."
        raise refuse("inventoryItemId", message, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR")
    if quantity["quantity"] < 0:
        raise refuse("quantity", "The quantity can't be negative.", "INVALID_QUANTITY_NEGATIVE")
    if quantity["quantity"] > MAX_QUANTITY:
        raise refuse("quantity", "The quantity can't be higher than 1,000,000,000.", "INVALID_QUANTITY_TOO_HIGH")
    expected = quantity["changeFromQuantity"]
    if expected is not None and expected != _current(shop, listing, asked["name"]):
        message = "The changeFromQuantity argument no longer matches the persisted quantity."
        raise refuse("changeFromQuantity", message, "CHANGE_FROM_QUANTITY_STALE")
    return listing


def _group_node(shop: Shopify, group: dict[str, Any]) -> dict[str, Any]:
    def change_node(change: dict[str, Any]) -> dict[str, Any]:
        listing = shop.shelf.listings.get(change["sku"])
        item = inventory_item_node(shop, listing)
        named = {"name": change["name"], "delta": change["delta"], "quantityAfterChange": None}
        return {**named, "item": item, "location": location_node(shop)}

    return {**group, "changes": [change_node(change) for change in group["changes"]]}


# --- refundCreate -------------------------------------------------------------------------------------


def refund_order(
    shop: Shopify,
    info: GraphQLResolveInfo[Any],
    input: dict[str, Any],  # noqa: A002 - the official name
) -> dict[str, Any]:
    """refundCreate(input:) @idempotent(key:)"""
    return refund(shop, idempotency_key(info), input)


# --- fulfillmentCreate --------------------------------------------------------------------------------


def create_fulfillment(
    shop: Shopify, _info: GraphQLResolveInfo[Any], fulfillment: dict[str, Any], message: str | None = None
) -> dict[str, Any]:
    """fulfillmentCreate(fulfillment:): ships the named lines of a fulfilment order, or all that remains.

    Not idempotent, as the real one: asked twice, it refuses the second time because nothing remains.
    """
    del message  # kept by Shopify for the fulfilment service, and nothing else
    try:
        sale, taken = _to_ship(shop, fulfillment["lineItemsByFulfillmentOrder"])
    except UserErrors as refused:
        return {"fulfillment": None, "userErrors": refused.errors}
    tracking = fulfillment.get("trackingInfo") or {}
    parcel = Parcel(
        reference=str(len(sale.parcels) + 1),
        carrier=tracking.get("company") or "",
        tracking=tracking.get("number") or next(iter(tracking.get("numbers") or []), ""),
        shipped_at=shop.clock(),
        reported_at=shop.clock(),
        units=dict(sum((Counter(units) for _, units in taken), Counter())),
        url=tracking.get("url") or next(iter(tracking.get("urls") or []), ""),
    )
    for part, units in taken:
        part.units = {line_id: left - units.get(line_id, 0) for line_id, left in part.units.items()}
        part.updated_at = shop.clock()
    shop.ship(sale, parcel)
    return {"fulfillment": fulfillment_node(sale, parcel), "userErrors": []}


def _to_ship(shop: Shopify, groups: list[dict[str, Any]]) -> tuple[Sale, list[tuple[FulfilmentOrder, dict[str, int]]]]:
    """The order, and of each fulfilment order the units per line id; all must be of one order and location."""
    if not groups:
        raise _refused("At least one fulfillment order is required.")
    found = [find(shop, group["fulfillmentOrderId"]) for group in groups]
    known = [each for each in found if each]
    if len(known) < len(found):
        raise _refused("Fulfillment order does not exist.")
    if len({(sale.order_id, part.location) for sale, part in known}) > 1:
        raise _refused("All fulfillment orders must belong to the same order and location.")
    taken: list[tuple[FulfilmentOrder, dict[str, int]]] = []
    for (sale, part), group in zip(known, groups, strict=True):
        state = status(sale, part)
        if state not in ("OPEN", "IN_PROGRESS"):
            raise _refused(f"Fulfillment order has an unfulfillable status= {state.lower()}.")
        units = _units(part, group.get("fulfillmentOrderLineItems"))
        if not units or any(not 0 < asked <= part.units[line_id] for line_id, asked in units.items()):
            raise _refused("Invalid fulfillment order line item quantity requested.")
        taken.append((part, units))
    return known[0][0], taken


def _refused(message: str) -> UserErrors:
    return UserErrors(user_error(["fulfillment", "lineItemsByFulfillmentOrder"], message))


def _units(part: FulfilmentOrder, asked: list[dict[str, Any]] | None) -> dict[str, int]:
    """Units per line id that one group asks for; no list means all that remains."""
    if not asked:
        return {line_id: quantity for line_id, quantity in part.units.items() if quantity}
    line_ids = {line_gid(part, line_id): line_id for line_id in part.units}
    units: Counter[str] = Counter()
    for item in asked:
        if item["id"] not in line_ids:
            raise _refused("Fulfillment order line item does not exist.")
        units[line_ids[item["id"]]] += item["quantity"]
    return units
