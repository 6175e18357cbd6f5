"""The deployed application without AWS: the same handlers between in-memory tables, queues and streams.

Nothing here decides anything. `World.run()` delivers messages and stream records in order until nothing is left to do.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.domain.errors import Refused
from chalicelib.inbound import fetch, notifications
from chalicelib.outbound import relay, sync
from chalicelib.runtime.batch import Delivery, Work
from chalicelib.runtime.queues import SYNC_QUEUES, Message, batches
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages import allocation, entry, funding, settlement, shipping
from local.memory.tables import MemoryTables
from local.prices import usd

WORK: Mapping[str, Work] = {
    "amazon-notifications": notifications.work,
    "hints": fetch.work,
    "entry": entry.work,
    "funding": funding.work,
    "allocation": allocation.work,
    "shipping": shipping.work,
    "settlement": settlement.work,
    **{queue: sync.work_for(kind) for kind, queue in SYNC_QUEUES.items()},
}
BATCH_SIZE = defaultdict(lambda: 10, {"allocation": 100})
MOST_RECEIVES = 5
MEMORY_GB = 0.5
CHUNK_BYTES = 65_536  # SQS bills each 64 KB of a request


class MemoryQueues:
    """`Queues` in lists, with the count of billable requests."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[tuple[str, str, int]]] = defaultdict(deque)  # id, body, receives
        self.dead: dict[str, list[str]] = defaultdict(list)
        self.delayed: list[tuple[int, str, tuple[str, str, int]]] = []  # visible from (ms), queue, message
        self.now_ms = 0
        self.requests = 0
        self._ids = 0

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
        for batch in batches([json.dumps(message, separators=(",", ":")) for message in messages]):
            self.requests += _requests(batch)
            for body in batch:
                self._ids += 1
                message = (f"m{self._ids}", body, 0)
                if delay_s:
                    self.delayed.append((self.now_ms + delay_s * 1000, queue, message))
                else:
                    self.waiting[queue].append(message)

    def wake(self, now_ms: int) -> None:
        """Time has come this far: delayed messages that are due are there now."""
        self.now_ms = now_ms
        due = [entry for entry in self.delayed if entry[0] <= now_ms]
        self.delayed = [entry for entry in self.delayed if entry[0] > now_ms]
        for _, queue, message in due:
            self.waiting[queue].append(message)

    def receive(self, queue: str) -> list[tuple[str, str, int]]:
        """The next batch; a receive and a delete are billed for each ten messages."""
        waiting = self.waiting[queue]
        batch = [waiting.popleft() for _ in range(min(BATCH_SIZE[queue], len(waiting)))]
        for start in range(0, len(batch), 10):
            self.requests += _requests([body for _, body, _ in batch[start : start + 10]]) + 1
        return batch


def _requests(bodies: Sequence[str]) -> int:
    return max(-(-sum(len(body.encode()) for body in bodies) // CHUNK_BYTES), 1)


class MemoryBodies:
    """`Bodies` in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self.kept[key] = body

    def get(self, key: str) -> bytes:
        return self.kept[key]


class MemorySecrets:
    """`Secrets` in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}

    def get(self, name: str) -> Mapping[str, Any]:
        if name not in self.kept:
            raise Refused("no_secret", name)
        return self.kept[name]


class World:
    """All ports in memory and a clock that only `now_ms` moves."""

    def __init__(self, now_ms: int = 1_700_000_000_000, transport: Callable[..., Any] | None = None) -> None:
        self.now_ms = now_ms
        self.tables = MemoryTables()
        self.queues = MemoryQueues()
        self.bodies = MemoryBodies()
        self.secrets = MemorySecrets()
        self.invocations: Counter[str] = Counter()
        self._sequence = 0

        def no_transport() -> Any:
            assert transport, "this world has no channels to speak to"
            return transport

        self.runtime = Runtime(
            tables=self.tables,
            queues=self.queues,
            bodies=self.bodies,
            secrets=self.secrets,
            clock=lambda: self.now_ms,
            transport=no_transport,
        )

    def run(self) -> None:
        """Deliver everything until streams and queues are empty; what keeps failing lands in `queues.dead`.

        What was put back with a delay stays until the clock has moved.
        """
        self.queues.wake(self.now_ms)
        while self._relay() or any(self._deliver(queue) for queue in WORK):
            pass

    def _relay(self) -> bool:
        stream = self.tables.stream
        if not stream:
            return False
        records = []
        for _ in range(min(100, len(stream))):
            change = stream.popleft()
            self._sequence += 1
            records.append(relay.Record(f"e{self._sequence}", self._sequence, change.old, change.new))
        self.invocations["relay"] += 1
        relay.work(records, self.runtime)
        return True

    def _deliver(self, queue: str) -> bool:
        batch = self.queues.receive(queue)
        if not batch:
            return False
        self.invocations[queue] += 1
        failed = set(WORK[queue]([Delivery(i, json.loads(body), n + 1) for i, body, n in batch], self.runtime))
        for message_id, body, receives in batch:
            if message_id in failed and receives + 1 >= MOST_RECEIVES:
                self.queues.dead[queue].append(body)
            elif message_id in failed:
                self.queues.waiting[queue].append((message_id, body, receives + 1))
        return True

    def billable(self, orders: int, api_requests: int, busy_s: float) -> dict[str, float]:
        """Units that AWS would bill for what has happened, and their price for a million such orders.

        `busy_s` is the time that the handlers took here, billed at `MEMORY_GB`.
        """
        units = {
            "write_units": self.tables.meter.write_units,
            "read_units": self.tables.meter.read_units,
            "sqs_requests": self.queues.requests,
            "lambda_invocations": self.invocations.total() + api_requests,
            "gb_seconds": busy_s * MEMORY_GB,
            "api_requests": api_requests,
        }
        per_million = usd(**units) / max(orders, 1) * 1_000_000
        return {name: round(value, 1) for name, value in units.items()} | {
            "usd_per_million_orders": round(per_million, 2)
        }
