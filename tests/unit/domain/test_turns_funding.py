"""Funding: what each word of the channel is good for, the authorisation's clock, reservations until money is sure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.authorisation import asks_expiry
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.holds import decide_overdue
from chalicelib.domain.lifecycle import RESERVE_MS, funding, is_funded, stage, work_due
from chalicelib.domain.orders import Order
from tests.factories import T0_MS, entered, fact, line
from tests.turns import after, last_move, outcome, plan, promised, secured

TWO = line(quantity=2)
HOUR_MS = 3_600_000
ENDS_MS = T0_MS + HOUR_MS
AUTHORISED = Payment(authorised_minor=1000, expires_ms=ENDS_MS)


def edited(order: Order, payment: Payment, at_ms: int = T0_MS + 1) -> Order:
    order = entered(fact(TWO, payment=payment, version_ms=at_ms), order, now_ms=at_ms)
    return decide_funding(order, at_ms) or order


@pytest.mark.parametrize(
    ("payment", "word", "secured_minor"),
    [
        (Payment(), "pending", 0),
        (Payment(awaited=True), "pending", 0),
        (AUTHORISED, "authorised", 1000),
        (Payment(captured_minor=1000), "captured", 1000),
        (Payment(captured_minor=400), "partly_captured", 400),
        (Payment(lapsed=True), "failed", 0),
        (Payment(authorised_minor=1000, lapsed=True), "expired", 0),
        (Payment(vouched=True), "vouched", 1000),
        (Payment(captured_minor=1000, refunded_minor=300), "partly_refunded", 1000),
        (Payment(captured_minor=1000, refunded_minor=1000), "refunded", 1000),
    ],
)
def test_each_word_of_the_channel_is_good_for_what_it_says(payment: Payment, word: str, secured_minor: int) -> None:
    order = secured(fact(TWO, payment=payment))
    assert (funding(order.state), order.state.secured_minor) == (word, secured_minor)
    assert is_funded(order.state) == (secured_minor == 1000)


def test_an_order_that_costs_nothing_needs_no_money() -> None:
    order = secured(fact(line(unit_minor=0), payment=Payment()))
    assert (funding(order.state), stage(order)) == ("free", "allocation")


@given(st.lists(st.sampled_from([Payment(), Payment(lapsed=True), Payment(captured_minor=1), AUTHORISED]), max_size=5))
def test_no_later_word_lowers_a_paid_order(words: list[Payment]) -> None:
    order = promised(secured(fact(TWO)))
    for n, payment in enumerate(words, start=1):
        order = edited(order, payment, T0_MS + n)
    assert (order.state.payment.captured_minor, order.state.secured_minor, stage(order)) == (1000, 1000, "shipping")


def test_an_authorisation_lapses_when_its_time_is_over_and_not_before() -> None:
    order = promised(secured(fact(TWO, payment=AUTHORISED)))
    assert order.state.due_ms == ENDS_MS
    assert decide_funding(order, ENDS_MS - 1) is None
    lapsed = decide_funding(order, ENDS_MS)
    assert lapsed is not None
    assert (last_move(lapsed), funding(lapsed.state), stage(lapsed)) == ("lapse", "expired", "funding")


def test_stock_of_a_lapsed_order_is_kept_as_long_as_a_reservation() -> None:
    lapsed = decide_funding(promised(secured(fact(TWO, payment=AUTHORISED))), ENDS_MS)
    assert lapsed is not None
    assert (lapsed.state.reserved_until_ms, lapsed.state.due_ms) == (ENDS_MS + RESERVE_MS, ENDS_MS + RESERVE_MS)
    assert plan(lapsed, now_ms=ENDS_MS + RESERVE_MS - 1) is None
    freed = promised(lapsed, now_ms=ENDS_MS + RESERVE_MS)
    assert (last_move(freed), freed.state.quantities[0].open) == ("expire", 2)


def test_what_was_captured_before_the_end_stays_secured() -> None:
    order = secured(fact(TWO, payment=Payment(authorised_minor=1000, captured_minor=400, expires_ms=ENDS_MS)))
    lapsed = decide_funding(order, ENDS_MS)
    assert lapsed is not None
    assert (lapsed.state.secured_minor, funding(lapsed.state)) == (400, "partly_captured")


def test_an_authorisation_that_was_captured_whole_has_no_clock() -> None:
    order = promised(
        secured(fact(TWO, payment=Payment(authorised_minor=1000, captured_minor=1000, expires_ms=ENDS_MS)))
    )
    assert order.state.due_ms > ENDS_MS
    assert decide_funding(order, ENDS_MS) is None


def test_a_payment_that_failed_and_then_came_is_promised_stock_again() -> None:
    order = promised(
        edited(promised(secured(fact(TWO, payment=Payment()))), Payment(lapsed=True)), now_ms=T0_MS + HOUR_MS
    )
    assert (funding(order.state), order.state.quantities[0].allocated) == ("failed", 0)
    paid = edited(order, Payment(captured_minor=1000), T0_MS + 2)
    assert work_due(paid) == "allocation"
    assert promised(paid).state.quantities[0].allocated == 2


def test_an_unpaid_order_gets_one_reservation_with_an_end() -> None:
    order = promised(secured(fact(TWO, payment=Payment())))
    assert (last_move(order), stage(order)) == ("reserve", "funding")
    assert order.state.due_ms == T0_MS + RESERVE_MS
    assert plan(order) is None
    free = promised(order, now_ms=T0_MS + RESERVE_MS)
    assert (last_move(free), free.state.quantities[0].open) == ("expire", 2)
    assert plan(free, now_ms=T0_MS + 2 * RESERVE_MS) is None


def test_a_reservation_becomes_firm_with_the_money_and_its_end_takes_nothing_back() -> None:
    paid = edited(promised(secured(fact(TWO, payment=Payment()))), Payment(captured_minor=1000))
    assert stage(paid) == "shipping"
    assert plan(paid, now_ms=T0_MS + RESERVE_MS) is None


def test_a_reservation_that_ends_after_its_location_has_rejected_it_frees_what_was_called_off() -> None:
    order = promised(secured(fact(TWO, payment=Payment())))
    order = after(after(order, "cancel", cancellation_id="c1"), "fulfilment", location="main", answer="reroute")
    assert (order.state.quantities[0].cancelled, stage(order)) == (2, "settlement")
    assert plan(order, now_ms=T0_MS + RESERVE_MS) is None


def test_a_dearer_order_stays_in_line_and_is_not_promised_more_until_it_is_paid() -> None:
    order = promised(secured(fact(TWO)), {"MUG": {"main": 1}})
    dearer = entered(fact(line(quantity=3), payment=Payment(captured_minor=1000), version_ms=T0_MS + 1), order)
    assert stage(dearer) == "funding"
    reserved = promised(dearer)
    assert last_move(reserved) == "reserve"
    assert (reserved.state.quantities[0].allocated, reserved.state.quantities[0].backordered) == (2, 1)


def test_money_that_was_given_back_had_been_captured_whatever_the_channel_says_later() -> None:
    order = after(secured(fact(TWO, payment=Payment(vouched=True))), "refund", refund_id="f1", amount_minor=800)
    order = after(order, "refund_outcome", refund_id="f1")
    order = edited(order, Payment())
    assert (order.state.payment.captured_minor, funding(order.state)) == (800, "refunded")


def test_a_refund_that_the_channel_pays_after_withdrawing_its_voucher_is_booked() -> None:
    order = after(secured(fact(TWO, payment=Payment(vouched=True))), "refund", refund_id="f1", amount_minor=800)
    order = after(edited(order, Payment()), "refund_outcome", refund_id="f1")
    assert (order.state.refunds["f1"].status, order.state.payment.captured_minor) == ("confirmed", 800)


def test_a_deadline_that_is_put_off_never_passes_the_next_clock() -> None:
    """The next one is the warning, a day before the authorisation ends."""
    order = secured(fact(TWO, payment=Payment(authorised_minor=400, expires_ms=T0_MS + 49 * HOUR_MS)))
    assert order.state.due_ms == T0_MS + 24 * HOUR_MS
    late = decide_overdue(order, order.state.due_ms)
    assert late is not None
    assert late.state.due_ms == T0_MS + 25 * HOUR_MS
    warned = decide_overdue(late, late.state.due_ms)
    assert warned is not None
    assert warned.state.due_ms == T0_MS + 49 * HOUR_MS


RECKONED_END = Payment(authorised_minor=1000, expires_ms=ENDS_MS, captor="stripe", reference="pi_1", expiry="reckoned")
LATER_MS = ENDS_MS + 48 * HOUR_MS


def told(order: Order, expires_ms: int, reference: str = "pi_1", now_ms: int = T0_MS) -> Order:
    return after(order, "expiry", now_ms, reference=reference, expires_ms=expires_ms)


def test_a_reckoned_end_is_asked_for_at_who_holds_the_money_and_a_told_one_is_not() -> None:
    assert asks_expiry(secured(fact(TWO, payment=RECKONED_END)).state)
    for other in ({"expiry": ""}, {"captor": "channel"}, {"captor": ""}, {"reference": ""}, {"captured_minor": 1000}):
        assert not asks_expiry(secured(fact(TWO, payment=replace(RECKONED_END, **other))).state)


@pytest.mark.parametrize("expires_ms", [ENDS_MS - HOUR_MS // 2, LATER_MS])
def test_the_end_that_was_read_is_the_clock_and_stays_when_the_shop_changes_the_order(expires_ms: int) -> None:
    order = told(secured(fact(TWO, payment=RECKONED_END)), expires_ms)
    assert (last_move(order), order.state.payment.expires_ms, asks_expiry(order.state)) == (
        "read_expiry",
        expires_ms,
        False,
    )
    assert outcome(order, "expiry", reference="pi_1", expires_ms=expires_ms + 1) is None
    order = edited(order, RECKONED_END, T0_MS + 1)
    assert (order.state.payment.expires_ms, asks_expiry(order.state)) == (expires_ms, False)
    assert decide_funding(order, expires_ms - 1) is None
    lapsed = decide_funding(order, expires_ms)
    assert lapsed
    assert last_move(lapsed) == "lapse"


def test_who_tells_no_end_leaves_the_reckoned_one_and_is_asked_once() -> None:
    order = edited(told(secured(fact(TWO, payment=RECKONED_END)), 0), RECKONED_END, T0_MS + 1)
    assert (order.state.payment.expires_ms, asks_expiry(order.state)) == (ENDS_MS, False)


def test_what_has_lapsed_by_our_reckoning_alone_stands_again() -> None:
    lapsed = decide_funding(secured(fact(TWO, payment=RECKONED_END)), ENDS_MS)
    assert lapsed
    assert asks_expiry(lapsed.state)
    order = told(lapsed, LATER_MS, now_ms=ENDS_MS)
    assert work_due(order) == "funding"
    order = decide_funding(order, ENDS_MS) or order
    assert (funding(order.state), order.state.secured_minor) == ("authorised", 1000)
    assert told(lapsed, ENDS_MS - 1, now_ms=ENDS_MS).state.payment.lapsed


def test_the_end_of_another_payment_is_nothing_to_this_one_and_a_new_payment_is_asked_after() -> None:
    order = secured(fact(TWO, payment=RECKONED_END))
    assert outcome(order, "expiry", reference="pi_0", expires_ms=LATER_MS) is None
    again = edited(told(order, LATER_MS), replace(RECKONED_END, reference="pi_2"), T0_MS + 1)
    assert (again.state.payment.expires_ms, asks_expiry(again.state)) == (ENDS_MS, True)
