"""What every implementation of the tables must hold. A module that defines the fixture `tables` takes it in whole:

from tests.tables_suite import *
"""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import Stale
from chalicelib.store.tables import MAX_ITEM_BYTES, Change, Delete, Item, Key, Put, Tables, When, Write

KEY = Key("orders", "a", "STATE")
MUG = Key("stock", "MUG", "LOC#main")


def numbered(count: int, stem: str = "o") -> list[Key]:
    return [Key("orders", f"{stem}{n:03d}", "STATE") for n in range(count)]


def everything(tables: Tables, table: str, pk: str, **query: Any) -> list[list[Item]]:
    """The pages of a query up to the last."""
    pages, cursor = [], ""
    while True:
        page = tables.query(table, pk, cursor=cursor, **query)
        pages.append(page.items)
        cursor = page.cursor
        if not cursor:
            return pages


def test_an_item_comes_back_as_it_was_written(tables: Tables) -> None:
    item: Item = {"version": 1, "body": b"\x00\xff", "names": ["a", "b"], "refs": {"x": "y", "n": 3}, "text": "Größe"}
    tables.write(Put(KEY, item))
    assert tables.get(KEY) == {**item, "pk": "a", "sk": "STATE"}
    assert tables.get(Key("orders", "b", "STATE")) is None


def test_an_item_is_created_once(tables: Tables) -> None:
    tables.write(Put(KEY, {"version": 1}, When(absent=True)))
    with pytest.raises(Stale):
        tables.write(Put(KEY, {"version": 2}, When(absent=True)))
    assert (tables.get(KEY) or {})["version"] == 1


def test_a_write_on_an_old_version_is_stale(tables: Tables) -> None:
    tables.write(Put(KEY, {"version": 1}))
    tables.write(Put(KEY, {"version": 2}, When(version=1)))
    with pytest.raises(Stale):
        tables.write(Put(KEY, {"version": 2}, When(version=1)))
    with pytest.raises(Stale):
        tables.write(Put(Key("orders", "none", "STATE"), {}, When(version=1)))


def test_a_change_adds_sets_and_never_goes_below_its_bound(tables: Tables) -> None:
    key = Key("stock", "MUG", "LOC#main")
    tables.write(Change(key, add={"on_hand": 5, "available": 5, "version": 1}, put={"changed_ms": 7}))
    tables.write(Change(key, add={"available": -5}, when=When(at_least=(("available", 5),))))
    with pytest.raises(Stale):
        tables.write(Change(key, add={"available": -1}, when=When(at_least=(("available", 1),))))
    absent = Key("stock", "CUP", "LOC#main")
    with pytest.raises(Stale):
        tables.write(Change(absent, add={"available": -1}, when=When(at_least=(("available", 1),))))
    stored = tables.get(key)
    assert stored is not None
    assert (stored["on_hand"], stored["available"], stored["version"], stored["changed_ms"]) == (5, 0, 1, 7)


def test_a_transaction_is_all_or_nothing(tables: Tables) -> None:
    stock = Key("stock", "MUG", "LOC#main")
    tables.write(Change(stock, add={"available": 1}))
    take = Change(stock, add={"available": -1}, when=When(at_least=(("available", 1),)))
    tables.write(Put(KEY, {"version": 1}, When(absent=True)), take)
    with pytest.raises(Stale):
        tables.write(Put(Key("orders", "b", "STATE"), {"version": 1}, When(absent=True)), take)
    assert tables.get(Key("orders", "b", "STATE")) is None
    assert (tables.get(stock) or {})["available"] == 0


def test_a_transaction_takes_a_hundred_actions(tables: Tables) -> None:
    tables.write(*(Put(key, {"version": 1}, When(absent=True)) for key in numbered(100)))
    assert len(tables.get_many(numbered(100))) == 100


