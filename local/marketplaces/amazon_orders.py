"""Amazon's Orders API 2026-01-01: searchOrders and getOrder."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_errors import choices, invalid, refuse, timestamp
from local.marketplaces.amazon_life import note_of, status_of
from local.marketplaces.amazon_order_body import order_body, stamp
from local.marketplaces.market import Route
from local.marketplaces.shelf import Sale
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
    if stores and market.marketplace_id not in stores.split(","):
        found = []
    if parties:
        found = [sale for sale in found if note_of(market, sale).fulfilled_by in parties]
    if statuses:
        found = [sale for sale in found if status_of(market, sale) in statuses]
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


ROUTES = (
    Route("GET", r"/orders/2026-01-01/orders", "searchOrders", search_orders),
    Route("GET", r"/orders/2026-01-01/orders/(?P<order_id>[^/]+)", "getOrder", get_order),
)
