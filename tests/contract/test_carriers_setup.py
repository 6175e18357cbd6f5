"""The account itself at EasyPost and Shippo: carriers, and webhooks that are made once."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.errors import Busy, Refused, Unauthorised
from tests.contract.carrier_desks import KINDS, Counter, counter
from tests.shared_data import shared

URL = "https://oms.example/webhooks/carrier"


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest) -> Counter:
    return counter(request.param)


def test_an_answer_that_was_lost_ends_in_one_webhook(at: Counter) -> None:
    at.lose = lambda request: request.method == "POST"
    with pytest.raises(Busy):
        at.client().ensure_webhook(URL, "a secret")
    assert at.client().ensure_webhook(URL, "a secret") == "kept"
    assert len(at.desk.state.hooks) == 1


def test_the_webhook_of_somebody_else_stays(at: Counter) -> None:
    at.client().ensure_webhook("https://other.example/hook", "theirs")
    before = [dict(each) for each in at.desk.state.hooks.values()]
    assert at.client().ensure_webhook(URL, "ours") == "created"
    assert [dict(each) for each in at.desk.state.hooks.values()][:1] == before


def test_its_carriers_are_told_by_name(at: Counter) -> None:
    assert list(at.client().carriers()) == ["USPS", "UPS"]


def test_easypost_shows_its_carriers_to_no_test_key() -> None:
    at = counter("easypost")
    at.desk.api_key = "EZTK1"
    with pytest.raises(Unauthorised):
        at.client().carriers()


def test_shippo_is_asked_for_an_event_that_it_has_and_one_for_all_of_them_will_do() -> None:
    at = counter("shippo")
    at.client().ensure_webhook(URL, "a secret")
    (hook,) = at.desk.state.hooks.values()
    events = json.loads(shared("specs/carriers/shippo-enums.json").read_text())["webhookeventtypeenum"]
    assert hook["event"] in events
    hook["event"] = "all"
    assert at.client().ensure_webhook(URL, "a secret") == "kept"
    assert at.client().ensure_webhook(URL, "another secret") == "moved"
    (hook,) = at.desk.state.hooks.values()
    assert (hook["event"], hook["url"]) == ("all", f"{URL}?token=another%20secret")


def test_shippo_takes_no_address_of_200_characters() -> None:
    with pytest.raises(Refused, match="url_too_long"):
        counter("shippo").client().ensure_webhook(URL, "x" * 160)


def test_easypost_s_own_fixture_makes_a_webhook() -> None:
    fixture = json.loads(shared("specs/carriers/easypost-fixtures.json").read_text())["webhooks"]
    at = counter("easypost")
    assert at.client().ensure_webhook(fixture["url"], fixture["secret"]) == "created"
    assert json.loads(at.sent[-1].body) == {"webhook": {"url": fixture["url"], "webhook_secret": fixture["secret"]}}
