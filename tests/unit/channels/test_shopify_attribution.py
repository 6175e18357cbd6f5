from __future__ import annotations

from typing import Any

from tests.unit.channels.shopify_payloads import line, order, read
from tests.unit.channels.test_shopify_graphql_reader import graphql_order

FIRST = {
    "occurredAt": "2026-05-01T00:00:00Z",
    "landingPage": "https://shop.example/p?fbclid=IwX",
    "referrerUrl": "https://l.facebook.com/",
    "utmParameters": {"source": "fb", "medium": "paid", "campaign": "spring", "content": None, "term": None},
}
LAST: dict[str, Any] = {
    "occurredAt": "2026-05-04T00:00:00Z",
    "landingPage": "https://shop.example/",
    "referrerUrl": None,
    "utmParameters": None,
}


def polled(*, ready: bool, attributes: tuple[tuple[str, str], ...] = (), **visits: Any) -> Any:
    journey = {"ready": ready, "firstVisit": visits.get("first"), "lastVisit": visits.get("last")}
    notes = [{"key": key, "value": value} for key, value in attributes]
    return read({**graphql_order(), "customerJourneySummary": journey, "customAttributes": notes}).attribution


def test_a_webhook_body_tells_of_the_visit_and_the_cart_of_cookies_and_consent() -> None:
    notes = [{"name": "_fbp", "value": "fb.1.5.6"}, {"name": "_meta_consent", "value": "granted"}]
    found = read(order(line(), landing_site="/p?fbclid=IwX&utm_source=ig", note_attributes=notes)).attribution
    assert found
    assert (found.referral.source, found.referral.evidence, found.referral.consent) == ("instagram", "fbclid", True)
    assert found.fbp == "fb.1.5.6"
    assert found.fbc.endswith(".IwX")


def test_notes_that_are_no_text_say_nothing() -> None:
    notes = [{"name": "_fbp", "value": {"a": 1}}, {"name": 3, "value": "x"}, {"name": "_meta_consent", "value": True}]
    assert read(order(line(), note_attributes=notes)).attribution is None


def test_a_body_without_a_visit_has_no_attribution() -> None:
    assert read(order(line(), landing_site=None, referring_site="")).attribution is None


def test_a_polled_order_tells_of_its_first_and_last_visit() -> None:
    found = polled(ready=True, first=FIRST, last=LAST, attributes=(("_fbp", "fb.1.5.6"), ("_meta_consent", "granted")))
    told = found.referral
    assert (told.source, told.medium, told.campaign, told.evidence) == ("facebook", "paid", "spring", "fbclid")
    assert (told.consent, found.fbp, found.fbc) == (True, "fb.1.5.6", "fb.1.1777593600000.IwX")
    assert (found.first.referrer_host, found.last.host, found.last.fbclid) == ("l.facebook.com", "shop.example", "")


def test_a_journey_that_is_not_ready_says_nothing_yet() -> None:
    assert polled(ready=False, first=FIRST, last=LAST) is None
    assert polled(ready=True) is None
    assert read(graphql_order()).attribution is None
