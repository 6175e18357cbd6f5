"""Holds: who places them, what they stop, how each is resolved or rejected, and when one comes back."""

from __future__ import annotations

import pytest

from chalicelib.domain.channel_order import Contact, Payment, Problem
from chalicelib.domain.entry import decide_entry, decide_readdress, decide_recheck, unreadable
from chalicelib.domain.errors import Refused
from chalicelib.domain.holds import STOCK_SHORTFALL, decide_overdue
from chalicelib.domain.lifecycle import CANCELLED_AFTER_SHIPPING, stage, status, work_due
from chalicelib.domain.orders import COMPUTED, Order
from tests.factories import T0_MS, entered, fact, line, skus_of
from tests.turns import after, last_move, outcome, plan, promised, secured

BATH = Contact(address={"line1": "1 Mill Lane", "postcode": "BA1 1AA", "country": "GB"})
LEEDS = Contact(address={"line1": "2 Mill Lane", "postcode": "LS1 1AA", "country": "GB"})


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (fact(line(sku="")), "unknown_sku"),
        (fact(total_minor=501), "total_mismatch"),
        (fact(problems=(Problem("fraud", "the channel says so"),)), "fraud"),
    ],
)
def test_a_problem_of_the_order_holds_it_and_is_owned_by_nobody(word: object, reason: str) -> None:
    order = entered(word)  # type: ignore[arg-type]
    assert [(hold.reason, hold.owner) for hold in order.state.holds] == [(reason, COMPUTED)]
    assert (stage(order), status(order), work_due(order)) == ("entry", "on_hold", "")


@pytest.mark.parametrize("reason", ["fraud", "address", "payment_review", "channel", "manual"])
def test_a_hold_that_somebody_places_says_who_and_why_and_stops_the_order(reason: str) -> None:
    order = after(secured(), "hold", reason=reason, detail="look at this")
    (hold,) = order.state.holds
    assert (hold.reason, hold.detail, hold.owner) == (reason, "look at this", "tests")
    assert plan(order) is None
    assert outcome(order, "hold", reason=reason) is None


def test_holds_are_a_set_and_the_order_goes_on_when_the_last_is_resolved() -> None:
    order = after(after(secured(), "hold", reason="fraud"), "hold", reason="address")
    order = after(order, "resolve", reason="fraud")
    assert (stage(order), [hold.reason for hold in order.state.holds]) == ("entry", ["address"])
    order = after(order, "resolve", reason="address")
    assert (stage(order), work_due(order)) == ("allocation", "allocation")
    assert outcome(order, "resolve", reason="address") is None


def test_a_problem_that_was_waved_through_stays_so_but_a_new_cause_holds_again() -> None:
    wrong = fact(total_minor=501)
    order = after(entered(wrong), "resolve", reason="total_mismatch")
    again = entered(fact(total_minor=501, version_ms=T0_MS + 1), order)
    assert again.state.holds == ()
    other = entered(fact(total_minor=502, version_ms=T0_MS + 2), again)
    assert [hold.reason for hold in other.state.holds] == ["total_mismatch"]


def test_a_computed_hold_vanishes_with_its_cause_and_a_placed_one_stays() -> None:
    order = after(entered(fact(total_minor=501)), "hold", reason="manual")
    order = entered(fact(version_ms=T0_MS + 1), order)
    assert [hold.reason for hold in order.state.holds] == ["manual"]


@pytest.mark.parametrize("reason", ["unknown_sku", "unreadable"])
def test_what_nothing_could_be_allocated_for_is_never_waved_through(reason: str) -> None:
    held = entered(fact(line(sku=""))) if reason == "unknown_sku" else unreadable("storefront", "x", "no JSON", T0_MS)
    with pytest.raises(Refused):
        after(held, "resolve", reason=reason)


def test_an_unknown_item_goes_on_when_the_catalogue_knows_it() -> None:
    order = entered(fact(line(sku="")))
    known = decide_recheck(order, skus_of(fact()), T0_MS)
    assert known is not None
    assert (known.state.holds, known.lines[0].sku) == ((), "MUG")
    assert decide_recheck(order, {}, T0_MS) is None


def test_a_rejected_order_is_called_off_as_far_as_it_has_not_left_and_the_channel_is_told() -> None:
    order = promised(secured(fact(line(quantity=3))))
    order = after(order, "ship", shipment_id="p1", location="main", shipped_ms=1, lines=[{"line_id": "l1", "units": 1}])
    order = after(after(order, "hold", reason="fraud"), "reject", reason="fraud")
    assert order.state.holds == ()
    assert order.state.quantities[0].to_cancel == 2
    assert dict(order.state.cancellations["rejected-fraud"].items) == {0: 2}
    order = promised(order)
    assert (order.state.quantities[0].cancelled, order.state.quantities[0].shipped) == (2, 1)
    assert outcome(order, "reject", reason="fraud") is None


def test_what_nobody_can_read_may_be_rejected() -> None:
    order = after(unreadable("storefront", "x", "no JSON", T0_MS), "reject", reason="unreadable")
    assert stage(order) == "cancelled"


