"""A seller's client, connected to the stand-in Amazon over a wire that holds each request to the official models."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.channels.transport import USER_AGENT, HttpRequest, HttpResponse
from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response
from tests.contract.marketplaces_calls import START, Time, opened
from tests.contract.official_counts import COUNTS
from tests.contract.official_models import Operation, held_answer, held_request, operation_of
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
        COUNTS.unmodelled["amazon document upload" if request.method == "PUT" else "amazon document download"] += 1
        return "document"
    assert request.headers["user-agent"] == USER_AGENT
    if path == "/auth/o2/token":
        assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert set(form) == FORMS[form["grant_type"][0]]
        held_request(request.method, path, request.headers, request.body)
        return "token"
    assert request.headers["x-amz-access-token"]
    assert re.fullmatch(r"\d{8}T\d{6}Z", request.headers["x-amz-date"])
    held_request(request.method, url._replace(path=path).geturl(), request.headers, request.body)
    return operation_called(request).template


def operation_called(request: HttpRequest) -> Operation:
    """The operation of a request to the SP-API."""
    operation = operation_of(request.method, urlsplit(request.url).path.removeprefix("/amazon"))
    assert operation is not None, f"{request.method} {request.url}: no such operation"
    return operation


def model_of(request: HttpRequest) -> tuple[str, str, str]:
    """The model's file, path and method of a request to the SP-API."""
    operation = operation_called(request)
    return operation.spec, operation.path, operation.method.lower()


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
        if self.operations[-1] != "document":
            held_answer(request.method, path, answer.status, answer.headers, answer.body)
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
        return AmazonClient(Access(self.wire, self.settings, self.secret, self.tokens, now_ms, jobs=self.jobs))


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
    client = AmazonClient(Access(wire, settings, secret, tokens, START_MS, jobs=jobs))
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
