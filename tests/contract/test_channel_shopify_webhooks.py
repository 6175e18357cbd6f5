"""Shopify's webhooks: subscriptions at the stand-in shop under the official schema, and what deliveries tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.shopify.webhooks import HINT_TOPICS, ORDER_TOPICS, TOPICS, told_of
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shopify_fulfilment import part_of
from local.marketplaces.shopify_subscriptions import addresses, remove_failed
from local.marketplaces.world import MAX_ATTEMPTS, Marketplaces
from tests.contract.marketplaces_models import shopify_schema
from tests.contract.shopify_seller import Seller, seller, sold
from tests.shared_data import shared

URL = "https://oms.example/api/webhooks/shopify"
SAMPLES = "samples/shopify/webhooks-2024-10"


def subscribed(on: Seller) -> set[tuple[str, str]]:
    return {(each.topic, each.uri) for each in on.market.office.subscriptions}


def enum_name(topic: str) -> str:
    return topic.upper().replace("/", "_")


def of_one_kind(answer: dict[str, str], kind: str) -> set[str]:
    return {topic for topic, outcome in answer.items() if outcome == kind}


def test_every_topic_exists() -> None:
    official: Any = shopify_schema().type_map["WebhookSubscriptionTopic"]
    assert {enum_name(topic) for topic in TOPICS} <= official.values.keys()
    assert len(TOPICS) == len(set(TOPICS))


def test_a_new_account_is_subscribed_to_every_topic_once() -> None:
    on = seller()
    assert on.client.ensure_webhooks(URL, "unused") == dict.fromkeys(TOPICS, "created")
    assert subscribed(on) == {(enum_name(topic), URL) for topic in TOPICS}
    assert on.client.ensure_webhooks(URL, "unused") == dict.fromkeys(TOPICS, "kept")
    assert len(on.market.office.subscriptions) == len(TOPICS)


def test_the_subscriptions_of_a_second_page_are_known_too() -> None:
    on = seller()
    for number in range(3):
        on.client.ensure_webhooks(f"https://other.example/{number}/webhooks/shopify", "")
    on.client.ensure_webhooks(URL, "")
    assert len(on.market.office.subscriptions) > 100
    assert of_one_kind(on.client.ensure_webhooks(URL, ""), "kept") == set(TOPICS)


def test_what_was_removed_is_made_again() -> None:
    on = seller()
    on.client.ensure_webhooks(URL, "")
    remove_failed(on.market, "fulfillment_orders/placed_on_hold", URL)
    remove_failed(on.market, "orders/updated", URL)
    again = on.client.ensure_webhooks(URL, "")
    assert of_one_kind(again, "created") == {"fulfillment_orders/placed_on_hold", "orders/updated"}
    assert len(on.market.office.subscriptions) == len(TOPICS)


def test_what_told_another_host_of_this_path_is_moved_and_nothing_else() -> None:
    on = seller()
    old, queue = "https://old.example/api/webhooks/shopify", "https://old.example/api/webhooks/shopify-de"
    for uri in (old, queue):
        on.client.ensure_webhooks(uri, "")
    assert on.client.ensure_webhooks(URL, "") == dict.fromkeys(TOPICS, "moved")
    assert {uri for _, uri in subscribed(on)} == {URL, queue}


def test_a_topic_out_of_the_apps_scopes_is_told_and_stops_no_other() -> None:
    on = seller()
    on.market.office.topics_out_of_scope = ["DISPUTES_CREATE", "DISPUTES_UPDATE"]
    assert of_one_kind(on.client.ensure_webhooks(URL, ""), "refused") == {"disputes/create", "disputes/update"}
    assert len(on.market.office.subscriptions) == len(TOPICS) - 2


def test_a_subscription_whose_answer_was_lost_is_made_once() -> None:
    on = seller()
    on.wire.lost = ["Subscribe"]
    with pytest.raises(Busy):
        on.client.ensure_webhooks(URL, "")
    again = on.again(seconds=5).ensure_webhooks(URL, "")
    assert of_one_kind(again, "kept") == {TOPICS[0]}
    assert len(subscribed(on)) == len(on.market.office.subscriptions) == len(TOPICS)


def test_a_subscription_goes_when_its_deliveries_have_failed_too_often() -> None:
    world = Marketplaces(7, rate_per_s=0)
    world.shopify.office.subscriptions = []
    on = seller()
    on.client.ensure_webhooks(URL, "")
    world.shopify.office.subscriptions = on.market.office.subscriptions
    world.sell("shopify")
    (delivery,) = world.tick(world.now)
    assert delivery.url == URL
    for _ in range(MAX_ATTEMPTS):
        assert ("ORDERS_CREATE", URL) in {(each.topic, each.uri) for each in world.shopify.office.subscriptions}
        world.undelivered(delivery, world.now)
    left = {each.topic for each in world.shopify.office.subscriptions}
    assert left == {enum_name(topic) for topic in TOPICS} - {"ORDERS_CREATE"}
    assert addresses(world.shopify, "orders/updated") == [URL]


# --- what deliveries tell ---------------------------------------------------------------------------------


def sample(topic: str) -> bytes:
    text = shared(f"{SAMPLES}/{topic.replace('/', '.')}.json").read_text(encoding="utf-8")
    return json.dumps(json.loads(text)["body"]).encode()


RECORDED = {path.stem.replace(".", "/") for path in shared(SAMPLES).glob("*.json")}
ROUNDED = "820982911946154500"


@pytest.mark.parametrize("topic", sorted(RECORDED & {*ORDER_TOPICS, *HINT_TOPICS}))
def test_a_recorded_delivery_tells_which_order_it_is_about(topic: str) -> None:
    expected = {
        "fulfillment_orders": ("gid://shopify/FulfillmentOrder/1", "gid://shopify/FulfillmentOrder/2"),
        "returns": ("4783296544821",),
        "orders": (ROUNDED, "820982911946154508"),  # the second where the global id, which is exact, is told
    }
    assert told_of(topic, sample(topic)).about in expected.get(topic.partition("/")[0], (ROUNDED,))


def test_most_topics_have_a_recorded_delivery() -> None:
    assert len(RECORDED & set(HINT_TOPICS)) >= 14
    assert set(ORDER_TOPICS) <= RECORDED


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("refunds/create", b"{}"),
        ("refunds/create", b"no JSON"),
        ("refunds/create", b"[]"),
        ("refunds/create", b'{"order_id": true}'),
        ("refunds/create", b'{"order_id": "../1"}'),
        ("orders/edited", b'{"order_edit": 5}'),
        ("orders/delete", b'{"id": "x"}'),
        ("returns/update", b'{"order": []}'),
        ("fulfillment_orders/split", b'{"fulfillment_order": {"id": "gid://shopify/Order/1"}}'),
        ("fulfillment_orders/merged", b'{"fulfillment_order_merges": []}'),
    ],
)
def test_what_names_no_order_is_about_nothing(topic: str, body: bytes) -> None:
    assert told_of(topic, body).about == ""


def test_an_order_is_read_by_the_id_of_its_fulfilment_order() -> None:
    on, sale = sold()
    node = json.loads(on.client.get_order(sale.order_id))["order"]
    gid = f"gid://shopify/FulfillmentOrder/{part_of(on.market, sale).number}"
    assert json.loads(on.client.get_order(gid))["order"]["id"] == node["id"]
    with pytest.raises(Refused) as refusal:
        on.client.get_order("gid://shopify/FulfillmentOrder/1")
    assert refusal.value.reason == "unknown_order"
