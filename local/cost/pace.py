"""How fast AWS hands work to the functions: what has come in between two looks is one batch.

The same `World` as everywhere, driven by simulated time instead of to exhaustion, so that a batch is as large at a
given rate as it would be when deployed, and not larger.
"""

from __future__ import annotations

import zlib
from collections import defaultdict

from local.cost.bill import waited_ms
from local.memory.tables import STREAMED, Committed
from local.memory.world import LISTENERS, WORK, World
from tools.functions import FUNCTIONS, FromQueue, FromStreams

TICK_MS = 50  # an SQS trigger without a window waits in long polls and takes at once what is there
STREAM_POLL_MS = 250  # Source: Lambda developer guide, DynamoDB: a shard is polled four times a second
SHARDS = 4  # Source: a new on-demand table takes 4,000 write units a second, 1,000 a partition; one shard a partition


class Pace:
    """Delivers streams and queues of a world as time goes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pending: dict[tuple[str, int], list[Committed]] = defaultdict(list)
        self._stream_due_ms = 0
        self._opened_ms: dict[str, int] = {}
        triggers = {queue: f.trigger for queue, f in LISTENERS.items() if isinstance(f.trigger, FromQueue)}
        self._windows_ms = {queue: trigger.window_s * 1000 for queue, trigger in triggers.items()}
        self._busy_until_ms = {queue: [0.0] * trigger.max_concurrency for queue, trigger in triggers.items()}
        ((self._stream_batch, self._stream_poll_ms),) = {
            (f.trigger.batch_size, max(STREAM_POLL_MS, getattr(f.trigger, "window_s", 0) * 1000))
            for f in FUNCTIONS
            if isinstance(f.trigger, FromStreams)
        }

    def tick(self) -> None:
        """What is due at the world's present time runs, as far as a function may run beside itself; what that causes
        is seen at a later tick."""
        self._world.queues.wake(self._world.now_ms)
        self._relay()
        for queue in WORK:
            self._deliver(queue)

    @property
    def is_quiet(self) -> bool:
        """Nothing is on its way."""
        queues = self._world.queues
        waiting = any(queues.waiting.values()) or any(self._pending.values())
        return not (waiting or queues.delayed or self._world.tables.stream)

    def _relay(self) -> None:
        if self._world.now_ms < self._stream_due_ms:
            return
        self._stream_due_ms = self._world.now_ms + self._stream_poll_ms
        stream = self._world.tables.stream
        while stream:
            change = stream.popleft()
            self._pending[change.table, zlib.crc32(change.pk.encode()) % SHARDS].append(change)
        for table in STREAMED:
            for shard in range(SHARDS):
                changes = self._pending.pop((table, shard), [])
                for start in range(0, len(changes), self._stream_batch):
                    self._world.relay(changes[start : start + self._stream_batch])

    def _deliver(self, queue: str) -> None:
        waiting = self._world.queues.waiting[queue]
        if not waiting:
            return
        opened_ms = self._opened_ms.setdefault(queue, self._world.now_ms)
        size = LISTENERS[queue].trigger.batch_size  # type: ignore[union-attr]  # LISTENERS listen to queues
        is_over = self._world.now_ms >= opened_ms + self._windows_ms[queue]
        slots = self._busy_until_ms[queue]
        free = [number for number, until_ms in enumerate(slots) if until_ms <= self._world.now_ms]
        batches = -(-len(waiting) // size) if is_over else len(waiting) // size
        for number in free[:batches]:
            slots[number] = self._world.now_ms + self._deliver_one(queue)
        if is_over and len(free) >= batches:
            del self._opened_ms[queue]

    def _deliver_one(self, queue: str) -> float:
        """How long (ms) the invocation waited for answers."""
        function, meter = LISTENERS[queue].name, self._world.meter
        before_ms = waited_ms(meter, function)
        self._world.deliver(queue)
        return waited_ms(meter, function) - before_ms
