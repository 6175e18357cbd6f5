from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.margin import Outlay, margin_minor, outlay_of
from chalicelib.domain.orders import Order, OrderLine, Quantities, Return
from tests.factories import entered, fact, line

MUG, CUP = Sku("MUG", cost_minor=200, cost_currency="EUR"), Sku("CUP", cost_minor=70, cost_currency="EUR")
SKUS = {"MUG": MUG, "CUP": CUP}


def order(quantity: int = 5, **state: Any) -> Order:
    found = entered(fact(line(quantity=quantity)))
    return replace(found, state=replace(found.state, **state))


def with_line(**changes: Any) -> Order:
    found = order()
    assert found.content
    lines: tuple[OrderLine, ...] = (replace(found.lines[0], **changes),)
    return replace(found, content=replace(found.content, lines=lines))


def test_goods_cost_what_their_units_cost_and_postage_what_its_labels_did() -> None:
    assert outlay_of(order(), SKUS, [(410, "EUR"), (90, "EUR")]) == Outlay(1000, 500)


def test_what_was_called_off_or_can_be_sold_again_costs_nothing_and_scrap_does() -> None:
    units = Quantities(5, cancelled=1, shipped=4, returned=3)
    back = Return({0: 3}, "inspected", "main", restocked={0: 2})
    assert outlay_of(order(quantities=(units,), returns={"r": back}), SKUS, []) == Outlay(400)


def test_a_kit_costs_what_was_in_it_when_it_was_ordered() -> None:
    assert outlay_of(with_line(sku="SET", components=(("MUG", 1), ("CUP", 2))), SKUS, []) == Outlay(5 * 340)


@pytest.mark.parametrize(
    ("skus", "unknown"),
    [
        ({}, "cost of MUG"),
        ({"MUG": Sku("MUG")}, "cost of MUG"),
        ({"MUG": Sku("MUG", cost_minor=1, cost_currency="USD")}, "cost of MUG in EUR"),
    ],
)
def test_a_cost_that_is_not_known_is_named_and_not_guessed(skus: dict[str, Sku], unknown: str) -> None:
    assert outlay_of(order(), skus, []) == Outlay(0, 0, (unknown,))


def test_a_cost_of_nothing_is_known() -> None:
    assert outlay_of(order(), {"MUG": Sku("MUG", cost_minor=0, cost_currency="EUR")}, []) == Outlay()


def test_what_no_listing_is_linked_to_goes_by_the_channels_name_and_a_service_costs_no_goods() -> None:
    assert outlay_of(with_line(sku="", channel_sku="item 7"), SKUS, []).unknown == ("cost of item 7",)
    assert outlay_of(with_line(sku="", ships=False), SKUS, []) == Outlay()


def test_postage_in_another_currency_is_named() -> None:
    told = outlay_of(order(), SKUS, [(410, "USD"), (90, "EUR")])
    assert told == Outlay(1000, 90, ("postage of storefront:1001 in EUR",))


def test_the_margin_is_the_price_less_all_that_went_out() -> None:
    sold = order(payouts={"p": (2500, 80)})
    assert margin_minor(sold, Outlay(1000, 500)) == 2500 - 80 - 1000 - 500


def test_what_was_paid_back_is_taken_off_and_an_order_that_was_called_off_loses_only_what_it_cost() -> None:
    back = order()
    payment = replace(back.state.payment, refunded_minor=700)
    assert margin_minor(order(payment=payment), Outlay(1000)) == 2500 - 700 - 1000
    assert margin_minor(order(payment=payment, cancelled=True), Outlay(0, 410)) == -410
