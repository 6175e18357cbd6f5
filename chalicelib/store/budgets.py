"""Token buckets that all containers draw from: how many calls of one kind an account may still make.

CHANNEL#<owner> / BUDGET#<operation>   what is left, when it was counted, until when there is none whatever was counted,
                                       and how much of the day is used

Containers' clocks differ: whoever is behind takes what the one ahead has counted, and gives nothing back for the time
in between.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from chalicelib.domain.errors import Busy, OverBudget, Stale
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Item, Key, Put, Tables, When

_ATTEMPTS = 5
_DAY_MS = 86_400_000
_MILLI = 1000


class Bucket(NamedTuple):
    """What a channel allows of one operation. `day_starts_ms`: when its day begins, after midnight UTC."""

    rate_per_s: float
    burst: int
    per_day: int = 0
    day_starts_ms: int = 0


class Grant(NamedTuple):
    """Calls that may be made now, and the rate that the bucket is known to have (the channel may have told another)."""

    calls: int
    rate_per_s: float


def draw(tables: Tables, owner: str, operation: str, bucket: Bucket, wanted: int, now_ms: int) -> Grant:
    """Take up to `wanted` calls, one at least. Raises `OverBudget` when there is none, with the time until there is."""
    key = _key(owner, operation)
    for _ in range(_ATTEMPTS):
        item = tables.get(key)
        left = _refilled(item, bucket, now_ms)
        calls = min(wanted, left["tokens_milli"] // _MILLI, _left_today(left, bucket))
        calls = 0 if left["none_until_ms"] > now_ms else calls
        if calls < 1:
            raise OverBudget(f"{operation} is used up", after_s=_wait_s(left, bucket, now_ms))
        left["tokens_milli"] -= calls * _MILLI
        left["used"] += calls
        try:
            _write(tables, key, item, left)
        except Stale:
            continue
        return Grant(calls, left["rate_micro"] / 1e6)
    raise Busy(f"{operation}: too many workers draw from one budget", after_s=1)


def correct(tables: Tables, owner: str, operation: str, bucket: Bucket, rate_per_s: float, now_ms: int) -> None:
    """The channel allows another rate than its published one."""
    rate_micro = max(round(rate_per_s * 1e6), 1)
    _change(tables, owner, operation, bucket, now_ms, lambda left: left | {"rate_micro": rate_micro})


def drain(tables: Tables, owner: str, operation: str, bucket: Bucket, until_ms: int, now_ms: int) -> None:
    """The channel has refused a call: there is none until then, and then one. What was refused for longer stays so."""

    def drained(left: dict[str, int]) -> dict[str, int]:
        end_ms = max(until_ms, left["none_until_ms"])
        return left | {"tokens_milli": _MILLI, "counted_ms": end_ms, "none_until_ms": end_ms}

    _change(tables, owner, operation, bucket, now_ms, drained)


def _change(
    tables: Tables,
    owner: str,
    operation: str,
    bucket: Bucket,
    now_ms: int,
    change: Callable[[dict[str, int]], dict[str, int]],
) -> None:
    key = _key(owner, operation)
    for _ in range(_ATTEMPTS):
        item = tables.get(key)
        try:
            _write(tables, key, item, change(_refilled(item, bucket, now_ms)))
            return
        except Stale:
            continue


def _key(owner: str, operation: str) -> Key:
    return Key("channels", f"CHANNEL#{owner}", f"BUDGET#{operation}")


def _refilled(item: Item | None, bucket: Bucket, now_ms: int) -> dict[str, int]:
    """The bucket with what time has given back: nothing when it was counted at a time that lies ahead."""
    day = (now_ms - bucket.day_starts_ms) // _DAY_MS
    rate_micro, burst_milli = round(bucket.rate_per_s * 1e6), bucket.burst * _MILLI
    if item is None:
        counted = {"tokens_milli": burst_milli, "counted_ms": now_ms, "none_until_ms": 0}
        return {**counted, "rate_micro": rate_micro, "day": day, "used": 0}
    counted_ms, rate_micro = max(item["counted_ms"], now_ms), item["rate_micro"]
    regained_milli = (counted_ms - item["counted_ms"]) * rate_micro // 1_000_000
    return {
        "tokens_milli": min(burst_milli, item["tokens_milli"] + regained_milli),
        "counted_ms": counted_ms,
        "none_until_ms": item.get("none_until_ms", 0),
        "rate_micro": rate_micro,
        "day": max(item["day"], day),
        "used": item["used"] if item["day"] >= day else 0,
    }


def _left_today(left: dict[str, int], bucket: Bucket) -> int:
    return bucket.per_day - left["used"] if bucket.per_day else 1_000_000


def _wait_s(left: dict[str, int], bucket: Bucket, now_ms: int) -> int:
    if _left_today(left, bucket) < 1:
        ends_ms = (left["day"] + 1) * _DAY_MS + bucket.day_starts_ms
        return min(max(ceil((ends_ms - now_ms) / 1000), 1), 900)
    if left["none_until_ms"] > now_ms:
        return min(ceil((left["none_until_ms"] - now_ms) / 1000), 900)
    lacking_milli = _MILLI - left["tokens_milli"]
    return min(max(ceil(lacking_milli * 1000 / max(left["rate_micro"], 1)), 1), 900)


def _write(tables: Tables, key: Key, before: Item | None, after: dict[str, int]) -> None:
    version = before["version"] if before else 0
    when = When(version=version) if before else When(absent=True)
    tables.write(Put(key, {**after, "schema": SCHEMA, "version": version + 1}, when))
