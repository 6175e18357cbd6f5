"""The choke point: every call of a port may fail, be lost, or be overtaken by another invocation, as the seed says."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, Stale, Unanswered
from chalicelib.runtime.bodies import Bodies
from chalicelib.runtime.queues import Message
from chalicelib.store.tables import Item, Key, Page, Write
from local.memory.tables import MemoryTables
from local.memory.world import MemoryQueues

T = TypeVar("T")


class Crash(BaseException):
    """The Lambda died here. No `except Exception` may see it."""


@dataclass(frozen=True)
class Mix:
    """Chances of each fault; every seed draws its own.

    At each call of a port: crash, lost_answer, throttle, conflict, rival. At each message: double, delay. At each word
    of the shop: lost_webhook, poison. At each step: clog (queues or the stream stand still), outage (no channel
    answers), eviction (a channel refuses our token for a while). At each invocation: skew (its clock is off).
    """

    crash: float
    lost_answer: float
    throttle: float
    conflict: float
    rival: float
    double: float
    delay: float
    lost_webhook: float
    poison: float
    clog: float
    outage: float
    eviction: float
    skew: float


def draw_mix(chance: Random) -> Mix:
    """Quiet seeds try the plain road, mean ones the corners."""
    return Mix(
        crash=chance.choice((0, 0.01, 0.04)),
        lost_answer=chance.choice((0, 0.01, 0.04)),
        throttle=chance.choice((0, 0.02, 0.08)),
        conflict=chance.choice((0, 0.02, 0.05)),
        rival=chance.choice((0, 0.1, 0.4)),
        double=chance.choice((0, 0.1, 0.4)),
        delay=chance.choice((0, 0.1)),
        lost_webhook=chance.choice((0, 0.2)),
        poison=chance.choice((0, 0.05)),
        clog=chance.choice((0, 0.01, 0.03)),
        outage=chance.choice((0, 0.01, 0.02)),
        eviction=chance.choice((0, 0.01, 0.02)),
        skew=chance.choice((0, 0.2)),
    )


class Chokepoint:
    """Passes every call on, unless a fault strikes; counts calls and faults and keeps a checksum of all that happened.

    `rival` runs another invocation in the middle of this one.
    """

    def __init__(self, chance: Random, mix: Mix, rival: Callable[[], None]) -> None:
        self.chance = chance
        self.mix = mix
        self.active = True
        self.calls = 0
        self.faults: Counter[str] = Counter()
        self.trace = 0
        self.told: list[str] | None = None  # a list to have every step written down
        self._rival = rival

    def __call__(self, name: str, call: Callable[[], T], *, writes: bool = False) -> T:
        self.calls += 1
        self.note(name)
        if not self.active:
            return call()
        if self.strikes("crash"):
            raise Crash
        if self.strikes("throttle"):
            raise Busy("throttled", after_s=1)
        if writes and self.strikes("conflict"):
            raise Stale("in conflict with another transaction")
        if self.strikes("rival"):
            self._rival()
        answer = call()
        if self.strikes("lost_answer"):
            raise Crash
        return answer

    def strikes(self, fault: str) -> bool:
        """Whether the fault happens now."""
        chance = getattr(self.mix, fault)
        struck = self.active and chance > 0 and self.chance.random() < chance
        if struck:
            self.faults[fault] += 1
            self.note(fault)
        return struck

    def note(self, what: str) -> None:
        """Add to the trace."""
        self.trace = zlib.crc32(what.encode(), self.trace)
        if self.told is not None:
            self.told.append(what)


class FaultyTables:
    """The tables behind the choke point. `queues` is there for the bug of sending beside a write."""

    queues: FaultyQueues

    def __init__(self, inner: MemoryTables, choke: Chokepoint) -> None:
        self._inner = inner
        self._choke = choke

    def get(self, key: Key) -> Item | None:
        return self._choke(f"get {key.pk} {key.sk}", lambda: self._inner.get(key))

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        return self._choke(f"get {len(keys)}", lambda: self._inner.get_many(keys)) if keys else {}

    def query(self, table: str, pk: str, **bounds: Any) -> Page:
        return self._choke(f"query {table} {pk}", lambda: self._inner.query(table, pk, **bounds))

    def write(self, *writes: Write) -> None:
        keys = " ".join(f"{write.key.pk} {write.key.sk}" for write in writes)
        self._choke(f"write {keys}", lambda: self._inner.write(*writes), writes=True)


class FaultyQueues:
    """The queues behind the choke point; some messages come twice, some late."""

    def __init__(self, inner: MemoryQueues, choke: Chokepoint) -> None:
        self._inner = inner
        self._choke = choke

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
        doubled = [message for message in messages for _ in range(1 + self._choke.strikes("double"))]
        late_s = self._choke.chance.choice((1, 30, 900)) if self._choke.strikes("delay") else 0
        late_s = max(late_s, delay_s)
        self._choke(f"send {queue}", lambda: self._inner.send(queue, doubled, late_s))


class FaultyBodies:
    """The bucket behind the choke point."""

    def __init__(self, inner: Bodies, choke: Chokepoint) -> None:
        self._inner = inner
        self._choke = choke

    def put(self, key: str, body: bytes) -> None:
        self._choke(f"put {key}", lambda: self._inner.put(key, body))

    def get(self, key: str) -> bytes:
        return self._choke(f"body {key}", lambda: self._inner.get(key))

    def delete(self, key: str) -> None:
        self._choke(f"forget {key}", lambda: self._inner.delete(key))


class FaultyTransport:
    """The way to the channels behind the choke point, by host. During an outage nobody answers, or a gateway does, in
    HTML; the hosts that are `evicting` us take no token."""

    def __init__(
        self,
        hosts: Mapping[str, Callable[[HttpRequest], HttpResponse]],
        choke: Chokepoint,
        ends: Callable[[str], bool] = lambda host: False,
    ) -> None:
        self._hosts = hosts
        self._choke = choke
        self._ends = ends  # whether the invocation is over before it has asked that host
        self.is_out = False
        self.evicting: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.is_out:
            self._choke.note(f"out {request.method}")
            if self._choke.chance.random() < 0.5:
                raise Unanswered("no answer", after_s=1)
            return HttpResponse(503, {"content-type": "text/html"}, b"<html>Service Unavailable</html>")
        host = str(urlsplit(request.url).hostname)
        return self._choke(f"{request.method} {request.url}", lambda: self._answer(host, request))

    def _answer(self, host: str, request: HttpRequest) -> HttpResponse:
        if self._ends(host):
            raise Crash
        if host in self.evicting:
            return HttpResponse(401, {}, b'{"code": "unauthorised"}')
        return self._hosts[host](request)
