"""A seller's client, connected to the stand-in Amazon over a wire that holds each request to the official models."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from chalicelib.channels.amazon.client import USER_AGENT, AmazonClient
from chalicelib.channels.port import Availability, JobsInMemory, ShipmentConfirmation
from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response
from tests.contract.marketplaces_calls import START, Time, opened
from tests.contract.marketplaces_models import amazon_request_body, errors
from tests.shared_data import shared
from tests.tokens import Tokens

BASE = "https://sp.example/amazon"
START_MS = int(START.timestamp() * 1000)
ORDERS = "/orders/2026-01-01/orders"
MODELS = {
    ("GET", ORDERS): "orders_2026-01-01.json",
    ("GET", f"{ORDERS}/{{orderId}}"): "orders_2026-01-01.json",
    ("POST", "/orders/v0/orders/{orderId}/shipmentConfirmation"): "ordersV0.json",
    ("PATCH", "/listings/2021-08-01/items/{sellerId}/{sku}"): "listingsItems_2021-08-01.json",
    ("GET", "/listings/2021-08-01/items/{sellerId}"): "listingsItems_2021-08-01.json",
    ("POST", "/feeds/2021-06-30/documents"): "feeds_2021-06-30.json",
    ("GET", "/feeds/2021-06-30/documents/{feedDocumentId}"): "feeds_2021-06-30.json",
    ("POST", "/feeds/2021-06-30/feeds"): "feeds_2021-06-30.json",
    ("GET", "/feeds/2021-06-30/feeds"): "feeds_2021-06-30.json",
    ("GET", "/feeds/2021-06-30/feeds/{feedId}"): "feeds_2021-06-30.json",
    ("POST", "/reports/2021-06-30/reports"): "reports_2021-06-30.json",
    ("GET", "/reports/2021-06-30/reports"): "reports_2021-06-30.json",
    ("GET", "/reports/2021-06-30/reports/{reportId}"): "reports_2021-06-30.json",
    ("GET", "/reports/2021-06-30/documents/{reportDocumentId}"): "reports_2021-06-30.json",
    ("GET", "/finances/2024-06-19/transactions"): "finances_2024-06-19.json",
    ("GET", "/sellers/v1/marketplaceParticipations"): "sellers.json",
    ("GET", "/notifications/v1/destinations"): "notifications.json",
    ("POST", "/notifications/v1/destinations"): "notifications.json",
    ("GET", "/notifications/v1/subscriptions/{notificationType}"): "notifications.json",
    ("POST", "/notifications/v1/subscriptions/{notificationType}"): "notifications.json",
}
FORMS = {
    "refresh_token": {"grant_type", "refresh_token", "client_id", "client_secret"},
    "client_credentials": {"grant_type", "scope", "client_id", "client_secret"},
}
OURS = ("/auth/", "/orders/", "/listings/", "/feeds/", "/reports/", "/finances/", "/sellers/", "/notifications/v1/")
QUOTA = HttpResponse(429, {}, b'{"errors":[{"code":"QuotaExceeded","message":"x","details":""}]}')
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


def checked_request(request: HttpRequest) -> str:
    """The operation's path in its official model, which the whole request must fit; `token` for Login with Amazon, and
    `document` for a document's own address, which no token may go to."""
    url = urlsplit(request.url)
    path = url.path.removeprefix("/amazon")
    if not path.startswith(OURS):
        assert "x-amz-access-token" not in request.headers
        assert request.method == "GET" or request.headers["content-type"]
        return "document"
    assert request.headers["user-agent"] == USER_AGENT
    if path == "/auth/o2/token":
        assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert set(form) == FORMS[form["grant_type"][0]]
        return "token"
    assert request.headers["x-amz-access-token"]
    assert re.fullmatch(r"\d{8}T\d{6}Z", request.headers["x-amz-date"])
    spec, template, method = model_of(request)
    document = json.loads(shared(f"specs/amazon/{spec}").read_text(encoding="utf-8"))
    parameters = document["paths"][template][method]["parameters"]
    check_query(dict(parse_qsl(url.query, strict_parsing=True) if url.query else []), parameters)
    if any(parameter["in"] == "body" for parameter in parameters):
        assert request.headers["content-type"] == "application/json"
        body = json.loads(request.body)
        check_event_filter(body.get("processingDirective", {}).pop("eventFilter", None), document["definitions"])
        assert errors(amazon_request_body(spec, template, method), body) == []
    else:
        assert request.body == b""
    return template


