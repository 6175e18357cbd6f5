"""eBay's getOrders and getOrder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.marketplaces.ebay_errors import parse_stamp, refuse
from local.marketplaces.ebay_order_body import fulfillment_status, order_body
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

_RANGE = re.compile(r"\[([^\].]*(?:\.\d+)?Z?)\.\.([^\]]*)\]")
_FILTER = re.compile(r"(\w+):(\[[^\]]*\]|\{[^}]*\})")
_STATUS_SETS = (frozenset({"NOT_STARTED", "IN_PROGRESS"}), frozenset({"FULFILLED", "IN_PROGRESS"}))
REACH = timedelta(days=730)
DEFAULT_REACH = timedelta(days=90)
PAGE, MAX_PAGE, MAX_IDS = 50, 200, 50


def get_order(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """GET /sell/fulfillment/v1/order/{orderId}; only here are cancel requests shown."""
    with_tax = _tax_breakdown(request.query)
    sale = find_sale(market, names["order_id"])
    return json_response(200, order_body(market, sale, with_tax=with_tax, with_cancel_requests=True))


def find_sale(market: Ebay, order_id: str) -> Sale:
    """The order; refused with 404 when there is none."""
    sale = market.shelf.sales.get(order_id)
    if sale is None:
        raise refuse(404, 32100, f"Invalid order ID: {order_id}")
    return sale


def get_orders(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/fulfillment/v1/order by ids or by filter.

    How a filtered list is sorted is said nowhere: here by change, so that an order that moves shifts all behind it.
    """
    query = request.query
    with_tax = _tax_breakdown(query)
    limit, offset = _page(query)
    if "orderIds" in query:
        ids = query["orderIds"].split(",")
        if len(ids) > MAX_IDS:
            raise refuse(400, 30900, f"Exceeded maximum number of order IDs (the current limit is {MAX_IDS})")
        found = [market.shelf.sales[order_id] for order_id in ids if order_id in market.shelf.sales]
        limit, offset = MAX_IDS, 0
    else:
        found = _filtered(market, query.get("filter", ""))
    by_change = "lastmodifieddate" in query.get("filter", "")
    found.sort(key=lambda sale: (sale.updated_at if by_change else sale.placed_at, sale.number))
    page = found[offset : offset + limit]
    answer: dict[str, Any] = {
        "href": _link(market, query, limit, offset),
        "total": len(found),
        "limit": limit,
        "offset": offset,
        "orders": [order_body(market, sale, with_tax=with_tax, with_cancel_requests=False) for sale in page],
    }
    if offset + limit < len(found):
        answer["next"] = _link(market, query, limit, offset + limit)
    if offset:
        answer["prev"] = _link(market, query, limit, max(0, offset - limit))
    return json_response(200, answer)


def _link(market: Ebay, query: Mapping[str, str], limit: int, offset: int) -> str:
    fields = urlencode({**query, "limit": limit, "offset": offset})
    return f"{market.base_url}/sell/fulfillment/v1/order?{fields}"


def _tax_breakdown(query: Mapping[str, str]) -> bool:
    groups = query.get("fieldGroups", "")
    if groups not in {"", "TAX_BREAKDOWN"}:
        raise refuse(400, 32800, f"Invalid field group: {groups}")
    return bool(groups)


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    limit, offset = query.get("limit", str(PAGE)), query.get("offset", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
        raise refuse(400, 31100, f"Invalid limit: {limit}")
    if not offset.isdecimal():
        raise refuse(400, 31000, f"Invalid offset: {offset}")
    return int(limit), int(offset)


def _filtered(market: Ebay, text: str) -> list[Sale]:
    """The orders that all filters let through; without one, those of the last 90 days."""
    filters = dict(_FILTER.findall(text))
    if _FILTER.sub("", text).strip(", ") or (text and not filters):
        raise refuse(400, 30800, f"Invalid filter value {text} for filter filter")
    sales = list(market.shelf.sales.values())
    if "orderfulfillmentstatus" in filters:
        wanted = frozenset(filters["orderfulfillmentstatus"].strip("{}").split("|"))
        if wanted not in _STATUS_SETS:
            raise refuse(400, 30800, f"Invalid filter value {sorted(wanted)} for filter orderfulfillmentstatus")
        sales = [sale for sale in sales if fulfillment_status(sale) in wanted]
    if unknown := filters.keys() - {"creationdate", "lastmodifieddate", "orderfulfillmentstatus"}:
        raise refuse(400, 30700, f"Invalid filter name: {', '.join(sorted(unknown))}")
    # Of both dates, only the creation counts.
    by = "creationdate" if "creationdate" in filters else "lastmodifieddate"
    now = market.clock()
    start, end = (now - DEFAULT_REACH, now)
    if by in filters:
        start, end = _date_range(market, by, filters[by])
    elif filters == {}:
        by = "creationdate"
    return [sale for sale in sales if start <= (sale.placed_at if by == "creationdate" else sale.updated_at) <= end]


def _date_range(market: Ebay, name: str, text: str) -> tuple[Any, Any]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise refuse(400, 30800, f"Invalid filter value {text} for filter {name}")
    now = market.clock()
    if not match[1]:
        raise refuse(400, 30820, "Start date is missing")
    start, end = parse_stamp(match[1]), parse_stamp(match[2]) if match[2] else now
    if start is None or end is None:
        raise refuse(400, 30810, "Invalid date format")
    if start > now or end > now:
        raise refuse(400, 30850, "Start and end dates can't be in the future")
    if start > end:
        raise refuse(400, 30840, "Start date should be before end date")
    if end - start > REACH:
        raise refuse(400, 30830, "Time range between start date and end date must be within '2' years.")
    return start, end
