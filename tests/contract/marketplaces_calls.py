"""A seller's calls to the stand-in marketplaces, and a populated world to call."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlencode

from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.ebay import Ebay
from local.marketplaces.market import Market
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.wire import Request, Response

AnyMarket = TypeVar("AnyMarket", bound=Market)
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


class Time:
    """A clock that a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now


def opened(market_class: type[AnyMarket], catalogue: tuple[Listing, ...] = CATALOGUE) -> tuple[AnyMarket, Time]:
    """A calm marketplace that has sold nothing, and its clock."""
    time = Time()
    return market_class(catalogue, time), time


def populated(market: Market, time: Time, count: int = 60) -> list[Sale]:
    """Sells, one order a minute, so that pending, paid and cancelled ones are there."""
    rng = Random(11)
    for _ in range(count):
        market.sell(rng, time.pass_(minutes=1))
        market.advance(time.now)
    return list(market.shelf.sales.values())


def first(sales: list[Sale], **wanted: Any) -> Sale:
    """The first order that is paid, live and unshipped, with so many `lines` and `units` of its first line at least."""
    lines, units = wanted.get("lines", 1), wanted.get("units", 1)
    return next(
        sale
        for sale in sales
        if sale.paid
        and not sale.cancelled_at
        and not sale.parcels
        and len(sale.lines) >= lines
        and sale.lines[0].quantity >= units
    )


# --- Shopify ------------------------------------------------------------------------------------------


def shopify_token(shop: Shopify) -> str:
    fields = {"client_id": shop.client_id, "client_secret": shop.client_secret, "grant_type": "client_credentials"}
    answer = shop.handle(Request("POST", "/admin/oauth/access_token", {}, FORM, urlencode(fields).encode()))
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


def graphql(shop: Shopify, query: str, variables: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """The whole answer of a GraphQL call, which is HTTP 200 always."""
    headers = {**JSON, "X-Shopify-Access-Token": token or shopify_token(shop)}
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    answer = shop.handle(Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body))
    assert answer.status == 200, answer
    return answer.json()


# --- Amazon -------------------------------------------------------------------------------------------


def amazon_token(market: Amazon) -> str:
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": market.refresh_token,
        "client_id": market.client_id,
        "client_secret": market.client_secret,
    }
    answer = market.handle(Request("POST", "/auth/o2/token", {}, FORM, urlencode(fields).encode()))
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


def amazon_call(
    market: Amazon,
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: Any = None,
    token: str | None = None,
) -> Response:
    headers = {**JSON, "x-amz-access-token": amazon_token(market) if token is None else token}
    return market.handle(Request(method, path, query or {}, headers, json.dumps(body).encode() if body else b""))


# --- eBay ---------------------------------------------------------------------------------------------


def ebay_basic(market: Ebay) -> str:
    return "Basic " + base64.b64encode(f"{market.client_id}:{market.client_secret}".encode()).decode()


def ebay_token(market: Ebay) -> str:
    fields = {"grant_type": "refresh_token", "refresh_token": market.refresh_token}
    headers = {**FORM, "Authorization": ebay_basic(market)}
    answer = market.handle(Request("POST", "/identity/v1/oauth2/token", {}, headers, urlencode(fields).encode()))
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


def ebay_call(
    market: Ebay,
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: Any = None,
    token: str | None = None,
) -> Response:
    headers = {**JSON, "Authorization": f"Bearer {ebay_token(market) if token is None else token}"}
    return market.handle(Request(method, path, query or {}, headers, json.dumps(body).encode() if body else b""))
