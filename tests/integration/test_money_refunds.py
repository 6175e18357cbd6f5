"""Money that a channel has given back: told to funding once, however often and wherever it is booked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.lifecycle import outstanding_minor
from chalicelib.domain.orders import refunded_minor
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.ledger import read_facts
from local.memory.world import World
from tests.accounts import (
    NOW_MS,
    Account,
    booked,
    connected,
    keep,
    kept,
    payout,
    sent,
    world_fixture,  # noqa: F401
)

ORDER = "amazon:1001"


@pytest.fixture
def amazon(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "amazon")["amazon"]


def poll(world: World) -> None:
    JOBS["poll_money"](world.runtime)


def test_a_refund_made_at_the_channel_reaches_its_order(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.facts = [booked("a", "sale", 500), booked("r1", "refund", -100), booked("r2", "refund", -50)]
    poll(world)
    (told,) = sent(world, "funding")
    assert told == {
        "order": ORDER,
        "do": "refunds_seen",
        "fact": {"total_minor": 150, "tax_minor": 0, "currency": "EUR"},
        "actor": "amazon",
    }
    world.run()
    assert refunded_minor(kept(world, ORDER).state) == 150
    poll(world)
    assert sent(world, "funding") == []


def test_a_refund_that_is_told_before_its_order_waits_for_it(world: World, amazon: Account) -> None:
    amazon.facts = [booked("r", "refund", -200)]
    poll(world)
    world.run()
    keep(world, ORDER)
    world.now_ms += 60_000
    world.run()
    assert refunded_minor(kept(world, ORDER).state) == 200


def test_every_refund_so_far_is_in_the_total(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.facts = [booked("r1", "refund", -100)]
    poll(world)
    amazon.facts = [booked("r2", "refund", -50)]
    poll(world)
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [100, 150]


def test_a_refund_that_a_statement_says_again_under_another_id_is_counted_once(world: World, amazon: Account) -> None:
    amazon.facts = [booked("transaction", "sale", 500), booked("transaction-r", "refund", -200)]
    poll(world)
    said_again = (booked("row", "sale", 500), booked("row-r", "refund", -200))
    amazon.paid = [replace(payout(*said_again), restates=True)]
    poll(world)
    told = [each["fact"]["total_minor"] for each in sent(world, "funding")]
    assert told == [200, 200]
    assert {fact.status for fact in read_facts(world.tables, "amazon", "1001")} == {"open", "stated"}


def test_a_refund_that_only_a_statement_tells_is_heard(world: World, amazon: Account) -> None:
    amazon.paid = [replace(payout(booked("row", "sale", 500), booked("row-r", "refund", -200)), restates=True)]
    poll(world)
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [200]


def test_a_refund_in_a_payout_leaves_nothing_outstanding(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.paid = [payout(booked("a", "sale", 500), booked("r", "refund", -200, at_ms=NOW_MS - 5000))]
    poll(world)
    world.run()
    assert (refunded_minor(kept(world, ORDER).state), outstanding_minor(kept(world, ORDER).state)) == (200, 0)


def test_a_refund_that_a_statement_tells_once_more_is_counted_once(world: World, amazon: Account) -> None:
    """Amazon names a row of a statement by the statement, and the same amount before by its transaction."""
    keep(world, ORDER)
    amazon.facts = [booked("t1/ab.1", "sale", 500), booked("t2/ab.1", "refund", -100)]
    poll(world)
    world.run()
    rows = (booked("po/cd.1", "sale", 500), booked("po/ef.1", "refund", -100))
    amazon.paid = [replace(payout(*rows), restates=True)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world, ORDER).state) == 100
    assert outstanding_minor(kept(world, ORDER).state) == 0
    amazon.facts = [booked("t3/ab.1", "refund", -50)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world, ORDER).state) == 150


def test_a_refund_that_only_a_statement_tells_of_counts(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    rows = (booked("po/cd.1", "sale", 500), booked("po/ef.1", "refund", -100))
    amazon.paid = [replace(payout(*rows), restates=True)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world, ORDER).state) == 100


def test_tax_that_comes_after_its_refund_is_a_part_of_it(world: World, amazon: Account) -> None:
    """What is booked at once is read in lots of a hundred: a refund and its tax may be in two of them."""
    keep(world, ORDER)
    fees = [booked(f"f{n}", "fee", -1, external_id="") for n in range(99)]
    amazon.facts = [*fees, booked("r", "refund", -100), booked("t", "tax", -20)]
    poll(world)
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [120]


def test_tax_of_a_sale_is_no_refund(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.facts = [booked("s", "sale", 500), booked("t", "tax", -80)]
    poll(world)
    assert sent(world, "funding") == []


def test_an_amount_whose_order_is_told_later_is_moved_there(world: World, amazon: Account) -> None:
    amazon.facts = [booked("a", "refund", -100, external_id="")]
    poll(world)
    keep(world, ORDER)
    amazon.facts = [booked("a", "refund", -100)]
    poll(world)
    assert [each.fact_id for each in read_facts(world.tables, "amazon", "1001")] == ["a"]
    assert read_facts(world.tables, "amazon", "") == []
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [100]
    before = dict(world.tables.items)
    poll(world)
    assert world.tables.items == before


@pytest.mark.parametrize("seen_first", [True, False])
def test_a_refund_of_ours_that_the_channel_also_books_is_counted_once(
    world: World, amazon: Account, monkeypatch: pytest.MonkeyPatch, seen_first: bool
) -> None:
    keep(world, ORDER)
    monkeypatch.setattr(type(amazon), "refund", lambda *more: True)
    asked = {"refund_id": "r1", "amount_minor": 100, "reason": ""}
    world.queues.send("funding", [{"order": ORDER, "do": "refund", "fact": asked, "actor": "api"}])
    if seen_first:
        amazon.facts = [booked("t", "refund", -100)]
        poll(world)
        world.run()
    world.run()
    world.queues.send("sync-amazon", [{"order": ORDER}])
    world.run()
    if not seen_first:
        amazon.facts = [booked("t", "refund", -60), booked("t2", "refund", -40)]
        poll(world)
        world.run()
    assert refunded_minor(kept(world, ORDER).state) == 100
    assert [refund.status for refund in kept(world, ORDER).state.refunds.values()] == ["confirmed"]
