"""Refunds as records before they are calls, disputes, and orders that are put away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.cancellation import decide_archive
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import ARCHIVE_AFTER_MS, funding, outstanding_minor, stage, unsent_refunds
from chalicelib.domain.orders import refunded_minor
from tests.factories import T0_MS, entered, fact
from tests.turns import after, last_move, outcome, paid_out, promised, secured, settled

DUE_MS = T0_MS + 3_600_000


def test_a_refund_is_a_record_before_it_is_a_call_and_keeps_the_order_open_until_it_is_confirmed() -> None:
    order = after(settled(), "refund", refund_id="f1", amount_minor=200, reason="claim")
    assert (unsent_refunds(order.state), refunded_minor(order.state), stage(order)) == (("f1",), 0, "settlement")
    order = after(order, "refund_outcome", refund_id="f1")
    assert (unsent_refunds(order.state), refunded_minor(order.state), stage(order)) == ((), 200, "settled")
    assert (last_move(order), funding(order.state)) == ("refund_confirmed", "partly_refunded")


def test_a_claim_is_refunded_without_a_return() -> None:
    order = after(after(settled(), "refund", refund_id="f1", amount_minor=500), "refund_outcome", refund_id="f1")
    assert (funding(order.state), order.state.quantities[0].returned) == ("refunded", 0)


def test_a_refund_is_recorded_once_and_one_that_failed_may_be_asked_for_again() -> None:
    order = after(settled(), "refund", refund_id="f1", amount_minor=200)
    assert outcome(order, "refund", refund_id="f1", amount_minor=200) is None
    order = after(order, "refund_outcome", refund_id="f1", failure="card closed")
    assert (order.state.refunds["f1"].status, order.state.refunds["f1"].detail) == ("failed", "card closed")
    assert stage(order) == "settled"
    assert outcome(order, "refund_outcome", refund_id="f1") is None
    assert after(order, "refund", refund_id="f1", amount_minor=100).state.refunds["f1"].status == "created"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 700), st.sampled_from(["", "no", None])), max_size=8))
def test_no_refunds_together_give_back_more_than_was_collected(asked: list[tuple[int, int, str | None]]) -> None:
    order = settled()
    for name, amount_minor, failure in asked:
        try:
            found = outcome(order, "refund", refund_id=f"f{name}", amount_minor=amount_minor)
        except Refused:
            continue
        order = found.order if found else order
        said = outcome(order, "refund_outcome", refund_id=f"f{name}", failure=failure) if failure is not None else None
        order = said.order if said else order
    pending = sum(refund.amount_minor for refund in order.state.refunds.values() if refund.status == "created")
    assert refunded_minor(order.state) + pending <= 500


def test_what_the_channel_says_of_a_refund_that_it_has_confirmed_counts_once() -> None:
    order = after(after(settled(), "refund", refund_id="f1", amount_minor=200), "refund_outcome", refund_id="f1")
    order = entered(fact(payment=Payment(captured_minor=500, refunded_minor=200), version_ms=T0_MS + 1), order)
    assert refunded_minor(order.state) == 200


def test_nothing_is_refunded_that_was_never_collected() -> None:
    with pytest.raises(Refused) as refused:
        after(secured(fact(payment=Payment(authorised_minor=500))), "refund", refund_id="f1", amount_minor=1)
    assert refused.value.reason == "over_refund"


def test_a_dispute_opens_a_settled_order_until_its_answer_is_due() -> None:
    order = after(settled(), "dispute", dispute_id="d1", amount_minor=500, status="open", due_ms=DUE_MS)
    assert (stage(order), order.state.due_ms) == ("settlement", DUE_MS)
    assert outcome(order, "dispute", dispute_id="d1", amount_minor=500, status="open", due_ms=DUE_MS) is None


@pytest.mark.parametrize(("end", "outstanding"), [("won", 0), ("lost", -500)])
def test_the_end_of_a_dispute_closes_the_order_and_is_final(end: str, outstanding: int) -> None:
    order = after(settled(), "dispute", dispute_id="d1", amount_minor=500, status="open")
    order = after(order, "dispute", dispute_id="d1", amount_minor=500, status=end)
    assert (stage(order), outstanding_minor(order.state)) == ("settled", outstanding)
    assert outcome(order, "dispute", dispute_id="d1", amount_minor=500, status="open") is None


def test_the_payout_that_takes_a_lost_dispute_back_makes_the_money_add_up() -> None:
    order = after(settled(), "dispute", dispute_id="d1", amount_minor=500, status="lost")
    order = paid_out(paid_out(order, "dispute", -500), "fee", -1500)
    assert (outstanding_minor(order.state), order.state.fees_minor) == (0, 1500)


def test_a_dispute_that_is_lost_before_the_payout_leaves_nothing_to_wait_for() -> None:
    order = promised(secured())
    order = after(order, "ship", shipment_id="p1", location="main", shipped_ms=1, lines=[{"line_id": "l1", "units": 1}])
    assert stage(after(order, "dispute", dispute_id="d1", amount_minor=500, status="lost")) == "settled"


@pytest.mark.parametrize("amount_minor", [0, -500])
def test_a_dispute_is_about_a_positive_amount(amount_minor: int) -> None:
    with pytest.raises(Refused):
        after(settled(), "dispute", dispute_id="d1", amount_minor=amount_minor, status="lost")


def test_a_closed_order_is_put_away_by_itself_when_nobody_can_come_back_on_it() -> None:
    order = settled()
    assert decide_archive(order, "sweep", T0_MS + ARCHIVE_AFTER_MS - 1) is None
    archived = decide_archive(order, "sweep", T0_MS + ARCHIVE_AFTER_MS)
    assert archived is not None
    assert (archived.state.archived, stage(archived)) == (True, "settled")
    assert decide_archive(archived, "sweep", T0_MS + 2 * ARCHIVE_AFTER_MS) is None


def test_a_person_may_put_a_closed_order_away_at_once_but_no_open_one() -> None:
    assert after(settled(), "archive").state.archived
    with pytest.raises(Refused) as refused:
        after(promised(secured()), "archive")
    assert refused.value.reason == "still_open"


def test_whatever_happens_to_an_archived_order_brings_it_back() -> None:
    archived = after(settled(), "archive")
    assert not after(archived, "dispute", dispute_id="d1", amount_minor=500, status="open").state.archived
    assert not paid_out(archived, "fee", -10).state.archived
