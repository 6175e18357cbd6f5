"""After the sale at eBay: refunds, cancellations and returns, each at most once whatever becomes of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.ebay.cancellations import reason_of as cancel_reason_of
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.reader import read_orders
from chalicelib.channels.ebay.refunds import reason_of
from chalicelib.channels.ebay.returns import step_of
from chalicelib.channels.fields import Node
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, OverBudget, Refused, Stale
from chalicelib.store.jobs import StoredJobs
from local.marketplaces.shelf import Sale
from local.memory.tables import MemoryTables
from tests.contract.ebay_seller import (
    BASE,
    GATEWAY,
    START_MS,
    Seller,
    answer,
    confirmation,
    problem,
    secret_of,
    seller,
)
from tests.contract.marketplaces_calls import first, populated
from tests.shared_data import shared


@pytest.fixture
def on() -> Seller:
    return seller()


@pytest.fixture
def sale(on: Seller) -> Sale:
    return first(populated(on.market, on.time))


def wish(amount_minor: int = 100, refund_id: str = "r1", reason: str = "") -> RefundRequest:
    return RefundRequest(refund_id, amount_minor, "USD", reason)


def refunds(on: Seller) -> list[int]:
    return [refund.gross_minor for of_order in on.market.shelf.ebay.refunds.values() for refund in of_order]


def arrived(on: Seller) -> None:
    on.market.advance(on.time.pass_(minutes=10))


# --- refunds ------------------------------------------------------------------------------------------


def test_a_refund_is_pending_until_the_buyer_has_it_and_pays_once(on: Seller, sale: Sale) -> None:
    assert on.later().refund(sale.order_id, wish()) is False
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(sale.order_id, wish()) is True
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]
    (body,) = on.wire.bodies("issue_refund")
    amount = {"value": "1.00", "currency": "USD"}
    assert body == {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": amount}


def test_a_refund_whose_answer_was_lost_is_found_and_not_repeated(on: Seller, sale: Sale) -> None:
    on.later().get_order(sale.order_id)
    on.wire.lost = 1
    with pytest.raises(Busy):
        on.later().refund(sale.order_id, wish())
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]


def test_a_refund_that_never_reached_ebay_is_asked_for_again_when_it_had_time_to_show(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    with pytest.raises(Busy) as busy:
        on.later().refund(sale.order_id, wish())
    assert 0 < busy.value.after_s <= 121
    assert refunds(on) == []
    on.time.pass_(seconds=busy.value.after_s)
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


def test_a_lost_answer_beside_another_refund_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish(100))
    assert on.later().refund(sale.order_id, wish(250, "r2")) is False
    on.time.pass_(hours=1)
    with pytest.raises(Refused) as refused:
        on.later().refund(sale.order_id, wish(100))
    assert refused.value.reason == "refund_unclear"
    assert refunds(on) == [250]


def test_two_refunds_of_the_same_amount_are_two(on: Seller, sale: Sale) -> None:
    for refund_id in ("r1", "r2"):
        assert on.later().refund(sale.order_id, wish(refund_id=refund_id)) is False
        arrived(on)
        assert on.later().refund(sale.order_id, wish(refund_id=refund_id)) is True
    assert refunds(on) == [100, 100]


def test_a_refund_that_is_done_is_not_looked_for_any_more(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    arrived(on)
    on.later().refund(sale.order_id, wish())
    asked = len(on.wire.sent)
    assert on.later().refund(sale.order_id, wish()) is True
    assert len(on.wire.sent) == asked


def test_an_earlier_refund_of_the_same_amount_is_not_taken_for_ours(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    arrived(on)
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish(refund_id="r2"))
    on.time.pass_(minutes=3)
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_refund_waits_for_the_one_before_it(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    with pytest.raises(Busy, match="34922"):
        on.later().refund(sale.order_id, wish(refund_id="r2"))
    arrived(on)
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_call_that_was_not_made_is_made_later(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, HttpResponse(429, {}, b"")]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


def test_more_than_the_order_is_refused_with_ebays_id(on: Seller, sale: Sale) -> None:
    with pytest.raises(Refused, match="34915"):
        on.later().refund(sale.order_id, wish(10**9))
    with pytest.raises(Refused, match="32100"):
        on.later().refund("12-0", wish())


def test_an_order_refunded_by_somebody_else_is_refused_and_by_us_is_done(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = json.loads(client.get_order(sale.order_id))
    on.wire.instead = [answer(shown), problem(34917), answer(shown)]
    with pytest.raises(Refused, match="34917"):
        client.refund(sale.order_id, wish())
    ours = {"refundId": "9", "refundStatus": "REFUNDED", "amount": {"value": "1.0", "currency": "USD"}}
    on.wire.instead = [
        answer(shown),
        problem(34917),
        answer({**shown, "paymentSummary": {"refunds": [ours]}}),
    ]
    assert client.refund(sale.order_id, wish(refund_id="r2")) is True


def test_the_line_tells_what_the_buyer_got_where_the_order_tells_what_it_cost() -> None:
    """A recorded refund: 143.98 reached the buyer, 122.31 left the seller."""
    on = seller()
    on.tokens.put("t", START_MS)
    order: dict[str, Any] = {"orderId": "12-1", "paymentSummary": {"refunds": []}, "lineItems": []}
    on.wire.instead = [answer(order), GATEWAY]
    with pytest.raises(Busy):
        on.client.refund("12-1", wish(14398))
    net = {"refundId": "9", "refundStatus": "REFUNDED", "amount": {"value": "122.31", "currency": "USD"}}
    gross = [{"refundId": "9", "amount": {"value": value, "currency": "USD"}} for value in ("43.90", "100.08")]
    lines = [{"refunds": [each]} for each in gross]
    on.wire.instead = [answer({**order, "paymentSummary": {"refunds": [net]}, "lineItems": lines})]
    assert on.client.refund("12-1", wish(14398)) is True


def test_a_refund_that_failed_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    on.market.refunds_fail = True
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            on.later().refund(sale.order_id, wish())
        assert refused.value.reason == "refund_failed"
    assert refunds(on) == [100]
    on.market.refunds_fail = False
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_refund_that_failed_at_once_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, answer({"refundStatus": "FAILED"})]
    with pytest.raises(Refused) as refused:
        client.refund(sale.order_id, wish())
    assert refused.value.reason == "refund_failed"


def test_a_seller_who_cannot_pay_may_ask_again_once_he_can(on: Seller, sale: Sale) -> None:
    on.market.refund_refusal = 34925
    with pytest.raises(Refused, match="34925"):
        on.later().refund(sale.order_id, wish())
    on.market.refund_refusal = 0
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "OTHER_ADJUSTMENT"),
        ("goodwill", "OTHER_ADJUSTMENT"),
        ("return R-7", "BUYER_RETURN"),
        ("cancelled", "SELLER_CANCEL"),
        ("parcel lost", "ITEM_NOT_RECEIVED"),
        ("item not as described", "ITEM_NOT_AS_DESCRIBED"),
        ("BUYER_CANCEL", "BUYER_CANCEL"),
    ],
)
def test_a_reason_is_said_in_ebays_words(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_a_refund_is_signed_where_ebay_demands_it(on: Seller, sale: Sale) -> None:
    on.market.requires_signature = True
    with pytest.raises(Refused) as refused:
        on.later().refund(sale.order_id, wish())
    assert refused.value.reason == "signing_key_expired"
    key = on.later().create_signing_key()
    assert on.later(signing_key=key).refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


# --- cancellations ------------------------------------------------------------------------------------


def all_of(sale: Sale, reason: str = "") -> CancellationRequest:
    return CancellationRequest("c1", tuple((line.line_id, line.quantity) for line in sale.lines), reason)


def cancellations(on: Seller) -> list[tuple[str, str]]:
    return [(each.initiator, each.state) for each in on.market.shelf.ebay.cancellations]


def test_an_order_is_called_off_once(on: Seller, sale: Sale) -> None:
    for _ in range(2):
        on.later().cancel(sale.order_id, all_of(sale))
    assert sale.cancelled_at
    assert cancellations(on) == [("SELLER", "COMPLETED")]
    (body,) = on.wire.bodies("/cancellation")
    assert body["cancelReason"] == "OUT_OF_STOCK_OR_CANNOT_FULFILL"
    assert body["buyerPaid"] is True
    assert body["buyerPaidDate"].keys() == {"value"}


def test_a_cancellation_whose_answer_was_lost_is_looked_for(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    found = answer({"cancellations": [], "total": 0})
    on.wire.instead = [shown, found, answer({"eligible": True}), GATEWAY]
    with pytest.raises(Busy):
        client.cancel(sale.order_id, all_of(sale))
    with pytest.raises(Busy, match="lost"):
        on.later().cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == []
    on.time.pass_(minutes=3)
    on.later().cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("SELLER", "COMPLETED")]


def test_a_cancellation_that_was_made_though_the_answer_was_lost_is_found(on: Seller, sale: Sale) -> None:
    on.later().cancel(sale.order_id, all_of(sale))
    before = {**json.loads(on.later().get_order(sale.order_id)), "cancelStatus": {"cancelState": "IN_PROGRESS"}}
    on.wire.instead = [answer(before)]
    on.later().cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("SELLER", "COMPLETED")]


def test_a_part_of_an_order_is_not_called_off(on: Seller) -> None:
    sale = first(populated(on.market, on.time), units=2)
    part = CancellationRequest("c1", ((sale.lines[0].line_id, 1),))
    with pytest.raises(Refused) as refused:
        on.later().cancel(sale.order_id, part)
    assert refused.value.reason == "whole_orders_only"
    assert cancellations(on) == []


def test_a_buyer_who_asked_is_agreed_with(on: Seller, sale: Sale) -> None:
    on.market.request_cancel(sale, on.time.now)
    on.later().cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("BUYER", "COMPLETED")]
    on.later().cancel(sale.order_id, all_of(sale))
    assert len(cancellations(on)) == 1


def test_an_approval_whose_answer_was_lost_is_found(on: Seller, sale: Sale) -> None:
    on.market.request_cancel(sale, on.time.now)
    on.later().get_order(sale.order_id)
    on.wire.lost = 1
    on.later().cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("BUYER", "COMPLETED")]


def test_an_approval_that_ebay_refuses_is_refused(on: Seller, sale: Sale) -> None:
    """The buyer's request stands as it did: waiting for it would never end."""
    on.market.request_cancel(sale, on.time.now)
    client = on.later()
    order = json.loads(client.get_order(sale.order_id))
    asked = {"cancelId": "5", "legacyOrderId": sale.order_id, "cancelStatus": "CANCEL_REQUESTED"}
    waiting = answer({"cancellations": [{**asked, "requestorType": "BUYER", "cancelState": "APPROVAL_PENDING"}]})
    on.wire.instead = [answer(order), waiting, problem(1508), waiting]
    with pytest.raises(Refused, match="1508"):
        client.cancel(sale.order_id, all_of(sale))
    done = answer({"cancellations": [{**asked, "cancelStatus": "CANCEL_PENDING", "cancelState": "REFUND_PENDING"}]})
    on.wire.instead = [answer(order), waiting, problem(1508, 409), done]
    with pytest.raises(Busy, match="working"):
        client.cancel(sale.order_id, all_of(sale))


