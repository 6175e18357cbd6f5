"""The stand-in eBay's refunds, held money and vanishing addresses."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_order_body import order_body
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Response
from tests.contract.marketplaces_calls import Time, first, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    FULFILLMENT,
    MONEY,
    ORDER,
    RETURN,
    assert_error,
    assert_model,
    call,
    cents,
    shipped,
)
from tests.contract.marketplaces_models import ebay_request_body, errors
from tests.contract.official_models import operation_of
from tests.contract.official_schemas import response_validator

REFUND = (FULFILLMENT, "/order/{order_id}/issue_refund", "post")
GET_ORDER = (FULFILLMENT, "/order/{orderId}", "get")


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def money(minor: int, currency: str = "USD") -> dict[str, str]:
    return {"value": f"{minor // 100}.{minor % 100:02}", "currency": currency}


def whole(minor: int, **changes: Any) -> dict[str, Any]:
    return {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": money(minor), **changes}


def of_line(line_id: str, minor: int) -> dict[str, Any]:
    return {
        "reasonForRefund": "BUYER_RETURN",
        "refundItems": [{"lineItemId": line_id, "refundAmount": money(minor)}],
    }


def ask(market: Ebay, sale: Sale, body: Any) -> Response:
    return call(market, "POST", f"{ORDER}/{sale.order_id}/issue_refund", body=body)


def order_of(market: Ebay, sale: Sale) -> Any:
    return assert_model(GET_ORDER, call(market, "GET", f"{ORDER}/{sale.order_id}"), 200)


def wait(market: Ebay, time: Time) -> None:
    market.advance(time.pass_(minutes=2))


# --- refunds ------------------------------------------------------------------------------------------


def test_a_refund_is_pending_first_and_changes_the_order_when_it_is_done(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    before = order_of(market, sale)
    body = of_line(sale.lines[0].line_id, 500)
    assert errors(ebay_request_body(*REFUND), body) == []
    made = assert_model(REFUND, ask(market, sale, body), 200)
    assert made["refundStatus"] == "PENDING"
    pending = order_of(market, sale)
    assert [(each["refundId"], each["refundStatus"]) for each in pending["paymentSummary"]["refunds"]] == [
        (made["refundId"], "PENDING")
    ]
    assert pending["paymentSummary"]["totalDueSeller"] == before["paymentSummary"]["totalDueSeller"]
    assert pending["orderPaymentStatus"] == "PAID"
    wait(market, time)
    after = order_of(market, sale)
    (refund,) = after["paymentSummary"]["refunds"]
    assert (refund["refundStatus"], after["orderPaymentStatus"]) == ("REFUNDED", "PARTIALLY_REFUNDED")
    assert after["lastModifiedDate"] > pending["lastModifiedDate"] > before["lastModifiedDate"]
    due = cents(before["paymentSummary"]["totalDueSeller"]) - cents(refund["amount"])
    assert cents(after["paymentSummary"]["totalDueSeller"]) == due
    assert cents(refund["amount"]) < 500  # a part of the fee comes back
    assert after["lineItems"][0]["refunds"][0]["amount"] == {"value": "5.0", "currency": "USD"}


def test_a_refund_is_not_idempotent_once_the_first_is_done(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    first_id = ask(market, sale, whole(100)).json()["refundId"]
    assert_error(REFUND, ask(market, sale, whole(100)), 400, 34922)
    wait(market, time)
    second_id = ask(market, sale, whole(100)).json()["refundId"]
    assert first_id != second_id
    wait(market, time)
    assert len(order_of(market, sale)["paymentSummary"]["refunds"]) == 2


def test_a_refund_that_fails_moves_no_money_and_may_be_asked_for_again(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    due = order_of(market, sale)["paymentSummary"]["totalDueSeller"]
    market.refunds_fail = True
    assert ask(market, sale, whole(sale.before_tax_minor)).status == 200
    wait(market, time)
    order = order_of(market, sale)
    assert [each["refundStatus"] for each in order["paymentSummary"]["refunds"]] == ["FAILED"]
    assert (order["orderPaymentStatus"], order["paymentSummary"]["totalDueSeller"]) == ("FAILED", due)
    assert order["lineItems"][0]["refunds"] == []
    rows = call(market, "GET", f"{MONEY}/transaction", {"filter": f"orderId:{{{sale.order_id}}}"}).json()[
        "transactions"
    ]
    assert [row["transactionType"] for row in rows] == ["SALE"]
    market.refunds_fail = False
    assert ask(market, sale, whole(sale.before_tax_minor)).status == 200
    wait(market, time)
    assert order_of(market, sale)["orderPaymentStatus"] == "FULLY_REFUNDED"


@pytest.mark.parametrize("trouble", [34925, 34926, 34927, 34928, 34930])
def test_a_seller_without_funds_cannot_refund(ebay: tuple[Ebay, Time], trouble: int) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    market.refund_refusal = trouble
    assert_error(REFUND, ask(market, sale, whole(100)), 409, trouble)
    assert market.shelf.ebay.refunds == {}


def test_all_of_it_given_back_leaves_the_seller_with_the_fixed_fee(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = next(sale for sale in populated(market, time) if len(sale.lines) > 1 and not sale.cancelled_at)
    assert ask(market, sale, whole(sale.before_tax_minor)).status == 200
    wait(market, time)
    order = order_of(market, sale)
    assert order["orderPaymentStatus"] == "FULLY_REFUNDED"
    assert order["paymentSummary"]["totalDueSeller"] == {"value": "-0.3", "currency": "USD"}
    given = sum(cents(each["amount"]) for line in order["lineItems"] for each in line["refunds"])
    assert given == sale.before_tax_minor
    assert_error(REFUND, ask(market, sale, whole(1)), 400, 34917)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ([], 400, 34902),
        ({"orderLevelRefundAmount": money(100)}, 400, 34903),
        ({"reasonForRefund": "BUYER_CANCEL"}, 400, 34905),
        (whole(100, refundItems=[{"lineItemId": "1", "refundAmount": money(1)}]), 400, 34905),
        (whole(100, comment="c" * 101), 400, 34921),
        (whole(100, orderLevelRefundAmount={"currency": "USD"}), 400, 34906),
        (whole(100, orderLevelRefundAmount={"value": "-1.00", "currency": "USD"}), 400, 34907),
        (whole(100, orderLevelRefundAmount={"value": "1.005", "currency": "USD"}), 400, 34907),
        (whole(100, orderLevelRefundAmount={"value": "1.00"}), 400, 34908),
        (whole(100, orderLevelRefundAmount=money(100, "EUR")), 400, 34909),
        (of_line("1", 100), 400, 34914),
        (whole(9_999_999), 400, 34915),
    ],
)
def test_a_refund_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], body: Any, status: int, expected: int
) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    assert_error(REFUND, ask(market, sale, body), status, expected)
    assert market.shelf.ebay.refunds == {}


def test_a_line_gives_back_no_more_than_it_cost(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    line = sale.lines[0]
    too_much = line.net_minor + sale.shipping_minor + 1
    assert_error(REFUND, ask(market, sale, of_line(line.line_id, too_much)), 409, 34924)
    assert ask(market, sale, of_line(line.line_id, too_much - 1)).status == 200


def test_time_and_state_stand_in_the_way_of_a_refund(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = populated(market, time)
    cancelled, sale = next(each for each in sales if each.cancelled_at), first(sales)
    assert_error(REFUND, ask(market, cancelled, whole(100)), 400, 34917)
    nothing = call(market, "POST", f"{ORDER}/12-00000-00000/issue_refund", body=whole(100))
    assert_error(REFUND, nothing, 404, 34913)
    market.payment_takes_s = 86_400
    assert_error(REFUND, ask(market, sale, whole(100)), 409, 34929)
    market.payment_takes_s = 0
    shipped(market, time, sale)
    market.open_return(sale, sale.lines[0].line_id, 1, time.now)
    assert_error(REFUND, ask(market, sale, whole(100)), 400, 34916)
    other = next(each for each in sales if each is not sale and not each.cancelled_at)
    time.pass_(days=91)
    assert_error(REFUND, ask(market, other, whole(100)), 400, 34920)


def test_a_cancelled_order_gives_back_only_what_is_left(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    ask(market, sale, whole(100))
    wait(market, time)
    market.cancel(sale, time.now)
    order = order_of(market, sale)
    assert order["orderPaymentStatus"] == "FULLY_REFUNDED"
    assert order["paymentSummary"]["totalDueSeller"] == {"value": "0.0", "currency": "USD"}
    assert [each["refundStatus"] for each in order["paymentSummary"]["refunds"]] == ["REFUNDED", "REFUNDED"]
    given = sum(cents(each["amount"]) for line in order["lineItems"] for each in line["refunds"])
    assert given == sale.before_tax_minor


# --- held money ---------------------------------------------------------------------------------------


def test_held_money_is_shown_until_it_is_released_and_after(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    assert "paymentHolds" not in order_of(market, sale)["paymentSummary"]["payments"][0]
    market.hold_funds(sale, time.now)
    (held,) = order_of(market, sale)["paymentSummary"]["payments"][0]["paymentHolds"]
    assert (held["holdState"], "releaseDate" in held) == ("HELD", False)
    market.release_funds(sale, time.pass_(days=1))
    (released,) = order_of(market, sale)["paymentSummary"]["payments"][0]["paymentHolds"]
    assert (released["holdState"], "releaseDate" in released) == ("RELEASED", True)


# --- what is personal ---------------------------------------------------------------------------------


def personal(market: Ebay, sale: Sale) -> set[str]:
    """Which personal fields the order shows, at both places. They may be absent, whatever the model requires."""
    body = order_body(market, sale, with_tax=False, with_cancel_requests=True)
    operation = operation_of("GET", f"/sell/fulfillment/v1/order/{sale.order_id}")
    assert operation
    validator = response_validator(operation, 200)
    assert errors(validator, body) == []
    contacts = [
        body["buyer"]["buyerRegistrationAddress"],
        body["fulfillmentStartInstructions"][0]["shippingStep"]["shipTo"],
    ]
    shown = [
        {*contact, *contact["contactAddress"]} & {"email", "fullName", "primaryPhone", "addressLine1"}
        for contact in contacts
    ]
    assert shown[0] == shown[1]
    return shown[0]


def test_the_address_of_a_buyer_fades(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = market.sell(Random(3), time.now)
    assert sale is not None
    everything = {"email", "fullName", "primaryPhone", "addressLine1"}
    assert personal(market, sale) == everything
    time.now = sale.placed_at + timedelta(days=14, seconds=1)
    assert personal(market, sale) == everything - {"email"}
    time.now = sale.placed_at + timedelta(days=90, seconds=1)
    assert personal(market, sale) == set()


def test_nothing_is_shown_of_a_buyer_whose_account_is_deleted(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = market.sell(Random(3), time.now)
    assert sale is not None
    assert order_of(market, sale)["buyer"]["username"] == sale.buyer.handle
    market.delete_buyer(sale.buyer.handle, time.now)
    assert personal(market, sale) == set()
    body = order_body(market, sale, with_tax=False, with_cancel_requests=True)
    assert sale.buyer.handle not in str(body)
    shipped(market, time, sale)
    market.open_return(sale, sale.lines[0].line_id, 1, time.now)
    for path in (f"{MONEY}/transaction", f"{RETURN}/search"):
        answer = call(market, "GET", path)
        assert answer.status == 200
        assert sale.buyer.handle not in answer.body.decode()
