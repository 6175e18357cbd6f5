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
_DAY_MS = 86_400_000
_PACIFIC_MS = 8 * 3_600_000  # in summer an hour late, which does no harm


def request_of(wanted: Availability) -> dict[str, Any]:
    """One element. A buyer sees the smaller of the item's and its offer's quantity, so both are set."""
    request: dict[str, Any] = {
        "sku": wanted.channel_sku,
        "shipToLocationAvailability": {"quantity": wanted.quantity},
    }
    if offer_id := wanted.refs.get("offer_id"):
        request["offers"] = [{"offerId": offer_id, "availableQuantity": wanted.quantity}]
    return request


def price_request_of(wanted: Price) -> dict[str, Any]:
    """One element; the quantity stays as it is. A price belongs to an offer, so its id is needed."""
    price = {"value": to_text(wanted.price_minor, wanted.currency), "currency": wanted.currency}
    return {"sku": wanted.channel_sku, "offers": [{"offerId": wanted.refs["offer_id"], "price": price}]}


def outcome_of(
    channel_sku: str, refs: Mapping[str, str], responses: Sequence[Any], now_ms: int
) -> HeadraceError | None:
    """None when every answer about this listing is a success; no answer at all is none."""
    offer_id = refs.get("offer_id")
    own = [
        response
        for response in responses
        if isinstance(response, dict)
        and response.get("sku") == channel_sku
        and response.get("offerId") in (None, "", offer_id)
    ]
    if not own:
        return Busy(f"eBay did not say what became of {channel_sku}", after_s=30)
    return next((trouble for response in own if (trouble := _trouble(response, now_ms))), None)


def until_tomorrow_s(now_ms: int) -> int:
    """Seconds to the next day as eBay counts them: from midnight to midnight, Pacific time."""
    return (_DAY_MS - (now_ms - _PACIFIC_MS) % _DAY_MS) // 1000 + 1


def _trouble(response: Mapping[str, Any], now_ms: int) -> HeadraceError | None:
    status = response.get("statusCode")
    status = status if isinstance(status, int) else 0
    if 200 <= status < 300:
        return None
    codes, passing = errors_of(response)
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
