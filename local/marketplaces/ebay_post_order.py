"""What eBay's Post-Order v2 operations share: dates and amounts as objects, its own error shape, pages.

Sources: hendt/ebay-api specs (paths), developer.ebay.com/Devzone/post-order/types (field names and enum values).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_errors import parse_stamp, stamp
from local.marketplaces.money import minor_digits
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import RefusalError, Request, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

PAGE, MAX_PAGE = 25, 200


def no(status: int, error_id: int, message: str) -> RefusalError:
    """{"errorMessage": {"error": [...]}}"""
    error: dict[str, Any] = {
        "errorId": error_id,
        "domain": "returnErrorDomain" if 1700 <= error_id < 1800 else "cancelErrorDomain",
        "severity": "ERROR",
        "category": "REQUEST",
        "message": message,
        "parameter": [],
        "longMessage": message,
        "httpStatusCode": status,
    }
    return RefusalError(json_response(status, {"errorMessage": {"error": [error]}}))


def body_of(request: Request, error_id: int) -> dict[str, Any]:
    """The JSON object sent; an empty body is refused, `{}` is not."""
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise no(400, error_id, "A JSON body is expected.")
    return body


def date_value(moment: datetime) -> dict[str, str]:
    """DateTime"""
    return {"value": stamp(moment)}


def money(amount_minor: int, currency: str) -> dict[str, Any]:
    """Amount: here the value is a number."""
    return {"value": amount_minor / 10 ** minor_digits(currency), "currency": currency}


def sale_named(market: Ebay, order_id: object, error_id: int) -> Sale:
    """The order; refused with 404 when there is none."""
    sale = market.shelf.sales.get(str(order_id))
    if sale is None:
        raise no(404, error_id, "The order was not found.")
    return sale


def between(request: Request, at: datetime) -> bool:
    """True when the search's range of creation dates has `at` in it."""
    start = parse_stamp(request.query.get("creation_date_range_from"))
    end = parse_stamp(request.query.get("creation_date_range_to"))
    return (start is None or start <= at) and (end is None or at <= end)


def paged(request: Request, name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of a search; `offset` counts items."""
    limit, offset = request.query.get("limit", str(PAGE)), request.query.get("offset", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE or not offset.isdecimal():
        raise no(400, 1603, "Invalid pagination.")
    size, first = int(limit), int(offset)
    pages = {
        "limit": size,
        "offset": first,
        "totalEntries": len(items),
        "totalPages": -(-len(items) // size),
    }
    return {name: items[first : first + size], "total": len(items), "paginationOutput": pages}
