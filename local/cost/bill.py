"""From metered units to US dollars: which price each kind of unit has, and what an invocation's time comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from local.memory import meter as kinds
from local.memory.meter import OUTSIDE, Meter, Spent
from local.prices import USD
from tools.functions import FUNCTIONS

PRICED_AS: Mapping[str, str] = MappingProxyType(
    {
        kinds.BASE_WRITE: "write unit",
        kinds.INDEX_WRITE: "write unit",
        kinds.TRANSACTION: "write unit",
        kinds.FAILED: "write unit",
        kinds.READ: "read unit",
        kinds.STREAM_READ: "stream read",
        kinds.SEND: "SQS request",
        kinds.RECEIVE: "SQS request",
        kinds.DELETE: "SQS request",
        kinds.INVOCATION: "Lambda request",
        kinds.API_REQUEST: "API request",
        kinds.BODY_PUT: "S3 put",
        kinds.BODY_GET: "S3 get",
        kinds.LOG_BYTES: "log byte",
        kinds.BYTES_OUT: "byte out",
    }
)

MEMORY_MB = MappingProxyType({function.name: function.memory_mb for function in FUNCTIONS})

# A function gets processor time in proportion to its memory. Source: Lambda developer guide, configuring memory.
FULL_PROCESSOR_MB = 1769
# What a call costs beside our own work. Processor time: botocore signs, sends and parses (about 1 ms on one processor).
# Latency: single-digit milliseconds to DynamoDB, SQS and S3 inside a region; a marketplace answers over the internet.
AWS_CALL_CPU_MS = 1.0
AWS_CALL_WAIT_MS = 5.0
CHANNEL_CALL_CPU_MS = 1.0
CHANNEL_CALL_WAIT_MS = 150.0


def gb_seconds(meter: Meter) -> dict[str, float]:
    """Billed GB-seconds by function: processor time measured here, stretched to its share of a processor, and the
    allowance for each call it made."""
    cpu_ms, wait_ms = Counter[str](), Counter[str]()
    for (function, kind, _), units in meter.units.items():
        cpu_each, wait_each = {
            kinds.CPU_MS: (1.0, 0.0),
            kinds.AWS_CALL: (AWS_CALL_CPU_MS, AWS_CALL_WAIT_MS),
            kinds.CHANNEL_CALL: (CHANNEL_CALL_CPU_MS, CHANNEL_CALL_WAIT_MS),
        }.get(kind, (0.0, 0.0))
        cpu_ms[function] += units * cpu_each  # type: ignore[assignment]
        wait_ms[function] += units * wait_each  # type: ignore[assignment]
    return {name: _gb_seconds(mb, cpu_ms[name], wait_ms[name]) for name, mb in MEMORY_MB.items() if cpu_ms[name]}


def waited_ms(meter: Meter, function: str) -> float:
    """How long a function has waited in all for the calls that it made."""
    waits = {kinds.AWS_CALL: AWS_CALL_WAIT_MS, kinds.CHANNEL_CALL: CHANNEL_CALL_WAIT_MS}
    return sum(
        n * waits[spent.kind] for spent, n in meter.units.items() if spent.function == function and spent.kind in waits
    )


def _gb_seconds(memory_mb: int, cpu_ms: float, wait_ms: float) -> float:
    stretch = max(FULL_PROCESSOR_MB / memory_mb, 1)
    return (cpu_ms * stretch + wait_ms) / 1000 * memory_mb / 1024


def billed(meter: Meter) -> dict[Spent, tuple[float, float]]:
    """Units and US dollars by function, priced kind and table or queue; nothing that is spent `outside`."""
    lines: dict[Spent, tuple[float, float]] = {}
    for spent, units in meter.units.items():
        if spent.function != OUTSIDE and spent.kind in PRICED_AS:
            lines[spent] = units, units * USD[PRICED_AS[spent.kind]]
    for function, used in gb_seconds(meter).items():
        lines[Spent(function, "GB-second", function)] = used, used * USD["Lambda GB-second"]
    return lines


def usd_of(lines: Iterable[tuple[float, float]]) -> float:
    """The dollars of some lines of a bill."""
    return sum(usd for _, usd in lines)


def per_million(meter: Meter, orders: int) -> dict[str, float]:
    """The units of a run in all, and what a million such orders would cost."""
    usd = usd_of(billed(meter).values()) / max(orders, 1) * 1_000_000
    units = {
        "write_units": meter.write_units,
        "read_units": meter.read_units,
        "sqs_requests": meter.total(kinds.SEND, kinds.RECEIVE, kinds.DELETE),
        "lambda_invocations": meter.total(kinds.INVOCATION),
        "gb_seconds": sum(gb_seconds(meter).values()),
        "api_requests": meter.total(kinds.API_REQUEST),
    }
    return {name: round(value, 1) for name, value in units.items()} | {"usd_per_million_orders": round(usd, 2)}
