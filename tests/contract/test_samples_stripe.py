"""Every sample of Stripe is used: a table says by which test, and the test is there and reads it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.stripe.events import read_event
from chalicelib.channels.stripe.naming import Naming
from chalicelib.channels.stripe.seen import dispute_of
from chalicelib.channels.stripe.settlement import facts_of
from chalicelib.channels.stripe.wire import form
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Dispute
from tests.contract import test_stripe_signature_events
from tests.contract.stripe_account import answering
from tests.shared_data import shared

FOLDER = "samples/stripe"
EVENTS = tuple(f"events/{name}.json" for name in test_stripe_signature_events.KINDS)
PAYMENT_EVENTS = tuple(name for name in EVENTS if "payment_intent" in name)
UNASKED = ("balance", "checkout.session", "webhook_endpoint", "event")

# test -> files below samples/stripe/
USES: dict[str, tuple[str, ...]] = {
    "test_each_vector_is_taken_or_refused_as_it_says": ("signature-vectors.json",),
    "test_each_sample_event_points_at_what_it_is_about": EVENTS,
    "test_a_recorded_payment_is_read_before_and_after_its_capture": ("flows/authorize_then_capture.json",),
    "test_a_recorded_payment_in_one_step_is_paid": ("flows/charge_with_currency.json",),
    "test_a_payment_as_the_fixtures_have_it_is_awaited": ("objects/openapi-fixture.payment_intent.json",),
    "test_a_charge_as_the_fixtures_have_it_is_read_with_its_payment": ("objects/openapi-fixture.charge.json",),
    "test_a_transaction_as_the_fixtures_have_it_is_one_sale": ("objects/openapi-fixture.balance_transaction.json",),
    "test_a_refund_as_the_fixtures_have_it_is_done": ("objects/openapi-fixture.refund.json",),
    "test_a_payout_as_the_fixtures_have_it_is_read": ("objects/openapi-fixture.payout.json",),
    "test_a_dispute_as_the_fixtures_have_it_is_open": ("objects/openapi-fixture.dispute.json",),
    "test_what_tells_nothing_of_a_payment_is_left_alone": tuple(
        f"objects/openapi-fixture.{name}.json" for name in UNASKED
    ),
}


def recorded(name: str) -> Any:
    return json.loads((shared(FOLDER) / name).read_text())


def fixture(name: str) -> Any:
    return recorded(f"objects/openapi-fixture.{name}.json")


def intents_of(flow: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(call, PaymentIntent) of each answer that is one."""
    calls = recorded(f"flows/{flow}.json")
    return [(call, call["response"]) for call in calls if call["response"].get("object") == "payment_intent"]


def test_every_sample_is_used_and_none_is_invented() -> None:
    root = shared(FOLDER)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != "SOURCE.md"}
    assert files == {file for used in USES.values() for file in used}


def test_every_named_test_is_there() -> None:
    for test in USES:
        assert callable(globals().get(test) or getattr(test_stripe_signature_events, test, None)), test