def test_what_ebay_does_not_call_off_is_refused_with_its_reason(on: Seller, sale: Sale) -> None:
    on.later().confirm_shipment(sale.order_id, confirmation(sale))
    with pytest.raises(Refused, match="ALREADY_SHIPPED") as refused:
        on.later().cancel(sale.order_id, all_of(sale))
    assert refused.value.reason == "not_eligible"


@pytest.mark.parametrize("unsupported", [problem(1, 404), HttpResponse(404, {}, b"<html>")])
def test_a_check_that_is_not_there_holds_nothing_up(on: Seller, sale: Sale, unsupported: HttpResponse) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, answer({"cancellations": []}), unsupported]
    client.cancel(sale.order_id, all_of(sale))
    assert sale.cancelled_at


def cancellation(**changes: str) -> dict[str, str]:
    fields = {"cancelId": "5", "legacyOrderId": "12-1", "requestorType": "SELLER", "cancelState": "INITIAL"}
    return {**fields, "cancelStatus": "CANCEL_PENDING", **changes}


def searched(on: Seller, *found: dict[str, str], paid: str = "PAID") -> None:
    """What the order and the search for its cancellations will show."""
    on.tokens.put("t", START_MS)
    payments = {"payments": [{"paymentDate": "2026-05-04T12:00:00.000Z"}]}
    order = {"orderId": "12-1", "orderPaymentStatus": paid, "paymentSummary": payments, "lineItems": []}
    on.wire.instead = [answer(order), answer({"cancellations": list(found)})]


