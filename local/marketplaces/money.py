"""Amounts as integers of a currency's minor unit, and as the decimal text of the wire."""

from __future__ import annotations

import re

MINOR_DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3}
_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?")


def minor_digits(currency: str) -> int:
    """How many decimals the currency has (ISO 4217)."""
    return MINOR_DIGITS.get(currency, 2)


def amount_text(amount_minor: int, currency: str) -> str:
    """1250, 'USD' -> '12.50'; 1250, 'JPY' -> '1250'."""
    digits = minor_digits(currency)
    sign, magnitude = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    if digits == 0:
        return f"{sign}{magnitude}"
    units, rest = divmod(magnitude, 10**digits)
    return f"{sign}{units}.{rest:0{digits}}"


def trimmed_amount_text(amount_minor: int, currency: str) -> str:
    """The same with trailing zeros cut but one, as Shopify's Decimal and eBay print it: 1250 -> '12.5'."""
    text = amount_text(amount_minor, currency)
    if "." not in text:
        return f"{text}.0"
    units, decimals = text.split(".")
    return f"{units}.{decimals.rstrip('0') or '0'}"


def amount_minor(text: str, currency: str) -> int:
    """'12.5', 'USD' -> 1250. Raises ValueError for what is no amount of the currency, signs included."""
    digits = minor_digits(currency)
    match = _AMOUNT.fullmatch(text)
    decimals = (match[2] or "").rstrip("0") if match else ""
    if match is None or len(decimals) > digits:
        raise ValueError(f"{text!r} is no amount in {currency}")
    return int(match[1] + decimals.ljust(digits, "0"))
