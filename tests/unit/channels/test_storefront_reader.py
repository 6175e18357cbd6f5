from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.storefront.reader import read_orders
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Unreadable


def document(**more: Any) -> dict[str, Any]:
    return {
        "id": "A-1",
        "updated_at": "2026-03-01T10:00:00+01:00",
        "currency": "eur",
        "total": "12.50",
        "lines": [{"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.00"}],
        "charges": [{"kind": "shipping", "amount": "2.50"}],
        "payment": {"status": "paid"},
        **more,
    }


def read(**more: Any) -> ChannelOrder:
    (order,) = read_orders(json.dumps(document(**more)), "storefront")
    return order


def test_a_document_becomes_an_order_that_adds_up() -> None:
    order = read()
    assert order.order_id == "storefront:A-1"
    assert order.version_ms == 1_772_355_600_000
    assert order.stated_minor() == order.total_minor == 1250
    assert order.payment.captured_minor == 1250
    assert order.problems == ()


@pytest.mark.parametrize(
    ("payment", "captured", "authorised", "refunded", "vouched"),
    [
        ({"status": "pending"}, 0, 0, 0, False),
        ({"status": "authorised"}, 0, 1250, 0, False),
        ({"status": "paid"}, 1250, 0, 0, False),
        ({"status": "paid", "captured": "12.50", "refunded": "2.50"}, 1250, 0, 250, False),
        ({"status": "refunded"}, 1250, 0, 1250, False),
        ({"status": "vouched"}, 0, 0, 0, True),
        ({}, 0, 0, 0, False),
    ],
)
def test_payment_follows_from_its_status(
    payment: dict[str, str], captured: int, authorised: int, refunded: int, vouched: bool
) -> None:
    money = read(payment=payment).payment
    assert (money.captured_minor, money.authorised_minor, money.refunded_minor, money.vouched) == (
        captured,
        authorised,
        refunded,
        vouched,
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"id": None}, "id"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"currency": "EURO"}, "currency"),
        ({"total": "a lot"}, "total"),
        ({"total": None}, "total"),
        ({"lines": {"id": 1}}, "lines"),
        ({"lines": [{"id": "1", "sku": "X", "quantity": "two", "total": "1"}]}, "lines[0].quantity"),
        ({"lines": [{"id": "1", "sku": "X", "quantity": 1}]}, "lines[0]"),
        ({"lines": [{"id": "1", "quantity": 1, "total": "1"}] * 2}, "same id"),
        ({"payment": {"status": "maybe"}}, "payment.status"),
        ({"payment": {"status": "paid", "refunded": "-1"}}, "negative"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(**wrong)
    assert named in str(refused.value)


def test_whoever_has_all_his_money_back_gets_nothing_more_delivered() -> None:
    part = {"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.00", "fulfilled": 1}
    (line,) = read(lines=[part], payment={"status": "refunded"}).lines
    assert (line.fulfilled, line.cancelled) == (1, 1)
    (line,) = read(lines=[part], payment={"status": "paid", "refunded": "2.50"}).lines
    assert (line.fulfilled, line.cancelled) == (1, 0)


def test_a_negative_quantity_stays_as_a_line_of_nothing_with_its_reason() -> None:
    order = read(lines=[{"id": "1", "sku": "MUG", "quantity": -3, "total": "0"}], charges=[], total="0")
    assert [problem.reason for problem in order.problems] == ["quantity_not_positive"]
    assert "-3" in order.problems[0].detail
    assert order.lines[0].quantity == 0


def test_an_order_needs_no_customer_and_keeps_what_it_is_told_of_one() -> None:
    assert read().contact is None
    told = read(customer={"name": "Ada", "email": "a@example.org"}, ship_to={"line1": "1 Mill Lane", "country": "gb"})
    assert told.contact is not None
    assert told.contact.address == {"line1": "1 Mill Lane", "country": "gb"}
    assert told.country == "GB"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(document())), anything)
def test_no_value_of_any_field_crashes_the_reader(field: str, value: Any) -> None:
    try:
        read(**{field: value})
    except Unreadable:
        return