def test_a_recorded_payment_is_read_before_and_after_its_capture() -> None:
    (_, before), (call, after) = intents_of("authorize_then_capture")
    expires_ms = before["latest_charge"]["payment_method_details"]["card"]["capture_before"] * 1000
    assert answering(200, before).payment(before["id"]) == Payment(authorised_minor=2900, expires_ms=expires_ms)
    assert answering(200, after).payment(after["id"]) == Payment(authorised_minor=2900, captured_minor=2900)
    sent: list[HttpRequest] = []

    def wire(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        return HttpResponse(200, {}, json.dumps(before if request.method == "GET" else after).encode())

    taken = StripeClient(wire, {}, {"api_key": "k"}, 0).capture(before["id"], CaptureRequest("c", 2900, "USD"))
    assert (taken, sent[-1].method, urlsplit(sent[-1].url).path) == (2900, call["method"], call["path"])
    (booking,) = [
        call["response"]["balance_transaction"]
        for call in recorded("flows/authorize_then_capture.json")
        if call["response"].get("object") == "charge"
    ]
    assert [(fact.kind, fact.amount_minor) for fact in facts_of(Node(booking), Naming())] == [
        ("sale", 2900),
        ("fee", -114),
    ]


def test_a_recorded_payment_in_one_step_is_paid() -> None:
    for _, intent in intents_of("charge_with_currency"):
        assert answering(200, intent).payment(intent["id"]) == Payment(authorised_minor=2900, captured_minor=2900)


def test_a_payment_as_the_fixtures_have_it_is_awaited() -> None:
    intent = fixture("payment_intent")
    assert answering(200, intent).payment(intent["id"]) == Payment(awaited=True)
    with pytest.raises(Refused, match="not_capturable"):
        answering(200, intent).capture(intent["id"], CaptureRequest("c", 100, "USD"))
    assert answering(200, intent | {"status": "a new word"}).payment(intent["id"]) == Payment()


def test_a_charge_as_the_fixtures_have_it_is_read_with_its_payment() -> None:
    charge = fixture("charge")
    held = fixture("payment_intent") | {"status": "requires_capture", "amount_capturable": 100, "latest_charge": charge}
    assert answering(200, held).payment(held["id"]) == Payment(authorised_minor=100)
    charge |= {"captured": True, "amount_captured": 100, "amount_refunded": 40}
    paid = held | {"status": "succeeded", "amount_capturable": 0, "amount_received": 100}
    assert answering(200, paid).payment(paid["id"]).refunded_minor == 40


def test_a_transaction_as_the_fixtures_have_it_is_one_sale() -> None:
    (fact,) = facts_of(Node(fixture("balance_transaction")), Naming())
    assert (fact.kind, fact.amount_minor, fact.currency, fact.status) == ("sale", 100, "USD", "released")


def test_a_refund_as_the_fixtures_have_it_is_done() -> None:
    refund, intent = fixture("refund"), fixture("payment_intent")
    for status, done in (("succeeded", True), ("pending", False), ("requires_action", False), ("a new word", False)):
        answers = [{"data": [], "has_more": False}, intent, refund | {"status": status}]
        client = StripeClient(_each(answers), {}, {"api_key": "k"}, 0)
        assert client.refund(intent["id"], "r1", 100, "USD", "") is done


def _each(answers: list[Any]) -> Any:
    left = iter(answers)
    return lambda _: HttpResponse(200, {}, json.dumps(next(left)).encode())


def test_a_payout_as_the_fixtures_have_it_is_read() -> None:
    payout, row = fixture("payout"), fixture("balance_transaction")
    own = row | {"id": "txn_2", "reporting_category": "payout", "amount": -1100, "net": -1100}
    lists = [{"data": [payout], "has_more": False}, {"data": [own, row], "has_more": False}]
    (read,) = StripeClient(_each(lists), {}, {"api_key": "k"}, 0).payouts(0)
    assert (read.payout_id, read.amount_minor, read.currency) == (payout["id"], 1100, "USD")
    assert [fact.fact_id for fact in read.facts] == [row["id"]]
    manual = [{"data": [payout | {"automatic": False}], "has_more": False}]
    assert list(StripeClient(_each(manual), {}, {"api_key": "k"}, 0).payouts(0)) == []


def test_a_dispute_as_the_fixtures_have_it_is_open() -> None:
    dispute = fixture("dispute")
    due_ms = dispute["evidence_details"]["due_by"] * 1000
    for status, ours in (("warning_needs_response", "open"), ("won", "won"), ("lost", "lost"), ("a new word", "open")):
        assert dispute_of(Node(dispute | {"status": status})) == Dispute(1000, ours, due_ms)
    assert answering(200, dispute | {"payment_intent": None}).seen(dispute["id"]) is None


@pytest.mark.parametrize("name", UNASKED)
def test_what_tells_nothing_of_a_payment_is_left_alone(name: str) -> None:
    about = fixture(name)
    event = about if name == "event" else {"id": "evt_1", "type": f"{about['object']}.created"}
    assert read_event(json.dumps({**event, "data": {"object": about}}).encode()) is None


def test_a_nested_body_is_written_as_the_recorded_calls_have_it() -> None:
    (call, _), *_ = intents_of("authorize_then_capture")
    expand = [value for name, value in (pair.split("=") for pair in call["form"].split("&")) if "expand" in name]
    assert form({"expand": expand}).replace("%5B", "[").replace("%5D", "]") in call["form"]
