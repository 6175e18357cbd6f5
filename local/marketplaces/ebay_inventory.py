"""eBay's bulkUpdatePriceQuantity: absolute values, each element judged alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_budget import spend_revision
from local.marketplaces.ebay_errors import INVENTORY, error_body, json_object, refuse
from local.marketplaces.money import amount_minor
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

MAX_ENTRIES = 25


class EntryError(Exception):
    """One element of a bulk call is refused; the others go on."""

    def __init__(self, error_id: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.error = error_body(error_id, message, "", INVENTORY)


@dataclass(frozen=True)
class Wanted:
    """What one element changes; None leaves as it is."""

    quantity: int | None
    price_minor: int | None


def bulk_update_price_quantity(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /sell/inventory/v1/bulk_update_price_quantity: absolute values, judged one by one (207 when any fails)."""
    body = json_object(request, 25709, INVENTORY)
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests or not all(isinstance(each, dict) for each in requests):
        raise refuse(400, 25709, "Invalid value for requests", domain=INVENTORY)
    entries = sum(max(1, len(each.get("offers") or [])) for each in requests)
    if len(requests) > MAX_ENTRIES or entries > MAX_ENTRIES:
        raise refuse(400, 25709, "Invalid value for requests", f"{MAX_ENTRIES} at most.", domain=INVENTORY)
    offer_ids = [
        offer.get("offerId") for each in requests for offer in each.get("offers") or [] if isinstance(offer, dict)
    ]
    if len(set(offer_ids)) < len(offer_ids):
        raise refuse(400, 25002, "Any User error.", "An offerId is named twice.", domain=INVENTORY)
    responses = [response for each in requests for response in _element(market, each)]
    failed = any(response["statusCode"] != 200 for response in responses)
    return json_response(207 if failed else 200, {"responses": responses})


def _element(market: Ebay, each: dict[str, Any]) -> list[dict[str, Any]]:
    """The responses for one SKU: one for each offer, or one for the SKU when no offer is named."""
    sku, offers = str(each.get("sku") or ""), each.get("offers") or []
    named: list[dict[str, Any]] = [{"sku": sku, "offerId": str(offer.get("offerId"))} for offer in offers] or [
        {"sku": sku}
    ]
    try:
        listing = market.shelf.listings.get(sku)
        if listing is None:
            raise EntryError(25702, f"{sku} could not be found or is not available in the system.")
        total = _total_quantity(market, each)
        if total is None and not offers:
            raise EntryError(25709, "Invalid value for shipToLocationAvailability")
        _fail_at_times(market)
        if not spend_revision(market, sku):
            raise EntryError(25002, "Any User error. The listing has been revised too often today.")
    except EntryError as refused:
        return [{**response, "statusCode": refused.status, "errors": [refused.error]} for response in named]
    if total is not None:
        listing.quantity = total
    if not offers:
        return [{**named[0], "statusCode": 200}]
    return [_offer(market, listing, offer, response) for offer, response in zip(offers, named, strict=True)]


def _fail_at_times(market: Ebay) -> None:
    """What passes when it is tried again: a system error (which calls itself REQUEST too), or two writers at once."""
    if market.die.hits(market.die.faults.partial):
        system = market.die.rng.random() < 0.5
        raise (
            EntryError(25001, "A system error has occurred.", 500)
            if system
            else EntryError(
                25025, "Concurrent access of the same Inventory object is not allowed. Please try again later."
            )
        )


def _total_quantity(market: Ebay, each: dict[str, Any]) -> int | None:
    availability = each.get("shipToLocationAvailability")
    if availability is None:
        return None
    quantity = availability.get("quantity") if isinstance(availability, dict) else None
    return _checked_quantity(market, quantity, "quantity")


def _checked_quantity(market: Ebay, quantity: object, name: str) -> int:
    if type(quantity) is not int or quantity < 0:
        raise EntryError(25709, f"Invalid value for {name}")
    if quantity == 0 and not market.out_of_stock_control:
        raise EntryError(25004, f"Invalid quantity. {name} needs a valid number greater than 0.")
    return quantity


def _offer(market: Ebay, listing: ShelfListing, offer: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    try:
        wanted = _wanted(market, listing, offer)
    except EntryError as refused:
        return {**response, "statusCode": refused.status, "errors": [refused.error]}
    if wanted.quantity is not None:
        listing.offer_quantity = wanted.quantity
    if wanted.price_minor is not None:
        listing.price_minor = wanted.price_minor
    return {**response, "statusCode": 200}


def _wanted(market: Ebay, listing: ShelfListing, offer: dict[str, Any]) -> Wanted:
    if market.sku_of_offer.get(str(offer.get("offerId"))) != listing.sku:
        raise EntryError(25713, "This Offer is not available.")
    if not listing.live:
        raise EntryError(25713, "This Offer is not available : it is not published.")
    quantity = (
        _checked_quantity(market, offer["availableQuantity"], "availableQuantity")
        if "availableQuantity" in offer
        else None
    )
    price = offer.get("price")
    if quantity is None and price is None:
        raise EntryError(25709, "Invalid value for availableQuantity")
    return Wanted(quantity, _price_minor(listing, price) if price is not None else None)


def _price_minor(listing: ShelfListing, price: Any) -> int:
    try:
        if price["currency"] != listing.currency:
            raise EntryError(25709, "Invalid value for currency")
        return amount_minor(price["value"], listing.currency)
    except (KeyError, TypeError, ValueError):
        raise EntryError(25709, "Invalid value for price") from None
