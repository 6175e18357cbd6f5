"""Customs: which parcels cross a border of customs territories, and what is declared of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order

CUSTOMS_MISSING = "customs_missing"  # hold: the parcel crosses a border, and what is declared of it is not whole

_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK"
_UNIONS = (frozenset(_EU.split()), frozenset({"CH", "LI"}), frozenset({"US", "PR"}))
"""Countries that are one customs territory. Sources: Regulation (EU) 952/2013, article 4 (with Monaco); the customs
treaty of Switzerland and Liechtenstein; 19 CFR 101.1. Places that are apart (the Canaries, Livigno, Northern Ireland …)
have no country code of their own and are not told apart."""
_MOST_UNFILED_MINOR = 250_000  # USD. Source: 15 CFR 30.37(a); beyond it an export from the US is filed first


@dataclass(frozen=True)
class CustomsItem:
    """One line of the declaration. Value and weight are those of all its units; `hs_code` is digits only."""

    description: str
    units: int
    value_minor: int
    currency: str
    weight_g: int
    origin_country: str
    hs_code: str = ""


@dataclass(frozen=True)
class Customs:
    """What is declared of a parcel. `contents`: merchandise, gift, documents, returned_goods or sample; `non_delivery`:
    return or abandon; `eel_pfc`: why an export from the US was not filed, or the number it was filed under."""

    contents: str
    signer: str
    non_delivery: str
    items: tuple[CustomsItem, ...]
    eel_pfc: str = ""


def crosses_border(from_country: str, to_country: str) -> bool:
    """Whether a parcel between these countries (ISO 3166 alpha-2) is declared to customs."""
    ends = {from_country.upper(), to_country.upper()}
    return len(ends) == 2 and not any(ends <= union for union in _UNIONS)


def declare(order: Order, wish: Mapping[str, Any], from_country: str, to_country: str) -> Customs | None:
    """What is declared of the units of a label, valued as they were bought; None where no border is crossed. Raises
    `Refused` customs_missing naming the field."""
    if not crosses_border(from_country, to_country):
        return None
    asked = wish.get("customs")
    if not asked:
        raise Refused(CUSTOMS_MISSING, "customs: the parcel crosses a border; name signer and lines, and ask again")
    told = {line["line_id"]: line for line in asked["lines"]}
    items = tuple(_item(order, line["line_id"], line["units"], told) for line in wish["lines"])
    eel_pfc = asked.get("eel_pfc") or _exempt(from_country.upper(), to_country.upper(), items)
    return Customs(asked["contents"], asked["signer"], asked["non_delivery"], items, eel_pfc)


def _item(order: Order, line_id: str, units: int, told: Mapping[str, Mapping[str, Any]]) -> CustomsItem:
    if line_id not in told:
        raise Refused(CUSTOMS_MISSING, f"customs.lines: nothing is said of line {line_id!r}")
    assert order.content
    index = next(index for index, line in enumerate(order.lines) if line.line_id == line_id)
    line, ordered = order.lines[index], order.state.quantities[index].ordered
    value_minor = (2 * (line.price_minor - line.discount_minor) * units + ordered) // (2 * ordered)
    if value_minor <= 0:
        raise Refused(CUSTOMS_MISSING, f"line {line_id!r} was given away: customs take no goods without a value")
    said = told[line_id]
    return CustomsItem(
        description=said["description"],
        units=units,
        value_minor=value_minor,
        currency=order.content.currency,
        weight_g=said["weight_g"] * units,
        origin_country=said["origin_country"],
        hs_code=said.get("hs_code", ""),
    )


def _exempt(from_country: str, to_country: str, items: tuple[CustomsItem, ...]) -> str:
    """Why an export from the US needs not be filed. Sources: 15 CFR 30.36 and 30.37(a)."""
    if from_country not in ("US", "PR"):
        return ""
    if to_country == "CA":
        return "NOEEI 30.36"
    is_small = sum(item.value_minor for item in items) <= _MOST_UNFILED_MINOR
    if is_small and all(item.currency == "USD" for item in items):
        return "NOEEI 30.37(a)"
    raise Refused(
        CUSTOMS_MISSING, "customs.eel_pfc: goods beyond 2,500 USD, or not in USD, leave the US under a number"
    )