REFUSED: dict[str, list[Write]] = {
    "101 actions": [Put(key, {"version": 1}) for key in numbered(101)],
    "no action": [],
    "an item twice": [Put(KEY, {"version": 1}), Change(KEY, add={"version": 1})],
    "an item twice, once deleted": [Delete(KEY), Put(KEY, {"version": 1})],
    "an empty partition key": [Put(Key("orders", "", "STATE"), {"version": 1})],
    "an empty sort key": [Change(Key("orders", "a", ""), add={"version": 1})],
    "a partition key too long": [Put(Key("orders", "k" * 2049, "STATE"), {"version": 1})],
    "a sort key too long": [Delete(Key("orders", "a", "ö" * 513))],
    "an item over 400 KB": [Put(KEY, {"body": b"x" * MAX_ITEM_BYTES})],
    "a change over 400 KB": [Change(KEY, put={"body": "x" * MAX_ITEM_BYTES})],
    "a transaction over 4 MB": [Put(key, {"body": b"x" * 399_000}) for key in numbered(11)],
    "a number of 39 digits": [Put(KEY, {"n": 10**38})],
    "a fraction": [Put(KEY, {"n": 0.5})],
    "a fraction deep inside": [Put(KEY, {"n": [{"m": 0.5}]})],
    "a tuple": [Put(KEY, {"n": (1, 2)})],
    "a change of nothing": [Change(KEY)],
    "a change of one attribute twice": [Change(KEY, add={"n": 1}, put={"n": 2})],
    "a change of the key": [Change(KEY, put={"sk": "other"})],
}


@pytest.mark.parametrize("writes", REFUSED.values(), ids=REFUSED)
def test_what_dynamodb_refuses_fails_before_anything_is_written(tables: Tables, writes: list[Write]) -> None:
    with pytest.raises(AssertionError):
        tables.write(*writes)
    assert tables.get_many([KEY, *numbered(101)]) == {}


def test_large_items_and_large_transactions_are_kept(tables: Tables) -> None:
    text = "x" * 399_000  # no bytes: the local engine counts them in base64, DynamoDB as they are
    tables.write(*(Put(key, {"body": text}) for key in numbered(10)))
    assert {len(item["body"]) for item in tables.get_many(numbered(10)).values()} == {399_000}


def test_numbers_keep_all_their_digits_and_their_sign(tables: Tables) -> None:
    item: Item = {"n": 10**38 - 1, "m": -(10**38 - 1), "zero": 0, "true": True, "none": None, "empty": "", "list": []}
    tables.write(Put(KEY, item))
    assert tables.get(KEY) == {**item, "pk": "a", "sk": "STATE"}


def test_a_bound_on_an_attribute_that_is_not_there_does_not_hold(tables: Tables) -> None:
    tables.write(Put(MUG, {"on_hand": 5}))
    with pytest.raises(Stale):
        tables.write(Change(MUG, add={"available": 1}, when=When(at_least=(("available", -1),))))


def test_all_parts_of_a_condition_must_hold(tables: Tables) -> None:
    tables.write(Put(MUG, {"version": 3, "available": 2}))
    for version, least in ((2, 2), (3, 3)):
        when = When(version=version, at_least=(("available", least),))
        with pytest.raises(Stale):
            tables.write(Change(MUG, add={"version": 1}, when=when))
        with pytest.raises(Stale):
            tables.write(Delete(MUG, when))
    tables.write(Delete(MUG, When(version=3, at_least=(("available", 2),))))
    assert tables.get(MUG) is None


def test_an_order_too_large_for_one_transaction_moves_in_chunks_each_of_them_whole(tables: Tables) -> None:
    tables.write(Put(KEY, {"version": 0}))
    shelves = [Key("stock", f"S{n}", "LOC#main") for n in range(250)]
    for start in range(0, 250, 99):
        version = (tables.get(KEY) or {})["version"]
        part = [Change(shelf, add={"allocated": 1}) for shelf in shelves[start : start + 99]]
        tables.write(Put(KEY, {"version": version + 1}, When(version=version)), *part)
        with pytest.raises(Stale):
            tables.write(Put(KEY, {"version": version + 1}, When(version=version)), Change(MUG, add={"allocated": 1}))
    assert (tables.get(KEY) or {})["version"] == 3
    assert [item["allocated"] for item in tables.get_many([*shelves, MUG]).values()] == [1] * 250


def test_deleting_what_is_gone_is_no_error(tables: Tables) -> None:
    tables.write(Put(KEY, {"version": 1}))
    tables.write(Delete(KEY))
    tables.write(Delete(KEY))
    assert tables.get(KEY) is None


def test_many_items_are_read_at_once_and_missing_ones_left_out(tables: Tables) -> None:
    keys = [Key("orders", f"o{n:03d}", "STATE") for n in range(130)]
    for key in keys[:120]:
        tables.write(Put(key, {"version": 1}))
    found = tables.get_many([*keys, keys[0]])
    assert set(found) == set(keys[:120])


