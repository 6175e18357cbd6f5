"""The stand-in Shopify's webhooks have the samples' fields, tell what GraphQL tells, and are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import pytest

from local.marketplaces.shelf import Change
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_rest import rest_order
from tests.contract.marketplaces_calls import Time, first, opened, populated
from tests.contract.marketplaces_shopify_seller import answered, money, order_of, ship
from tests.shared_data import shared


@pytest.fixture
def shopify() -> tuple[Shopify, Time]:
    return opened(Shopify)


def sample_body(topic: str) -> dict[str, Any]:
    text = shared(f"samples/shopify/webhooks-2024-10/{topic}.json").read_text(encoding="utf-8")
    body: dict[str, Any] = json.loads(text)["body"]
    return body


def test_a_webhook_body_has_the_fields_of_the_samples(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = next(sale for sale in populated(shop, time) if sale.tax_minor and sale.discount_minor)
    ours, sample = rest_order(shop, sale), sample_body("orders.create")
    assert ours.keys() == sample.keys()
    for part in ("customer", "shipping_address", "billing_address"):
        assert ours[part].keys() == sample[part].keys()
    for part in ("line_items", "shipping_lines"):
        assert ours[part][0].keys() == sample[part][0].keys()
    assert ours["customer"]["default_address"].keys() >= sample["customer"]["default_address"].keys()
    for name, value in sample.items():
        if isinstance(value, str | list | dict) and ours[name] is not None:
            assert type(ours[name]) is type(value), name


def test_refunds_and_fulfilments_in_a_webhook_have_the_fields_of_the_samples(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sales = populated(shop, time)
    cancelled, shipped = next(sale for sale in sales if sale.cancelled_at and sale.paid), first(sales)
    ship(shop, shipped)
    sample, ours = sample_body("refunds.create"), rest_order(shop, cancelled)["refunds"][0]
    assert ours.keys() >= sample.keys()
    assert ours["refund_line_items"][0].keys() == sample["refund_line_items"][0].keys()
    left_out = {"email", "destination"}  # only of the fulfilment topics, not of a fulfilment inside an order
    assert rest_order(shop, shipped)["fulfillments"][0].keys() == sample_body("fulfillments.create").keys() - left_out


def test_the_rest_and_the_graphql_shape_tell_the_same(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    for sale in populated(shop, time):
        time.pass_(seconds=10)
        rest, node = rest_order(shop, sale), order_of(shop, sale)
        assert rest["admin_graphql_api_id"] == node["id"]
        assert round(float(rest["total_price"]) * 100) == money(node["totalPriceSet"])
        assert rest["financial_status"].upper() == node["displayFinancialStatus"]
        assert instant(rest["updated_at"]) == instant(node["updatedAt"])
        assert [line["quantity"] for line in rest["line_items"]] == [
            line["quantity"] for line in node["lineItems"]["nodes"]
        ]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_webhook_is_signed_over_its_exact_bytes(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = populated(shop, time, count=1)[0]
    for webhook in shop.webhooks(Change(sale.order_id, "created", time.now)):
        digest = hmac.new(shop.client_secret.encode(), webhook.body, hashlib.sha256).digest()
        assert webhook.headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()
        assert json.loads(webhook.body)["id"] == int(sale.order_id)


def test_each_change_has_its_topics_and_one_event_id(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    populated(shop, time, count=100)
    topics: dict[str, set[str]] = {}
    for change in shop.drain_changes():
        webhooks = shop.webhooks(change)
        topics.setdefault(change.kind, set()).update(webhook.headers["X-Shopify-Topic"] for webhook in webhooks)
        assert len({webhook.headers["X-Shopify-Event-Id"] for webhook in webhooks}) == 1
        assert len({webhook.headers["X-Shopify-Webhook-Id"] for webhook in webhooks}) == len(webhooks)
    assert topics == {
        "created": {"orders/create"},
        "paid": {"orders/updated"},
        "cancelled": {"orders/updated"},
    }


SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri}) {
    webhookSubscription { id topic uri createdAt } userErrors { field message }
  }
}
"""
MOVE = """
mutation Move($id: ID!, $uri: String!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: {uri: $uri}) {
    webhookSubscription { id uri updatedAt } userErrors { field message }
  }
}
"""
UNSUBSCRIBE = """
mutation Unsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}
"""
URL = "https://oms.example/webhooks/shopify"


def done(shop: Shopify, document: str, **variables: str) -> Any:
    (payload,) = answered(shop, document, variables).values()
    return payload


def test_a_subscription_is_made_moved_and_deleted_and_refused_where_it_cannot_be(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    made = done(shop, SUBSCRIBE, topic="REFUNDS_CREATE", uri=URL)["webhookSubscription"]
    assert done(shop, SUBSCRIBE, topic="REFUNDS_CREATE", uri=URL)["userErrors"]
    assert done(shop, SUBSCRIBE, topic="REFUNDS_CREATE", uri="http://oms.example/")["userErrors"]
    moved = done(shop, MOVE, id=made["id"], uri=f"{URL}-de")["webhookSubscription"]
    assert (moved["id"], moved["uri"]) == (made["id"], f"{URL}-de")
    assert done(shop, UNSUBSCRIBE, id=made["id"])["deletedWebhookSubscriptionId"] == made["id"]
    assert shop.office.subscriptions == []
    for document in (MOVE, UNSUBSCRIBE):
        more = {"uri": URL} if document == MOVE else {}
        assert done(shop, document, id=made["id"], **more)["userErrors"]


def test_a_change_is_told_to_every_address_that_has_subscribed(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = populated(shop, time, count=1)[0]
    change = Change(sale.order_id, "created", time.now)
    assert [webhook.url for webhook in shop.webhooks(change)] == [""]  # as the app's own configuration says
    for uri in (URL, f"{URL}-de"):
        done(shop, SUBSCRIBE, topic="ORDERS_CREATE", uri=uri)
    assert [webhook.url for webhook in shop.webhooks(change)] == [URL, f"{URL}-de"]
    assert len({webhook.headers["X-Shopify-Webhook-Id"] for webhook in shop.webhooks(change)}) == 2
