from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Unreadable
from chalicelib.domain.money import currency_code, exponent, to_minor, to_text


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10.50", "EUR", 1050),
        ("5900", "JPY", 5900),
        ("5900.00", "JPY", 5900),
        ("1.234", "KWD", 1234),
        ("-0.01", "USD", -1),
        (10, "USD", 1000),
        ("0.005", "USD", 0),
        ("0.015", "USD", 2),
    ],
)
def test_amounts_are_counted_in_the_minor_units_of_their_currency(text: object, currency: str, minor: int) -> None:
    assert to_minor(text, currency) == minor


@pytest.mark.parametrize("amount", ["", "ten", "NaN", "Infinity", "1e400000", None, True, [], "1,5"])
def test_an_impossible_amount_is_refused_by_the_name_of_its_field(amount: object) -> None:
    with pytest.raises(Unreadable, match="total_price"):
        to_minor(amount, "EUR", "total_price")


@pytest.mark.parametrize("code", ["", "EU", "EURO", "12A", None, "€€€"])
def test_a_currency_is_three_letters(code: object) -> None:
    with pytest.raises(Unreadable, match="currency"):
        currency_code(code, "currency")


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_text_and_minor_units_are_the_same_amount(minor: int, currency: str) -> None:
    text = to_text(minor, currency)
    assert to_minor(text, currency) == minor
    assert len(text.partition(".")[2]) == exponent(currency)
