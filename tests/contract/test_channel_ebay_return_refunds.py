"""Money back while a return is open: eBay takes it through the return only, and still moves it once."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Sale
from tests.contract.ebay_after_sale import (
    arrived,
    on_fixture,  # noqa: F401
    refunds,
    sale_fixture,  # noqa: F401
    wish,
)
from tests.contract.ebay_seller import Seller, confirmation, problem


@pytest.fixture
def returned(on: Seller, sale: Sale) -> Sale:
    """An order that was shipped, and of which a unit comes back."""
    on.later().confirm_shipment(sale.order_id, confirmation(sale, items=((sale.lines[0].line_id, 1),)))
    on.market.open_return(sale, sale.lines[0].line_id, 1, on.time.now)
    return sale


def test_a_return_that_nobody_answered_is_approved_and_paid_once(on: Seller, returned: Sale) -> None:
    assert on.later().refund(returned.order_id, wish(reason="return")) is False
    arrived(on)
    assert on.later().refund(returned.order_id, wish(reason="return")) is True
    assert refunds(on) == [100]
    assert on.wire.bodies("/decide") == [{"decision": "APPROVE"}]
    amount = {"value": "1.00", "currency": "USD"}
    assert on.wire.bodies("/issue_refund")[-1] == {"refundDetail": {"totalAmount": amount}}


def test_the_lost_answer_of_a_returns_refund_is_found_and_not_repeated(on: Seller, returned: Sale) -> None:
    (opened,) = on.market.shelf.ebay.returns
    opened.state = "ITEM_DELIVERED"
    on.later().get_order(returned.order_id)
    on.wire.lost_at = "/issue_refund"
    with pytest.raises(Busy):
        on.later().refund(returned.order_id, wish())
    arrived(on)
    assert on.later().refund(returned.order_id, wish()) is True
    assert refunds(on) == [100]


def test_an_open_case_that_is_no_return_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    client = on.later()
    client.get_order(sale.order_id)
    issue = on.wire.__call__

    def refusing(request: object) -> object:
        return problem(34916) if request.url.endswith("issue_refund") else issue(request)  # type: ignore[attr-defined, arg-type]

    client._wire._transport = refusing  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="Resolution") as refused:
        client.refund(sale.order_id, wish())
    assert refused.value.reason == "case_open"
    assert refunds(on) == []
