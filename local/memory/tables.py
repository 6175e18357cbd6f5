"""The tables in memory: same promises as DynamoDB, a stream of committed changes, and a meter of billable units."""

from __future__ import annotations

import bisect
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from chalicelib.domain.errors import Stale
from chalicelib.store.tables import (
    Change,
    Delete,
    Item,
    Key,
    Page,
    Put,
    When,
    Write,
    assert_one_bound,
    checked,
    checked_size,
    item_size,
)

INDEXES = {"orders": ("open", "placed")}
STREAMED = ("orders", "stock")
PAGE_BYTES = 1024 * 1024  # Source: Query, a page ends at 1 MB


@dataclass(frozen=True)
class Committed:
    """One record of a stream: the item before and after, None where it did not exist."""

    table: str
    pk: str
    sk: str
    old: Item | None
    new: Item | None


@dataclass
class Meter:
    """Billable units as DynamoDB counts them: 1 KB a write unit, 4 KB a read unit, transactions double."""

    write_units: int = 0
    read_units: float = 0
    by_table: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def wrote(self, table: str, units: int) -> None:
        self.write_units += units
        self.by_table[table] += units


class MemoryTables:
    """`Tables` in a dict. Committed changes of streamed tables wait in `stream`, in commit order."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self._sizes: dict[Key, int] = {}
        self.meter = Meter()
        self.stream: deque[Committed] = deque()
        self._sorted: dict[tuple[str, str, str], list[tuple[str, Key]]] = defaultdict(list)

    def get(self, key: Key) -> Item | None:
        self.meter.read_units += max(ceil(self._sizes.get(key, 0) / 4096), 1)
        return _copy(self.items.get(key))

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        found = {}
        for key in dict.fromkeys(keys):
            item = self.get(key)
            if item is not None:
                found[key] = item
        return found

    def query(
        self,
        table: str,
        pk: str,
        *,
        index: str = "",
        begins: str = "",
        after: str = "",
        upto: str = "",
        limit: int = 100,
        cursor: str = "",
        newest_first: bool = False,
    ) -> Page:
        assert_one_bound(begins, after, upto)
        entries = self._sorted[table, index, pk]
        low = bisect.bisect_left(entries, (begins,)) if begins else 0
        high = len(entries)
        if begins:
            high = bisect.bisect_left(entries, (begins + "\U0010ffff",))
        elif after:
            low = bisect.bisect_left(entries, (after + "\0",))
        elif upto:
            high = bisect.bisect_left(entries, (upto + "\0",))
        if cursor:
            at = (cursor.split("\n")[0], Key(*cursor.split("\n")[1:]))
            if newest_first:
                high = min(high, bisect.bisect_left(entries, at))
            else:
                low = max(low, bisect.bisect_right(entries, at))
        span = range(high - 1, low - 1, -1) if newest_first else range(low, high)
        projected: list[Item] = []
        size = 0
        for position in span[:limit]:
            projected.append(_projected(_copy(self.items[entries[position][1]]), index))
            size += item_size(projected[-1])
            if size > PAGE_BYTES:
                break
        self.meter.read_units += max(ceil(size / 4096), 1) * (0.5 if index else 1)
        if len(projected) == len(span):
            return Page(projected)
        sort_key, key = entries[span[len(projected) - 1]]
        return Page(projected, "\n".join((sort_key, *key)))

    def write(self, *writes: Write) -> None:
        for write in checked(writes):
            if not _holds(self.items.get(write.key), write.when):
                self._meter_failure(writes)
                raise Stale(f"condition failed on {write.key}")
        results = [(write.key, self._result(write)) for write in writes]
        for key, new in results:
            self._apply(key, new, factor=2 if len(writes) > 1 else 1)

    def _result(self, write: Write) -> Item | None:
        """The item after the write, if DynamoDB would keep it."""
        new = _after(write, self.items.get(write.key))
        if new is not None:
            checked_size(write.key, new)
            for index in INDEXES.get(write.key.table, ()):
                for part in (f"{index}_pk", f"{index}_sk"):
                    assert isinstance(new.get(part, "absent"), str), f"no text: {part}"
                    assert new.get(part) != "", f"an index key is never empty: {part}"
        return new

    def _apply(self, key: Key, new: Item | None, factor: int) -> None:
        old = self.items.get(key)
        size = item_size(new) if new else 0
        self.meter.wrote(key.table, max(ceil(max(size, self._sizes.get(key, 0)) / 1024), 1) * factor)
        if new == old:
            return
        self._reindex(key, old, new)
        if new is None:
            self.items.pop(key, None)
            self._sizes.pop(key, None)
        else:
            self.items[key], self._sizes[key] = new, size
        if key.table in STREAMED:
            self.stream.append(Committed(key.table, key.pk, key.sk, old, _copy(new)))

    def _meter_failure(self, writes: Iterable[Write]) -> None:
        for write in writes:
            self.meter.wrote(write.key.table, max(ceil(self._sizes.get(write.key, 0) / 1024), 1) * 2)

    def _reindex(self, key: Key, old: Item | None, new: Item | None) -> None:
        for index in ("", *INDEXES.get(key.table, ())):
            was, now = _index_entry(key, old, index), _index_entry(key, new, index)
            if was != now:
                if was:
                    entries = self._sorted[key.table, index, was[0]]
                    del entries[bisect.bisect_left(entries, (was[1], key))]
                if now:
                    bisect.insort(self._sorted[key.table, index, now[0]], (now[1], key))
            changed = was != now or _projected(old or {}, index) != _projected(new or {}, index)
            if index and changed:  # moving an index entry is a delete and a put
                self.meter.wrote(key.table, (1 if was else 0) + (1 if now and was != now else 0))


def _copy(value: Any) -> Any:
    """A copy that shares nothing that can change."""
    if isinstance(value, dict):
        return {name: _copy(inner) if isinstance(inner, dict | list) else inner for name, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _index_entry(key: Key, item: Item | None, index: str) -> tuple[str, str] | None:
    if item is None:
        return None
    if not index:
        return key.pk, key.sk
    pk, sk = item.get(f"{index}_pk"), item.get(f"{index}_sk")
    return (pk, sk) if pk and sk else None


def _projected(item: Item, index: str) -> Item:
    if not index:
        return item
    kept = {"pk", "sk", f"{index}_pk", f"{index}_sk", *(("since",) if index == "open" else ())}
    return {name: value for name, value in item.items() if name in kept}


def _holds(item: Item | None, when: When) -> bool:
    if when.absent and item is not None:
        return False
    if when.version is not None and (item is None or item.get("version") != when.version):
        return False
    return all(item is not None and name in item and item[name] >= least for name, least in when.at_least)


def _after(write: Write, old: Item | None) -> Item | None:
    if isinstance(write, Delete):
        return None
    if isinstance(write, Put):
        return {**_copy(write.item), "pk": write.key.pk, "sk": write.key.sk}
    assert isinstance(write, Change)
    new = dict(old or {"pk": write.key.pk, "sk": write.key.sk})
    for name, amount in write.add.items():
        new[name] = new.get(name, 0) + amount
    return {**new, **_copy(write.put)}
