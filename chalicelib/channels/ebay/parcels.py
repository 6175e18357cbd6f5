"""Shipping fulfilments: one for each parcel, made and read, never changed. Source: sell_fulfillment_v1_oas3.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.channels.port import ShipmentConfirmation

# Names by which sellers call carriers (letters and digits only) and eBay's code where it is spelt differently.
# Source: Trading API, ShippingCarrierCodeType.
_CARRIERS = {
    "usps": "USPS",
    "ups": "UPS",
    "fedex": "FedEx",
    "dhl": "DHL",
    "dhlexpress": "DHLEXPRESS",
    "dpd": "DPD",
    "gls": "GLS",
    "hermes": "Hermes",
    "deutschepost": "DeutschePost",
    "royalmail": "RoyalMail",
    "parcelforce": "ParcelForce",
    "tnt": "TNT",
}


def stamp(unix_ms: int) -> str:
    """2026-09-23T08:06:35.000Z"""
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03d}Z"


def fulfilment_of(parcel: ShipmentConfirmation, now_ms: int) -> dict[str, Any]:
    """The body that tells of a parcel. eBay takes carrier and tracking number together or not at all, no date in the
    future, and letters and digits only in a tracking number."""
    body: dict[str, Any] = {
        "lineItems": [{"lineItemId": line_id, "quantity": units} for line_id, units in parcel.items],
        "shippedDate": stamp(min(parcel.shipped_ms, now_ms)),
    }
    tracking, carrier = _alphanumeric(parcel.tracking_number), parcel.carrier.strip()
    if tracking and carrier:
        known = _CARRIERS.get(_alphanumeric(carrier).lower(), carrier)
        body |= {"shippingCarrierCode": known, "trackingNumber": tracking}
    return body


def is_told(body: Mapping[str, Any], fulfilments: Sequence[Any]) -> bool:
    """Whether one of eBay's fulfilments is this parcel: the same tracking number over the same lines, or without one
    the same units at the same second."""
    return any(_fits(body, found) for found in fulfilments if isinstance(found, dict))


def _fits(body: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    ours, theirs = _units(body), _units(found)
    if "trackingNumber" in body:
        number = _alphanumeric(str(found.get("shipmentTrackingNumber") or ""))
        return number.casefold() == body["trackingNumber"].casefold() and ours.keys() <= theirs.keys()
    same_second = str(found.get("shippedDate"))[:19] == body["shippedDate"][:19]
    return not found.get("shipmentTrackingNumber") and ours == theirs and same_second


def _units(fulfilment: Mapping[str, Any]) -> dict[str, int]:
    items = [item for item in fulfilment.get("lineItems") or [] if isinstance(item, dict)]
    return {str(item.get("lineItemId")): item.get("quantity", 0) for item in items}


def _alphanumeric(text: str) -> str:
    return "".join(character for character in text if character.isascii() and character.isalnum())
