"""What buyers send back at eBay: each step is told once."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.returns import step_of
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import OverBudget
from local.marketplaces.shelf import Sale
from tests.contract.ebay_after_sale import all_of, on_fixture, sale_fixture  # noqa: F401
from tests.contract.ebay_seller import START_MS, Seller, answer, confirmation, problem
from tests.contract.marketplaces_calls import first, populated


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
