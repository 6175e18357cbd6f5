"""Returns step by step, what becomes of the goods, and other goods in exchange."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.cancellation import AWAITS_RETURN, has_come_back
from chalicelib.domain.commands import Outcome
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import funding, stage, status
from chalicelib.domain.orders import Order
from tests.factories import T0_MS
from tests.turns import after, last_move, outcome, plan, promised, settled, shipped, units


def stepped(order: Order, *steps: str, n: int = 2) -> Order:
    for step in steps:
        order = after(order, "return", return_id="r1", step=step, lines=units("l1", n), location="main")
    return order


def inspected(order: Order, good: int | None) -> Outcome:
    restock = None if good is None else units("l1", good) if good else []
    found = outcome(order, "return", return_id="r1", step="inspect", restock=restock)
    assert found
    return found


def test_a_return_is_requested_approved_received_and_inspected() -> None:
    order = settled(2)
    stages = []
    for step in ("request", "approve", "receive", "inspect"):
        order = stepped(order, step)
        stages.append((order.state.returns["r1"].status, order.state.quantities[0].returned, stage(order)))
    assert stages == [
        ("requested", 0, "settlement"),
        ("approved", 0, "settlement"),
        ("received", 2, "settlement"),
        ("inspected", 2, "settled"),
    ]
    assert status(order) == "returned"


def test_an_open_return_has_a_deadline() -> None:
    assert stepped(settled(2), "request").state.due_ms > T0_MS


@given(st.integers(1, 6), st.data())
def test_what_is_restocked_and_what_is_scrap_are_what_came_back(n: int, data: st.DataObject) -> None:
    good = data.draw(st.none() | st.integers(0, n))
    found = inspected(stepped(settled(6), "receive", n=n), good)
    back = found.order.state.returns["r1"]
    scrap = sum(back.items.values()) - sum(back.restocked.values())
    assert sum(move.on_hand for move in found.moves) == (n if good is None else good)
    assert sum(back.restocked.values()) + scrap == found.order.state.quantities[0].returned == n
    assert all(move.allocated == 0 for move in found.moves)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["request", "receive", "inspect", "decline"]), st.integers(1, 4))
    )
)
def test_never_more_comes_back_than_went_out_nor_more_on_the_shelf_than_came(turns: list[tuple[int, str, int]]) -> None:
    order, shelf = settled(4), 0
    for name, step, n in turns:
        try:
            found = outcome(order, "return", return_id=f"r{name}", step=step, lines=units("l1", n), location="main")
        except Refused:
            continue
        if found:
            order, shelf = found.order, shelf + sum(move.on_hand for move in found.moves)
    returns = order.state.returns.values()
    came = sum(sum(back.items.values()) for back in returns if back.status in ("received", "inspected"))
    good = sum(sum(back.restocked.values()) for back in returns)
    assert (order.state.quantities[0].returned, shelf) == (came, good)
    assert good <= came <= 4


def test_what_has_been_received_is_what_is_inspected() -> None:
    order = stepped(settled(2), "receive", n=1)
    with pytest.raises(Refused) as refused:
        after(order, "return", return_id="r1", step="inspect", lines=units("l1", 2), restock=units("l1", 2))
    assert refused.value.reason == "not_returned"
    assert inspected(order, None).order.state.quantities[0].returned == 1


def test_a_return_that_nobody_announced_is_received_and_inspected_at_once() -> None:
    order = stepped(settled(2), "inspect", n=1)
    assert (order.state.returns["r1"].status, order.state.quantities[0].returned) == ("inspected", 1)


def test_a_return_names_what_comes_back() -> None:
    with pytest.raises(Refused) as refused:
        after(settled(), "return", return_id="r1", step="request")
    assert refused.value.reason == "not_shipped"


def test_a_declined_return_brings_nothing_back_and_closes_the_order() -> None:
    order = stepped(settled(2), "request", "decline")
    assert (stage(order), order.state.quantities[0].returned) == ("settled", 0)


@pytest.mark.parametrize(("steps", "step"), [((), "approve"), ((), "decline"), (("receive",), "decline")])
def test_a_step_that_does_not_follow_is_refused(steps: tuple[str, ...], step: str) -> None:
    order = stepped(settled(2), *steps)
    with pytest.raises(Refused) as refused:
        after(order, "return", return_id="r1", step=step, lines=units("l1", 2))
    assert refused.value.reason == "bad_step"


@pytest.mark.parametrize("step", ["request", "approve", "receive", "inspect"])
def test_a_step_comes_twice_or_late_and_nothing_moves(step: str) -> None:
    order = stepped(settled(2), "request", "approve", "receive", "inspect")
    assert outcome(order, "return", return_id="r1", step=step, lines=units("l1", 2)) is None


def test_two_returns_of_one_line_are_each_applied_once() -> None:
    order = stepped(settled(2), "inspect", n=1)
    order = after(order, "return", return_id="r2", step="inspect", lines=units("l1", 1), location="main")
    with pytest.raises(Refused):
        after(order, "return", return_id="r3", step="receive", lines=units("l1", 1), location="main")


def exchanged(order: Order, *, in_advance: bool = False) -> tuple[Order, Order]:
    found = outcome(
        order, "exchange", return_id="r1", lines=[{"sku": {"sku": "CUP"}, "units": 1}], in_advance=in_advance
    )
    assert found
    assert found.new
    return found.order, found.new


def test_an_exchange_is_an_order_of_its_own_that_costs_nothing_and_waits_for_the_goods() -> None:
    original, new = exchanged(stepped(settled(2), "request"))
    assert original.state.returns["r1"].exchange == new.order_id == "storefront:1001~r1"
    assert (new.state.linked_to, funding(new.state), last_move(new)) == (original.order_id, "free", "exchange")
    assert [hold.reason for hold in new.state.holds] == [AWAITS_RETURN]
    assert plan(new) is None
    assert not has_come_back(original, new.order_id)
    assert has_come_back(stepped(original, "receive"), new.order_id)


@pytest.mark.parametrize("received", [False, True])
def test_an_exchange_in_advance_or_of_goods_that_are_here_goes_at_once(received: bool) -> None:
    order = stepped(settled(2), "receive" if received else "request")
    _, new = exchanged(order, in_advance=not received)
    assert new.state.holds == ()
    assert stage(shipped(promised(new), line_id="x1")) == "settled"


def test_a_return_is_exchanged_once_and_must_be_announced() -> None:
    original, _ = exchanged(stepped(settled(2), "request"))
    assert outcome(original, "exchange", return_id="r1", lines=[{"sku": {"sku": "CUP"}, "units": 1}]) is None
    with pytest.raises(Refused) as refused:
        exchanged(settled(2))
    assert refused.value.reason == "unknown_return"
