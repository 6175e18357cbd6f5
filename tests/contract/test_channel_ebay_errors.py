"""The shapes in which eBay says that something went wrong, and what follows from each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.ebay.answers import Declined, Throttled, errors_of, read_answer
from chalicelib.channels.port import RefundRequest
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused, Unanswered
from local.marketplaces.shelf import Sale
from tests.contract.ebay_seller import GATEWAY, START_MS, Seller, answer, confirmation, problem, seller
from tests.contract.marketplaces_calls import first, populated


@pytest.fixture
def on() -> Seller:
    return seller()


@pytest.fixture
def sale(on: Seller) -> Sale:
    return first(populated(on.market, on.time))


ERROR = {"errorId": 32300, "category": "REQUEST", "message": "Ada Example is wrong"}


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [ERROR]},
        {"errors": ERROR},
        {"errors": [None, "x", ERROR]},
        {"error": [ERROR]},
        {"error": ERROR},
        {"errorMessage": {"error": [ERROR]}},
        {"errorMessage": {"error": ERROR}},
        {"errorMessage": [ERROR]},
        {"errors": [{**ERROR, "errorId": "32300"}], "warnings": []},
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_an_error_is_one_in_every_shape_and_under_every_status(body: dict[str, Any], status: int) -> None:
    with pytest.raises(Declined) as declined:
        read_answer(answer(body, status))
    assert declined.value.codes == (32300,)
    assert "Ada" not in str(declined.value)


def test_a_success_may_warn_and_may_hold_errors_of_its_parts() -> None:
    for body in ({"warnings": [ERROR]}, {"responses": [], "errors": [ERROR]}, {"errors": []}, {"orders": []}):
        assert read_answer(answer(body)) == body


def test_a_number_of_any_length_is_no_crash() -> None:
    assert errors_of({"errors": [{"errorId": "9" * 5000}, {"errorId": True}, {"errorId": 1.5}]}) == ((), False)


@pytest.mark.parametrize("error_id", [25001, 30500, 34900, 135000])
def test_of_a_system_error_nobody_knows_what_it_left_behind(error_id: int) -> None:
    with pytest.raises(Unanswered):
        read_answer(problem(error_id))
    with pytest.raises(Unanswered):
        read_answer(problem(99999, 400, "APPLICATION"))
    with pytest.raises(Unanswered):
        read_answer(HttpResponse(408, {}, b""))


@pytest.mark.parametrize("error_id", [25025, 34922, 34929])
def test_a_conflict_has_left_nothing_behind(error_id: int) -> None:
    with pytest.raises(Busy) as busy:
        read_answer(problem(error_id, 409, "APPLICATION"))
    assert not isinstance(busy.value, Unanswered)


def test_a_refund_that_ended_in_a_system_error_is_looked_for(on: Seller, sale: Sale) -> None:
    client, wish = on.later(), RefundRequest("r1", 100, "USD")
    shown = json.loads(client.get_order(sale.order_id))
    on.wire.instead = [answer(shown), problem(34900, 400, "APPLICATION")]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish)
    made = {"refundId": "7", "refundStatus": "REFUNDED", "amount": {"value": "1.00", "currency": "USD"}}
    on.wire.instead = [answer({**shown, "paymentSummary": {"refunds": [made]}})]
    assert client.refund(sale.order_id, wish) is True
    assert len(on.wire.bodies("issue_refund")) == 1


@pytest.mark.parametrize(
    ("text", "after_s"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 2),
        ("0", 1),
        ("86400", 900),
        ("Mon, 04 May 2026 12:02:00 GMT", 120),
        ("Mon, 04 May 2026 11:00:00 GMT", 1),
        ("soon", 5),
        ("-3", 1),
        ("NaN", 5),
    ],
)
def test_how_long_to_wait_is_told_in_seconds_or_as_a_date(text: str, after_s: int) -> None:
    with pytest.raises(Throttled) as throttled:
        read_answer(HttpResponse(429, {"retry-after": text}, b""), START_MS)
    assert throttled.value.after_s == after_s


def test_the_account_waits_as_long_as_the_date_says(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [HttpResponse(429, {"retry-after": "Mon, 04 May 2026 12:02:00 GMT"}, b"")]
    with pytest.raises(Busy):
        on.client.get_order("12-1")
    assert on.budget.drained == [("fulfillment", 120)]


def test_a_scope_that_is_missing_for_one_call_pauses_nobody(on: Seller) -> None:
    for status, codes in ((403, 1100), (401, 1001), (403, 1100)):
        on.tokens.put("t", START_MS + 1)
        on.wire.instead = [problem(codes, status), answer({"access_token": "n", "expires_in": 7200})]
        on.wire.instead.append(problem(codes, status))
        with pytest.raises(Refused) as refused:
            list(on.client.transactions(START_MS))
        assert refused.value.reason == "not_authorised"
        assert on.tokens.why_lost == ""


def test_an_application_without_a_scope_of_its_own_pauses_no_seller(on: Seller) -> None:
    on.wire.instead = [answer({"error": "invalid_scope"}, 400)]
    with pytest.raises(Refused) as refused:
        on.client.public_key("k")
    assert refused.value.reason == "not_authorised"
    assert on.tokens.why_lost == ""


def test_a_token_without_a_readable_end_is_used_at_once_and_not_shared(on: Seller) -> None:
    on.wire.instead = [answer({"access_token": "n", "expires_in": "soon"}), answer({"orderId": "12-1"})]
    assert json.loads(on.client.get_order("12-1")) == {"orderId": "12-1"}


# --- parcels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [{}, {"lineItemId": None}, None])
def test_a_parcel_that_ebay_shows_without_its_lines_is_another(on: Seller, sale: Sale, line: Any) -> None:
    on.tokens.put("t", START_MS)
    told = {"shipmentTrackingNumber": "X1", "lineItems": [line]}
    on.wire.instead = [answer({"total": 2, "fulfillments": [told, None]}), HttpResponse(201, {}, b"")]
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert len(on.wire.bodies("shipping_fulfillment")) == 1


def test_a_tracking_number_is_known_again_in_capitals(on: Seller, sale: Sale) -> None:
    on.tokens.put("t", START_MS)
    parcel = confirmation(sale, tracking_number="abc 123")
    lines = [{"lineItemId": line_id, "quantity": units} for line_id, units in parcel.items]
    on.wire.instead = [answer({"total": 1, "fulfillments": [{"shipmentTrackingNumber": "ABC123", "lineItems": lines}]})]
    on.client.confirm_shipment(sale.order_id, parcel)
    assert on.wire.bodies("shipping_fulfillment") == []


def test_a_shipment_that_is_refused_with_a_success_is_refused(on: Seller, sale: Sale) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer({"total": 0}), answer({"errors": [ERROR]})]
    with pytest.raises(Declined):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.wire.instead = [answer({"total": 0}), GATEWAY]
    with pytest.raises(Unanswered):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
