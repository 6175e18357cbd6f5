"""Cancellation: asked for, agreed to or refused by a location, taken back, told to the channel; and edits of orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.cancellation import cancelled_items, decide_told
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import stage, status, to_release, untold_cancellations, work_due
from chalicelib.domain.orders import Order
from tests.factories import T0_MS, entered, fact, line
from tests.turns import after, last_move, outcome, plan, promised, secured, shipped, units


def sold(n: int = 2) -> Order:
    return promised(secured(fact(line(quantity=n))))


def answered(order: Order, *words: str) -> Order:
    for word in words:
        order = after(order, "fulfilment", location="main", answer=word)
    return order


def told(order: Order, name: str = "c1", failure: str = "") -> Order:
    found = decide_told(order, name, failure, T0_MS)
    assert found
    return found


def test_units_that_nobody_has_looked_at_leave_at_once() -> None:
    order = after(secured(fact(line(quantity=2))), "cancel", cancellation_id="c1")
    assert (last_move(order), order.state.quantities[0].cancelled, status(order)) == ("cancel", 2, "cancelled")


def test_promised_units_are_taken_back_by_allocation() -> None:
    order = after(sold(), "cancel", cancellation_id="c1")
    assert (work_due(order), order.state.quantities[0].cancelled) == ("allocation", 0)
    planned = plan(order)
    assert planned is not None
    assert [(move.sku, move.allocated) for move in planned.moves] == [("MUG", -2)]
    assert planned.order.state.quantities[0].cancelled == 2


@pytest.mark.parametrize("word", ["accept", "label"])
def test_what_a_location_works_on_is_only_given_back_if_it_agrees(word: str) -> None:
    order = after(answered(sold(), word), "cancel", cancellation_id="c1")
    assert (to_release(order.state), plan(order)) == (False, None)
    assert untold_cancellations(order.state) == ()
    agreed = answered(order, "yield")
    assert (agreed.state.quantities[0].cancelled, agreed.state.fulfilment) == (2, {})
    refused = answered(order, "refuse_cancel")
    assert (refused.state.quantities[0].to_cancel, refused.state.quantities[0].cancelled) == (0, 0)
    assert status(shipped(refused, 2)) == "shipped"


def test_an_answer_to_nothing_asked_changes_nothing() -> None:
    order = answered(sold(), "accept")
    assert outcome(order, "fulfilment", location="main", answer="yield") is None
    assert outcome(order, "fulfilment", location="main", answer="refuse_cancel") is None
    assert outcome(order, "fulfilment", location="main", answer="accept") is None


def test_a_location_that_reopens_gives_units_back_without_being_asked() -> None:
    order = after(answered(sold(), "accept"), "cancel", cancellation_id="c1")
    assert work_due(answered(order, "reopen")) == "allocation"


def test_a_location_that_rejects_the_order_frees_what_was_called_off_too() -> None:
    order = after(sold(), "cancel", cancellation_id="c1", lines=units("l1", 1))
    order = answered(order, "reroute")
    assert (order.state.quantities[0].cancelled, order.state.quantities[0].open) == (1, 1)


def test_a_part_of_a_line_and_a_line_are_cancelled_alone() -> None:
    order = promised(secured(fact(line(quantity=3), line("l2", "CUP"))))
    order = promised(after(order, "cancel", cancellation_id="c1", lines=units("l1", 1)))
    order = promised(after(order, "cancel", cancellation_id="c2", lines=units("l2", 1)))
    assert [ledger.cancelled for ledger in order.state.quantities] == [1, 1]
    assert [ledger.allocated for ledger in order.state.quantities] == [2, 0]


def test_a_cancellation_is_applied_once_under_its_id() -> None:
    order = after(sold(), "cancel", cancellation_id="c1", lines=units("l1", 1))
    assert outcome(order, "cancel", cancellation_id="c1", lines=units("l1", 1)) is None


def test_nothing_is_cancelled_that_has_left_or_is_called_off() -> None:
    order = after(shipped(sold(3)), "cancel", cancellation_id="c1", lines=units("l1", 1))
    with pytest.raises(Refused) as refused:
        after(order, "cancel", cancellation_id="c2", lines=units("l1", 2))
    assert refused.value.reason == "nothing_left"


def test_what_is_wanted_after_all_is_open_again_and_must_be_promised_anew() -> None:
    order = promised(after(sold(), "cancel", cancellation_id="c1"))
    order = after(order, "uncancel", cancellation_id="c1")
    assert (last_move(order), order.state.quantities[0].open, order.state.cancellations) == ("uncancel", 2, {})
    assert work_due(order) == "allocation"
    assert promised(order, {}).state.quantities[0].backordered == 2


def test_a_cancellation_that_was_not_worked_off_yet_is_taken_back_without_a_trace_in_stock() -> None:
    order = after(after(sold(), "cancel", cancellation_id="c1"), "uncancel", cancellation_id="c1")
    assert (order.state.quantities[0].allocated, work_due(order), plan(order)) == (2, "", None)


def test_what_the_channel_has_been_told_of_is_final_and_what_it_refused_is_not() -> None:
    order = promised(after(sold(), "cancel", cancellation_id="c1"))
    with pytest.raises(Refused) as refused:
        after(told(order), "uncancel", cancellation_id="c1")
    assert refused.value.reason == "already_told"
    assert after(told(order, failure="too late"), "uncancel", cancellation_id="c1").state.quantities[0].open == 2


def test_where_no_channel_is_told_a_cancellation_closes_the_order_and_can_be_taken_back() -> None:
    order = after(secured(fact(line(unit_minor=0))), "cancel", cancellation_id="c1", silent=True)
    assert (untold_cancellations(order.state), stage(order)) == ((), "cancelled")
    assert stage(after(order, "uncancel", cancellation_id="c1")) == "allocation"


def test_the_channel_is_told_of_what_was_really_taken_out() -> None:
    order = after(answered(sold(3), "label"), "cancel", cancellation_id="c1", lines=units("l1", 2))
    assert cancelled_items(answered(order, "refuse_cancel"), "c1") == {}
    assert cancelled_items(answered(order, "yield"), "c1") == {0: 2}


def test_what_we_called_off_and_the_channel_then_calls_off_counts_once() -> None:
    order = promised(after(sold(), "cancel", cancellation_id="c1", lines=units("l1", 1)))
    order = entered(fact(line(quantity=2, cancelled=1), version_ms=T0_MS + 1), order)
    assert (order.state.quantities[0].cancelled, order.state.quantities[0].to_cancel) == (1, 0)


@given(st.lists(st.tuples(st.sampled_from(["cancel", "uncancel"]), st.integers(0, 2), st.integers(1, 3)), max_size=8))
def test_every_cancellation_taken_back_leaves_the_order_as_it_was(turns: list[tuple[str, int, int]]) -> None:
    order = first = secured(fact(line(quantity=4)))
    for do, name, n in turns:
        try:
            found = outcome(order, do, cancellation_id=f"c{name}", lines=units("l1", n))
        except Refused:
            continue
        order = found.order if found else order
    for name in list(order.state.cancellations):
        order = after(order, "uncancel", cancellation_id=name)
    assert order.state.quantities == first.state.quantities


@pytest.mark.parametrize("allocated", [False, True])
def test_a_line_added_and_a_quantity_raised_are_open(allocated: bool) -> None:
    order = secured(fact(line(quantity=2)))
    order = promised(order) if allocated else order
    order = entered(fact(line(quantity=3), line("l2", "CUP"), version_ms=T0_MS + 1), order)
    assert [ledger.open for ledger in order.state.quantities] == [1 if allocated else 3, 1]
    assert order.state.quantities[0].allocated == 2 * allocated


@pytest.mark.parametrize("allocated", [False, True])
def test_a_line_removed_and_a_quantity_lowered_are_called_off(allocated: bool) -> None:
    order = secured(fact(line(quantity=3), line("l2", "CUP")))
    order = promised(order) if allocated else order
    order = entered(fact(line(quantity=2), version_ms=T0_MS + 1), order)
    order = promised(order)
    assert [ledger.cancelled for ledger in order.state.quantities] == [1, 1]
    assert [ledger.allocated for ledger in order.state.quantities] == [2, 0]
