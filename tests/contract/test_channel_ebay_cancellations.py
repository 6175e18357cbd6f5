"""Orders called off at eBay: once, whatever becomes of the answers."""

from __future__ import annotations

import json

import pytest

from chalicelib.channels.ebay.cancellations import reason_of as cancel_reason_of
from chalicelib.channels.ebay.reader import read_orders
from chalicelib.channels.port import CancellationRequest
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Sale
from tests.contract.ebay_after_sale import all_of, cancellations, on_fixture, sale_fixture  # noqa: F401
from tests.contract.ebay_seller import GATEWAY, START_MS, Seller, answer, confirmation, problem
from tests.contract.marketplaces_calls import first, populated
from tests.shared_data import shared


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
