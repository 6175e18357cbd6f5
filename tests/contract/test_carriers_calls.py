from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carrier_port import AddressVerdict, Package
from chalicelib.channels.carrier_wire import inches, ounces, ounces_within
from chalicelib.channels.carriers import carrier_class, tracking_reader
from chalicelib.channels.signatures import verify_easypost, verify_token
from chalicelib.domain.errors import Refused
from chalicelib.domain.parcels import TRACKING, advanced
from local.marketplaces.faults import FaultDie, Faults
from tests.contract.carrier_desks import BASE, KINDS, RECIPIENT, WISH, Counter, counter
from tests.shared_data import shared

# No fixture shows the requests of EasyPost's buy, refund, trackers and list of shipments, nor of Shippo's refunds and
# lists. Those that are recorded of Shippo are older than these fields, which its documentation names.
NEWER = {"label_file_type", "async", "validate", "metadata", "email"}


def bodies(at: Counter, path: str) -> list[Any]:
    return [json.loads(each.body) for each in at.sent if each.body and urlsplit(each.url).path.rstrip("/") == path]


def shippo_recorded() -> list[dict[str, Any]]:
    return json.loads(shared("samples/carriers/shippo/label_purchase.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_offers_are_read_in_minor_units_with_their_days(kind: str) -> None:
    offers = [
        (rate.carrier, rate.amount_minor, rate.currency, rate.days) for rate in counter(kind).client().rates(WISH)
    ]
    assert offers == [("USPS", 820, "USD", 5), ("USPS", 5120, "USD", 1), ("UPS", 1101, "USD", 2)]


def test_what_easypost_is_asked_has_the_fields_of_its_fixtures() -> None:
    at = counter("easypost")
    at.bought()
    at.client().check_address(RECIPIENT)
    fixtures = json.loads(shared("specs/carriers/easypost-fixtures.json").read_text())
    full = fixtures["shipments"]["full"]
    (asked,) = bodies(at, "/shipments")
    shipment = asked["shipment"]
    assert set(shipment) <= set(full)
    assert set(shipment["parcel"]) == set(full["parcel"])
    assert set(shipment["options"]) <= set(full["options"])
    known = set(full["from_address"]) | set(fixtures["addresses"]["incorrect"])
    assert set(shipment["from_address"]) | set(shipment["to_address"]) <= known
    (address,) = bodies(at, "/addresses")
    assert set(address["address"]) <= known
    assert shipment["reference"] == "label-1"
    assert shipment["parcel"] == {"weight": 17.7, "length": 9.9, "width": 6.0, "height": 4.0}
    assert shipment["options"]["label_format"] == "PDF"


def test_what_shippo_is_asked_has_the_fields_of_its_recorded_calls() -> None:
    at = counter("shippo")
    at.bought()
    at.client().check_address(RECIPIENT)
    recorded = {path: set() for path in ("/addresses", "/parcels", "/shipments", "/transactions")}
    for call in shippo_recorded():
        if call["method"] == "POST":
            recorded[call["path"].rstrip("/")] |= set(call["request"])
    (shipment,) = bodies(at, "/shipments")
    (purchase,) = bodies(at, "/transactions")
    (address,) = bodies(at, "/addresses")
    assert set(shipment) <= recorded["/shipments"]
    assert set(shipment["parcels"][0]) <= recorded["/parcels"]
    assert set(shipment["address_to"]) | set(address) <= recorded["/addresses"] | NEWER
    assert set(purchase) <= recorded["/transactions"] | NEWER
    assert shipment["metadata"] == purchase["metadata"] == "label-1"
    parcel = {
        "weight": "500",
        "mass_unit": "g",
        "length": "250",
        "width": "150",
        "height": "100",
        "distance_unit": "mm",
    }
    assert shipment["parcels"] == [parcel]
    assert (shipment["async"], purchase["async"], purchase["label_file_type"]) == (False, False, "PDF")


@pytest.mark.parametrize("grams", [1, 28, 29, 500, 30_000])
def test_weight_is_never_told_too_light_nor_a_tenth_too_heavy(grams: int) -> None:
    assert 0 < ounces_within(grams) <= grams / 28.349523125 < ounces_within(grams) + 0.001
    assert 0 <= ounces(grams) * 28.349523125 - grams < 2.84
    assert 0 <= inches(grams) * 25.4 - grams < 2.55


def test_shippo_is_not_asked_for_a_parcel_without_sides_nor_with_an_id_that_it_would_cut() -> None:
    at = counter("shippo")
    for wish in (replace(WISH, package=Package(500)), replace(WISH, label_id="x" * 101)):
        with pytest.raises(Refused):
            at.client().rates(wish)
    assert at.sent == []


def test_a_side_that_is_not_known_is_not_told_to_easypost() -> None:
    at = counter("easypost")
    at.client().rates(replace(WISH, package=Package(500)))
    assert bodies(at, "/shipments")[0]["shipment"]["parcel"] == {"weight": 17.7}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file_format", ["pdf", "png"])
def test_the_file_is_fetched_without_the_key_and_is_what_was_asked_for(kind: str, file_format: str) -> None:
    at = counter(kind)
    label = at.bought(replace(WISH, file_format=file_format))
    file = at.client().fetch_file(label)
    assert at.sent[-1].url == label.file_url
    assert "authorization" not in {name.lower() for name in at.sent[-1].headers}
    if file_format == "png":
        assert file.startswith(b"\x89PNG\r\n\x1a\n")
        assert zlib.decompress(file[41:-16])  # after the header and its chunk, before the last chunk
    else:
        assert file.startswith(b"%PDF-1.4")
        table = int(file.rsplit(b"startxref\n", 1)[1].split()[0])
        assert file[table:].startswith(b"xref\n")
        for number in range(1, 6):
            offset = int(file[table:].splitlines()[2 + number].split()[0])
            assert file[offset:].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_address_is_no_longer_good_is_found_again(kind: str) -> None:
    at = counter(kind)
    label = at.bought()
    assert at.client().fetch_file(replace(label, file_url=f"{BASE}/files/expired.pdf")).startswith(b"%PDF")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_sent_in_the_clear(kind: str) -> None:
    at = counter(kind)
    with pytest.raises(Refused):
        carrier_class(kind)(at.wire, {"base_url": "http://carriers.example"}, {"api_key": "k"}, at.jobs, 0, Unlimited())
    assert at.sent == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_is_found_or_not_found_by_code(kind: str) -> None:
    client = counter(kind).client()
    assert client.check_address(RECIPIENT) == AddressVerdict(True)
    verdict = client.check_address(replace(RECIPIENT, postcode="00001"))
    assert not verdict.deliverable
    assert "NOT_FOUND" in verdict.why.upper().replace(" ", "_")


@pytest.mark.parametrize("kind", KINDS)
def test_a_parcel_is_followed_by_asking_and_by_webhooks_alike(kind: str) -> None:
    at = counter(kind)
    label = at.bought()
    assert [
        event for event in at.client().track(label.tracking_number, label.carrier) if event.status != "unknown"
    ] == []
    told = at.desk.tick(at.desk.now.replace(day=8))
    asked = at.client().track(label.tracking_number, label.carrier)
    statuses = ["label_created", "in_transit", "out_for_delivery", "delivered"]
    assert [event.status for event in asked] == statuses
    assert tracking_reader(kind)(told[-1].body) == tuple(asked)
    status = "unknown"
    for delivery in reversed(told):
        for event in tracking_reader(kind)(delivery.body):
            status = advanced(status, event)
    assert (status, len(told)) == ("delivered", 4)
    assert set(statuses) <= set(TRACKING)


def test_webhooks_carry_what_proves_their_sender() -> None:
    for kind in KINDS:
        at = counter(kind)
        at.bought()
        (delivery,) = at.desk.tick(at.desk.now)
        if kind == "easypost":
            verify_easypost(delivery.body, delivery.headers["X-Hmac-Signature"], ["old", at.desk.secret])
        else:
            assert len(delivery.url) < 200
            verify_token(parse_qs(urlsplit(delivery.url).query)["token"][0], ["old", at.desk.secret])


@pytest.mark.parametrize("kind", KINDS)
def test_webhooks_come_late_twice_or_never_when_the_die_says_so(kind: str) -> None:
    counts = {}
    for name, faults in (("twice", Faults(duplicated=1.0)), ("never", Faults(lost=1.0)), ("late", Faults(late=1.0))):
        at = counter(kind)
        at.bought()
        at.desk.die = FaultDie(faults)
        counts[name] = (len(at.desk.tick(at.desk.now)), len(at.desk.tick(at.desk.now.replace(hour=10))))
    assert counts == {"twice": (2, 0), "never": (0, 0), "late": (0, 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stand_in_goes_on_from_its_saved_state(kind: str, tmp_path: Path) -> None:
    at = counter(kind)
    label = at.bought()
    at.later(hours=3)
    at.desk.save(tmp_path / "desk.json")
    again = counter(kind)
    again.desk.load(tmp_path / "desk.json")
    again.jobs = at.jobs
    assert again.desk.state == at.desk.state
    assert again.bought() == label
    assert len(again.desk.state.labels) == 1


def test_a_service_that_nobody_speaks_is_refused() -> None:
    for choose in (carrier_class, tracking_reader):
        with pytest.raises(Refused) as refused:
            choose("pigeon")
        assert refused.value.reason == "unknown_carrier"
