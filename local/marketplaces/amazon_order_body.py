"""An order as Amazon's Orders API 2026-01-01 shows it. Source: orders_2026-01-01.json, definition Order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import OrderNote
from local.marketplaces.amazon_life import decayed, note_of, open_units, status_of
from local.marketplaces.catalogue import asin
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import Parcel, Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon


SHIP_WITHIN = timedelta(days=2)


def stamp(moment: datetime) -> str:
    """2026-03-10T14:30:00Z"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def money(amount_minor: int, currency: str) -> dict[str, str]:
    """Money"""
    return {"amount": amount_text(amount_minor, currency), "currencyCode": currency}


def order_body(market: Amazon, sale: Sale, wanted: frozenset[str]) -> dict[str, Any]:
    """Order, with the data sets asked for. A pending order shows neither buyer, address nor amounts."""
    shown = wanted - ({"BUYER", "RECIPIENT", "PROCEEDS"} if not sale.paid else set())
    if decayed(market, sale):
        shown -= {"BUYER", "RECIPIENT"}
    body: dict[str, Any] = {
        "orderId": sale.order_id,
        "createdTime": stamp(sale.placed_at),
        "lastUpdatedTime": stamp(sale.updated_at),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": market.marketplace_id,
            "marketplaceName": market.store_name,
        },
    }
    parts: dict[str, tuple[str, Callable[[], Any]]] = {
        "BUYER": ("buyer", lambda: _buyer(sale)),
        "RECIPIENT": ("recipient", lambda: {"deliveryAddress": _address(sale)}),
        "PROCEEDS": ("proceeds", lambda: _proceeds(sale)),
        "FULFILLMENT": ("fulfillment", lambda: _fulfillment(market, sale)),
        "PACKAGES": ("packages", lambda: [_package(parcel) for parcel in sale.parcels]),
    }
    body |= {field: make() for data_set, (field, make) in parts.items() if data_set in shown}
    return body | {"orderItems": [_item(market, sale, line, shown) for line in sale.lines]}


def _buyer(sale: Sale) -> dict[str, str]:
    return {"buyerName": sale.buyer.name, "buyerEmail": f"{sale.buyer.handle}@marketplace.amazon.example"}


def _address(sale: Sale) -> dict[str, str]:
    buyer = sale.buyer
    address = {
        "name": buyer.name,
        "addressLine1": buyer.street,
        "addressLine2": buyer.street_2,
        "city": buyer.town.name,
        "stateOrRegion": buyer.town.state_code,
        "postalCode": buyer.town.postal_code,
        "countryCode": "US",
        "phone": buyer.phone,
        "addressType": "RESIDENTIAL",
    }
    return {field: value for field, value in address.items() if value}


def _breakdowns(sale: Sale, amounts_minor: dict[str, int]) -> list[dict[str, Any]]:
    """A discount is shown as a negative amount; what is nothing is not shown."""
    return [
        {"type": kind, "subtotal": money(amount, sale.currency)} for kind, amount in amounts_minor.items() if amount
    ]


def _proceeds(sale: Sale) -> dict[str, Any]:
    amounts = {
        "ITEM": sale.subtotal_minor,
        "SHIPPING": sale.shipping_minor,
        "TAX": sale.tax_minor,
        "DISCOUNT": -sale.discount_minor,
    }
    return {
        "grandTotal": money(sum(amounts.values()), sale.currency),
        "breakdowns": _breakdowns(sale, amounts),
    }


def _fulfillment(market: Amazon, sale: Sale) -> dict[str, Any]:
    ship_by, arrives = sale.placed_at + SHIP_WITHIN, sale.placed_at + timedelta(days=7)
    return {
        "fulfillmentStatus": status_of(market, sale),
        "fulfilledBy": note_of(market, sale).fulfilled_by,
        "fulfillmentServiceLevel": "STANDARD",
        "shipByWindow": {"earliestDateTime": stamp(sale.placed_at), "latestDateTime": stamp(ship_by)},
        "deliverByWindow": {"earliestDateTime": stamp(ship_by), "latestDateTime": stamp(arrives)},
    }


def _item(market: Amazon, sale: Sale, line: SoldLine, shown: frozenset[str]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "orderItemId": line.line_id,
        "quantityOrdered": line.quantity,
        "product": {
            "asin": asin(line.sku),
            "title": line.title,
            "sellerSku": line.sku,
            "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
            **({"price": {"unitPrice": money(line.unit_price_minor, sale.currency)}} if sale.paid else {}),
        },
    }
    if "PROCEEDS" in shown:
        # The whole shipping charge rides on the first line.
        shipping_minor = sale.shipping_minor if line is sale.lines[0] else 0
        amounts = {
            "ITEM": line.gross_minor,
            "SHIPPING": shipping_minor,
            "TAX": line.tax_minor,
            "DISCOUNT": -line.discount_minor,
        }
        total = money(sum(amounts.values()), sale.currency)
        item["proceeds"] = {"proceedsTotal": total, "breakdowns": _breakdowns(sale, amounts)}
    if "PROMOTION" in shown and line.discount_minor:
        item["promotion"] = {"breakdowns": [{"promotionId": sale.discount_code}]}
    if "CANCELLATION" in shown and (cancellation := _cancellation(note_of(market, sale), line)):
        item["cancellation"] = cancellation
    if "FULFILLMENT" in shown:
        left = open_units(market, sale, line)
        item["fulfillment"] = {"quantityFulfilled": sale.shipped(line.line_id), "quantityUnfulfilled": left}
    return item


def _cancellation(note: OrderNote, line: SoldLine) -> dict[str, Any]:
    """ItemCancellation: a request is not a cancellation until its execution is there."""
    cancellation: dict[str, Any] = {}
    if note.cancel_requested_at:
        cancellation["cancellationRequest"] = {"requester": "BUYER", "cancelReason": note.cancel_reason}
    if line.line_id in note.cancelled:
        by, why = note.cancelled[line.line_id]
        cancellation["cancellationExecution"] = {"cancelledBy": by, "cancelReason": why}
    return cancellation


def _package(parcel: Parcel) -> dict[str, Any]:
    return {
        "packageReferenceId": parcel.reference,
        "createdTime": stamp(parcel.reported_at),
        "packageStatus": {"status": "SHIPPED"},
        "carrier": parcel.carrier,
        "shipTime": stamp(parcel.shipped_at),
        **({"shippingService": parcel.service} if parcel.service else {}),
        "trackingNumber": parcel.tracking,
        "packageItems": [{"orderItemId": line_id, "quantity": units} for line_id, units in parcel.units.items()],
    }
