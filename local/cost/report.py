"""The bill of a run in words and as JSON: units an order, dollars for a million orders, by function and by kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from local.cost.bill import billed, gb_seconds, per_million
from local.memory import meter as kinds
from local.memory.meter import Meter

_MILLION = 1_000_000
PARTS = {
    **dict.fromkeys(kinds.WRITES, "DynamoDB writes"),
    kinds.READ: "DynamoDB reads",
    kinds.STREAM_READ: "stream reads",
    **dict.fromkeys((kinds.SEND, kinds.RECEIVE, kinds.DELETE), "SQS requests"),
    kinds.INVOCATION: "Lambda",
    "GB-second": "Lambda",
    kinds.API_REQUEST: "API requests",
    **dict.fromkeys((kinds.BODY_PUT, kinds.BODY_GET), "S3 requests"),
    kinds.LOG_BYTES: "logs",
    kinds.BYTES_OUT: "data out",
}
"""Kind of unit -> the part of the bill it belongs to."""

REASONS = {
    "DynamoDB writes": "each move of an order is a durable write under a condition, and moves its place among the open "
    "orders; every line's stock is written when promised and when shipped, doubled since the order moves with it",
    "DynamoDB reads": "each handler reads the present state, strongly consistent, before it decides",
    "SQS requests": "a send, a receive and a delete for each ten messages at most, fewer when few arrive at once",
    "Lambda": "time is mostly waiting for a marketplace's answer, one call for each change that it is told",
    "API requests": "each webhook, order and parcel is one request of somebody else's; REST API, list price",
    "logs": "three lines of Lambda's own for each invocation",
}
"""Part -> why it cannot be much smaller while the promises hold."""


def summary(meter: Meter, orders: int, lines: int) -> dict[str, Any]:
    """The JSON of a run."""
    units = per_million(meter, orders)
    usd = units.pop("usd_per_million_orders")
    return {
        "usd_per_million_orders": usd,
        "usd_per_million_lines": round(usd * orders / max(lines, 1), 2),
        "orders": orders,
        "lines": lines,
        **{f"{name}_per_order": round(value / max(orders, 1), 3) for name, value in units.items()},
        "write_units_per_line": round(meter.write_units / max(lines, 1), 3),
        "usd_by_function": _rounded(_sums(meter, orders, lambda function, kind: function)),
        "usd_by_part": _rounded(_sums(meter, orders, lambda function, kind: PARTS[kind])),
        "largest": largest(meter, orders),
    }


def largest(meter: Meter, orders: int, count: int = 3) -> list[dict[str, Any]]:
    """The parts that cost most, with what is spent where, and why they are not smaller."""
    by_part = _sums(meter, orders, lambda function, kind: PARTS[kind])
    found = []
    for part in list(by_part)[:count]:
        own = _sums(meter, orders, lambda function, kind: function, only=part)
        found.append(
            {
                "part": part,
                "usd": round(by_part[part], 2),
                "mostly": dict(list(_rounded(own).items())[:4]),
                "reason": REASONS.get(part, ""),
            }
        )
    return found


def _sums(meter: Meter, orders: int, name_of: Any, only: str = "") -> dict[str, float]:
    """US dollars for a million orders, largest first."""
    sums: dict[str, float] = defaultdict(float)
    for spent, (_, usd) in billed(meter).items():
        if only in ("", PARTS[spent.kind]):
            sums[name_of(spent.function, spent.kind)] += usd / max(orders, 1) * _MILLION
    return dict(sorted(sums.items(), key=lambda entry: -entry[1]))


def _rounded(sums: Mapping[str, float]) -> dict[str, float]:
    return {name: round(usd, 2) for name, usd in sums.items()}


def table(meter: Meter, orders: int) -> str:
    """Units an order and dollars for a million orders, a row for each function, then a row for each kind of write."""
    columns = ("write units", "read units", "SQS", "invocations", "GB-s", "USD/M")
    rows = [f"{'':22}" + "".join(f"{name:>13}" for name in columns)]
    usd, seconds = _sums(meter, orders, lambda function, kind: function), gb_seconds(meter)
    for function in usd:
        own = Meter(Counter({s: n for s, n in meter.units.items() if s.function == function}))
        figures = (
            own.write_units / orders,
            own.read_units / orders,
            own.total(kinds.SEND, kinds.RECEIVE, kinds.DELETE) / orders,
            own.total(kinds.INVOCATION) / orders,
            seconds.get(function, 0) / orders,
            usd[function],
        )
        rows.append(f"{function:22}" + "".join(f"{figure:13.3f}" for figure in figures))
    rows.append("")
    by_kind: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for spent, (units, cost) in billed(meter).items():
        on = spent.on if spent.kind in (*kinds.WRITES, kinds.READ) else ""
        by_kind[spent.kind, on][0] += units / orders
        by_kind[spent.kind, on][1] += cost / orders * _MILLION
    for (kind, on), (units, cost) in sorted(by_kind.items(), key=lambda entry: -entry[1][1]):
        rows.append(f"{kind:24}{on:20}{units:13.3f} an order {cost:9.2f} USD/M")
    return "\n".join(rows)
