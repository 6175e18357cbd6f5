"""Every sample of carriers is used: a table says by which test, and the test is there and reads it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carrier_port import Label, Rate
from chalicelib.channels.carriers import carrier_class, tracking_reader
from chalicelib.channels.easypost.notifications import tracker_events
from chalicelib.channels.fields import parse
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from tests.contract.carrier_desks import WISH
from tests.shared_data import shared

FOLDER = "samples/carriers"
EVENTS = ("easypost/event-body.json", "easypost/tracking_webhook_response.json")
OTHERS = ("karrio/dhl_universal_tracking.json", "karrio/ups_tracking_response.json")

# test -> files below samples/carriers/
USES: dict[str, tuple[str, ...]] = {
    "test_offers_of_a_recorded_easypost_shipment_are_read": ("easypost/shipments-create.json",),
    "test_a_recorded_easypost_purchase_is_a_label": ("easypost/shipments-buy.json",),
    "test_a_recorded_easypost_refund_is_not_decided_yet": ("easypost/shipping-refund-refund.json",),
    "test_a_recorded_easypost_tracker_is_read_by_its_own_times": ("easypost/trackers-create.json",),
    "test_a_recorded_easypost_event_is_read_oldest_first": EVENTS,
    "test_offers_of_a_recorded_shippo_shipment_are_read": ("shippo/shipment_rates.json",),
    "test_a_recorded_shippo_purchase_is_queued_and_remembered": ("shippo/label_purchase.json",),
    "test_a_recorded_shippo_parcel_is_read_by_its_own_times": ("shippo/track_status.json",),
    "test_tracking_of_a_carrier_itself_is_no_event_of_ours": OTHERS,
}


def raw(name: str) -> bytes:
    return shared(f"{FOLDER}/{name}").read_bytes()


def recorded(name: str) -> Any:
    return json.loads(raw(name))


def client(kind: str, jobs: JobsInMemory, *answers: Any) -> Any:
    """A client whose calls are answered with these bodies, one after the other."""
    left = list(answers)

    def wire(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, json.dumps(left.pop(0)).encode())

    return carrier_class(kind)(wire, {}, {"api_key": "k"}, jobs, 1_000_000, Unlimited())


def test_offers_of_a_recorded_easypost_shipment_are_read() -> None:
    shipment = recorded("easypost/shipments-create.json")
    rates = client("easypost", JobsInMemory(), shipment).rates(WISH)
    assert [(rate.carrier, rate.service, rate.amount_minor, rate.currency, rate.days) for rate in rates] == [
        ("USPS", "Express", 5120, "USD", 2),
        ("USPS", "Priority", 1101, "USD", 2),
        ("USPS", "GroundAdvantage", 820, "USD", 3),
    ]
    assert {rate.refs["shipment_id"] for rate in rates} == {shipment["id"]}
    assert [rate.refs["rate_id"] for rate in rates] == [offer["id"] for offer in shipment["rates"]]


def test_a_recorded_easypost_purchase_is_a_label() -> None:
    bought = recorded("easypost/shipments-buy.json")
    unbought = bought | {"postage_label": None, "selected_rate": None, "tracking_code": None}
    offer = Rate("USPS", "GroundAdvantage", 820, "USD", 3, {"rate_id": "r", "shipment_id": bought["id"]})
    label = client("easypost", JobsInMemory(), unbought, bought).buy(WISH, offer)
    url = bought["postage_label"]["label_url"]
    number = "9434600208303109842228"
    assert label == Label("USPS", "GroundAdvantage", number, 820, "USD", url, {"shipment_id": bought["id"]})


def test_a_recorded_easypost_refund_is_not_decided_yet() -> None:
    refund = recorded("easypost/shipping-refund-refund.json")
    label = Label("USPS", "Priority", "1", 1101, "USD", "https://x.example", {"shipment_id": refund["id"]})
    before = refund | {"refund_status": None}
    assert client("easypost", JobsInMemory(), before, refund).void(label) is False
    assert client("easypost", JobsInMemory(), refund | {"refund_status": "refunded"}).void(label) is True
    assert client("easypost", JobsInMemory(), refund | {"refund_status": "a new word"}).void(label) is False


def test_a_recorded_easypost_tracker_is_read_by_its_own_times() -> None:
    events = tracker_events(parse(raw("easypost/trackers-create.json")))
    assert [(event.status, event.at_ms) for event in events] == [
        ("label_created", 1_744_231_217_000),
        ("label_created", 1_744_276_637_000),
    ]
    assert {(event.tracking_number, event.carrier) for event in events} == {("EZ1000000001", "USPS")}


@pytest.mark.parametrize("name", EVENTS)
def test_a_recorded_easypost_event_is_read_oldest_first(name: str) -> None:
    event = recorded(name)
    events = tracking_reader("easypost")(raw(name))
    assert events[0].status == "label_created"
    assert events[-1].status == event["result"]["status"]
    assert len(events) == len(event["result"]["tracking_details"])
    event["result"]["tracking_details"].reverse()
    assert tracking_reader("easypost")(json.dumps(event).encode()) == events
    event["description"] = "batch.updated"
    assert tracking_reader("easypost")(json.dumps(event).encode()) == ()


def test_offers_of_a_recorded_shippo_shipment_are_read() -> None:
    calls = recorded("shippo/shipment_rates.json")
    made = next(call["response"] for call in calls if (call["method"], call["path"]) == ("POST", "/shipments/"))
    rates = client("shippo", JobsInMemory(), made).rates(WISH)
    assert len(rates) == len(made["rates"]) == 22
    assert (rates[0].carrier, rates[0].service, rates[0].amount_minor, rates[0].days) == (
        "FedEx",
        "fedex_ground",
        1305,
        1,
    )
    assert rates[0].refs == {"rate_id": made["rates"][0]["object_id"]}


def test_a_recorded_shippo_purchase_is_queued_and_remembered() -> None:
    calls = recorded("shippo/label_purchase.json")
    queued = next(call["response"] for call in calls if urlsplit(call["path"]).path == "/transactions/")
    jobs = JobsInMemory()
    offer = Rate("FedEx", "fedex_2_day", 2273, "USD", 4, {"rate_id": queued["rate"]})
    with pytest.raises(Busy):
        client("shippo", jobs, queued).buy(WISH, offer)
    done = queued | {"status": "SUCCESS", "tracking_number": "794", "label_url": "https://files.example/" + "x" * 400}
    label = client("shippo", jobs, done).buy(WISH, offer)
    assert (label.tracking_number, label.amount_minor, label.file_url) == ("794", 2273, done["label_url"])
    assert label.refs == {"transaction_id": queued["object_id"], "rate_id": queued["rate"]}


def test_a_recorded_shippo_parcel_is_read_by_its_own_times() -> None:
    (call,) = recorded("shippo/track_status.json")
    track = call["response"]
    events = client("shippo", JobsInMemory(), track).track(track["tracking_number"], "USPS")
    assert len(events) == len(track["tracking_history"])  # the present status is the last of the history
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    assert (events[0].status, events[-1].status) == ("unknown", "delivered")
    assert events[-1].at_ms == 1_481_210_340_000
    told = {"event": "track_updated", "test": True, "data": track}
    assert tracking_reader("shippo")(json.dumps(told).encode()) == tuple(events)
    assert tracking_reader("shippo")(json.dumps(told | {"event": "transaction_updated"}).encode()) == ()


@pytest.mark.parametrize("name", OTHERS)
def test_tracking_of_a_carrier_itself_is_no_event_of_ours(name: str) -> None:
    for kind in ("easypost", "shippo"):
        assert tracking_reader(kind)(raw(name)) == ()
