"""A sweep over three days of 5,000 orders with ten percent faults: each is here once, and no budget was exceeded."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.inbound.polls import poll
from chalicelib.store.orders import read_orders
from local.marketplaces.catalogue import Listing
from local.marketplaces.faults import Faults
from local.marketplaces.throttle import TokenBucket
from local.trade import Business

ORDERS_EACH = 2_500
DAYS = 3
GOODS = tuple(Listing(f"SKU-{n}", f"Thing {n}", 1000 + n, quantity=1_000_000) for n in range(20))
TEN_PERCENT = Faults(throttled=0.04, unavailable=0.03, answer_lost=0.03)


class Sweeping(Business):
    """Sells without a word, at the rates that Amazon publishes, and counts what goes over the wire."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        super().__init__(GOODS, amazon_rate_scale=1.0)

    def _send(self, request: HttpRequest) -> HttpResponse:
        self.calls[request.url.split("/")[3]] += 1
        return super()._send(request)


@pytest.fixture
def over_budget(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Calls that the stand-in had to refuse because its bucket was empty: each one is a budget exceeded."""
    refused: list[float] = []
    take = TokenBucket.take

    def counted(self: TokenBucket, cost: float, now: Any) -> bool:
        allowed = take(self, cost, now)
        if not allowed:
            refused.append(cost)
        return allowed

    monkeypatch.setattr(TokenBucket, "take", counted)
    return refused


def test_three_days_of_orders_are_swept_in_once_each_within_the_published_budgets(
    over_budget: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    trade = Sweeping()
    step = timedelta(days=DAYS) / ORDERS_EACH
    for number in range(ORDERS_EACH):
        trade.markets.now = trade.now + step * number
        for marketplace in ("amazon", "ebay"):
            trade.markets.sell(marketplace, 1)
    trade.pass_clock(DAYS * 86_400)
    trade.markets.now = trade.now
    for market in trade.markets.markets.values():
        market.drain_changes()  # no notification arrives
    sold = {f"{name}:{order_id}" for name, found in trade.markets.summary()["order_ids"].items() for order_id in found}
    assert len(sold) == 2 * ORDERS_EACH
    trade.markets.set_faults(TEN_PERCENT)
    trade.calls.clear()
    rounds = 0
    while len(read_orders(trade.world.tables, sorted(sold))) < len(sold):
        rounds += 1
        assert rounds < 200, "the sweep does not come to an end"
        for kind in ("amazon", "ebay"):
            poll(kind, trade.world.runtime)
            trade.world.run()
        trade.pass_clock(900)
    stored = [key.pk for key in trade.world.tables.items if key.table == "orders" and key.sk == "STATE"]
    assert sorted(stored) == sorted(sold)
    orders = read_orders(trade.world.tables, sorted(sold), content=True)
    assert all(order.state.timeline[0].move == "enter" for order in orders.values())
    assert over_budget == []
    with capsys.disabled():
        calls = f"{trade.calls['amazon']} Amazon and {trade.calls['ebay']} eBay calls"
        sys.stdout.write(f"\n{len(sold)} orders swept in {rounds} rounds of 15 min with {calls}\n")
