"""Orders by channel and stage, kept as the relay sees them move, so that the console never counts.

A batch of a stream may be delivered again. It then begins with the same record, so the counters remember for each batch
start how far it was counted (`marks`) and count no record twice. This holds while the stream does not bisect batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.domain.errors import Busy, Stale
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Key, Put, Tables, When

_KEY = Key("channels", "COUNTERS", "STAGES")
_MARKS_KEPT = 100
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
    return item["counts"] if item else {}


def count(tables: Tables, records: Sequence[Moved]) -> None:
    """Add these records of one stream batch, each exactly once. Raises `Busy` when other batches keep winning."""
    for _ in range(_ATTEMPTS):
        item = tables.get(_KEY)
        marks: dict[str, str] = dict(item["marks"]) if item else {}  # oldest first: kept as a list of pairs
        begun = int(marks.get(records[0].event_id, -1))
        fresh = [record for record in records if record.sequence > begun]
        if not any(record.changes for record in fresh):
            return
        marks[records[0].event_id] = str(records[-1].sequence)  # up to 40 digits: more than a number attribute holds
        counts = _added(item["counts"] if item else {}, fresh)
        version = item["version"] if item else 0
        kept = [list(mark) for mark in marks.items()][-_MARKS_KEPT:]
        new = {"schema": SCHEMA, "version": version + 1, "counts": counts, "marks": kept}
        try:
            tables.write(Put(_KEY, new, When(version=version) if item else When(absent=True)))
            return
        except Stale:
            continue
    raise Busy("the counters are contended", after_s=1)


def _added(counts: Counts, records: Sequence[Moved]) -> Counts:
    result = {channel: dict(stages) for channel, stages in counts.items()}
    for record in records:
        for channel, stage, change in record.changes:
            stages = result.setdefault(channel, {})
            stages[stage] = stages.get(stage, 0) + change
    return result
