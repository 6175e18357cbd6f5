"""Labels are bought, through the real handlers and routes, with the stand-ins of both carriers' services."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.store.accounts import add_account
from chalicelib.store.contacts import buyer_of, contact_write, read_contact, traces_of
from chalicelib.store.labels import StoredLabel, keep_new_label
from chalicelib.store.orders import read_order
from local.carriers.desk import UNKNOWN_POSTCODE
from local.marketplaces.shop import ShopStandIn
from tests.contract.carrier_desks import BASE, PURCHASES
from tests.integration.label_trade import (
    ADDRESS,
    BOX,
    ID,
    ONE,
    ORDER,
    WISH,
    Trade,
    ask,
    client_fixture,  # noqa: F401
    shown,
    world_fixture,  # noqa: F401
)
from tests.integration.test_api import TOKEN, call, queued
from tests.integration.test_lifecycle import books, document, send


def test_a_label_is_bought_filed_and_its_parcel_recorded(world: Trade, client: Client) -> None:
    assert ask(client, world)["applied"]
    label, (parcel,) = shown(client), world.order().state.shipments
    assert (label["status"], label["cost"]["amount"], label["service"]) == ("bought", "8.20", label["service"])
    assert (parcel.shipment_id, parcel.tracking_number) == ("L1", label["tracking_number"])
    assert (parcel.carrier, dict(parcel.items)) == ("USPS", {0: 2})
    assert call(client, "POST", f"{ORDER}/labels", WISH)[0] == 200
    answer = client.http.get("/api/labels/L1/file", headers={**_token(), "Accept": "application/pdf"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert answer.body.startswith(b"%PDF")
    assert label["tracking_number"].encode() in answer.body
    assert world.sold() == 1
    books(world)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_label_is_bought_once_though_its_answer_is_lost_and_the_message_doubled(
    world: Trade, client: Client, copies: int
) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    assert call(client, "POST", f"{ORDER}/labels", WISH)[0] == 202
    world.queues.waiting["labels"] *= copies
    world.run()
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"]) == (1, "bought")
    assert len(world.order().state.shipments) == 1
    books(world)


def test_the_purchase_that_was_begun_is_ended_though_the_order_is_held_meanwhile(world: Trade, client: Client) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    ask(client, world)
    world.queues.send("entry", [{"order": ID, "do": "hold", "fact": {"reason": "fraud"}}])
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"], world.order().state.shipments) == (1, "bought", ())
    assert call(client, "DELETE", f"{ORDER}/holds/fraud")[0] == 202
    world.run()
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_what_is_being_bought_does_not_change(world: Trade, client: Client) -> None:
    world.at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[world.at.kind])
    ask(client, world)
    ask(client, world, format="png", lines=ONE)
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["format"]) == (1, "pdf")
    assert dict(world.order().state.shipments[0].items) == {0: 2}


def test_an_address_that_nobody_delivers_to_holds_the_order_until_it_is_resolved(world: Trade, client: Client) -> None:
    bad = {**ADDRESS, "postcode": UNKNOWN_POSTCODE}
    send(world, document(at="2026-01-05T11:00:00Z", ship_to=bad))
    ask(client, world)
    (hold,) = world.order().state.holds
    assert (hold.reason, world.sold(), shown(client)["status"]) == ("address_undeliverable", 0, "wanted")
    assert "Elm" not in hold.detail
    ask(client, world)
    assert [hold.reason for hold in world.order().state.holds] == ["address_undeliverable"]
    assert call(client, "DELETE", f"{ORDER}/holds/address_undeliverable")[0] == 202
    world.run()
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_a_label_that_no_offer_fits_is_asked_for_again_with_other_limits(world: Trade, client: Client) -> None:
    """And goes to the address as it is by then, though the carrier was asked with the one before."""
    ask(client, world, most_amount="1.00", currency="USD")
    assert [(hold.reason, hold.detail) for hold in world.order().state.holds] == [("no_rate", "too_dear")]
    assert call(client, "DELETE", f"{ORDER}/holds/no_rate")[0] == 202
    world.run()
    assert [hold.reason for hold in world.order().state.holds] == ["no_rate"]  # looked at again, and no better
    send(world, document(at="2026-01-05T11:00:00Z", ship_to={**ADDRESS, "line1": "3 Oak Street"}))
    ask(client, world)
    assert (world.order().state.holds, world.sold(), len(world.order().state.shipments)) == ((), 1, 1)
    addressed = [json.dumps(each.asked) for each in world.at.desk.state.shipments.values() if "rate" not in each.asked]
    assert ["Oak" in asked for asked in addressed] == [False, True]


def test_an_account_that_takes_no_key_makes_its_labels_wait(world: Trade, client: Client) -> None:
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": "revoked"}
    ask(client, world)
    assert (world.sold(), world.order().state.holds) == (0, ())
    world.secrets.kept[f"{world.at.kind}/api"] = {"api_key": world.at.desk.api_key}
    world.later(minutes=16)
    assert (world.sold(), len(world.order().state.shipments)) == (1, 1)


def test_the_file_of_a_label_is_found_when_its_buyer_is_erased(world: Trade, client: Client) -> None:
    contact = read_contact(world.tables, ID)
    assert contact
    named = type(contact)(**{**vars(contact), "buyer_ref": "buyer-7"})
    world.tables.write(contact_write(ID, named, world.now_ms))
    ask(client, world)
    found = traces_of(world.tables, [buyer_of("storefront", "buyer-7")])
    assert found.claims == (f"labels/{ID}/L1.pdf",)
    assert set(found.claims) <= set(world.bodies.kept)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"label_id": "L1"}, 400, "package"),
        ({**WISH, "package": {"weight_g": 0}}, 400, "package.weight_g"),
        ({**WISH, "label_id": "a/b"}, 400, "label_id"),
        ({**WISH, "carrier_account": "dhl"}, 400, "carrier_account"),
        ({**WISH, "location": "moon"}, 400, "location"),
        ({**WISH, "location": "spare"}, 409, "'spare'"),
        ({**WISH, "most_amount": "5.00"}, 400, "currency"),
        ({**WISH, "most_amount": "much", "currency": "USD"}, 400, "most_amount"),
        ({**WISH, "prefer": "greenest"}, 400, "prefer"),
        ({**WISH, "lines": [{"line_id": "9", "units": 1}]}, 400, "'9'"),
        ({**WISH, "lines": [{"line_id": "1", "units": 3}]}, 409, "line 1"),
        ({**WISH, "format": "zpl"}, 400, "format"),
    ],
)
def test_a_wrong_wish_is_refused_by_name(
    world: Trade, client: Client, body: dict[str, Any], status: int, named: str
) -> None:
    found, answer = call(client, "POST", f"{ORDER}/labels", body)
    assert (found, queued(world)) == (status, 0), answer
    assert named in answer["error"]["detail"]


def test_of_two_labels_the_one_that_nobody_sells_stops_no_other_for_ever(world: Trade, client: Client) -> None:
    ask(client, world, label_id="A-dear", lines=ONE, most_amount="1.00", currency="USD")
    ask(client, world, lines=ONE)
    assert [hold.reason for hold in world.order().state.holds] == ["no_rate"]  # the dear one, looked at again
    assert call(client, "POST", f"{ORDER}/labels/A-dear/void")[0] == 202
    world.run()
    assert call(client, "DELETE", f"{ORDER}/holds/no_rate")[0] == 202
    world.run()
    assert (shown(client, "A-dear")["status"], shown(client)["status"]) == ("voided", "bought")
    assert ([each.shipment_id for each in world.order().state.shipments], world.order().state.holds) == (["L1"], ())


@pytest.mark.parametrize("trouble", ["busy", "refused", "bug"])
def test_one_label_keeps_no_other_of_its_order_from_its_turn(world: Trade, client: Client, trouble: str) -> None:
    wish = {"location": "main", "lines": ONE, "package": BOX}
    first = StoredLabel(ID, "A", world.at.kind, wish)
    begun = {"carrier": "", "service": "", "amount_minor": 1, "currency": "USD", "refs": {}}
    troubled = {
        "busy": replace(first, account="easypost-lost"),
        "refused": replace(first, wish={**wish, "location": "nowhere"}, rate=begun),
        "bug": replace(first, wish={**wish, "package": {"weight": "heavy"}}),
    }
    keep_new_label(world.tables, troubled[trouble])
    keep_new_label(world.tables, StoredLabel(ID, "B", world.at.kind, wish))
    world.queues.send("labels", [{"order": ID}])
    world.run()
    assert (shown(client, "A")["status"], shown(client, "B")["status"], world.sold()) == ("wanted", "bought", 1)
    assert len(world.queues.dead["labels"]) == (trouble == "bug")


def test_the_channel_is_told_of_the_parcel(world: Trade, client: Client) -> None:
    shop = ShopStandIn(["MUG"], lambda: world.now_ms)

    def wire(request: HttpRequest) -> HttpResponse:
        return world.at.wire(request) if request.url.startswith(BASE) else shop.send(request)

    object.__setattr__(world.runtime, "transport", lambda: wire)
    add_account(world.tables, "shop", shop.account)
    world.secrets.kept["shop/api"] = shop.secret
    shop.place(document("7"))
    world.queues.send("entry", [{"channel": "shop", "raw": json.dumps(document("7", ship_to=ADDRESS)), "hint": {}}])
    world.run()
    assert call(client, "POST", "/api/orders/shop:7/labels", WISH)[0] == 202
    world.run()
    order = read_order(world.tables, "shop:7", content=True)
    assert order
    assert [(each.tracking_number[:2], each.confirmed_ms) for each in order.state.shipments] == [("94", world.now_ms)]


def test_an_id_is_the_label_of_one_order(world: Trade, client: Client) -> None:
    ask(client, world)
    send(world, document("1002", ship_to=ADDRESS))
    status, answer = call(client, "POST", "/api/orders/storefront:1002/labels", WISH)
    assert (status, answer["error"]["reason"]) == (409, "label_id_taken")
    wish = {"location": "main", "lines": [{"line_id": "1", "units": 2}], "package": BOX}
    message = {"order": "storefront:1002", "label": "L1", "account": world.at.kind, "wish": wish}
    world.queues.send("labels", [message])  # both were asked for at the same moment
    world.run()
    assert world.sold() == 1
    books(world)


def test_two_boxes_of_one_order_are_two_parcels(world: Trade, client: Client) -> None:
    ask(client, world, lines=ONE)
    assert dict(world.order().state.fulfilment) == {}  # the other unit has no label yet
    ask(client, world, label_id="L2", lines=ONE)
    assert [each.shipment_id for each in world.order().state.shipments] == ["L1", "L2"]
    assert world.sold() == 2
    books(world)


def _token() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
