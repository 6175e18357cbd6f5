"""Every call while the application trades is one that the official models allow; for Amazon and eBay the answer too."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from graphql import parse

from chalicelib.channels.shopify import documents
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.runtime.clients import client_for
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.shopify_graphql import MAX_QUERY_COST, requested_cost
from local.marketplaces.shopify_rest import rest_order
from tests.contract.marketplaces_models import shopify_document, shopify_variables
from tests.contract.official_models import Recorder
from tests.trade import Trade, settle_down

# Operations that a trading day is certain to call
USED = {
    "amazon": {"searchOrders", "getOrder", "patchListingsItem", "confirmShipment"},
    "ebay": {"getOrders", "getShippingFulfillments", "createShippingFulfillment", "bulkUpdatePriceQuantity"},
    "shopify": {"Orders", "Order", "Parcels", "FulfilmentOrders", "Fulfil", "SetQuantities"},
}


class CheckedTrade(Trade):
    """Trades as usual, and holds every request and answer against the model of its operation."""

    def __init__(self) -> None:
        self.graphql: Counter[str] = Counter()
        self.recorders = {name: Recorder(super()._send, f"/{name}") for name in ("amazon", "ebay")}
        super().__init__()

    def _send(self, request: HttpRequest) -> HttpResponse:
        _, name, rest = urlsplit(request.url).path.split("/", 2)
        if name in self.recorders:
            return self.recorders[name](request)
        if f"/{rest}" != "/admin/oauth/access_token":
            operation, wrong = check_shopify(request, f"/{rest}")
            assert wrong == [], f"{operation}: {wrong}"
            self.graphql[operation] += 1
        return super()._send(request)

    def seen(self) -> dict[str, Counter[str]]:
        """How often each operation was called, by marketplace."""
        return {name: each.operation_ids for name, each in self.recorders.items()} | {"shopify": self.graphql}


def check_shopify(request: HttpRequest, path: str) -> tuple[str, list[str]]:
    assert path == "/admin/api/2026-10/graphql.json"
    sent = json.loads(request.body)
    name = re.search(r"(query|mutation) (\w+)", sent["query"])
    assert name is not None
    return name[2], shopify_document(sent["query"]) + shopify_variables(sent["query"], sent["variables"])


@pytest.mark.parametrize("document", documents.ALL, ids=lambda text: re.search(r"(?:query|mutation) (\w+)", text)[1])  # type: ignore[index]
def test_every_graphql_document_is_valid_in_the_pinned_version(document: str) -> None:
    assert shopify_document(document) == []
    assert requested_cost(parse(document), {"first": 100}) < MAX_QUERY_COST / 2  # the stand-in only estimates


def test_every_call_of_a_trading_day_is_allowed_by_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    trade = CheckedTrade()
    for marketplace in ("shopify", "amazon", "ebay"):
        trade.markets.sell(marketplace, 6)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    trade.ship_everything()
    settle_down(trade, lambda: not any(map(unconfirmed_shipments, trade.orders().values())))
    seen = trade.seen()
    for name, used in USED.items():
        assert used <= seen[name].keys(), name
    with capsys.disabled():
        for name, recorder in trade.recorders.items():
            sys.stdout.write(f"\n{name}: {recorder}")
        graphql = seen["shopify"]
        sys.stdout.write(f"\nshopify: {len(graphql)} operations, {graphql.total()} requests validated\n")


def test_a_stale_comparison_is_looked_at_and_set_again() -> None:
    trade = CheckedTrade()
    sku = CATALOGUE[0].sku
    trade.markets.shopify.shelf.listings[sku].take(3)  # sold in the shop, and we have not heard of it
    trade.markets.sell("ebay", 1, sku)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    assert trade.graphql["Available"] >= 1
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
        assert told.attribution
        assert read.attribution
        assert told.attribution.referral == read.attribution.referral  # GraphQL tells more of each visit
        assert (told.told_ms, read.told_ms) == (0, read.version_ms)  # and how the fulfilment orders stand
        assert replace(told, attribution=None, untold=()) == replace(read, attribution=None, told_ms=0)
        seen.add((told.cancelled, bool(told.payment.captured_minor), bool(told.lines[0].fulfilled)))
    assert len(seen) >= 3
