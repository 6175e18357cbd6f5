"""The composition root: builds the ports from the environment, once a container. The only maker of boto3 clients."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.runtime.bodies import Bodies, S3Bodies
from chalicelib.runtime.queues import Queues, SqsQueues
from chalicelib.runtime.secrets import Secrets, SsmSecrets
from chalicelib.store.tables import Tables

if TYPE_CHECKING:
    from chalicelib.channels.transport import Transport

T = TypeVar("T")
SETTLED_S = 60  # so long may a container go by a setting that has changed


@dataclass(frozen=True)
class Runtime:
    """Everything a handler may touch. `clock` gives Unix milliseconds; `transport` speaks HTTP to channels."""

    tables: Tables
    queues: Queues
    bodies: Bodies
    secrets: Secrets
    clock: Callable[[], int]
    transport: Callable[[], Transport]
    leases: dict[str, tuple[int, int, float]] = field(default_factory=dict)  # of rate budgets: calls, until (ms), rate
    _kept: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def settled(self, name: str, read: Callable[[], T]) -> T:
        """A setting, read anew once a minute: people change these, orders do not."""
        read_ms, value = self._kept.get(name, (0, None))
        if not 0 <= self.clock() - read_ms < SETTLED_S * 1000:
            value = read()
            if value:  # what is not there yet may be there the next moment
                self._kept[name] = self.clock(), value
        kept: T = value
        return kept

    def unsettle(self, name: str) -> None:
        """Read it anew next time."""
        self._kept.pop(name, None)


def clock_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@cache
def runtime() -> Runtime:
    """The ports of this container. Clients are made on first use, so that a cold start pays only for what it needs."""
    from chalicelib.store.dynamo import DynamoTables

    stage = os.environ["HEADRACE_STAGE"]
    return Runtime(
        tables=_lazy(lambda: DynamoTables(_client("dynamodb"), f"headrace-{stage}-")),
        queues=_lazy(lambda: SqsQueues(_client("sqs"), os.environ["HEADRACE_QUEUE_URL"])),
        bodies=_lazy(lambda: S3Bodies(_client("s3"), os.environ["HEADRACE_BODIES_BUCKET"])),
        secrets=_lazy(lambda: SsmSecrets(_client("ssm"), stage, clock_ms)),
        clock=clock_ms,
        transport=_transport,
    )


@cache
def _transport() -> Transport:
    from chalicelib.channels.transport import urllib3_transport

    return urllib3_transport()


@cache
def _session() -> Any:
    import boto3

    return boto3.session.Session()


@cache
def _client(service: str) -> Any:
    from botocore.config import Config

    # DynamoTables tries again by itself, with the same token; retries within retries would outlast the Lambda.
    attempts = 1 if service == "dynamodb" else 3
    config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": attempts})
    return _session().client(service, config=config)


class _Lazy:
    """Stands for a port until its first use."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = cache(make)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)


def _lazy(make: Callable[[], Any]) -> Any:
    return _Lazy(make)
