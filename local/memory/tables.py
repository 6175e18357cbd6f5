"""The tables in memory: same promises as DynamoDB, a stream of committed changes, and a meter of billable units."""

from __future__ import annotations

import bisect
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from chalicelib.domain.errors import Stale
from chalicelib.store.tables import (
    MAX_KEYS,
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
from local.memory.meter import AWS_CALL, BASE_WRITE, FAILED, INDEX_WRITE, READ, TRANSACTION, Meter

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024
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


class MemoryTables:
    """`Tables` in a dict. Committed changes of streamed tables wait in `stream`, in commit order."""

    def __init__(self, meter: Meter | None = None) -> None:
        self.items: dict[Key, Item] = {}
        self._sizes: dict[Key, int] = {}
        self.meter = meter or Meter()
        self.watch: Callable[[Committed], None] = lambda change: None  # sees each change as it is committed
        self.stream: deque[Committed] = deque()
        self._sorted: dict[tuple[str, str, str], list[tuple[str, Key]]] = defaultdict(list)

    def get(self, key: Key) -> Item | None:
        self.meter.count(AWS_CALL, key.table)
        return self._read(key)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        wanted = list(dict.fromkeys(keys))
        self.meter.count(AWS_CALL, "several", ceil(len(wanted) / MAX_KEYS))
        return {key: item for key in wanted if (item := self._read(key)) is not None}

    def _read(self, key: Key) -> Item | None:
        """A strongly consistent read: each item is rounded up by itself, one that is missing costs a unit."""
        self.meter.count(READ, key.table, _units(self._sizes.get(key, 0), READ_UNIT_BYTES))
        return _copy(self.items.get(key))

    def load(self, items: Iterable[tuple[Key, Item]]) -> None:
        """Put many new items without metering or streaming them, as an import into the table does; sorts once."""
        touched = set()
        for key, item in items:
            self.items[key], self._sizes[key] = item, item_size(item)
            for index in ("", *INDEXES.get(key.table, ())):
                if entry := _index_entry(key, item, index):
                    self._sorted[key.table, index, entry[0]].append((entry[1], key))
                    touched.add((key.table, index, entry[0]))
        for partition in touched:
            self._sorted[partition].sort()

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
        units = _units(size, READ_UNIT_BYTES)  # a query rounds the sum, not each item
        self.meter.count(READ, f"{table}/{index}" if index else table, units * (0.5 if index else 1))
        self.meter.count(AWS_CALL, table)
        if len(projected) == len(span):
            return Page(projected)
        sort_key, key = entries[span[len(projected) - 1]]
        return Page(projected, "\n".join((sort_key, *key)))

    def write(self, *writes: Write) -> None:
        is_transaction = len(checked(writes)) > 1
        self.meter.count(AWS_CALL, writes[0].key.table)
        for write in writes:
            if not _holds(self.items.get(write.key), write.when):
                self._meter_failure(writes, factor=2 if is_transaction else 1)
                raise Stale(f"condition failed on {write.key}")
        results = [(write.key, self._result(write)) for write in writes]
        for key, new in results:
            self._apply(key, new, is_transaction)

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

    def _apply(self, key: Key, new: Item | None, is_transaction: bool) -> None:
        old = self.items.get(key)
        size = item_size(new) if new else 0
        units = _units(max(size, self._sizes.get(key, 0)), WRITE_UNIT_BYTES)
        self.meter.count(BASE_WRITE, key.table, units)
        if is_transaction:
            self.meter.count(TRANSACTION, key.table, units)
        if new == old:
            return
        self._reindex(key, old, new)
        if new is None:
            self.items.pop(key, None)
            self._sizes.pop(key, None)
        else:
            self.items[key], self._sizes[key] = new, size
        if key.table in STREAMED:
            change = Committed(key.table, key.pk, key.sk, old, _copy(new))
            self.stream.append(change)
            self.watch(change)

    def _meter_failure(self, writes: Iterable[Write], factor: int) -> None:
        """A write whose condition fails is billed for the item that stood in its way, a transaction for all of them."""
        for write in writes:
            units = _units(self._sizes.get(write.key, 0), WRITE_UNIT_BYTES)
            self.meter.count(FAILED, write.key.table, units * factor)

    def _reindex(self, key: Key, old: Item | None, new: Item | None) -> None:
        for index in ("", *INDEXES.get(key.table, ())):
            was, now = _index_entry(key, old, index), _index_entry(key, new, index)
            if was != now:
                if was:
                    entries = self._sorted[key.table, index, was[0]]
                    del entries[bisect.bisect_left(entries, (was[1], key))]
                if now:
                    bisect.insort(self._sorted[key.table, index, now[0]], (now[1], key))
            if index and (units := _index_units(index, old if was else None, new if now else None, moves=was != now)):
                self.meter.count(INDEX_WRITE, f"{key.table}/{index}", units)


def _units(size_bytes: int, unit_bytes: int) -> int:
    return max(ceil(size_bytes / unit_bytes), 1)


def _index_units(index: str, old: Item | None, new: Item | None, *, moves: bool) -> int:
    """Write units of one index for one change of its table's item (None: not in the index), by the projected size.

    A moved entry is a delete and a put, one whose other projected attributes change a single write. An index follows
    its table by itself, outside any transaction, so nothing doubles. Source: DynamoDB developer guide, global secondary
    indexes, write capacity.
    """
    was, now = (_projected(item, index) if item else None for item in (old, new))
    if was == now:
        return 0
    sizes = [item_size(item) for item in (was, now) if item]
    return sum(_units(size, WRITE_UNIT_BYTES) for size in (sizes if moves else [max(sizes)]))


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
