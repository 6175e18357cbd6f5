"""A seller's client, connected to the stand-in Shopify over a wire that holds each request to the official schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.channels.shopify.client import USER_AGENT, ShopifyClient
from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.catalogue import CATALOGUE, Listing, listing_ids
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.wire import GATEWAY_PAGE, Request
from tests.contract.marketplaces_calls import START, Time, first, opened, populated
from tests.contract.marketplaces_models import shopify_document, shopify_variables
from tests.tokens import Tokens

BASE = "https://shop.example/shopify"
START_MS = int(START.timestamp() * 1000)
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


def answer(payload: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps(payload).encode())


def checked_request(request: HttpRequest) -> str:
    """The operation's name, when the whole request is one that Shopify understands; `token` for the grant."""
    assert request.method == "POST"
    assert request.headers["user-agent"] == USER_AGENT
    path = urlsplit(request.url).path.removeprefix("/shopify")
    if path == "/admin/oauth/access_token":
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert set(form) == {"grant_type", "client_id", "client_secret"}
        assert form["grant_type"] == ["client_credentials"]
        return "token"
    assert path == "/admin/api/2026-10/graphql.json"
    assert request.headers["x-shopify-access-token"]
    assert request.headers["content-type"] == "application/json"
    sent = json.loads(request.body)
    assert set(sent) == {"query", "variables"}
    assert shopify_document(sent["query"]) == []
    assert shopify_variables(sent["query"], sent["variables"]) == []
    named = re.search(r"(?:query|mutation) (\w+)", sent["query"])
    assert named
    return named[1]


class Wire:
    """A transport that checks each request against the schema and gives it to the stand-in.

    `instead`: what to answer to the next calls of an operation in its place. `lost`: operations whose next call is
    carried out and answered by a 503. `after`: what happens in the shop right after the next call of an operation.
    """

    def __init__(self, market: Shopify) -> None:
        self.market = market
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: dict[str, list[HttpResponse]] = {}
        self.lost: list[str] = []
        self.after: dict[str, Any] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        operation = checked_request(request)
        self.sent.append(request)
        self.operations.append(operation)
        if self.instead.get(operation):
            return self.instead[operation].pop(0)
        path = urlsplit(request.url).path.removeprefix("/shopify")
        response = self.market.handle(Request(request.method, path, {}, request.headers, request.body))
        self.after.pop(operation, lambda: None)()
        if operation in self.lost:
            self.lost.remove(operation)
            return GATEWAY
        return HttpResponse(response.status, {k.lower(): v for k, v in response.headers.items()}, response.body)

    def variables(self, operation: str) -> list[Any]:
        """The variables of every call of an operation, in the order sent."""
        calls = zip(self.operations, self.sent, strict=True)
        return [json.loads(request.body)["variables"] for name, request in calls if name == operation]


class Seller(NamedTuple):
    """A seller's client, connected to a stand-in."""

    market: Shopify
    time: Time
    wire: Wire
    tokens: Tokens
    client: ShopifyClient

    def shown(self, sku: str) -> int:
        """What the shop offers of a SKU."""
        return self.market.shelf.listings[sku].quantity

    def again(self, seconds: float) -> ShopifyClient:
        """The client of a later Lambda call."""
        self.time.pass_(seconds=seconds)
        now_ms = int(self.time.now.timestamp() * 1000)
        return ShopifyClient(Access(self.wire, account(), secret(self.market), self.tokens, now_ms))


def account() -> dict[str, Any]:
    return {"base_url": BASE + "/"}


def secret(market: Shopify) -> dict[str, Any]:
    return {"client_id": market.client_id, "client_secret": market.client_secret}


def seller(*, catalogue: tuple[Listing, ...] = CATALOGUE, credentials: Mapping[str, Any] | None = None) -> Seller:
    market, time = opened(Shopify, catalogue)
    wire, tokens = Wire(market), Tokens()
    client = ShopifyClient(Access(wire, account(), {**secret(market), **(credentials or {})}, tokens, START_MS))
    return Seller(market, time, wire, tokens, client)


def availability(
    on: Seller, sku: str, quantity: int, shown: int | None = None, version: int = 1, **refs: str
) -> Availability:
    ids = {**listing_ids(sku)["shopify"], "location_id": on.market.location_id, **refs}
    return Availability(sku, ids, quantity, version, shown)


def confirmation(sale: Sale, *units: tuple[int, int], sequence: int = 1, **changes: Any) -> ShipmentConfirmation:
    """A parcel of (place of the line, units), of one unit of the first line when nothing is said."""
    fields = {
        "shipment_id": f"S-{sequence}",
        "sequence": sequence,
        "carrier": "UPS",
        "tracking_number": f"1Z000000000000000{sequence}",
        "shipped_ms": START_MS,
        "items": tuple((sale.lines[place].line_id, count) for place, count in units or ((0, 1),)),
        **changes,
    }
    return ShipmentConfirmation(**fields)


def sold(lines: int = 1, units: int = 1) -> tuple[Seller, Sale]:
    on = seller()
    sale = first(populated(on.market, on.time), lines=lines, units=units)
    on.market.points.tokens = on.market.points.burst
    return on, sale


def long_order(lines: int) -> tuple[Seller, Sale]:
    """An order with as many lines as that, one unit each, all of one place in the catalogue."""
    goods = tuple(Listing(f"SKU-{number}", f"Thing {number}", 1000, quantity=9) for number in range(lines))
    on = seller(catalogue=goods)
    on.market.points.burst = on.market.points.tokens = 1e9
    sale = on.market.sell(Random(3), on.time.pass_(minutes=1))
    assert sale
    sale.paid, on.market.shelf.due = True, []
    one = sale.lines[0]
    sale.lines = [
        type(one)(on.market.line_id(sale.number, 0) + f"{number:03}", item.sku, item.title, 1, 1000, 0, 0)
        for number, item in enumerate(goods)
    ]
    return on, sale
