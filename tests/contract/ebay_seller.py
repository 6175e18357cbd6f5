"""A seller's client, connected to the stand-in eBay over a wire that holds each request to the official models."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.catalogue import CATALOGUE, Listing, ebay_offer_id
from local.marketplaces.ebay import Ebay
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response
from tests.contract.marketplaces_calls import START, Time, opened
from tests.contract.marketplaces_models import ebay_request_body, errors
from tests.shared_data import shared
from tests.tokens import Tokens

BASE = "https://ebay.example/ebay"
START_MS = int(START.timestamp() * 1000)
FULFILMENT, INVENTORY = "sell_fulfillment_v1_oas3.json", "sell_inventory_v1_oas3.json"
MODELS = {
    ("GET", "/sell/fulfillment/v1/order"): FULFILMENT,
    ("GET", "/sell/fulfillment/v1/order/{orderId}"): FULFILMENT,
    ("GET", "/sell/fulfillment/v1/order/{orderId}/shipping_fulfillment"): FULFILMENT,
    ("POST", "/sell/fulfillment/v1/order/{orderId}/shipping_fulfillment"): FULFILMENT,
    ("POST", "/sell/inventory/v1/bulk_update_price_quantity"): INVENTORY,
}
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


def checked_request(request: HttpRequest) -> str:
    """The operation (`GET /sell/…`), whose model the whole request must fit; `token` for OAuth."""
    assert re.fullmatch(r"Headrace/\d+\.\d+ \(Language=Python\)", request.headers["User-Agent"])
    url = urlsplit(request.url)
    assert not set("[]{}|") & set(url.query)
    path = url.path.removeprefix("/ebay")
    if path == "/identity/v1/oauth2/token":
        return checked_grant(request)
    assert re.fullmatch(r"Bearer \S+", request.headers["Authorization"])
    template, spec = next(
        (template, spec)
        for (method, template), spec in MODELS.items()
        if method == request.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    )
    in_model = re.sub(r"^/sell/\w+/v1", "", template)
    operation = json.loads(shared(f"specs/ebay/{spec}").read_text(encoding="utf-8"))["paths"][in_model]
    allowed = {
        each["name"] for each in operation[request.method.lower()].get("parameters", []) if each["in"] == "query"
    }
    assert set(dict(parse_qsl(url.query, strict_parsing=True) if url.query else [])) <= allowed
    if request.method == "POST":
        assert request.headers["Content-Type"] == "application/json"
        assert errors(ebay_request_body(spec, in_model, "post"), json.loads(request.body)) == []
    else:
        assert request.body == b""
    return f"{request.method} {template}"


def checked_grant(request: HttpRequest) -> str:
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"].startswith("Basic ")
    assert set(form) == {"grant_type", "refresh_token", "scope"}
    assert form["grant_type"] == ["refresh_token"]
    scopes = set(form["scope"][0].split())
    for spec, path, method in (
        (FULFILMENT, "/order/{orderId}/shipping_fulfillment", "post"),
        (INVENTORY, "/bulk_update_price_quantity", "post"),
    ):
        operation = json.loads(shared(f"specs/ebay/{spec}").read_text(encoding="utf-8"))["paths"][path][method]
        assert any(scopes & set(needed) for each in operation["security"] for needed in each.values()), path
    return "token"


class Wire:
    """A transport that checks each request against its model and gives it to the stand-in.

    `instead`: what to answer to the next calls in its place. `lost`: calls that are carried out and answered by a 503.
    """

    def __init__(self, market: Ebay) -> None:
        self.market = market
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: list[HttpResponse] = []
        self.lost = 0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        operation = checked_request(request)
        self.operations.append(operation)
        if self.instead:
            return self.instead.pop(0)
        url = urlsplit(request.url)
        path = url.path.removeprefix("/ebay")
        sent = Request(request.method, path, dict(parse_qsl(url.query)), request.headers, request.body)
        answer: Response = self.market.handle(sent)
        if self.lost and request.method == "POST" and operation != "token":
            self.lost -= 1
            return GATEWAY
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def bodies(self, ending: str) -> list[Any]:
        """The bodies of all posts to a path with this ending."""
        posts = (request for request in self.sent if request.method == "POST" and request.url.endswith(ending))
        return [json.loads(request.body) for request in posts]


class Seller(NamedTuple):
    """A seller's client, connected to a stand-in."""

    market: Ebay
    time: Time
    wire: Wire
    tokens: Tokens
    client: EbayClient

    def later(self) -> EbayClient:
        """A client as a later call would build it: the same token store, the time that it is now."""
        return EbayClient(self.wire, {"base_url": BASE}, secret_of(self.market), self.tokens, self.now_ms)

    @property
    def now_ms(self) -> int:
        return int(self.time.now.timestamp() * 1000)


def secret_of(market: Ebay) -> dict[str, str]:
    return {
        "client_id": market.client_id,
        "client_secret": market.client_secret,
        "refresh_token": market.refresh_token,
    }


def seller(*, catalogue: tuple[Listing, ...] = CATALOGUE, credentials: dict[str, str] | None = None) -> Seller:
    market, time = opened(Ebay, catalogue)
    wire, tokens = Wire(market), Tokens()
    client = EbayClient(wire, {"base_url": BASE}, {**secret_of(market), **(credentials or {})}, tokens, START_MS)
    return Seller(market, time, wire, tokens, client)


def availability(sku: str, quantity: int, **refs: str) -> Availability:
    return Availability(sku, refs or {"offer_id": ebay_offer_id(sku)}, quantity, version=1)


def confirmation(sale: Sale, **changes: Any) -> ShipmentConfirmation:
    fields = {
        "shipment_id": "S-1",
        "sequence": 1,
        "carrier": "ups",
        "tracking_number": "1Z-0000 0001",
        "shipped_ms": START_MS,
        "items": ((sale.lines[0].line_id, 1),),
        **changes,
    }
    return ShipmentConfirmation(**fields)
