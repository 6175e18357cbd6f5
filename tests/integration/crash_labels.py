"""Purchases told to Meta, labels and parcels, before a function crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.channel_order import Contact
from chalicelib.store.contacts import contact_write
from local.carriers.desk import UNKNOWN_POSTCODE
from tests.integration.crash_sandbox import Sandbox
from tests.integration.crash_steps import ORDER, Event, Scenario, after, allocate, enter, look, parcel


def referred(box: Sandbox) -> Event:
    visit = {"landing_url": "https://shop.example/?fbclid=IwAbC", "user_agent": "Browser", "consent": True}
    enter(box, attribution=visit, placed_at=box.now.isoformat())
    box.deliver("funding", look())
    return look()


BOX = {"weight_g": 500, "length_mm": 250, "width_mm": 150, "height_mm": 100}
WISH = {"location": "main", "lines": [{"line_id": "1", "units": 2}], "package": BOX, "ship": True}
LABEL = [{"order": ORDER, "label": "L1", "account": "easypost", "wish": WISH}]
ADDRESS = {"name": "A Buyer", "line1": "2 Elm Street", "city": "Dayton", "postcode": "45402", "country": "US"}


def addressed(postcode: str = "45402") -> Callable[[Sandbox], Any]:
    """An order that may ship, with a buyer who lives somewhere."""
    contact = Contact(name="A Buyer", buyer_ref="buyer-7", address={**ADDRESS, "postcode": postcode})

    def prepare(box: Sandbox) -> None:
        allocate(box)
        box.deliver("funding", look())
        box.deliver("allocation", look())
        box.ports().tables.write(contact_write(ORDER, contact, box.now_ms))

    return prepare


def labelled(box: Sandbox) -> None:
    addressed()(box)
    box.deliver("buy_labels", LABEL)
    lines = WISH["lines"]
    parcel_of_label = {"shipment_id": "L1", "tracking_number": number_of(box), "lines": lines}
    box.deliver("shipping", parcel(**parcel_of_label))


def called_off(box: Sandbox) -> None:
    addressed()(box)
    box.deliver("shipping", parcel(1, shipment_id="own"))


def number_of(box: Sandbox) -> str:
    return next(each.tracking_number for each in box.carrier.state.shipments.values() if each.tracking_number)


def tracked(status: str) -> Callable[[Sandbox], Event]:
    return lambda box: [{"tracking_number": number_of(box), "status": status, "at_ms": box.now_ms}]


LABELS = [
    Scenario("a label, bought and filed", after(addressed(), then=LABEL)),
    Scenario("an address that nobody delivers to", after(addressed(UNKNOWN_POSTCODE), then=LABEL)),
    Scenario("a label for units that are gone", after(called_off, then=LABEL)),
    Scenario("a label given back", after(labelled, then=[{"order": ORDER, "void": "L1"}])),
]
TRACKING = [
    Scenario("under way", after(labelled, then=tracked("in_transit"))),
    Scenario("delivered", after(labelled, then=tracked("delivered"))),
]
