"""WooCommerce's webhooks as Lambda gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.webhooks
from app import app
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
