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
        (exclusive), or everything up to `upto` (inclusive)."""

    def write(self, *writes: Write) -> None:
        """All or nothing, at most `MAX_ACTIONS`, no item twice. Raises `Stale` when a condition fails."""
