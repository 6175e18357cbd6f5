"""Money that the channel has given back, whoever asked for it, and returns that are first heard of late."""

from __future__ import annotations

import pytest

from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import funding, outstanding_minor, stage
from chalicelib.domain.orders import Order, refunded_minor
from tests.factories import entered, fact, line
from tests.turns import after, last_move, outcome, promised, secured, settled, shipped, units


def out() -> Order:
    return shipped(promised(secured(fact(line(quantity=2)))), 2)


def test_a_refund_made_at_the_channel_is_known_here_and_counts_once() -> None:
    order = after(shipped(promised(secured())), "refunds_seen", total_minor=200)
    assert (refunded_minor(order.state), outstanding_minor(order.state)) == (200, 300)
    assert (last_move(order), funding(order.state)) == ("refunds_seen", "partly_refunded")
    assert outcome(order, "refunds_seen", total_minor=200) is None
    assert outcome(order, "refunds_seen", total_minor=150) is None


def test_a_refund_of_ours_is_part_of_what_the_channel_says() -> None:
    order = after(after(settled(), "refund", refund_id="f1", amount_minor=200), "refund_outcome", refund_id="f1")
    assert outcome(order, "refunds_seen", total_minor=200) is None
    assert refunded_minor(after(order, "refunds_seen", total_minor=250).state) == 250


def test_a_refund_that_the_channel_tells_of_before_it_answers_us_counts_once() -> None:
    order = after(after(settled(), "refund", refund_id="f1", amount_minor=200), "refunds_seen", total_minor=200)
    assert refunded_minor(after(order, "refund_outcome", refund_id="f1").state) == 200


def test_a_refund_that_is_heard_of_before_its_payment_is_not_cut() -> None:
    order = after(entered(fact(payment=Payment(authorised_minor=500))), "refunds_seen", total_minor=200)
    assert (refunded_minor(order.state), order.state.payment.captured_minor, order.state.holds) == (200, 200, ())


def test_more_than_was_collected_is_for_a_person_to_see_and_never_booked() -> None:
    order = after(settled(), "refunds_seen", total_minor=700)
    assert refunded_minor(order.state) == 500
    assert [hold.reason for hold in order.state.holds] == ["refund_mismatch"]
    assert outcome(order, "refunds_seen", total_minor=700) is None


def test_a_mismatch_that_somebody_has_looked_at_comes_back_only_with_another_amount() -> None:
    order = after(after(settled(), "refunds_seen", total_minor=700), "resolve", reason="refund_mismatch")
    assert outcome(order, "refunds_seen", total_minor=700) is None
    assert after(order, "refunds_seen", total_minor=800).state.holds


def sent_back(order: Order, refund_id: str = "f1") -> Order | None:
    found = outcome(order, "refund_sent_back", refund_id=refund_id, amount_minor=200, currency="EUR")
    return found.order if found else None


def test_a_refund_that_the_bank_sends_back_is_still_owed_and_for_a_person_to_pay() -> None:
    refunded = after(after(settled(), "refund", refund_id="f1", amount_minor=200), "refund_outcome", refund_id="f1")
    order = sent_back(refunded)
    assert order
    assert [(hold.reason, "f1 of 2.00 EUR" in hold.detail) for hold in order.state.holds] == [
        ("refund_sent_back", True)
    ]
    assert refunded_minor(order.state) == 200
    assert sent_back(order) is None
    assert sent_back(after(order, "resolve", reason="refund_sent_back")) is None


@pytest.mark.parametrize("ended", [{}, {"failure": "no_account"}])
def test_a_refund_of_ours_that_is_pending_or_known_to_have_failed_holds_nothing(ended: dict[str, str]) -> None:
    order = after(settled(), "refund", refund_id="f1", amount_minor=200)
    assert sent_back(after(order, "refund_outcome", refund_id="f1", **ended) if ended else order) is None


def test_tax_in_a_refund_counts_only_where_the_total_holds_it() -> None:
    with_tax = settled_with_tax()
    assert refunded_minor(after(with_tax, "refunds_seen", total_minor=60, tax_minor=10).state) == 60
    assert refunded_minor(after(settled(), "refunds_seen", total_minor=60, tax_minor=10).state) == 50


def settled_with_tax() -> Order:
    return shipped(promised(secured(fact(line(unit_minor=100, tax_minor=20)))))


def test_refunds_in_another_currency_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        outcome(settled(), "refunds_seen", total_minor=200, currency="USD")
    assert refused.value.reason == "currency_mismatch"


@pytest.mark.parametrize(
    ("before", "moves"),
    [([], ["request_return", "approve_return"]), (["request"], ["approve_return"])],
)
def test_a_return_first_heard_of_late_takes_its_missing_steps_with_it(before: list[str], moves: list[str]) -> None:
    order = out()
    for step in before:
        order = after(order, "return", return_id="r", step=step, lines=units("l1", 1))
    known = len(order.state.timeline)
    order = after(order, "return", return_id="r", step="approve", through=["request"], lines=units("l1", 1))
    assert [each.move for each in order.state.timeline[known:]] == moves
    assert (order.state.returns["r"].status, stage(order)) == ("approved", "settlement")
    assert outcome(order, "return", return_id="r", step="approve", through=["request"], lines=units("l1", 1)) is None


def test_a_return_that_was_declined_at_once_is_declined() -> None:
    order = after(out(), "return", return_id="r", step="decline", through=["request"], lines=units("l1", 1))
    assert order.state.returns["r"].status == "declined"


def test_a_channels_older_word_does_not_take_a_return_back() -> None:
    order = after(out(), "return", return_id="r", step="receive", location="main", lines=units("l1", 1))
    assert outcome(order, "return", return_id="r", step="approve", through=["request"], lines=units("l1", 1)) is None


def test_goods_are_received_by_the_warehouse_only() -> None:
    with pytest.raises(AssertionError):
        outcome(out(), "return", return_id="r", step="receive", through=["request"], lines=units("l1", 1))
