"""Money taken, given free and given back at the stand-in of Stripe: once, whatever gets lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.signatures import verify_stripe
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.stripe.events import read_event
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from local.marketplaces.faults import FaultDie, Faults
from local.processors.stripe import Stripe
from tests.contract.stripe_account import Account, answering

WISH = CaptureRequest("capture-1", 700, "EUR")


@pytest.fixture
def account() -> Account:
    return Account()


def authorised(account: Account, amount: int = 900, **more: Any) -> str:
    return account.stripe.authorise(amount, "EUR", "storefront:1001", **more)


def captured(account: Account, amount: int = 900) -> str:
    reference = authorised(account, amount)
    account.client().capture(reference, CaptureRequest("capture-1", amount, "EUR"))
    return reference


def categories(account: Account) -> list[str]:
    return [each.category for each in account.stripe.books.bookings.values()]


@pytest.mark.parametrize("days", [0, 2])
def test_a_lost_answer_to_a_capture_ends_in_one_capture(account: Account, days: int) -> None:
    """After two days Stripe has forgotten the key: the payment itself remembers."""
    reference = authorised(account)
    account.lose_post()
    with pytest.raises(Busy):
        account.client().capture(reference, WISH)
    account.later(days=days)
    assert [account.client().capture(reference, WISH) for _ in range(2)] == [700, 700]
    assert account.stripe.books.intents[reference].captures == [700]


def test_a_lost_answer_to_a_void_ends_in_one_void(account: Account) -> None:
    reference = authorised(account)
    account.lose_post()
    with pytest.raises(Busy):
        account.client().void(reference)
    account.later(days=2)
    account.client().void(reference)
    assert account.stripe.books.intents[reference].status == "canceled"
    assert [request.method for request in account.sent].count("POST") == 1


@pytest.mark.parametrize("days", [0, 2])
def test_a_lost_answer_to_a_refund_ends_in_one_refund(account: Account, days: int) -> None:
    reference = captured(account)
    account.lose_post()
    with pytest.raises(Busy):
        account.client().refund(reference, "refund-1", 300, "EUR", "damaged")
    account.later(days=days)
    assert [account.client().refund(reference, "refund-1", 300, "EUR", "damaged") for _ in range(2)] == [True, True]
    assert account.stripe.books.refunded(account.stripe.books.intents[reference]) == 300
    assert account.client().refund(reference, "refund-2", 300, "EUR", "requested_by_customer")
    assert account.client().payment(reference).refunded_minor == 600


def test_the_same_names_in_two_orders_are_two_wishes(account: Account) -> None:
    references = [authorised(account), authorised(account)]
    assert [account.client().capture(each, WISH) for each in references] == [700, 700]
    assert all(account.client().refund(each, "refund-1", 200, "EUR", "") for each in references)
    payments = [account.client().payment(each) for each in references]
    assert [(each.captured_minor, each.refunded_minor) for each in payments] == [(700, 200)] * 2


def test_every_call_gets_through_a_mean_stripe_and_has_one_effect() -> None:
    account = Account(Stripe(FaultDie(Faults(throttled=0.2, unavailable=0.2, answer_lost=0.3))))

    def do(call: Any) -> Any:
        for _ in range(100):
            try:
                return call(account.client())
            except Busy:
                account.later(hours=1)
        raise AssertionError("it never got through")

    for _ in range(5):
        reference, free = authorised(account), authorised(account)
        assert do(lambda client, at=reference: client.capture(at, WISH)) == 700
        assert do(lambda client, at=reference: client.refund(at, "refund-1", 100, "EUR", "")) is True
        do(lambda client, at=free: client.void(at))
    intents = account.stripe.books.intents.values()
    assert [each.captures for each in intents] == [[700], []] * 5
    assert [each.status for each in intents] == ["succeeded", "canceled"] * 5
    assert categories(account).count("refund") == 5


def test_a_payment_is_told_as_it_stands(account: Account) -> None:
    reference = authorised(account)
    expires_ms = int((account.stripe.now + timedelta(days=7)).timestamp()) * 1000
    assert account.client().payment(reference) == Payment(authorised_minor=900, expires_ms=expires_ms)
    account.client().capture(reference, WISH)
    assert account.client().payment(reference) == Payment(authorised_minor=700, captured_minor=700)


def test_an_authorisation_lapses_when_nobody_takes_it(account: Account) -> None:
    reference = authorised(account)
    account.later(days=7)
    payment = account.client().payment(reference)
    assert (payment.lapsed, payment.captured_minor, payment.authorised_minor) == (True, 0, 900)
    with pytest.raises(Refused, match="not_capturable"):
        account.client().capture(reference, WISH)
    account.client().void(reference)


def test_what_was_captured_cannot_be_given_free(account: Account) -> None:
    reference = captured(account)
    with pytest.raises(Refused, match="already_captured"):
        account.client().void(reference)


def test_a_card_that_takes_one_capture_is_not_captured_in_part_for_later(account: Account) -> None:
    wish = CaptureRequest("capture-1", 300, "EUR", final=False)
    with pytest.raises(Refused, match="no_multicapture"):
        account.client().capture(authorised(account), wish)
    reference = authorised(account, takes_many=True)
    assert account.client().capture(reference, wish) == 300
    assert account.client().payment(reference).authorised_minor == 900
    assert account.client().capture(reference, CaptureRequest("capture-2", 500, "EUR")) == 500
    assert account.stripe.books.intents[reference].captures == [300, 500]
    assert account.client().capture(reference, wish) == 300


def test_a_pending_refund_ends_as_the_bank_says(account: Account) -> None:
    reference = captured(account)
    account.stripe.refunds_are_pending = True
    assert account.client().refund(reference, "refund-1", 300, "EUR", "") is False
    assert account.client().payment(reference).refunded_minor == 300
    account.later(hours=1)
    assert account.client().refund(reference, "refund-1", 300, "EUR", "") is True
    account.stripe.refunds_end = "failed"
    assert account.client().refund(reference, "refund-2", 100, "EUR", "") is False
    account.later(hours=1)
    with pytest.raises(Refused, match="refund_failed"):
        account.client().refund(reference, "refund-2", 100, "EUR", "")
    assert account.client().payment(reference).refunded_minor == 300


def test_more_than_was_paid_is_not_given_back(account: Account) -> None:
    with pytest.raises(Refused, match="amount_too_large"):
        account.client().refund(captured(account), "refund-1", 901, "EUR", "")


def test_another_currency_than_the_payments_moves_nothing(account: Account) -> None:
    reference = captured(account)
    with pytest.raises(Refused, match="currency_mismatch"):
        account.client().refund(reference, "refund-1", 100, "USD", "")
    with pytest.raises(Refused, match="currency_mismatch"):
        account.client().capture(authorised(account), CaptureRequest("capture-1", 100, "USD"))


def test_one_key_with_another_wish_is_refused_by_stripe(account: Account) -> None:
    wire = account.client()._wire
    path = f"/v1/payment_intents/{authorised(account)}/capture"
    wire.post(path, {"amount_to_capture": 700}, "one key")
    assert wire.post(path, {"amount_to_capture": 700}, "one key").text("status") == "succeeded"
    with pytest.raises(Refused, match="idempotency_error"):
        wire.post(path, {"amount_to_capture": 600}, "one key")


ERRORS = [
    (401, {}, Unauthorised),
    (402, {}, Refused),
    (404, {}, Refused),
    (409, {}, Busy),
    (429, {"retry-after": "7"}, Busy),
    (500, {}, Busy),
    (503, {}, Busy),
    (400, {"stripe-should-retry": "true"}, Busy),
]


@pytest.mark.parametrize(("status", "headers", "kind"), ERRORS)
def test_each_error_means_what_stripe_says(status: int, headers: dict[str, str], kind: type[Exception]) -> None:
    error = {"error": {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "Jo's"}}
    with pytest.raises(kind) as raised:
        answering(status, error, headers).payment("pi_1")
    assert type(raised.value) is kind or kind is Refused
    assert not isinstance(raised.value, Unauthorised) or status == 401
    assert "card_declined/lost_card" in str(raised.value)
    assert "Jo's" not in str(raised.value)


def test_stripe_says_when_to_come_again() -> None:
    with pytest.raises(Busy) as raised:
        answering(429, {}, {"retry-after": "7"}).payment("pi_1")
    assert raised.value.after_s == 7
    with pytest.raises(Busy) as raised:
        answering(500, {}, {"stripe-should-retry": "false"}).payment("pi_1")
    assert raised.value.after_s >= 60


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": {}}'])
def test_a_success_that_is_no_object_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Busy):
        answering(200, body).payment("pi_1")


def test_a_wrong_key_is_for_a_person(account: Account) -> None:
    reference = authorised(account)
    client = StripeClient(account.wire, {}, {"api_key": "rk_revoked"}, 0)
    with pytest.raises(Unauthorised):
        client.capture(reference, WISH)
    assert account.stripe.books.intents[reference].captures == []


def test_webhooks_are_signed_and_say_what_they_are_about(account: Account) -> None:
    reference = captured(account)
    dispute_id = account.stripe.dispute(reference, 900)
    account.client().payment(reference)
    told = {}
    for delivery in account.later(seconds=1):
        now_s = int(account.stripe.now.timestamp())
        verify_stripe(delivery.body, delivery.headers["Stripe-Signature"], [account.stripe.secret], now_s)
        event = read_event(delivery.body)
        assert event
        told[event.name] = (event.kind, event.object_id, event.payment, event.order_id)
    paid = ("payment", reference, reference, "storefront:1001")
    assert told == {
        "payment_intent.amount_capturable_updated": paid,
        "payment_intent.succeeded": paid,
        "charge.dispute.created": ("dispute", dispute_id, reference, ""),
    }


def test_the_stand_in_goes_on_from_what_it_saved(account: Account, tmp_path: Path) -> None:
    reference = captured(account)
    account.stripe.save(tmp_path / "stripe.json")
    again = Account(Stripe(start=account.stripe.now))
    again.stripe.load(tmp_path / "stripe.json")
    assert again.client().payment(reference) == account.client().payment(reference)
    assert again.stripe.books == account.stripe.books
