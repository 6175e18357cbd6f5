"""A WooCommerce shop, its client, and the wire between them; every request is held against the official index."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.channels.woocommerce.client import WooClient
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.wire import Request
from local.marketplaces.woocommerce import WooCommerce
from tests.factories import T0_MS
from tests.shared_data import shared
from tests.tokens import Tokens

# The index is of 2024-03 and was printed from an older version; class-wc-rest-crud-controller.php has these since.
NEWER_ARGUMENTS = {"modified_after", "dates_are_gmt"}
# The index is cut to what an OMS uses. Source of these: the REST documentation's Data and System status; `_fields` is
# WordPress's own.
OUTSIDE_THE_INDEX = {"/wc/v3/data/currencies/current": set(), "/wc/v3/system_status": {"_fields"}}


@cache
def index() -> dict[str, Any]:
    routes: dict[str, Any] = json.loads(shared("specs/woocommerce/wc-v3-index.json").read_text())["routes"]
    return routes


def checked(request: HttpRequest) -> None:
    """The route, the method and the names of all arguments are the API's own."""
    split = urlsplit(request.url)
    path = split.path.removeprefix("/wp-json")
    if path.startswith("/wc-shipment-tracking/"):
        return  # a plugin, which the index does not have
    if path in OUTSIDE_THE_INDEX:
        assert request.method == "GET"
        assert set(dict(parse_qsl(split.query))) <= OUTSIDE_THE_INDEX[path]
        return
    route = next(found for pattern, found in index().items() if re.fullmatch(pattern, path))
    endpoint = next(each for each in route["endpoints"] if request.method in each["methods"])
    given = dict(parse_qsl(split.query, keep_blank_values=True))
    body = json.loads(request.body) if request.body else {}
    if path.endswith("/batch"):
        body = {name: value for wish in body["update"] for name, value in wish.items() if name != "id"}
    assert {*given, *body} - NEWER_ARGUMENTS <= set(endpoint["args"]), request.url
    assert int(given.get("per_page", 1)) <= 100


class Seller:
    """`lose`: answers to be lost after the work was done; `instead`: answers given in its place."""

    def __init__(self, *, has_tracking: bool = False, **account: Any) -> None:
        self.now_ms = T0_MS
        self.shop = WooCommerce(CATALOGUE, lambda: self.now, has_tracking=has_tracking)
        self.sent: list[HttpRequest] = []
        self.instead: list[HttpResponse] = []
        self.lose = ""
        self.jobs, self.tokens = JobsInMemory(), Tokens()
        self.account = {"base_url": "https://shop.example.com", "currency": "USD", **account}

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)

    @property
    def client(self) -> WooClient:
        """A new one for each piece of work, as a Lambda has it."""
        keys = {"consumer_key": self.shop.consumer_key, "consumer_secret": self.shop.consumer_secret}
        return WooClient(
            Access(self.send, self.account, keys, self.tokens, self.now_ms, jobs=self.jobs), lambda _: ["93.184.215.14"]
        )

    def send(self, request: HttpRequest) -> HttpResponse:
        checked(request)
        self.sent.append(request)
        if self.instead:
            return self.instead.pop(0)
        split = urlsplit(request.url)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        answer = self.shop.answer(Request(request.method, split.path, query, request.headers, request.body))
        if self.lose and self.lose == f"{request.method} {split.path.rpartition('/')[2]}":
            self.lose = ""
            return HttpResponse(502, {"content-type": "text/html"}, b"<html>bad gateway</html>")
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def sell(self, sku: str = "MUG-STONE-350") -> str:
        sale = self.shop.sell(Random(3), self.now, sku)
        assert sale
        sale.paid = True
        return sale.order_id