def test_an_order_that_misses_its_date_for_want_of_stock_is_held_once() -> None:
    order = promised(secured(fact(ship_by_ms=T0_MS + 1000)), {})
    late = decide_overdue(order, T0_MS + 1000)
    assert late is not None
    assert [(hold.reason, hold.owner) for hold in late.state.holds] == [(STOCK_SHORTFALL, "sweep")]
    waived = after(late, "resolve", now_ms=T0_MS + 1000, reason=STOCK_SHORTFALL)
    later = decide_overdue(waived, waived.state.due_ms)
    assert later is not None
    assert later.state.holds == ()


def test_an_order_that_has_its_stock_is_not_held_for_its_date() -> None:
    late = decide_overdue(promised(secured(fact(ship_by_ms=T0_MS + 1000))), T0_MS + 1000)
    assert late is not None
    assert (late.state.holds, last_move(late)) == ((), "overdue")


@pytest.mark.parametrize("answer", ["accept", "label"])
def test_a_changed_address_holds_an_order_that_is_worked_on(answer: str) -> None:
    order = promised(secured())
    assert decide_readdress(order, BATH, LEEDS, T0_MS) is None
    order = after(order, "fulfilment", location="main", answer=answer)
    held = decide_readdress(order, BATH, LEEDS, T0_MS)
    assert held is not None
    assert [hold.reason for hold in held.state.holds] == ["address"]
    assert decide_readdress(order, BATH, BATH, T0_MS) is None
    assert decide_readdress(order, BATH, Contact(), T0_MS) is None


def test_a_line_that_becomes_another_item_or_was_shipped_past_us_holds_the_order() -> None:
    order = secured()
    other = decide_entry(order, fact(line(sku="CUP"), version_ms=T0_MS + 1), {}, T0_MS)
    past = decide_entry(order, fact(line(fulfilled=1), version_ms=T0_MS + 1), {}, T0_MS)
    assert other is not None
    assert past is not None
    assert [hold.reason for hold in other.state.holds] == ["item_changed"]
    assert [hold.reason for hold in past.state.holds] == ["shipped_elsewhere"]


def sent_off(order: Order) -> Order:
    lines = [{"line_id": "a", "units": 2}]
    return after(order, "ship", shipment_id="p1", location="main", lines=lines, shipped_ms=T0_MS)


def two_allocated() -> Order:
    return promised(secured(fact(line("a", quantity=2))))


def called_off(order: Order, version_ms: int = T0_MS + 1) -> Order:
    total_minor = order.state.total_minor
    paid_back = Payment(captured_minor=total_minor, refunded_minor=total_minor)
    word = fact(line("a", quantity=2), version_ms=version_ms, cancelled=True, payment=paid_back)
    return entered(word, order)


def test_goods_under_way_that_the_channel_has_called_off_keep_the_order_open_until_they_are_back() -> None:
    order = called_off(sent_off(two_allocated()))
    assert [hold.reason for hold in order.state.holds] == [CANCELLED_AFTER_SHIPPING]
    assert (stage(order), status(order)) == ("settlement", "on_hold")
    back = {"return_id": "r", "location": "main"}
    order = after(order, "return", **back, step="receive", lines=[{"line_id": "a", "units": 1}])
    assert [hold.reason for hold in order.state.holds] == [CANCELLED_AFTER_SHIPPING]
    order = after(order, "return", **back, step="inspect")
    order = after(
        order, "return", return_id="rest", location="main", step="inspect", lines=[{"line_id": "a", "units": 1}]
    )
    assert (stage(order), order.state.holds) == ("settled", ())


def test_a_parcel_that_leaves_after_the_channel_has_called_it_off_holds_the_order() -> None:
    order = after(two_allocated(), "fulfilment", location="main", answer="accept")
    order = sent_off(called_off(order))
    assert [(hold.reason, hold.owner) for hold in order.state.holds] == [(CANCELLED_AFTER_SHIPPING, COMPUTED)]


@pytest.mark.parametrize("decision", ["resolve", "reject"])
def test_goods_given_up_for_lost_end_the_order(decision: str) -> None:
    order = after(called_off(sent_off(two_allocated())), decision, reason=CANCELLED_AFTER_SHIPPING)
    assert (stage(order), order.state.holds) == ("settled", ())
    again = called_off(order, T0_MS + 2)
    assert again.state.holds == ()


def test_a_rest_that_is_called_off_and_an_order_that_comes_back_hold_nothing() -> None:
    order = sent_off(promised(secured(fact(line("a", quantity=2), line("b", sku="CUP")))))
    rest = entered(fact(line("a", quantity=2), line("b", sku="CUP", cancelled=1), version_ms=T0_MS + 1), order)
    assert rest.state.holds == ()
    revived = entered(fact(line("a", quantity=2), version_ms=T0_MS + 2), called_off(sent_off(two_allocated())))
    assert revived.state.holds == ()
