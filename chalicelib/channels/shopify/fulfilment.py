"""Which fulfilment orders a parcel serves. Shopify makes, splits and moves them; what remains to ship is their word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.domain.errors import Refused

_OPEN = ("OPEN", "IN_PROGRESS", "SCHEDULED", "INCOMPLETE")


def wishes(order: Mapping[str, Any], parcel: ShipmentConfirmation) -> list[dict[str, Any]]:
    """FulfillmentInputs for a parcel: one for each location, since Shopify takes no more in one call.

    Units that a fulfilment with the same tracking number already holds are left out, and never more than remains.
    Raises `Refused` when the shop has not enough left to ship: somebody has shipped or cancelled it there.
    """
    wanted = Counter(dict(parcel.items))
    wanted.subtract(_told(order, parcel.tracking_number))
    by_location: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fulfilment_order in order["fulfillmentOrders"]["nodes"]:
        if fulfilment_order["status"] not in _OPEN:
            continue
        items = _take(fulfilment_order, wanted)
        if items:
            location = (fulfilment_order["assignedLocation"].get("location") or {}).get("id", "")
            part = {"fulfillmentOrderId": fulfilment_order["id"], "fulfillmentOrderLineItems": items}
            by_location[location].append(part)
    lacking = sum(units for units in wanted.values() if units > 0)
    if lacking:
        raise Refused(
            "nothing_left_to_ship", f"Shopify has {lacking} units fewer to ship than parcel {parcel.shipment_id}"
        )
    tracking = {"number": parcel.tracking_number, "company": parcel.carrier} if parcel.tracking_number else None
    return [
        {"lineItemsByFulfillmentOrder": parts, "notifyCustomer": True}
        | ({"trackingInfo": {name: text for name, text in tracking.items() if text}} if tracking else {})
        for parts in by_location.values()
    ]


def _take(fulfilment_order: Mapping[str, Any], wanted: Counter[str]) -> list[dict[str, Any]]:
    items = []
    for item in fulfilment_order["lineItems"]["nodes"]:
        line_id = _number(item["lineItem"]["id"])
        units = min(wanted[line_id], item["remainingQuantity"])
        if units > 0:
            wanted[line_id] -= units
            items.append({"id": item["id"], "quantity": units})
    return items


def _told(order: Mapping[str, Any], tracking_number: str) -> Counter[str]:
    """Units by line that a parcel of this tracking number already holds."""
    told: Counter[str] = Counter()
    for fulfilment in order["fulfillments"]:
        numbers = [info.get("number") for info in fulfilment["trackingInfo"]]
        if tracking_number and tracking_number in numbers and fulfilment["status"] == "SUCCESS":
            for item in fulfilment["fulfillmentLineItems"]["nodes"]:
                told[_number(item["lineItem"]["id"])] += item["quantity"] or 0
    return told


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]
