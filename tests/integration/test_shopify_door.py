"""Shopify's webhooks as Lambda gets them, from the signed delivery to the order."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.webhooks
from app import app
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.domain.orders import Order
from chalicelib.inbound.polls import poll
from chalicelib.runtime.clients import client_for
from chalicelib.store.accounts import read_account, read_pause
from local.marketplaces.shelf import Change, Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_fulfilment import hold, move, release
from local.marketplaces.shopify_payments import authorise, payments
from local.marketplaces.shopify_webhooks import sign
from local.marketplaces.world import Delivery
from tests.accounts import lines_fixture as lines_fixture
from tests.accounts import named
from tests.shared_data import shared
from tests.trade import Trade

URL = "https://oms.example/api/webhooks/shopify"
WAREHOUSE = 70_110_220_331


class Shop(Trade):
    """Shopify alone: every delivery comes through the door, `twice` if wanted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.twice = False
        monkeypatch.setattr(chalicelib.inbound.webhooks, "runtime", lambda: self.world.runtime)

    @property
    def shop(self) -> Shopify:
        return self.markets.shopify

    def subscribe(self) -> None:
        """To every topic."""
        client_for("shopify", self.world.runtime).ensure_webhooks(URL, "")

    def sell(self) -> Sale:
        self.markets.sell("shopify")
        sale = list(self.shop.shelf.sales.values())[-1]
        sale.paid, self.shop.shelf.due = True, []
        return sale

    def due(self) -> list[Delivery]:
        """What the shop has to tell by now."""
        self.pass_clock(10)
        return [each for each in self.markets.tick(self.now) if each.marketplace == "shopify"]

    def take(self, *deliveries: Delivery) -> None:
        for delivery in deliveries * (1 + self.twice):
            assert post(delivery.body, delivery.headers)[0] == 200

    def settle(self) -> None:
        self.take(*self.due())
        self.world.run()

    def order(self, sale: Sale) -> Order:
        found = self.orders()[f"shopify:{sale.order_id}"]
        assert isinstance(found, Order)
        return found

    def held_for(self, sale: Sale) -> list[str]:
        return [each.reason for each in self.order(sale).state.holds]

    def waiting(self, queue: str) -> list[Any]:
        return [json.loads(body) for _, body, _ in self.world.queues.waiting[queue]]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


def post(raw: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    with Client(app) as client:
        answer = client.http.request("POST", "/webhooks/shopify", headers=headers, body=raw)
    return answer.status_code, answer.json_body


def tell(shop: Shop, topic: str, body: Any, secret: str = "") -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": sign(secret or shop.shop.client_secret, raw),
    }
    return post(raw, headers)


def sample(topic: str) -> Any:
    text = shared(f"samples/shopify/webhooks-2024-10/{topic.replace('/', '.')}.json").read_text(encoding="utf-8")
    return json.loads(text)["body"]


# --- what goes where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/paid", "orders/fulfilled"])
def test_whole_orders_go_to_entry(shop: Shop, topic: str) -> None:
    body = sample(topic) | {"financial_status": "paid"}
    assert tell(shop, topic, body) == (200, {"accepted": True})
    assert (len(shop.waiting("entry")), shop.waiting("hints")) == (1, [])


@pytest.mark.parametrize(
    ("topic", "about"),
    [
        ("refunds/create", "820982911946154500"),
        ("fulfillments/update", "820982911946154500"),
        ("orders/edited", "820982911946154500"),
        ("orders/delete", "820982911946154500"),
        ("disputes/create", "820982911946154500"),
        ("returns/request", "4783296544821"),
        ("returns/cancel", "4783296544821"),
        ("fulfillment_orders/placed_on_hold", "gid://shopify/FulfillmentOrder/1"),
        ("fulfillment_orders/merged", "gid://shopify/FulfillmentOrder/1"),
    ],
)
def test_what_only_names_an_order_is_read_from_the_shop(shop: Shop, topic: str, about: str) -> None:
    assert tell(shop, topic, sample(topic)) == (200, {"accepted": True})
    assert (shop.waiting("entry"), shop.waiting("hints")) == ([], [{"channel": "shopify", "external_id": about}])


@pytest.mark.parametrize(
    ("topic", "body"), [("products/update", {"id": 1}), ("", {}), ("refunds/create", {"id": 5}), ("x" * 500, {})]
)
def test_what_is_not_used_is_acknowledged_and_left_alone(shop: Shop, topic: str, body: Any) -> None:
    assert tell(shop, topic, body) == (200, {"accepted": False, "reason": "this topic is not used"})
    assert (shop.waiting("entry"), shop.waiting("hints")) == ([], [])


@pytest.mark.parametrize("topic", ["refunds/create", "fulfillment_orders/moved", "app/uninstalled"])
def test_a_forged_delivery_is_refused(shop: Shop, topic: str) -> None:
    assert tell(shop, topic, sample(topic), secret="another")[0] == 401
    assert (shop.waiting("entry"), shop.waiting("hints")) == ([], [])


def test_a_body_that_nobody_can_read_is_kept_on_hold(shop: Shop) -> None:
    assert tell(shop, "orders/updated", ["no order"]) == (200, {"accepted": True})
    assert len(shop.waiting("entry")) == 1


# --- until when an authorisation stands -----------------------------------------------------------------------


