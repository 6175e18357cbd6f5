"""What all containers share of a channel account: its tokens, the calls that it may make, its jobs, its pause."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from chalicelib.channels import port
from chalicelib.channels.amazon.feeds import LISTINGS
from chalicelib.channels.budgets import Plan
from chalicelib.channels.ebay import wire
from chalicelib.channels.registry import plans_of
from chalicelib.domain.errors import OverBudget, Stale
from chalicelib.runtime.clients import SharedBudget, SharedTokens
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import CLAIM_MS
from chalicelib.store.jobs import StoredJobs
from local.memory.world import World

PLANS = {
    "slow": Plan(0.1, 3),
    "leased": Plan(1, 10, lease=4),
    "daily": Plan(100, 100, per_day=5, lease=2),
    "shared": Plan(0.1, 2, shared=True),
}


@pytest.fixture
def world() -> World:
    return World()


def container(world: World) -> Runtime:
    """A container of its own on the same tables, with nothing cached."""
    kept = world.runtime
    return Runtime(kept.tables, kept.queues, kept.bodies, kept.secrets, kept.clock, kept.transport)


def spent(budget: SharedBudget, operation: str, most: int = 1000) -> int:
    for number in range(most):
        try:
            budget.spend(operation)
        except OverBudget:
            return number
    return most


def test_containers_draw_from_one_bucket_and_it_regains_at_its_rate(world: World) -> None:
    budgets = [SharedBudget("amazon", PLANS, container(world)) for _ in range(2)]
    assert [spent(each, "slow") for each in budgets] == [3, 0]
    with pytest.raises(OverBudget) as over:
        budgets[1].spend("slow")
    assert over.value.after_s == 10
    world.now_ms += 9_000
    assert spent(budgets[1], "slow") == 0
    world.now_ms += 1_000
    assert spent(budgets[1], "slow") == 1
    world.now_ms += 1_000_000
    assert spent(budgets[0], "slow") == 3


def test_a_lease_saves_writes_and_never_allows_more_than_the_bucket(world: World) -> None:
    budgets = [SharedBudget("amazon", PLANS, container(world)) for _ in range(3)]
    written = world.tables.get
    reads: list[object] = []
    world.tables.get = lambda key: (reads.append(key), written(key))[1]  # type: ignore[method-assign]
    budgets[0].spend("leased")
    for _ in range(3):
        budgets[0].spend("leased")
    assert len(reads) == 1
    assert 4 + sum(spent(each, "leased") for each in budgets) == 10


def test_what_a_lease_has_not_used_in_time_is_lost_and_not_saved_up(world: World) -> None:
    budget = SharedBudget("amazon", PLANS, container(world))
    budget.spend("leased")
    world.now_ms += 20_000
    assert spent(budget, "leased") == 10


def test_a_days_calls_are_counted_and_come_back_with_the_channels_day(world: World) -> None:
    budget = SharedBudget("ebay", PLANS, container(world))
    assert spent(budget, "daily") == 5
    world.now_ms += 3_600_000
    with pytest.raises(OverBudget) as over:
        budget.spend("daily")
    assert over.value.after_s > 60
    world.now_ms += 86_400_000
    assert spent(budget, "daily") == 5


def test_sellers_share_what_the_app_is_allowed_and_nothing_else(world: World) -> None:
    one, two = (SharedBudget(name, PLANS, container(world)) for name in ("ebay", "ebay-uk"))
    assert (spent(one, "shared"), spent(two, "shared")) == (2, 0)
    assert (spent(one, "slow"), spent(two, "slow")) == (3, 3)


def test_the_rate_that_the_channel_tells_replaces_the_published_one_and_is_written_once(world: World) -> None:
    budget = SharedBudget("amazon", PLANS, container(world))
    assert spent(budget, "slow") == 3
    budget.correct("slow", 1.0)
    before = dict(world.tables.items)
    budget.correct("slow", 1.0)
    assert before == world.tables.items
    world.now_ms += 2_000
    assert spent(SharedBudget("amazon", PLANS, container(world)), "slow") == 2


def test_a_refused_call_empties_the_bucket_for_all_until_the_channel_wants_to_hear_again(world: World) -> None:
    one, two = (SharedBudget("amazon", PLANS, container(world)) for _ in range(2))
    one.spend("leased")
    one.drain("leased", 30)
    assert (spent(one, "leased"), spent(two, "leased")) == (0, 0)
    world.now_ms += 29_000
    assert spent(two, "leased") == 0
    world.now_ms += 1_000
    assert spent(two, "leased") == 1


def test_one_container_fetches_a_token_and_a_dead_one_is_waited_for_no_longer_than_its_claim(world: World) -> None:
    one, two = (SharedTokens("ebay", container(world)) for _ in range(2))
    assert (one.get(), one.claim(""), two.claim("")) == ("", True, False)
    world.now_ms += CLAIM_MS
    assert two.claim("")
    two.put("t1", world.now_ms + 60_000)
    assert (one.get(), one.claim("")) == ("t1", False)
    assert (one.claim("t1"), two.claim("t1")) == (True, False)
    one.put("t2", world.now_ms + 60_000)
    assert not two.claim("t1")
    assert two.get() == "t2"
    assert two.get("app") == ""


def test_a_job_is_written_by_one_of_two_workers_that_have_read_it(world: World) -> None:
    one, two = (StoredJobs(world.tables, "amazon") for _ in range(2))
    assert (one.get("feed"), two.get("feed")) == (None, None)
    one.put("feed", {"state": "begun"})
    with pytest.raises(Stale):
        two.put("feed", {"state": "begun"})
    assert two.get("feed") == {"state": "begun"}
    two.put("feed", {"state": "sent", "feed_id": "1"})
    with pytest.raises(Stale):
        one.put("feed", {"state": "lost"})
    two.drop("feed")
    assert one.get("feed") is None


def ahead(world: World, skew_ms: int) -> Runtime:
    """A container whose clock is ahead of the others'."""
    kept = world.runtime
    ports = (kept.tables, kept.queues, kept.bodies, kept.secrets)
    return Runtime(*ports, lambda: world.now_ms + skew_ms, kept.transport)


