"""A channel in trouble: it recovers or calls for help, nothing is lost, and the other channels never notice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.runtime import log
from chalicelib.store.accounts import read_pause
from local.marketplaces.catalogue import CATALOGUE
from tests.trade import Trade, settle_down

GATEWAY = HttpResponse(503, {"content-type": "text/html"}, b"<html>Service Unavailable</html>")
THROTTLED = HttpResponse(429, {}, b'{"errors":[{"code":"QuotaExceeded","message":"x","details":""}]}')
SKU = CATALOGUE[0].sku


class TroubledTrade(Trade):
    """`instead` answers for a channel in place of its stand-in; `calls` counts what was sent, by channel and path."""

    def __init__(self) -> None:
        self.instead: dict[str, HttpResponse] = {}
        self.calls: Counter[str] = Counter()
        super().__init__()

    def _send(self, request: HttpRequest) -> HttpResponse:
        name = request.url.split("/")[3]
        self.calls[name] += 1
        self.calls[f"{name} tokens"] += request.url.endswith("token")
        return self.instead[name] if name in self.instead else super()._send(request)

    def live_through(self, hours: float, *, selling: bool = True) -> None:
        """Time passes as in production: every quarter of an hour each channel is polled and something is sold."""
        for _ in range(round(hours * 4)):
            if selling:
                for marketplace in ("shopify", "amazon", "ebay"):
                    self.markets.sell(marketplace, 1)
            self.pass_time(900)
            self.poll_all()

    def differing(self, *names: str) -> dict[Any, Any]:
        shown, expected = self.shown(), self.expected()
        return {key: (shown[key], expected[key]) for key in shown if key[0] in names and shown[key] != expected[key]}

    def dead(self) -> list[str]:
        return [body for bodies in self.world.queues.dead.values() for body in bodies]


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "sink", lambda line: lines.append(json.loads(line)) if "_aws" in line else None)
    return lines


@pytest.fixture
def trade() -> TroubledTrade:
    trade = TroubledTrade()
    trade.live_through(1)
    return trade


def recovered(trade: TroubledTrade) -> None:
    """Everything that was sold is here, shipped, told, and shown everywhere."""
    trade.live_through(2, selling=False)
    assert trade.orders().keys() == trade.sold()
    trade.ship_everything()
    settle_down(trade, lambda: not any(map(unconfirmed_shipments, trade.orders().values())))
    assert not any(map(unconfirmed_shipments, trade.orders().values()))
    assert trade.shown() == trade.expected()
    assert trade.dead() == []
    assert trade.wrong() == []


def revoke(trade: TroubledTrade, name: str) -> Callable[[], None]:
    """The seller takes his consent back; the answer gives it again."""
    market: Any = trade.markets.markets[name]
    kept = market.refresh_token
    market.refresh_token = "another consent"
    market.shelf.tokens.clear()
    return lambda: setattr(market, "refresh_token", kept)


def mistype(trade: TroubledTrade, name: str) -> Callable[[], None]:
    """Somebody rolls the app's secret and tells us the wrong one."""
    kept = trade.world.secrets.kept[f"{name}/api"]
    trade.world.secrets.kept[f"{name}/api"] = {**kept, "client_secret": "mistyped"}
    trade.markets.markets[name].shelf.tokens.clear()
    return lambda: trade.world.secrets.kept.update({f"{name}/api": kept})


@pytest.mark.parametrize("trouble", [revoke, mistype])
@pytest.mark.parametrize("name", ["amazon", "ebay"])
def test_an_account_that_takes_no_token_is_paused_with_one_alarm_and_catches_up_when_mended(
    trade: TroubledTrade, alarms: list[dict[str, Any]], name: str, trouble: Any
) -> None:
    mend = trouble(trade, name)
    trade.calls.clear()
    trade.live_through(6)
    assert read_pause(trade.world.tables, name)
    assert [(alarm["event"], alarm["channel"]) for alarm in alarms] == [("channel_paused", name)]
    assert trade.calls[name] <= 6 * 4 * 2, "an account that is paused is tried by its poll and by nothing else"
    others = {"shopify", "amazon", "ebay"} - {name}
    assert trade.differing(*others) == {}
    assert {i for i in trade.sold() if not i.startswith(name)} <= trade.orders().keys()
    mend()
    recovered(trade)
    assert read_pause(trade.world.tables, name) is None
    assert len(alarms) == 1


@pytest.mark.parametrize(("answer", "hours"), [(THROTTLED, 1), (GATEWAY, 24)], ids=["throttled", "down"])
@pytest.mark.parametrize("name", ["amazon", "ebay"])
def test_a_channel_that_answers_nobody_for_hours_is_waited_for_without_a_storm_and_without_harm_to_others(
    trade: TroubledTrade, alarms: list[dict[str, Any]], name: str, answer: HttpResponse, hours: int
) -> None:
    trade.instead[name] = answer
    trade.calls.clear()
    trade.live_through(hours)
    assert read_pause(trade.world.tables, name) is None
    assert trade.dead() == []
    others = {"shopify", "amazon", "ebay"} - {name}
    assert trade.differing(*others) == {}
    assert trade.calls[name] < hours * 4 * 20
    del trade.instead[name]
    recovered(trade)
    assert alarms == []
