from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.allocation import AllocationPlan, decide_allocation
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Refused
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.holds import decide_hold, decide_overdue
from chalicelib.domain.lifecycle import (
    RESERVE_MS,
    outstanding_minor,
    stage,
    status,
    unconfirmed_shipments,
    waits_for_stock,
    work_due,
)
from chalicelib.domain.moves import open_moves
from chalicelib.domain.orders import Order, Shipment
from chalicelib.domain.settlement import PayoutLine, decide_settlement
from chalicelib.domain.shipping import Decided, ReturnStep, decide_confirmation, decide_return, decide_shipment
from chalicelib.domain.sourcing import Sourcing
from tests.factories import T0_MS, entered, fact, line, skus_of


def funded(*lines: object, **more: object) -> Order:
    order = decide_funding(entered(fact(*lines, **more)), T0_MS)  # type: ignore[arg-type]
    assert order is not None
    return order


def plan(order: Order, now_ms: int = T0_MS, max_skus: int = 90, **available: int) -> AllocationPlan | None:
    return decide_allocation(order, {sku: {"main": n} for sku, n in available.items()}, Sourcing(), now_ms, max_skus)


def allocated(order: Order, now_ms: int = T0_MS, **available: int) -> Order:
    planned = plan(order, now_ms, **available)
    assert planned is not None
    return planned.order


def taken_back(order: Order, return_id: str, units: int) -> Decided | None:
    return decide_return(order, ReturnStep(return_id, "inspect", {0: units}, "main"), "api", T0_MS)


def parcel(name: str = "p1", **items: int) -> Shipment:
    return Shipment(name, "main", "DHL", "T1", T0_MS, {int(key[1:]): n for key, n in items.items()})


def settled(order: Order, line: PayoutLine) -> Order:
    after = decide_settlement(order, [line], T0_MS)
    assert after is not None
    return after


def sale(amount_minor: int, kind: str = "sale") -> PayoutLine:
    return PayoutLine("storefront", "po1", "1", "storefront:1001", kind, amount_minor, "EUR", T0_MS)


def test_an_order_walks_all_five_stages() -> None:
    order = funded()
    assert (stage(order), work_due(order)) == ("allocation", "allocation")
    order = allocated(order, MUG=1)
    assert (stage(order), status(order), work_due(order)) == ("shipping", "allocated", "")
    decided = decide_shipment(order, parcel(_0=1), T0_MS)
    assert decided is not None
    order, moves = decided
    assert (stage(order), status(order), outstanding_minor(order.state)) == ("settlement", "shipped", 500)
    assert [(m.on_hand, m.allocated, m.available) for m in moves] == [(-1, -1, 0)]
    order = settled(order, sale(500))
    assert (stage(order), outstanding_minor(order.state)) == ("settled", 0)
    assert [h.after for h in order.state.timeline] == ["funding", "allocation", "shipping", "settlement", "settled"]
    assert order.state.version == 5


def test_what_is_short_is_backordered_and_served_when_stock_comes() -> None:
    order = allocated(funded(line(quantity=3)), MUG=2)
    assert (status(order), order.state.quantities[0].backordered, work_due(order)) == ("partially_allocated", 1, "")
    assert plan(order, MUG=0) is None
    assert stage(allocated(order, MUG=5)) == "shipping"


def test_lines_of_one_sku_share_what_is_available() -> None:
    order = allocated(funded(line("a", quantity=2), line("b", quantity=2)), MUG=3)
    assert [units.allocated for units in order.state.quantities] == [2, 1]


def test_a_held_order_is_promised_nothing_whether_its_money_is_sure_or_not() -> None:
    for order in (funded(), entered(fact(payment=Payment()))):
        held = decide_hold(order, "fraud", "", "api", T0_MS)
        assert held is not None
        assert (work_due(held), plan(held, MUG=9)) == ("", None)