NOTHING = CancellationRequest("c1", ())


@pytest.mark.parametrize(
    "found",
    [
        cancellation(),
        cancellation(cancelStatus="CANCEL_REQUESTED"),
        cancellation(requestorType="BUYER", cancelState="REFUND_PENDING"),
        cancellation(cancelStatus="SOMETHING_NEW"),
    ],
)
def test_a_cancellation_under_way_is_waited_for(on: Seller, found: dict[str, str]) -> None:
    searched(on, found)
    with pytest.raises(Busy, match="working"):
        on.client.cancel("12-1", NOTHING)
    assert len(on.wire.sent) == 2


@pytest.mark.parametrize("status", ["CANCEL_CLOSED_WITH_REFUND", "CANCEL_CLOSED_FOR_COMMITMENT"])
def test_a_cancellation_that_is_over_is_done(on: Seller, status: str) -> None:
    searched(on, cancellation(cancelState="CLOSED", cancelStatus=status))
    on.client.cancel("12-1", NOTHING)
    assert len(on.wire.sent) == 2


REJECTED = cancellation(requestorType="BUYER", cancelState="CLOSED", cancelStatus="CANCEL_REJECTED")


@pytest.mark.parametrize("found", [REJECTED, cancellation(legacyOrderId="12-2", requestorType="BUYER")])
def test_a_request_that_was_turned_down_or_is_anothers_stands_in_nobodys_way(on: Seller, found: dict[str, str]) -> None:
    searched(on, found)
    on.wire.instead += [answer({"eligible": True}), answer({"cancelId": "6"}, 201)]
    on.client.cancel("12-1", NOTHING)
    assert len(on.wire.bodies("/cancellation")) == 1