def test_a_container_whose_clock_is_behind_finds_what_one_ahead_of_it_has_left(world: World) -> None:
    SharedBudget("amazon", PLANS, ahead(world, 2_000)).spend("slow")
    behind = SharedBudget("amazon", PLANS, container(world))
    behind.correct("slow", 0.2)
    assert spent(behind, "slow") == 2


def test_clocks_that_differ_give_no_call_more_than_once(world: World) -> None:
    """The one ahead is given back for time that the one behind has yet to live through."""
    budgets = [SharedBudget("amazon", PLANS, runtime) for runtime in (ahead(world, 10_000), container(world))]
    assert [spent(each, "slow") for each in budgets * 3] == [3, 0, 0, 0, 0, 0]
    world.now_ms += 10_000
    assert [spent(each, "slow") for each in reversed(budgets)] == [0, 1]


def test_a_day_that_has_begun_for_one_clock_does_not_give_its_calls_to_each_in_turn(world: World) -> None:
    day_ms = 86_400_000
    world.now_ms = world.now_ms // day_ms * day_ms + 8 * 3_600_000 - 1_000  # a second before eBay's day begins
    budgets = [SharedBudget("ebay", PLANS, runtime) for runtime in (container(world), ahead(world, 2_000))]
    assert [spent(each, "daily") for each in budgets * 3] == [5, 5, 0, 0, 0, 0]
    world.now_ms += 60_000
    assert spent(budgets[0], "daily") == 0


def test_a_shorter_wait_does_not_end_a_longer_one(world: World) -> None:
    one, two = (SharedBudget("amazon", PLANS, container(world)) for _ in range(2))
    one.drain("slow", 300)
    two.drain("slow", 2)
    world.now_ms += 10_000
    with pytest.raises(OverBudget) as over:
        two.spend("slow")
    assert over.value.after_s == 290


def test_a_rate_that_is_told_while_the_bucket_is_empty_does_not_take_its_one_call_away(world: World) -> None:
    one, two = (SharedBudget("amazon", PLANS, container(world)) for _ in range(2))
    one.drain("slow", 30)
    two.correct("slow", 0.05)
    world.now_ms += 30_000
    assert spent(two, "slow") == 1


@pytest.mark.parametrize("kind", ["amazon", "ebay"])
def test_every_operation_that_a_client_counts_has_a_plan(kind: str) -> None:
    """`spend` of an operation without one is a `KeyError` at the first call in production."""
    found: set[str] = set()
    for path in (Path(port.__file__).parent / kind).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                name, first = node.func.attr, node.args[0]
                if name in ("call", "call_grantless", "spend") and isinstance(first, ast.Constant):
                    found.add(str(first.value))
    if kind == "ebay":
        found |= set(wire._APIS.values())
    else:
        found |= {LISTINGS}
    assert len(found) > 5
    assert found - plans_of(kind).keys() == set()


@pytest.mark.parametrize("kind", ["amazon", "ebay"])
def test_every_plan_regains_calls_and_no_lease_is_larger_than_its_bucket(kind: str) -> None:
    for name, plan in plans_of(kind).items():
        assert plan.rate_per_s > 0, name
        assert 1 <= plan.lease <= plan.burst, name
