"""Parcels: a tracking number of their own, Amazon's names of carriers, and what a refusal means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.carriers import carrier_fields
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from tests.unit.channels.amazon_desk import DESK, GATEWAY, Desk, order_body

INVALID = HttpResponse(400, {}, b'{"errors":[{"code":"InvalidInput","message":"x"}]}')


def confirm(desk: Desk, tracking: str = "1Z9") -> None:
    desk.client().confirm_shipment("114-1", ShipmentConfirmation("S1", 1, "UPS", tracking, DESK, (("L1", 2),)))


def package(tracking: str = "1Z9", units: Any = 2) -> dict[str, Any]:
    return {
        "packageReferenceId": "1",
        "trackingNumber": tracking,
        "packageItems": [{"orderItemId": "L1", "quantity": units}],
    }


def refused_desk(*packages: dict[str, Any]) -> Desk:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(2, "20.00")) | {"packages": list(packages)}
    desk.instead["confirmShipment"] = [INVALID]
    return desk


def test_a_parcel_without_a_tracking_number_is_for_a_person() -> None:
    desk = Desk()
    with pytest.raises(Refused, match="tracking_missing"):
        confirm(desk, "")
    assert desk.sent == []


def test_a_refused_parcel_that_the_order_shows_is_confirmed() -> None:
    desk = refused_desk(package("other"), package())
    confirm(desk)
    assert desk.operations == ["token", "confirmShipment", "getOrder"]
    assert "includedData=FULFILLMENT%2CPACKAGES" in desk.sent[-1].url


@pytest.mark.parametrize("packages", [(), (package("other"),), (package(units=1),), (package(units="x"),)])
def test_a_refused_parcel_that_the_order_does_not_show_stays_refused(packages: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(Refused, match="400: InvalidInput"):
        confirm(refused_desk(*packages))


def test_a_refused_parcel_of_an_order_that_cannot_be_read_stays_refused() -> None:
    desk = refused_desk()
    desk.orders.clear()
    with pytest.raises(Refused, match="400: InvalidInput"):
        confirm(desk)


def test_a_lost_answer_is_asked_for_again_under_the_same_number() -> None:
    desk = Desk()
    desk.instead["confirmShipment"] = [GATEWAY]
    with pytest.raises(Busy):
        confirm(desk)
    confirm(desk)
    sent = [json.loads(request.body) for request in desk.sent if request.url.endswith("/shipmentConfirmation")]
    assert sent[0] == sent[1]
    assert sent[0]["packageDetail"]["packageReferenceId"] == "1"


@pytest.mark.parametrize(
    ("carrier", "fields"),
    [
        ("ups", {"carrierCode": "UPS"}),
        ("FEDEX", {"carrierCode": "FedEx"}),
        ("Deutsche  Post", {"carrierCode": "Deutsche Post"}),
        ("royalmail", {"carrierCode": "Royal Mail"}),
        ("dhl express", {"carrierCode": "DHL Express"}),
        ("DHL Paket", {"carrierCode": "DHL-Paket"}),
        ("PostNL", {"carrierCode": "Post NL"}),
        ("United States Postal Service", {"carrierCode": "USPS"}),
        ("dhl-ecommerce", {"carrierCode": "DHL eCommerce"}),
        ("Uncle Joe", {"carrierCode": "Other", "carrierName": "Uncle Joe"}),
        ("", {"carrierCode": "Other", "carrierName": "Other"}),
    ],
)
def test_carriers_go_by_amazons_names(carrier: str, fields: dict[str, str]) -> None:
    assert carrier_fields(carrier) == fields


def test_a_blank_tracking_number_is_none() -> None:
    desk = Desk()
    with pytest.raises(Refused, match="tracking_missing"):
        confirm(desk, " \t")
    assert desk.operations == []


def test_a_parcel_is_known_by_its_number_however_it_is_spaced() -> None:
    confirm(refused_desk(package("1z 9")), " 1Z9 ")


def test_lines_named_twice_or_without_units_are_sent_once_or_not() -> None:
    desk = Desk()
    items = (("L1", 1), ("L2", 0), ("L1", 1))
    desk.client().confirm_shipment("114-1", ShipmentConfirmation("S1", 1, "UPS", "1Z9", DESK, items))
    sent = json.loads(desk.sent[-1].body)["packageDetail"]["orderItems"]
    assert sent == [{"orderItemId": "L1", "quantity": 2}]