def test_what_ebay_says_of_a_cancellation_that_is_there_already(on: Seller) -> None:
    searched(on)
    on.wire.instead.append(answer({"eligible": False, "failureReason": ["ALREADY_CANCELED"]}))
    on.client.cancel("12-1", NOTHING)
    searched(on)
    on.wire.instead.append(answer({"eligible": False, "failureReason": ["CANCELLATION_EXIST"]}))
    with pytest.raises(Busy):
        on.client.cancel("12-1", NOTHING)
    assert on.wire.bodies("/cancellation") == []


def test_an_order_that_is_not_paid_is_called_off_as_such(on: Seller) -> None:
    searched(on, paid="PENDING")
    on.wire.instead += [answer({"eligible": True}), answer({"cancelId": "6"}, 201)]
    on.client.cancel("12-1", NOTHING)
    (body,) = on.wire.bodies("/cancellation")
    assert (body["buyerPaid"], body.keys()) == (False, {"legacyOrderId", "cancelReason", "buyerPaid"})


def test_a_cancellation_that_was_refused_may_be_asked_for_again_at_once(on: Seller) -> None:
    for refusal, error in ((problem(1604, 400), Refused), (HttpResponse(429, {}, b""), Busy)):
        searched(on)
        on.wire.instead += [answer({"eligible": True}), refusal]
        with pytest.raises(error):
            on.client.cancel("12-1", NOTHING)
    searched(on)
    on.wire.instead += [answer({"eligible": True}), answer({"cancelId": "6"}, 201)]
    on.client.cancel("12-1", NOTHING)


def test_a_cancellation_of_ours_is_signed_where_ebay_demands_it(on: Seller, sale: Sale) -> None:
    on.market.requires_signature = True
    key = on.later().create_signing_key()
    with pytest.raises(Refused, match="signing_key_expired"):
        on.later().cancel(sale.order_id, all_of(sale))
    on.later(signing_key=key).cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("SELLER", "COMPLETED")]


