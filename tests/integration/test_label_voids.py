"""Labels are given back, through the real handlers and routes, with the stand-ins of both carriers' services."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chalice.test import Client

from chalicelib.channels.transport import HttpRequest
from chalicelib.inbound.tracking import LOST_MS, ask_carriers
from chalicelib.store.labels import unheard_labels
from chalicelib.store.stock import receipt_writes
from local.carriers.shippo import Shippo
from tests.contract.carrier_desks import PURCHASES
from tests.integration.label_trade import (
    BOX,
    ID,
    ONE,
    ORDER,
    Trade,
    ask,
    client_fixture,  # noqa: F401
    shown,
    tell,
    world_fixture,  # noqa: F401
)
from tests.integration.test_api import call, queued
from tests.integration.test_lifecycle import books


def test_a_label_alone_locks_the_location_and_its_void_gives_it_back(world: Trade, client: Client) -> None:
    status, answer = call(client, "POST", f"{ORDER}/labels", {"package": BOX, "ship": False})
    assert (status, answer["label_id"]) == (202, f"{ID}-main-1")
    world.run()
    assert (dict(world.order().state.fulfilment), world.order().state.shipments) == ({"main": "labelled"}, ())
    assert call(client, "POST", f"{ORDER}/labels", {"package": BOX, "ship": False})[0] == 200
    assert call(client, "POST", f"{ORDER}/labels/{ID}-main-1/void")[0] == 202
    world.run()
    assert shown(client, f"{ID}-main-1")["status"] == "voiding"
    assert call(client, "POST", f"{ORDER}/labels/{ID}-main-1/void")[0] == 200
    world.later(hours=30)
    ask_carriers(world.runtime)
    world.run()
    assert shown(client, f"{ID}-main-1")["status"] == "voided"
    assert dict(world.order().state.fulfilment) == {}
    assert not list(unheard_labels(world.tables, world.now_ms + LOST_MS))
    status, answer = call(client, "POST", f"{ORDER}/labels", {"package": BOX})
    assert (status, answer["label_id"]) == (202, f"{ID}-main-2")


def test_a_label_whose_parcel_the_carrier_has_stays(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    tell(client, world)
    assert shown(client)["tracking"] == "in_transit"
    status, answer = call(client, "POST", f"{ORDER}/labels/L1/void")
    assert (status, answer["error"]["reason"], queued(world)) == (409, "already_taken", 0)


def test_a_refused_void_leaves_the_label_bought(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)  # it is under way, and nobody has told us
    assert call(client, "POST", f"{ORDER}/labels/L1/void")[0] == 202
    world.run()
    assert (shown(client)["status"], shown(client)["why"][:14]) == ("bought", "label_not_void")


def call_off(world: Trade, units: int = 2) -> None:
    fact = {"cancellation_id": "c1", "lines": [{"line_id": "1", "units": units}]}
    world.queues.send("entry", [{"order": ID, "do": "cancel", "fact": fact}])
    world.run()


def reroute(world: Trade) -> None:
    world.tables.write(*receipt_writes("opening", "MUG", "spare", 10, world.now_ms))
    fact = {"location": "main", "answer": "reroute"}
    world.queues.send("shipping", [{"order": ID, "do": "fulfilment", "fact": fact}])
    world.run()


def ship_one(world: Trade) -> None:
    fact = {"shipment_id": "own", "location": "main", "shipped_ms": 1, "lines": ONE}
    world.queues.send("shipping", [{"order": ID, "do": "ship", "fact": fact}])
    world.run()


@pytest.mark.parametrize("gone", [call_off, lambda world: call_off(world, 1), reroute, ship_one])
def test_no_label_is_bought_for_units_that_are_gone(
    world: Trade, client: Client, gone: Callable[[Trade], None]
) -> None:
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": "revoked"}
    ask(client, world)
    gone(world)
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": world.at.desk.api_key}
    world.later(minutes=16)
    assert (world.sold(), shown(client)["status"], shown(client)["why"]) == (0, "voided", "units_called_off")
    assert not world.order().state.holds
    assert call(client, "POST", f"{ORDER}/labels/L1/void")[0] == 200
    books(world)


def lose_purchase(world: Trade) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])


def test_a_label_whose_units_went_while_it_was_bought_is_given_back(world: Trade, client: Client) -> None:
    lose_purchase(world)
    ask(client, world)
    call_off(world)
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"], shown(client)["why"]) == (1, "voiding", "units_called_off")
    world.later(hours=30)
    ask_carriers(world.runtime)
    world.run()
    label = shown(client)
    assert (world.sold(), label["status"], label["why"]) == (1, "voided", "units_called_off")
    assert (label["has_file"], world.bodies.kept.get(f"labels/{ID}/L1.pdf")) == (False, None)
    assert [each.refund for each in world.at.desk.state.shipments.values() if each.label_id] == ["refunded"]
    books(world)


def test_units_that_go_between_the_offer_and_the_purchase_are_seen(world: Trade, client: Client) -> None:
    def lose(request: HttpRequest) -> bool:
        if request.url.endswith(PURCHASES[world.at.kind]) and not world.order().state.cancellations:
            call_off(world)
        return False

    world.at.lose = lose
    ask(client, world)
    assert (world.sold(), shown(client)["status"], shown(client)["why"]) == (1, "voiding", "units_called_off")


@pytest.mark.parametrize("world", ["shippo"], indirect=True)
def test_a_purchase_that_fails_for_units_that_are_gone_holds_no_order(world: Trade, client: Client) -> None:
    assert isinstance(world.at.desk, Shippo)
    world.at.desk.failing = 1
    lose_purchase(world)
    ask(client, world)
    call_off(world, 1)
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), world.order().state.holds) == (0, ())
    assert (shown(client)["status"], shown(client)["why"]) == ("voided", "units_called_off")


def test_a_label_that_may_have_been_printed_is_not_given_back_by_itself(world: Trade, client: Client) -> None:
    ask(client, world, ship=False)
    ship_one(world)
    world.queues.send("labels", [{"order": ID}])
    world.run()
    assert shown(client)["status"] == "bought"
