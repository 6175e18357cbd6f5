"""Everything that a seller lists, read back. Source: searchListingsItems in listingsItems_2021-08-01.json."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.wire import Wire, having, iso, tree
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Refused, Unreadable
from chalicelib.domain.money import to_minor

_PAGE = 20
_MOST = 1000  # items that one query can be paged through, "regardless of the number found"
_FIRST_MS = 788_918_400_000  # 1995: before anything was listed
_NARROWEST_MS = 1000
_DATA = "summaries,attributes,offers,fulfillmentAvailability"


class Offers(Iterator[ListedItem]):
    """All items, page by page. A query that finds more than can be paged through is halved by the time of listing.

    After `Busy` the same iterator goes on where it was. `Refused` when more than 1,000 items were listed in one second:
    some of them could not be seen, and a list with holes would be taken for the whole.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._spans: deque[tuple[int, int] | None] = deque([None])  # None: whenever it was listed
        self._token = ""
        self._items: deque[ListedItem] = deque()
        self._seen: set[str] = set()

    def __next__(self) -> ListedItem:
        while not self._items:
            if not self._spans:
                raise StopIteration
            self._read_page()
        return self._items.popleft()

    def _read_page(self) -> None:
        span = self._spans[0]
        query = {
            "marketplaceIds": self._wire.marketplace_id,
            "includedData": _DATA,
            "sortBy": "createdDate",
            "sortOrder": "ASC",
            "pageSize": str(_PAGE),
            **({"createdAfter": iso(span[0]), "createdBefore": iso(span[1])} if span else {}),
            **({"pageToken": self._token} if self._token else {}),
        }
        path = f"/listings/2021-08-01/items/{quote(self._wire.seller_id, safe='')}?{urlencode(query)}"
        answer = having(self._wire.call("searchListingsItems", "GET", path), "items", "numberOfResults")
        root = tree(answer)
        if root.whole("numberOfResults") > _MOST:
            self._halve(span)
            return
        for item in root.each("items"):
            listed = listed_item(item, self._wire.marketplace_id)
            if listed.channel_sku not in self._seen:  # both ends of a span belong to it
                self._seen.add(listed.channel_sku)
                self._items.append(listed)
        self._token = root.at("pagination").text("nextToken")
        if not self._token:
            self._spans.popleft()

    def _halve(self, span: tuple[int, int] | None) -> None:
        start_ms, end_ms = span or (_FIRST_MS, self._wire.now_ms + _NARROWEST_MS)
        if end_ms - start_ms <= _NARROWEST_MS:
            raise Refused(
                "too_many_listings", f"more than {_MOST} were listed at {iso(start_ms)}: link them one by one"
            )
        middle_ms = (start_ms + end_ms) // 2
        self._spans.popleft()
        self._spans.extendleft(((middle_ms, end_ms), (start_ms, middle_ms)))
        self._token = ""


def listed_item(item: Node, marketplace_id: str) -> ListedItem:
    """One listing in one store. `refs`: asin, and product_type where it is told. What Amazon ships from its own stock
    has no quantity of ours, and `refs` names its channel as fulfilled_by."""
    summary = _of_store(item.each("summaries"), "marketplaceId", marketplace_id)
    channels = {each.text("fulfillmentChannelCode"): each for each in item.each("fulfillmentAvailability")}
    attributes = item.at("attributes")
    for each in attributes.each("fulfillment_availability"):
        channels.setdefault(each.text("fulfillment_channel_code"), each)
    ours = channels.get("DEFAULT")
    price_minor, currency = None, ""
    with suppress(Unreadable):  # a price that cannot be read hides no listing
        price_minor, currency = _price(item, attributes, marketplace_id)
    refs = {
        "asin": summary.text("asin"),
        "product_type": summary.text("productType"),
        "fulfilled_by": "" if ours else next(iter(sorted(channels)), ""),
    }
    return ListedItem(
        channel_sku=item.identity("sku"),
        refs={name: text for name, text in refs.items() if text},
        title=summary.text("itemName"),
        quantity=max(ours.whole("quantity"), 0) if ours and ours.has("quantity") else None,
        price_minor=price_minor,
        currency=currency,
        live="BUYABLE" in _texts(summary.at("status").value),
    )


def _price(item: Node, attributes: Node, marketplace_id: str) -> tuple[int | None, str]:
    """What everybody pays: of the offer, else of the attribute that makes it; None when neither tells."""
    for offer in item.each("offers"):
        if offer.text("marketplaceId") == marketplace_id and offer.text("offerType") in ("", "B2C"):
            price = offer.at("price")
            if not price.has("amount"):
                continue
            currency = price.currency("currencyCode") if price.has("currencyCode") else price.currency("currency")
            return price.minor("amount", currency), currency
    for offer in attributes.each("purchasable_offer"):
        is_ours = offer.text("marketplace_id") in ("", marketplace_id) and offer.text("audience") in ("", "ALL")
        schedules = [slot for price in offer.each("our_price") for slot in price.each("schedule")]
        if is_ours and schedules and schedules[0].has("value_with_tax"):
            currency = offer.currency("currency")
            slot = schedules[0].at("value_with_tax")
            return to_minor(slot.value, currency, slot.path), currency
    return None, ""


def _of_store(nodes: list[Node], name: str, marketplace_id: str) -> Node:
    return next((node for node in nodes if node.text(name) == marketplace_id), Node({}))


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
