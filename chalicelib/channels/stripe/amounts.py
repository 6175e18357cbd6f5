"""Stripe's integers are its own minor units, which are not everywhere those of ISO 4217.

Source: docs.stripe.com/currencies (zero-decimal, three-decimal, special cases) and the support article on fractional
ISK: ISK and UGX have no decimals any more but keep two in the API, MGA has none there, and an amount with three
decimals must end in 0.
"""

from __future__ import annotations

from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Refused
from chalicelib.domain.money import exponent

_PLACES = {"ISK": 2, "UGX": 2, "MGA": 0}  # where Stripe counts otherwise than ISO 4217
_LARGEST = 10**15


def to_stripe(amount_minor: int, currency: str) -> int:
    """Our minor units as Stripe's. Raises `Refused` for what Stripe cannot move, e.g. KWD 1.234."""
    shift = _places(currency) - exponent(currency)
    amount, rest = divmod(amount_minor * _power(shift), _power(-shift))
    if rest or (_places(currency) == 3 and amount % 10):
        raise Refused("amount_not_possible", f"Stripe cannot move {amount_minor} minor units of {currency}: round it")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's minor units as ours; a fraction that the currency has not got rounds half-even (it is never sent)."""
    shift = exponent(currency) - _places(currency)
    return round_half_even(amount * _power(shift), _power(-shift))


def round_half_even(amount: int, parts: int) -> int:
    """`amount / parts` without floats."""
    whole, rest = divmod(amount, parts)
    return whole + (rest * 2 > parts or (rest * 2 == parts and whole % 2 == 1))


def told_int(node: Node, key: str) -> int:
    """An amount or a time that Stripe always tells. Raises `Unreadable` where it does not: none is not 0."""
    if not node.has(key):
        node.at(key).refuse("a whole number")
    return stripe_int(node, key)


def stripe_int(node: Node, key: str) -> int:
    """An amount or a time as Stripe writes it; 0 when missing or null. Raises `Unreadable` for anything else."""
    here = node.at(key)
    if here.value is None:
        return 0
    if isinstance(here.value, bool) or not isinstance(here.value, int) or abs(here.value) > _LARGEST:
        here.refuse("a whole number of a sane size")
    return here.value


def _power(places: int) -> int:
    return int(10 ** max(places, 0))


def _places(currency: str) -> int:
    return _PLACES.get(currency, exponent(currency))
