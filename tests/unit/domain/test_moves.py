"""Every turn of an order: what the table of moves says is what small orders do, and none of them gets lost."""

from __future__ import annotations

import pytest

from chalicelib.domain.lifecycle import CLOSED, STAGES, stage
from chalicelib.domain.moves import MOVES
from chalicelib.domain.orders import total_units, violations
from tools.lifecycle_page import MOST_STATES_EACH, PAGE, Observed, observed, page
from tools.lifecycle_space import Space, explore

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


@pytest.fixture(scope="module")
def space() -> Space:
    return explore(MOST_STATES_EACH)


@pytest.fixture(scope="module")
def found(space: Space) -> dict[str, Observed]:
    return observed(space.moves)


def test_no_turn_breaks_a_rule_of_units_and_money(space: Space) -> None:
    assert space.broken == []
    assert not [wrong for node in space.nodes.values() if (wrong := violations(node.order.state))]


def test_units_add_up_in_every_state(space: Space) -> None:
    for node in space.nodes.values():
        units = total_units(node.order.state.quantities)
        parts = ("open", "allocated", "backordered", "shipped", "cancelled")
        assert sum(units[part] for part in parts) == units["ordered"]
        assert 0 <= units["returned"] <= units["shipped"]


def test_every_move_can_be_made(space: Space) -> None:
    assert {seen.move for seen in space.moves} == set(MOVES)


def test_every_stage_and_every_status_is_reached(space: Space) -> None:
    assert space.stages == set(STAGES)
    assert space.statuses == STATUSES


def test_every_state_has_a_way_to_the_end(space: Space) -> None:
    assert len(space.nodes) > 1000
    assert [node.order for node in space.stuck] == []


def test_every_state_that_is_not_closed_has_a_deadline(space: Space) -> None:
    for node in space.nodes.values():
        assert (node.order.state.due_ms > 0) == (stage(node.order) not in CLOSED)


@pytest.mark.parametrize("move", MOVES)
def test_a_move_does_all_that_it_says_and_nothing_else(found: dict[str, Observed], move: str) -> None:
    assert found[move].flows == set(MOVES[move].flows)
    assert found[move].money == set(MOVES[move].money)
    assert found[move].unexplained == set()


def test_every_move_appends_to_the_timeline_what_led_where(space: Space) -> None:
    for seen in space.moves:
        last = seen.after.timeline[-1]
        assert last.at_ms > 0
        assert last.actor
        assert last.before in ("", *STAGES)
        assert last.after in STAGES


def test_the_page_about_the_life_of_an_order_is_up_to_date(space: Space) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(space)
