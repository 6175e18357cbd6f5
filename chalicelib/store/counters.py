"""Orders by channel and stage, kept as the relay sees them move, so that the console never counts.

A batch of a stream may be delivered again. It then begins with the same record, so the counters remember for each batch
start how many records were counted (`marks`) and count none twice. This holds while the stream does not bisect batches.

Every batch rewrites the item, so it is kept to one write unit: counts packed, a mark in eight bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.domain.errors import Busy, Stale
from chalicelib.store.codec import SCHEMA, pack, unpack
from chalicelib.store.tables import Item, Key, Put, Tables, When

_KEY = Key("channels", "COUNTERS", "STAGES")
_MARKS_KEPT = 80
_NAME_BYTES = 6
_MARK_BYTES = _NAME_BYTES + 2  # a digest of the first record's id, and how many records were counted from there
_ATTEMPTS = 5

Counts = dict[str, dict[str, int]]  # channel -> stage (and "on_hold") -> orders


class Moved(NamedTuple):
    """One record of the stream: its position, and what it adds to the counters as (channel, stage, +1 or -1)."""

    event_id: str
    sequence: int
    changes: tuple[tuple[str, str, int], ...]


def read_counts(tables: Tables) -> Counts:
    """Orders by channel and stage now."""
    item = tables.get(_KEY)
    return _counts_of(item)


def count(tables: Tables, records: Sequence[Moved]) -> None:
    """Add these records of one stream batch, each exactly once. Raises `Busy` when other batches keep winning."""
    for _ in range(_ATTEMPTS):
        item = tables.get(_KEY)
        marks = item["marks"] if item and "body" in item else b""
        name = hashlib.sha256(records[0].event_id.encode()).digest()[:_NAME_BYTES]
        fresh = records[_counted(marks, name) :]
        if not any(record.changes for record in fresh):
            return
        counts = _added(_counts_of(item), fresh)
        version = item["version"] if item else 0
        body = {"body": pack(counts), "marks": _marked(marks, name, len(records))}
        new = {"schema": SCHEMA, "version": version + 1, **body}
        try:
            tables.write(Put(_KEY, new, When(version=version) if item else When(absent=True)))
            return
        except Stale:
            continue
    raise Busy("the counters are contended", after_s=1)


def _counts_of(item: Item | None) -> Counts:
    if item is None:
        return {}
    counts: Counts = unpack(item["body"]) if "body" in item else item["counts"]  # as first written: unpacked
    return counts


def _each(marks: bytes) -> list[bytes]:
    return [marks[at : at + _MARK_BYTES] for at in range(0, len(marks), _MARK_BYTES)]


def _counted(marks: bytes, name: bytes) -> int:
    """How many records of the batch that begins with `name` have been counted."""
    return max((int.from_bytes(mark[_NAME_BYTES:]) for mark in _each(marks) if mark.startswith(name)), default=0)


def _marked(marks: bytes, name: bytes, records: int) -> bytes:
    """The marks with this one as the newest, the oldest dropped."""
    others = [mark for mark in _each(marks) if not mark.startswith(name)]
    return b"".join([*others, name + records.to_bytes(2)][-_MARKS_KEPT:])


def _added(counts: Counts, records: Sequence[Moved]) -> Counts:
    result = {channel: dict(stages) for channel, stages in counts.items()}
    for record in records:
        for channel, stage, change in record.changes:
            stages = result.setdefault(channel, {})
            stages[stage] = stages.get(stage, 0) + change
    return result