def test_an_unfunded_order_keeps_its_stock_for_as_long_as_a_reservation_lasts_and_gets_none_again() -> None:
    reserved = allocated(entered(fact(line(quantity=3), payment=Payment())), MUG=2)
    assert (stage(reserved), status(reserved), reserved.state.timeline[-1].move) == (
        "funding",
        "awaiting_funds",
        "reserve",
    )
    assert (reserved.state.quantities[0].allocated, reserved.state.due_ms) == (2, T0_MS + RESERVE_MS)
    assert "ship" not in open_moves(reserved)
    assert plan(reserved, T0_MS + RESERVE_MS - 1, MUG=9) is None
    planned = plan(reserved, T0_MS + RESERVE_MS, MUG=0)
    assert planned is not None
    assert [(m.on_hand, m.allocated, m.available) for m in planned.moves] == [(0, -2, 2)]
    expired = planned.order
    assert (expired.state.timeline[-1].move, stage(expired), expired.state.quantities[0].open) == (
        "expire",
        "funding",
        3,
    )
    assert (work_due(expired), plan(expired, T0_MS + 2 * RESERVE_MS, MUG=9)) == ("", None)


def test_an_unfunded_order_stands_in_no_line_for_stock() -> None:
    planned = plan(entered(fact(payment=Payment())), MUG=0)
    assert planned is not None
    assert planned.backorders == {}
    assert not waits_for_stock(planned.order)


def test_a_reservation_becomes_a_promise_when_the_money_is_sure_and_the_rest_waits() -> None:
    reserved = allocated(entered(fact(line(quantity=3), payment=Payment())), MUG=2)
    paid = decide_funding(entered(fact(line(quantity=3), version_ms=T0_MS + 1), reserved), T0_MS)
    assert paid is not None
    assert work_due(paid) == "allocation"
    order = allocated(paid, T0_MS + RESERVE_MS, MUG=0)
    assert (order.state.quantities[0].allocated, order.state.quantities[0].backordered) == (2, 1)
    assert plan(order, T0_MS + 2 * RESERVE_MS, MUG=0) is None


def test_a_called_off_order_gives_its_stock_back_even_on_hold() -> None:
    order = allocated(funded(line(quantity=2)), MUG=2)
    off = decide_entry(order, fact(line(quantity=2), cancelled=True, version_ms=T0_MS + 1), {}, T0_MS)
    assert off is not None
    assert work_due(off) == "allocation"
    held = decide_hold(off, "fraud", "", "api", T0_MS)
    assert held is not None
    assert work_due(held) == "allocation"
    for called_off in (off, held):
        planned = plan(called_off, MUG=0)
        assert planned is not None
        assert [(m.allocated, m.available) for m in planned.moves] == [(-2, 2)]
        assert planned.order.state.quantities[0].cancelled == 2
    assert status(allocated(off)) == "cancelled"


def test_goods_that_are_not_shipped_by_parcel_need_no_stock() -> None:
    order = allocated(funded(line(sku="GIFT", ships=False)))
    assert stage(order) == "settlement"


def test_a_large_order_is_promised_in_steps_that_fit_a_transaction() -> None:
    lines = [line(f"l{n}", f"S{n}") for n in range(120)]
    order, steps = funded(*lines), 0
    available = {f"S{n}": {"main": 1} for n in range(120)}
    more = True
    while more:
        planned = decide_allocation(order, available, Sourcing(), T0_MS, 49)
        assert planned is not None
        assert 0 < len(planned.moves) + len(planned.backorders) < 100
        order, steps, more = planned.order, steps + 1, planned.more
    assert (stage(order), steps) == ("shipping", 3)
    assert decide_allocation(order, available, Sourcing(), T0_MS, 49) is None


def test_the_same_shipment_twice_ships_once() -> None:
    order = allocated(funded(line(quantity=2)), MUG=2)
    decided = decide_shipment(order, parcel(_0=1), T0_MS)
    assert decided is not None
    assert decide_shipment(decided[0], parcel(_0=1), T0_MS) is None
    assert status(decided[0]) == "partially_shipped"


def test_nothing_ships_that_is_not_allocated() -> None:
    order = allocated(funded(line(quantity=2)), MUG=1)
    with pytest.raises(Refused, match="not_allocated"):
        decide_shipment(order, parcel(_0=2), T0_MS)


