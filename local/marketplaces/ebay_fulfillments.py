"""eBay's shipping fulfilments: one for each parcel; they can be made and read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_errors import FULFILLMENT, json_object, parse_stamp, refuse, stamp
from local.marketplaces.ebay_orders import find_sale
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

# The id of a parcel without tracking: "an arbitrary number such as 999" (ShippingFulfillmentDetails).
UNTRACKED = 999


def create(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """POST …/order/{orderId}/shipping_fulfillment -> 201, empty body, Location.

    There is no idempotency: a tracking number sent twice is refused with 34500, whose message names a PUT
    that does not exist.
    """
    sale = find_sale(market, names["order_id"])
    body = json_object(request, 32600, FULFILLMENT)
    units = _units(sale, body.get("lineItems"))
    reference, carrier, tracking = _tracking(sale, body)
    if sale.cancelled_at or any(quantity > sale.open_units(line_id) for line_id, quantity in units.items()):
        raise refuse(400, 32600, "Invalid input data", "More units than are left to ship.")
    shipped_at = parse_stamp(body["shippedDate"]) if "shippedDate" in body else market.clock()
    if shipped_at is None or shipped_at > market.clock():
        raise refuse(400, 32500, "Invalid shipped date")
    market.ship(sale, Parcel(reference, carrier, tracking, shipped_at, market.clock(), units))
    path = f"/sell/fulfillment/v1/order/{sale.order_id}/shipping_fulfillment/{reference}"
    return Response(201, {"Location": f"{market.base_url}{path}"})


def get_all(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET …/order/{orderId}/shipping_fulfillment"""
    sale = find_sale(market, names["order_id"])
    return json_response(200, {"total": len(sale.parcels), "fulfillments": [_body(parcel) for parcel in sale.parcels]})


def get_one(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET …/order/{orderId}/shipping_fulfillment/{fulfillmentId}"""
    sale = find_sale(market, names["order_id"])
    for parcel in sale.parcels:
        if parcel.reference == names["fulfillment_id"]:
            return json_response(200, _body(parcel))
    raise refuse(404, 32110, f"Invalid shipping fulfillment ID: {names['fulfillment_id']}")


def _units(sale: Sale, items: object) -> dict[str, int]:
    """Units per line item."""
    if not isinstance(items, list) or not items:
        raise refuse(400, 32600, "Invalid input data", "lineItems is required.")
    units: dict[str, int] = {}
    for item in items:
        line_id, quantity = (item.get("lineItemId"), item.get("quantity")) if isinstance(item, dict) else (None, None)
        if not isinstance(line_id, str) or sale.line(line_id) is None:
            raise refuse(400, 32200, f"Invalid line item id: {line_id}")
        if line_id in units:
            raise refuse(400, 32210, "Duplicate line item in the request")
        if type(quantity) is not int or quantity < 1:
            raise refuse(400, 32600, "Invalid input data", "quantity must be a positive integer.")
        units[line_id] = quantity
    return units


def _tracking(sale: Sale, body: dict[str, Any]) -> tuple[str, str, str]:
    """The fulfilment's id, carrier and tracking number; the last two come together or not at all."""
    carrier, tracking = body.get("shippingCarrierCode", ""), body.get("trackingNumber", "")
    if not isinstance(carrier, str) or not isinstance(tracking, str) or bool(carrier) != bool(tracking):
        raise refuse(400, 32300, "Invalid shipment tracking number or carrier")
    taken = [parcel.reference for parcel in sale.parcels]
    if not tracking:
        return str(UNTRACKED + sum(not parcel.tracking for parcel in sale.parcels)), "", ""
    if not (tracking.isascii() and tracking.isalnum()):
        raise refuse(400, 32300, "Invalid shipment tracking number or carrier", "Alphanumeric characters only.")
    if tracking in taken:
        raise refuse(400, 34500, "Please use PUT operation for updating shipping fulfillment")
    return tracking, carrier, tracking


def _body(parcel: Parcel) -> dict[str, Any]:
    tracked = (
        {"shipmentTrackingNumber": parcel.tracking, "shippingCarrierCode": parcel.carrier} if parcel.tracking else {}
    )
    return {
        "fulfillmentId": parcel.reference,
        **tracked,
        "shippedDate": stamp(parcel.shipped_at),
        "lineItems": [{"lineItemId": line_id, "quantity": units} for line_id, units in parcel.units.items()],
    }