def test_an_approval_is_signed_where_ebay_demands_it(on: Seller, sale: Sale) -> None:
    on.market.requires_signature = True
    key = on.later().create_signing_key()
    on.market.request_cancel(sale, on.time.now)
    with pytest.raises(Refused, match="signing_key_expired"):
        on.later().cancel(sale.order_id, all_of(sale))
    on.later(signing_key=key).cancel(sale.order_id, all_of(sale))
    assert cancellations(on) == [("BUYER", "COMPLETED")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "OUT_OF_STOCK_OR_CANNOT_FULFILL"),
        ("no stock", "OUT_OF_STOCK_OR_CANNOT_FULFILL"),
        ("Buyer changed his mind", "BUYER_ASKED_CANCEL"),
        ("address cannot be reached", "ADDRESS_ISSUES"),
        ("buyer-asked-cancel", "BUYER_ASKED_CANCEL"),
    ],
)
def test_a_cancellation_has_ebays_reason(text: str, reason: str) -> None:
    assert cancel_reason_of(text) == reason


def test_a_list_hides_the_request_that_the_order_itself_shows(on: Seller, sale: Sale) -> None:
    since_ms = on.now_ms
    on.market.request_cancel(sale, on.time.pass_(seconds=1))
    on.wire.operations.clear()
    listed = [raw for raw, _ in on.later().changed_orders(since_ms)]
    (raw,) = [raw for raw in listed if json.loads(raw)["orderId"] == sale.order_id]
    assert json.loads(raw)["cancelStatus"]["cancelRequests"]
    assert on.wire.operations.count("GET /sell/fulfillment/v1/order/{orderId}") == 1
    (order,) = read_orders(raw, "ebay")
    assert [each.reason for each in order.problems] == ["cancel_requested"]


