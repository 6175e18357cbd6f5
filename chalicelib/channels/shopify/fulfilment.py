"""Which fulfilment orders a parcel serves. Shopify makes, splits and moves them; what remains to ship is their word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.channels.fields import Node
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.shopify.standing import OVER, obstacle
from chalicelib.channels.shopify.wire import number
from chalicelib.domain.channel_order import Problem
from chalicelib.domain.errors import Refused

_NOTHING_LEFT = Problem("nothing_left_to_ship", "Shopify has too little left to ship")
_MOST_INPUTS = 250  # Source: shopify.dev, API rate limits: input arrays


def wishes(
    parcels: Sequence[Node], fulfilment_orders: Iterable[Node], parcel: ShipmentConfirmation
) -> list[dict[str, Any]]:
    """FulfillmentInputs for a parcel: Shopify takes one location and 250 lines in one call. [] when it is told already.

    `parcels` are what the shop has shipped, `fulfilment_orders` what it has to ship, long ones in several parts. Units
    that a fulfilment with the same tracking number already holds are left out, and never more than remains.
    Raises `Refused` when the shop has not enough left to ship: somebody has shipped or cancelled it there, or what is
    left is held, scheduled for later, or for a fulfilment service to ship (`standing.REASONS`).
    """
    wanted = Counter(dict(parcel.items))
    wanted.subtract(_told(parcels, parcel))
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = {}
    in_the_way: list[tuple[Problem, Node]] = []
    for fulfilment_order in fulfilment_orders:
        if problem := obstacle(fulfilment_order):
            in_the_way.append((problem, fulfilment_order))
        elif fulfilment_order.text("status") not in OVER and (items := _take(fulfilment_order, wanted)):
            location = fulfilment_order.at("assignedLocation").at("location").text("id")
            by_place.setdefault((location, fulfilment_order.identity("id")), []).extend(items)
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


def _take(fulfilment_order: Node, wanted: Counter[str]) -> list[dict[str, Any]]:
    items = []
    for item in fulfilment_order.at("lineItems").listed("nodes"):
        line_id = number(item.at("lineItem").text("id"))
        units = min(wanted[line_id], item.whole("remainingQuantity"))
        if units > 0:
            wanted[line_id] -= units
            items.append({"id": item.identity("id"), "quantity": units})
    return items


def _told(parcels: Sequence[Node], parcel: ShipmentConfirmation) -> Counter[str]:
    """Units by line that a parcel of this tracking number already holds."""
    told: Counter[str] = Counter()
    for found in parcels:
        if parcel.tracking_number and parcel.tracking_number in _numbers(found) and _has_left(found):
            told.update(_units(found, parcel))
    return told


def _is_told_without_number(parcels: Sequence[Node], parcel: ShipmentConfirmation, lacking: int) -> bool:
    """Without a tracking number only its units tell a parcel, and another of the order may have the same. They are told
    in sequence: the shop has this one when it has as many parcels, or too little left to ship it once more."""
    left = [found for found in parcels if _has_left(found)]
    alike = [found for found in left if not _numbers(found) and _units(found, parcel) == dict(parcel.items)]
    return not parcel.tracking_number and bool(alike) and (lacking > 0 or len(left) >= parcel.sequence)


def _has_left(found: Node) -> bool:
    return found.text("status") == "SUCCESS"


def _numbers(found: Node) -> list[str]:
    """As they were sent: with a space more or less it would be another parcel."""
    told = [info.at("number").value for info in found.each("trackingInfo")]
    return [text for text in told if isinstance(text, str) and text]


def _units(found: Node, parcel: ShipmentConfirmation) -> Counter[str]:
    """Units by line. Shopify need not tell how many: then it is as many as are in our parcel."""
    ours, units = dict(parcel.items), Counter[str]()
    for item in found.at("fulfillmentLineItems").listed("nodes"):
        line_id = number(item.at("lineItem").text("id"))
        units[line_id] += item.whole("quantity", ours.get(line_id, 0))
    return units
