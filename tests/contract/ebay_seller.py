"""A seller's client, connected to the stand-in eBay over a wire that holds each request to the official models."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.limits import PLANS
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import OverBudget
from local.marketplaces.catalogue import CATALOGUE, Listing, ebay_offer_id
from local.marketplaces.ebay import Ebay
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response
from tests.contract.marketplaces_calls import START, Time, opened
from tests.contract.official_models import held_answer, held_request, operation_of
from tests.tokens import Tokens

BASE = "https://ebay.example/ebay"
START_MS = int(START.timestamp() * 1000)
INVENTORY = "sell_inventory_v1_oas3.json"
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


def checked_request(request: HttpRequest) -> str:
    """The operation (`GET /sell/…`), whose model the whole request must fit; `token` for OAuth."""
    assert re.fullmatch(r"Headrace/\d+\.\d+ \(Language=Python\)", request.headers["User-Agent"])
    url = urlsplit(request.url)
    assert not set("[]{}|") & set(url.query)
    path = url.path.removeprefix("/ebay")
    if path == "/identity/v1/oauth2/token":
        return checked_grant(request)
    operation = operation_of(request.method, path)
    assert operation is not None, f"{request.method} {path}: no such operation"
    scheme = "IAF" if path.startswith("/post-order/") else "Bearer"
    assert re.fullmatch(rf"{scheme} \S+", request.headers["Authorization"])
    held_request(request.method, url._replace(path=path).geturl(), request.headers, request.body)
    assert ("Content-Type" in request.headers) == bool(request.body)
    if request.body:
        assert request.headers["Content-Type"] == "application/json"
        assert isinstance(json.loads(request.body), dict)
    return f"{request.method} {operation.template}"


def checked_grant(request: HttpRequest) -> str:
    """A refresh of the seller's token, whose scopes must do for everything that he is asked to do, or the app's own."""
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"].startswith("Basic ")
    held_request(request.method, urlsplit(request.url).path.removeprefix("/ebay"), request.headers, request.body)
    if form["grant_type"] == ["client_credentials"]:
        assert form == {"grant_type": ["client_credentials"], "scope": ["https://api.ebay.com/oauth/api_scope"]}
        return "app token"
    assert set(form) == {"grant_type", "refresh_token", "scope"}
    assert form["grant_type"] == ["refresh_token"]
    scopes = set(form["scope"][0].split())
    for method, path in SELLERS:
        operation = operation_of(method, path)
        assert operation is not None, path
        assert scopes & operation.scopes, path
    return "token"


# One operation for each scope that the seller has to consent to.
SELLERS = (
    ("POST", "/sell/fulfillment/v1/order/1/shipping_fulfillment"),
    ("POST", "/sell/fulfillment/v1/order/1/issue_refund"),
    ("POST", "/sell/inventory/v1/bulk_update_price_quantity"),
    ("GET", "/sell/finances/v1/transaction"),
    ("POST", "/sell/account/v1/program/opt_in"),
    ("GET", "/sell/analytics/v1/seller_standards_profile"),
    ("POST", "/commerce/notification/v1/subscription"),
)


class Wire:
    """A transport that checks each request against its model and gives it to the stand-in.

    instead   what to answer to the next calls in its place
    lost      how many calls are carried out and then answered by a 503
    lost_at   the ending of a path whose next success is answered so
    """

    def __init__(self, market: Ebay) -> None:
        self.market = market
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: list[HttpResponse] = []
        self.lost = 0
        self.lost_at = ""

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
        held_answer(request.method, path, answer.status, answer.headers, answer.body)
        if self.lost and request.method == "POST" and "token" not in operation:
            self.lost -= 1
            return GATEWAY
        if self.lost_at and path.endswith(self.lost_at) and answer.status < 300:
            self.lost_at = ""
            return GATEWAY
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def bodies(self, ending: str) -> list[Any]:
        """The bodies of all posts to a path with this ending."""
        posts = (request for request in self.sent if request.method == "POST" and request.url.endswith(ending))
        return [json.loads(request.body) for request in posts]


class Ledger:
    """A budget that notes the calls, and refuses those of `empty`."""

    def __init__(self) -> None:
        self.spent: list[str] = []
        self.drained: list[tuple[str, int]] = []
        self.empty: set[str] = set()

    def spend(self, operation: str) -> None:
        assert operation in PLANS
        if operation in self.empty:
            raise OverBudget(f"no call of {operation} is left", after_s=60)
        self.spent.append(operation)

    def correct(self, *_: Any) -> None:
        raise AssertionError("eBay does not say how many calls a second it allows")

    def drain(self, operation: str, after_s: int) -> None:
        self.drained.append((operation, after_s))


class Seller(NamedTuple):
    """A seller's client, connected to a stand-in."""

    market: Ebay
    time: Time
    wire: Wire
    tokens: Tokens
    client: EbayClient
    budget: Ledger
    jobs: JobsInMemory

    def later(self, **credentials: Any) -> EbayClient:
        """A client as a later call would build it: the same token store and jobs, the time that it is now."""
        account = {"base_url": BASE, "marketplace_id": self.market.site}
        secret = {**secret_of(self.market), **credentials}
        return EbayClient(Access(self.wire, account, secret, self.tokens, self.now_ms, self.budget, self.jobs))

    @property
    def now_ms(self) -> int:
        return int(self.time.now.timestamp() * 1000)


def secret_of(market: Ebay) -> dict[str, str]:
    return {
        "client_id": market.client_id,
        "client_secret": market.client_secret,
        "refresh_token": market.refresh_token,
    }


def seller(
    *, catalogue: tuple[Listing, ...] = CATALOGUE, credentials: dict[str, Any] | None = None, **account: Any
) -> Seller:
    market, time = opened(Ebay, catalogue)
    wire, tokens, budget, jobs = Wire(market), Tokens(), Ledger(), JobsInMemory()
    settings = {"base_url": BASE, "marketplace_id": market.site, **account}
    secret = {**secret_of(market), **(credentials or {})}
    client = EbayClient(Access(wire, settings, secret, tokens, START_MS, budget, jobs))
    market.base_url = BASE
    return Seller(market, time, wire, tokens, client, budget, jobs)


def answer(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps(body).encode())


def problem(error_id: int, status: int = 400, category: str = "REQUEST") -> HttpResponse:
    error = {"errorId": error_id, "domain": "API", "category": category, "message": "Something private."}
    return answer({"errors": [error]}, status)


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
