"""Answers and orders of Amazon's that are legal and odd."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.reader import read_orders
from chalicelib.channels.port import RefundRequest
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Busy, OverBudget, Refused
from tests.unit.channels.amazon_desk import BASE, DESK, US, Desk, availability, order_body

ARN = "arn:aws:sqs:eu-central-1:1:q"


@pytest.mark.parametrize("rate", ["NaN", "-1", "1e-320", "1e300", "-inf", "0", "0,5", "1e-9", ""])
@pytest.mark.parametrize("status", [404, 429])
def test_a_rate_that_makes_no_sense_is_passed_over(rate: str, status: int) -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(status, {"x-amzn-ratelimit-limit": rate}, b"{}")]
    with pytest.raises((Refused, OverBudget)):
        desk.client().get_order("114-1")
    assert desk.budget.corrected == {}


@pytest.mark.parametrize(
    ("text", "after_s"),
    [("0", 1), ("-5", 2), ("NaN", 2), ("9" * 5000, 900), ("99999", 900), ("1.5", 2), ("²", 2), ("Fri, 1 Jan", 2)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_makes_no_sense_is_kept_within_bounds(text: str, after_s: int, status: int) -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(status, {"retry-after": text}, b"")]
    with pytest.raises(Busy) as busy:
        desk.client().get_order("114-1")
    assert busy.value.after_s == after_s


@pytest.mark.parametrize("lifetime", ["1e400", "NaN", "0", "-3", '"x"', "[]"])
def test_a_token_without_a_lifetime_is_asked_for_again(lifetime: str) -> None:
    desk = Desk()
    body = f'{{"access_token":"t","expires_in":{lifetime}}}'.encode()
    desk.instead["token"] = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        desk.client().get_order("114-1")
    assert desk.tokens.token == ""


@pytest.mark.parametrize(("lifetime", "most_ms"), [("120", 120_000), ("1e300", 86_400_000), ("3600", 3_600_000)])
def test_a_token_is_kept_for_a_part_of_its_lifetime(lifetime: str, most_ms: int) -> None:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(1, "5.00"))
    body = f'{{"access_token":"t","expires_in":{lifetime}}}'.encode()
    desk.instead["token"] = [HttpResponse(200, {}, body)]
    desk.client().get_order("114-1")
    assert DESK < desk.tokens.expires_ms < DESK + most_ms


@pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable", "slow_down"])
def test_trouble_of_login_with_amazon_pauses_no_account_whatever_its_status(code: str) -> None:
    desk = Desk()
    desk.instead["token"] = [HttpResponse(400, {}, f'{{"error":"{code}"}}'.encode())]
    with pytest.raises(Busy):
        desk.client().get_order("114-1")
    assert desk.tokens.why_lost == ""


def test_an_app_that_may_not_make_destinations_pauses_no_seller() -> None:
    desk = Desk()
    desk.instead["token"] = [HttpResponse(400, {}, b'{"error":"invalid_scope"}')]
    with pytest.raises(Refused, match="not_authorised"):
        desk.client().ensure_destination(ARN, "n")
    assert desk.tokens.why_lost == ""


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000])
def test_an_answer_that_cannot_be_parsed_is_trouble(body: bytes) -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        desk.client().get_order("114-1")


@pytest.mark.parametrize("page", [{"orders": {}}, {"orders": "x"}, {"orders": [], "pagination": "x"}])
def test_a_page_of_orders_of_another_kind_is_no_crash(page: dict[str, Any]) -> None:
    desk = Desk()
    desk.instead["searchOrders"] = [HttpResponse(200, {}, json.dumps(page).encode())]
    try:
        assert list(desk.client().changed_orders(DESK)) == []
    except Busy:
        assert not isinstance(page["orders"], list)


def test_an_order_with_half_a_character_is_passed_on() -> None:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(1, "5.00"))
    desk.orders["114-1"]["orderItems"][0]["product"]["title"] = "A \U0001f600 \ud83d"
    ((raw, _),) = desk.client().changed_orders(DESK)
    assert read_orders(raw, "amazon")[0].lines[0].title == "A \U0001f600 ?"


# --- orders -------------------------------------------------------------------------------------------


def read(**more: Any) -> ChannelOrder:
    return read_orders(json.dumps({**order_body(L1=(2, "20.00"), L2=(1, "5.00")), **more}), "amazon")[0]


def items(**more: Any) -> list[dict[str, Any]]:
    one, two = order_body(L1=(2, "20.00"), L2=(1, "5.00"))["orderItems"]
    return [{**one, **more}, two]


OFF = {"cancellationExecution": {"cancelledBy": "AMAZON"}}


def test_a_line_that_was_called_off_of_a_shipped_order_did_not_leave() -> None:
    order = read(orderItems=items(cancellation=OFF), fulfillment={"fulfillmentStatus": "SHIPPED"})
    assert [(line.cancelled, line.fulfilled) for line in order.lines] == [(2, 0), (0, 1)]


def test_a_cancelled_order_of_nothing_is_no_problem() -> None:
    order = read(orderItems=items(quantityOrdered=0), fulfillment={"fulfillmentStatus": "CANCELLED"})
    assert order.cancelled
    assert order.problems == ()


def test_a_price_without_a_currency_is_a_price_that_is_not_shown_yet() -> None:
    unpriced = [{**each, "proceeds": {}} for each in items()]
    order = read(
        orderItems=unpriced,
        proceeds={"grandTotal": {"amount": "", "currencyCode": ""}},
        fulfillment={"fulfillmentStatus": "PENDING"},
    )
    assert (order.currency, order.total_minor, order.payment.awaited) == ("XXX", 0, True)
    assert read(orderItems=[], proceeds={}).lines == ()
    shown = read(proceeds={"grandTotal": {"currencyCode": "USD"}})
    assert shown.total_minor == 2500


def test_a_yen_order_is_read_without_decimals() -> None:
    yen = {"amount": "1980", "currencyCode": "JPY"}
    number = {"amount": 1980, "currencyCode": "JPY"}
    lines = [{**items()[0], "proceeds": {"breakdowns": [{"type": "ITEM", "subtotal": number}]}}]
    order = read(orderItems=lines, proceeds={"grandTotal": yen})
    assert (order.currency, order.total_minor, order.lines[0].price_minor) == ("JPY", 1980, 1980)


def test_the_wish_to_cancel_one_of_several_lines_names_it() -> None:
    wish = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "x"}}
    (problem,) = read(orderItems=items(cancellation=wish)).problems
    assert problem.reason == "cancel_requested"
    assert "L1" in problem.detail


def test_a_price_of_yen_is_sent_as_a_whole_number() -> None:
    from chalicelib.channels.port import Price

    desk = Desk()
    desk.client().push_prices([Price("A", {}, 1980, "JPY", 1)])
    text = desk.sent[-1].body.decode()
    assert '"value_with_tax": 1980}' in text


def test_a_sku_of_odd_signs_is_one_part_of_the_path() -> None:
    desk = Desk()
    assert desk.client().push_availability([availability("A/B ?#\U0001f600%2F", 1)]) == [None]
    assert desk.patched[0][0] == "A/B ?#\U0001f600%2F"


def test_one_offer_that_cannot_be_read_hides_no_listing() -> None:
    desk = Desk()
    desk.listed = [
        {
            "sku": sku,
            "summaries": [{"marketplaceId": US, "createdDate": "2026-01-01T00:00:00Z"}],
            "offers": [{"marketplaceId": US, "offerType": "B2C", "price": {"amount": amount, "currencyCode": code}}],
        }
        for sku, amount, code in (("A", "1.00", ""), ("B", "x", "USD"), ("C", "2.00", "USD"))
    ]
    assert [(item.channel_sku, item.price_minor) for item in desk.client().listings()] == [
        ("A", None),
        ("B", None),
        ("C", 200),
    ]


def test_an_address_that_has_ended_is_asked_for_anew() -> None:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(1, "5.00"))
    wish = RefundRequest("R1", 500, "USD", "")
    assert desk.client().refund("114-1", wish) is False
    desk.feeds_made["F1"] |= {"processingStatus": "DONE", "resultFeedDocumentId": "gone"}
    with pytest.raises(Busy):
        desk.client().refund("114-1", wish)
    desk.files[f"{BASE}/files/gone"] = b"Number of records processed\t1\nNumber of records successful\t1\n"
    assert desk.client().refund("114-1", wish) is True
    assert desk.operations.count("getFeedDocument") == 2
