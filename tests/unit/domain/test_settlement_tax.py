"""Tax that a marketplace passes on itself is neither a fee nor missing money, whichever way its books show it."""

from __future__ import annotations

import pytest

from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.domain.orders import Order
from chalicelib.domain.settlement import LedgerFact, PayoutLine, Refunds, decide_settlement, payout_lines, refunds_in
from tests.factories import T0_MS, fact, line
from tests.turns import promised, secured, shipped

# Ways to book a sale of 100 with 20 of tax that the channel passes on and 15 of fees, and to give half of it back.
IN_THE_SALE = ({"sale": 120, "tax": -20, "fee": -15}, {"refund": -60, "tax": 10})
BESIDE_IT = ({"sale": 100, "tax": 20, "tax2": -20, "fee": -15}, {"refund": -50, "tax": -10, "tax2": 10})
NOT_AT_ALL = ({"sale": 100, "fee": -15}, {"refund": -50})


def amazon() -> Order:
    """Its total holds the tax, which it names on the line."""
    return shipped(promised(secured(fact(line(unit_minor=100, tax_minor=20)))))


def ebay() -> Order:
    """Its total is the seller's part only."""
    return shipped(promised(secured(fact(line(unit_minor=100)))))


def booked(amounts: dict[str, int], at_ms: int = T0_MS, payout_id: str = "po") -> list[LedgerFact]:
    return [
        LedgerFact(f"{at_ms}/{name}", name.rstrip("2"), amount, "EUR", at_ms, "1001", payout_id)
        for name, amount in amounts.items()
    ]


def paid_out(order: Order, facts: list[LedgerFact], payout_id: str = "po") -> Order:
    shared = {"channel": order.channel, "payout_id": payout_id, "order_id": order.order_id}
    lines = [PayoutLine(**shared, **each, currency="EUR", paid_ms=T0_MS) for each in payout_lines(facts)]  # type: ignore[arg-type]
    after = decide_settlement(order, lines, T0_MS)
    assert after
    return after


@pytest.mark.parametrize("way", [IN_THE_SALE, BESIDE_IT])
def test_a_total_with_tax_is_accounted_for_by_the_sale_with_its_tax(way: tuple[dict[str, int], dict[str, int]]) -> None:
    order = paid_out(amazon(), booked(way[0]))
    assert (outstanding_minor(order.state), order.state.fees_minor, stage(order)) == (0, 15, "settled")


@pytest.mark.parametrize("way", [IN_THE_SALE, BESIDE_IT, NOT_AT_ALL])
def test_a_total_without_tax_is_accounted_for_by_the_sale_without_it(
    way: tuple[dict[str, int], dict[str, int]],
) -> None:
    order = paid_out(ebay(), booked(way[0]))
    assert (outstanding_minor(order.state), order.state.fees_minor, stage(order)) == (0, 15, "settled")


@pytest.mark.parametrize("way", [IN_THE_SALE, BESIDE_IT])
def test_tax_that_the_seller_remits_himself_is_part_of_the_sale(way: tuple[dict[str, int], dict[str, int]]) -> None:
    order = paid_out(amazon(), booked({"sale": 100, "tax": 20}))
    assert (outstanding_minor(order.state), order.state.fees_minor) == (0, 0)


@pytest.mark.parametrize(
    ("make", "ways", "back"),
    [(amazon, (IN_THE_SALE, BESIDE_IT), 60), (ebay, (IN_THE_SALE, BESIDE_IT, NOT_AT_ALL), 50)],
)
@pytest.mark.parametrize("payouts", [("po", "po"), ("po", "po2")])
def test_half_of_it_given_back_comes_out_right(make: object, ways: object, back: int, payouts: tuple[str, str]) -> None:
    for sale, refund in ways:  # type: ignore[attr-defined]
        order = make()  # type: ignore[operator]
        facts = booked(sale) + booked(refund, T0_MS + 1)
        if payouts[0] == payouts[1]:
            order = paid_out(order, facts)
        else:
            order = paid_out(paid_out(order, facts[: len(sale)]), facts[len(sale) :], payouts[1])
        assert order.state.settled_minor == order.state.total_minor - back
        assert order.state.fees_minor == 15


def test_what_is_no_money_of_an_order_is_no_line_and_the_rest_is_a_fee() -> None:
    facts = booked({"sale": 100, "shipping_label": -7, "adjustment": 2, "reserve": -50, "transfer": 3, "novelty": -1})
    lines = [(each["kind"], each["amount_minor"]) for each in payout_lines([*facts, *booked({"fee": 0})])]
    assert lines == [("sale", 100), ("fee", -7), ("fee", 2), ("fee", -1)]


@pytest.mark.parametrize(("way", "total", "tax"), [(IN_THE_SALE, 60, 10), (BESIDE_IT, 60, 10), (NOT_AT_ALL, 50, 0)])
def test_what_was_given_back_is_told_with_the_tax_in_it(
    way: tuple[dict[str, int], dict[str, int]], total: int, tax: int
) -> None:
    assert refunds_in(booked(way[0]) + booked(way[1], T0_MS + 1)) == Refunds(total, tax)
