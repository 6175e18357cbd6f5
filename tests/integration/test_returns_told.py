"""What the seller decides about a return goes back to the channel that told of it, once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime import log
from tests.trade import Trade, settle_down


@pytest.fixture(params=["ebay", "amazon", "shopify"])
def returned(request: pytest.FixtureRequest) -> tuple[Trade, str, Any]:
    """A trade with a shipped order of which a unit comes back; the order's id and the marketplace's return."""
    trade, name = Trade(), request.param
    trade.markets.sell(name, 1)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    trade.ship_everything()
    trade.pass_time(60)
    market = trade.markets.markets[name]
    (sale,) = market.shelf.sales.values()
    opened = market.open_return(sale, sale.lines[0].line_id, 1, trade.now)
    for _ in range(2):  # Amazon first makes a report of it
        trade.pass_time(1800)
        JOBS["poll_returns"](trade.world.runtime)
        trade.world.run()
    return trade, f"{name}:{sale.order_id}", opened


def say(trade: Trade, order_id: str, step: str) -> Any:
    """The warehouse's word; how the return stands afterwards."""
    ((return_id, _),) = trade.orders()[order_id].state.returns.items()
    fact = {"return_id": return_id, "step": step, "location": "main"}
    trade.world.queues.send("shipping", [{"order": order_id, "do": "return", "fact": fact}])
    trade.world.run()
    return trade.orders()[order_id].state.returns[return_id]


def test_goods_that_are_back_are_told_where_the_channel_can_be_told(
    returned: tuple[Trade, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trade, order_id, opened = returned
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "sink", lambda line: lines.append(json.loads(line)))
    assert say(trade, order_id, "receive").told == "received"
    assert say(trade, order_id, "inspect").told == "received"
    untold = [line for line in lines if line["event"] == "return_not_told"]
    if order_id.startswith("ebay"):
        assert (opened.state, untold) == ("ITEM_DELIVERED", [])
    elif order_id.startswith("shopify"):
        assert (opened.status, [line.processed for line in opened.lines], untold) == ("CLOSED", [1], [])
    else:
        assert len(untold) == 1, "Amazon learns it by the refund, and is not asked twice"


def test_a_return_that_is_declined_here_is_declined_at_the_channel(
    returned: tuple[Trade, str, Any],
) -> None:
    trade, order_id, opened = returned
    assert say(trade, order_id, "decline").told == "declined"  # Amazon decides in Seller Central, and is asked once
    assert getattr(opened, "status", getattr(opened, "state", "CLOSED")) in ("CLOSED", "DECLINED")


def test_a_return_that_only_we_know_is_told_to_nobody(returned: tuple[Trade, str, Any]) -> None:
    trade, order_id, _ = returned
    order = trade.orders()[order_id]
    fact = {"return_id": "ours", "step": "inspect", "location": "main"}
    fact |= {"lines": [{"line_id": order.lines[0].line_id, "units": 1}]}
    trade.world.queues.send("shipping", [{"order": order_id, "do": "return", "fact": fact}])
    trade.world.run()
    back = trade.orders()[order_id].state.returns["ours"]
    assert (back.status, back.told) == ("inspected", "")
