"""WooCommerce's webhooks as Lambda gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.webhooks
from app import app
from chalicelib.channels.woocommerce.reader import read_orders
from chalicelib.inbound import fetch, polls
from chalicelib.store.accounts import add_account
from local.marketplaces.shopify_webhooks import sign
from local.memory.world import World
from tests.shared_data import shared

CHANNEL, SECRET = "woocommerce-de", "a secret"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.secrets.kept = {f"{CHANNEL}/webhook": {"secrets": [SECRET]}}
    add_account(world.tables, CHANNEL, {})
    monkeypatch.setattr(chalicelib.inbound.webhooks, "runtime", lambda: world.runtime)
    return world


def document(**more: Any) -> dict[str, Any]:
    return json.loads(shared("samples/woocommerce/docs.order.create.json").read_text()) | more


def post(body: Any, topic: str = "order.updated", *, secret: str = SECRET, to: str = CHANNEL) -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Signature": sign(secret, raw),
        "X-WC-Webhook-Delivery-ID": "the same for all of a second",
    }
    return sent(raw, headers, to)


def sent(raw: bytes, headers: dict[str, str], to: str = CHANNEL) -> tuple[int, Any]:
    with Client(app) as client:
        answer = client.http.request("POST", f"/webhooks/{to}", headers=headers, body=raw)
    return answer.status_code, answer.json_body


def waiting(world: World, queue: str) -> int:
    return len(world.queues.waiting[queue])


def test_whole_orders_go_to_entry_whatever_the_delivery_id(world: World) -> None:
    for number in (1, 2):
        assert post(document(id=number)) == (200, {"accepted": True})
    assert (waiting(world, "entry"), waiting(world, "hints")) == (2, 0)


@pytest.mark.parametrize(
    ("body", "topic"),
    [({"id": 7}, "order.deleted"), (document(refunds=[{"id": 1, "total": "-1.00"}]), "order.updated")],
    ids=["deleted", "refunded"],
)
def test_what_does_not_tell_the_whole_order_is_read_from_the_shop(world: World, body: Any, topic: str) -> None:
    assert post(body, topic) == (200, {"accepted": True})
    assert (waiting(world, "entry"), waiting(world, "hints")) == (0, 1)


def test_a_forged_delivery_is_refused(world: World) -> None:
    assert post(document(), secret="another")[0] == 401
    assert waiting(world, "entry") == 0


def test_an_unsigned_ping_is_answered_and_changes_nothing(world: World) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert sent(b"webhook_id=5", form)[0] == 200
    assert sent(b"id=5&status=processing", form)[0] == 401
    assert sent(b"webhook_id=5", form, "woocommerce-nobody")[0] == 404
    assert (waiting(world, "entry"), waiting(world, "hints")) == (0, 0)


def test_another_topic_is_acknowledged_and_left_alone(world: World) -> None:
    assert post({"id": 3, "name": "x"}, "product.updated") == (
        200,
        {"accepted": False, "reason": "this topic is not used"},
    )
    assert waiting(world, "entry") == 0


class Shop:
    """A shop with one order, whichever way it is asked."""

    position = ""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def get_order(self, external_id: str) -> bytes:  # noqa: ARG002
        return self.raw

    def changed_orders(self, *_: Any) -> list[tuple[bytes, int]]:
        return [(self.raw, 1)]


@pytest.mark.parametrize(
    ("settings", "others", "captor"),
    [
        ({}, {"stripe": {}, "stripe-b": {"order_channel": CHANNEL}}, "stripe-b"),
        ({}, {"stripe": {"order_channel": {"https://shop.example": CHANNEL}}}, "stripe"),
        ({}, {"stripe": {"order_channel": "woocommerce"}}, ""),
        ({}, {}, ""),
        ({"processor": "stripe-x"}, {"stripe": {"order_channel": CHANNEL}}, "stripe-x"),
        ({"processor": ""}, {"stripe": {"order_channel": CHANNEL}}, ""),
    ],
)
def test_whichever_road_an_order_comes_by_the_same_account_takes_its_money(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], others: dict[str, Any], captor: str
) -> None:
    for name, more in {CHANNEL: settings, **others}.items():
        add_account(world.tables, name, more)
    meta = [{"key": "_stripe_intent_id", "value": "pi_1"}, {"key": "_stripe_charge_captured", "value": "no"}]
    body = document(status="on-hold", date_paid_gmt=None, payment_method="stripe", meta_data=meta)
    for module in (polls, fetch):
        monkeypatch.setattr(module, "client_for", lambda *_, **__: Shop(json.dumps(body).encode()))
    post(body)
    polls.poll("woocommerce", world.runtime)
    by_hint = fetch.fetch_order({"channel": CHANNEL, "external_id": "1"}, world.runtime)
    messages = [*(json.loads(text) for _, text, _ in world.queues.waiting["entry"]), *by_hint]
    orders = [read_orders(each["raw"], CHANNEL, hint=each["hint"])[0] for each in messages]
    assert len(orders) == 3
    assert orders[0] == orders[1] == orders[2]
    assert (orders[0].payment.captor, orders[0].payment.authorised_minor) == (captor, 2935)
