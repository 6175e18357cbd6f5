"""What the Shopify reader makes of amounts and payments, by rule."""

from __future__ import annotations

import pytest

from chalicelib.domain.channel_order import Charge, Payment
from tests.unit.channels.shopify_payloads import (
    LINE,
    given_back,
    line,
    money_set,
    order,
    read,
    refund,
)

# --- money --------------------------------------------------------------------------------------------


def test_every_charge_is_named_and_the_order_adds_up() -> None:
    found = read(
        order(
            line(
                discount_allocations=[{"amount": "1.00"}, {"amount": "0.50"}],
                tax_lines=[{"price": "1.10"}, {"price": "0.40"}],
            ),
            shipping_lines=[
                {
                    "price": "8.00",
                    "discounted_price": "8.00",
                    "discount_allocations": [{"amount": "3.00"}],
                    "tax_lines": [{"price": "0.60"}],
                },
                {"price": "99.00", "is_removed": True, "tax_lines": [{"price": "9.00"}]},
            ],
            total_discounts="5.00",
            total_tax="2.35",
            total_tip_received="2.00",
            original_total_duties_set=money_set("4.00", "5.50"),
            original_total_additional_fees_set=money_set("1.25", "1.70"),
            total_price="32.60",
        )
    )
    (only,) = found.lines
    assert (only.price_minor, only.discount_minor, only.tax_minor) == (2000, 150, 150)
    assert {(charge.kind, charge.amount_minor) for charge in found.charges} == {
        ("shipping", 500),
        ("discount", -50),
        ("tip", 200),
        ("duty", 400),
        ("fee", 125),
        ("tax", 85),
    }
    assert found.stated_minor() == found.total_minor == 3260


def test_tax_within_the_price_is_not_added() -> None:
    found = read(
        order(
            line(tax_lines=[{"price": "3.19"}]),
            taxes_included=True,
            total_tax="3.99",
            shipping_lines=[{"price": "5.00", "tax_lines": [{"price": "0.80"}]}],
            total_price="25.00",
        )
    )
    assert found.lines[0].tax_minor == 0
    assert found.charges == (Charge("shipping", 500),)
    assert found.stated_minor() == found.total_minor == 2500


def test_old_bodies_tell_a_lines_discount_in_one_number() -> None:
    found = read(
        order(
            line(discount_allocations=..., total_discount="4.00"),
            total_discounts="4.00",
            total_price="16.00",
        )
    )
    assert found.lines[0].discount_minor == 400
    assert found.stated_minor() == found.total_minor


def test_a_tip_that_is_a_line_is_counted_once() -> None:
    tip = line(LINE + 1, price="3.00", quantity=1, current_quantity=1, tip={"id": 1}, requires_shipping=False)
    found = read(order(line(), tip, total_tip_received="3.00", total_price="23.00"))
    assert found.stated_minor() == found.total_minor


def test_amounts_are_the_shops_and_not_the_buyers() -> None:
    found = read(order(line(price="10.00", price_set=money_set("7.00", "10.00")), total_price="14.00"))
    assert (found.currency, found.lines[0].price_minor) == ("USD", 1400)


def test_yen_have_no_decimals() -> None:
    found = read(order(line(price="2950"), currency="JPY", total_price="5900"))
    assert found.lines[0].price_minor == found.total_minor == 5900


# --- payment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "payment"),
    [
        ("pending", Payment()),
        ("authorized", Payment(authorised_minor=2000, captor="channel")),
        ("partially_paid", Payment(captured_minor=1500)),
        ("paid", Payment(captured_minor=2000)),
        ("partially_refunded", Payment(captured_minor=2000)),
        ("refunded", Payment(captured_minor=2000, refunded_minor=2000)),
        ("voided", Payment(lapsed=True)),
        ("expired", Payment(lapsed=True)),
    ],
)
def test_the_financial_status_tells_the_payment(status: str, payment: Payment) -> None:
    found = read(order(financial_status=status, total_outstanding="5.00"))
    assert (found.payment, found.problems) == (payment, ())


@pytest.mark.parametrize("status", ["brand_new", "", None])
def test_a_financial_status_that_nobody_knows_funds_nothing_and_asks(status: str | None) -> None:
    found = read(order(financial_status=status))
    assert found.payment == Payment()
    assert [problem.reason for problem in found.problems] == ["payment_unknown"]


def test_only_refunds_that_succeeded_count() -> None:
    transactions = (
        given_back("3.00"),
        given_back("1.50"),
        given_back("9.00", status="failure"),
        given_back("9.00", kind="void"),
    )
    found = read(order(financial_status="partially_refunded", refunds=[refund(transactions=transactions)]))
    assert found.payment == Payment(captured_minor=2000, refunded_minor=450)


def test_more_cannot_be_refunded_than_was_captured() -> None:
    for status in ("paid", "partially_paid", "partially_refunded", "refunded"):
        body = order(
            financial_status=status, total_outstanding="20.00", refunds=[refund(transactions=(given_back("23.00"),))]
        )
        payment = read(body).payment
        assert payment.captured_minor >= payment.refunded_minor == 2300


def test_a_refund_in_the_buyers_currency_is_never_taken_for_the_shops() -> None:
    foreign = given_back("4.00", currency="CAD")
    found = read(order(financial_status="partially_refunded", refunds=[refund(transactions=(foreign,))]))
    assert found.payment.refunded_minor == 0
    assert [problem.reason for problem in found.problems] == ["currency_mismatch"]
    told = {**foreign, "amount_set": money_set("2.90", "4.00")}
    found = read(order(financial_status="partially_refunded", refunds=[refund(transactions=(told,))]))
    assert (found.payment.refunded_minor, found.problems) == (290, ())
