"""Amazon's Orders API 2026-01-01: searchOrders and getOrder."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_errors import choices, invalid, refuse, timestamp
from local.marketplaces.catalogue import asin
from local.marketplaces.money import amount_text
from local.marketplaces.shelf import Parcel, Sale, SoldLine
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

DATA_SETS = frozenset(
    [
        "BUYER",
        "RECIPIENT",
        "PROCEEDS",
        "EXPENSE",
        "PROMOTION",
        "CANCELLATION",
        "FULFILLMENT",
        "PACKAGES",
        "TAX",
        "PAYMENT",
        "FULFILLMENT_ORDERS",
    ]
)
STATUSES = frozenset(
    [
        "PENDING_AVAILABILITY",
        "PENDING",
        "UNSHIPPED",
        "PARTIALLY_SHIPPED",
        "SHIPPED",
        "CANCELLED",
        "UNFULFILLABLE",
    ]
)
# "at least two minutes before the time of the request" (searchOrders, lastUpdatedBefore).
FRESHNESS = timedelta(minutes=2)
PAGE_TOKEN_LIFETIME = timedelta(hours=24)
MAX_PAGE = 100


def stamp(moment: datetime) -> str:
    """2026-03-10T14:30:00Z"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fulfillment_status(sale: Sale) -> str:
    """FulfillmentStatus"""
    if sale.cancelled_at:
        return "CANCELLED"
    if not sale.paid:
        return "PENDING"
    if sale.fully_shipped:
        return "SHIPPED"
    return "PARTIALLY_SHIPPED" if sale.shipped_units else "UNSHIPPED"


# --- operations ---------------------------------------------------------------------------------------


