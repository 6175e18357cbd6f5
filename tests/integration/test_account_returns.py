"""Returns as accounts tell of them on a schedule: handed on step by step, never to the warehouse."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.facts import ChannelReturn
from chalicelib.inbound.accounts import JOBS
from local.memory.world import World
from tests.accounts import (
    DAY_MS,
    NOW_MS,
    Account,
    connected,
    keep,
    kept,
    lines_fixture,  # noqa: F401
    named,
    sent,
    world_fixture,  # noqa: F401
)

ORDER = "ebay:1001"
HOUR_MS = 3_600_000


@pytest.fixture
def ebay(world: World, monkeypatch: pytest.MonkeyPatch) -> Account:
    return connected(world, monkeypatch, "ebay")["ebay"]


def run(world: World, job: str) -> None:
    JOBS[job](world.runtime)


def back(step: str, **more: Any) -> ChannelReturn:
    told = {"return_id": "r1", "external_id": "1001", "items": (("l1", 1),), "changed_ms": NOW_MS - HOUR_MS, **more}
    return ChannelReturn(step=step, **told)


@pytest.mark.parametrize(
    ("step", "status"),
    [("request", "requested"), ("approve", "approved"), ("decline", "declined"), ("receive", "approved")],
)
def test_a_return_gets_as_far_as_the_channel_tells_but_never_to_the_warehouse(
    world: World, ebay: Account, step: str, status: str
) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [back(step)]
    run(world, "poll_returns")
    world.run()
    assert kept(world, ORDER).state.returns["r1"].status == status
    assert kept(world, ORDER).state.quantities[0].returned == 0
    assert not kept(world, ORDER).state.holds


def test_a_return_goes_from_step_to_step_and_is_handed_on_only_when_it_has_changed(world: World, ebay: Account) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [back("request")]
    run(world, "poll_returns")
    world.run()
    run(world, "poll_returns")
    assert sent(world, "shipping") == []
    ebay.sent_back = [back("approve", changed_ms=NOW_MS)]
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1
    world.run()
    assert kept(world, ORDER).state.returns["r1"].status == "approved"
    assert [since_ms for _, since_ms in ebay.asked[1:]] == [NOW_MS - HOUR_MS - 3 * DAY_MS] * 2


def test_the_steps_of_a_return_may_overtake_each_other(world: World, ebay: Account) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [back("request"), back("approve")]
    run(world, "poll_returns")
    world.queues.waiting["shipping"].reverse()
    world.run()
    assert kept(world, ORDER).state.returns["r1"].status == "approved"
    assert not kept(world, ORDER).state.holds


def test_a_refused_return_holds_its_order_once_and_not_at_every_look(world: World, ebay: Account) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [back("request", items=(("l1", 9),))]
    run(world, "poll_returns")
    world.run()
    assert [hold.reason for hold in kept(world, ORDER).state.holds] == ["shipping_not_shipped"]
    run(world, "poll_returns")
    assert sent(world, "shipping") == []


def test_a_return_of_what_is_not_known_is_skipped_and_stops_no_other(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [
        back("request", return_id="r2", external_id="old"),
        back("request", return_id="r3", items=(("other", 1),)),
        back("escalate", return_id="r4"),
        back("request", items=(("other", 1), ("l1", 2))),
    ]
    run(world, "poll_returns")
    assert [each["return_id"] for each in named(lines, "return_skipped")] == ["r2", "r3", "r4"]
    (told,) = sent(world, "shipping")
    assert told["fact"]["lines"] == [{"line_id": "l1", "units": 2}]
    assert told["actor"] == "ebay"


def test_a_return_that_comes_before_its_order_is_handed_on_with_it(world: World, ebay: Account) -> None:
    ebay.sent_back = [back("request")]
    run(world, "poll_returns")
    assert sent(world, "shipping") == []
    keep(world, ORDER, 2)
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1
    run(world, "poll_returns")
    assert len(sent(world, "shipping")) == 1


def test_returns_that_a_channel_shows_for_months_are_looked_at_once(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    """Amazon's report has those of 60 days, whenever they changed."""
    long_ago_ms = NOW_MS - 40 * DAY_MS
    ebay.sent_back = [
        back("request", return_id="r2", external_id="old", changed_ms=long_ago_ms),
        back("escalate", return_id="r4", changed_ms=long_ago_ms),
        back("request", return_id="r5", changed_ms=NOW_MS - HOUR_MS),
    ]
    keep(world, ORDER, 2)
    for _ in range(3):
        run(world, "poll_returns")
    assert [each["return_id"] for each in named(lines, "return_skipped")] == ["r2", "r4"]
    assert len(sent(world, "shipping")) == 1


def test_a_return_dated_ahead_hides_no_other(world: World, ebay: Account) -> None:
    keep(world, ORDER, 2)
    ebay.sent_back = [back("request", changed_ms=NOW_MS + 300 * DAY_MS)]
    run(world, "poll_returns")
    run(world, "poll_returns")
    assert ebay.asked[-1] == ("returns", NOW_MS - 3 * DAY_MS)
    assert len(sent(world, "shipping")) == 1


def test_goods_that_the_warehouse_has_taken_back_already_hold_nothing(
    world: World, ebay: Account, lines: list[Any]
) -> None:
    keep(world, ORDER, 2)
    fact_of_all = {"return_id": "own", "step": "receive", "location": "main", "lines": [{"line_id": "l1", "units": 2}]}
    world.queues.send("shipping", [{"order": ORDER, "do": "return", "fact": fact_of_all, "actor": "api"}])
    world.run()
    ebay.sent_back = [back("approve")]
    run(world, "poll_returns")
    assert (sent(world, "shipping"), len(named(lines, "return_skipped"))) == ([], 1)
