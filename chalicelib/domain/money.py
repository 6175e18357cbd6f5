"""Money is counted in integer minor units of an ISO 4217 currency; no floats, no rounding in between."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from chalicelib.domain.errors import Unreadable

# Source: ISO 4217 list one. Every currency that is not named here has two decimal places.
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENTS = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    "CLF": 4,
    "UYW": 4,
}
_LARGEST_EXPONENT = 15  # 10^15 of any currency is a typing error, and a huge exponent would exhaust memory


def exponent(currency: str) -> int:
    """Number of decimal places of `currency` (JPY 0, EUR 2, KWD 3)."""
    return _EXPONENTS.get(currency, 2)


def currency_code(text: object, field: str) -> str:
    """`text` as an ISO 4217 code; raises `Unreadable` naming `field`."""
    code = text.strip().upper() if isinstance(text, str) else ""
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Unreadable("bad_currency", f"{field} must be a three-letter ISO 4217 code, not {text!r}")
    return code


def to_minor(amount: object, currency: str, field: str = "amount") -> int:
    """A decimal amount (text, int or Decimal) in minor units; finer than the currency allows rounds half-even.

    Raises `Unreadable` naming `field` when it is not a finite number of a sane size.
    """
    try:
        if isinstance(amount, bool) or not isinstance(amount, str | int | float | Decimal):
            raise InvalidOperation
        number = Decimal(str(amount).strip())
    except InvalidOperation:
        raise Unreadable("bad_amount", f"{field} must be a decimal number, not {amount!r}") from None
    if not number.is_finite() or (number and number.adjusted() > _LARGEST_EXPONENT):
        raise Unreadable("bad_amount", f"{field} is not a possible amount: {amount!r}")
    return int(number.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def to_text(amount_minor: int, currency: str) -> str:
    """Minor units as the decimal text that APIs exchange: (1050, EUR) is "10.50", (1050, JPY) is "1050"."""
    places = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-places):.{places}f}"
