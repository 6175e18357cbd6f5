from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.amazon.reader import read_orders
from chalicelib.domain.allocation import decide_allocation
from chalicelib.domain.channel_order import ChannelOrder, Payment
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Sourcing


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "USD"}


def proceeds(**amounts: str) -> dict[str, Any]:
    """ItemProceeds or OrderProceeds out of amounts by type."""
    return {"breakdowns": [{"type": kind, "subtotal": usd(amount)} for kind, amount in amounts.items()]}


def item(**more: Any) -> dict[str, Any]:
    return {
        "orderItemId": "60000000000011",
        "quantityOrdered": 2,
        "product": {
            "asin": "B0MUGMUGMU",
            "title": "Mug",
            "sellerSku": "MUG-BLUE",
            "price": {"unitPrice": usd("10.00")},
        },
        "proceeds": proceeds(ITEM="20.00", SHIPPING="4.00", TAX="1.50", DISCOUNT="-2.00"),
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2},
        **more,
    }


def wire_order(status: str = "UNSHIPPED", by: str = "MERCHANT", **more: Any) -> dict[str, Any]:
    return {
        "orderId": "114-0000001-0000001",
        "createdTime": "2026-03-01T09:00:00Z",
        "lastUpdatedTime": "2026-03-01T09:05:00Z",
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "ATVPDKIKX0DER"},
        "proceeds": {"grandTotal": usd("23.50")},
        "fulfillment": {
            "fulfillmentStatus": status,
            "fulfilledBy": by,
            "shipByWindow": {"latestDateTime": "2026-03-03T23:59:59Z"},
        },
        "orderItems": [item()],
        **more,
    }


def read(status: str = "UNSHIPPED", by: str = "MERCHANT", **more: Any) -> ChannelOrder:
    (order,) = read_orders(json.dumps({"order": wire_order(status, by, **more)}), "amazon-us")
    return order


def reasons(order: ChannelOrder) -> list[str]:
    return [problem.reason for problem in order.problems]


def test_an_order_adds_up_from_the_proceeds_of_its_items() -> None:
    order = read()
    assert order.order_id == "amazon-us:114-0000001-0000001"
    assert (order.placed_ms, order.version_ms) == (1_772_355_600_000, 1_772_355_900_000)
    assert order.ship_by_ms == 1_772_582_399_000
    (line,) = order.lines
    assert (line.line_id, line.channel_sku, line.listing_ref, line.title) == (
        "60000000000011",
        "MUG-BLUE",
        "B0MUGMUGMU",
        "Mug",
    )
    assert (line.quantity, line.price_minor, line.discount_minor, line.tax_minor) == (2, 2000, 200, 150)
    assert [(charge.kind, charge.amount_minor) for charge in order.charges] == [("shipping", 400)]
    assert order.stated_minor() == order.total_minor == 2350
    assert order.problems == ()


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: {"order": o}, lambda o: {"orders": [o], "pagination": {}}])
def test_a_bare_order_and_both_answers_read_alike(wrap: Any) -> None:
    assert read_orders(json.dumps(wrap(wire_order())), "amazon-us") == (read(),)


def test_a_page_of_orders_gives_every_order() -> None:
    page = {"orders": [wire_order(), wire_order(orderId="114-0000001-0000002")]}
    read_ids = [order.external_id for order in read_orders(json.dumps(page), "amazon")]
    assert read_ids == ["114-0000001-0000001", "114-0000001-0000002"]
    assert read_orders('{"orders": []}', "amazon") == ()