def get_order(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """GET /orders/2026-01-01/orders/{orderId}"""
    wanted = choices(request.query.get("includedData", ""), DATA_SETS, "includedData")
    sale = market.shelf.sales.get(names["order_id"])
    if sale is None:
        raise refuse(404, "NotFound", "The requested order is not found.", names["order_id"])
    return json_response(200, {"order": order_body(market, sale, wanted)})


def search_orders(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """GET /orders/2026-01-01/orders"""
    query = request.query
    wanted = choices(query.get("includedData", ""), DATA_SETS, "includedData")
    name, after, before = _window(market, query)
    statuses = choices(query.get("fulfillmentStatuses", ""), STATUSES, "fulfillmentStatuses")
    parties = choices(query.get("fulfilledBy", ""), frozenset({"MERCHANT", "AMAZON"}), "fulfilledBy")
    stores = query.get("marketplaceIds", "")
    size = _page_size(query.get("maxResultsPerPage", str(MAX_PAGE)))
    before, offset = _continued(market, query, before)
    found = [sale for sale in market.shelf.sales.values() if after <= _moment(sale, name) <= before]
    if (stores and market.marketplace_id not in stores.split(",")) or parties == {"AMAZON"}:
        found = []
    if statuses:
        found = [sale for sale in found if fulfillment_status(sale) in statuses]
    found.sort(key=lambda sale: (_moment(sale, name), sale.number))
    page = found[offset : offset + size]
    answer: dict[str, Any] = {
        "orders": [order_body(market, sale, wanted) for sale in page],
        f"{name}Before": stamp(before),
    }
    if offset + size < len(found):
        answer["pagination"] = {"nextToken": _page_token(market, query, before, offset + size)}
    return json_response(200, answer)


def _moment(sale: Sale, name: str) -> datetime:
    return sale.placed_at if name == "created" else sale.updated_at


def _window(market: Amazon, query: Any) -> tuple[str, datetime, datetime]:
    """Which date is asked for ('created' or 'lastUpdated'), and from when to when."""
    if ("createdAfter" in query) == ("lastUpdatedAfter" in query):
        raise invalid("Exactly one of createdAfter and lastUpdatedAfter must be given.")
    name, other = ("created", "lastUpdated") if "createdAfter" in query else ("lastUpdated", "created")
    if f"{other}Before" in query:
        raise invalid(f"{other}Before may not be combined with {name}After.")
    latest = market.clock() - FRESHNESS
    after = timestamp(query[f"{name}After"], f"{name}After")
    if f"{name}Before" not in query:
        return name, after, latest
    before = timestamp(query[f"{name}Before"], f"{name}Before")
    if not after <= before <= latest:
        raise invalid(f"{name}Before must be after {name}After and at least two minutes ago.")
    return name, after, before


def _page_size(text: str) -> int:
    size = int(text) if text.isdecimal() else 0
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"maxResultsPerPage must be between 1 and {MAX_PAGE}.")
    return size


def _asked(query: Any) -> str:
    """A fingerprint of the parameters that must not change from page to page."""
    free = {"paginationToken", "maxResultsPerPage", "includedData"}
    fixed = sorted((key, value) for key, value in query.items() if key not in free)
    return hashlib.sha256(json.dumps(fixed).encode()).hexdigest()


def _page_token(market: Amazon, query: Any, before: datetime, offset: int) -> str:
    expires = market.clock() + PAGE_TOKEN_LIFETIME
    token = {
        "asked": _asked(query),
        "before": before.isoformat(),
        "offset": offset,
        "expires": expires.isoformat(),
    }
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


def _continued(market: Amazon, query: Any, before: datetime) -> tuple[datetime, int]:
    """Where a page token continues: the first page's upper limit, and how many orders have been read."""
    if "paginationToken" not in query:
        return before, 0
    try:
        token = json.loads(base64.urlsafe_b64decode(query["paginationToken"]))
        continued = datetime.fromisoformat(token["before"]), int(token["offset"])
        expired = datetime.fromisoformat(token["expires"]) < market.clock()
    except (ValueError, KeyError, TypeError):
        raise invalid("paginationToken is not valid.") from None
    if expired or token["asked"] != _asked(query):
        raise invalid("paginationToken has expired, or belongs to other parameters.")
    return continued


# --- the order ----------------------------------------------------------------------------------------


def money(amount_minor: int, currency: str) -> dict[str, str]:
    """Money"""
    return {"amount": amount_text(amount_minor, currency), "currencyCode": currency}


def order_body(market: Amazon, sale: Sale, wanted: frozenset[str]) -> dict[str, Any]:
    """Order, with the data sets asked for. A pending order shows neither buyer, address nor amounts."""
    shown = wanted - ({"BUYER", "RECIPIENT", "PROCEEDS"} if not sale.paid else set())
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
        "FULFILLMENT": ("fulfillment", lambda: _fulfillment(sale)),
        "PACKAGES": ("packages", lambda: [_package(parcel) for parcel in sale.parcels]),
    }
    body |= {field: make() for data_set, (field, make) in parts.items() if data_set in shown}
    return body | {"orderItems": [_item(sale, line, shown) for line in sale.lines]}


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


def _fulfillment(sale: Sale) -> dict[str, Any]:
    ship_by, arrives = sale.placed_at + timedelta(days=2), sale.placed_at + timedelta(days=7)
    return {
        "fulfillmentStatus": fulfillment_status(sale),
        "fulfilledBy": "MERCHANT",
        "fulfillmentServiceLevel": "STANDARD",
        "shipByWindow": {"earliestDateTime": stamp(sale.placed_at), "latestDateTime": stamp(ship_by)},
        "deliverByWindow": {"earliestDateTime": stamp(ship_by), "latestDateTime": stamp(arrives)},
    }


def _item(sale: Sale, line: SoldLine, shown: frozenset[str]) -> dict[str, Any]:
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
    if "CANCELLATION" in shown and sale.cancelled_at:
        who, why = ("BUYER", "BUYER_CANCELED") if sale.paid else ("AMAZON", "PAYMENT_NOT_AUTHORIZED")
        item["cancellation"] = {"cancellationExecution": {"cancelledBy": who, "cancelReason": why}}
    if "FULFILLMENT" in shown:
        left = sale.open_units(line.line_id)
        item["fulfillment"] = {"quantityFulfilled": sale.shipped(line.line_id), "quantityUnfulfilled": left}
    return item


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
