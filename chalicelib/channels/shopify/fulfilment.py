"""Which fulfilment orders a parcel serves. Shopify makes, splits and moves them; what remains to ship is their word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.fields import Node
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.shopify.standing import OVER, obstacle
from chalicelib.domain.channel_order import Problem
from chalicelib.domain.errors import Refused

_NOTHING_LEFT = Problem("nothing_left_to_ship", "Shopify has too little left to ship")
_MOST_INPUTS = 250  # Source: shopify.dev, API rate limits: input arrays


def wishes(
    parcels: Sequence[Mapping[str, Any]], fulfilment_orders: Iterable[Mapping[str, Any]], parcel: ShipmentConfirmation
) -> list[dict[str, Any]]:
    """FulfillmentInputs for a parcel: Shopify takes one location and 250 lines in one call. [] when it is told already.

    `parcels` are what the shop has shipped, `fulfilment_orders` what it has to ship, long ones in several parts. Units
    that a fulfilment with the same tracking number already holds are left out, and never more than remains.
    Raises `Refused` when the shop has not enough left to ship: somebody has shipped or cancelled it there, or what is
    left is held, scheduled for later, or for a fulfilment service to ship (`standing.REASONS`).
    """
    wanted = Counter(dict(parcel.items))
    wanted.subtract(_told(parcels, parcel.tracking_number))
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = {}
    in_the_way: list[tuple[Problem, Mapping[str, Any]]] = []
    for fulfilment_order in fulfilment_orders:
        if problem := obstacle(Node(fulfilment_order)):
            in_the_way.append((problem, fulfilment_order))
        elif fulfilment_order["status"] not in OVER and (items := _take(fulfilment_order, wanted)):
            location = (fulfilment_order["assignedLocation"].get("location") or {}).get("id", "")
            by_place.setdefault((location, fulfilment_order["id"]), []).extend(items)
    lacking = sum(units for units in wanted.values() if units > 0)
    if _is_told_without_number(parcels, parcel, lacking):
        return []
    if lacking:
        problem = next((problem for problem, blocked in in_the_way if _take(blocked, wanted)), _NOTHING_LEFT)
        raise Refused(problem.reason, f"{problem.detail} ({lacking} units of parcel {parcel.shipment_id})")
    tracking = {"number": parcel.tracking_number, "company": parcel.carrier} if parcel.tracking_number else {}
    told = {"trackingInfo": {name: text for name, text in tracking.items() if text}} if tracking else {}
    return [{"lineItemsByFulfillmentOrder": parts, "notifyCustomer": True} | told for parts in _calls(by_place)]


def _calls(by_place: Mapping[tuple[str, str], list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """The parts of each call: the fulfilment orders of one location together, as long as they are short."""
    by_location: dict[str, list[dict[str, Any]]] = {}
    for (location, fulfilment_order_id), items in by_place.items():
        for start in range(0, len(items), _MOST_INPUTS):
            chunk = items[start : start + _MOST_INPUTS]
            part = {"fulfillmentOrderId": fulfilment_order_id, "fulfillmentOrderLineItems": chunk}
            if len(items) > _MOST_INPUTS:
                yield [part]
            else:
                by_location.setdefault(location, []).append(part)
    yield from by_location.values()


def _take(fulfilment_order: Mapping[str, Any], wanted: Counter[str]) -> list[dict[str, Any]]:
    items = []
    for item in fulfilment_order["lineItems"]["nodes"]:
        line_id = _number(item["lineItem"]["id"])
        units = min(wanted[line_id], item["remainingQuantity"])
        if units > 0:
            wanted[line_id] -= units
            items.append({"id": item["id"], "quantity": units})
    return items


def _told(parcels: Sequence[Mapping[str, Any]], tracking_number: str) -> Counter[str]:
    """Units by line that a parcel of this tracking number already holds."""
    told: Counter[str] = Counter()
    for parcel in parcels:
        if tracking_number and tracking_number in _numbers(parcel) and parcel["status"] == "SUCCESS":
            told.update(_units(parcel))
    return told


def _is_told_without_number(parcels: Sequence[Mapping[str, Any]], parcel: ShipmentConfirmation, lacking: int) -> bool:
    """Without a tracking number only its units tell a parcel, and another of the order may have the same. They are told
    in sequence: the shop has this one when it has as many parcels, or too little left to ship it once more."""
    left = [found for found in parcels if found["status"] == "SUCCESS"]
    alike = [found for found in left if not _numbers(found) and _units(found) == dict(parcel.items)]
    return not parcel.tracking_number and bool(alike) and (lacking > 0 or len(left) >= parcel.sequence)


def _numbers(parcel: Mapping[str, Any]) -> list[str]:
    return [info["number"] for info in parcel["trackingInfo"] if info.get("number")]


def _units(parcel: Mapping[str, Any]) -> Counter[str]:
    units: Counter[str] = Counter()
    for item in parcel["fulfillmentLineItems"]["nodes"]:
        units[_number(item["lineItem"]["id"])] += item["quantity"] or 0
    return units


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]
