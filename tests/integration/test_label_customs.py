"""Labels of parcels that cross a border, through the real handlers and routes, with both carriers' stand-ins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.store.accounts import add_account
from tests.contract.carrier_desks import BASE
from tests.integration.label_trade import (
    BOX,
    ONE,
    ORDER,
    WISH,
    Trade,
    ask,
    client_fixture,  # noqa: F401
    shown,
    world_fixture,  # noqa: F401
)
from tests.integration.test_api import call, queued
from tests.integration.test_lifecycle import books, document, send

ABROAD = {"name": "A Buyer", "line1": "Hauptweg 1", "city": "Hamburg", "postcode": "20457", "country": "DE"}
LINE = {"line_id": "1", "description": "Mug", "hs_code": "6912.00", "origin_country": "CN", "weight_g": 200}
CUSTOMS = {"signer": "A Clerk", "eel_pfc": "NOEEI 30.37(a)", "lines": [LINE]}


def move_abroad(world: Trade, country: str = "DE") -> None:
    send(world, document(at="2026-01-05T11:00:00Z", ship_to={**ABROAD, "country": country}))


def declared(world: Trade) -> list[dict[str, Any]]:
    """The items of every declaration that the desk has."""
    shipments = [each.asked for each in world.at.desk.state.shipments.values() if "rate" not in each.asked]
    customs = [each.get("customs_info") or each.get("customs_declaration") or {} for each in shipments]
    return [item for each in customs for item in each.get("customs_items") or each.get("items") or []]


def test_a_label_across_a_border_waits_until_customs_are_named(world: Trade, client: Client) -> None:
    move_abroad(world)
    ask(client, world)
    (hold,) = world.order().state.holds
    assert (hold.reason, hold.detail.partition(":")[0], world.sold()) == ("customs_missing", "customs", 0)
    ask(client, world, customs=CUSTOMS)
    assert (world.order().state.holds, world.sold(), shown(client)["status"]) == ((), 1, "bought")
    (item,) = declared(world)
    assert float(item.get("value") or item["value_amount"]) == 10.0
    assert (item["quantity"], item.get("currency") or item["value_currency"]) == (2, "EUR")
    assert (item.get("hs_tariff_number") or item["tariff_number"]) == "691200"
    books(world)


def test_a_declaration_is_of_the_units_in_the_box(world: Trade, client: Client) -> None:
    move_abroad(world)
    ask(client, world, lines=ONE, customs=CUSTOMS)
    (item,) = declared(world)
    assert (item["quantity"], float(item.get("value") or item["value_amount"])) == (1, 5.0)


def test_an_export_that_must_be_filed_holds_the_order(world: Trade, client: Client) -> None:
    move_abroad(world)
    ask(client, world, customs={**CUSTOMS, "eel_pfc": ""})  # euros: nobody knows whether they are beyond 2,500 USD
    assert [(hold.reason, hold.detail[:15]) for hold in world.order().state.holds] == [
        ("customs_missing", "customs.eel_pfc")
    ]


def test_nothing_is_declared_within_one_customs_territory(world: Trade, client: Client) -> None:
    sender = {"name": "Laden", "line1": "1 Hafenweg", "city": "Hamburg", "postcode": "20457", "country": "DE"}
    add_account(world.tables, world.at.kind, {"base_url": BASE, "sender": sender})
    move_abroad(world, "FR")
    ask(client, world, customs=CUSTOMS)
    assert (world.sold(), declared(world)) == (1, [])


def test_a_purchase_that_was_begun_is_ended_though_the_address_has_moved_abroad(world: Trade, client: Client) -> None:
    world.at.lose = lambda request: request.method == "POST" and b"rate" in request.body
    ask(client, world)
    assert world.sold() == 1
    move_abroad(world)
    for _ in range(3):
        world.later(minutes=2)
    assert (world.sold(), shown(client)["status"], world.order().state.holds) == (1, "bought", ())


@pytest.mark.parametrize(
    ("customs", "named"),
    [
        ({"lines": [LINE]}, "customs.signer"),
        ({"signer": "A Clerk"}, "customs.lines"),
        ({**CUSTOMS, "contents": "weapons"}, "customs.contents"),
        ({**CUSTOMS, "non_delivery": "burn"}, "customs.non_delivery"),
        ({**CUSTOMS, "eel_pfc": "none"}, "customs.eel_pfc"),
        ({**CUSTOMS, "lines": [{**LINE, "line_id": "2"}]}, "'1'"),
        ({**CUSTOMS, "lines": [{**LINE, "hs_code": ""}]}, "hs_code"),
        ({**CUSTOMS, "lines": [{**LINE, "hs_code": "mug"}]}, "customs.lines.0.hs_code"),
        ({**CUSTOMS, "lines": [{**LINE, "origin_country": "China"}]}, "customs.lines.0.origin_country"),
        ({**CUSTOMS, "lines": [{**LINE, "weight_g": 251}]}, "package.weight_g"),
        ({**CUSTOMS, "lines": [{"line_id": "1"}]}, "customs.lines.0.description"),
    ],
)
def test_a_declaration_that_is_not_whole_is_refused_by_name(
    world: Trade, client: Client, customs: dict[str, Any], named: str
) -> None:
    status, answer = call(client, "POST", f"{ORDER}/labels", {**WISH, "package": BOX, "customs": customs})
    assert (status, queued(world)) == (400, 0), json.dumps(answer)
    assert named in answer["error"]["detail"]


def test_a_gift_needs_no_tariff_code(world: Trade, client: Client) -> None:
    move_abroad(world)
    ask(client, world, customs={**CUSTOMS, "contents": "gift", "lines": [{**LINE, "hs_code": ""}]})
    (item,) = declared(world)
    assert not {"hs_tariff_number", "tariff_number"} & set(item)
    assert world.sold() == 1
