"""A world of faults: the scheduler picks who runs next, invocations die, streams and messages come again."""

from __future__ import annotations

import dataclasses
import json
from random import Random

from chalicelib.outbound import relay
from chalicelib.runtime.batch import Delivery
from local.memory.world import BATCH_SIZE, WORK, World
from local.simulation.faults import Chokepoint, Crash, FaultyQueues, FaultyTables, draw_mix

_MOST_DEPTH = 2


class FaultyWorld(World):
    """`World` under faults until `heal` is called; one seed always gives the same run."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Random(seed)
        self.choke = Chokepoint(self.chance, draw_mix(self.chance), self._rival)
        self.runtime = dataclasses.replace(
            self.runtime, tables=FaultyTables(self.tables, self.choke), queues=FaultyQueues(self.queues, self.choke)
        )
        self._depth = 0
        self._relaying = False
        self._streamed: list[relay.Record] = []

    def step(self, prefer: str = "") -> None:
        """One invocation of something that has work."""
        self.now_ms += self.chance.choice((1, 1_000, 60_000))
        ready = [queue for queue in WORK if self.queues.waiting[queue]]
        if prefer in ready and self.chance.random() < 0.7:
            ready = [prefer]
        elif (self.tables.stream or self._streamed) and (not ready or self.chance.random() < 0.5):
            self._relay_some()
            return
        if ready:
            self._deliver_some(self.chance.choice(ready))

    def heal(self) -> None:
        """No more faults; work off all that is left."""
        self.choke.active = False
        while self._streamed or self.tables.stream or any(self.queues.waiting.values()):
            self.step()

    def _rival(self) -> None:
        if self._depth < _MOST_DEPTH:
            self._depth += 1
            try:
                self.step(prefer=self._now)
            finally:
                self._depth -= 1

    _now = ""

    def _relay_some(self) -> None:
        """Lambda runs one relay a shard. A batch that died comes again from its first record, perhaps longer."""
        if self._relaying:
            return
        self._relaying = True
        try:
            for _ in range(self.chance.randint(0 if self._streamed else 1, 20)):
                if not self.tables.stream:
                    break
                change = self.tables.stream.popleft()
                self._sequence += 1
                self._streamed.append(relay.Record(f"e{self._sequence}", self._sequence, change.old, change.new))
            relay.work(self._streamed, self.runtime)
            self._streamed = []
        except (Crash, Exception):  # noqa: BLE001, S110 any failure of a stream handler brings the batch again
            pass
        finally:
            self._relaying = False

    def _deliver_some(self, queue: str) -> None:
        waiting = self.queues.waiting[queue]
        batch = []
        largest = self.chance.choice((1, 2, BATCH_SIZE[queue]))  # small batches leave work for rivals
        for _ in range(min(self.chance.randint(1, largest), len(waiting))):
            waiting.rotate(-self.chance.randrange(len(waiting)))
            batch.append(waiting.popleft())
        before, self._now = self._now, queue
        try:
            deliveries = [Delivery(i, json.loads(body), n + 1) for i, body, n in batch]
            failed = set(WORK[queue](deliveries, self.runtime))
        except (Crash, Exception):  # noqa: BLE001 a handler that raises gets its whole batch again
            failed = {message_id for message_id, _, _ in batch}
        finally:
            self._now = before
        waiting.extend((i, body, n + 1) for i, body, n in batch if i in failed)
