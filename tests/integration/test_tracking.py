"""Parcels are followed, through the real handlers and routes, with the stand-ins of both carriers' services."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from chalice.test import Client

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.parcels import TrackingEvent
from chalicelib.domain.shipping import decide_tracking
from chalicelib.inbound.tracking import LOST_MS, UNHEARD_MS, ask_carriers
from chalicelib.store.accounts import add_account
from chalicelib.store.codec import decode_state, encode_state
from chalicelib.store.labels import StoredLabel, keep_new_label, unheard_labels
from tests.contract.carrier_desks import BASE
from tests.integration.label_trade import (
    BOX,
    ID,
    ONE,
    ORDER,
    Trade,
    ask,
    client_fixture,  # noqa: F401
    reports,
    shown,
    tell,
    world_fixture,  # noqa: F401
)
from tests.integration.test_api import call
from tests.integration.test_lifecycle import books


def test_a_parcel_is_followed_until_it_is_delivered_and_never_back(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    early = reports(world)
    assert tell(client, world) == [200]
    assert world.order().state.shipments[0].tracking == "in_transit"
    world.later(hours=40)
    tell(client, world)
    (parcel,) = world.order().state.shipments
    assert (parcel.tracking, world.now_ms - parcel.delivered_ms) == ("delivered", 7 * 3_600_000)
    version = world.order().state.version
    assert tell(client, world, early) == [200]
    assert (world.order().state.shipments, world.order().state.version) == ((parcel,), version)
    assert not list(unheard_labels(world.tables, world.now_ms + LOST_MS))
    view = call(client, "GET", ORDER)[1]["shipments"][0]
    assert (view["tracking"], view["delivered_ms"]) == ("delivered", parcel.delivered_ms)
    books(world)


def test_a_parcel_of_the_order_never_goes_back(world: Trade, client: Client) -> None:
    ask(client, world)
    number = world.order().state.shipments[0].tracking_number
    arrived = decide_tracking(world.order(), TrackingEvent(number, "delivered", 7), world.now_ms)
    assert arrived
    assert decide_tracking(arrived, TrackingEvent(number, "in_transit", 8), world.now_ms) is None
    back = decide_tracking(arrived, TrackingEvent(number, "return_to_sender", 9), world.now_ms)
    assert back
    assert (back.state.shipments[0].tracking, back.state.shipments[0].delivered_ms) == ("return_to_sender", 7)
    assert decide_tracking(world.order(), TrackingEvent("another", "delivered", 7), world.now_ms) is None


def test_what_was_said_of_another_parcel_with_that_number_is_not_believed(world: Trade, client: Client) -> None:
    ask(client, world)
    number = world.order().state.shipments[0].tracking_number
    report = {"tracking_number": number, "status": "delivered", "at_ms": world.now_ms - 90 * 86_400_000}
    world.queues.send("tracking", [report])
    world.run()
    assert (world.order().state.shipments[0].tracking, shown(client)["tracking"]) == ("", "")


def test_a_state_of_before_tracking_is_read(world: Trade, client: Client) -> None:
    ask(client, world)
    state = world.order().state
    stored = encode_state(state)
    assert [len(parcel) for parcel in stored[8]] == [7]  # as it was written before
    again = decode_state(stored, version=state.version, since_ms=state.since_ms, due_ms=state.due_ms)
    assert again.shipments == state.shipments
    tracked = replace(state, shipments=(replace(state.shipments[0], tracking="delivered", delivered_ms=7),))
    again = decode_state(encode_state(tracked), version=1, since_ms=0, due_ms=0)
    assert again.shipments == tracked.shipments


def test_a_forged_report_is_not_heard(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=40)
    world.secrets.kept[f"{world.at.kind}/webhook"] = {"secrets": ["another"]}
    assert tell(client, world) == [401]
    assert world.order().state.shipments[0].tracking == ""


def test_a_carrier_that_says_nothing_is_asked(world: Trade, client: Client) -> None:
    ask(client, world)
    world.later(hours=3)
    ask_carriers(world.runtime)  # it may still tell by itself
    world.run()
    assert world.order().state.shipments[0].tracking == ""
    world.now_ms += UNHEARD_MS
    ask_carriers(world.runtime)
    world.run()
    assert world.order().state.shipments[0].tracking == "in_transit"
    assert not list(unheard_labels(world.tables, world.now_ms - 1))
    world.later(hours=40)
    ask_carriers(world.runtime)
    world.run()
    assert world.order().state.shipments[0].tracking == "delivered"


def test_a_report_before_the_parcel_is_recorded_is_not_lost(world: Trade, client: Client) -> None:
    ask(client, world, ship=False)
    world.later(hours=40)
    tell(client, world)
    label = shown(client)
    parcel = {
        "shipment_id": "own",
        "tracking_number": label["tracking_number"],
        "lines": [{"line_id": "1", "units": 2}],
    }
    assert call(client, "POST", f"{ORDER}/shipments", parcel)[0] == 202
    world.later(hours=7)
    ask_carriers(world.runtime)
    world.run()
    assert [each.tracking for each in world.order().state.shipments] == ["delivered"]


def silent(world: Trade, count: int, account: str) -> None:
    """So many parcels under way, of which nothing was heard since; the first by their ids."""
    for number in range(count):
        name = f"A-{number:03}"
        sold = {"carrier": "USPS", "service": "Ground", "tracking_number": name, "amount_minor": 1, "currency": "USD"}
        label = StoredLabel(ID, name, account, {"location": "main", "lines": ONE, "package": BOX}, status="bought")
        keep_new_label(world.tables, replace(label, bought=sold, bought_ms=world.now_ms, heard_ms=world.now_ms))


@pytest.mark.parametrize(
    ("count", "account", "trouble"),
    [
        (130, "-unknown", None),  # more than are asked about at once
        (130, "-two", Unanswered("no answer", after_s=5)),
        (7, "", Unanswered("no answer", after_s=5)),
        (130, "", Refused("not_found", "no such parcel")),
        (130, "", ValueError("a bug")),
    ],
)
def test_parcels_that_cannot_be_asked_about_keep_no_other_from_its_turn(
    world: Trade, client: Client, count: int, account: str, trouble: Exception | None
) -> None:
    add_account(world.tables, f"{world.at.kind}-two", {"base_url": BASE})
    world.secrets.kept[f"{world.at.kind}-two/api"] = {"api_key": world.at.desk.api_key}
    silent(world, count, world.at.kind + account)
    ask(client, world, carrier_account=world.at.kind)
    world.later(hours=7)
    tried: list[str] = []

    def wire(request: HttpRequest) -> HttpResponse:
        tried.append(f"{request.url} {request.body.decode()}")
        if trouble and "A-" in tried[-1]:
            raise trouble
        return world.at.wire(request)

    object.__setattr__(world.runtime, "transport", lambda: wire)
    for _ in range(4):
        with suppress(ValueError):
            ask_carriers(world.runtime)
        world.run()
        world.now_ms += 1_800_000
    assert world.order().state.shipments[0].tracking == "in_transit"
    assert len({name for name in tried if "A-" in name}) == (0 if trouble is None else 12 if account else count)
