"""eBay orders that its model allows and that are seldom seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.channels.test_ebay_reader import line, money, read, reasons, start


def refund(value: str, refund_id: str = "", status: str = "") -> dict[str, Any]:
    fields = {"refundId": refund_id, "refundStatus": status}
    return {"amount": money(value), **{name: text for name, text in fields.items() if text}}


def refunded(of_order: list[dict[str, Any]], *of_lines: dict[str, Any], **changes: Any) -> int:
    summary = {"payments": [{"paymentStatus": "PAID"}], "refunds": of_order}
    status = {"orderPaymentStatus": "PARTIALLY_REFUNDED", **changes}
    return read(paymentSummary=summary, lineItems=[line(refunds=list(of_lines))], **status).payment.refunded_minor


def test_refunds_of_the_order_and_of_its_lines_are_told_apart_by_their_ids() -> None:
    """One was made for the order, another for a line. Ids that are never the same may tell of one refund twice."""
    assert refunded([refund("3", "r1", "REFUNDED")], refund("5", "r2")) == 500
    assert refunded([refund("3", "r1", "REFUNDED"), refund("4", "r2", "REFUNDED")], refund("5", "r2")) == 800
    assert refunded([refund("3", "", "REFUNDED")], refund("5")) == 500


@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
def test_a_refund_of_a_line_that_the_order_calls_undone_is_none(status: str) -> None:
    assert refunded([refund("4", "r2", status)], refund("5", "r2"), refund("1", "r3")) == 100


def test_a_refund_that_failed_takes_nothing_from_those_before_it() -> None:
    before = [refund("3", "r1", "REFUNDED"), refund("4", "r2", "FAILED")]
    assert refunded(before, orderPaymentStatus="FAILED") == 300


def test_failed_with_a_refund_means_that_the_buyer_has_paid() -> None:
    summary = {"payments": [], "refunds": [refund("4", "r2", "FAILED")]}
    found = read(orderPaymentStatus="FAILED", paymentSummary=summary)
    assert found.payment.vouched
    assert not found.payment.lapsed
    assert reasons(found) == ["refund_failed"]
    assert read(orderPaymentStatus="FAILED", paymentSummary={"payments": [], "refunds": []}).payment.lapsed


def priced(total: str, **summary: Any) -> dict[str, Any]:
    return {"priceSubtotal": money("20.0"), "deliveryCost": money("4.0"), "total": money(total), **summary}


REMITTED = [{"taxType": "STATE_SALES_TAX", "amount": money("2"), "collectionMethod": "NET"}]


@pytest.mark.parametrize(
    ("total", "tax", "remitted", "expected"),
    [
        ("24", "2", True, (2400, 0)),  # beside the total
        ("26", "2", True, (2400, 0)),  # inside
        ("29", "5", True, (2700, 300)),  # all taxes inside, of which 2 are eBay's
        ("27", "5", True, (2700, 300)),  # the seller's inside, eBay's beside the total
        ("26", "4", True, (2600, 200)),  # half is eBay's: without a breakdown it is beside the total
        ("26", None, True, (2400, 0)),  # told on the lines only
        ("27", "3", False, (2700, 300)),
    ],
)
def test_tax_is_the_sellers_only_where_the_seller_gets_it(
    total: str, tax: str | None, remitted: bool, expected: tuple[int, int]
) -> None:
    summary = priced(total, **({"tax": money(tax)} if tax else {}))
    found = read(pricingSummary=summary, lineItems=[line(ebayCollectAndRemitTaxes=REMITTED if remitted else [])])
    taxes = sum(charge.amount_minor for charge in found.charges if charge.kind == "tax")
    assert (found.total_minor, taxes) == expected
    assert found.stated_minor() == found.total_minor


def test_a_fee_that_ebay_remits_is_no_money_of_the_sellers() -> None:
    fee = [{"taxType": "TIRE_RECYCLING_FEE", "amount": money("1"), "collectionMethod": "NET"}]
    found = read(
        pricingSummary=priced("27", tax=money("2"), fee=money("1")),
        lineItems=[line(ebayCollectAndRemitTaxes=REMITTED + fee)],
    )
    assert (found.total_minor, found.stated_minor()) == (2400, 2400)


def test_a_promotion_of_the_delivery_is_no_discount_of_the_line() -> None:
    """Only discountedLineItemCost says that a line was discounted; a promotion may be of the delivery alone."""
    shipping = [{"promotionId": "1", "discountAmount": money("4")}]
    summary = priced("20", deliveryDiscount=money("-4"))
    found = read(pricingSummary=summary, lineItems=[line(appliedPromotions=shipping)])
    assert found.lines[0].discount_minor == 0
    assert found.total_minor == found.stated_minor() == 2000


def test_a_discount_may_come_without_its_sign() -> None:
    summary = priced("17", deliveryDiscount=money("4"), priceDiscount=money("3"))
    found = read(pricingSummary=summary, lineItems=[line(discountedLineItemCost=money("17"))])
    assert found.total_minor == found.stated_minor() == 1700


def test_a_gift_card_beside_goods_needs_no_stock() -> None:
    gift = line(2, giftDetails={"recipientEmail": "x@example.org"}, lineItemCost=money("5"))
    found = read(
        fulfillmentStartInstructions=[start("DIGITAL"), start()],
        lineItems=[line(), gift],
        pricingSummary=priced("29"),
    )
    assert [each.ships for each in found.lines] == [True, False]


def test_an_empty_program_is_none() -> None:
    assert reasons(read(program={})) == []
    assert reasons(read(program={"ebayShipping": {"shippingLabelProvidedBy": "EBAY"}})) == ["program_order"]


def test_an_order_shows_what_its_model_demands_and_no_more() -> None:
    found = read(
        buyer=None, cancelStatus=None, paymentSummary=None, fulfillmentStartInstructions=None, creationDate=None
    )
    assert found.contact is None
    assert found.placed_ms == found.version_ms
    assert not found.cancelled


def test_an_old_id_and_a_currency_without_decimals() -> None:
    yen = {"orderId": "110123456789!987654321", "pricingSummary": {"total": money("2000", "JPY")}}
    found = read(**yen, lineItems=[line(lineItemCost=money("2000", "JPY"))])
    assert found.order_id == "ebay:110123456789!987654321"
    assert found.total_minor == found.stated_minor() == 2000


def test_a_buyer_elsewhere_pays_in_his_currency_and_both_are_told() -> None:
    shown = {"convertedFromValue": "20.0", "convertedFromCurrency": "EUR"}
    found = read(lineItems=[line(lineItemCost=money("17", "GBP", **shown))])
    assert (found.currency, found.total_minor, found.stated_minor()) == ("EUR", 2400, 2400)
    assert reasons(found) == []


@pytest.mark.parametrize(("total", "adjustment"), [("22", "-2"), ("22", "2"), ("26", "2")])
def test_the_sum_tells_the_sign_of_an_adjustment(total: str, adjustment: str) -> None:
    found = read(pricingSummary=priced(total, adjustment=money(adjustment)))
    assert found.stated_minor() == found.total_minor == int(total) * 100
