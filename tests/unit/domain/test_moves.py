"""The moves as data, held against every order that the decisions make of a few small ones (`tests/explorer.py`)."""

from __future__ import annotations

from collections import Counter

import pytest

from chalicelib.domain.lifecycle import CLOSED, STAGES, outstanding_minor, stage
from chalicelib.domain.moves import MOVES, moved
from chalicelib.domain.orders import Order, collectible_minor, refunded_minor, total_units
from tests.explorer import closable, closes, explored
from tests.factories import T0_MS, entered, fact
from tests.lifecycle_page import PAGE, page

STATUSES = {
    "on_hold",
    "awaiting_funds",
    "funded",
    "backordered",
    "partially_allocated",
    "allocated",
    "partially_shipped",
    "shipped",
    "returned",
    "settled",
    "cancelled",
}
FUNDINGS = {
    "pending",
    "free",
    "authorised",
    "expired",
    "failed",
    "captured",
    "partly_captured",
    "vouched",
    "refunded",
    "partly_refunded",
}


def orders() -> list[Order]:
    return [node.order for node in explored().orders.values()]


def test_every_move_is_made() -> None:
    assert set(explored().edges) == set(MOVES)


def test_every_stage_status_and_word_for_the_money_is_reached() -> None:
    words = explored().words
    assert words["stage"] == set(STAGES)
    assert words["status"] == STATUSES
    assert words["funding"] == FUNDINGS


@pytest.mark.parametrize("name", MOVES)
def test_units_flow_exactly_as_the_move_says(name: str) -> None:
    assert explored().flows[name] == set(MOVES[name].flows)


@pytest.mark.parametrize("name", MOVES)
def test_money_changes_exactly_where_the_move_says(name: str) -> None:
    assert explored().money[name] == set(MOVES[name].money)


def test_no_order_is_at_a_dead_end() -> None:
    """From every state a closed stage is reached: on the explored graph, or by people who want it out of the way."""
    seen = explored()
    good = closable(seen)
    stuck = [node.order for key, node in seen.orders.items() if key not in good and not closes(node, good)]
    assert stuck == []


def test_no_open_order_waits_without_a_deadline_and_no_closed_one_has_any() -> None:
    assert [order for order in orders() if (stage(order) in CLOSED) == (order.state.due_ms > 0)] == []


def test_units_add_up_in_every_state() -> None:
    for order in orders():
        units = total_units(order.state.quantities)
        buckets = [units[name] for name in ("open", "allocated", "backordered", "shipped", "cancelled")]
        assert min(buckets) >= 0
        assert sum(buckets) == units["ordered"]
        assert 0 <= units["returned"] <= units["shipped"]


def test_units_that_ship_are_those_of_the_parcels_in_every_state() -> None:
    for order in orders():
        if order.external_id == "service":  # what needs no parcel
            continue
        parcels = Counter[int]()
        for shipment in order.state.shipments:
            parcels.update(shipment.items)
        assert [units.shipped for units in order.state.quantities] == [parcels[i] for i, _ in enumerate(order.lines)]


def test_units_that_came_back_are_those_of_the_returns_in_every_state() -> None:
    for order in orders():
        came = Counter[int]()
        for back in order.state.returns.values():
            assert all(0 < units <= back.items[index] for index, units in back.restocked.items())
            if back.status in ("received", "inspected"):
                came.update(back.items)
        assert [units.returned for units in order.state.quantities] == [came[i] for i, _ in enumerate(order.lines)]


def test_money_adds_up_in_every_state() -> None:
    for order in orders():
        state = order.state
        lost = sum(dispute.amount_minor for dispute in state.disputes.values() if dispute.status == "lost")
        assert 0 <= refunded_minor(state) <= collectible_minor(state)
        assert collectible_minor(state) == (
            state.settled_minor + refunded_minor(state) + lost + outstanding_minor(state)
        )
        assert state.secured_minor >= 0


def test_every_move_is_one_version_and_one_line_of_timeline() -> None:
    for order in orders():
        assert order.state.version == len(order.state.timeline)
        stages = [(h.before, h.after) for h in order.state.timeline]
        assert [after for _, after in stages[:-1]] == [before for before, _ in stages[1:]]
        assert stages[-1][1] == stage(order)


def test_a_move_that_does_more_than_it_says_is_refused() -> None:
    order = entered(fact())
    with pytest.raises(AssertionError, match=r"changed .'secured'"):
        moved(order, order.having(secured_minor=1), "hold", now_ms=T0_MS)
    with pytest.raises(AssertionError, match="although not"):
        moved(order, order, "resolve", now_ms=T0_MS)


def test_the_page_of_the_turns_is_up_to_date() -> None:
    assert PAGE.read_text() == page(explored()), "renew it: python -m tests.lifecycle_page"
