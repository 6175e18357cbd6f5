"""How an eBay order is read: payloads in eBay's shape, made here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.ebay.notifications import Told, told_of
from chalicelib.channels.ebay.reader import read_orders
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Unreadable


def money(value: str, currency: str = "EUR", **converted: str) -> dict[str, str]:
    return {"value": value, "currency": currency, **converted}


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    body = {
        "lineItemId": f"100{number}",
        "legacyItemId": f"4000{number}",
        "sku": f"LAMP-{number}",
        "title": "Lamp",
        "lineItemCost": money("20.0"),
        "quantity": 2,
        "lineItemFulfillmentStatus": "NOT_STARTED",
        "appliedPromotions": [],
        "refunds": [],
        "lineItemFulfillmentInstructions": {"shipByDate": f"2026-03-0{4 + number}T12:00:00.000Z"},
    }
    return body | changes


def start(kind: str = "SHIP_TO", **changes: Any) -> dict[str, Any]:
    ship_to = {
        "fullName": "Ada Example",
        "companyName": "Example Lamps",
        "contactAddress": {"addressLine1": "1 High Street", "city": "Leeds", "postalCode": "LS1", "countryCode": "GB"},
        "primaryPhone": {"phoneNumber": "0113 000"},
        "email": "ada@example.org",
    }
    return {"fulfillmentInstructionsType": kind, "shippingStep": {"shipTo": ship_to}} | changes


def order(**changes: Any) -> dict[str, Any]:
    body = {
        "orderId": "12-34567-89012",
        "creationDate": "2026-03-01T10:00:00.000Z",
        "lastModifiedDate": "2026-03-01T10:00:01.500Z",
        "orderPaymentStatus": "PAID",
        "buyer": {"username": "ada-example"},
        "pricingSummary": {"priceSubtotal": money("20.0"), "deliveryCost": money("4.0"), "total": money("24.0")},
        "cancelStatus": {"cancelState": "NONE_REQUESTED", "cancelRequests": []},
        "paymentSummary": {"payments": [], "refunds": []},
        "fulfillmentStartInstructions": [start()],
        "lineItems": [line()],
    }
    return body | changes


def read(**changes: Any) -> ChannelOrder:
    (found,) = read_orders(json.dumps(order(**changes)), "ebay")
    return found


def reasons(found: ChannelOrder) -> list[str]:
    return [problem.reason for problem in found.problems]


def test_a_paid_order_is_vouched_and_complete() -> None:
    found = read()
    (only,) = found.lines
    assert (found.order_id, found.label, found.country) == ("ebay:12-34567-89012", "12-34567-89012", "GB")
    assert (found.placed_ms, found.version_ms) == (1_772_359_200_000, 1_772_359_201_500)
    assert (only.line_id, only.channel_sku, only.listing_ref) == ("1001", "LAMP-1", "40001")
    assert (only.quantity, only.price_minor, only.discount_minor, only.fulfilled) == (2, 2000, 0, 0)
    assert [(charge.kind, charge.amount_minor) for charge in found.charges] == [("shipping", 400)]
    assert found.total_minor == found.stated_minor() == 2400
    assert found.payment.vouched
    assert found.payment.captured_minor == 0
    assert not found.problems


def test_the_contact_is_where_to_ship_to_and_the_buyers_user_id() -> None:
    contact = read().contact
    assert contact
    assert (contact.name, contact.email, contact.phone) == ("Ada Example", "ada@example.org", "0113 000")
    assert contact.buyer_ref == "ada-example"
    assert contact.address == {
        "company": "Example Lamps",
        "line1": "1 High Street",
        "city": "Leeds",
        "postcode": "LS1",
        "country": "GB",
    }


def test_an_order_whose_personal_data_has_expired_is_still_read() -> None:
    found = read(buyer={}, fulfillmentStartInstructions=[])
    assert found.contact is None
    assert found.country == ""


def test_the_earliest_ship_by_date_of_the_lines_counts() -> None:
    assert read(lineItems=[line(2), line(1)]).ship_by_ms == 1_772_712_000_000
    assert read(lineItems=[line(lineItemFulfillmentInstructions={})]).ship_by_ms == 0


def test_a_variation_is_a_listing_of_its_own() -> None:
    (only,) = read(lineItems=[line(legacyVariationId="77")]).lines
    assert only.listing_ref == "40001/77"


# --- money --------------------------------------------------------------------------------------------


def test_discounts_of_lines_and_of_delivery_leave_the_sum_right() -> None:
    summary = {
        "priceSubtotal": money("40.0"),
        "priceDiscount": money("-3.0"),
        "deliveryCost": money("5.0"),
        "deliveryDiscount": money("-2.5"),
        "total": money("39.5"),
    }
    promoted = line(2, appliedPromotions=[{"discountAmount": money("1.0")}])
    found = read(pricingSummary=summary, lineItems=[line(discountedLineItemCost=money("18.0")), promoted])
    assert [each.discount_minor for each in found.lines] == [200, 100]
    assert [(charge.kind, charge.amount_minor) for charge in found.charges] == [("shipping", 250)]
    assert found.stated_minor() == found.total_minor == 3950


def test_a_discount_that_no_line_carries_is_a_discount_of_the_order() -> None:
    summary = {"priceDiscount": money("-5.0"), "total": money("15.0")}
    found = read(pricingSummary=summary)
    assert [(charge.kind, charge.amount_minor) for charge in found.charges] == [("discount", -500)]
    assert found.stated_minor() == found.total_minor == 1500


def test_adjustments_and_fees_are_charges() -> None:
    found = read(pricingSummary={"adjustment": money("-1.0"), "fee": money("0.5"), "total": money("19.5")})
    assert [(charge.kind, charge.amount_minor) for charge in found.charges] == [("fee", 50), ("other", -100)]
    assert found.stated_minor() == found.total_minor == 1950


def test_tax_that_the_seller_collects_is_part_of_the_total() -> None:
    found = read(pricingSummary={"tax": money("2.0"), "total": money("22.0")})
    assert [(charge.kind, charge.amount_minor) for charge in found.charges] == [("tax", 200)]
    assert found.total_minor == found.stated_minor() == 2200


@pytest.mark.parametrize("summary", [{"total": money("20.0")}, {"tax": money("2.0"), "total": money("22.0")}])
def test_tax_that_ebay_remits_is_nobodys_revenue_whether_it_is_shown_or_not(summary: dict[str, Any]) -> None:
    taxed = line(ebayCollectAndRemitTaxes=[{"taxType": "VAT", "amount": money("2.0")}])
    found = read(pricingSummary=summary, lineItems=[taxed])
    assert found.charges == ()
    assert found.total_minor == found.stated_minor() == 2000


def test_of_a_converted_amount_the_half_in_the_orders_currency_counts() -> None:
    converted = money("17.0", "GBP", convertedFromValue="20.0", convertedFromCurrency="EUR")
    found = read(lineItems=[line(lineItemCost=converted)])
    assert found.lines[0].price_minor == 2000
    assert not found.problems


def test_an_amount_in_a_foreign_currency_is_a_problem() -> None:
    assert reasons(read(lineItems=[line(lineItemCost=money("20.0", "GBP"))])) == ["currency_mismatch"]


def test_yen_have_no_decimals() -> None:
    yen = {"total": money("2000.0", "JPY")}
    found = read(pricingSummary=yen, lineItems=[line(lineItemCost=money("2000.0", "JPY"))])
    assert found.total_minor == found.stated_minor() == 2000


# --- payment ------------------------------------------------------------------------------------------


def test_a_pending_payment_secures_nothing() -> None:
    payment = read(orderPaymentStatus="PENDING").payment
    assert (payment.vouched, payment.lapsed) == (False, False)


def test_a_failed_payment_has_lapsed() -> None:
    payment = read(orderPaymentStatus="FAILED").payment
    assert (payment.vouched, payment.lapsed) == (False, True)


def test_a_failed_refund_is_no_failed_payment() -> None:
    found = read(orderPaymentStatus="FAILED", paymentSummary={"payments": [{"paymentStatus": "PAID"}]})
    assert (found.payment.vouched, found.payment.lapsed) == (True, False)
    assert reasons(found) == ["refund_failed"]


@pytest.mark.parametrize("status", ["SETTLING", None])
def test_an_unknown_payment_status_is_a_problem(status: str | None) -> None:
    found = read(orderPaymentStatus=status)
    assert not found.payment.vouched
    assert reasons(found) == ["payment_unknown"]


def test_refunds_of_lines_are_gross_and_those_of_the_order_are_not_added() -> None:
    summary = {"refunds": [{"amount": money("4.2"), "refundStatus": "REFUNDED"}]}
    refunded = line(refunds=[{"amount": money("5.0")}])
    found = read(orderPaymentStatus="PARTIALLY_REFUNDED", paymentSummary=summary, lineItems=[refunded])
    assert (found.payment.vouched, found.payment.refunded_minor) == (True, 500)
    assert found.lines[0].cancelled == 0


def test_refunds_of_the_order_count_where_no_line_has_one_and_only_when_done() -> None:
    summary = {
        "refunds": [
            {"amount": money("4.2"), "refundStatus": "REFUNDED"},
            {"amount": money("1.0"), "refundStatus": "PENDING"},
            {"amount": money("2.0"), "refundStatus": "FAILED"},
        ]
    }
    assert read(orderPaymentStatus="PARTIALLY_REFUNDED", paymentSummary=summary).payment.refunded_minor == 420


def test_a_refund_is_never_more_than_the_total() -> None:
    refunded = line(refunds=[{"amount": money("500.0")}])
    assert read(orderPaymentStatus="PARTIALLY_REFUNDED", lineItems=[refunded]).payment.refunded_minor == 2400


def test_whoever_has_all_his_money_back_gets_nothing_more_delivered() -> None:
    lines = [line(1, lineItemFulfillmentStatus="FULFILLED"), line(2)]
    found = read(orderPaymentStatus="FULLY_REFUNDED", lineItems=lines)
    assert found.payment.refunded_minor == found.total_minor
    assert [each.cancelled for each in found.lines] == [0, 2]


# --- cancellation and fulfilment ----------------------------------------------------------------------


def test_a_cancelled_order_is_cancelled() -> None:
    found = read(cancelStatus={"cancelState": "CANCELED"})
    assert found.cancelled
    assert not found.problems


@pytest.mark.parametrize("state", ["IN_PROGRESS", "SOMETHING_NEW"])
def test_an_open_cancel_request_holds_the_order(state: str) -> None:
    found = read(cancelStatus={"cancelState": state})
    assert not found.cancelled
    assert reasons(found) == ["cancel_requested"]


def test_a_fulfilled_line_does_not_say_how_many_units_have_left() -> None:
    found = read(lineItems=[line(lineItemFulfillmentStatus="FULFILLED")])
    assert found.lines[0].fulfilled == 2
    assert not found.fulfilled_is_exact


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fulfillmentStartInstructions": [start("FULFILLED_BY_EBAY")]}, "fulfilled_by_ebay"),
        ({"program": {"fulfillmentProgram": {"fulfilledBy": "EBAY"}}}, "fulfilled_by_ebay"),
        ({"program": {"authenticityVerification": {"status": "PENDING"}}}, "program_order"),
        ({"fulfillmentStartInstructions": [start(ebaySupportedFulfillment=True)]}, "program_order"),
        ({"fulfillmentStartInstructions": [start("PREPARE_FOR_PICKUP")]}, "unusual_fulfilment"),
        ({"fulfillmentStartInstructions": [start("BY_DRONE")]}, "unusual_fulfilment"),
    ],
)
def test_an_order_that_others_handle_is_held_until_it_has_left(changes: dict[str, Any], reason: str) -> None:
    assert reasons(read(**changes)) == [reason]
    assert not read(**changes, lineItems=[line(lineItemFulfillmentStatus="FULFILLED")]).problems


def test_a_digital_order_ships_nothing() -> None:
    found = read(fulfillmentStartInstructions=[start("DIGITAL")])
    assert not found.lines[0].ships
    assert not found.problems


# --- what is no order ---------------------------------------------------------------------------------


def test_a_page_gives_each_of_its_orders() -> None:
    page = json.dumps({"total": 2, "orders": [order(), order(orderId="12-34567-89013")]})
    assert [found.external_id for found in read_orders(page, "ebay-de")] == ["12-34567-89012", "12-34567-89013"]
    assert read_orders('{"orders": []}', "ebay") == ()


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"orderId": None}, "missing_field", "orderId"),
        ({"lastModifiedDate": None}, "missing_field", "lastModifiedDate"),
        ({"lastModifiedDate": "yesterday"}, "bad_field", "lastModifiedDate"),
        ({"pricingSummary": None}, "missing_field", "pricingSummary.total.currency"),
        ({"pricingSummary": {"total": {"currency": "EUR"}}}, "missing_field", "pricingSummary.total.value"),
        ({"lineItems": "none"}, "bad_field", "lineItems"),
        ({"lineItems": [line(lineItemId=None)]}, "missing_field", "lineItems[0].lineItemId"),
        ({"lineItems": [line(lineItemCost=None)]}, "missing_field", "lineItems[0].lineItemCost"),
        ({"lineItems": [line(), line()]}, "duplicate_line", ""),
        ({"cancelStatus": "NONE"}, "bad_field", "cancelStatus"),
        ({"fulfillmentStartInstructions": [start(shippingStep=[])]}, "bad_field", "shippingStep"),
    ],
)
def test_a_wrong_payload_is_refused_and_the_field_named(changes: dict[str, Any], reason: str, field: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(**changes)
    assert refused.value.reason == reason
    assert field in refused.value.detail


def test_unknown_fields_change_nothing() -> None:
    assert read(somethingNew={"a": [1]}, lineItems=[line(another=True)]) == read()


def test_an_order_confirmation_points_at_its_order() -> None:
    data = {"user": {"userId": "u1"}, "order": {"orderId": "12-34567-89012", "orderLineItems": []}}
    body = {"metadata": {"topic": "ORDER_CONFIRMATION"}, "notification": {"data": data}}
    assert told_of(json.dumps(body)) == Told("ORDER_CONFIRMATION", "", "u1", "", ("12-34567-89012",))


def test_a_notification_of_another_topic_points_at_nothing() -> None:
    assert told_of('{"metadata": {"topic": "FEEDBACK_LEFT"}}').order_ids == ()


@pytest.mark.parametrize("body", ["{}", '{"metadata": {"topic": "ORDER_CONFIRMATION"}}', "[]", "no"])
def test_what_is_no_notification_is_refused(body: str) -> None:
    with pytest.raises(Unreadable):
        told_of(body)
