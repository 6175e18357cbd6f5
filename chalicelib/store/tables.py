"""The port to the tables: few operations, each all or nothing, held to one conformance suite by every implementation.

An item is a flat dict of str, int, bytes, bool, None, list and dict; its `pk` and `sk` are strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Item = dict[str, Any]

MAX_ACTIONS = 100  # Source: TransactWriteItems, at most 100 actions and no item twice
MAX_KEYS = 100  # Source: BatchGetItem
MAX_ITEM_BYTES = 400 * 1024  # Source: DynamoDB quotas, with attribute names
MAX_WRITE_BYTES = 4 * 1024 * 1024  # Source: TransactWriteItems, all items together
MAX_PK_BYTES, MAX_SK_BYTES = 2048, 1024  # Source: DynamoDB quotas; a key is never empty
MAX_DIGITS = 38  # Source: DynamoDB number type


class Key(NamedTuple):
    """`table` is the short name: orders, stock, listings, ledger, contacts, channels."""

    table: str
    pk: str
    sk: str


@dataclass(frozen=True)
class When:
    """A condition on the item as it is before the write; all parts must hold.

    absent: the item does not exist · version: its `version` equals · at_least: each named attribute is >= the number.
    """

    absent: bool = False
    version: int | None = None
    at_least: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Put:
    """Write the whole item."""

    key: Key
    item: Item
    when: When = When()


@dataclass(frozen=True)
class Change:
    """Add to numbers and set attributes of an item; it comes into being when absent and nothing forbids it."""

    key: Key
    add: dict[str, int] = field(default_factory=dict)
    put: Item = field(default_factory=dict)
    when: When = When()


@dataclass(frozen=True)
class Delete:
    """Remove the item if it is there."""

    key: Key
    when: When = When()


Write = Put | Change | Delete


@dataclass(frozen=True)
class Page:
    """One page of a query; `cursor` continues it and is "" on the last page."""

    items: list[Item]
    cursor: str = ""


class Tables(Protocol):
    """Reads are strongly consistent except through an index. `Busy` = throttled or unreachable; `Stale` = see write."""

    def get(self, key: Key) -> Item | None:
        """The item, or None."""

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Those of any number of items that exist."""

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
        """Items of one partition in sort-key order. One bound at most: a prefix (`begins`), everything beyond `after`
        (exclusive), or everything up to `upto` (inclusive). A page that ends with the last item may have a cursor all
        the same; the page after it is empty."""

    def write(self, *writes: Write) -> None:
        """All or nothing, within the limits of `checked`. Raises `Stale` when a condition fails.

        An answer may be lost and the request sent again. A transaction then succeeds if it had been applied. A single
        write under a condition may be `Stale` although it was applied by ourselves: read again and decide again. A
        single `Change` that adds without a condition may add twice: use it for nothing that must be counted.
        """


def assert_one_bound(*bounds: str) -> None:
    """DynamoDB takes one condition on the sort key."""
    assert sum(map(bool, bounds)) <= 1, "a query has one bound at most"


def checked(writes: Sequence[Write]) -> Sequence[Write]:
    """The writes, if DynamoDB would take them; what it refuses is a bug of ours and fails before anything is sent."""
    assert 0 < len(writes) <= MAX_ACTIONS, f"{len(writes)} actions in one transaction"
    assert len({write.key for write in writes}) == len(writes), "a transaction touches an item twice"
    sizes = [_checked_size(write) for write in writes]
    assert sum(sizes) <= MAX_WRITE_BYTES, f"a transaction of {sum(sizes)} bytes"
    return writes


def _checked_size(write: Write) -> int:
    pk_bytes, sk_bytes = len(write.key.pk.encode()), len(write.key.sk.encode())
    assert 0 < pk_bytes <= MAX_PK_BYTES, f"a partition key of {pk_bytes} bytes"
    assert 0 < sk_bytes <= MAX_SK_BYTES, f"a sort key of {sk_bytes} bytes"
    if isinstance(write, Delete):
        return 0
    if isinstance(write, Change):
        assert write.add or write.put, f"a change of nothing: {write.key}"
        twice = write.add.keys() & write.put.keys() | (write.add.keys() | write.put.keys()) & {"pk", "sk"}
        assert not twice, f"set or added to twice: {sorted(twice)}"
    return checked_size(write.key, write.item if isinstance(write, Put) else {**write.add, **write.put})


def checked_size(key: Key, item: Item) -> int:
    """Bytes of the item with its key, unless they are more than an item may have."""
    size = item_size({**item, "pk": key.pk, "sk": key.sk})
    assert size <= MAX_ITEM_BYTES, f"an item of {size} bytes: {key}"
    return size


def item_size(item: Item) -> int:
    """Bytes as DynamoDB counts them. Source: DynamoDB developer guide, item sizes and formats."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    if isinstance(value, dict):
        return 3 + len(value) + item_size(value)
    if isinstance(value, list):
        return 3 + len(value) + sum(map(_value_size, value))
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        digits = len(str(abs(value)))
        assert digits <= MAX_DIGITS, f"a number of {digits} digits"
        return digits // 2 + 2
    assert isinstance(value, str | bytes), f"not a kind of value that is stored: {type(value).__name__}"
    return len(value.encode()) if isinstance(value, str) else len(value)


def applies_once(writes: Sequence[Write]) -> bool:
    """Whether these writes, once applied, forbid themselves: one creates its item, or moves the version it asks for.

    Two such transactions with the same bytes are one intent, however far apart they are sent. Two others with the same
    bytes are two: "set A", "set B", "set A" must not lose the last.
    """
    return any(_forbids_itself(write) for write in writes)


def _forbids_itself(write: Write) -> bool:
    if isinstance(write, Delete):
        return False
    if write.when.version is None:
        return write.when.absent
    if isinstance(write, Put):
        return bool(write.item.get("version") != write.when.version)
    return bool(write.add.get("version") or write.put.get("version", write.when.version) != write.when.version)
