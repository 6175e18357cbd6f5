"""The deployed application without AWS: the same handlers between in-memory tables, queues and streams.

Nothing here decides anything. `World.run()` delivers messages and stream records in order until nothing is left to do.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.errors import Refused
from chalicelib.inbound import ebay_notifications, erasure, fetch, notifications, tracking
from chalicelib.outbound import labels, relay, sync, tell_meta
from chalicelib.runtime.batch import Delivery, Work
from chalicelib.runtime.queues import SYNC_QUEUES, Message, batches
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages import allocation, entry, funding, settlement, shipping
from local.memory.meter import API_REQUEST, AWS_CALL, BODY_GET, BODY_PUT, DELETE, RECEIVE, SEND, STREAM_READ, Meter
from local.memory.tables import Committed, MemoryTables
from tools.functions import FUNCTIONS, FromQueue

WORK: Mapping[str, Work] = {
    "amazon-notifications": notifications.work,
    "ebay-notifications": ebay_notifications.work,
    "erasure": erasure.work,
    "hints": fetch.work,
    "entry": entry.work,
    "funding": funding.work,
    "allocation": allocation.work,
    "shipping": shipping.work,
    "settlement": settlement.work,
    "meta": tell_meta.work,
    "labels": labels.work,
    "tracking": tracking.work,
    **{queue: sync.work_for(kind) for kind, queue in SYNC_QUEUES.items()},
}
LISTENERS = {f.trigger.queue: f for f in FUNCTIONS if isinstance(f.trigger, FromQueue)}
BATCH_SIZE = {queue: f.trigger.batch_size for queue, f in LISTENERS.items() if isinstance(f.trigger, FromQueue)}
MOST_RECEIVES = 5
FIRST_SEQUENCE = 10**24
CHUNK_BYTES = 65_536  # SQS bills each 64 KB of a request


class MemoryQueues:
    """`Queues` in lists, with the count of billable requests."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.waiting: dict[str, deque[tuple[str, str, int]]] = defaultdict(deque)  # id, body, receives
        self.dead: dict[str, list[str]] = defaultdict(list)
        self.delayed: list[tuple[int, str, tuple[str, str, int]]] = []  # visible from (ms), queue, message
        self.now_ms = 0
        self._ids = 0

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
        for batch in batches([json.dumps(message, separators=(",", ":")) for message in messages]):
            self.meter.count(SEND, queue, _requests(batch))
            self.meter.count(AWS_CALL, queue)
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
            self.meter.count(RECEIVE, queue, _requests([body for _, body, _ in batch[start : start + 10]]))
            self.meter.count(DELETE, queue)
        return batch


def _requests(bodies: Sequence[str]) -> int:
    return max(-(-sum(len(body.encode()) for body in bodies) // CHUNK_BYTES), 1)


class MemoryBodies:
    """`Bodies` in a dict."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self.meter.count(BODY_PUT, "bodies")
        self.meter.count(AWS_CALL, "bodies")
        self.kept[key] = body

    def get(self, key: str) -> bytes:
        self.meter.count(BODY_GET, "bodies")
        self.meter.count(AWS_CALL, "bodies")
        return self.kept[key]

    def delete(self, key: str) -> None:
        self.meter.count(AWS_CALL, "bodies")  # S3 bills no DELETE
        self.kept.pop(key, None)


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
        self.meter = Meter()
        self.tables = MemoryTables(self.meter)
        self.queues = MemoryQueues(self.meter)
        self.bodies = MemoryBodies(self.meter)
        self.secrets = MemorySecrets()
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
        while self.relay(list(self._streamed(100))) or any(self.deliver(queue) for queue in WORK):
            pass

    def _streamed(self, most: int) -> Iterator[Committed]:
        for _ in range(min(most, len(self.tables.stream))):
            yield self.tables.stream.popleft()

    def relay(self, changes: Sequence[Committed]) -> bool:
        """One batch of a stream, if there is anything in it."""
        if not changes:
            return False
        records = []
        for change in changes:
            self._sequence += 1
            name, position = f"{self._sequence:032x}", FIRST_SEQUENCE + self._sequence  # as long as the real ones
            records.append(relay.Record(name, position, change.old, change.new))
        with self.meter.invocation("relay"):
            self.meter.count(STREAM_READ, changes[0].table)
            relay.work(records, self.runtime)
        return True

    def deliver(self, queue: str) -> bool:
        """One batch of a queue, if there is anything in it."""
        if not self.queues.waiting[queue]:
            return False
        with self.meter.invocation(LISTENERS[queue].name):
            batch = self.queues.receive(queue)
            failed = set(WORK[queue]([Delivery(i, json.loads(body), n + 1) for i, body, n in batch], self.runtime))
        for message_id, body, receives in batch:
            if message_id in failed and receives + 1 >= MOST_RECEIVES:
                self.queues.dead[queue].append(body)
            elif message_id in failed:
                self.queues.waiting[queue].append((message_id, body, receives + 1))
        return True

    @contextmanager
    def api_request(self) -> Iterator[None]:
        """One request of the API, for those who do the API's work without its routes."""
        with self.meter.invocation("api_handler"):
            self.meter.count(API_REQUEST, "api")
            yield
