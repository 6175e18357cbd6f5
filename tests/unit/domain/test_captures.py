"""Authorised money: taken once when goods have left, given free when nothing will, never counted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.authorisation import CAPTURE_REFUSED, CAPTURE_SHORT, VOID_REFUSED
from chalicelib.domain.capture import decide_capture, decide_capture_outcome, decide_void_outcome
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.lifecycle import funding, is_funded, outstanding_minor, stage, work_due
from chalicelib.domain.orders import Capture, Order
from chalicelib.store.codec import decode_state, encode_state, pack, unpack
from tests.factories import T0_MS, entered, fact, line
from tests.turns import after, last_move, promised, secured, shipped

DAY_MS = 86_400_000
PAY = Payment(authorised_minor=1000, expires_ms=T0_MS + 7 * DAY_MS, captor="stripe", reference="pi_1")


def authorised(**more: Any) -> Order:
    return secured(fact(line(quantity=2), payment=replace(PAY, **more)))


def asked(order: Order) -> Order:
    assert work_due(order) == "funding"
    wished = decide_capture(order, T0_MS)
    assert wished
    return wished


def taken(order: Order, minor: int, failure: str = "") -> Order:
    done = decide_capture_outcome(order, "capture-1", minor, failure, T0_MS)
    assert done
    return done


def test_nothing_is_taken_before_anything_has_left() -> None:
    for order in (authorised(), promised(authorised())):
        assert decide_capture(order, T0_MS) is None
    with pytest.raises(AssertionError, match="before anything has left"):
        authorised().having(captures={"capture-1": Capture(1, authorised_minor=1000)})


def test_the_first_parcel_takes_all_that_the_order_costs_once() -> None:
    order = asked(shipped(promised(authorised()), 1))
    assert order.state.captures["capture-1"].amount_minor == 1000
    assert (decide_capture(order, T0_MS), last_move(order)) == (None, "capture")
    order = taken(order, 1000)
    assert (order.state.payment.captured_minor, funding(order.state)) == (1000, "captured")
    assert decide_capture_outcome(order, "capture-1", 1000, "", T0_MS) is None
    order = shipped(order, 1, "p2")
    assert (work_due(order), stage(order), outstanding_minor(order.state)) == ("", "settlement", 1000)


def test_an_unconfirmed_capture_keeps_the_order_open() -> None:
    order = asked(shipped(promised(authorised()), 2))
    assert stage(order) == "settlement"


def test_called_off_units_are_left_to_the_buyer_and_the_order_is_paid_all_the_same() -> None:
    order = after(promised(authorised()), "cancel", cancellation_id="c", lines=[{"line_id": "l1", "units": 1}])
    order = promised(order)
    order = asked(shipped(order, 1))
    assert order.state.captures["capture-1"].amount_minor == 500
    order = taken(order, 500)
    assert is_funded(order.state)
    assert (stage(order), work_due(order), outstanding_minor(order.state)) == ("settlement", "", 500)


def test_a_shop_that_captures_by_itself_is_asked_for_nothing() -> None:
    order = shipped(promised(authorised(captor="")), 2)
    assert (work_due(order), decide_capture(order, T0_MS)) == ("", None)


def test_money_is_taken_for_goods_that_have_left_though_the_order_is_on_hold() -> None:
    order = after(shipped(promised(authorised()), 1), "hold", reason="fraud")
    assert asked(order).state.captures


@pytest.mark.parametrize("word_first", [True, False])
def test_the_channels_word_about_the_same_money_counts_once(word_first: bool) -> None:
    order = asked(shipped(promised(authorised()), 2))
    paid = fact(line(quantity=2), version_ms=T0_MS + 1)
    order = taken(entered(paid, order), 1000) if word_first else entered(paid, taken(order, 1000))
    assert order.state.payment.captured_minor == 1000
    assert (order.state.payment.captor, order.state.payment.reference) == ("stripe", "pi_1")


def test_a_smaller_take_leaves_the_rest_to_a_person() -> None:
    order = taken(asked(shipped(promised(authorised()), 2)), 700)
    assert [hold.reason for hold in order.state.holds] == [CAPTURE_SHORT]
    assert order.state.payment.captured_minor == 700
    assert work_due(order) == ""


def test_a_refused_capture_is_held_and_asked_for_again_when_it_is_resolved() -> None:
    order = taken(asked(shipped(promised(authorised()), 2)), 0, "card_declined")
    (hold,) = order.state.holds
    assert (hold.reason, "card_declined" in hold.detail, order.state.payment.captured_minor) == (
        CAPTURE_REFUSED,
        True,
        0,
    )
    assert (work_due(order), stage(order), decide_capture(order, T0_MS)) == ("", "settlement", None)
    order = asked(after(order, "resolve", reason=CAPTURE_REFUSED))
    assert order.state.captures["capture-2"].status == "created"


def test_a_refusal_because_the_money_is_here_already_is_none() -> None:
    order = asked(shipped(promised(authorised()), 2))
    order = taken(entered(fact(line(quantity=2), version_ms=T0_MS + 1), order), 0, "captured already")
    assert (order.state.holds, order.state.captures["capture-1"].status) == ((), "confirmed")


def called_off() -> Order:
    return entered(fact(line(quantity=2), payment=PAY, version_ms=T0_MS + 1, cancelled=True), authorised())


def test_an_authorisation_that_nothing_will_ship_against_is_given_free() -> None:
    order = asked(called_off())
    assert (order.state.void, stage(order)) == ("wanted", "settlement")
    done = decide_void_outcome(order, "", T0_MS)
    assert done
    assert (done.state.void, done.state.payment.lapsed, stage(done), work_due(done)) == ("done", True, "cancelled", "")
    assert decide_void_outcome(done, "", T0_MS) is None


@pytest.mark.parametrize("told", [True, False])
def test_money_that_may_be_free_again_secures_nothing(told: bool) -> None:
    order = asked(called_off())
    order = (decide_void_outcome(order, "", T0_MS) if told else order) or order
    again = entered(fact(line(quantity=2), payment=PAY, version_ms=T0_MS + 2), order)
    again = decide_funding(again, T0_MS) or again
    assert not is_funded(again.state)
    anew = entered(fact(line(quantity=2), payment=replace(PAY, reference="pi_2"), version_ms=T0_MS + 3), again)
    anew = decide_funding(anew, T0_MS) or anew
    assert (is_funded(anew.state), anew.state.void) == (True, "")


def test_a_refused_void_is_for_a_person_to_see() -> None:
    order = decide_void_outcome(asked(called_off()), "it was captured", T0_MS)
    assert order
    assert [hold.reason for hold in order.state.holds] == [VOID_REFUSED]
    assert (stage(order), work_due(order)) == ("settlement", "")
    assert stage(after(order, "resolve", reason=VOID_REFUSED)) == "cancelled"


def test_nothing_is_given_free_while_something_has_left() -> None:
    order = shipped(promised(authorised()), 1)
    order = promised(after(order, "cancel", cancellation_id="c", lines=[]))
    assert asked(order).state.void == ""


def test_an_authorisation_that_ends_soon_is_looked_at_a_day_before() -> None:
    order = promised(authorised(expires_ms=T0_MS + int(1.5 * DAY_MS)))
    assert order.state.due_ms == T0_MS + DAY_MS // 2


def test_captures_are_kept_and_older_items_can_be_read() -> None:
    state = taken(asked(shipped(promised(authorised()), 2)), 1000).state
    state = replace(state, void="failed")
    beside = {"version": state.version, "since_ms": state.since_ms, "due_ms": state.due_ms}
    assert decode_state(unpack(pack(encode_state(state))), **beside) == state
    older = encode_state(authorised(captor="", reference="").state)
    assert len(older) <= 22 and len(older[3]) <= 7  # noqa: PT018 as they were written before
    assert decode_state(older, version=1, since_ms=0, due_ms=0).captures == {}
