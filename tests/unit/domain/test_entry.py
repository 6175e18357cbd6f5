from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelOrder, Payment, Problem
from chalicelib.domain.entry import decide_entry, decide_recheck, precedence
from chalicelib.domain.lifecycle import stage, status, work_due
from chalicelib.domain.moves import open_moves
from chalicelib.domain.orders import Order, violations
from tests.factories import T0_MS, entered, fact, line, skus_of


def holds(order: Order) -> list[str]:
    return [hold.reason for hold in order.state.holds]


def test_a_paid_order_goes_to_funding_and_an_unpaid_one_waits_there() -> None:
    assert work_due(entered(fact())) == "funding"
    unpaid = entered(fact(payment=Payment()))
    assert (stage(unpaid), status(unpaid)) == ("funding", "awaiting_funds")


def test_an_unpaid_order_is_looked_at_once_for_a_reservation() -> None:
    unpaid = entered(fact(payment=Payment()))
    assert work_due(unpaid) == "allocation"
    assert work_due(unpaid.having(reserved_until_ms=T0_MS)) == ""


def test_an_order_that_costs_nothing_needs_no_money() -> None:
    free = entered(fact(line(unit_minor=0)))
    assert (stage(free), work_due(free)) == ("allocation", "allocation")


def test_an_order_whose_payment_is_awaited_and_price_untold_ships_nothing() -> None:
    untold = entered(fact(line(unit_minor=0), payment=Payment(awaited=True)))
    assert (stage(untold), status(untold)) == ("funding", "awaiting_funds")
    assert "ship" not in open_moves(untold)
    told = entered(fact(payment=Payment(vouched=True), version_ms=T0_MS + 1), untold)
    assert work_due(told) == "funding"


def test_the_same_fact_twice_changes_nothing() -> None:
    order = entered(fact())
    assert decide_entry(order, fact(), skus_of(fact()), T0_MS + 1) is None


def test_an_older_fact_changes_nothing() -> None:
    newer = fact(line(quantity=3, cancelled=1), version_ms=T0_MS + 5000)
    assert decide_entry(entered(newer), fact(line(quantity=3)), {"l1": Sku("MUG")}, T0_MS) is None


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (fact(line(sku="GHOST")), "unknown_sku"),
        (fact(total_minor=499), "total_mismatch"),
        (fact(line(unit_minor=-1)), "negative_total"),
        (replace(fact(), lines=(), total_minor=0), "no_lines"),
        (fact(problems=(Problem("cancel_requested", "the buyer asks"),)), "cancel_requested"),
    ],
)
def test_what_cannot_be_understood_is_an_order_on_hold_with_a_reason(order: ChannelOrder, reason: str) -> None:
    skus = {key: sku for key, sku in skus_of(order).items() if sku.sku != "GHOST"}
    after = decide_entry(None, order, skus, T0_MS)
    assert after is not None
    assert holds(after) == [reason]
    assert (stage(after), status(after), work_due(after)) == ("entry", "on_hold", "")


def test_a_hold_vanishes_with_its_cause() -> None:
    held = decide_entry(None, fact(line(sku="GHOST")), {}, T0_MS)
    assert held is not None
    assert decide_recheck(held, {}, T0_MS + 1) is None
    known = decide_recheck(held, {"l1": Sku("GHOST")}, T0_MS + 1)
    assert known is not None
    assert (holds(known), work_due(known), known.lines[0].sku) == ([], "funding", "GHOST")


def test_a_called_off_order_is_cancelled_without_touching_stock_that_nobody_promised() -> None:
    order = entered(fact())
    off = entered(fact(cancelled=True, version_ms=T0_MS + 1, payment=Payment()), order)
    assert off.state.quantities[0].cancelled == 1
    assert off.state.quantities[0].open == 0


def test_an_uncancelled_line_is_open_again() -> None:
    off = entered(fact(cancelled=True))
    on = entered(fact(version_ms=T0_MS + 1), off)
    assert on.state.quantities[0].open == 1


def test_a_line_that_disappears_is_called_off_and_a_new_one_joins() -> None:
    order = entered(fact(line("a"), line("b", "CUP")))
    edited = entered(fact(line("b", "CUP"), line("c", "PLATE"), version_ms=T0_MS + 1), order)
    assert [units.cancelled for units in edited.state.quantities] == [1, 0, 0]
    assert [each.line_id for each in edited.lines] == ["a", "b", "c"]


def test_an_order_that_had_left_before_import_waits_for_its_payout_only() -> None:
    order = entered(fact(line(quantity=2, fulfilled=2)))
    assert order.state.quantities[0].shipped == 2
    assert work_due(order) == "funding"