@pytest.mark.parametrize("order_of_arrival", ["body first", "hint first"])
def test_an_order_that_a_webhook_brought_learns_when_its_authorisation_ends(shop: Shop, order_of_arrival: str) -> None:
    sale = shop.sell()
    shop.due()
    authorise(shop.shop, sale, shop.now + timedelta(days=7))
    (delivery,) = shop.due()
    shop.take(delivery)
    (body,), (hint,) = shop.waiting("entry"), shop.waiting("hints")
    shop.world.queues.waiting["entry"].clear()
    shop.world.queues.waiting["hints"].clear()
    steps = [("entry", body), ("hints", hint)]
    for queue, message in steps if order_of_arrival == "body first" else reversed(steps):
        shop.world.queues.send(queue, [message])
        shop.world.run()
    (held,) = payments(shop.shop, sale)
    payment = shop.order(sale).state.payment
    assert (payment.captor, payment.reference) == ("channel", str(held.number))
    assert payment.expires_ms == int((held.expires_at or shop.now).timestamp()) * 1000
    shop.take(delivery)  # Shopify tells it once more
    shop.world.run()
    assert shop.order(sale).state.payment == payment


def test_an_order_that_is_paid_is_not_read_again(shop: Shop) -> None:
    sale = shop.sell()
    shop.take(*shop.due())
    assert (len(shop.waiting("entry")), shop.waiting("hints")) == (1, [])
    shop.world.run()
    assert shop.order(sale).state.payment.captured_minor > 0


# --- fulfilment orders ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("twice", [False, True])
def test_an_order_that_is_held_there_is_not_shipped_from_here_until_it_is_released(shop: Shop, twice: bool) -> None:
    shop.subscribe()
    shop.twice = twice
    sale = shop.sell()
    shop.settle()
    hold(shop.shop, sale, shop.now, "INCORRECT_ADDRESS")
    shop.settle()
    assert shop.held_for(sale) == ["held_at_channel"]
    sale.touch(shop.now)
    shop.shop.changed(sale, "paid")  # a webhook body, which tells nothing of holds
    shop.settle()
    assert shop.held_for(sale) == ["held_at_channel"]
    release(shop.shop, sale, shop.now)
    shop.settle()
    assert shop.held_for(sale) == []
    shop.ship_everything()
    assert unconfirmed_shipments(shop.order(sale)) == ()
    assert len(sale.parcels) == 1


def test_a_hold_that_was_waved_through_does_not_come_back(shop: Shop) -> None:
    shop.subscribe()
    sale = shop.sell()
    hold(shop.shop, sale, shop.now)
    shop.settle()
    fact = {"reason": "held_at_channel"}
    shop.world.queues.send("entry", [{"order": f"shopify:{sale.order_id}", "do": "resolve", "fact": fact}])
    shop.world.run()
    sale.touch(shop.now)
    shop.shop.changed(sale, "paid")
    shop.settle()
    poll("shopify", shop.world.runtime)
    shop.world.run()
    assert shop.held_for(sale) == []


def test_a_parcel_that_left_before_the_hold_is_told_once_it_is_released(shop: Shop) -> None:
    shop.subscribe()
    sale = shop.sell()
    shop.settle()
    hold(shop.shop, sale, shop.now, "HIGH_RISK_OF_FRAUD")
    shop.due()  # the delivery is lost
    shop.ship_everything()
    (told,) = [each for each in shop.order(sale).state.holds if each.reason == "confirmation_refused"]
    assert "held_at_channel" in told.detail
    assert "high risk of fraud" in told.detail
    release(shop.shop, sale, shop.now)
    shop.settle()
    assert shop.held_for(sale) == []
    assert unconfirmed_shipments(shop.order(sale)) == ()
    assert len(sale.parcels) == 1


def test_what_goes_to_a_fulfilment_service_is_held_and_comes_back_with_its_move(shop: Shop) -> None:
    shop.subscribe()
    sale = shop.sell()
    shop.settle()
    part = move(shop.shop, sale, shop.now, WAREHOUSE, service=True)
    shop.settle()
    assert shop.held_for(sale) == ["other_fulfilment_service"]
    part.service, part.location, part.updated_at = False, shop.shop.location, shop.now
    shop.shop.shelf.changes.append(Change(sale.order_id, "fulfillment_orders/moved", shop.now))
    shop.settle()
    assert shop.held_for(sale) == []
    shop.ship_everything()
    assert len(sale.parcels) == 1


def test_an_order_that_is_gone_there_stays_as_it_is_here(shop: Shop, lines: list[Any]) -> None:
    sale = shop.sell()
    shop.settle()
    known = shop.order(sale)
    del shop.shop.shelf.sales[sale.order_id]
    assert tell(shop, "orders/delete", {"id": int(sale.order_id)})[0] == 200
    shop.world.run()
    shop.shop.shelf.sales[sale.order_id] = sale
    assert shop.order(sale) == known
    assert [each["reason"] for each in named(lines, "refused")] == ["unknown_order"]


# --- the app is thrown out ----------------------------------------------------------------------------------------


def test_a_shop_that_uninstalls_the_app_is_paused_and_a_person_called_once(shop: Shop, lines: list[Any]) -> None:
    for _ in range(2):
        assert tell(shop, "app/uninstalled", sample("app/uninstalled")) == (200, {"accepted": True})
        shop.world.run()
    paused = read_pause(shop.world.tables, "shopify")
    assert paused
    assert "uninstalled" in paused.why
    assert len(named(lines, "channel_paused")) == 1
    poll("shopify", shop.world.runtime)  # somebody has installed it again
    assert read_pause(shop.world.tables, "shopify") is None
    assert read_account(shop.world.tables, "shopify")
