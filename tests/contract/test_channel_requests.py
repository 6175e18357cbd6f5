"""Every request that the application sends while it trades is one that the official models allow."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from chalicelib.channels.shopify import documents
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.runtime.clients import client_for
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.shopify_rest import rest_order
from tests.contract.marketplaces_models import (
    amazon_parameters,
    amazon_request_body,
    ebay_request_body,
    errors,
    shopify_document,
    shopify_variables,
)
from tests.trade import Trade, settle_down

ORDERS_2026 = "orders_2026-01-01.json"
LISTINGS = "listingsItems_2021-08-01.json"
# (method, path of the request) -> (model, path in the model)
AMAZON = {
    ("GET", r"/orders/2026-01-01/orders"): (ORDERS_2026, "/orders/2026-01-01/orders"),
    ("GET", r"/orders/2026-01-01/orders/[^/]+"): (ORDERS_2026, "/orders/2026-01-01/orders/{orderId}"),
    ("PATCH", r"/listings/2021-08-01/items/[^/]+/[^/]+"): (LISTINGS, "/listings/2021-08-01/items/{sellerId}/{sku}"),
    ("POST", r"/orders/v0/orders/[^/]+/shipmentConfirmation"): (
        "ordersV0.json",
        "/orders/v0/orders/{orderId}/shipmentConfirmation",
    ),
}
FULFILMENT, INVENTORY = "sell_fulfillment_v1_oas3.json", "sell_inventory_v1_oas3.json"
EBAY = {
    ("GET", r"/sell/fulfillment/v1/order"): (FULFILMENT, "/order"),
    ("GET", r"/sell/fulfillment/v1/order/[^/]+/shipping_fulfillment"): (
        FULFILMENT,
        "/order/{orderId}/shipping_fulfillment",
    ),
    ("POST", r"/sell/fulfillment/v1/order/[^/]+/shipping_fulfillment"): (
        FULFILMENT,
        "/order/{orderId}/shipping_fulfillment",
    ),
    ("POST", r"/sell/inventory/v1/bulk_update_price_quantity"): (INVENTORY, "/bulk_update_price_quantity"),
}
TOKENS = {"/auth/o2/token", "/identity/v1/oauth2/token", "/admin/oauth/access_token"}


class CheckedTrade(Trade):
    """Trades as usual, and holds every request against the model of its operation."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        super().__init__()

    def _send(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        _, name, rest = split.path.split("/", 2)
        if f"/{rest}" not in TOKENS:
            check = {"shopify": check_shopify, "amazon": check_amazon, "ebay": check_ebay}[name]
            operation, wrong = check(request, f"/{rest}", dict(parse_qsl(split.query)))
            assert wrong == [], f"{operation}: {wrong}"
            self.seen[f"{name} {operation}"] += 1
        return super()._send(request)


def check_amazon(request: HttpRequest, path: str, query: dict[str, str]) -> tuple[str, list[str]]:
    spec, model_path = _model(AMAZON, request.method, path)
    wrong = [
        f"unknown parameter {name}"
        for name in query.keys() - amazon_parameters(spec, model_path, request.method.lower())
    ]
    if request.body:
        wrong += errors(amazon_request_body(spec, model_path, request.method.lower()), json.loads(request.body))
    return f"{request.method} {model_path}", wrong


def check_ebay(request: HttpRequest, path: str, query: dict[str, str]) -> tuple[str, list[str]]:
    spec, model_path = _model(EBAY, request.method, path)
    wrong = []
    if request.body:
        wrong = errors(ebay_request_body(spec, model_path, request.method.lower()), json.loads(request.body))
    return f"{request.method} {model_path}", wrong


def check_shopify(request: HttpRequest, path: str, query: dict[str, str]) -> tuple[str, list[str]]:
    assert path == "/admin/api/2026-10/graphql.json"
    sent = json.loads(request.body)
    name = re.search(r"(query|mutation) (\w+)", sent["query"])
    assert name is not None
    return name[2], shopify_document(sent["query"]) + shopify_variables(sent["query"], sent["variables"])


def _model(table: dict[tuple[str, str], tuple[str, str]], method: str, path: str) -> tuple[str, str]:
    for (known, pattern), model in table.items():
        if known == method and re.fullmatch(pattern, path):
            return model
    raise AssertionError(f"{method} {path} is no operation of the table")


@pytest.mark.parametrize("document", documents.ALL, ids=lambda text: re.search(r"(?:query|mutation) (\w+)", text)[1])  # type: ignore[index]
def test_every_graphql_document_is_valid_in_the_pinned_version(document: str) -> None:
    assert shopify_document(document) == []


def test_every_request_of_a_trading_day_is_allowed_by_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    trade = CheckedTrade()
    for marketplace in ("shopify", "amazon", "ebay"):
        trade.markets.sell(marketplace, 6)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    trade.ship_everything()
    settle_down(trade, lambda: not any(map(unconfirmed_shipments, trade.orders().values())))
    used = {f"amazon {method} {path}" for (method, _), (_, path) in AMAZON.items()}
    used |= {f"ebay {method} {path}" for (method, _), (_, path) in EBAY.items()}
    used |= {
        f"shopify {name}" for name in ("Orders", "Order", "Parcels", "FulfilmentOrders", "Fulfil", "SetQuantities")
    }
    assert used <= trade.seen.keys()
    with capsys.disabled():
        sys.stdout.write(f"\n{len(trade.seen)} operations, {trade.seen.total()} requests validated\n")


def test_a_stale_comparison_is_looked_at_and_set_again() -> None:
    trade = CheckedTrade()
    sku = CATALOGUE[0].sku
    trade.markets.shopify.shelf.listings[sku].take(3)  # sold in the shop, and we have not heard of it
    trade.markets.sell("ebay", 1, sku)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    assert trade.seen["shopify Available"] >= 1
    assert trade.shown() == trade.expected()


def test_a_webhook_body_and_graphql_give_the_same_order() -> None:
    trade = CheckedTrade()
    trade.markets.sell("shopify", 40)
    trade.pass_time(120)
    trade.ship_everything()
    settle_down(trade, lambda: not any(map(unconfirmed_shipments, trade.orders().values())))
    trade.pass_time(60)  # the shop's budget of query points comes back
    trade.markets.sell("shopify", 8)  # some of these are still to be paid
    shop = trade.markets.shopify
    seen: set[Any] = set()
    for number, sale in enumerate(reversed(shop.shelf.sales.values())):
        if number >= 8:
            trade.pass_time(60)
        (told,) = read_orders(json.dumps(rest_order(shop, sale)), "shopify")
        (read,) = read_orders(client_for("shopify", trade.world.runtime).get_order(sale.order_id), "shopify")
        assert told == read
        seen.add((told.cancelled, bool(told.payment.captured_minor), bool(told.lines[0].fulfilled)))
    assert len(seen) >= 3
