"""Kits, pre-orders and substitutes: what has to be in stock for a line, and from when."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Refused
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.lifecycle import stage, status
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Sourcing
from tests.factories import T0_MS, fact, line
from tests.turns import after, last_move, outcome, plan, promised, shipped, units

SET = Sku("SET", components=(("MUG", 1), ("CUP", 2)))
PAIR = Sku("PAIR", components=(("CUP", 2),))
PARTS = {"SET": SET.parts, "PAIR": PAIR.parts, "MUG": (("MUG", 1),), "CUP": (("CUP", 1),)}
RELEASE_MS = T0_MS + 48 * 3_600_000
PLACES = Sourcing(("east", "west"))


def ordered(*wanted: tuple[str, int], release_ms: int = 0) -> Order:
    """A paid order of (SKU, units), kits and all."""
    word = fact(*(line(f"l{n}", sku, quantity) for n, (sku, quantity) in enumerate(wanted, 1)))
    skus = {
        each.line_id: Sku(each.channel_sku, components=PARTS[each.channel_sku], release_ms=release_ms)
        if each.channel_sku in ("SET", "PAIR")
        else Sku(each.channel_sku, release_ms=release_ms)
        for each in word.lines
    }
    order = decide_entry(None, word, skus, T0_MS)
    assert order is not None
    return decide_funding(order, T0_MS) or order


@given(
    st.lists(st.tuples(st.sampled_from(sorted(PARTS)), st.integers(1, 5)), min_size=1, max_size=6),
    st.dictionaries(
        st.sampled_from(["MUG", "CUP"]), st.dictionaries(st.sampled_from(["east", "west"]), st.integers(0, 9))
    ),
)
def test_components_are_summed_over_the_whole_order_and_never_oversold(
    wanted: list[tuple[str, int]], stock: dict[str, dict[str, int]]
) -> None:
    planned = plan(ordered(*wanted), stock, PLACES)
    assert planned is not None
    taken: Counter[tuple[str, str]] = Counter()
    for (sku, _), ledger in zip(wanted, planned.order.state.quantities, strict=True):
        for part, each in PARTS[sku]:
            for place, n in ledger.allocations.items():
                taken[part, place] += n * each
    assert all(n <= stock.get(part, {}).get(place, 0) for (part, place), n in taken.items())
    assert {(move.sku, move.location): move.allocated for move in planned.moves} == +taken
    waits: Counter[str] = Counter()
    for (sku, _), ledger in zip(wanted, planned.order.state.quantities, strict=True):
        waits.update({part: ledger.backordered * each for part, each in PARTS[sku]})
    assert {sku: n for sku, n in planned.backorders.items() if n} == {sku: n for sku, n in waits.items() if n}


def test_a_kit_and_its_component_in_one_order_share_what_there_is() -> None:
    order = promised(ordered(("SET", 2), ("MUG", 2)), {"MUG": {"main": 3}, "CUP": {"main": 9}})
    assert [ledger.allocated for ledger in order.state.quantities] == [2, 1]
    assert [ledger.backordered for ledger in order.state.quantities] == [0, 1]


def test_a_kit_is_never_made_of_parts_from_two_locations() -> None:
    order = promised(ordered(("SET", 1)), {"MUG": {"east": 1}, "CUP": {"west": 2}}, PLACES)
    assert (status(order), order.state.quantities[0].allocated) == ("backordered", 0)


def test_a_kit_that_ships_takes_all_its_components_off_the_shelf_and_a_return_puts_them_back() -> None:
    order = promised(ordered(("SET", 1)))
    sent = outcome(order, "ship", shipment_id="p1", location="main", shipped_ms=1, lines=units("l1", 1))
    assert sent is not None
    assert [(move.sku, move.on_hand, move.allocated) for move in sent.moves] == [("MUG", -1, -1), ("CUP", -2, -2)]
    back = outcome(sent.order, "return", return_id="r1", location="main", lines=units("l1", 1))
    assert back is not None
    assert [(move.sku, move.on_hand, move.allocated) for move in back.moves] == [("MUG", 1, 0), ("CUP", 2, 0)]


def test_a_kit_keeps_the_makeup_that_it_was_sold_with() -> None:
    order = ordered(("SET", 1))
    word = fact(line("l1", "SET"), version_ms=T0_MS + 1, label="edited")
    edited = decide_entry(order, word, {"l1": Sku("SET", components=(("MUG", 9),))}, T0_MS)
    assert edited is not None
    assert edited.lines[0].components == SET.components


def test_a_pre_order_waits_for_its_day_though_there_is_stock() -> None:
    order = promised(ordered(("MUG", 2), release_ms=RELEASE_MS))
    assert (status(order), order.state.wake_ms) == ("backordered", RELEASE_MS)
    assert plan(order, now_ms=RELEASE_MS - 1) is None
    released = promised(order, now_ms=RELEASE_MS)
    assert (stage(released), released.state.wake_ms) == ("shipping", 0)


def test_a_pre_order_is_looked_at_on_its_day_at_the_latest() -> None:
    soon = T0_MS + 60_000
    assert promised(ordered(("MUG", 1), release_ms=soon)).state.due_ms == soon


def test_a_cancelled_pre_order_has_no_clock_any_more() -> None:
    order = after(promised(ordered(("MUG", 2), release_ms=RELEASE_MS)), "cancel", cancellation_id="c1")
    order = promised(order)
    assert (order.state.wake_ms, order.state.quantities[0].cancelled) == (0, 2)


def test_a_substitute_is_promised_instead_and_nobody_waits_for_the_first_item() -> None:
    order = promised(ordered(("CUP", 2)), {})
    swapped = outcome(order, "substitute", line_id="l1", sku={"sku": "MUG", "title": "Mug"})
    assert swapped is not None
    assert (last_move(swapped.order), swapped.backorders) == ("substitute", {"CUP": 0})
    planned = plan(swapped.order)
    assert planned is not None
    assert [(move.sku, move.allocated) for move in planned.moves] == [("MUG", 2)]
    assert outcome(planned.order, "substitute", line_id="l1", sku={"sku": "MUG"}) is None


def test_a_kit_may_be_the_substitute() -> None:
    order = after(
        promised(ordered(("MUG", 1)), {}), "substitute", line_id="l1", sku={"sku": "SET", "components": [["CUP", 2]]}
    )
    planned = plan(order)
    assert planned is not None
    assert [(move.sku, move.allocated) for move in planned.moves] == [("CUP", 2)]


def test_units_that_were_called_off_leave_with_the_substitution() -> None:
    order = after(promised(ordered(("CUP", 2)), {}), "cancel", cancellation_id="c1", lines=units("l1", 1))
    order = after(order, "substitute", line_id="l1", sku={"sku": "MUG"})
    assert (order.state.quantities[0].cancelled, order.state.quantities[0].open) == (1, 1)


@pytest.mark.parametrize("sent", [False, True])
def test_nothing_is_substituted_that_is_promised_or_gone(sent: bool) -> None:
    order = promised(ordered(("MUG", 1)))
    with pytest.raises(Refused) as refused:
        after(shipped(order) if sent else order, "substitute", line_id="l1", sku={"sku": "CUP"})
    assert refused.value.reason == "already_promised"
