"""Amazon's confirmShipment (Orders v0, the only version that has it)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_errors import invalid, json_object, refuse, timestamp
from local.marketplaces.amazon_life import note_of, open_units, status_of
from local.marketplaces.market import Route
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.wire import Request, Response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon


def confirm_shipment(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """POST /orders/v0/orders/{orderId}/shipmentConfirmation -> 204.

    One call is one parcel; a packageReferenceId sent before edits that parcel.
    """
    body = json_object(request)
    sale = market.shelf.sales.get(names["order_id"])
    if sale is None:
        raise refuse(404, "NotFound", "The requested order is not found.", names["order_id"])
    if body.get("marketplaceId") != market.marketplace_id:
        raise invalid("marketplaceId is missing, or not the order's.")
    detail = body.get("packageDetail")
    if not isinstance(detail, dict):
        raise invalid("packageDetail is required.")
    parcel = _parcel(market, sale, detail)
    _check_units(market, sale, parcel)
    market.ship(sale, parcel)
    return Response(204)


def _parcel(market: Amazon, sale: Sale, detail: dict[str, Any]) -> Parcel:
    reference = _text(detail, "packageReferenceId")
    if not reference.isdecimal() or int(reference) == 0:
        raise invalid("packageReferenceId must be a positive number.")
    carrier = _text(detail, "carrierCode")
    if carrier == "Other":
        carrier = _text(detail, "carrierName")
    return Parcel(
        reference=reference,
        carrier=carrier,
        tracking=_text(detail, "trackingNumber"),
        shipped_at=timestamp(detail.get("shipDate"), "shipDate"),
        reported_at=market.clock(),
        units=_units(sale, detail.get("orderItems")),
        service=str(detail.get("shippingMethod") or ""),
    )


def _text(detail: dict[str, Any], name: str) -> str:
    value = detail.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"packageDetail.{name} is required.")
    return value


def _units(sale: Sale, items: object) -> dict[str, int]:
    """Units per order item."""
    if not isinstance(items, list) or not items:
        raise invalid("packageDetail.orderItems is required.")
    units: dict[str, int] = {}
    for item in items:
        line_id, quantity = (item.get("orderItemId"), item.get("quantity")) if isinstance(item, dict) else (None, None)
        if not isinstance(line_id, str) or sale.line(line_id) is None:
            raise invalid("orderItemId is not of this order.")
        if type(quantity) is not int or quantity < 1:
            raise invalid("quantity must be a positive integer.")
        units[line_id] = units.get(line_id, 0) + quantity
    return units


def _check_units(market: Amazon, sale: Sale, parcel: Parcel) -> None:
    """The order must be the seller's and ready to ship, and no more may leave than was ordered."""
    status, note = status_of(market, sale), note_of(market, sale)
    if status in {"PENDING", "PENDING_AVAILABILITY", "CANCELLED", "UNFULFILLABLE"}:
        raise invalid(f"The order is {status}.")
    if note.fulfilled_by == "AMAZON" or note.amazon_label:
        raise invalid("Amazon knows of this order's shipment already.")
    replaced = next((earlier for earlier in sale.parcels if earlier.reference == parcel.reference), None)
    for line in sale.lines:
        freed = replaced.units.get(line.line_id, 0) if replaced else 0
        if parcel.units.get(line.line_id, 0) > open_units(market, sale, line) + freed:
            raise invalid(f"More units of {line.line_id} than were ordered.")


ROUTES = (
    Route("POST", r"/orders/v0/orders/(?P<order_id>[^/]+)/shipmentConfirmation", "confirmShipment", confirm_shipment),
)
