"""What both stores check before a write, and which transactions may be taken for a repeat of themselves."""

from __future__ import annotations

import pytest

from chalicelib.store.tables import (
    MAX_ITEM_BYTES,
    MAX_WRITE_BYTES,
    Change,
    Delete,
    Key,
    Put,
    When,
    Write,
    applies_once,
    checked,
    item_size,
)

KEY = Key("orders", "a", "STATE")
OTHER = Put(Key("stock", "MUG", "LOC#main"), {"available": 1})


def test_sizes_are_counted_as_dynamodb_counts_them() -> None:
    assert item_size({"pk": "ab", "sk": "c", "n": 12345, "b": b"1234"}) == 4 + 3 + (1 + 4) + 5
    assert item_size({"m": {"pk": "ö"}, "l": [True, None]}) == 1 + (3 + 1 + 2 + 2) + 1 + (3 + 2 + 1 + 1)


def test_an_item_may_have_400_kilobytes_with_its_key_and_its_names() -> None:
    room = MAX_ITEM_BYTES - item_size({"pk": "a", "sk": "STATE", "body": b""})
    checked([Put(KEY, {"body": b"x" * room})])
    with pytest.raises(AssertionError, match="an item of 409601 bytes"):
        checked([Put(KEY, {"body": b"x" * (room + 1)})])


def test_a_transaction_may_have_4_megabytes() -> None:
    key_bytes = item_size({"pk": "0", "sk": "S", "b": b""})
    each = MAX_WRITE_BYTES // 16
    writes = [Put(Key("orders", "0123456789abcdef"[n], "S"), {"b": b"x" * (each - key_bytes)}) for n in range(16)]
    checked(writes)
    with pytest.raises(AssertionError, match="bytes"):
        checked([*writes, OTHER])


@pytest.mark.parametrize(
    "guard",
    [
        Put(KEY, {"version": 1}, When(absent=True)),
        Put(KEY, {"version": 2}, When(version=1)),
        Change(KEY, add={"version": 1}, when=When(version=1)),
        Change(KEY, put={"version": 7}, when=When(version=1)),
        Change(KEY, add={"n": 1}, when=When(absent=True)),
    ],
)
def test_a_transaction_that_creates_or_moves_what_it_asks_for_applies_once(guard: Write) -> None:
    assert applies_once([OTHER, guard])


@pytest.mark.parametrize(
    "write",
    [
        Put(KEY, {"version": 1}),
        Put(KEY, {"version": 1}, When(version=1)),
        Put(KEY, {"available": 5}, When(at_least=(("available", 5),))),
        Change(KEY, add={"version": 1}),
        Change(KEY, add={"available": -1}, when=When(at_least=(("available", 1),))),
        Change(KEY, put={"version": 1}, when=When(version=1)),
        Change(KEY, put={"n": 1}, when=When(version=1)),
        Delete(KEY),
        Delete(KEY, When(version=1)),
    ],
)
def test_a_transaction_that_could_be_meant_twice_is_no_repeat_of_itself(write: Write) -> None:
    assert not applies_once([OTHER, write])
