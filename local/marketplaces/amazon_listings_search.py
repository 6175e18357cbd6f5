"""Amazon's searchListingsItems: the seller's listings, twenty a page at most. Source: listingsItems_2021-08-01.json."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_errors import choices, invalid
from local.marketplaces.amazon_listings import DATA_SETS, check_account, item_body
from local.marketplaces.catalogue import asin
from local.marketplaces.market import Route
from local.marketplaces.shelf import ShelfListing
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

MAX_PAGE, DEFAULT_PAGE, MAX_IDENTIFIERS = 20, 10, 20
STATUSES = frozenset({"BUYABLE", "DISCOVERABLE"})


def search_items(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """GET /listings/2021-08-01/items/{sellerId}; the page tokens lead both ways."""
    check_account(market, request, names)
    query = request.query
    wanted = choices(query.get("includedData", "summaries"), DATA_SETS, "includedData")
    size = _page_size(query.get("pageSize", str(DEFAULT_PAGE)))
    offset = _offset(query.get("pageToken", ""))
    found = _found(market, query)
    page = [item_body(market, listing, wanted) for listing in found[offset : offset + size]]
    answer: dict[str, Any] = {"numberOfResults": len(found), "items": page}
    pagination = {}
    if offset + size < len(found):
        pagination["nextToken"] = _token(offset + size)
    if offset > 0:
        pagination["previousToken"] = _token(max(0, offset - size))
    return json_response(200, answer | ({"pagination": pagination} if pagination else {}))


def _found(market: Amazon, query: Any) -> list[ShelfListing]:
    found = list(market.shelf.listings.values())
    if "identifiers" in query:
        wanted, kind = query["identifiers"].split(","), query.get("identifiersType", "")
        if len(wanted) > MAX_IDENTIFIERS or kind not in {"SKU", "ASIN"}:
            raise invalid("identifiers needs an identifiersType of SKU or ASIN, and holds twenty at most.")
        found = [each for each in found if (each.sku if kind == "SKU" else asin(each.sku)) in wanted]
    with_status = choices(query.get("withStatus", ""), STATUSES, "withStatus")
    without_status = choices(query.get("withoutStatus", ""), STATUSES, "withoutStatus")
    if "BUYABLE" in with_status:
        found = [each for each in found if each.available]
    if without_status:
        found = [each for each in found if "DISCOVERABLE" not in without_status and not each.available]
    return sorted(found, key=lambda each: each.sku)


def _page_size(text: str) -> int:
    size = int(text) if text.isdecimal() else 0
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"pageSize must be between 1 and {MAX_PAGE}.")
    return size


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
    except ValueError:
        word, number = "", ""
    if word != "from" or not number.isdecimal():
        raise invalid("pageToken is not valid.")
    return int(number)


ROUTES = (Route("GET", r"/listings/2021-08-01/items/(?P<seller_id>[^/]+)", "searchListingsItems", search_items),)