def test_a_query_reads_one_partition_in_order_and_in_pages(tables: Tables) -> None:
    for n in (3, 1, 2, 5, 4):
        tables.write(Put(Key("stock", "MUG", f"BACKORDER#{n}"), {"order": f"o{n}"}))
    tables.write(Put(Key("stock", "MUG", "LOC#main"), {"available": 0}))
    tables.write(Put(Key("stock", "CUP", "BACKORDER#0"), {"order": "other"}))
    first = tables.query("stock", "MUG", begins="BACKORDER#", limit=3)
    rest = tables.query("stock", "MUG", begins="BACKORDER#", limit=3, cursor=first.cursor)
    assert [item["order"] for item in first.items + rest.items] == ["o1", "o2", "o3", "o4", "o5"]
    assert rest.cursor == ""
    backwards = tables.query("stock", "MUG", newest_first=True, limit=2)
    assert [item["sk"] for item in backwards.items] == ["LOC#main", "BACKORDER#5"]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_of_any_size_hold_every_item_once(tables: Tables, limit: int, newest_first: bool) -> None:
    names = [f"BACKORDER#{n}" for n in range(6)]
    tables.write(*(Put(Key("stock", "MUG", name), {"order": "o"}) for name in names))
    pages = everything(tables, "stock", "MUG", limit=limit, newest_first=newest_first)
    assert [item["sk"] for page in pages for item in page] == (names[::-1] if newest_first else names)
    assert max(map(len, pages)) <= limit


def test_a_page_ends_at_a_megabyte_and_the_cursor_goes_on(tables: Tables) -> None:
    for n in range(7):
        tables.write(Put(Key("stock", "MUG", f"BACKORDER#{n}"), {"body": b"x" * 250_000}))
    pages = everything(tables, "stock", "MUG")
    assert [item["sk"][-1] for page in pages for item in page] == list("0123456")
    assert len(pages) >= 2
    assert max(map(len, pages)) < 7


def test_sort_keys_are_ordered_by_their_bytes(tables: Tables) -> None:
    names = ["A", "Z", "a", "ä", "\u20ac", "\U0001f600"]
    tables.write(*(Put(Key("stock", "MUG", name), {}) for name in reversed(names)))
    assert [item["sk"] for item in tables.query("stock", "MUG").items] == names


def test_a_query_takes_one_bound(tables: Tables) -> None:
    tables.write(*(Put(Key("stock", "MUG", name), {}) for name in "abc"))
    assert [item["sk"] for item in tables.query("stock", "MUG", after="a").items] == ["b", "c"]
    assert [item["sk"] for item in tables.query("stock", "MUG", upto="b").items] == ["a", "b"]
    with pytest.raises(AssertionError):
        tables.query("stock", "MUG", after="a", upto="b")


def test_an_index_holds_only_items_with_its_keys_and_takes_bounds(tables: Tables) -> None:
    for n in range(1, 5):
        due = {"open_pk": "shipping#shop#0", "open_sk": f"{n}#o{n}", "since": n}
        tables.write(Put(Key("orders", f"o{n}", "STATE"), {"version": 1, "body": b"x", **due}))
    tables.write(Put(Key("orders", "o2", "STATE"), {"version": 2}))

    def listed(**bounds: str) -> list[str]:
        return [item["pk"] for item in tables.query("orders", "shipping#shop#0", index="open", **bounds).items]  # type: ignore[arg-type]

    assert listed() == ["o1", "o3", "o4"]
    assert listed(upto="3#o3") == ["o1", "o3"]
    assert listed(after="3#o3") == ["o4"]
    (first, *_) = tables.query("orders", "shipping#shop#0", index="open").items
    assert first["since"] == 1
    assert "body" not in first


@pytest.mark.parametrize("backwards", [False, True])
def test_pages_of_an_index_hold_every_entry_once_though_their_sort_keys_are_equal(
    tables: Tables, backwards: bool
) -> None:
    for key in numbered(5):
        tables.write(Put(key, {"placed_pk": "shop#0", "placed_sk": "same"}))
    pages = everything(tables, "orders", "shop#0", index="placed", limit=2, newest_first=backwards)
    found = [item["pk"] for page in pages for item in page]
    assert sorted(found) == [key.pk for key in numbered(5)]
