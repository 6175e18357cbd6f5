"""The stand-in over HTTP: the three prefixes, the control calls, deliveries, and what survives a restart."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from local.marketplaces.__main__ import parse_arguments
from local.marketplaces.deliver import post_webhooks, send_to_queue, to_seller
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.shopify_webhooks import sign
from local.marketplaces.world import Delivery, Marketplaces
from tests.contract.marketplaces_calls import FORM

WAIT_S = 10


class Inbox:
    """A seller who takes every notification, and can be waited for."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.arrived = threading.Condition()

    def __call__(self, delivery: Delivery) -> bool:
        with self.arrived:
            self.deliveries.append(delivery)
            self.arrived.notify_all()
        return True

    def wait_for(self, count: int) -> list[Delivery]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.deliveries) >= count, WAIT_S)
            return list(self.deliveries)


def world() -> Marketplaces:
    return Marketplaces(7, rate_per_s=0, start=utc_now(), clock=utc_now)


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=5) as manager:
        yield manager


def control(pool: urllib3.PoolManager, server: MarketplaceServer, method: str, call: str, body: Any = None) -> Any:
    url = f"http://127.0.0.1:{server.port}/_control/{call}"
    answer = pool.request(method, url, body=json.dumps(body) if body is not None else None)
    return answer.status, answer.json()


def test_each_marketplace_answers_under_its_prefix(pool: urllib3.PoolManager) -> None:
    with MarketplaceServer(world(), Inbox()) as server:
        base, amazon = f"http://127.0.0.1:{server.port}", server.world.amazon
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": amazon.refresh_token,
            "client_id": amazon.client_id,
            "client_secret": amazon.client_secret,
        }
        granted = pool.request("POST", f"{base}/amazon/auth/o2/token", body=urlencode(fields), headers=FORM)
        token = {"x-amz-access-token": granted.json()["access_token"]}
        found = pool.request(
            "GET", f"{base}/amazon/orders/2026-01-01/orders?createdAfter=2026-01-01T00%3A00%3A00Z", headers=token
        )
        assert (found.status, found.json()["orders"]) == (200, [])
        assert pool.request("POST", f"{base}/shopify/admin/api/2026-10/graphql.json", body=b"{}").status == 401
        assert pool.request("GET", f"{base}/ebay/sell/fulfillment/v1/order").status == 401
        assert pool.request("GET", f"{base}/etsy/orders").status == 404


def test_a_demanded_order_is_sold_told_and_counted(pool: urllib3.PoolManager) -> None:
    inbox = Inbox()
    with MarketplaceServer(world(), inbox) as server:
        status, answer = control(
            pool, server, "POST", "sell", {"marketplace": "shopify", "n": 2, "sku": "MUG-STONE-350"}
        )
        assert (status, len(answer["order_ids"])) == (200, 2)
        told = {json.loads(each.body)["id"] for each in inbox.wait_for(2)}
        assert {str(each) for each in told} == set(answer["order_ids"])
        _, state = control(pool, server, "GET", "state")
        assert (state["orders"], state["order_ids"]["shopify"]) == (
            {"shopify": 2, "amazon": 0, "ebay": 0},
            answer["order_ids"],
        )
        assert state["listings"]["shopify"]["MUG-STONE-350"] < state["listings"]["ebay"]["MUG-STONE-350"]


def test_control_can_pause_resume_and_set_faults(pool: urllib3.PoolManager) -> None:
    with MarketplaceServer(world(), Inbox()) as server:
        assert control(pool, server, "POST", "pause")[1]["paused"] is True
        assert control(pool, server, "POST", "resume")[1]["paused"] is False
        assert control(pool, server, "POST", "faults", {"unavailable": 1.0})[0] == 200
        assert pool.request("GET", f"http://127.0.0.1:{server.port}/ebay/x").status == 503


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("sell", {"marketplace": "etsy"}, 400),
        ("sell", [], 400),
        ("sell", {"marketplace": "amazon", "authorised": True}, 400),
        ("sell", {"marketplace": "shopify", "referral": "elsewhere"}, 400),
        ("faults", {"lost": "often"}, 400),
        ("explode", {}, 404),
    ],
)
def test_a_wrong_control_call_says_so(pool: urllib3.PoolManager, call: str, body: Any, status: int) -> None:
    with MarketplaceServer(world(), Inbox()) as server:
        answer = control(pool, server, "POST", call, body)
        assert (answer[0], "error" in answer[1]) == (status, True)


def test_a_notification_refused_by_the_seller_comes_again(pool: urllib3.PoolManager) -> None:
    refused = threading.Event()

    def refuse(_delivery: Delivery) -> bool:
        refused.set()
        return False

    with MarketplaceServer(world(), refuse) as server:
        control(pool, server, "POST", "sell", {"marketplace": "amazon"})
        assert refused.wait(WAIT_S)
    assert [delivery.attempts for delivery in server.world.outbox] == [1]


def test_orders_and_quantities_survive_a_restart(pool: urllib3.PoolManager, tmp_path: Path) -> None:
    path = tmp_path / "marketplaces.json"
    with MarketplaceServer(world(), Inbox(), state=path) as server:
        control(pool, server, "POST", "sell", {"marketplace": "ebay", "n": 3})
        _, before = control(pool, server, "GET", "state")
    with MarketplaceServer(world(), Inbox(), state=path) as server:
        _, after = control(pool, server, "GET", "state")
    assert (after["order_ids"], after["listings"]) == (before["order_ids"], before["listings"])


def test_a_running_world_sells_by_itself() -> None:
    inbox = Inbox()
    selling = Marketplaces(7, rate_per_s=20, start=utc_now(), clock=utc_now)
    with MarketplaceServer(selling, inbox):
        inbox.wait_for(3)


def test_a_webhook_arrives_with_the_bytes_that_were_signed() -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    class Seller(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((dict(self.headers.items()), body))
            self.send_response(200 if len(received) > 1 else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    selling = world()
    selling.sell("shopify")
    delivery = selling.tick(utc_now())[0]
    seller = HTTPServer(("127.0.0.1", 0), Seller)
    thread = threading.Thread(target=seller.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        deliver = post_webhooks(f"http://127.0.0.1:{seller.server_address[1]}/webhooks/shopify")
        assert [deliver(delivery), deliver(delivery)] == [False, True]
    finally:
        seller.shutdown()
        thread.join()
        seller.server_close()
    headers, body = received[-1]
    assert headers["X-Shopify-Hmac-Sha256"] == sign(selling.shopify.client_secret, body)
    assert deliver(delivery) is False


def test_an_amazon_notification_goes_into_the_queue_as_it_is() -> None:
    class Queue:
        def __init__(self) -> None:
            self.sent: list[dict[str, str]] = []

        def send_message(self, **message: str) -> None:
            self.sent.append(message)

    selling, queue = world(), Queue()
    selling.sell("amazon")
    delivery = selling.tick(utc_now())[0]
    assert send_to_queue("http://queue", queue)(delivery)
    assert queue.sent == [{"QueueUrl": "http://queue", "MessageBody": delivery.body.decode()}]
    assert to_seller("", "")(delivery)


def test_the_command_line_has_the_documented_defaults() -> None:
    chosen = parse_arguments([])
    assert (chosen.rate, chosen.seed, chosen.faults, chosen.state) == (1.0, 7, "everyday", None)
