"""A world of faults: the scheduler picks who runs next, invocations die, streams and messages come again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from random import Random

from chalicelib.channels.registry import kind_of
from chalicelib.domain.orders import Order
from chalicelib.inbound import accounts, polls, tracking
from chalicelib.outbound import relay, sweep
from chalicelib.runtime.batch import Delivery
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_pause
from chalicelib.store.orders import content_key, order_of
from chalicelib.store.tables import Item
from local.memory.world import BATCH_SIZE, LISTENERS, MOST_RECEIVES, WORK, World
from local.simulation.carrier import HOST as CARRIER_HOST
from local.simulation.carrier import Carrier
from local.simulation.faults import (
    Chokepoint,
    Crash,
    FaultyBodies,
    FaultyQueues,
    FaultyTables,
    FaultyTransport,
    draw_mix,
)
from local.simulation.market import KIND, TAXES, Market
from local.simulation.shop import Shop
from local.simulation.till import HOST as TILL_HOST
from local.simulation.till import Till
from local.simulation.woo import HOST as WOO_HOST
from local.simulation.woo import KIND as WOO
from local.simulation.woo import WooShop

HOSTS = {"shop": "shop.example", KIND: "market.example", WOO: WOO_HOST}  # by account
_KEYLESS, _TO_KEYLESS = (CARRIER_HOST, WOO_HOST), ("labels", f"sync-{WOO}")
_LIVES_S = {queue: function.timeout_s for queue, function in LISTENERS.items()}
_MOST_DEPTH = 2
_WITH_CARRIER, _WITH_WOO = 0.5, 0.5  # of all seeds
_CONTAINERS = 3
_STREAM = "stream"

# Looked up at every run, so that a planted bug is what runs.
SCHEDULES: dict[str, Callable[[Runtime], None]] = {
    "poll_shop": lambda runtime: polls.poll("shop", runtime),
    "sweep": lambda runtime: sweep.sweep_due(runtime),
    f"poll_{KIND}": lambda runtime: polls.poll(KIND, runtime),
    f"poll_{WOO}": lambda runtime: polls.poll(WOO, runtime),
    "poll_money": lambda runtime: accounts.JOBS["poll_money"](runtime),
    "poll_returns": lambda runtime: accounts.JOBS["poll_returns"](runtime),
    "poll_tracking": lambda runtime: tracking.ask_carriers(runtime),
}


class FaultyWorld(World):
    """`World` under faults until `heal` is called; one seed always gives the same run."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.shop = Shop()
        self.market = Market(self.chance.choice(TAXES), names_payouts=self.chance.random() < 0.5)
        self.shops: dict[str, Shop] = {"shop": self.shop, KIND: self.market}  # by account
        self.choke = Chokepoint(self.chance, draw_mix(self.chance), self._rival)
        self.till = Till(lambda: self.now_ms)
        apart = Random(seed ^ 0xCA221E2)  # so that the seeds without them tell the stories they always did
        self.carrier = Carrier(apart, lambda: self.now_ms) if apart.random() < _WITH_CARRIER else None
        self.woo = WooShop(apart) if apart.random() < _WITH_WOO else None
        if self.woo:
            self.shops[WOO] = self.woo
        self.hosts = {name: HOSTS[name] for name in self.shops}  # that may be evicting us
        answering = {HOSTS[name]: shop for name, shop in self.shops.items()}
        if self.carrier:
            self.hosts[self.carrier.account] = CARRIER_HOST
            answering[CARRIER_HOST] = self.carrier
        idle = {name for name, is_open in (("poll_tracking", self.carrier), (f"poll_{WOO}", self.woo)) if not is_open}
        self.schedules = sorted(SCHEDULES.keys() - idle)
        self.transport = FaultyTransport({**answering, TILL_HOST: self.till}, self.choke, self._is_over)
        super().__init__(transport=self.transport)
        faulty = FaultyTables(self.tables, self.choke)
        faulty.queues = FaultyQueues(self.queues, self.choke)
        self.runtime = dataclasses.replace(
            self.runtime,
            tables=faulty,
            queues=faulty.queues,
            bodies=FaultyBodies(self.bodies, self.choke),
            clock=lambda: self.now_ms + self._skew_ms,
        )
        self._warm = [dataclasses.replace(self.runtime, leases={}, _kept={}) for _ in range(_CONTAINERS)]
        self.logged: list[str] = []
        self._read: dict[tuple[str, int], Order] = {}
        self._depth = 0
        self._skew_ms = 0
        self._ends_ms = 0
        self._relaying = False
        self._streamed: list[relay.Record] = []
        self._clogged: set[str] = set()
        self._now = ""

    def order(self, state: Item) -> Order:
        """The order of a STATE item, read once for each version."""
        key = (state["pk"], state["version"])
        if key not in self._read:
            self._read[key] = order_of(state, self.tables.items.get(content_key(state["pk"])))
        return self._read[key]

    def orders(self) -> list[Order]:
        """Every order as it is stored now."""
        items = self.tables.items.items()
        return [self.order(item) for key, item in items if key.table == "orders" and key.sk == "STATE"]

    def step(self, prefer: str = "") -> None:
        """One invocation of something that has work."""
        self.now_ms += self.chance.choice((1, 1_000, 60_000))
        self.queues.wake(self.now_ms)
        self._weather()
        ready = [queue for queue in WORK if self.queues.waiting[queue] and queue not in self._clogged]
        if prefer in ready and self.chance.random() < 0.7:
            ready = [prefer]
        elif (self.tables.stream or self._streamed) and (not ready or self.chance.random() < 0.5):
            self._relay_some()
            return
        if ready and (not self.choke.active or self.chance.random() < 0.9):
            self._deliver_some(self.chance.choice(ready))
        elif self.choke.active:
            self.tick(self.chance.choice(self.schedules))

    def tick(self, schedule: str) -> None:
        """A schedule fires."""
        self._invoke(schedule, lambda: SCHEDULES[schedule](self.runtime))

    def request(self, name: str, run: Callable[[Runtime], object]) -> None:
        """Somebody asks something of the API."""
        self._invoke(name, lambda: run(self.runtime))

    def heal(self) -> None:
        """No more faults; work off all that is left. What died too often is driven again, as a person would."""
        self.choke.active = False
        self.transport.is_out = False
        self.transport.evicting.clear()
        if self.carrier:
            self.carrier.settle()
        if self.woo:
            self.woo.calm()
        self._clogged.clear()
        self._skew_ms = 0
        for _ in range(3):
            self._drain()
            for channel in self.paused():
                self.tick(f"poll_{kind_of(channel)}")
            self._drain()
            for queue, dead in self.queues.dead.items():
                self.queues.send(queue, [json.loads(body) for body in dead])
                dead.clear()
        self._drain()

    def paused(self) -> list[str]:
        """The accounts of which nothing is asked."""
        return [channel for channel in channels(self.tables) if read_pause(self.tables, channel)]

    def _drain(self) -> None:
        for _ in range(100_000):
            if not (self._streamed or self.tables.stream or any(self.queues.waiting.values())):
                if not self.queues.delayed:
                    return
                self.now_ms = max(at_ms for at_ms, _, _ in self.queues.delayed)
            self.step()
        raise AssertionError("the world does not come to rest")

    def _weather(self) -> None:
        """Queues and the stream stand still for a while, channels go out and come back, or take no token of ours."""
        if self.choke.strikes("clog"):
            everything = [_STREAM, *sorted(WORK)]
            self._clogged = set(self.chance.sample(everything, self.chance.randint(1, len(everything) // 2)))
        elif self._clogged and self.chance.random() < 0.1:
            self._clogged = set()
        if self.choke.strikes("outage"):
            self.transport.is_out = True
        elif self.transport.is_out and self.chance.random() < 0.1:
            self.transport.is_out = False
        if self.choke.strikes("eviction"):
            self.transport.evicting.add(self.chance.choice(sorted(self.hosts.values())))
        elif self.transport.evicting and self.chance.random() < 0.05:
            self.transport.evicting.clear()

    def _rival(self) -> None:
        if self._depth < _MOST_DEPTH:
            self._depth += 1
            try:
                self.step(prefer=self._now)
            finally:
                self._depth -= 1

    def _is_over(self, host: str) -> bool:
        """Whether Lambda has ended this invocation. Who takes no key relies on that, and on clocks that are right."""
        return host in _KEYLESS and self.choke.active and self.now_ms > self._ends_ms

    def _invoke(self, name: str, run: Callable[[], object]) -> bool:
        """One invocation, in one of the containers that are warm; whether it came to its end. One whose clock is off
        is a container of its own."""
        before, self._now = self._now, name
        skew_ms, self._skew_ms = self._skew_ms, 0
        ends_ms, self._ends_ms = self._ends_ms, self.now_ms + _LIVES_S.get(name, 60) * 1000
        container, self.runtime = self.runtime, self.chance.choice(self._warm)
        if self.choke.strikes("skew"):
            self._skew_ms = self.chance.choice((-20_000, 60_000, 900_000))
            if name in _TO_KEYLESS:
                self._skew_ms = min(self._skew_ms, 20_000)
            self.runtime = dataclasses.replace(self.runtime, leases={}, _kept={})
        self.choke.note(name)
        try:
            run()
        except (Crash, Exception):  # noqa: BLE001 whatever a handler dies of, its event comes again
            self.choke.note("died")
            return False
        finally:
            self._now, self._skew_ms, self._ends_ms, self.runtime = before, skew_ms, ends_ms, container
        return True

    def _relay_some(self) -> None:
        """Lambda runs one relay a shard. A batch that died comes again from its first record, perhaps longer."""
        if self._relaying or _STREAM in self._clogged:
            return
        self._relaying = True
        for _ in range(self.chance.randint(0 if self._streamed else 1, 20)):
            if not self.tables.stream:
                break
            change = self.tables.stream.popleft()
            self._sequence += 1
            self._streamed.append(relay.Record(f"e{self._sequence}", self._sequence, change.old, change.new))
        if self._invoke("relay", lambda: relay.work(self._streamed, self.runtime)):
            self._streamed = []
        self._relaying = False

    def _deliver_some(self, queue: str) -> None:
        waiting = self.queues.waiting[queue]
        batch = []
        largest = self.chance.choice((1, 2, BATCH_SIZE[queue]))  # small batches leave work for rivals
        for _ in range(min(self.chance.randint(1, largest), len(waiting))):
            waiting.rotate(-self.chance.randrange(len(waiting)))
            batch.append(waiting.popleft())
        failed: list[str] = []
        deliveries = [Delivery(i, json.loads(body), n + 1) for i, body, n in batch]
        if not self._invoke(queue, lambda: failed.extend(WORK[queue](deliveries, self.runtime))):
            failed = [message_id for message_id, _, _ in batch]
        for message_id, body, receives in batch:
            if message_id in failed and receives + 1 >= MOST_RECEIVES and not self.choke.active:
                self.queues.dead[queue].append(body)
            elif message_id in failed:
                waiting.append((message_id, body, receives + 1))
