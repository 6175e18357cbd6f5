"""A channel whose client reads from lists, for tests of what the application does with what it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.facts import ChannelDispute, ChannelReturn, ListedItem, Metric, Payout
from chalicelib.channels.port import Basic, Skip
from chalicelib.domain.errors import HeadraceError
from chalicelib.domain.orders import Order
from chalicelib.domain.settlement import LedgerFact
from chalicelib.runtime import clients, log
from chalicelib.store.accounts import add_account
from chalicelib.store.orders import order_writes, read_order
from local.memory.world import World
from tests.factories import fact, line
from tests.turns import promised, secured, shipped

NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000


@dataclass
class Account(Basic):
    """One account. `asked`: since when each thing was read; `trouble` is raised when something is read, after what is
    there was given. `page`: so many orders in a page of which a reading may go on; 0: it begins again."""

    page: int = 0
    position: str = ""
    facts: list[LedgerFact] = field(default_factory=list)
    paid: list[Payout] = field(default_factory=list)
    sent_back: list[ChannelReturn] = field(default_factory=list)
    disputed: list[ChannelDispute] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    items: list[ListedItem] | None = None
    orders: list[tuple[str, bytes, int]] = field(default_factory=list)
    trouble: HeadraceError | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)
    webhooks: dict[str, str] = field(default_factory=dict)

    def _given(self, what: str, since_ms: int, found: Sequence[Any]) -> Iterator[Any]:
        self.asked.append((what, since_ms))
        yield from found
        if self.trouble:
            raise self.trouble

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        return self._given("transactions", since_ms, self.facts)

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        return self._given("payouts", since_ms, self.paid)

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        return self._given("returns", since_ms, self.sent_back)

    def disputes(self, since_ms: int) -> Iterator[ChannelDispute]:
        return self._given("disputes", since_ms, self.disputed)

    def health(self) -> list[Metric]:
        return list(self._given("health", 0, self.metrics))

    def ensure_webhooks(self, delivery_url: str, secret: str) -> dict[str, str]:  # noqa: ARG002
        """What is there is kept from then on."""
        told = self.webhooks
        self.webhooks = {topic: outcome if outcome == "refused" else "kept" for topic, outcome in told.items()}
        return told

    def listings(self) -> Iterator[ListedItem]:
        return super().listings() if self.items is None else self._given("listings", 0, self.items)

    def changed_orders(self, since_ms: int, skip: Skip, position: str = "") -> Iterator[tuple[bytes, int]]:
        return self._given("orders", since_ms, self._pages(skip, int(position or 0)))  # type: ignore[arg-type]

    def _pages(self, skip: Skip, begin: int) -> Iterator[tuple[bytes, int]]:
        for number, (name, raw, at_ms) in enumerate(self.orders):
            if number >= begin:
                if self.page and number % self.page == 0:
                    self.position = str(number or "")
                if not skip(name, at_ms):
                    yield raw, at_ms

    def confirm_shipment(self, external_id: str, parcel: Any) -> None:
        """Taken."""


def connected(world: World, patch: pytest.MonkeyPatch, *channels: str) -> dict[str, Account]:
    """Accounts of these names in the world, in this order."""
    accounts = {channel: Account() for channel in channels}
    world.now_ms = NOW_MS
    for channel in channels:
        add_account(world.tables, channel, {"account": channel})
        world.secrets.kept[f"{channel}/api"] = {"secret": "s"}

    def made(access: Access) -> Account:
        return accounts[access.account["account"]]

    patch.setattr(clients, "client_class", lambda kind: made)
    return accounts


def quiet_world() -> World:
    """A world whose channels are lists: nothing may be sent to them."""

    def no_wire(request: Any) -> Any:
        raise AssertionError(f"sent: {request}")

    return World(NOW_MS, transport=no_wire)


@pytest.fixture(name="world")
def world_fixture() -> World:
    return quiet_world()


@pytest.fixture(name="lines")
def lines_fixture(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged."""
    logged: list[Any] = []
    monkeypatch.setattr(log, "sink", lambda text: logged.append(json.loads(text)))
    return logged


def keep(world: World, order_id: str, units: int = 1) -> None:
    """An order of so many mugs, 5.00 each, that have left."""
    channel, _, external_id = order_id.partition(":")
    entered = fact(line(quantity=units), external_id=external_id, channel=channel)
    world.tables.write(*order_writes(None, shipped(promised(secured(entered)), units)))
    world.tables.stream.clear()


def kept(world: World, order_id: str) -> Order:
    order = read_order(world.tables, order_id, content=True)
    assert order
    return order


def sent(world: World, queue: str) -> list[Any]:
    """What waits in the queue."""
    return [json.loads(body) for _, body, _ in world.queues.waiting[queue]]


def named(lines: list[Any], event: str) -> list[Any]:
    """The logged lines of this event."""
    return [each for each in lines if each["event"] == event]


def booked(name: str, kind: str, amount_minor: int, *, at_ms: int = NOW_MS - DAY_MS, **more: Any) -> LedgerFact:
    """An amount of order 1001, unless told otherwise."""
    return LedgerFact(name, kind, amount_minor, "EUR", at_ms, **{"external_id": "1001", **more})


def payout(*facts: LedgerFact, name: str = "po", amount_minor: int | None = None) -> Payout:
    """What these amounts add up to, unless told otherwise."""
    total = sum(each.amount_minor for each in facts)
    return Payout(name, "EUR", NOW_MS - 1000, total if amount_minor is None else amount_minor, facts)
