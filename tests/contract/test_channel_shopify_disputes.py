"""Disputes of Shopify Payments, read from the stand-in shop under the official schema."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.facts import ChannelDispute
from chalicelib.domain.errors import Refused
from local.marketplaces.shopify_disputes import decide, open_dispute
from tests.contract.marketplaces_models import shopify_schema
from tests.contract.shopify_seller import START_MS, answer, sold

KNOWN = {
    "NEEDS_RESPONSE": "open",
    "UNDER_REVIEW": "open",
    "WON": "won",
    "PREVENTED": "won",
    "CHARGE_REFUNDED": "won",
    "LOST": "lost",
    "ACCEPTED": "lost",
}


def given(*nodes: dict[str, Any]) -> Any:
    page = {"hasNextPage": False, "endCursor": None}
    return answer({"data": {"disputes": {"nodes": list(nodes), "pageInfo": page}}})


def test_a_dispute_is_read_with_its_order_amount_and_day_of_answer() -> None:
    on, sale = sold()
    made = open_dispute(on.market, sale, 1250)
    due_ms = int(made.due_at.timestamp()) * 1000
    (found,) = on.client.disputes(0)
    assert found == ChannelDispute(str(made.number), sale.order_id, 1250, "USD", "open", due_ms)
    decide(on.market, made, "LOST")
    assert [each.status for each in on.client.disputes(0)] == ["lost"]
    assert list(on.client.disputes(int(on.time.now.timestamp() * 1000) + 1000)) == []


def test_more_disputes_than_a_page_holds_are_read_to_the_end() -> None:
    on, sale = sold()
    numbers = [str(open_dispute(on.market, sale, 100).number) for _ in range(60)]
    assert [each.dispute_id for each in on.client.disputes(START_MS)] == numbers
    assert on.wire.operations.count("Disputes") == 2


@pytest.mark.parametrize("status", [*KNOWN, "ESCALATED"])
def test_every_status_of_the_schema_is_known_and_a_new_one_is_open(status: str) -> None:
    assert set(shopify_schema().type_map["DisputeStatus"].values) == set(KNOWN)  # type: ignore[attr-defined]
    on, sale = sold()
    made = open_dispute(on.market, sale, 100)
    node = {"id": f"gid://shopify/ShopifyPaymentsDispute/{made.number}", "status": status, "evidenceDueBy": None}
    node |= {"amount": {"amount": "1.0", "currencyCode": "USD"}, "order": {"id": "gid://shopify/Order/7"}}  # type: ignore[dict-item]
    on.wire.instead["Disputes"] = [given({**node, "amount": None}, {**node, "order": None}, node)]
    assert [(each.status, each.due_ms) for each in on.client.disputes(0)] == [(KNOWN.get(status, "open"), 0)]


def test_an_app_without_the_scope_reads_none_and_another_refusal_is_told() -> None:
    on, _ = sold()
    denied, broken = ({"errors": [{"extensions": {"code": code}}]} for code in ("ACCESS_DENIED", "OTHER"))
    on.wire.instead["Disputes"] = [answer(denied), answer(broken)]
    assert list(on.client.disputes(0)) == []
    with pytest.raises(Refused):
        list(on.client.disputes(0))
