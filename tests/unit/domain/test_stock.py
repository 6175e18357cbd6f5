"""Stock: movements decide what they change, and a record is what movements and orders say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Refused
from chalicelib.domain.stock import Movement, Stock, StockMove, decide_movement, discrepancies, moved_by, totals

PLACE = ("MUG", "main")
RECORD = Stock(*PLACE, on_hand=10, allocated=4, safety_stock=2, incoming=5)


def movement(kind: str, units: int, name: str = "m", *, arrived: int = 0) -> Movement:
    return Movement(kind, name, *PLACE, units, 0, arrived=arrived)


@pytest.mark.parametrize(
    ("kind", "units", "change"),
    [
        ("receipt", 3, 3),
        ("adjustment", -6, -6),
        ("count", 12, 2),
        ("count", 4, -6),
        ("transfer", 6, -6),
        ("expected", 8, 8),
        ("safety_stock", 0, -2),
    ],
)
def test_a_count_and_a_safety_stock_state_the_number_and_all_others_the_change(
    kind: str, units: int, change: int
) -> None:
    assert decide_movement(RECORD, kind, units) == change


@pytest.mark.parametrize(("kind", "units"), [("count", 3), ("adjustment", -7), ("receipt", -7), ("transfer", 7)])
def test_what_is_promised_to_orders_is_never_moved_away(kind: str, units: int) -> None:
    with pytest.raises(Refused, match="4 are promised") as refused:
        decide_movement(RECORD, kind, units)
    assert refused.value.reason == "not_allocated"


@pytest.mark.parametrize("kind", ["count", "safety_stock", "transfer", "expected"])
def test_a_number_that_states_how_many_is_not_negative(kind: str) -> None:
    with pytest.raises(Refused, match="must not be negative"):
        decide_movement(RECORD, kind, -1)


@given(st.lists(st.tuples(st.sampled_from(["receipt", "count", "adjustment", "safety_stock", "expected"]),
                          st.integers(0, 50))))  # fmt: skip
def test_a_record_is_the_fold_of_its_movements(steps: list[tuple[str, int]]) -> None:
    stock, movements = Stock(*PLACE), []
    for number, (kind, units) in enumerate(steps):
        made = movement(kind, decide_movement(stock, kind, units), f"m{number}")
        stock = moved_by(stock, made.move)
        movements.append(made)
    assert discrepancies(stock, totals(movements), {}) == []


def test_a_receipt_of_what_was_expected_is_incoming_no_longer() -> None:
    movements = [movement("expected", 8), movement("receipt", 6, arrived=6)]
    assert totals(movements) == {PLACE: StockMove(*PLACE, on_hand=6, incoming=2)}


def test_a_parcel_takes_its_promise_with_it() -> None:
    assert movement("shipment", -3).move == StockMove(*PLACE, on_hand=-3, allocated=-3)
    assert moved_by(RECORD, movement("shipment", -3).move).available == RECORD.available


def test_every_number_that_is_not_explained_is_named_with_who_says_otherwise() -> None:
    folded = {PLACE: StockMove(*PLACE, on_hand=9, safety_stock=1, incoming=4)}
    assert discrepancies(RECORD, folded, {PLACE: 3}) == [
        "on_hand is 10, its movements say 9",
        "safety_stock is 2, its movements say 1",
        "incoming is 5, its movements say 4",
        "allocated is 4, the open orders say 3",
    ]