def check_event_filter(chosen: dict[str, Any] | None, definitions: dict[str, Any]) -> None:
    """The model puts an event filter together of several definitions, of which none knows the others' fields."""
    if chosen is None:
        return
    parts = definitions["EventFilter"]["allOf"]
    named = [definitions[part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part for part in parts]
    known = {name: field for part in named for name, field in part["properties"].items()}
    assert set(chosen) <= set(known)
    assert chosen["eventFilterType"] in known["eventFilterType"]["enum"]


def check_query(query: dict[str, str], parameters: list[dict[str, Any]]) -> None:
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    assert set(query) <= set(known)
    assert {name for name, parameter in known.items() if parameter.get("required")} <= set(query)
    for name, text in query.items():
        parameter = known[name]
        values = text.split(",") if parameter["type"] == "array" else [text]
        allowed = parameter.get("items", parameter).get("enum")
        assert allowed is None or set(values) <= set(allowed), name
        if parameter["type"] == "integer":
            assert parameter.get("minimum", 1) <= int(text) <= parameter.get("maximum", 100), name


def model_of(request: HttpRequest) -> tuple[str, str, str]:
    """The model's file, path and method of a request to the SP-API."""
    path = urlsplit(request.url).path.removeprefix("/amazon")
    return next(
        (spec, template, method.lower())
        for (method, template), spec in MODELS.items()
        if method == request.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    )


class Wire:
    """A transport that checks each request against its model and gives it to the stand-in.

    `instead`: what to answer to the next calls in its place. `lost`: calls that are carried out and answered by a 503.
    """

    def __init__(self, market: Amazon) -> None:
        self.market = market
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: list[HttpResponse] = []
        self.lost = 0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        self.operations.append(checked_request(request))
        if self.instead:
            return self.instead.pop(0)
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        path = url.path.removeprefix("/amazon")
        answer: Response = self.market.handle(Request(request.method, path, query, request.headers, request.body))
        if self.lost:
            self.lost -= 1
            return GATEWAY
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)


class Seller(NamedTuple):
    """A seller's client, connected to a stand-in."""

    market: Amazon
    time: Time
    wire: Wire
    tokens: Tokens
    client: AmazonClient
    jobs: JobsInMemory
    settings: dict[str, Any]
    secret: dict[str, Any]

    def later(self, **units: float) -> AmazonClient:
        """The client of a worker that comes later, with the same jobs and tokens."""
        now_ms = int(self.time.pass_(**units).timestamp() * 1000)
        self.market.advance(self.time.now)
        return AmazonClient(self.wire, self.settings, self.secret, self.tokens, now_ms, None, self.jobs)


def seller(*, catalogue: tuple[Listing, ...] = CATALOGUE, account: Any = None, credentials: Any = None) -> Seller:
    market, time = opened(Amazon, catalogue)
    market.base_url = BASE
    wire, tokens = Wire(market), Tokens()
    settings = {"base_url": BASE, "seller_id": market.seller_id, "marketplace_id": market.marketplace_id}
    secret = {
        "client_id": market.client_id,
        "client_secret": market.client_secret,
        "refresh_token": market.refresh_token,
    }
    settings, secret, jobs = {**settings, **(account or {})}, {**secret, **(credentials or {})}, JobsInMemory()
    client = AmazonClient(wire, settings, secret, tokens, START_MS, None, jobs)
    return Seller(market, time, wire, tokens, client, jobs, settings, secret)


def availability(sku: str, quantity: int) -> Availability:
    return Availability(sku, {}, quantity, version=1)


def confirmation(sale: Sale, sequence: int = 1, **changes: Any) -> ShipmentConfirmation:
    fields = {
        "shipment_id": f"S-{sequence}",
        "sequence": sequence,
        "carrier": "ups",
        "tracking_number": "1Z0000000000000001",
        "shipped_ms": START_MS,
        "items": ((sale.lines[0].line_id, 1),),
        **changes,
    }
    return ShipmentConfirmation(**fields)
