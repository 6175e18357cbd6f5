"""Work that must wait goes back to its queue once, however often the queue had it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import Busy
from chalicelib.runtime.batch import Delivery
from chalicelib.stages import allocation
from local.memory.world import World


def test_looks_that_came_twice_go_back_once_while_a_table_is_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    bodies: list[dict[str, Any]] = [{"order": "shop:1"}, {"order": "shop:1", "rounds": 2}, {"sku": "MUG"}]

    def throttled(tables: Any) -> Any:
        raise Busy("throttled", after_s=1)

    monkeypatch.setattr(allocation, "read_sourcing", throttled)
    batch = [Delivery(str(index), body) for index, body in enumerate(bodies * 2)]
    assert allocation.work(batch, world.runtime) == []
    assert sorted((queue, body) for _, queue, (_, body, _) in world.queues.delayed) == [
        ("allocation", '{"order":"shop:1","rounds":3}'),
        ("allocation", '{"sku":"MUG","rounds":1}'),
    ]


def test_a_batch_that_cannot_go_back_comes_again_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def throttled(*_: Any, **__: Any) -> Any:
        raise Busy("throttled", after_s=1)

    monkeypatch.setattr(allocation, "read_sourcing", throttled)
    monkeypatch.setattr(world.queues, "send", throttled)
    batch = [Delivery("a", {"order": "shop:1"}), Delivery("b", {"order": "shop:1"}), Delivery("c", {"sku": "MUG"})]
    assert allocation.work(batch, world.runtime) == ["a", "b", "c"]
