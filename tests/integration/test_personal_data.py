"""Buyers' data and credentials are where they must be and nowhere else, on a good day and on a bad one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from chalicelib.domain.errors import Busy
from chalicelib.runtime import log
from chalicelib.runtime.queues import Message
from chalicelib.store.contacts import read_contact
from local.marketplaces.faults import CALM, Faults
from tests.trade import Trade, settle_down

MARKETPLACES = ("shopify", "amazon", "ebay")
BAD_DAY = Faults(throttled=0.15, unavailable=0.1, answer_lost=0.1)


class Watched(Trade):
    """Remembers every log line, every queue message but the raw payloads, every stream image, every token."""

    def __init__(self, lines: list[str], faults: Faults = CALM) -> None:
        super().__init__(faults)
        self.lines = lines
        self.messages: list[str] = []
        self.images: list[str] = []
        stored = [item for key, item in self.world.tables.items.items() if key.sk.startswith("TOKEN")]
        self.tokens = {str(item["token"]) for item in stored}
        send, relay, ask = self.world.queues.send, self.world.relay, self._send

        def noting_send(queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
            self.messages += [json.dumps({k: v for k, v in message.items() if k != "raw"}) for message in messages]
            send(queue, messages, delay_s)

        def noting_relay(changes: Any) -> bool:
            self.images += [repr((change.old, change.new)) for change in changes]
            return relay(changes)

        def noting_answers(request: Any) -> Any:
            answer = ask(request)
            if "token" in request.url and answer.status == 200:
                found = json.loads(answer.body)
                self.tokens |= {str(found[name]) for name in ("access_token", "refresh_token") if found.get(name)}
            return answer

        self.world.queues.send = noting_send  # type: ignore[method-assign]
        self.world.relay = noting_relay  # type: ignore[method-assign]
        object.__setattr__(self.world.runtime, "transport", lambda: noting_answers)

    def personal(self) -> set[str]:
        """What would give a buyer away, as each marketplace knows it."""
        sales = [sale for market in self.markets.markets.values() for sale in market.shelf.sales.values()]
        assert {sale.buyer.handle for sale in sales}, "nobody has bought anything"
        parts = {part for sale in sales for part in (sale.buyer.name, sale.buyer.street, sale.buyer.handle)}
        escaped = {json.dumps(part)[1:-1] for part in parts}
        return parts | escaped

    def secrets(self) -> set[str]:
        named = [entry for secret in self.world.secrets.kept.values() for entry in secret.items()]
        kept = [value for name, value in named if name != "client_id"]  # the app's name, which Amazon repeats
        texts = {text for value in kept for text in (value if isinstance(value, list) else [value])}
        assert self.tokens, "no token was fetched"
        return {str(text) for text in texts | self.tokens if len(str(text)) > 8}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    found: list[str] = []
    monkeypatch.setattr(log, "sink", found.append)
    yield found
    assert found, "nothing was logged: the test proves nothing"


def live_through(trade: Watched) -> None:
    """Sales, payloads that nobody can read, a bug, a busy bucket, parcels: what may go wrong with a buyer in hand."""
    for _ in range(3):
        for marketplace in MARKETPLACES:
            trade.markets.sell(marketplace, 4)
        trade.pass_time(120)
        trade.poll_all()
        trade.ship_everything()
    buyer = next(iter(trade.markets.markets["ebay"].shelf.sales.values())).buyer
    for marketplace in MARKETPLACES:  # what a reader refuses, with a person in it
        broken: dict[str, Any] = {
            "orderId": "broken",
            "id": buyer.name,
            "AmazonOrderId": [buyer.street],
            "lastModifiedDate": buyer.name,
            "buyer": {"username": buyer.handle},
            "lineItems": buyer.name,
            "line_items": [buyer.street],
        }
        trade.world.queues.send("entry", [{"channel": marketplace, "raw": json.dumps(broken), "hint": {}}])
    trade.world.run()
    trade.world.queues.send("entry", [{"channel": "unheard-of", "raw": buyer.name, "hint": {}}])
    trade.world.run()


def leaks(trade: Watched, wanted: set[str], *, tables: bool = True) -> list[str]:
    places = {"log": trade.lines, "message": trade.messages, "stream": trade.images}
    if tables:
        kept = trade.world.tables.items
        places["table"] = [repr((key, item)) for key, item in kept.items() if key.table != "contacts"]
    return [f"{place}: {text[:300]}" for place, texts in places.items() for text in texts if _holds(text, wanted)]


def _holds(text: str, wanted: set[str]) -> bool:
    return any(part in text for part in wanted)


@pytest.mark.parametrize("faults", [CALM, BAD_DAY])
def test_buyers_are_in_contacts_and_raw_payloads_only(lines: list[str], faults: Faults) -> None:
    trade = Watched(lines, faults)
    live_through(trade)
    trade.markets.set_faults(CALM)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    for marketplace in MARKETPLACES:
        kept = [i for i in trade.orders() if i.startswith(f"{marketplace}:") and read_contact(trade.world.tables, i)]
        assert kept, f"no order of {marketplace} has a contact: the test proves nothing"
    assert leaks(trade, trade.personal()) == []


def test_a_bug_with_a_buyer_in_hand_does_not_log_him(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    trade = Watched(lines)
    real, calls = trade.world.tables.write, []

    def breaks(*writes: Any) -> None:
        calls.append(writes)
        if any(write.key.table == "contacts" for write in writes) and len(calls) % 3:
            raise (Busy("no answer") if len(calls) % 2 else ValueError(f"a bug that quotes {writes!r}"))
        real(*writes)

    monkeypatch.setattr(trade.world.tables, "write", breaks)
    live_through(trade)
    assert [line for line in lines if '"ValueError"' in line], "the bug did not strike"
    assert leaks(trade, trade.personal()) == []


@pytest.mark.parametrize("faults", [CALM, BAD_DAY])
def test_no_token_and_no_secret_is_logged_or_sent(lines: list[str], faults: Faults) -> None:
    trade = Watched(lines, faults)
    live_through(trade)
    for channel in ("amazon", "ebay"):  # a consent that is gone is told of, not quoted
        secret = dict(trade.world.secrets.kept[f"{channel}/api"])
        trade.world.secrets.kept[f"{channel}/api"] = {**secret, "refresh_token": "another-refresh-token-of-his"}
    trade.pass_time(9_000)  # every access token has ended
    trade.poll_all()
    assert [line for line in lines if "channel_paused" in line], "no account was paused"
    assert leaks(trade, trade.secrets(), tables=False) == []
