"""Money that a statement books in another currency than the buyer paid.

Which amount of the source was booked is not said everywhere (of a charge all, or what was captured), so none is taken
that the told rate does not confirm, as finely as that rate is told. Nor is it said whether the rate is one of whole or
of smallest units where the currencies have other decimals: it may be either.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from chalicelib.domain.money import exponent


def rate_of(told: object) -> Decimal | None:
    """A rate as JSON has it (a number, or its text); None for none that can be one."""
    if isinstance(told, bool) or not isinstance(told, int | float | str | Decimal):
        return None
    try:
        rate = Decimal(str(told).strip())
    except InvalidOperation:
        return None
    return rate if rate.is_finite() and rate > 0 and abs(rate.adjusted()) < 10 else None


def confirmed(rate: Decimal, candidates: Iterable[int], currency: str, booked_minor: int, booked_in: str) -> int:
    """The one of the amounts (minor units of `currency`, above 0) that became `booked_minor` of `booked_in` at the
    rate; 0 when none did."""
    whole = Decimal(1).scaleb(exponent(booked_in) - exponent(currency))
    last_place = Decimal(1).scaleb(max(int(rate.as_tuple().exponent), -12))
    near = [
        (abs(each * rate * shift - abs(booked_minor)), each)
        for each in candidates
        for shift in {whole, Decimal(1)}
        if each > 0 and abs(each * rate * shift - abs(booked_minor)) <= 1 + each * shift * last_place
    ]
    return min(near)[1] if near else 0
