"""Whatever is written in whatever order: memory and DynamoDB keep the same items and find the same writes stale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import Stale
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write
from local.memory.tables import MemoryTables
from tests.aws import dynamo_tables, mocked_aws

KEYS = [Key("stock", pk, sk) for pk in "ab" for sk in ("LOC#x", "LOC#y")]
small = st.integers(-2, 3)
whens = st.builds(
    When,
    absent=st.booleans(),
    version=st.none() | st.integers(0, 2),
    at_least=st.lists(
        st.tuples(st.sampled_from(["available", "on_hand"]), small), max_size=2, unique_by=lambda p: p[0]
    ).map(tuple),
) | st.just(When())
items: st.SearchStrategy[Item] = st.fixed_dictionaries(
    {"version": st.integers(0, 2)},
    optional={"available": small, "on_hand": small, "body": st.binary(max_size=3), "names": st.lists(st.text("aö"))},
)
adds = st.dictionaries(st.sampled_from(["available", "version"]), small, min_size=1)
sets = st.dictionaries(st.sampled_from(["changed_ms", "on_hand"]), small)


def writes_of(key: Key) -> st.SearchStrategy[Write]:
    return st.one_of(
        st.builds(Put, st.just(key), items, whens),
        st.builds(Change, st.just(key), adds, sets, whens),
        st.builds(Delete, st.just(key), whens),
    )


transactions = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).flatmap(
    lambda keys: st.tuples(*map(writes_of, keys))
)
examples = count()


@pytest.fixture(scope="module")
def dynamo() -> Iterator[Tables]:
    with mocked_aws():
        yield dynamo_tables()


@settings(max_examples=60)
@given(story=st.lists(transactions, min_size=1, max_size=12))
def test_memory_and_dynamodb_agree_on_every_story(dynamo: Tables, story: list[tuple[Write, ...]]) -> None:
    prefix = f"{next(examples)}-"  # each example has partitions of its own
    memory = MemoryTables()
    for step, transaction in enumerate(story):
        writes = [replace(write, key=write.key._replace(pk=prefix + write.key.pk)) for write in transaction]
        assert outcome(memory, writes) == outcome(dynamo, writes), f"step {step}: {writes}"
    for pk in (prefix + "a", prefix + "b"):
        assert memory.query("stock", pk).items == dynamo.query("stock", pk).items


def outcome(tables: Tables, writes: list[Write]) -> str:
    try:
        tables.write(*writes)
    except Stale:
        return "stale"
    return "written"