def test_a_request_that_cannot_be_read_hides_no_order(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    listed = {"orderId": "12-1", "cancelStatus": {"cancelState": "IN_PROGRESS", "cancelRequests": []}}
    on.wire.instead = [answer({"total": 1, "orders": [listed]}), problem(32100, 404)]
    assert [json.loads(raw) for raw, _ in on.client.changed_orders(START_MS)] == [listed]


def test_a_list_that_shows_the_request_is_enough(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    status = {"cancelState": "IN_PROGRESS", "cancelRequests": [{"cancelRequestId": "5"}]}
    on.wire.instead = [answer({"total": 1, "orders": [{"orderId": "12-1", "cancelStatus": status}]})]
    assert len(list(on.client.changed_orders(START_MS))) == 1
    assert len(on.wire.sent) == 1


def test_the_recorded_cancellation_is_the_end_of_it(on: Seller) -> None:
    """The fragment of a cancelled order: nothing more is asked of eBay."""
    fragment = json.loads(
        shared("samples/ebay/orders/cancelStatus.fragment.canceled.completed-request.json").read_text()
    )
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer({"orderId": "12-1", "lineItems": [], **fragment})]
    on.client.cancel("12-1", CancellationRequest("c1", ()))
    assert len(on.wire.sent) == 1


# --- returns ------------------------------------------------------------------------------------------


def returned(on: Seller) -> tuple[Sale, Any]:
    sale = first(populated(on.market, on.time))
    on.later().confirm_shipment(sale.order_id, confirmation(sale))
    on.time.pass_(days=1)
    return sale, on.market.open_return(sale, sale.lines[0].line_id, 1, on.time.now)


def steps(on: Seller, since_ms: int) -> list[tuple[str, str]]:
    return [(found.return_id, found.step) for found in on.later().returns(since_ms)]


def test_a_return_is_told_step_by_step_and_each_step_once(on: Seller) -> None:
    sale, opened = returned(on)
    (found,) = on.later().returns(0)
    assert found.external_id == sale.order_id
    assert found.items == ((sale.lines[0].line_id, 1),)
    assert (found.step, found.reason) == ("request", "NO_LONGER_NEED_ITEM")
    assert found.changed_ms == on.now_ms
    on.time.pass_(hours=1)
    assert steps(on, on.now_ms) == []
    on.later().answer_return("", opened.return_id, "approved")
    assert steps(on, on.now_ms) == [(opened.return_id, "approve")]
    on.time.pass_(hours=1)
    on.market.ship_return(opened, on.time.now)
    assert steps(on, on.now_ms) == []
    on.later().answer_return("", opened.return_id, "received")
    since_ms = on.now_ms
    assert steps(on, since_ms) == [(opened.return_id, "receive")]
    on.time.pass_(hours=1)
    assert steps(on, since_ms) == [(opened.return_id, "receive")]  # the same reading broken off and done again
    assert steps(on, on.now_ms) == []


def test_a_return_that_was_declined_is_told(on: Seller) -> None:
    _, opened = returned(on)
    assert steps(on, 0) == [(opened.return_id, "request")]
    on.later().answer_return("", opened.return_id, "declined")
    assert steps(on, on.now_ms) == [(opened.return_id, "decline")]


def test_a_decision_on_a_return_is_signed_where_ebay_demands_it(on: Seller) -> None:
    _, opened = returned(on)
    on.market.requires_signature = True
    key = on.later().create_signing_key()
    on.later(signing_key=key).answer_return("", opened.return_id, "approved")
    assert opened.state == "ITEM_READY_TO_SHIP"


def test_a_return_that_names_no_order_is_read_by_itself(on: Seller) -> None:
    sale, opened = returned(on)
    summary = {"returnId": opened.return_id, "state": "RETURN_REQUESTED", "reason": "NEW_RIGHT_OF_WITHDRAWAL"}
    on.wire.instead = [answer({"members": [summary, {"returnId": "7", "state": 7}, {}]})]
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    (found,) = on.later().returns(0)
    assert (found.external_id, found.step) == (sale.order_id, "request")


def member(number: int, **changes: Any) -> dict[str, Any]:
    item = {"itemId": "I1", "transactionId": "T1", "returnQuantity": 2}
    info = {"item": item, "reason": "X", "creationDate": {"value": "2026-05-01T00:00:00.000Z"}}
    fields = {"returnId": str(number), "orderId": "12-1", "state": "ITEM_SHIPPED", "creationInfo": info}
    return {**fields, **changes}


def test_returns_are_read_over_all_pages(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer({"members": [member(number) for number in range(200)]}), answer({"members": []})]
    next(on.client.returns(0), None)
    searches = [request.url for request in on.wire.sent if "search" in request.url]
    assert [url.rpartition("offset=")[2] for url in searches] == ["0", "200"]


def test_at_the_first_look_only_what_is_open_is_news(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    shown = [member(1), member(2, state="CLOSED"), member(3, state="RETURN_REQUESTED")]
    on.wire.instead = [answer({"members": shown}), answer({"orderId": "12-1", "lineItems": []})]
    assert [(found.return_id, found.step) for found in on.client.returns(START_MS)] == [("1", "approve")]


def test_a_line_is_known_by_its_transaction_or_by_its_listing(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    lines = [{"lineItemId": "L1", "legacyItemId": "I0"}, {"lineItemId": "L2", "legacyItemId": "I1"}]
    order = answer({"orderId": "12-1", "lineItems": lines})
    on.wire.instead = [answer({"members": [member(1)]}), order]
    assert [found.items for found in on.client.returns(0)] == [(("L2", 2),)]
    on.jobs.drop("returns")
    same = answer({"orderId": "12-1", "lineItems": [*lines, {"lineItemId": "T1", "legacyItemId": "I1"}]})
    on.wire.instead = [answer({"members": [member(1)]}), same]
    assert [found.items for found in on.client.returns(0)] == [(("T1", 2),)]
    on.jobs.drop("returns")
    on.wire.instead = [answer({"members": [member(1)]}), problem(32100, 404)]
    assert [found.items for found in on.client.returns(0)] == [(("T1", 2),)]


@pytest.mark.parametrize(
    ("state", "before", "step"),
    [
        ("RETURN_REQUESTED", "", "request"),
        ("SOMETHING_NEW", "", "request"),
        ("SOMETHING_NEW", "approve", "approve"),
        ("ITEM_READY_TO_SHIP", "request", "approve"),
        ("ITEM_SHIPPED", "approve", "approve"),
        ("ITEM_DELIVERED", "approve", "receive"),
        ("RETURN_REJECTED", "request", "decline"),
        ("CLOSED", "request", "decline"),
        ("CLOSED", "approve", "approve"),
        ("CLOSED", "receive", "receive"),
    ],
)
def test_a_state_is_a_step(state: str, before: str, step: str) -> None:
    assert step_of(Node({"state": state}), before) == step


def test_no_call_is_made_over_the_budget(on: Seller, sale: Sale) -> None:
    client: EbayClient = on.later()
    on.budget.empty = {"return", "cancellation"}
    with pytest.raises(OverBudget):
        list(client.returns(0))
    with pytest.raises(OverBudget):
        client.cancel(sale.order_id, all_of(sale))
    assert not [request for request in on.wire.sent if "post-order" in request.url]


# --- refunds: what an answer that was lost once may have done -------------------------------------------


def test_a_conflict_after_a_lost_answer_is_no_proof_that_nothing_was_done(on: Seller, sale: Sale) -> None:
    """The refund in process that eBay speaks of is ours: whoever forgets what was known before pays twice."""
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.lost = 1
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    on.time.pass_(minutes=3)
    on.wire.instead = [shown, problem(34922, 409)]
    with pytest.raises(Busy):
        on.later().refund(sale.order_id, wish())
    on.market.advance(on.time.pass_(minutes=10))
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]


@pytest.mark.parametrize("made", [{"refundStatus": "PENDING"}, {"refundId": "77"}, {"refundStatus": "NEW_ONE"}])
def test_a_refund_that_ebay_has_taken_is_not_asked_for_again(on: Seller, sale: Sale, made: dict[str, str]) -> None:
    """Either field may be missing, and the order may show the refund late."""
    shown = json.loads(on.later().get_order(sale.order_id))
    on.wire.instead = [answer(shown), answer(made)]
    assert on.later().refund(sale.order_id, wish()) is False
    for _ in range(2):
        on.time.pass_(hours=1)
        on.wire.instead = [answer(shown)]
        assert on.later().refund(sale.order_id, wish()) is False
    ours = {"refundId": "77", "refundStatus": "REFUNDED", "amount": {"value": "1.00", "currency": "USD"}}
    on.wire.instead = [answer({**shown, "paymentSummary": {"refunds": [ours]}})]
    assert on.later().refund(sale.order_id, wish()) is True
    assert len(on.wire.bodies("issue_refund")) == 1


def test_the_same_id_in_two_orders_is_two_refunds(on: Seller) -> None:
    """Whoever asks for a refund names it, and only within its order: the second buyer must not be told that he has
    what the first one got."""
    one, other = [sale for sale in populated(on.market, on.time, 8) if sale.paid and not sale.cancelled_at][:2]
    assert on.later().refund(one.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(one.order_id, wish()) is True
    assert on.later().refund(other.order_id, wish()) is False
    assert refunds(on) == [100, 100]


def test_a_refund_that_failed_without_an_id_is_never_asked_for_again(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, answer({"refundStatus": "FAILED"})]
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            client.refund(sale.order_id, wish())
        assert refused.value.reason == "refund_failed"
    on.time.pass_(minutes=10)
    with pytest.raises(Refused):
        on.later().refund(sale.order_id, wish())
    assert refunds(on) == []


def test_of_two_workers_that_begin_the_same_refund_one_asks(on: Seller, sale: Sale) -> None:
    """The second has read that there is no such job when the first asks."""
    tables, meanwhile = MemoryTables(), [True]

    def worker(transport: Any) -> EbayClient:
        account = {"base_url": BASE, "marketplace_id": on.market.site}
        jobs = StoredJobs(tables, "ebay")
        return EbayClient(transport, account, secret_of(on.market), on.tokens, on.now_ms, on.budget, jobs)

    def slow(request: HttpRequest) -> HttpResponse:
        if "/order/" in request.url and meanwhile:
            meanwhile.clear()
            assert worker(on.wire).refund(sale.order_id, wish()) is False
        return on.wire(request)

    second = worker(slow)
    with pytest.raises(Stale):
        second.refund(sale.order_id, wish())
    assert second.refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]
