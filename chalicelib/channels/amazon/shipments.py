"""Telling Amazon that a parcel has left. Source: confirmShipment in ordersV0.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.carriers import carrier_fields
from chalicelib.channels.amazon.wire import Wire, having, iso
from chalicelib.channels.fields import Node
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.domain.errors import Refused, Unreadable


def confirm_shipment(wire: Wire, external_id: str, parcel: ShipmentConfirmation) -> None:
    """Confirm one parcel. The same number again edits the same package; where Amazon refuses that, the order is read,
    and a package of the same tracking number and the same units counts as confirmed.

    The model requires a tracking number. None is made up: the buyer would follow it to nothing, and it would count
    against the seller's valid tracking rate; a person confirms such a parcel on Amazon, whose update tells us.
    """
    tracking = parcel.tracking_number.strip()
    if not tracking:
        remedy = "give its tracking number, or confirm it in Seller Central"
        raise Refused("tracking_missing", f"parcel {parcel.shipment_id}: Amazon takes no parcel without one: {remedy}")
    detail: dict[str, Any] = {
        "packageReferenceId": str(parcel.sequence),
        **carrier_fields(parcel.carrier),
        "trackingNumber": tracking,
        "shipDate": iso(parcel.shipped_ms),
        "orderItems": [{"orderItemId": line_id, "quantity": units} for line_id, units in _units(parcel).items()],
    }
    body = {"marketplaceId": wire.marketplace_id, "packageDetail": detail}
    path = f"/orders/v0/orders/{quote(external_id, safe='')}/shipmentConfirmation"
    try:
        wire.call("confirmShipment", "POST", path, body)
    except Refused as refused:
        if refused.reason != "channel_refused" or not _is_confirmed(wire, external_id, parcel):
            raise


def _is_confirmed(wire: Wire, external_id: str, parcel: ShipmentConfirmation) -> bool:
    query = urlencode({"includedData": "FULFILLMENT,PACKAGES"})
    path = f"/orders/2026-01-01/orders/{quote(external_id, safe='')}?{query}"
    try:
        order = Node(having(wire.call("getOrder", "GET", path), "order")["order"], "order")
        packages = [_package(package) for package in order.each("packages")]
    except Refused:  # no such order, or none that can be read: the first refusal says more
        return False
    return (_folded(parcel.tracking_number), _units(parcel)) in packages


def _units(parcel: ShipmentConfirmation) -> dict[str, int]:
    """The units of each line in the parcel, without lines of which it holds none."""
    found: Counter[str] = Counter()
    for line_id, units in parcel.items:
        found[line_id] += units
    return {line_id: units for line_id, units in found.items() if units > 0}


def _folded(tracking: str) -> str:
    return "".join(tracking.split()).upper()


def _package(package: Node) -> tuple[str, Mapping[str, int]]:
    try:
        items = {item.identity("orderItemId"): item.whole("quantity") for item in package.each("packageItems")}
    except Unreadable:
        items = {}
    return _folded(package.text("trackingNumber")), items