def test_units_shipped_past_us_hold_the_order() -> None:
    order = entered(fact())
    after = entered(fact(line(fulfilled=1), version_ms=T0_MS + 1), order)
    assert holds(after) == ["shipped_elsewhere"]


def test_a_late_failure_never_lowers_captured_money() -> None:
    paid = entered(fact())
    failed = entered(fact(payment=Payment(lapsed=True), version_ms=T0_MS + 1), paid)
    assert failed.state.payment.captured_minor == 500
    assert work_due(failed) == "funding"


quantities = st.integers(0, 6)


@st.composite
def histories(draw: st.DrawFn) -> list[ChannelOrder]:
    """Versions of one order as a channel might state them, some within the same second."""
    count = draw(st.integers(2, 4))
    facts = []
    for _ in range(count):
        lines = tuple(
            line(
                name,
                name.upper(),
                ordered := draw(st.integers(1, 6)),
                cancelled=draw(st.integers(0, ordered)),
                unit_minor=draw(st.integers(0, 300)),
            )
            for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
        )
        captured, refunded = draw(st.integers(0, 2000)), draw(st.integers(0, 2000))
        facts.append(
            fact(
                *lines,
                version_ms=T0_MS + draw(st.integers(0, 3)) * 1000,
                payment=Payment(captured_minor=max(captured, refunded), refunded_minor=refunded),
                cancelled=draw(st.booleans()),
            )
        )
    return facts


def settled_view(order: Order) -> object:
    """What must not depend on the order of arrival: lines by id, units, newest source."""
    units = {each.line_id: q for each, q in zip(order.lines, order.state.quantities, strict=True)}
    wanted = {name: q.ordered - q.cancelled for name, q in sorted(units.items()) if q.ordered > q.cancelled}
    return order.state.source, wanted


@given(histories())
def test_any_order_of_arrival_and_any_repeat_ends_the_same(history: list[ChannelOrder]) -> None:
    ends = set()
    for arrival in itertools.islice(itertools.permutations(history), 24):
        order: Order | None = None
        for each in (*arrival, *arrival):
            order = decide_entry(order, each, skus_of(each), T0_MS) or order
        assert order is not None
        assert not violations(order.state)
        ends.add(repr(settled_view(order)))
    assert len(ends) == 1


@given(histories())
def test_precedence_is_a_total_order_of_the_facts(history: list[ChannelOrder]) -> None:
    for one, other in itertools.combinations(history, 2):
        assert (precedence(one) == precedence(other)) == (one == other)


def test_a_price_that_is_told_late_may_come_in_another_currency_but_none_that_is_known_may_change() -> None:
    pending = replace(fact(payment=Payment(awaited=True)), currency="XXX", total_minor=0)
    told = entered(fact(version_ms=T0_MS + 1), entered(pending))
    assert "currency_changed" not in [hold.reason for hold in told.state.holds]
    changed = entered(replace(fact(version_ms=T0_MS + 2), currency="USD"), told)
    assert [hold.reason for hold in changed.state.holds] == ["currency_changed"]


HELD = Problem("held_at_channel", "it is on hold there")


def test_a_word_that_tells_nothing_of_a_hold_leaves_it_and_one_that_tells_takes_it_away() -> None:
    held = entered(replace(fact(), problems=(HELD,)))
    silent = replace(fact(version_ms=T0_MS + 1000), untold=("held_at_channel",))
    still = entered(silent, held)
    assert [(hold.reason, hold.detail) for hold in still.state.holds] == [("held_at_channel", HELD.detail)]
    assert holds(entered(fact(version_ms=T0_MS + 2000), still)) == []
    assert holds(entered(replace(silent, cancelled=True), held)) == []
    assert holds(entered(silent)) == []


def test_of_two_words_of_one_change_the_one_that_tells_more_or_later_is_newer() -> None:
    silent, telling = fact(), replace(fact(), told_ms=T0_MS)
    later = replace(telling, told_ms=T0_MS + 1000, payment=replace(fact().payment, authorised_minor=0))
    assert precedence(silent) < precedence(telling) < precedence(later)
    assert precedence(later) < precedence(fact(version_ms=T0_MS + 1000))
    assert decide_entry(entered(telling), silent, skus_of(silent), T0_MS) is None


@pytest.mark.parametrize("more", [{"refunded_minor": 5}, {"captured_minor": 10**6}])
def test_money_that_has_moved_is_newer_than_what_only_tells_more(more: dict[str, int]) -> None:
    telling = replace(fact(), told_ms=T0_MS + 1000)
    assert precedence(telling) < precedence(replace(fact(), payment=replace(fact().payment, **more)))
