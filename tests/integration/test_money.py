"""What a channel has booked: into the ledger once, to settlement by payout, to funding where money was given back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.channels.facts import Payout
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.domain.orders import Order, refunded_minor
from chalicelib.domain.settlement import LedgerFact
from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime import log
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import read_cursor
from chalicelib.store.ledger import News, news_in, read_facts, write_news
from chalicelib.store.orders import order_writes, read_order
from local.memory.world import World
from tests.accounts import DAY_MS, NOW_MS, Account, connected, quiet_world
from tests.factories import fact, line
from tests.turns import promised, secured, shipped

ORDER = "amazon:1001"


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def amazon(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "amazon")["amazon"]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged."""
    logged: list[Any] = []
    monkeypatch.setattr(log, "sink", lambda text: logged.append(json.loads(text)))
    return logged


def poll(world: World) -> None:
    JOBS["poll_money"](world.runtime)


def keep(world: World, external_id: str = "1001", channel: str = "amazon") -> None:
    """An order of 5.00 that has left."""
    order = shipped(promised(secured(fact(line(), external_id=external_id, channel=channel))))
    world.tables.write(*order_writes(None, order))
    world.tables.stream.clear()


def kept(world: World, order_id: str = ORDER) -> Order:
    order = read_order(world.tables, order_id, content=True)
    assert order
    return order


def booked(name: str, kind: str, amount_minor: int, *, at_ms: int = NOW_MS - DAY_MS, **more: Any) -> LedgerFact:
    return LedgerFact(name, kind, amount_minor, "EUR", at_ms, **{"external_id": "1001", **more})


def payout(*facts: LedgerFact, name: str = "po", amount_minor: int | None = None) -> Payout:
    total = sum(each.amount_minor for each in facts)
    return Payout(name, "EUR", NOW_MS - 1000, total if amount_minor is None else amount_minor, facts)


def sent(world: World, queue: str) -> list[Any]:
    return [json.loads(body) for _, body, _ in world.queues.waiting[queue]]


def test_what_is_booked_is_kept_once_under_its_order_and_read_again_writes_nothing(
    world: World, amazon: Account
) -> None:
    amazon.facts = [booked("a", "sale", 500), booked("b", "fee", -75), booked("c", "fee", -39, external_id="")]
    poll(world)
    assert [(each.fact_id, each.amount_minor) for each in read_facts(world.tables, "amazon", "1001")] == [
        ("a", 500),
        ("b", -75),
    ]
    assert [each.fact_id for each in read_facts(world.tables, "amazon", "")] == ["c"]
    before = dict(world.tables.items)
    poll(world)
    assert world.tables.items == before
    assert not any(world.queues.waiting.values())


def test_money_is_read_from_the_channels_own_time_on_with_two_days_that_overlap(world: World, amazon: Account) -> None:
    amazon.facts = [booked("a", "sale", 500, at_ms=NOW_MS - 5 * DAY_MS)]
    poll(world)
    poll(world)
    reads = [since_ms for what, since_ms in amazon.asked if what == "transactions"]
    assert reads == [NOW_MS - 90 * DAY_MS, NOW_MS - 7 * DAY_MS]


def test_an_amount_that_changes_is_replaced_and_both_are_logged(
    world: World, amazon: Account, lines: list[Any]
) -> None:
    amazon.facts = [booked("a", "fee", -75)]
    poll(world)
    amazon.facts = [booked("a", "fee", -70, status="released")]
    poll(world)
    (now,) = read_facts(world.tables, "amazon", "1001")
    assert (now.amount_minor, now.status) == (-70, "released")
    (corrected,) = [each for each in lines if each["event"] == "fact_corrected"]
    assert (corrected["was_minor"], corrected["now_minor"], corrected["fact"]) == (-75, -70, "a")


@pytest.mark.parametrize("payout_id", ["", "po"])
def test_a_fact_stays_in_its_payout_and_paid_when_a_list_knows_less(world: World, payout_id: str) -> None:
    paid = LedgerFact("a", "sale", 500, "EUR", NOW_MS, "1001", "po", "paid")
    write_news(world.tables, "amazon", [News(paid, None)])
    assert news_in(world.tables, "amazon", [replace(paid, payout_id=payout_id, status="released")]) == []


def test_a_fact_that_another_payout_carries_is_moved_there(world: World) -> None:
    paid = LedgerFact("a", "sale", 500, "EUR", NOW_MS, "1001", "po", "paid")
    write_news(world.tables, "amazon", [News(paid, None)])
    ((now, was, _),) = news_in(world.tables, "amazon", [replace(paid, payout_id="po2")])
    assert (now.payout_id, was) == ("po2", paid)


def test_more_facts_than_fit_a_transaction_are_all_booked(world: World, amazon: Account) -> None:
    amazon.paid = [payout(*(booked(f"f{n}", "fee", -1, external_id="") for n in range(250)))]
    poll(world)
    assert len(read_facts(world.tables, "amazon", "")) == 250


