"""bulkUpdatePriceQuantity: absolute quantities and prices, judged one by one. Source: sell_inventory_v1_oas3.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.channels.ebay.answers import Declined, errors_of
from chalicelib.channels.port import Availability, Price
from chalicelib.domain.errors import Busy, HeadraceError, OverBudget
from chalicelib.domain.money import to_text

BULK = "/sell/inventory/v1/bulk_update_price_quantity"
MOST_ENTRIES = 25
NOT_ABOVE_ZERO = 25004  # a quantity of 0 without out-of-stock control
_PASSING = {25001, 25025, 30500}  # system error, concurrent access, system error
_DIGITS = 3  # of an HTTP status
_DAY_MS = 86_400_000
_PACIFIC_MS = 8 * 3_600_000  # in summer an hour late, which does no harm


def request_of(wanted: Availability, item_quantity: int | None = None) -> dict[str, Any]:
    """One element. A buyer sees the smaller of the item's and its offer's quantity, so both are set; an item with
    several offers has an `item_quantity` that holds none of them down."""
    quantity = wanted.quantity if item_quantity is None else item_quantity
    request: dict[str, Any] = {"sku": wanted.channel_sku, "shipToLocationAvailability": {"quantity": quantity}}
    if offer_id := wanted.refs.get("offer_id"):
        request["offers"] = [{"offerId": offer_id, "availableQuantity": wanted.quantity}]
    return request


def item_quantities(wanted: Sequence[Availability]) -> dict[str, int]:
    """SKU -> the most that any of its offers shall show; an item without a known offer shows its own quantity to
    everybody, and has none."""
    alone = {each.channel_sku for each in wanted if not each.refs.get("offer_id")}
    most: dict[str, int] = {}
    for each in wanted:
        if each.channel_sku not in alone:
            most[each.channel_sku] = max(each.quantity, most.get(each.channel_sku, 0))
    return most


def price_request_of(wanted: Price) -> dict[str, Any]:
    """One element; the quantity stays as it is. A price belongs to an offer, so its id is needed."""
    price = {"value": to_text(wanted.price_minor, wanted.currency), "currency": wanted.currency}
    return {"sku": wanted.channel_sku, "offers": [{"offerId": wanted.refs["offer_id"], "price": price}]}


def outcome_of(
    channel_sku: str, refs: Mapping[str, str], responses: Sequence[Any], now_ms: int
) -> HeadraceError | None:
    """None when every answer about this listing is a success; no answer at all is none, nor is one of the item where
    the listing has an offer (offerId is missing for a call about an item alone)."""
    offer_id = str(refs.get("offer_id") or "")
    own = [each for each in responses if isinstance(each, dict) and _is_about(each, channel_sku, offer_id)]
    if trouble := next((found for each in own if (found := _trouble(each, now_ms))), None):
        return trouble
    if not own or (offer_id and not any(_text(each, "offerId") for each in own)):
        return Busy(f"eBay did not say what became of {channel_sku}", after_s=30)
    return None


def _is_about(response: Mapping[str, Any], channel_sku: str, offer_id: str) -> bool:
    sku, offer = _text(response, "sku"), _text(response, "offerId")
    return sku in (channel_sku, "" if offer else channel_sku) and offer in ("", offer_id)


def _text(response: Mapping[str, Any], name: str) -> str:
    value = response.get(name)
    return "" if value is None else str(value)


def until_tomorrow_s(now_ms: int) -> int:
    """Seconds to the next day as eBay counts them: from midnight to midnight, Pacific time."""
    return (_DAY_MS - (now_ms - _PACIFIC_MS) % _DAY_MS) // 1000 + 1


def _trouble(response: Mapping[str, Any], now_ms: int) -> HeadraceError | None:
    stated = _text(response, "statusCode")
    status = int(stated) if stated.isdecimal() and len(stated) == _DIGITS else 0
    if 200 <= status < 300:
        return None
    codes, passing = errors_of(response)
    if not status and not codes:
        return Busy(f"eBay did not say how it went with {response.get('sku')}", after_s=30)
    told = f"eBay answered {status} for {response.get('sku')}: {', '.join(map(str, codes)) or 'no error id'}"
    if passing or status >= 500 or status == 429 or _PASSING.intersection(codes):
        return Busy(told, after_s=10)
    if _revised_too_often(response):
        return OverBudget(f"{told} (revised too often today)", after_s=until_tomorrow_s(now_ms))
    return Declined(status, codes, told)


def _revised_too_often(response: Mapping[str, Any]) -> bool:
    """A listing may be revised 250 times a day. No error id of its own says so, only the message of a general one."""
    texts = [
        f"{error.get('message')} {error.get('longMessage')}".lower()
        for error in response.get("errors") or []
        if isinstance(error, dict)
    ]
    return any("revis" in text and ("too often" in text or "limit" in text or "maximum" in text) for text in texts)
