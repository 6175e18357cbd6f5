"""What carriers' services are told for customs, held against EasyPost's fixtures and the models of Shippo's SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.channels.carrier_port import Address, Customs, CustomsItem
from chalicelib.domain.errors import Refused
from tests.contract.carrier_desks import KINDS, WISH, counter
from tests.contract.test_carriers_calls import bodies
from tests.shared_data import shared

# The fields that the models of Shippo's SDK (customsdeclarationcreaterequest, customsitemcreaterequest) require, and
# those that we send beside them; no recorded call has a declaration.
SHIPPO_DECLARATION = {"certify", "certify_signer", "contents_type", "items", "non_delivery_option", "eel_pfc"}
SHIPPO_ITEM = {
    "description",
    "mass_unit",
    "net_weight",
    "origin_country",
    "quantity",
    "value_amount",
    "value_currency",
    "tariff_number",
}
GERMAN = Address("Laden", "1 Hafenweg", "Hamburg", "20457", "DE")
MUGS = CustomsItem("Mug", 2, 1833, "USD", 500, "CN", "691200")
CUSTOMS = Customs("returned_goods", "A Clerk", "abandon", (MUGS,), "NOEEI 30.37(a)")
ABROAD = replace(WISH, recipient=replace(GERMAN, name="A Buyer", country="FR"), customs=CUSTOMS)


def everything(found: Any) -> Iterator[dict[str, Any]]:
    """Every object in what was recorded."""
    if isinstance(found, dict):
        yield found
    for inner in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from everything(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_a_parcel_that_crosses_a_border_is_not_taken_undeclared_nor_half_declared(kind: str) -> None:
    at = counter(kind)
    for customs in (None, replace(CUSTOMS, items=()), replace(CUSTOMS, items=(replace(MUGS, description=""),))):
        with pytest.raises(Refused):
            at.client().rates(replace(ABROAD, label_id=f"label-{customs}"[:50], customs=customs))
    assert at.client().rates(ABROAD)
    assert at.client().rates(replace(ABROAD, label_id="within", sender=GERMAN, customs=None))


def test_what_easypost_is_told_for_customs_has_the_fields_of_its_fixtures() -> None:
    at = counter("easypost")
    at.bought(ABROAD)
    (asked,) = bodies(at, "/shipments")
    told = asked["shipment"]["customs_info"]
    fixture = json.loads(shared("specs/carriers/easypost-fixtures.json").read_text())["customs_infos"]["basic"]
    answered = json.loads(shared("samples/carriers/easypost/shipments-create.json").read_text())
    item = next(found for found in everything(answered) if found.get("object") == "CustomsItem")
    assert set(told) <= set(fixture)
    assert set(told["customs_items"][0]) <= set(fixture["customs_items"][0]) | set(item)
    assert set(told["customs_items"][0]) >= set(fixture["customs_items"][0])
    assert (told["contents_type"], told["non_delivery_option"]) == ("returned_goods", "abandon")
    assert (told["eel_pfc"], told["customs_signer"]) == (fixture["eel_pfc"], "A Clerk")
    shown = told["customs_items"][0]
    assert (shown["quantity"], shown["value"], shown["currency"], shown["weight"]) == (2, 18.33, "USD", 17.636)


def test_what_shippo_is_told_for_customs_has_the_fields_of_its_sdk() -> None:
    at = counter("shippo")
    at.bought(ABROAD)
    (asked,) = bodies(at, "/shipments")
    told = asked["customs_declaration"]
    assert set(told) == SHIPPO_DECLARATION
    assert set(told["items"][0]) == SHIPPO_ITEM
    assert (told["contents_type"], told["non_delivery_option"]) == ("RETURN_MERCHANDISE", "ABANDON")
    assert (told["certify"], told["certify_signer"], told["eel_pfc"]) == (True, "A Clerk", "NOEEI_30_37_a")
    shown = told["items"][0]
    assert (shown["quantity"], shown["value_amount"], shown["value_currency"]) == (2, "18.33", "USD")
    assert (shown["net_weight"], shown["mass_unit"], shown["tariff_number"]) == ("500", "g", "691200")


@pytest.mark.parametrize(
    ("eel_pfc", "told"),
    [
        ("", {}),
        ("NOEEI 30.36", {"eel_pfc": "NOEEI_30_36"}),
        ("AES X20261130123456", {"eel_pfc": "AES_ITN", "aes_itn": "AES X20261130123456"}),
    ],
)
def test_shippo_is_told_of_an_export_from_the_us_in_its_words(eel_pfc: str, told: dict[str, str]) -> None:
    at = counter("shippo")
    at.client().rates(replace(ABROAD, customs=replace(CUSTOMS, eel_pfc=eel_pfc)))
    (asked,) = bodies(at, "/shipments")
    shown = asked["customs_declaration"]
    assert {name: shown[name] for name in ("eel_pfc", "aes_itn") if name in shown} == told
