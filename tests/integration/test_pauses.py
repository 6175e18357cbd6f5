"""An account that is paused and resumed: what was left undone in between is all caught up, by every container."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.port import Availability
from chalicelib.domain.errors import Refused, Unauthorised
from chalicelib.domain.lifecycle import stage, unconfirmed_shipments
from chalicelib.inbound import polls
from chalicelib.runtime import clients
from chalicelib.runtime.clients import Paused, SharedTokens, client_for, pause
from chalicelib.runtime.queues import catching_up
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import (
    CLAIM_MS,
    claim_token,
    keep_token,
    read_pause,
    read_token,
    resume_account,
)
from chalicelib.store.listings import Listing, listing_writes, sku_writes
from chalicelib.store.orders import order_writes, read_order
from local.memory.world import World
from tests.accounts import Account, connected, quiet_world
from tests.factories import fact, line
from tests.turns import after, promised, secured, shipped


class Seller(Account):
    """Takes quantities and parcels; `refusing` is raised in place of taking a parcel."""

    refusing: Refused | None = None
    taken: list[str]

    def push_availability(self, wanted: list[Availability]) -> list[None]:
        self.taken += [each.channel_sku for each in wanted]
        return [None for _ in wanted]

    def confirm_shipment(self, external_id: str, parcel: Any) -> None:  # noqa: ARG002
        if self.refusing:
            raise self.refusing
        self.taken.append(external_id)


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def amazon(world: World, monkeypatch: pytest.MonkeyPatch) -> Seller:
    connected(world, monkeypatch, "amazon")
    seller = Seller()
    seller.taken = []
    monkeypatch.setattr(clients, "client_class", lambda kind: lambda *more: seller)
    return seller


def container(world: World) -> Runtime:
    """A container of its own on the same tables, with nothing cached."""
    kept = world.runtime
    return Runtime(kept.tables, kept.queues, kept.bodies, kept.secrets, kept.clock, kept.transport)


def closed(world: World) -> str:
    """An order that is settled although its parcel is not confirmed: it cost nothing."""
    order = shipped(promised(secured(fact(line(unit_minor=0), total_minor=0, channel="amazon"))))
    assert (stage(order), len(unconfirmed_shipments(order))) == ("settled", 1)
    world.tables.write(*order_writes(None, order))
    world.tables.stream.clear()
    return order.order_id


def listed(world: World) -> None:
    world.tables.write(*sku_writes("MUG"), *listing_writes(Listing("amazon", "MUG-A", "MUG", {})))


def is_confirmed(world: World, order_id: str) -> bool:
    order = read_order(world.tables, order_id)
    assert order
    return not unconfirmed_shipments(order)


def test_a_resume_is_seen_by_a_container_that_has_just_seen_the_pause(world: World, amazon: Seller) -> None:
    other = container(world)
    pause("amazon", "mistyped", world.runtime)
    with pytest.raises(Paused):
        client_for("amazon", other)
    polls.resume("amazon", container(world))
    assert client_for("amazon", other)


def test_what_catches_up_waits_for_the_end_of_the_pause_and_is_left_when_that_does_not_come(
    world: World, amazon: Seller
) -> None:
    listed(world)
    pause("amazon", "mistyped", world.runtime)
    world.queues.send("sync-amazon", catching_up("amazon"))  # as a resume does, which then breaks off or is slow
    world.run()
    assert amazon.taken == []
    resume_account(world.tables, "amazon")
    world.now_ms += 10_000
    world.queues.wake(world.now_ms)
    world.run()
    assert amazon.taken == ["MUG-A"]
    pause("amazon", "again", world.runtime)
    world.queues.send("sync-amazon", catching_up("amazon"))
    for _ in range(20):
        world.now_ms += 900_000
        world.queues.wake(world.now_ms)
        world.run()
    assert (world.queues.delayed, world.queues.dead["sync-amazon"]) == ([], [])


@pytest.mark.parametrize("trouble", ["paused", "refused"])
def test_a_parcel_of_a_closed_order_is_told_when_the_account_is_resumed(
    world: World, amazon: Seller, trouble: str
) -> None:
    order_id = closed(world)
    if trouble == "paused":
        pause("amazon", "mistyped", world.runtime)
    else:
        amazon.refusing = Unauthorised("consent is gone")
    world.queues.send("sync-amazon", [{"order": order_id}])
    world.run()
    assert not is_confirmed(world, order_id)
    amazon.refusing = None
    polls.resume("amazon", world.runtime)
    world.run()
    assert is_confirmed(world, order_id)


def test_credentials_that_are_gone_take_the_shared_token_with_them(world: World, amazon: Seller) -> None:
    """Else the next poll, whose token is good for another hour, would resume what the app's own token has paused."""
    tokens = SharedTokens("amazon", container(world))
    assert tokens.claim("")
    tokens.put("sellers", world.now_ms + 3_600_000)
    other = SharedTokens("amazon", container(world))
    assert other.get() == "sellers"
    assert other.claim("", "app")
    other.lost("the client secret is wrong")
    assert (read_token(world.tables, "amazon", world.now_ms), other.get()) == ("", "")
    assert read_pause(world.tables, "amazon")
    assert tokens.claim("sellers")


def test_credentials_that_are_lost_end_no_claim(world: World) -> None:
    one, two = (SharedTokens("amazon", container(world)) for _ in range(2))
    assert one.claim("")
    one.lost("consent is gone")
    assert not two.claim("")
    world.now_ms += CLAIM_MS
    assert two.claim("")


def test_a_claim_that_was_overtaken_by_a_token_is_none(world: World) -> None:
    """The slow fetch of a worker whose claim has ended comes in while the next one is about to claim."""
    assert claim_token(world.tables, "amazon", "", world.now_ms)
    later_ms = world.now_ms + CLAIM_MS
    read = world.tables.get

    def overtaken(key: Any) -> Any:
        found = read(key)
        world.tables.get = read  # type: ignore[method-assign]
        keep_token(world.tables, "amazon", "fresh", later_ms + 3_600_000)
        return found

    world.tables.get = overtaken  # type: ignore[method-assign]
    assert not claim_token(world.tables, "amazon", "", later_ms)
    assert read_token(world.tables, "amazon", later_ms) == "fresh"


def test_what_has_to_wait_keeps_nothing_else_from_being_told(
    world: World, amazon: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refund may be pending for days; the other one and the parcel are told all the same, and nothing twice."""
    order = shipped(promised(secured(fact(line(quantity=2), channel="amazon"))), 1)
    for name in ("r1", "r2"):
        order = after(order, "refund", refund_id=name, amount_minor=100, reason="")
    world.tables.write(*order_writes(None, order))
    world.tables.stream.clear()
    asked: list[str] = []
    pending = {"r1"}

    def refund(external_id: str, wish: Any) -> bool:
        asked.append(wish.refund_id)
        return wish.refund_id not in pending

    monkeypatch.setattr(amazon, "refund", refund)
    amazon.refusing = Refused("not_authorised", "the role is missing")
    world.queues.send("sync-amazon", [{"order": order.order_id}])
    world.run()
    assert asked[:2] == ["r1", "r2"]
    amazon.refusing = None
    pending.clear()
    world.now_ms += 120_000
    world.queues.wake(world.now_ms)
    world.run()
    assert (asked[-1], asked.count("r2")) == ("r1", 1)
    now = read_order(world.tables, order.order_id)
    assert now
    assert {name: each.status for name, each in now.state.refunds.items()} == {"r1": "confirmed", "r2": "confirmed"}
    assert is_confirmed(world, order.order_id)
    assert world.queues.dead["sync-amazon"] == []
