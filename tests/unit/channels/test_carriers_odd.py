"""Answers and webhooks of carriers that are not as they should be, and the secrets that guard the door."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carriers import carrier_class, tracking_reader
from chalicelib.channels.easypost.notifications import tracker_events
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.shippo.notifications import track_events
from chalicelib.channels.signatures import verify_easypost, verify_token
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, Forged, HeadraceError, Unreadable
from chalicelib.domain.parcels import TRACKING
from tests.contract.carrier_desks import KINDS, RECIPIENT, WISH
from tests.shared_data import shared

AT = "2026-01-05T09:00:00Z"
AT_MS = 1_767_603_600_000
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def client(kind: str, body: Any, status: int = 200) -> Any:
    def wire(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status, {}, json.dumps(body).encode())

    return carrier_class(kind)(wire, {}, {"api_key": "k"}, JobsInMemory(), 1_000_000, Unlimited())


@pytest.mark.parametrize("secrets", [[], [""], [" "]])
def test_nobody_is_let_in_by_an_empty_secret(secrets: list[str]) -> None:
    for check in (lambda: verify_easypost(b"", "", secrets), lambda: verify_token("", secrets)):
        with pytest.raises(Forged) as forged:
            check()
        assert forged.value.reason == "no_secret"


def test_a_token_is_taken_whole_or_not_at_all() -> None:
    verify_token("geheim-ü", ["old", "geheim-ü"])
    for wrong in ("", "geheim", "geheim-ü ", "Geheim-ü", "old, geheim-ü"):
        with pytest.raises(Forged):
            verify_token(wrong, ["old", "geheim-ü"])


@pytest.mark.parametrize("word", ["composed \u00e9", "composed e\u0301"])
def test_a_secret_is_the_same_in_either_unicode_form(word: str) -> None:
    header = "hmac-sha256-hex=" + hmac.digest("composed e\u0301".encode(), b"{}", "sha256").hex()
    verify_easypost(b"{}", header, [word])


def test_every_status_has_a_neutral_word_and_an_unknown_one_is_unknown() -> None:
    easypost = "unknown pre_transit in_transit out_for_delivery delivered available_for_pickup return_to_sender"
    words = {*easypost.split(), "failure", "cancelled", "error"}
    found = {}
    for word in [*words, "levitating"]:
        detail = {"status": word, "datetime": AT}
        (event,) = tracker_events(Node({"tracking_code": "1", "tracking_details": [detail]}))
        found[word] = event.status
    assert found["levitating"] == found["unknown"] == "unknown"
    assert {word for word, status in found.items() if status == "unknown"} == {"levitating", "unknown"}
    assert set(found.values()) == set(TRACKING)


def test_every_status_of_shippos_own_list_has_a_neutral_word() -> None:
    words = json.loads(shared("specs/carriers/shippo-enums.json").read_text())["trackingstatusenum"]
    found = {}
    for word in [*words, "LEVITATING"]:
        track = {"tracking_number": "1", "tracking_status": {"status": word, "status_date": AT}}
        (event,) = track_events(Node(track))
        found[word] = event.status
    assert {word for word, status in found.items() if status == "unknown"} == {"UNKNOWN", "LEVITATING"}
    assert found["RETURNED"] == "return_to_sender"
    substatus = {"status": "TRANSIT", "status_date": AT, "substatus": {"code": "out_for_delivery"}}
    (event,) = track_events(Node({"tracking_number": "1", "tracking_status": substatus}))
    assert (event.status, event.detail, event.at_ms) == ("out_for_delivery", "out_for_delivery", AT_MS)


def test_a_present_status_that_no_report_tells_is_told() -> None:
    detail = {"status": "pre_transit", "datetime": AT}
    tracker = {"tracking_code": "1", "status": "cancelled", "updated_at": "2026-01-06T09:00:00Z"}
    events = tracker_events(Node(tracker | {"tracking_details": [detail, {"status": "delivered", "datetime": None}]}))
    assert [event.status for event in events] == ["label_created", "cancelled"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_webhook_that_cannot_be_read_is_refused(kind: str) -> None:
    named = {"description": "tracker.updated", "result": {}, "event": "track_updated", "data": {}}
    for body in (b"", b"[]", b"{", json.dumps(named).encode()):
        with pytest.raises(Unreadable):
            tracking_reader(kind)(body)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["tracking_details", "tracking_history"]), junk), junk)
def test_odd_webhooks_never_crash(kind: str, parts: dict[str, Any], status: Any) -> None:
    place = {"tracking_code": "1", "tracking_number": "1", "status": status, "tracking_status": status, **parts}
    body = {"description": "tracker.updated", "event": "track_updated", "result": place, "data": place}
    try:
        events = tracking_reader(kind)(json.dumps(body).encode())
    except Unreadable:
        return
    assert {event.status for event in events} <= set(TRACKING)


@given(st.sampled_from(KINDS), junk)
def test_odd_answers_end_in_an_error_of_our_own(kind: str, body: Any) -> None:
    for ask in (lambda: client(kind, body).rates(WISH), lambda: client(kind, body).check_address(RECIPIENT)):
        try:
            ask()
        except HeadraceError:
            continue


@pytest.mark.parametrize("kind", KINDS)
def test_an_offer_that_cannot_be_read_does_not_hide_the_others(kind: str) -> None:
    good = {"id": "r", "object_id": "r", "carrier": "C", "provider": "C", "service": "S", "currency": "EUR"}
    good |= {"servicelevel": {"token": "S"}, "rate": "1.50", "amount": "1.50", "delivery_days": "soon", "days": None}
    odd = [good | {"currency": "?"}, good | {"rate": None, "amount": None}, good | {"rate": "x", "amount": "x"}]
    (rate,) = client(kind, {"id": "s", "object_id": "s", "rates": [*odd, good]}).rates(WISH)
    assert (rate.amount_minor, rate.currency, rate.days) == (150, "EUR", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_does_not_check_an_address_holds_no_parcel_back(kind: str) -> None:
    verdict = client(kind, {"id": "a", "verifications": {}, "validation_results": {}}).check_address(RECIPIENT)
    assert (verdict.deliverable, verdict.why) == (True, "not_checked")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_cannot_answer_is_busy(kind: str, status: int) -> None:
    with pytest.raises(Busy):
        client(kind, {}, status).rates(WISH)


def test_shippo_that_is_still_asking_carriers_is_busy() -> None:
    with pytest.raises(Busy):
        client("shippo", {"object_id": "s", "status": "QUEUED", "rates": []}).rates(WISH)
