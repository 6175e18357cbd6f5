"""Labels are given back, through the real handlers and routes, with the stand-ins of both carriers' services."""

from __future__ import annotations

from chalice.test import Client

from chalicelib.inbound.tracking import LOST_MS, ask_carriers
from chalicelib.store.labels import unheard_labels
from tests.integration.label_trade import (
    BOX,
    ID,
    ORDER,
    Trade,
    ask,
    client_fixture,  # noqa: F401
    shown,
    tell,
    world_fixture,  # noqa: F401
)
from tests.integration.test_api import call, queued


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
    assert unheard_labels(world.tables, world.now_ms + LOST_MS, 9) == []
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
