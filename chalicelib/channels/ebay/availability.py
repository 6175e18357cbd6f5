"""bulkUpdatePriceQuantity: absolute quantities, judged one by one. Source: sell_inventory_v1_oas3.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.channels.port import Availability
from chalicelib.domain.errors import Busy, HeadraceError, Refused

MOST_ENTRIES = 25
_PASSING = {25001, 25025, 30500}  # system error, concurrent access, system error


def request_of(wanted: Availability) -> dict[str, Any]:
    """One element. A buyer sees the smaller of the item's and its offer's quantity, so both are set."""
    request: dict[str, Any] = {
        "sku": wanted.channel_sku,
        "shipToLocationAvailability": {"quantity": wanted.quantity},
    }
    if offer_id := wanted.refs.get("offer_id"):
        request["offers"] = [{"offerId": offer_id, "availableQuantity": wanted.quantity}]
    return request


def outcome_of(wanted: Availability, responses: Sequence[dict[str, Any]]) -> HeadraceError | None:
    """None when every answer about this listing is a success; no answer at all is none."""
    offer_id = wanted.refs.get("offer_id")
    own = [
        response
        for response in responses
        if response.get("sku") == wanted.channel_sku and response.get("offerId") in (None, "", offer_id)
    ]
    if not own:
        return Busy(f"eBay did not say what became of {wanted.channel_sku}", after_s=30)
    return next((trouble for trouble in map(_trouble, own) if trouble), None)


def _trouble(response: dict[str, Any]) -> HeadraceError | None:
    status = int(response.get("statusCode") or 0)
    if 200 <= status < 300:
        return None
    codes = [error.get("errorId") for error in response.get("errors") or []]
    told = f"eBay answered {status} for {response.get('sku')}: {', '.join(map(str, codes)) or 'no error id'}"
    if status >= 500 or status == 429 or _PASSING.intersection(codes):
        return Busy(told, after_s=10)
    return Refused("channel_refused", told)
