from __future__ import annotations

from tests.unit.channels.shopify_payloads import line, order, read


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
