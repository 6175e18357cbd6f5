"""Money that a statement books in another currency than the buyer paid.

Which amount of the source was booked is not said everywhere (of a charge all, or what was captured), so none is taken
that the told rate does not confirm to five digits. Nor is it said whether the rate is one of whole or of smallest units
where the currencies have other decimals: it may be either.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from chalicelib.domain.money import exponent

_DIGITS = 5  # of a rate that is right; a rougher one would confirm another amount


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
    precise = Decimal(1).scaleb(rate.adjusted() - _DIGITS + 1)
    off = [
        (abs(each * rate * shift - abs(booked_minor)), each, 1 + each * shift * precise)
        for each in candidates
        for shift in (whole, Decimal(1))
        if each > 0
    ]
    best, found, most = min(off, default=(Decimal(1), 0, Decimal(0)))
    return found if best <= most else 0
