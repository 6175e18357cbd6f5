"""The cost meter counts as AWS bills."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import Stale
from chalicelib.store.counters import Moved, count, read_counts
from chalicelib.store.tables import Change, Delete, Key, Put, When
from local.cost.bill import billed
from local.cost.mix import Mix
from local.cost.reads import measured
from local.memory.meter import BASE_WRITE, FAILED, INDEX_WRITE, READ, RECEIVE, SEND, TRANSACTION, Meter
from local.memory.tables import MemoryTables
from local.memory.world import MemoryQueues

A, B = Key("stock", "A", "LOC#main"), Key("stock", "B", "LOC#main")
ORDER = Key("orders", "shop:1", "STATE")


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


def spent(tables: MemoryTables, *kinds: str) -> float:
    return tables.meter.total(*kinds)


def test_a_write_costs_a_unit_for_each_begun_kilobyte_of_the_larger_item(tables: MemoryTables) -> None:
    tables.write(Put(A, {"body": b"x" * 2000}))
    assert spent(tables, BASE_WRITE) == 2
    tables.write(Put(A, {"body": b"x"}))
    assert spent(tables, BASE_WRITE) == 4


def test_a_transaction_of_two_doubles_and_one_action_does_not(tables: MemoryTables) -> None:
    tables.write(Put(A, {}))
    assert (spent(tables, BASE_WRITE), spent(tables, TRANSACTION)) == (1, 0)
    tables.write(Put(A, {}), Put(B, {}))
    assert (spent(tables, BASE_WRITE), spent(tables, TRANSACTION)) == (3, 2)


@pytest.mark.parametrize(("others", "units"), [((), 1), ((Put(B, {}),), 4)])
def test_a_failed_condition_is_billed_too(tables: MemoryTables, others: tuple[Put, ...], units: int) -> None:
    tables.write(Put(A, {"version": 1}))
    with pytest.raises(Stale):
        tables.write(Change(A, put={"version": 2}, when=When(version=7)), *others)
    assert spent(tables, FAILED) == units


def test_an_index_entry_that_moves_is_a_delete_and_a_put(tables: MemoryTables) -> None:
    item = {"open_pk": "entry#shop#0", "open_sk": "1", "since": 1, "body": b"a"}
    expected = [
        (item, 1),
        ({**item, "body": b"b"}, 0),  # nothing projected changes
        ({**item, "since": 2}, 1),  # only a projected attribute changes
        ({**item, "open_sk": "2"}, 2),  # the key changes
        ({"body": b"a"}, 1),  # it leaves the index
    ]
    for new, units in expected:
        tables.meter.units.clear()
        tables.write(Put(ORDER, new))
        assert spent(tables, INDEX_WRITE) == units, new
    tables.write(Put(ORDER, item))
    tables.meter.units.clear()
    tables.write(Delete(ORDER))
    assert spent(tables, INDEX_WRITE) == 1


def test_each_item_read_is_rounded_up_and_a_query_rounds_the_sum(tables: MemoryTables) -> None:
    tables.write(Put(A, {"body": b"x" * 5000}))
    tables.meter.units.clear()
    tables.get_many([A, B])  # two units, and one for an item that is not there
    assert spent(tables, READ) == 3
    for number in range(4):
        tables.write(Put(Key("stock", "C", f"{number}"), {"body": b"x" * 900}))
    tables.meter.units.clear()
    tables.query("stock", "C")
    assert spent(tables, READ) == 1


def test_an_index_is_read_at_half_price(tables: MemoryTables) -> None:
    tables.query("orders", "entry#shop#0", index="open")
    assert spent(tables, READ) == 0.5


def test_a_queue_request_is_billed_by_64_kb_and_takes_ten_messages() -> None:
    queues = MemoryQueues(Meter())
    queues.send("entry", [{"raw": "x" * 100_000}])
    assert queues.meter.total(SEND) == 2
    queues.send("funding", [{"order": str(n)} for n in range(11)])
    assert queues.meter.total(SEND) == 4
    queues.receive("entry")
    assert queues.meter.total(RECEIVE) == 2


def test_units_are_filed_under_the_function_that_spent_them(tables: MemoryTables) -> None:
    with tables.meter.invocation("entry"):
        tables.get(A)
    tables.get(A)
    assert {s.function: units for s, units in tables.meter.units.items() if s.kind == READ} == {
        "entry": 1,
        "outside": 1,
    }
    assert {line.function for line in billed(tables.meter)} == {"entry"}


def test_reads_cost_the_same_however_many_orders_are_stored() -> None:
    few = measured(1000)
    assert few == measured(20_000)
    assert min(few.values()) > 0


def test_a_mix_settles_every_order_and_bills_every_stage() -> None:
    ran = Mix(60, rate_per_s=10).run()
    assert 1.2 < ran.lines / ran.orders < 1.6
    assert sum(ran.statuses.values()) == 60
    spenders = {line.function for line in billed(ran.meter)}
    assert spenders >= {"api_handler", "fetch", "entry", "allocation", "shipping", "settlement", "relay"}
    assert spenders >= {"sync_shopify", "sync_amazon", "sync_ebay", "poll_ebay"}


def test_the_counters_stay_one_write_unit_however_many_batches_were_counted(tables: MemoryTables) -> None:
    for number in range(300):
        changes = tuple((channel, "settled", 1) for channel in ("amazon", "ebay", "shopify", "storefront"))
        count(tables, [Moved(f"{number:032x}", 10**24 + number, changes)])
    tables.meter.units.clear()
    count(tables, [Moved("f" * 32, 10**25, (("ebay", "funding", 1),))])
    assert spent(tables, BASE_WRITE) == 1


def test_a_batch_that_comes_again_longer_is_counted_from_where_it_broke_off(tables: MemoryTables) -> None:
    records = [Moved(f"{number}", number, (("ebay", "funding", 1),)) for number in range(5)]
    for batch in (records[:3], records[:3], records):
        count(tables, batch)
    assert read_counts(tables) == {"ebay": {"funding": 5}}
