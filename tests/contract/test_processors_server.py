"""The stand-in of Stripe over HTTP: served, delivering, saved; and the orders of the shop that is paid there."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.storefront.reader import read_orders
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.transport import urllib3_transport
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.world import Delivery
from local.processors.server import SHOP, Guarded, OwnShop, Processors, processor_accounts
from local.processors.stripe import Stripe


class Door:
    """An API that keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []

    def post(self, path: str, body: dict[str, Any]) -> None:
        self.posted.append((path, json.loads(json.dumps(body))))


def test_it_is_served_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    state = tmp_path / "stripe.json"
    stripe = Stripe(start=utc_now())
    reference = stripe.authorise(900, "EUR", f"{SHOP}:1")
    with MarketplaceServer(Processors(stripe), lambda _: True, state=state) as server:
        account = processor_accounts(stripe, f"http://127.0.0.1:{server.port}")["stripe"]
        client = StripeClient(urllib3_transport(), account["settings"], account["api"], 0)
        assert client.capture(reference, CaptureRequest("capture-1", 900, "EUR")) == 900
    again = Processors(Stripe(start=utc_now()))
    again.load(state)
    assert again.summary() == {
        "payments": {"succeeded": 1},
        "paid_out": 0,
        "captures": {f"{SHOP}:1": [900]},
    }


def test_a_webhook_that_is_not_taken_is_tried_again_and_signed_anew() -> None:
    world = Processors(Stripe())
    world.stripe.authorise(900, "EUR", f"{SHOP}:1")
    (first,) = world.tick(world.stripe.now)
    signature, attempts, now = first.headers["Stripe-Signature"], 1, world.stripe.now
    deliveries: list[Delivery] = [first]
    while deliveries:
        world.undelivered(deliveries[0], now)
        now += timedelta(hours=1)
        deliveries = world.tick(now)
        attempts += len(deliveries)
        assert all(each.headers["Stripe-Signature"] != signature for each in deliveries)
    assert attempts == 9


def test_orders_of_the_own_shop_can_be_read_and_name_their_payment() -> None:
    stripe, door = Stripe(), Door()
    shop = OwnShop(door, Guarded(stripe, threading.Lock()), CATALOGUE)  # type: ignore[arg-type]
    for _ in range(13):
        shop()
        stripe.tick(stripe.now + timedelta(seconds=5))
    orders = [read_orders(json.dumps(body).encode(), SHOP, hint={})[0] for _, body in door.posted]
    assert {path for path, _ in door.posted} == {f"/channels/{SHOP}/orders"}
    assert [order.cancelled for order in orders].count(True) == 2
    assert not [problem for order in orders for problem in order.problems]
    for order in orders:
        intent = stripe.books.intents[order.payment.reference]
        assert (intent.amount, intent.currency.upper()) == (order.total_minor, order.currency)
        assert order.payment.captor == "stripe"
        assert order.stated_minor() == order.total_minor
    assert {intent.metadata["order_id"] for intent in stripe.books.intents.values()} >= {
        order.order_id for order in orders
    }


def test_a_shop_that_is_not_heard_calls_its_order_off_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stripe, door = Stripe(), Door()
    shop = OwnShop(door, Guarded(stripe, threading.Lock()), CATALOGUE)  # type: ignore[arg-type]
    for _ in range(6):
        shop()
    post = door.post
    monkeypatch.setattr(door, "post", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011 it has no words
        shop()
    monkeypatch.setattr(door, "post", post)
    shop()
    assert door.posted[6][1]["cancelled"]
    assert door.posted[6][1]["id"] == door.posted[5][1]["id"]
