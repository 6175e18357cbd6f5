"""The choke point: every call of a port may fail, be lost, or be overtaken by another invocation, as the seed says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from chalicelib.domain.errors import Busy
from chalicelib.runtime.queues import Message
from chalicelib.store.tables import Item, Key, Page, Write
from local.memory.tables import MemoryTables
from local.memory.world import MemoryQueues

T = TypeVar("T")


class Crash(BaseException):
    """The Lambda died here. No `except Exception` may see it."""


@dataclass(frozen=True)
class Mix:
    """Chances of each fault at each call; every seed draws its own."""

    crash: float
    lost_answer: float
    throttle: float
    rival: float
    double: float


def draw_mix(chance: Random) -> Mix:
    """Quiet seeds try the plain road, mean ones the corners."""
    return Mix(
        crash=chance.choice((0, 0.01, 0.04)),
        lost_answer=chance.choice((0, 0.01, 0.04)),
        throttle=chance.choice((0, 0.02, 0.08)),
        rival=chance.choice((0, 0.1, 0.4)),
        double=chance.choice((0, 0.1, 0.4)),
    )


class Chokepoint:
    """Passes every call on, unless a fault strikes; counts calls and faults. `rival` runs another invocation."""

    def __init__(self, chance: Random, mix: Mix, rival: Callable[[], None]) -> None:
        self.chance = chance
        self.mix = mix
        self.active = True
        self.calls = 0
        self.faults: Counter[str] = Counter()
        self._rival = rival

    def __call__(self, call: Callable[[], T]) -> T:
        self.calls += 1
        if not self.active:
            return call()
        if self._strikes("crash"):
            raise Crash
        if self._strikes("throttle"):
            raise Busy("throttled", after_s=1)
        if self._strikes("rival"):
            self._rival()
        answer = call()
        if self._strikes("lost_answer"):
            raise Crash
        return answer

    def doubled(self) -> bool:
        """Whether this message is delivered twice."""
        return self.active and self._strikes("double")

    def _strikes(self, fault: str) -> bool:
        struck = self.chance.random() < getattr(self.mix, fault)
        self.faults[fault] += struck
        return struck


class FaultyTables:
    """The tables behind the choke point."""

    def __init__(self, inner: MemoryTables, choke: Chokepoint) -> None:
        self._inner = inner
        self._choke = choke

    def get(self, key: Key) -> Item | None:
        return self._choke(lambda: self._inner.get(key))

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        return self._choke(lambda: self._inner.get_many(keys))

    def query(self, table: str, pk: str, **bounds: Any) -> Page:
        return self._choke(lambda: self._inner.query(table, pk, **bounds))

    def write(self, *writes: Write) -> None:
        self._choke(lambda: self._inner.write(*writes))


class FaultyQueues:
    """The queues behind the choke point; some messages come twice."""

    def __init__(self, inner: MemoryQueues, choke: Chokepoint) -> None:
        self._inner = inner
        self._choke = choke

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:  # noqa: ARG002 a delay is one more order of arrival
        doubled = [message for message in messages for _ in range(1 + self._choke.doubled())]
        self._choke(lambda: self._inner.send(queue, doubled))
