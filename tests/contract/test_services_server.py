"""The stand-ins of carriers and of Meta over HTTP: served to the real clients, delivering, saved; and who asks them."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carriers import carrier_class, tracking_reader
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.meta.catalogue import CatalogueClient, CatalogueItem
from chalicelib.channels.meta.conversions import ConversionsClient
from chalicelib.channels.transport import urllib3_transport
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.world import Delivery
from local.meta.graph import Graph, whole_item
from local.meta.server import Meta
from local.services import Services, service_accounts
from local.simulated import Warehouse
from tests.contract.carrier_desks import WISH

HOUR_S = 0.02


def opened(speed: float = 1.0) -> Services:
    desks = [kind(base_url="", start=utc_now(), speed=speed) for kind in (Easypost, Shippo)]
    return Services(Meta(Graph("the token", "d-1", int(time.time() * 1000))), *desks)


def test_a_label_is_bought_fetched_followed_and_known_after_a_restart(tmp_path: Path) -> None:
    services, told = opened(speed=3600 / HOUR_S), list[Delivery]()

    def deliver(delivery: Delivery) -> bool:
        told.append(delivery)
        return True

    with MarketplaceServer(services, deliver, state=tmp_path / "services") as server:
        accounts = service_accounts(services, f"http://127.0.0.1:{server.port}", "shopify", "https://shop.example/")
        numbers = set()
        for kind in ("easypost", "shippo"):
            account = accounts[kind]
            client = carrier_class(kind)(
                urllib3_transport(), account["settings"], account["api"], JobsInMemory(), 0, Unlimited()
            )
            label = client.buy(WISH, client.rates(WISH)[0])
            assert client.fetch_file(label).startswith(b"%PDF")
            numbers.add(label.tracking_number)
        deadline = time.monotonic() + 20
        while len(told) < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
    events = [event for each in told for event in tracking_reader(each.marketplace)(each.body)]
    assert {event.tracking_number for event in events if event.status == "delivered"} == numbers
    again = opened()
    again.load(tmp_path / "services")
    assert again.summary()["labels"] == {"easypost": ["label-1"], "shippo": ["label-1"]}


def test_meta_takes_a_purchase_and_an_item_and_knows_them_after_a_restart(tmp_path: Path) -> None:
    services = opened()
    with MarketplaceServer(services, lambda _: True, state=tmp_path / "services") as server:
        account = service_accounts(services, f"http://127.0.0.1:{server.port}", "shopify", "https://shop.example/")[
            "meta"
        ]
        settings, now_ms = account["settings"], int(time.time() * 1000)
        event = {
            "event_name": "Purchase",
            "event_id": "purchase.shopify.1",
            "event_time": now_ms // 1000 - 5,
            "event_source_url": settings["shop_url"],
            "action_source": "website",
            "user_data": {"client_user_agent": "Browser", "fbp": "fb.1.1.1"},
            "custom_data": {"currency": "USD", "value": 1.0, "order_id": "1"},
        }
        conversions = ConversionsClient(urllib3_transport(), settings, account["api"], now_ms)
        for _ in range(2):
            assert conversions.send([event]) == [None]
        services.meta.graph.items["MUG"] = whole_item("MUG")
        catalogue = CatalogueClient(urllib3_transport(), settings, account["api"])
        sent = catalogue.send([CatalogueItem("MUG", 0, title="Mug")])
        assert catalogue.check(sent.handle) == []
    again = opened()
    again.load(tmp_path / "services")
    assert again.summary()["meta"] == {"purchases": ["1"], "availability": {"MUG": "out of stock"}}


def test_a_webhook_that_is_not_taken_comes_again_for_a_while() -> None:
    services = opened()
    (desk, *_), now = list(services.desks.values()), utc_now()
    desk.state.outbox.append(Delivery(desk.name, now, b"{}", url=desk.webhook_url))
    tries = 0
    while due := services.tick(now):
        tries += 1
        services.undelivered(due[0], now)
        now += timedelta(hours=1)
    assert tries == 9


class Door:
    """An API that has these orders, and keeps what is posted."""

    def __init__(self, *orders: dict[str, Any]) -> None:
        self.known = {order["id"]: order for order in orders}
        self.posted: list[tuple[str, dict[str, Any]]] = []

    def orders(self, stage: str) -> list[dict[str, Any]]:
        return list(self.known.values()) if stage == "shipping" else []

    def order(self, order_id: str) -> dict[str, Any]:
        return self.known[order_id]

    def post(self, path: str, body: dict[str, Any]) -> None:
        self.posted.append((path, body))

    def ship(self, order_id: str, body: dict[str, Any]) -> None:
        self.posted.append((order_id, body))


def order(channel: str, country: str = "US") -> dict[str, Any]:
    line = {"line_id": "1", "allocations": {"main": 2}}
    known = {"id": f"{channel}:7", "external_id": "7", "channel": channel, "country": country, "holds": []}
    return {**known, "units": {"allocated": 2}, "lines": [line], "shipments": []}


def test_the_warehouse_asks_for_labels_of_own_shops_once_and_sends_off_the_rest() -> None:
    door = Door(order("shopify"), order("storefront-web"), order("amazon"), order("storefront", country=""))
    warehouse = Warehouse(door, {}, ("easypost", "shippo"))  # type: ignore[arg-type]
    for _ in range(2):
        warehouse()
    asked = [(path, body["carrier_account"]) for path, body in door.posted if "carrier_account" in body]
    assert asked == [
        ("/api/orders/shopify%3A7/labels", "shippo"),
        ("/api/orders/storefront-web%3A7/labels", "easypost"),
    ]
    assert [path for path, body in door.posted if "shipment_id" in body] == ["amazon:7", "storefront:7"] * 2