def test_a_payout_settles_its_orders_and_the_rest_stays_in_the_ledger(world: World, amazon: Account) -> None:
    keep(world)
    keep(world, "1002")
    amazon.paid = [
        payout(
            booked("a", "sale", 500),
            booked("b", "fee", -75),
            booked("c", "sale", 500, external_id="1002"),
            booked("d", "fee", -39, external_id=""),
            booked("e", "reserve", -100, external_id=""),
        )
    ]
    poll(world)
    world.run()
    for order_id in (ORDER, "amazon:1002"):
        assert (outstanding_minor(kept(world, order_id).state), stage(kept(world, order_id))) == (0, "settled")
    assert kept(world).state.fees_minor == 75
    assert [(each.fact_id, each.payout_id) for each in read_facts(world.tables, "amazon", "")] == [
        ("d", "po"),
        ("e", "po"),
    ]


def test_a_payout_is_worked_off_once_until_it_says_something_else(world: World, amazon: Account) -> None:
    keep(world)
    amazon.paid = [payout(booked("a", "sale", 500))]
    poll(world)
    world.run()
    poll(world)
    assert sent(world, "settlement") == []
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -75))]
    poll(world)
    world.run()
    assert kept(world).state.fees_minor == 75


def test_a_payout_that_does_not_add_up_is_told(world: World, amazon: Account, lines: list[Any]) -> None:
    amazon.paid = [payout(booked("a", "sale", 500), amount_minor=480)]
    poll(world)
    (told,) = [each for each in lines if each["event"] == "payout_does_not_add_up"]
    assert (told["paid_minor"], told["facts_minor"]) == (480, 500)


@pytest.mark.parametrize(("days_ago", "passed"), [((9, 8, 7), 7), ((7, 9, 8), 0)])
def test_a_reading_that_breaks_off_goes_on_where_it_was_only_if_it_comes_oldest_first(
    world: World, amazon: Account, days_ago: tuple[int, ...], passed: int
) -> None:
    keep(world)
    times = [NOW_MS - days * DAY_MS for days in days_ago]
    amazon.facts = [booked(f"f{at_ms}", "fee", -1, at_ms=at_ms) for at_ms in times]
    amazon.trouble = Busy("later")
    poll(world)
    assert len(read_facts(world.tables, "amazon", "1001")) == 3
    assert read_cursor(world.tables, "amazon", "MONEY").read_to_ms == (NOW_MS - passed * DAY_MS if passed else 0)


@pytest.mark.parametrize(("days_ago", "passed"), [((3, 2), 2), ((2, 3), 0)])
def test_the_cursor_of_payouts_passes_none_that_was_not_worked_off(
    world: World, amazon: Account, days_ago: tuple[int, ...], passed: int
) -> None:
    keep(world)
    due = [(f"po{days}", NOW_MS - days * DAY_MS) for days in days_ago]
    amazon.paid = [Payout(name, "EUR", at_ms, 250, (booked(name, "sale", 250),)) for name, at_ms in due]
    wrecked = amazon.payouts

    def payouts(since_ms: int) -> Any:
        yield from wrecked(since_ms)
        raise Busy("later")

    amazon.payouts = payouts  # type: ignore[method-assign]
    poll(world)
    assert read_cursor(world.tables, "amazon", "PAYOUTS").read_to_ms == (NOW_MS - passed * DAY_MS if passed else 0)
    world.run()
    assert stage(kept(world)) == "settled"


def test_money_of_an_order_that_is_not_ours_ends_as_an_unmatched_line(
    world: World, amazon: Account, lines: list[Any]
) -> None:
    amazon.paid = [payout(booked("a", "sale", 500, external_id="old"))]
    poll(world)
    for _ in range(12):
        world.run()
        world.now_ms += DAY_MS
    assert [each["order"] for each in lines if each["event"] == "payout_unmatched"] == ["amazon:old"]


def test_a_refund_made_at_the_channel_reaches_its_order(world: World, amazon: Account) -> None:
    keep(world)
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
    assert refunded_minor(kept(world).state) == 150
    poll(world)
    assert sent(world, "funding") == []


def test_a_refund_that_is_told_before_its_order_waits_for_it(world: World, amazon: Account) -> None:
    amazon.facts = [booked("r", "refund", -200)]
    poll(world)
    world.run()
    keep(world)
    world.now_ms += 60_000
    world.run()
    assert refunded_minor(kept(world).state) == 200


def test_every_refund_so_far_is_in_the_total(world: World, amazon: Account) -> None:
    keep(world)
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
    keep(world)
    amazon.paid = [payout(booked("a", "sale", 500), booked("r", "refund", -200, at_ms=NOW_MS - 5000))]
    poll(world)
    world.run()
    assert (refunded_minor(kept(world).state), outstanding_minor(kept(world).state)) == (200, 0)


