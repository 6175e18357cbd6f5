"""A paid order and one carrier's stand-in, reached through the real handlers and routes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from chalice.test import Client

import chalicelib.inbound.api
import chalicelib.inbound.commands
import chalicelib.inbound.guard
import chalicelib.inbound.labels_api
import chalicelib.inbound.webhooks
from app import app
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Sourcing
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.contacts import read_contact
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import receipt_writes
from local.marketplaces.world import Delivery
from local.memory.world import World
from tests.contract.carrier_desks import BASE, KINDS, SENDER, Counter, counter
from tests.integration.test_api import TOKEN, call
from tests.integration.test_lifecycle import document, send

ID = "storefront:1001"
ORDER = f"/api/orders/{ID}"
ADDRESS = {"name": "A Buyer", "line1": "2 Elm Street", "city": "Dayton", "postcode": "45402", "country": "US"}
BOX = {"weight_g": 500, "length_mm": 250, "width_mm": 150, "height_mm": 100}
WISH = {"label_id": "L1", "package": BOX}
ONE = [{"line_id": "1", "units": 1}]


class Trade(World):
    """A world whose clock the carrier's desk goes by."""

    def __init__(self, at: Counter) -> None:
        super().__init__(round(at.desk.now.timestamp() * 1000), at.wire)
        self.at = at

    def later(self, **by: float) -> None:
        """Time passes, and what is due is done; the desk's webhooks are given to nobody."""
        self.now_ms += round(timedelta(**by).total_seconds() * 1000)
        self.at.desk.tick(datetime.fromtimestamp(self.now_ms / 1000, UTC))
        self.run()

    def order(self) -> Order:
        order = read_order(self.tables, ID, content=True)
        assert order
        return order

    def sold(self) -> int:
        """How many labels the carrier has ever sold."""
        return len(self.at.desk.state.labels)


@pytest.fixture(name="world", params=KINDS)
def world_fixture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trade:
    """A paid order of two mugs for a buyer in the US; ten mugs at main; one carrier."""
    at = counter(request.param)
    world = Trade(at)
    world.secrets.kept = {
        "api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"},
        f"{at.kind}/api": {"api_key": at.desk.api_key},
        f"{at.kind}/webhook": {"secrets": [at.desk.secret]},
    }
    sender = {name: text for name, text in asdict(SENDER).items() if text}
    add_account(world.tables, at.kind, {"base_url": BASE, "senders": {"main": sender}})
    add_account(world.tables, "storefront", {})
    set_sourcing(world.tables, Sourcing(("main", "spare")))
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 10, world.now_ms))
    for name in ("api", "commands", "guard", "labels_api", "webhooks"):
        monkeypatch.setattr(getattr(chalicelib.inbound, name), "runtime", lambda: world.runtime)
    send(world, document(ship_to=ADDRESS, customer={"name": "A Buyer", "email": "buyer@example.org"}))
    contact = read_contact(world.tables, ID)
    assert contact
    assert contact.address["postcode"] == "45402"
    return world


@pytest.fixture(name="client")
def client_fixture() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def ask(client: Client, world: Trade, **more: Any) -> dict[str, Any]:
    status, answer = call(client, "POST", f"{ORDER}/labels", {**WISH, **more})
    assert status == 202, answer
    world.run()
    return dict(answer)


def shown(client: Client, label_id: str = "L1") -> dict[str, Any]:
    status, answer = call(client, "GET", f"{ORDER}/labels")
    assert status == 200
    return next(label for label in answer["labels"] if label["label_id"] == label_id)


def tell(client: Client, world: Trade, webhooks: list[Delivery] | None = None) -> list[int]:
    """The desk's webhooks as they are now, or these; what the door answered."""
    statuses = []
    for each in webhooks or reports(world):
        path = f"/webhooks/{world.at.kind}?{urlsplit(each.url).query}"
        statuses.append(client.http.post(path, headers=dict(each.headers), body=each.body).status_code)
    world.run()
    return statuses


def reports(world: Trade) -> list[Delivery]:
    """A webhook for each parcel that has moved, which tells of all that has happened to it."""
    desk = world.at.desk
    return [desk._webhook(each, "unknown") for each in desk.state.shipments.values() if each.moves]
