"""What the Shopify reader makes of orders, by rule; payloads are built by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Charge, Payment
from chalicelib.domain.errors import Unreadable

LINE = 15_000_000_000_017


def line(number: int = LINE, **changes: Any) -> dict[str, Any]:
    fields = {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "sku": "MUG",
        "title": "Mug",
        "variant_id": 440_001,
        "quantity": 2,
        "current_quantity": 2,
        "price": "10.00",
        "requires_shipping": True,
        "gift_card": False,
        "discount_allocations": [],
        "tax_lines": [],
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = {
        "id": 6_100_000_000_007,
        "admin_graphql_api_id": "gid://shopify/Order/6100000000007",
        "name": "#1007",
        "created_at": "2026-05-04T07:00:00-05:00",
        "updated_at": "2026-05-04T07:30:00-05:00",
        "cancelled_at": None,
        "currency": "USD",
        "financial_status": "paid",
        "taxes_included": False,
        "total_price": "20.00",
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "line_items": list(lines) or [line()],
        "shipping_lines": [],
        "fulfillments": [],
        "refunds": [],
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def parcel(*units: tuple[int, int], status: str = "success") -> dict[str, Any]:
    return {"status": status, "line_items": [line(number, quantity=quantity) for number, quantity in units]}


def refund(*units: tuple[int, int, str], transactions: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "refund_line_items": [
            {"line_item_id": number, "quantity": quantity, "restock_type": kind, "line_item": line(number)}
            for number, quantity, kind in units
        ],
        "transactions": list(transactions),
    }


def given_back(amount: str, **changes: Any) -> dict[str, Any]:
    return {"kind": "refund", "status": "success", "amount": amount, "currency": "USD", **changes}


def read(body: Any) -> ChannelOrder:
    (found,) = read_orders(json.dumps(body), "shopify-de")
    return found


def only_line(*lines: dict[str, Any], **changes: Any) -> ChannelLine:
    (found,) = read(order(*lines, **changes)).lines
    return found


def units(found: ChannelLine) -> tuple[int, int, int]:
    return found.quantity, found.cancelled, found.fulfilled


# --- what is an order ---------------------------------------------------------------------------------


def test_one_order_comes_bare_or_wrapped_and_several_in_a_list() -> None:
    bare, other = order(), order(id=6_100_000_000_008, admin_graphql_api_id=...)
    assert read(bare) == read({"order": bare}) == read({"data": {"order": bare}})
    assert [found.external_id for found in read_orders(json.dumps({"orders": [bare, other]}), "shopify")] == [
        "6100000000007",
        "6100000000008",
    ]
    assert read_orders('{"orders": []}', "shopify") == ()


def test_identity_time_and_label_are_the_channels_own() -> None:
    found = read(order())
    assert (found.order_id, found.label) == ("shopify-de:6100000000007", "#1007")
    assert found.placed_ms == 1_777_896_000_000
    assert found.version_ms == found.placed_ms + 30 * 60_000
    assert (found.lines[0].line_id, found.lines[0].channel_sku, found.lines[0].listing_ref) == (
        str(LINE),
        "MUG",
        "440001",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"id": 6_100_000_000_007},
        {"order_edit": {"order_id": 1}},
        {"id": 1, "order_id": 2, "kind": "sale", "status": "success"},
        {"id": 1, "order_id": 2, "status": "success", "line_items": [line()]},
        {"id": 1, "title": "Mug", "variants": []},
        {"data": {"order": {"createdAt": "2026-05-04T12:00:00Z"}}},
    ],
    ids=["deleted", "edit", "transaction", "parcel", "product", "empty GraphQL order"],
)
def test_a_body_that_is_no_order_is_refused_in_words(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(body)
    assert refusal.value.reason in ("not_an_order", "missing_field")
    assert refusal.value.detail


@pytest.mark.parametrize("field", ["id", "currency", "total_price", "updated_at", "created_at"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(order(**{field: None}))
    assert (refusal.value.reason, field in refusal.value.detail) == ("missing_field", True)


def test_two_lines_with_one_id_are_refused() -> None:
    with pytest.raises(Unreadable) as refusal:
        read(order(line(), line()))
    assert refusal.value.reason == "duplicate_line"


def test_ids_that_javascript_has_rounded_are_taken_from_the_graphql_id() -> None:
    rounded = 866_550_311_766_439_000
    first = line(rounded, admin_graphql_api_id="gid://shopify/LineItem/866550311766439020", current_quantity=...)
    second = line(rounded, admin_graphql_api_id="gid://shopify/LineItem/866550311766439033", current_quantity=...)
    shipped = {"status": "success", "line_items": [{**second, "quantity": 1}]}
    called_off = {"refund_line_items": [{"line_item_id": rounded, "line_item": first, "quantity": 2}]}
    found = read(
        order(
            first,
            second,
            id=820_982_911_946_154_500,
            admin_graphql_api_id="gid://shopify/Order/820982911946154508?key=1",
            fulfillments=[shipped],
            refunds=[called_off],
        )
    )
    assert found.external_id == "820982911946154508"
    assert {each.line_id: units(each) for each in found.lines} == {
        "866550311766439020": (2, 2, 0),
        "866550311766439033": (2, 0, 1),
    }


# --- units --------------------------------------------------------------------------------------------


def test_what_an_edit_has_taken_away_is_cancelled() -> None:
    assert units(only_line(line(current_quantity=1))) == (2, 1, 0)


def test_without_a_current_quantity_the_refunds_tell_what_is_cancelled() -> None:
    assert units(only_line(line(current_quantity=...), refunds=[refund((LINE, 1, "cancel"))])) == (2, 1, 0)


@pytest.mark.parametrize(
    ("status", "shipped"), [("success", 1), ("pending", 0), ("cancelled", 0), ("failure", 0), ("brand_new", 0)]
)
def test_only_a_parcel_that_has_left_is_fulfilled(status: str, shipped: int) -> None:
    assert units(only_line(fulfillments=[parcel((LINE, 1), status=status)])) == (2, 0, shipped)


def test_several_parcels_of_one_line_add_up() -> None:
    assert units(only_line(fulfillments=[parcel((LINE, 1)), parcel((LINE, 1))])) == (2, 0, 2)


@pytest.mark.parametrize("current", [1, ...], ids=["told by the line", "told by refunds"])
def test_a_returned_unit_cancels_nothing_that_is_still_to_ship(current: Any) -> None:
    """One of two units was shipped and came back: the other is still to be delivered."""
    found = only_line(
        line(current_quantity=current), fulfillments=[parcel((LINE, 1))], refunds=[refund((LINE, 1, "return"))]
    )
    assert units(found) == (2, 0, 1)


def test_a_return_and_a_cancellation_of_one_line_are_told_apart() -> None:
    found = only_line(
        line(quantity=3, current_quantity=1),
        fulfillments=[parcel((LINE, 1))],
        refunds=[refund((LINE, 1, "return"), (LINE, 1, "cancel"))],
    )
    assert units(found) == (3, 1, 1)


def test_a_unit_refunded_after_it_had_left_is_not_cancelled_whatever_the_refund_is_called() -> None:
    found = only_line(
        line(current_quantity=0), fulfillments=[parcel((LINE, 2))], refunds=[refund((LINE, 2, "no_restock"))]
    )
    assert units(found) == (2, 0, 2)


@pytest.mark.parametrize(
    ("status", "open_units", "fulfilled"), [("fulfilled", 0, 2), ("partial", 1, 1), (None, 2, 0), (None, 0, 0)]
)
def test_without_parcels_the_line_tells_what_has_left(status: str | None, open_units: int, fulfilled: int) -> None:
    body = line(fulfillment_status=status, fulfillable_quantity=open_units)
    assert units(only_line(body, fulfillments=...)) == (2, 0, fulfilled)


def test_without_parcels_a_cancelled_unit_is_never_fulfilled() -> None:
    body = line(current_quantity=1, fulfillment_status="fulfilled", fulfillable_quantity=0)
    assert units(only_line(body, fulfillments=...)) == (2, 1, 1)


def test_units_never_exceed_what_was_ordered() -> None:
    found = only_line(line(current_quantity=-5), fulfillments=[parcel((LINE, 9))], refunds=[refund((LINE, 9, "x"))])
    assert units(found) == (2, 0, 2)


def test_a_quantity_of_nothing_is_a_problem_and_not_a_crash() -> None:
    found = read(order(line(quantity=0, current_quantity=0)))
    assert [problem.reason for problem in found.problems] == ["quantity_not_positive"]


def test_a_called_off_order_says_so() -> None:
    assert read(order(cancelled_at="2026-05-04T07:20:00-05:00")).cancelled
    assert not read(order()).cancelled


@pytest.mark.parametrize("wrong", [{"gift_card": True}, {"requires_shipping": False}])
def test_what_is_not_sent_by_post_does_not_ship(wrong: dict[str, bool]) -> None:
    assert not only_line(line(**wrong)).ships
    assert only_line().ships


def test_an_item_without_sku_or_variant_keeps_empty_names() -> None:
    found = only_line(line(sku=None, variant_id=None))
    assert (found.channel_sku, found.listing_ref) == ("", "")


# --- money --------------------------------------------------------------------------------------------


def money_set(shop: str, buyer: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": buyer, "currency_code": "CAD"},
    }


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
        ("authorized", Payment(authorised_minor=2000)),
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


# --- the buyer ----------------------------------------------------------------------------------------


def test_the_buyer_is_kept_apart_from_the_order() -> None:
    place = {"name": "Ada L", "address1": "1 Mill Lane", "city": "Leeds", "zip": "LS1", "country_code": "gb"}
    found = read(order(email="ada@example.com", customer={"id": 77}, shipping_address=place))
    assert found.country == "GB"
    assert found.contact is not None
    assert (found.contact.name, found.contact.email, found.contact.buyer_ref) == ("Ada L", "ada@example.com", "77")
    assert found.contact.address == {
        "name": "Ada L",
        "line1": "1 Mill Lane",
        "city": "Leeds",
        "postcode": "LS1",
        "country": "gb",
    }
    assert read(order()).contact is None


# --- the two shapes -----------------------------------------------------------------------------------


def bag(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount}}


def graphql_order() -> dict[str, Any]:
    """An order with all that differs between the shapes: one unit shipped and returned, one called off."""
    gid = f"gid://shopify/LineItem/{LINE}"
    return {
        "id": "gid://shopify/Order/6100000000007",
        "legacyResourceId": "6100000000007",
        "name": "#1007",
        "createdAt": "2026-05-04T12:00:00Z",
        "updatedAt": "2026-05-04T12:30:00Z",
        "cancelledAt": None,
        "currencyCode": "USD",
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "taxesIncluded": False,
        "email": "ada@example.com",
        "phone": None,
        "totalPriceSet": bag("36.0"),
        "totalDiscountsSet": bag("4.0"),
        "totalTaxSet": bag("3.0"),
        "totalTipReceivedSet": bag("0.0"),
        "totalOutstandingSet": bag("0.0"),
        "totalRefundedSet": bag("20.0"),
        "originalTotalDutiesSet": bag("2.0"),
        "originalTotalAdditionalFeesSet": None,
        "customer": {"legacyResourceId": "77", "firstName": "Ada", "lastName": "L"},
        "shippingAddress": {"name": "Ada L", "countryCodeV2": "GB", "address1": "1 Mill Lane"},
        "shippingLines": {
            "nodes": [{"originalPriceSet": bag("8.0"), "discountedPriceSet": bag("5.0"), "taxLines": []}],
        },
        "lineItems": {
            "nodes": [
                {
                    "id": gid,
                    "sku": "MUG",
                    "title": "Mug",
                    "quantity": 3,
                    "currentQuantity": 1,
                    "requiresShipping": True,
                    "isGiftCard": False,
                    "variant": {"legacyResourceId": "440001"},
                    "originalUnitPriceSet": bag("9.0"),
                    "discountAllocations": [{"allocatedAmountSet": bag("1.0")}],
                    "taxLines": [{"priceSet": bag("3.0")}],
                }
            ],
        },
        "fulfillments": [
            {"status": "SUCCESS", "fulfillmentLineItems": {"nodes": [{"quantity": 1, "lineItem": {"id": gid}}]}},
            {"status": "CANCELLED", "fulfillmentLineItems": {"nodes": [{"quantity": 2, "lineItem": {"id": gid}}]}},
        ],
        "refunds": [
            {
                "refundLineItems": {
                    "nodes": [
                        {"quantity": 1, "restockType": "RETURN", "lineItem": {"id": gid}},
                        {"quantity": 1, "restockType": "CANCEL", "lineItem": {"id": gid}},
                    ]
                }
            }
        ],
    }


def rest_order() -> dict[str, Any]:
    """The same order as its webhook tells it."""
    return order(
        line(
            quantity=3,
            current_quantity=1,
            price="9.00",
            discount_allocations=[{"amount": "1.00"}],
            tax_lines=[{"price": "3.00"}],
        ),
        financial_status="partially_refunded",
        email="ada@example.com",
        total_price="36.00",
        total_discounts="4.00",
        total_tax="3.00",
        original_total_duties_set=money_set("2.00", "2.80"),
        customer={"id": 77, "first_name": "Ada", "last_name": "L"},
        shipping_address={"name": "Ada L", "country_code": "GB", "address1": "1 Mill Lane"},
        shipping_lines=[{"price": "8.00", "discounted_price": "8.00", "discount_allocations": [{"amount": "3.00"}]}],
        fulfillments=[parcel((LINE, 1)), parcel((LINE, 2), status="cancelled")],
        refunds=[refund((LINE, 1, "return"), (LINE, 1, "cancel"), transactions=(given_back("20.00"),))],
    )


def test_a_webhook_and_graphql_tell_the_same_order() -> None:
    told, asked = read(rest_order()), read({"data": {"order": graphql_order()}})
    assert told == asked == read({"order": graphql_order()}) == read(graphql_order())
    assert units(told.lines[0]) == (3, 1, 1)
    assert told.payment == Payment(captured_minor=3600, refunded_minor=2000)
    assert told.stated_minor() == told.total_minor == 3600


@pytest.mark.parametrize("junk", ["x", "NaN", "sNaN", "Infinity", True, ["1"], {"a": 1}])
@pytest.mark.parametrize("field", ["originalPriceSet", "discountedPriceSet"])
def test_a_graphql_amount_that_is_no_number_is_refused_and_never_crashes(field: str, junk: Any) -> None:
    body = graphql_order()
    body["shippingLines"]["nodes"][0][field] = {"shopMoney": {"amount": junk}}
    with pytest.raises(Unreadable):
        read(body)
