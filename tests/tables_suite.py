"""One conformance suite for the tables, held by every implementation: in memory, and DynamoDB as moto has it."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from chalicelib.domain.errors import Stale
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When
from local.memory.tables import MemoryTables, item_size
from tests.aws import STAGE, create_tables

KEY = Key("orders", "a", "STATE")


@pytest.fixture(params=["memory", "dynamodb"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        create_tables(client)
        yield DynamoTables(client, f"headrace-{STAGE}-", sleep=lambda seconds: None)


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


def test_a_transaction_takes_a_hundred_actions_and_no_item_twice(tables: Tables) -> None:
    tables.write(*(Put(Key("orders", f"o{n}", "STATE"), {"version": 1}) for n in range(100)))
    with pytest.raises(AssertionError):
        tables.write(*(Put(Key("orders", f"p{n}", "STATE"), {"version": 1}) for n in range(101)))
    assert tables.get(Key("orders", "p0", "STATE")) is None


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


def test_sizes_are_counted_as_dynamodb_counts_them() -> None:
    assert item_size({"pk": "ab", "sk": "c", "n": 12345, "b": b"1234"}) == 4 + 3 + (1 + 4) + 5