def test_no_account_is_stopped_by_another(world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any]) -> None:
    accounts = connected(world, monkeypatch, "amazon", "amazon-us", "ebay", "shop")
    accounts["amazon"].trouble = Busy("later")
    pause("amazon-us", "no consent", world.runtime)
    accounts["ebay"].facts = [booked("a", "sale", 500)]
    poll(world)
    assert len(read_facts(world.tables, "ebay", "1001")) == 1
    broken = {each["channel"]: each["error"] for each in lines if each["event"] == "account_broken_off"}
    assert broken == {"amazon": "Busy", "amazon-us": "Paused"}
    assert accounts["shop"].asked == []


def test_a_refund_that_a_statement_tells_once_more_is_counted_once(world: World, amazon: Account) -> None:
    """Amazon names a row of a statement by the statement, and the same amount before by its transaction."""
    keep(world)
    amazon.facts = [booked("t1/ab.1", "sale", 500), booked("t2/ab.1", "refund", -100)]
    poll(world)
    world.run()
    rows = (booked("po/cd.1", "sale", 500), booked("po/ef.1", "refund", -100))
    amazon.paid = [replace(payout(*rows), restates=True)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world).state) == 100
    assert outstanding_minor(kept(world).state) == 0
    amazon.facts = [booked("t3/ab.1", "refund", -50)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world).state) == 150


def test_a_refund_that_only_a_statement_tells_of_counts(world: World, amazon: Account) -> None:
    keep(world)
    rows = (booked("po/cd.1", "sale", 500), booked("po/ef.1", "refund", -100))
    amazon.paid = [replace(payout(*rows), restates=True)]
    poll(world)
    world.run()
    assert refunded_minor(kept(world).state) == 100


def test_payouts_are_worked_off_where_transactions_may_not_be_read(
    world: World, amazon: Account, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(world)

    def refused(since_ms: int) -> Any:
        raise Refused("not_authorised", f"since {since_ms}: the role is missing")

    monkeypatch.setattr(amazon, "transactions", refused)
    amazon.paid = [payout(booked("a", "sale", 500))]
    poll(world)
    world.run()
    assert stage(kept(world)) == "settled"
    assert [each["reason"] for each in lines if each["event"] == "account_broken_off"] == ["not_authorised"]


@pytest.mark.parametrize("name", ["MONEY", "PAYOUTS"])
def test_a_date_that_lies_ahead_hides_nothing_that_comes_before_it(world: World, amazon: Account, name: str) -> None:
    ahead_ms = NOW_MS + 300 * DAY_MS
    amazon.facts = [booked("a", "fee", -1, at_ms=ahead_ms, external_id="")]
    amazon.paid = [Payout("po", "EUR", ahead_ms, 0, ())]
    poll(world)
    assert read_cursor(world.tables, "amazon", name).read_to_ms == NOW_MS


def test_tax_that_comes_after_its_refund_is_a_part_of_it(world: World, amazon: Account) -> None:
    """What is booked at once is read in lots of a hundred: a refund and its tax may be in two of them."""
    keep(world)
    fees = [booked(f"f{n}", "fee", -1, external_id="") for n in range(99)]
    amazon.facts = [*fees, booked("r", "refund", -100), booked("t", "tax", -20)]
    poll(world)
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [120]


def test_tax_of_a_sale_is_no_refund(world: World, amazon: Account) -> None:
    keep(world)
    amazon.facts = [booked("s", "sale", 500), booked("t", "tax", -80)]
    poll(world)
    assert sent(world, "funding") == []


def test_an_amount_whose_order_is_told_later_is_moved_there(world: World, amazon: Account) -> None:
    amazon.facts = [booked("a", "refund", -100, external_id="")]
    poll(world)
    keep(world)
    amazon.facts = [booked("a", "refund", -100)]
    poll(world)
    assert [each.fact_id for each in read_facts(world.tables, "amazon", "1001")] == ["a"]
    assert read_facts(world.tables, "amazon", "") == []
    assert [each["fact"]["total_minor"] for each in sent(world, "funding")] == [100]
    before = dict(world.tables.items)
    poll(world)
    assert world.tables.items == before


def test_more_amounts_than_fit_a_transaction_are_moved_to_their_orders(world: World, amazon: Account) -> None:
    amazon.facts = [booked(f"f{n}", "fee", -1, external_id="") for n in range(150)]
    poll(world)
    amazon.facts = [booked(f"f{n}", "fee", -1) for n in range(150)]
    poll(world)
    assert (len(read_facts(world.tables, "amazon", "1001")), read_facts(world.tables, "amazon", "")) == (150, [])


def test_a_payout_whose_amount_is_corrected_corrects_its_order(world: World, amazon: Account) -> None:
    keep(world)
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -75))]
    poll(world)
    world.run()
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -60))]
    poll(world)
    world.run()
    assert kept(world).state.fees_minor == 60


@pytest.mark.parametrize("seen_first", [True, False])
def test_a_refund_of_ours_that_the_channel_also_books_is_counted_once(
    world: World, amazon: Account, monkeypatch: pytest.MonkeyPatch, seen_first: bool
) -> None:
    keep(world)
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
    assert refunded_minor(kept(world).state) == 100
    assert [refund.status for refund in kept(world).state.refunds.values()] == ["confirmed"]