def test_a_return_comes_back_once_and_never_more_than_went_out() -> None:
    order = allocated(funded(line(quantity=2)), MUG=2)
    shipped = decide_shipment(order, parcel(_0=2), T0_MS)
    assert shipped is not None
    back = taken_back(shipped[0], "r1", 1)
    assert back is not None
    assert [m.on_hand for m in back[1]] == [1]
    assert taken_back(back[0], "r1", 1) is None
    with pytest.raises(Refused, match="not_shipped"):
        taken_back(back[0], "r2", 2)


def test_a_shipment_is_confirmed_once() -> None:
    order = allocated(funded(), MUG=1)
    decided = decide_shipment(order, parcel(_0=1), T0_MS)
    assert decided is not None
    assert unconfirmed_shipments(decided[0]) == ("p1",)
    confirmed = decide_confirmation(decided[0], frozenset({"p1"}), T0_MS)
    assert confirmed is not None
    assert unconfirmed_shipments(confirmed) == ()
    assert decide_confirmation(confirmed, frozenset({"p1"}), T0_MS) is None


def test_a_refund_after_the_payout_settles_when_the_payout_takes_it_back() -> None:
    order = allocated(funded(), MUG=1)
    decided = decide_shipment(order, parcel(_0=1), T0_MS)
    assert decided is not None
    order = settled(decided[0], sale(500))
    refunded = fact(version_ms=T0_MS + 1, payment=Payment(captured_minor=500, refunded_minor=200))
    order = entered(replace(refunded, fulfilled_is_exact=False), order)
    assert outstanding_minor(order.state) == -200
    order = settled(order, replace(sale(-200, "refund"), payout_id="po-2"))
    assert (stage(order), outstanding_minor(order.state)) == ("settled", 0)


def test_fees_are_kept_apart_from_what_is_settled() -> None:
    order = settled(funded(), sale(-75, "fee"))
    assert (order.state.fees_minor, order.state.settled_minor) == (75, 0)


def test_all_lines_of_an_order_in_one_payout_are_one_move() -> None:
    order = decide_settlement(funded(), [sale(500), sale(-60, "fee"), sale(-15, "fee"), sale(-100, "refund")], T0_MS)
    assert (order.state.settled_minor, order.state.fees_minor, order.state.version) == (400, 75, 3)


def test_an_overdue_order_gets_a_later_deadline_each_time() -> None:
    order = entered(fact(payment=Payment()))
    assert decide_overdue(order, order.state.due_ms - 1) is None
    late = decide_overdue(order, order.state.due_ms)
    assert late is not None
    assert late.state.due_ms - order.state.due_ms == order.state.due_ms - T0_MS
    assert (late.state.timeline[-1].move, late.state.timeline[-1].actor) == ("overdue", "sweep")


steps = st.lists(st.tuples(st.sampled_from(["allocate", "ship", "return", "edit"]), st.integers(0, 5)), max_size=25)


@given(st.integers(1, 6), st.integers(0, 8), steps)
def test_units_are_conserved_through_any_turns(ordered: int, on_hand: int, turns: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, stock and order agree: allocated units match, and nothing is made or lost."""
    first = fact(line(quantity=ordered))
    order = funded(line(quantity=ordered))
    stock = {"on_hand": on_hand, "allocated": 0}
    opening, version = on_hand, T0_MS
    for number, (turn, size) in enumerate(turns):
        moves = []
        try:
            if turn == "allocate":
                available = {"MUG": {"main": stock["on_hand"] - stock["allocated"]}}
                planned = decide_allocation(order, available, Sourcing(), T0_MS, 90)
                order, moves = (planned.order, planned.moves) if planned else (order, [])
            elif turn == "ship":
                order, moves = decide_shipment(order, parcel(f"p{number}", _0=size), T0_MS) or (order, [])
            elif turn == "return":
                order, moves = taken_back(order, f"r{number}", size) or (order, [])
            else:
                version += 1000
                edit = fact(line(quantity=ordered, cancelled=min(size, ordered)), version_ms=version)
                edit = replace(edit, payment=first.payment)
                order = decide_entry(order, edit, skus_of(edit), T0_MS) or order
        except Refused:
            continue
        for move in moves:
            stock["on_hand"] += move.on_hand
            stock["allocated"] += move.allocated
        units = order.state.quantities[0]
        assert 0 <= stock["allocated"] == units.allocated <= stock["on_hand"]
        assert stock["on_hand"] + units.shipped - units.returned == opening
