"""Orders are compared with their channel once a day, all of them, however many turns that takes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from chalicelib.domain.errors import Busy, Refused
from chalicelib.inbound.accounts import JOBS
from chalicelib.inbound.comparison import COMPARED
from chalicelib.runtime import clients
from chalicelib.store.accounts import add_account, read_cursor
from chalicelib.store.orders import order_writes
from local.memory.world import World
from tests.accounts import (
    DAY_MS,
    NOW_MS,
    connected,
    lines_fixture,  # noqa: F401
    named,
    quiet_world,
)
from tests.factories import entered, fact
from tests.integration.test_polls import Pages, handed_on, page

HOUR_MS = 3_600_000
CHANGED_MS = NOW_MS - DAY_MS


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def amazon(world: World, monkeypatch: pytest.MonkeyPatch) -> Pages:
    connected(world, monkeypatch, "amazon")
    pages = Pages()
    monkeypatch.setattr(clients, "client_class", lambda kind: lambda *more: pages)
    return pages


def turn(world: World) -> list[str]:
    """One turn, and what it has handed on; an hour passes."""
    JOBS["check_orders"](world.runtime)
    world.now_ms += HOUR_MS
    return handed_on(world)


def have(world: World, external_id: str, version_ms: int) -> None:
    order = entered(fact(external_id=external_id, channel="amazon", version_ms=version_ms))
    world.tables.write(*order_writes(None, order))


def test_more_orders_than_one_turn_may_read_are_all_compared(world: World, amazon: Pages, lines: list[Any]) -> None:
    amazon.pages = [page(number * 100, 100, CHANGED_MS) for number in range(60)]
    amazon.breaks = {20: Busy("used up", after_s=1), 40: Busy("used up", after_s=1)}
    everything = {name: at_ms for each in amazon.pages for name, at_ms in each.items()}
    missing = set(list(everything)[7::1000])
    for name, at_ms in everything.items():
        if name not in missing:
            have(world, name, at_ms)
    found = [turn(world) for _ in range(5)]
    assert {name for each in found for name in each} == missing
    assert [len(each) for each in found] == [2, 2, 2, 0, 0]
    since_ms = NOW_MS - 3 * DAY_MS
    assert amazon.asked == [(since_ms, ""), (since_ms, "20"), (since_ms, "40")]
    assert sum(each.get("orders_checked", 0) for each in named(lines, "orders_compared")) == 2000
    assert read_cursor(world.tables, "amazon", COMPARED).read_to_ms == NOW_MS - HOUR_MS
    assert [each["missing"] for each in named(lines, "orders_missing")] == [2, 2, 2]


def test_it_begins_once_a_day_and_never_leaves_a_gap(world: World, amazon: Pages) -> None:
    for _ in range(25):
        turn(world)
    assert [since_ms for since_ms, _ in amazon.asked] == [NOW_MS - 3 * DAY_MS, NOW_MS - 2 * DAY_MS]
    world.now_ms += 9 * DAY_MS  # nothing has run
    turn(world)
    assert amazon.asked[-1][0] == NOW_MS + DAY_MS - HOUR_MS


def test_a_channel_that_does_not_answer_is_asked_again_in_an_hour(world: World, amazon: Pages) -> None:
    amazon.pages, amazon.breaks = [page(0, 3, CHANGED_MS)], {0: Busy("later")}
    assert turn(world) == []
    assert len(turn(world)) == 3


def test_what_changes_while_it_is_broken_off_is_compared_the_next_time(world: World, amazon: Pages) -> None:
    amazon.pages, amazon.breaks = [page(0, 3, CHANGED_MS), page(3, 3, CHANGED_MS)], {1: Busy("used up")}
    turn(world)
    amazon.pages[1]["late"] = NOW_MS + 1000
    world.now_ms += 3 * HOUR_MS
    assert "late" not in turn(world)
    assert read_cursor(world.tables, "amazon", COMPARED).read_to_ms == NOW_MS - HOUR_MS
    world.now_ms += DAY_MS
    assert "late" in turn(world)


def test_a_long_comparison_leaves_the_others_their_turn(
    world: World, amazon: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account(world.tables, "ebay", {})
    world.secrets.kept["ebay/api"] = {"secret": "s"}
    ebay = Pages([page(0, 1, CHANGED_MS)])
    monkeypatch.setattr(clients, "client_class", lambda kind: lambda *more: amazon if kind == "amazon" else ebay)
    amazon.pages = [page(number * 3, 3, CHANGED_MS) for number in range(40)]

    def slow(name: str) -> bytes:
        world.now_ms += 5_000
        return name.encode()

    amazon.raw = slow
    began_ms = world.now_ms
    JOBS["check_orders"](world.runtime)
    assert world.now_ms - began_ms < 120_000
    assert len(ebay.asked) == 1
    found = handed_on(world)
    for _ in range(6):
        found += turn(world)
    assert set(found) == {name for each in [*amazon.pages, *ebay.pages] for name in each}
    assert len(found) == 40 * 3 + 1


def test_a_lambda_that_runs_out_of_time_loses_no_order(world: World, amazon: Pages) -> None:
    amazon.pages = [page(number * 3, 3, CHANGED_MS) for number in range(20)]
    left = [0]

    class Killed(BaseException):
        """Lambda ends the process: nothing of ours sees it."""

    def slow(name: str) -> bytes:
        left[0] -= 1
        if not left[0]:
            raise Killed
        return name.encode()

    amazon.raw = slow
    found: list[str] = []
    for _ in range(4):
        left[0] = 22
        with contextlib.suppress(Killed):
            JOBS["check_orders"](world.runtime)
        found += handed_on(world)
    assert set(found) == {name for each in amazon.pages for name in each}
    assert not read_cursor(world.tables, "amazon", COMPARED).position


def test_a_page_that_is_gone_is_read_from_the_beginning_again(world: World, amazon: Pages) -> None:
    amazon.pages, amazon.breaks = [page(0, 3, CHANGED_MS), page(3, 3, CHANGED_MS)], {1: Busy("used up")}
    found = turn(world)
    amazon.breaks = {1: Refused("channel_refused", "400: the token has expired")}
    found += turn(world) + turn(world)
    assert [position for _, position in amazon.asked] == ["", "1", ""]
    assert set(found) == {name for each in amazon.pages for name in each}
