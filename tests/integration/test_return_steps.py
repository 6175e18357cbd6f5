"""A queue keeps no order: the steps of a return that are asked for in one breath may reach shipping in any."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from chalicelib.domain.orders import Order
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.integration.test_lifecycle import CHANNEL, available, books, document, send, ship

ORDER = f"{CHANNEL}:1001"
TWO = [{"line_id": "1", "units": 2}]


@pytest.fixture(name="world")
def world_fixture() -> World:
    """Two of a hundred mugs have left."""
    world = World()
    add_account(world.tables, CHANNEL, {})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 100, 0))
    send(world, document())
    ship(world)
    return world


def step(name: str) -> dict[str, Any]:
    fact = {"return_id": "r1", "step": name, "lines": TWO, "location": "main"}
    return {"order": ORDER, "do": "return", "fact": fact}


def order_of(world: World) -> Order:
    order = read_order(world.tables, ORDER)
    assert order
    return order


def later(world: World, minutes: int) -> None:
    for _ in range(minutes * 12):
        world.now_ms += 5_000
        world.run()


@pytest.mark.parametrize("names", list(permutations(("request", "approve", "receive", "inspect"))), ids="-".join)
def test_the_steps_of_a_return_end_alike_in_whatever_order_they_come(world: World, names: tuple[str, ...]) -> None:
    world.queues.send("shipping", [step(name) for name in names])
    world.run()
    later(world, minutes=2)
    order = order_of(world)
    assert (order.state.returns["r1"].status, order.state.quantities[0].returned) == ("inspected", 2)
    assert (order.state.holds, available(world)) == ((), 100)
    assert not world.queues.dead["shipping"]
    books(world)


def test_a_step_whose_earlier_one_never_comes_holds_the_order_in_the_end(world: World) -> None:
    world.queues.send("shipping", [step("request"), step("inspect")])
    world.run()
    later(world, minutes=4)
    assert order_of(world).state.holds == ()
    later(world, minutes=4)
    assert [hold.reason for hold in order_of(world).state.holds] == ["shipping_bad_step"]
    assert (world.queues.delayed, world.queues.dead["shipping"]) == ([], [])


def test_a_step_that_can_never_follow_holds_the_order_at_once(world: World) -> None:
    world.queues.send("shipping", [step("receive"), step("decline")])
    world.run()
    assert [hold.reason for hold in order_of(world).state.holds] == ["shipping_bad_step"]
