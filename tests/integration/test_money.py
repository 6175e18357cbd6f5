"""What a channel has booked: into the ledger once, and to settlement by payout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.channels.facts import Payout
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.domain.settlement import LedgerFact
from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import read_cursor
from chalicelib.store.ledger import News, news_in, read_facts, write_news
from local.memory.world import World
from tests.accounts import (
    DAY_MS,
    NOW_MS,
    Account,
    booked,
    connected,
    keep,
    kept,
    lines_fixture,  # noqa: F401
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
    keep(world, ORDER)
    keep(world, "amazon:1002")
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
    assert kept(world, ORDER).state.fees_minor == 75
    assert [(each.fact_id, each.payout_id) for each in read_facts(world.tables, "amazon", "")] == [
        ("d", "po"),
        ("e", "po"),
    ]


def test_a_payout_is_worked_off_once_until_it_says_something_else(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.paid = [payout(booked("a", "sale", 500))]
    poll(world)
    world.run()
    poll(world)
    assert sent(world, "settlement") == []
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -75))]
    poll(world)
    world.run()
    assert kept(world, ORDER).state.fees_minor == 75


def test_a_payout_that_does_not_add_up_is_told(world: World, amazon: Account, lines: list[Any]) -> None:
    amazon.paid = [payout(booked("a", "sale", 500), amount_minor=480)]
    poll(world)
    (told,) = [each for each in lines if each["event"] == "payout_does_not_add_up"]
    assert (told["paid_minor"], told["facts_minor"]) == (480, 500)


@pytest.mark.parametrize(("days_ago", "passed"), [((9, 8, 7), 7), ((7, 9, 8), 0)])
def test_a_reading_that_breaks_off_goes_on_where_it_was_only_if_it_comes_oldest_first(
    world: World, amazon: Account, days_ago: tuple[int, ...], passed: int
) -> None:
    keep(world, ORDER)
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
    keep(world, ORDER)
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
    assert stage(kept(world, ORDER)) == "settled"


def test_money_of_an_order_that_is_not_ours_ends_as_an_unmatched_line(
    world: World, amazon: Account, lines: list[Any]
) -> None:
    amazon.paid = [payout(booked("a", "sale", 500, external_id="old"))]
    poll(world)
    for _ in range(12):
        world.run()
        world.now_ms += DAY_MS
    assert [each["order"] for each in lines if each["event"] == "payout_unmatched"] == ["amazon:old"]


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


def test_payouts_are_worked_off_where_transactions_may_not_be_read(
    world: World, amazon: Account, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(world, ORDER)

    def refused(since_ms: int) -> Any:
        raise Refused("not_authorised", f"since {since_ms}: the role is missing")

    monkeypatch.setattr(amazon, "transactions", refused)
    amazon.paid = [payout(booked("a", "sale", 500))]
    poll(world)
    world.run()
    assert stage(kept(world, ORDER)) == "settled"
    assert [each["reason"] for each in lines if each["event"] == "account_broken_off"] == ["not_authorised"]


@pytest.mark.parametrize("name", ["MONEY", "PAYOUTS"])
def test_a_date_that_lies_ahead_hides_nothing_that_comes_before_it(world: World, amazon: Account, name: str) -> None:
    ahead_ms = NOW_MS + 300 * DAY_MS
    amazon.facts = [booked("a", "fee", -1, at_ms=ahead_ms, external_id="")]
    amazon.paid = [Payout("po", "EUR", ahead_ms, 0, ())]
    poll(world)
    assert read_cursor(world.tables, "amazon", name).read_to_ms == NOW_MS


def test_more_amounts_than_fit_a_transaction_are_moved_to_their_orders(world: World, amazon: Account) -> None:
    amazon.facts = [booked(f"f{n}", "fee", -1, external_id="") for n in range(150)]
    poll(world)
    amazon.facts = [booked(f"f{n}", "fee", -1) for n in range(150)]
    poll(world)
    assert (len(read_facts(world.tables, "amazon", "1001")), read_facts(world.tables, "amazon", "")) == (150, [])


def test_a_payout_whose_amount_is_corrected_corrects_its_order(world: World, amazon: Account) -> None:
    keep(world, ORDER)
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -75))]
    poll(world)
    world.run()
    amazon.paid = [payout(booked("a", "sale", 500), booked("b", "fee", -60))]
    poll(world)
    world.run()
    assert kept(world, ORDER).state.fees_minor == 60
