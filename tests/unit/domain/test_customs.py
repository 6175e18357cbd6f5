from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.customs import Customs, crosses_border, declare
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order
from tests.factories import entered, fact, line

LINE = {"line_id": "l1", "description": "Mug", "hs_code": "691200", "origin_country": "CN", "weight_g": 350}
ASKED = {"contents": "merchandise", "signer": "A Clerk", "non_delivery": "return", "eel_pfc": "", "lines": [LINE]}


def worth(price_minor: int, discount_minor: int = 0, ordered: int = 3, currency: str = "USD") -> Order:
    """An order of one line at this price for all its units."""
    order = entered(fact(line(quantity=ordered)))
    assert order.content
    sold = replace(order.lines[0], price_minor=price_minor, discount_minor=discount_minor)
    return replace(order, content=replace(order.content, lines=(sold,), currency=currency))


def declared(order: Order, units: int = 1, to: str = "GB", sender: str = "US", **more: Any) -> Customs:
    wish = {"lines": [{"line_id": "l1", "units": units}], "customs": {**ASKED, **more}}
    found = declare(order, wish, sender, to)
    assert found
    return found


@pytest.mark.parametrize(
    ("ends", "crosses"),
    [
        (("DE", "DE"), False),
        (("de", "FR"), False),
        (("FR", "MC"), False),
        (("CH", "LI"), False),
        (("US", "PR"), False),
        (("DE", "GB"), True),
        (("DE", "CH"), True),
        (("NO", "SE"), True),
        (("US", "CA"), True),
    ],
)
def test_a_border_is_one_of_customs_territories(ends: tuple[str, str], crosses: bool) -> None:
    assert crosses_border(*ends) == crosses_border(*reversed(ends)) == crosses


def test_what_is_declared_is_what_was_paid_for_these_units_and_what_they_weigh() -> None:
    (item,) = declared(worth(3_000, 250), units=2).items  # 27.50 for three
    assert (item.units, item.value_minor, item.currency, item.weight_g) == (2, 1_833, "USD", 700)
    assert (item.description, item.hs_code, item.origin_country) == ("Mug", "691200", "CN")


def test_nothing_is_declared_within_one_territory_whatever_was_said() -> None:
    assert declare(worth(3_000), {"lines": [], "customs": ASKED}, "DE", "FR") is None


@pytest.mark.parametrize(
    ("price_minor", "currency", "sender", "to", "given", "eel_pfc"),
    [
        (250_000, "USD", "US", "GB", "", "NOEEI 30.37(a)"),
        (900_000, "USD", "US", "CA", "", "NOEEI 30.36"),
        (900_000, "USD", "US", "GB", "AES X20261130123456", "AES X20261130123456"),
        (900_000, "EUR", "DE", "GB", "", ""),
    ],
)
def test_an_export_from_the_us_says_why_it_was_not_filed(
    price_minor: int, currency: str, sender: str, to: str, given: str, eel_pfc: str
) -> None:
    order = worth(price_minor, ordered=1, currency=currency)
    assert declared(order, to=to, sender=sender, eel_pfc=given).eel_pfc == eel_pfc


@pytest.mark.parametrize(
    ("order", "customs", "named"),
    [
        (worth(3_000), None, "customs: "),
        (worth(3_000), {**ASKED, "lines": [{**LINE, "line_id": "l2"}]}, "'l1'"),
        (worth(3_000, 3_000), ASKED, "'l1'"),
        (worth(250_001, ordered=1), ASKED, "eel_pfc"),
        (worth(1_000, currency="EUR"), ASKED, "eel_pfc"),
    ],
)
def test_what_is_missing_is_named(order: Order, customs: Any, named: str) -> None:
    wish = {"lines": [{"line_id": "l1", "units": 1}], "customs": customs}
    with pytest.raises(Refused) as refused:
        declare(order, wish, "US", "GB")
    assert refused.value.reason == "customs_missing"
    assert named in refused.value.detail
