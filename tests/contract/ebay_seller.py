"""A seller's client, connected to the stand-in eBay over a wire that holds each request to the official models."""

from __future__ import annotations

import functools
import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.limits import PLANS
from chalicelib.channels.port import Availability, JobsInMemory, ShipmentConfirmation
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import OverBudget
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
# The path that an API's operations begin with, its model, and what of the path is in the model too.
APIS = {
    "/sell/fulfillment/v1": FULFILMENT,
    "/sell/inventory/v1": INVENTORY,
    "/sell/finances/v1": "sell_finances_v1_oas3.json",
    "/sell/account/v1": "sell_account_v1_oas3.json",
    "/sell/analytics/v1": "sell_analytics_v1_oas3.json",
    "/commerce/notification/v1": "commerce_notification_v1_oas3.json",
    "/developer/key_management/v1": "developer_key_management_v1_oas3.json",
    "/developer/analytics/v1_beta": "developer_analytics_v1_beta_oas3.json",
    "/post-order/v2": "",
}
POST_ORDER = ("post_order_cancellation_oas3.json", "post_order_return_oas3.json")
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


def checked_request(request: HttpRequest) -> str:
    """The operation (`GET /sell/…`), whose model the whole request must fit; `token` for OAuth."""
    assert re.fullmatch(r"Headrace/\d+\.\d+ \(Language=Python\)", request.headers["User-Agent"])
    url = urlsplit(request.url)
    assert not set("[]{}|") & set(url.query)
    path = url.path.removeprefix("/ebay")
    if path == "/identity/v1/oauth2/token":
        return checked_grant(request)
    base = next(base for base in APIS if path.startswith(f"{base}/"))
    scheme = "IAF" if base == "/post-order/v2" else "Bearer"
    assert re.fullmatch(rf"{scheme} \S+", request.headers["Authorization"])
    spec, template, operation = operation_of(base, path.removeprefix(base), request.method.lower())
    parameters = operation.get("parameters", [])
    query = dict(parse_qsl(url.query, strict_parsing=True) if url.query else [])
    if base != "/post-order/v2":  # its document names no query
        assert set(query) <= {each["name"] for each in parameters if each["in"] == "query"}
    sent = {name.lower() for name in request.headers}
    assert {each["name"].lower() for each in parameters if each["in"] == "header" and each.get("required")} <= sent
    if "requestBody" in operation:
        assert errors(ebay_request_body(spec, template, request.method.lower()), json.loads(request.body)) == []
    assert ("content-type" in sent) == bool(request.body)
    if request.body:
        assert request.headers["Content-Type"] == "application/json"
        assert isinstance(json.loads(request.body), dict)
    return f"{request.method} {base}{template}"


def operation_of(base: str, path: str, method: str) -> tuple[str, str, dict[str, Any]]:
    """The model, the path in it, and the operation. Raises StopIteration for what the models do not have."""
    specs = [APIS[base]] if APIS[base] else POST_ORDER
    found = [(spec, *each) for spec in specs for each in paths_of(spec).items()]
    plain_first = sorted(found, key=lambda each: "{" in each[1])
    return next(
        (spec, template, operations[method])
        for spec, template, operations in plain_first
        if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    )


@functools.cache
def paths_of(spec: str) -> dict[str, Any]:
    paths: dict[str, Any] = json.loads(shared(f"specs/ebay/{spec}").read_text(encoding="utf-8"))["paths"]
    return paths


def checked_grant(request: HttpRequest) -> str:
    """A refresh of the seller's token, whose scopes must do for everything that he is asked to do, or the app's own."""
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"].startswith("Basic ")
    if form["grant_type"] == ["client_credentials"]:
        assert form == {"grant_type": ["client_credentials"], "scope": ["https://api.ebay.com/oauth/api_scope"]}
        return "app token"
    assert set(form) == {"grant_type", "refresh_token", "scope"}
    assert form["grant_type"] == ["refresh_token"]
    scopes = set(form["scope"][0].split())
    for base, path, method in SELLERS:
        operation = operation_of(base, path, method)[2]
        assert any(scopes & set(needed) for each in operation["security"] for needed in each.values()), path
    return "token"


# One operation for each scope that the seller has to consent to.
SELLERS = (
    ("/sell/fulfillment/v1", "/order/1/shipping_fulfillment", "post"),
    ("/sell/fulfillment/v1", "/order/1/issue_refund", "post"),
    ("/sell/inventory/v1", "/bulk_update_price_quantity", "post"),
    ("/sell/finances/v1", "/transaction", "get"),
    ("/sell/account/v1", "/program/opt_in", "post"),
    ("/sell/analytics/v1", "/seller_standards_profile", "get"),
    ("/commerce/notification/v1", "/subscription", "post"),
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
        return EbayClient(self.wire, account, secret, self.tokens, self.now_ms, self.budget, self.jobs)

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
    client = EbayClient(wire, settings, secret, tokens, START_MS, budget, jobs)
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
