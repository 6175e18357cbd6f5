"""Which amount a statement has converted: none but what the told rate confirms."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.conversions import confirmed, rate_of
from chalicelib.domain.settlement import LedgerFact, as_sold, converted


@pytest.mark.parametrize(
    ("rate", "candidates", "booked", "sold"),
    [
        ("1.234", [1000], (1234, "USD"), 1000),
        ("1.234", [1000], (-1234, "USD"), 1000),
        ("1.1", [1000, 700], (770, "USD"), 700),
        ("1.1", [1000, 700], (1100, "USD"), 1000),
        ("1.1", [10000], (10450, "USD"), 0),  # 95.00 of 100.00
        ("1.1", [1000, 700], (330, "USD"), 0),  # a part that the source does not tell
        ("162.3", [1000], (1623, "JPY"), 1000),  # of whole units
        ("1.623", [1000], (1623, "JPY"), 1000),  # of smallest ones
        ("1.234", [0, -5], (0, "USD"), 0),
        ("1.234", [], (1234, "USD"), 0),
    ],
)
def test_the_amount_is_taken_that_the_rate_confirms(
    rate: str, candidates: list[int], booked: tuple[int, str], sold: int
) -> None:
    assert confirmed(Decimal(rate), candidates, "EUR", *booked) == sold


@given(st.integers(1, 10**9), st.decimals("0.01", "100", places=6))
def test_what_was_converted_and_rounded_is_found_again(amount: int, rate: Decimal) -> None:
    assert confirmed(rate, [amount], "EUR", round(amount * rate), "USD") == amount


@pytest.mark.parametrize("told", [None, "", "much", True, 0, -1, "NaN", "Infinity", "1e40", [], {}])
def test_what_can_be_no_rate_is_none(told: object) -> None:
    assert rate_of(told) is None


def test_a_rate_is_a_number_or_its_text() -> None:
    assert [str(rate_of(told)) for told in (1.234, "1.234", Decimal("1.234"), 2)] == ["1.234", "1.234", "1.234", "2"]


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_part_of_what_was_converted_is_off_by_half_a_unit_at_most(part: int, gross: int, sold: int) -> None:
    fact = converted(LedgerFact("f/fee", "fee", part, "USD", 1), gross, sold, "EUR", "1.1")
    assert abs(2 * (fact.sold_minor * gross - part * sold)) <= gross
    assert (as_sold(fact).amount_minor, as_sold(fact).currency) == (fact.sold_minor, "EUR")
    back = converted(LedgerFact("f/fee", "fee", part, "USD", 1), -gross, -sold, "EUR", "1.1")
    assert back.sold_minor == fact.sold_minor


def test_what_was_not_converted_stays() -> None:
    fact = LedgerFact("f", "sale", 5, "USD", 1)
    assert as_sold(fact) == fact
