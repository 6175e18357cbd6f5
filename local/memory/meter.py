"""The meter: every billable unit, by the function that spent it, its kind, and the table or queue it was spent on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

BASE_WRITE = "base write"
INDEX_WRITE = "index write"
TRANSACTION = "transaction surcharge"
FAILED = "failed condition"
READ = "read"
STREAM_READ = "stream read"
SEND = "send"
RECEIVE = "receive"
DELETE = "delete"
INVOCATION = "invocation"
CPU_MS = "cpu ms"
AWS_CALL = "aws call"
CHANNEL_CALL = "channel call"
API_REQUEST = "api request"
BODY_PUT = "body put"
BODY_GET = "body get"
LOG_BYTES = "log bytes"
BYTES_OUT = "bytes out"

WRITES = (BASE_WRITE, INDEX_WRITE, TRANSACTION, FAILED)
OUTSIDE = "outside"  # spends what no function of ours does: seeding, and another's queue that ours listens to

LOG_BYTES_AN_INVOCATION = 0  # START, END and REPORT are switched off (tools/template.py)


class Spent(NamedTuple):
    """What units are filed under."""

    function: str
    kind: str
    on: str


@dataclass
class Meter:
    """Units of DynamoDB, SQS, Lambda, S3, API Gateway and logs, each counted as AWS counts it; no prices here."""

    units: Counter[Spent] = field(default_factory=Counter)
    spender: str = OUTSIDE

    def count(self, kind: str, on: str, units: float = 1) -> None:
        """Add units that the present spender used."""
        self.units[Spent(self.spender, kind, on)] += units  # type: ignore[assignment]  # read units come in halves

    @contextmanager
    def invocation(self, function: str) -> Iterator[None]:
        """One run of a Lambda: everything spent within is its own, and so is the processor time of this process."""
        before, self.spender = self.spender, function
        started_ns = time.process_time_ns()
        try:
            yield
        finally:
            self.count(CPU_MS, function, (time.process_time_ns() - started_ns) / 1e6)
            self.count(INVOCATION, function)
            self.count(LOG_BYTES, function, LOG_BYTES_AN_INVOCATION)
            self.spender = before

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Processor time in here is another machine's: a marketplace that runs in this process."""
        started_ns = time.process_time_ns()
        try:
            yield
        finally:
            self.count(CPU_MS, self.spender, -(time.process_time_ns() - started_ns) / 1e6)

    def total(self, *kinds: str) -> float:
        """Units of these kinds, over all functions."""
        return sum(units for spent, units in self.units.items() if spent.kind in kinds)

    @property
    def write_units(self) -> float:
        """All write units of all tables."""
        return self.total(*WRITES)

    @property
    def read_units(self) -> float:
        """All read units of all tables; streams apart."""
        return self.total(READ)
