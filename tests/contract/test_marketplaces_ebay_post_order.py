"""Cancellations and returns at the stand-in eBay.

There is no official model of Post-Order v2 at hand (the mirror's documents have paths only), so the field names are
checked against lists written here out of Devzone/post-order/types.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request
from tests.contract.marketplaces_calls import JSON, Time, ebay_token, first, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    CANCELLATION,
    FULFILLMENT,
    ORDER,
    RETURN,
    assert_gateway_error,
    assert_model,
    call,
    post_order_error,
    shipped,
    signed_call,
    signing_key,
)
from tests.shared_data import shared

CANCEL_FIELDS = frozenset(
    {
        "activityHistories",
        "buyerLoginName",
        "cancelCloseDate",
        "cancelCloseReason",
        "cancelId",
        "cancelReason",
        "cancelRequestDate",
        "cancelState",
        "cancelStatus",
        "lastModifiedDate",
        "legacyOrderId",
        "lineItems",
        "marketplaceId",
        "paymentStatus",
        "requestRefundAmount",
        "requestorType",
        "sellerLoginName",
        "sellerResponseDueDate",
    }
)
RETURN_FIELDS = frozenset(
    {
        "buyerLoginName",
        "buyerTotalRefund",
        "creationInfo",
        "currentType",
        "orderId",
        "responseHistory",
        "returnId",
        "sellerAvailableOptions",
        "sellerLoginName",
        "sellerResponseDue",
        "sellerTotalRefund",
        "state",
        "status",
    }
)


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def cancel_state(market: Ebay, sale: Sale) -> tuple[str, list[str]]:
    path = f"{ORDER}/{sale.order_id}"
    status = assert_model((FULFILLMENT, "/order/{orderId}", "get"), call(market, "GET", path), 200)["cancelStatus"]
    listed = call(market, "GET", ORDER, {"orderIds": sale.order_id})
    page = assert_model((FULFILLMENT, "/order", "get"), listed, 200)
    (in_list,) = [order["cancelStatus"] for order in page["orders"]]
    assert (in_list["cancelState"], in_list["cancelRequests"]) == (status["cancelState"], [])
    return status["cancelState"], [each["cancelRequestState"] for each in status["cancelRequests"]]


def detail(market: Ebay, cancel_id: str) -> Any:
    answer = call(market, "GET", f"{CANCELLATION}/{cancel_id}")
    assert answer.status == 200, answer
    body = answer.json()["cancelDetail"]
    assert body.keys() <= CANCEL_FIELDS
    return body


@pytest.mark.parametrize("file", ["cancellation", "return"])
def test_every_path_is_one_of_post_orders(file: str) -> None:
    document = json.loads(shared(f"specs/ebay/post_order_{file}_oas3.json").read_text())
    known = {(method.upper(), "/post-order/v2" + path) for path, each in document["paths"].items() for method in each}
    names = {"(?P<cancel_id>[^/]+)": "{cancelId}", "(?P<return_id>[^/]+)": "{returnId}", "/?": ""}
    ours = set()
    for route in Ebay.routes:
        pattern = route.pattern
        for ours_name, theirs in names.items():
            pattern = pattern.replace(ours_name, theirs)
        if pattern.startswith(f"/post-order/v2/{file}"):
            ours.add((route.method, pattern))
    assert ours
    assert ours <= known


# --- cancellations ------------------------------------------------------------------------------------


def test_a_buyers_request_waits_and_is_approved(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    stock = market.shelf.listings[sale.lines[0].sku].available
    asked = market.request_cancel(sale, time.now)
    assert asked is not None
    assert cancel_state(market, sale) == ("IN_PROGRESS", ["REQUESTED"])
    waiting = detail(market, asked.cancel_id)
    assert (waiting["cancelState"], waiting["cancelStatus"]) == ("APPROVAL_PENDING", "CANCEL_REQUESTED")
    assert waiting["requestRefundAmount"] == {
        "value": (sale.before_tax_minor + sale.tax_minor) / 100,
        "currency": "USD",
    }
    assert market.request_cancel(sale, time.now) is None
    time.pass_(minutes=1)
    assert call(market, "POST", f"{CANCELLATION}/{asked.cancel_id}/approve", body={}).status == 200
    assert cancel_state(market, sale) == ("CANCELED", ["COMPLETED"])
    assert detail(market, asked.cancel_id)["cancelStatus"] == "CANCEL_CLOSED_WITH_REFUND"
    assert market.shelf.listings[sale.lines[0].sku].available == stock + sale.lines[0].quantity
    again = call(market, "POST", f"{CANCELLATION}/{asked.cancel_id}/approve", body={})
    assert post_order_error(again) == (409, 1607)


def test_a_request_that_the_buyers_own_cancellation_overtakes_is_done(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    market.request_cancel(sale, time.now)
    market.cancel(sale, time.pass_(minutes=1))
    assert cancel_state(market, sale) == ("CANCELED", ["COMPLETED"])


def test_a_request_is_rejected_with_a_body_and_the_order_lives_on(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    asked = market.request_cancel(sale, time.now)
    assert asked is not None
    path = f"{CANCELLATION}/{asked.cancel_id}/reject"
    assert post_order_error(call(market, "POST", path)) == (400, 1601)
    assert call(market, "POST", path, body={}).status == 200
    assert cancel_state(market, sale) == ("NONE_REQUESTED", ["REJECTED"])
    assert detail(market, asked.cancel_id)["cancelStatus"] == "CANCEL_REJECTED"
    assert sale.cancelled_at is None


def test_a_request_and_its_answer_bring_the_order_back_into_the_window(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))

    def changed_since(moment: datetime) -> list[str]:
        page = call(market, "GET", ORDER, {"filter": f"lastmodifieddate:[{stamp(moment)}..]"}).json()
        return [order["orderId"] for order in page["orders"]]

    since = time.pass_(minutes=1)
    asked = market.request_cancel(sale, time.pass_(minutes=1))
    assert asked is not None
    assert changed_since(since) == [sale.order_id]
    since = time.pass_(minutes=1)
    assert changed_since(since) == []
    call(market, "POST", f"{CANCELLATION}/{asked.cancel_id}/reject", body={})
    assert changed_since(since) == [sale.order_id]


def test_the_seller_calls_a_whole_order_off(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    check = call(market, "POST", f"{CANCELLATION}/check_eligibility", body={"legacyOrderId": sale.order_id})
    assert check.json() == {"legacyOrderId": sale.order_id, "eligible": True}
    body = {"legacyOrderId": sale.order_id, "cancelReason": "OUT_OF_STOCK_OR_CANNOT_FULFILL"}
    made = call(market, "POST", CANCELLATION, body=body)
    assert made.status == 201
    assert detail(market, made.json()["cancelId"])["requestorType"] == "SELLER"
    assert cancel_state(market, sale) == ("CANCELED", ["COMPLETED"])
    assert post_order_error(call(market, "POST", CANCELLATION, body=body)) == (409, 1605)
    check = call(market, "POST", f"{CANCELLATION}/check_eligibility", body={"legacyOrderId": sale.order_id})
    assert (check.json()["eligible"], check.json()["failureReason"]) == (False, ["ALREADY_CANCELED"])


def test_a_seller_may_not_pass_over_the_buyers_request_nor_a_parcel(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = populated(market, time)
    asked_of = first(sales)
    asked = market.request_cancel(asked_of, time.now)
    assert asked is not None
    body = {"legacyOrderId": asked_of.order_id, "cancelReason": "BUYER_ASKED_CANCEL"}
    assert post_order_error(call(market, "POST", CANCELLATION, body=body)) == (409, 1605)
    shipped(market, time, asked_of)
    assert post_order_error(call(market, "POST", f"{CANCELLATION}/{asked.cancel_id}/approve", body={})) == (409, 1605)
    assert market.request_cancel(asked_of, time.now) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"legacyOrderId": "12-00000-00000"}, (404, 1602)), ({"cancelReason": "BORED"}, (400, 1604))],
)
def test_a_cancellation_that_makes_no_sense_is_refused(
    ebay: tuple[Ebay, Time], changes: dict[str, str], expected: tuple[int, int]
) -> None:
    market, time = ebay
    order_id = first(populated(market, time)).order_id
    body = {"legacyOrderId": order_id, "cancelReason": "BUYER_ASKED_CANCEL", **changes}
    assert post_order_error(call(market, "POST", CANCELLATION, body=body)) == expected
    assert post_order_error(call(market, "GET", f"{CANCELLATION}/none")) == (404, 1606)


def test_cancellations_are_found_by_order_state_and_time(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = [sale for sale in populated(market, time) if not sale.cancelled_at][:3]
    asked = [market.request_cancel(sale, time.pass_(hours=1)) for sale in sales]
    ids = [each.cancel_id for each in asked if each]
    call(market, "POST", f"{CANCELLATION}/{ids[0]}/reject", body={})

    def found(**query: str) -> list[str]:
        answer = call(market, "GET", f"{CANCELLATION}/search", query).json()
        assert answer["total"] == answer["paginationOutput"]["totalEntries"] >= len(answer["cancellations"])
        assert all(each.keys() <= CANCEL_FIELDS for each in answer["cancellations"])
        return [each["cancelId"] for each in answer["cancellations"]]

    assert found() == ids[::-1]
    assert found(limit="1", offset="1") == [ids[1]]
    assert found(cancel_state="APPROVAL_PENDING") == [ids[2], ids[1]]
    assert found(legacy_order_id=sales[1].order_id) == [ids[1]]
    since = detail(market, ids[1])["cancelRequestDate"]["value"]
    assert found(creation_date_range_from=since) == [ids[2], ids[1]]
    assert post_order_error(call(market, "GET", f"{CANCELLATION}/search", {"limit": "0"})) == (400, 1603)


def test_what_moves_money_is_signed_and_what_does_not_is_not(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = populated(market, time)
    one, other = [sale for sale in sales if not sale.cancelled_at][:2]
    asked, refused = market.request_cancel(one, time.now), market.request_cancel(other, time.now)
    assert asked is not None
    assert refused is not None
    key, market.requires_signature = signing_key(market), True
    path = f"{CANCELLATION}/{asked.cancel_id}/approve"
    assert_gateway_error(call(market, "POST", path), 403, 215001)
    assert one.cancelled_at is None
    assert signed_call(market, time, key, "POST", path).status == 200
    assert call(market, "POST", f"{CANCELLATION}/{refused.cancel_id}/reject", body={}).status == 200


# --- returns ------------------------------------------------------------------------------------------


def opened_return(market: Ebay, time: Time) -> tuple[Sale, str]:
    sale = first(populated(market, time))
    shipped(market, time, sale)
    return sale, market.open_return(sale, sale.lines[0].line_id, 1, time.now).return_id


def summary(market: Ebay, return_id: str) -> Any:
    answer = call(market, "GET", f"{RETURN}/{return_id}", {"fieldgroups": "SUMMARY"})
    assert answer.status == 200, answer
    body = answer.json()["summary"]
    assert body.keys() <= RETURN_FIELDS
    return body


def test_a_return_is_approved_received_and_refunded(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale, return_id = opened_return(market, time)
    line = sale.lines[0]
    asked = summary(market, return_id)
    assert asked["creationInfo"]["item"]["returnQuantity"] == 1
    assert asked["sellerTotalRefund"]["estimatedRefundAmount"]["value"] == (line.net_minor // line.quantity) / 100
    refund = {"refundDetail": {"totalAmount": {"value": 1.5, "currency": "USD"}}}
    assert post_order_error(call(market, "POST", f"{RETURN}/{return_id}/issue_refund", body=refund)) == (409, 1704)
    states = [(asked["state"], asked["status"])]
    for step, body in (("decide", {"decision": "APPROVE"}), ("mark_as_received", {}), ("issue_refund", refund)):
        answer = call(market, "POST", f"{RETURN}/{return_id}/{step}", body=body)
        assert answer.status == 200, answer
        states.append((summary(market, return_id)["state"], summary(market, return_id)["status"]))
    assert states == [
        ("RETURN_REQUESTED", "RETURN_REQUESTED"),
        ("ITEM_READY_TO_SHIP", "READY_FOR_SHIPPING"),
        ("ITEM_DELIVERED", "ITEM_DELIVERED"),
        ("CLOSED", "CLOSED"),
    ]
    assert answer.json() == {"refundStatus": "PENDING"}
    market.advance(time.pass_(minutes=2))
    order = call(market, "GET", f"{ORDER}/{sale.order_id}").json()
    assert order["lineItems"][0]["refunds"][0]["amount"] == {"value": "1.5", "currency": "USD"}
    assert summary(market, return_id)["sellerTotalRefund"]["actualRefundAmount"]["value"] == 1.5
    again = call(market, "POST", f"{RETURN}/{return_id}/issue_refund", body=refund)
    assert post_order_error(again) == (409, 1704)


def test_a_buyer_ships_only_what_the_seller_has_agreed_to(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    _, return_id = opened_return(market, time)
    (found,) = market.shelf.ebay.returns
    market.ship_return(found, time.now)
    assert summary(market, return_id)["state"] == "RETURN_REQUESTED"
    call(market, "POST", f"{RETURN}/{return_id}/decide", body={"decision": "APPROVE"})
    market.ship_return(found, time.now)
    assert summary(market, return_id)["state"] == "ITEM_SHIPPED"


def test_a_declined_return_is_over(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    _, return_id = opened_return(market, time)
    path = f"{RETURN}/{return_id}"
    assert post_order_error(call(market, "POST", f"{path}/decide", body={"decision": "PERHAPS"})) == (400, 1702)
    assert call(market, "POST", f"{path}/decide", body={"decision": "DECLINE"}).status == 200
    assert summary(market, return_id)["state"] == "CLOSED"
    for step in ("decide", "mark_as_received"):
        assert post_order_error(call(market, "POST", f"{path}/{step}", body={"decision": "APPROVE"})) == (409, 1703)


@pytest.mark.parametrize(
    "refund",
    [
        {},
        {"refundDetail": {"totalAmount": {"value": 9999999, "currency": "USD"}}},
        {"refundDetail": {"totalAmount": {"value": 0, "currency": "USD"}}},
        {"refundDetail": {"totalAmount": {"value": 1, "currency": "EUR"}}},
    ],
)
def test_a_return_gives_back_an_amount_that_the_line_has(ebay: tuple[Ebay, Time], refund: dict[str, Any]) -> None:
    market, time = ebay
    _, return_id = opened_return(market, time)
    call(market, "POST", f"{RETURN}/{return_id}/decide", body={"decision": "APPROVE"})
    assert post_order_error(call(market, "POST", f"{RETURN}/{return_id}/issue_refund", body=refund)) == (400, 1705)


def test_no_more_units_come_back_than_have_left(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale, _ = opened_return(market, time)
    line = sale.lines[0]
    for units in (0, line.quantity):
        with pytest.raises(ValueError, match="cannot be returned"):
            market.open_return(sale, line.line_id, units, time.now)


def test_returns_are_found_by_order_and_state(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale, return_id = opened_return(market, time)

    def found(**query: str) -> list[str]:
        members = call(market, "GET", f"{RETURN}/search", query).json()["members"]
        assert all(each.keys() <= RETURN_FIELDS for each in members)
        return [each["returnId"] for each in members]

    assert found(order_id=sale.order_id) == found(return_state="ALL_OPEN") == [return_id]
    call(market, "POST", f"{RETURN}/{return_id}/decide", body={"decision": "DECLINE"})
    assert (found(return_state="ALL_OPEN"), found(return_state="CLOSED")) == ([], [return_id])
    full = call(market, "GET", f"{RETURN}/{return_id}").json()
    assert full.keys() == {"detail"}
    assert post_order_error(call(market, "GET", f"{RETURN}/none")) == (404, 1706)


def test_an_empty_body_is_no_json_object(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    _, return_id = opened_return(market, time)
    headers = {**JSON, "Authorization": f"TOKEN {ebay_token(market)}"}
    request = Request("POST", f"{RETURN}/{return_id}/decide", {}, headers, b"[]")
    assert post_order_error(market.handle(request)) == (400, 1701)