@pytest.mark.parametrize(
    "body",
    [
        {"AmazonOrderId": "902-1", "OrderStatus": "Unshipped"},
        {"payload": {"AmazonOrderId": "902-1"}},
        {"payload": {"Orders": [], "NextToken": "x"}},
        {"payload": {"AmazonOrderId": "902-1", "OrderItems": []}},
    ],
)
def test_orders_v0_is_refused_by_name(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refusal:
        read_orders(json.dumps(body), "amazon")
    assert refusal.value.reason == "orders_v0_not_supported"
    assert "2026-01-01" in refusal.value.detail


@pytest.mark.parametrize(
    ("status", "payment", "cancelled", "problems"),
    [
        ("PENDING", Payment(awaited=True), False, []),
        ("PENDING_AVAILABILITY", Payment(awaited=True), False, []),
        ("UNSHIPPED", Payment(vouched=True), False, []),
        ("PARTIALLY_SHIPPED", Payment(vouched=True), False, []),
        ("SHIPPED", Payment(vouched=True), False, []),
        ("CANCELLED", Payment(), True, []),
        ("UNFULFILLABLE", Payment(), False, ["status_unmapped"]),
        ("ON_THE_MOON", Payment(), False, ["status_unmapped"]),
        ("", Payment(), False, ["status_unmapped"]),
    ],
)
def test_amazon_vouches_for_the_money_once_the_order_may_ship(
    status: str, payment: Payment, cancelled: bool, problems: list[str]
) -> None:
    order = read(status)
    assert (order.payment, order.cancelled, reasons(order)) == (payment, cancelled, problems)


@pytest.mark.parametrize(
    ("status", "problems"),
    [("UNSHIPPED", ["fulfilled_by_amazon"]), ("PENDING", ["fulfilled_by_amazon"]), ("SHIPPED", []), ("CANCELLED", [])],
)
def test_an_order_that_amazon_ships_is_held_until_it_is_over(status: str, problems: list[str]) -> None:
    assert reasons(read(status, by="AMAZON")) == problems


def test_of_what_amazon_ships_nothing_is_ours_to_allocate_and_its_order_ends_without_us() -> None:
    known: Order | None = None
    for hour, (status, left) in enumerate((("UNSHIPPED", 0), ("SHIPPED", 2))):
        counts = {"quantityFulfilled": left}
        told = read(
            status, "AMAZON", lastUpdatedTime=f"2026-03-01T1{hour}:00:00Z", orderItems=[item(fulfillment=counts)]
        )
        assert not any(line.ships for line in told.lines)
        known = decide_entry(known, told, {}, told.version_ms)
        assert known
        known = decide_funding(known, told.version_ms) or known
        plan = decide_allocation(known, {"MUG-BLUE": {"main": 9}}, Sourcing(), told.version_ms, 50)
        known, moves = (plan.order, plan.moves) if plan else (known, [])
        assert moves == []
    assert ([units.shipped for units in known.state.quantities], known.state.holds) == ([2], ())


def test_a_shipped_order_without_counts_has_left_as_a_whole() -> None:
    """A role that may not see FULFILLMENT must not make us ship twice."""
    assert read("SHIPPED", orderItems=[item(fulfillment=None)]).lines[0].fulfilled == 2
    assert read("UNSHIPPED", orderItems=[item(fulfillment=None)]).lines[0].fulfilled == 0


def test_a_pending_order_without_any_price_is_worth_what_it_states() -> None:
    bare = item(product={"sellerSku": "MUG-BLUE"})
    del bare["proceeds"]
    order = read("PENDING", proceeds=None, orderItems=[bare])
    assert (order.total_minor, order.stated_minor(), reasons(order)) == (0, 0, [])


def test_a_missing_grand_total_is_the_sum_of_what_is_stated() -> None:
    order = read("PENDING", proceeds=None)
    assert order.total_minor == order.stated_minor() == 2350


@pytest.mark.parametrize(
    ("shown", "price_minor", "tax_minor"),
    [
        (None, 2000, 0),
        (proceeds(TAX="3.00"), 2000, 300),
        (proceeds(ITEM="18.00"), 1800, 0),
        ({"breakdowns": []}, 2000, 0),
    ],
)
def test_the_unit_price_counts_where_the_proceeds_name_no_item_price(
    shown: dict[str, Any] | None, price_minor: int, tax_minor: int
) -> None:
    (line,) = read(orderItems=[item(proceeds=shown)]).lines
    assert (line.price_minor, line.tax_minor) == (price_minor, tax_minor)


@pytest.mark.parametrize("discount", ["-2.00", "2.00"])
def test_a_discount_lowers_the_line_whatever_its_sign(discount: str) -> None:
    order = read(orderItems=[item(proceeds=proceeds(ITEM="20.00", DISCOUNT=discount))])
    assert order.lines[0].discount_minor == 200
    assert order.stated_minor() == 1800


@pytest.mark.parametrize(
    ("kind", "charge"),
    [("SHIPPING", "shipping"), ("GIFT_WRAP", "service"), ("COD_FEE", "fee"), ("OTHER", "other"), ("NEW_KIND", "other")],
)
def test_every_other_kind_of_proceeds_is_a_charge(kind: str, charge: str) -> None:
    order = read(orderItems=[item(proceeds=proceeds(ITEM="20.00", **{kind: "3.50"}))])
    assert [(one.kind, one.amount_minor, one.label) for one in order.charges] == [(charge, 350, kind)]
    assert order.stated_minor() == order.total_minor


def test_a_tip_stands_at_the_order_and_what_else_stands_there_repeats_the_items() -> None:
    total = {"grandTotal": usd("28.50"), **proceeds(ITEM="20.00", SHIPPING="4.00", TAX="1.50", DELIVERY_TIP="5.00")}
    order = read(proceeds=total)
    assert [(one.kind, one.amount_minor) for one in order.charges] == [("shipping", 400), ("tip", 500)]
    assert order.stated_minor() == order.total_minor == 2850


def test_a_tip_that_an_item_names_too_counts_once() -> None:
    total = {"grandTotal": usd("25.00"), **proceeds(DELIVERY_TIP="5.00")}
    order = read(proceeds=total, orderItems=[item(proceeds=proceeds(ITEM="20.00", DELIVERY_TIP="5.00"))])
    assert order.stated_minor() == order.total_minor == 2500


def test_amounts_have_the_decimals_of_their_currency() -> None:
    yen = {"amount": "1980", "currencyCode": "JPY"}
    order = read(
        proceeds={"grandTotal": yen},
        orderItems=[item(product={"price": {"unitPrice": {**yen, "amount": "990"}}}, proceeds=None)],
    )
    assert (order.currency, order.total_minor, order.stated_minor()) == ("JPY", 1980, 1980)


def test_an_amount_in_a_foreign_currency_is_a_problem_and_counts_nothing() -> None:
    foreign = {"breakdowns": [{"type": "ITEM", "subtotal": {"amount": "20.00", "currencyCode": "EUR"}}]}
    order = read(orderItems=[item(proceeds=foreign)])
    assert reasons(order) == ["currency_mismatch"]
    assert order.lines[0].price_minor == 0


REQUEST = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Bought by mistake"}}
EXECUTION = {"cancellationExecution": {"cancelledBy": "BUYER", "cancelReason": "BUYER_CANCELED"}}


@pytest.mark.parametrize(
    ("cancellation", "fulfilled", "cancelled", "problems"),
    [
        ({}, 0, 0, []),
        (REQUEST, 0, 0, ["cancel_requested"]),
        (REQUEST, 1, 0, ["cancel_requested"]),
        (REQUEST, 2, 0, []),
        (EXECUTION, 0, 2, []),
        ({**REQUEST, **EXECUTION}, 0, 2, []),
        (EXECUTION, 1, 1, []),
        (EXECUTION, 2, 0, []),
    ],
)
def test_a_request_to_cancel_asks_and_an_execution_cancels_what_has_not_left(
    cancellation: dict[str, Any], fulfilled: int, cancelled: int, problems: list[str]
) -> None:
    state = {"quantityFulfilled": fulfilled, "quantityUnfulfilled": 2 - fulfilled}
    order = read(orderItems=[item(cancellation=cancellation, fulfillment=state)])
    assert (order.lines[0].cancelled, order.lines[0].fulfilled) == (cancelled, fulfilled)
    assert reasons(order) == problems


def test_a_request_to_cancel_a_cancelled_order_asks_nothing_any_more() -> None:
    assert reasons(read("CANCELLED", orderItems=[item(cancellation=REQUEST)])) == []


def test_no_units_are_a_problem_unless_the_item_was_cancelled() -> None:
    assert reasons(read(orderItems=[item(quantityOrdered=0)])) == ["quantity_not_positive"]
    assert reasons(read(orderItems=[item(quantityOrdered=0, cancellation=EXECUTION)])) == []


def test_units_called_fulfilled_never_exceed_those_ordered() -> None:
    order = read("SHIPPED", orderItems=[item(fulfillment={"quantityFulfilled": 9})])
    assert order.lines[0].fulfilled == 2
    assert order.fulfilled_is_exact


def test_the_buyer_is_kept_apart_from_the_order() -> None:
    place = {
        "name": "Ada Miller",
        "companyName": "Mill Ltd",
        "addressLine1": "1 Race Street",
        "city": "Leeds",
        "postalCode": "LS1 1AA",
        "countryCode": "GB",
        "phone": "+44 113 000 0000",
    }
    order = read(
        buyer={"buyerName": "A. Miller", "buyerEmail": "x@marketplace.example"},
        recipient={"deliveryAddress": place},
    )
    assert order.country == "GB"
    assert order.contact is not None
    assert (order.contact.name, order.contact.email, order.contact.phone) == (
        "A. Miller",
        "x@marketplace.example",
        "+44 113 000 0000",
    )
    assert order.contact.address["line1"] == "1 Race Street"
    assert order.contact.address["company"] == "Mill Ltd"


def test_an_order_whose_role_may_not_see_the_buyer_has_no_contact() -> None:
    order = read()
    assert order.contact is None
    assert order.country == ""


def test_fields_that_nobody_knows_change_nothing() -> None:
    strange = wire_order(programs=["NEW"], associatedOrders=[{"orderId": "1", "associationType": "REPLACEMENT"}], x=[1])
    assert read_orders(json.dumps({"order": strange, "y": None}), "amazon-us") == (read(),)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"orderId": None}, "missing_field", "orderId"),
        ({"lastUpdatedTime": None}, "missing_field", "lastUpdatedTime"),
        ({"createdTime": "yesterday"}, "bad_field", "createdTime"),
        ({"orderItems": [item(orderItemId="")]}, "bad_field", "orderItems[0].orderItemId"),
        ({"orderItems": [item(quantityOrdered=None)]}, "missing_field", "orderItems[0].quantityOrdered"),
        ({"orderItems": [item(quantityOrdered="1.5")]}, "bad_field", "orderItems[0].quantityOrdered"),
        ({"orderItems": [item(), item()]}, "duplicate_line", "same id"),
        ({"orderItems": {"a": 1}}, "bad_field", "orderItems"),
        ({"proceeds": {"grandTotal": usd("a lot")}}, "bad_amount", "grandTotal"),
        ({"proceeds": {"grandTotal": {"amount": "1", "currencyCode": "Dollar"}}}, "bad_currency", "currencyCode"),
    ],
)
def test_a_payload_that_cannot_be_an_order_is_refused_with_the_field(
    change: dict[str, Any], reason: str, field: str
) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(**change)
    assert refusal.value.reason == reason
    assert field in refusal.value.detail


@pytest.mark.parametrize("body", ["", "[]", "null", "{", b"\xff\xfe", "{}", '{"order": 5}', '{"orders": [5]}'])
def test_what_is_no_order_is_unreadable(body: str | bytes) -> None:
    with pytest.raises(Unreadable):
        read_orders(body, "amazon")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*wire_order(), *item()]), inner),
    max_leaves=8,
)


@given(
    changes=st.dictionaries(st.sampled_from(list(wire_order())), JSON),
    inner=st.dictionaries(st.sampled_from(list(item())), JSON),
)
def test_any_json_is_an_order_or_unreadable(changes: dict[str, Any], inner: dict[str, Any]) -> None:
    body = json.dumps({"order": {**wire_order(orderItems=[item(**inner)]), **changes}})
    try:
        orders = read_orders(body, "amazon")
    except Unreadable:
        return
    assert [order.channel for order in orders] == ["amazon"]
