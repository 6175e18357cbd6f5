"""The whole application under seeded faults keeps its books; and a planted bug does not go unseen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

import chalicelib.domain.commands
import chalicelib.domain.entry
import chalicelib.domain.lifecycle
import chalicelib.outbound.relay
import chalicelib.stages.settlement
import local.memory.tables
from chalicelib.runtime import batch, log
from chalicelib.store.tables import When
from local.simulation.story import Story

SEEDS = 60
SAVED_SEEDS = (180, 447)  # each has found a bug once
MOST_SEEDS_TO_CATCH = 100


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "sink", lambda line: None)


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_no_seed_breaks_a_rule(first: int) -> None:
    for seed in range(first, first + 20):
        assert Story(seed).run() == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SAVED_SEEDS)
def test_a_seed_that_found_a_bug_stays_clean(seed: int) -> None:
    assert Story(seed).run() == []


def test_one_seed_run_twice_is_the_same_run() -> None:
    stories = [Story(11), Story(11)]
    for story in stories:
        story.run()
    one, other = (story.world for story in stories)
    assert one.choke.calls == other.choke.calls > 0
    assert one.tables.items == other.tables.items


Plant = Callable[[pytest.MonkeyPatch], None]


def write_without_version(patch: pytest.MonkeyPatch) -> None:
    holds = local.memory.tables._holds
    patch.setattr(local.memory.tables, "_holds", lambda item, when: holds(item, When(when.absent, None, when.at_least)))


def check_then_write_apart(patch: pytest.MonkeyPatch) -> None:
    holds = local.memory.tables._holds
    patch.setattr(local.memory.tables, "_holds", lambda item, when: holds(item, When(when.absent, when.version)))


def payout_line_applied_twice(patch: pytest.MonkeyPatch) -> None:
    read = chalicelib.stages.settlement.read_entry
    patch.setattr(
        chalicelib.stages.settlement, "read_entry", lambda tables, line: replace(read(tables, line), lines={})
    )


def latest_arrival_wins(patch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    patch.setattr(chalicelib.domain.entry, "precedence", lambda fact: (next(ticks),))


def failures_are_not_reported(patch: pytest.MonkeyPatch) -> None:
    handled = batch._handled
    patch.setattr(batch, "_handled", lambda *args: handled(*args) or True)


def shipment_without_key(patch: pytest.MonkeyPatch) -> None:
    """Neither the parcel nor the movement of its goods is known again when it is told twice."""
    named = chalicelib.domain.commands.Shipment
    names = itertools.count()
    patch.setattr(
        chalicelib.domain.commands, "Shipment", lambda **told: named(**{**told, "shipment_id": f"n{next(names)}"})
    )


def leak_on_cancel(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chalicelib.domain.lifecycle, "to_release", lambda state: False)


def message_lost_by_the_relay(patch: pytest.MonkeyPatch) -> None:
    follow_up = chalicelib.outbound.relay._follow_up
    calls = itertools.count()
    patch.setattr(chalicelib.outbound.relay, "_follow_up", lambda r: follow_up(r) if next(calls) % 50 else [])


def stream_batch_counted_twice(patch: pytest.MonkeyPatch) -> None:
    count = chalicelib.outbound.relay.count
    names = itertools.count()
    patch.setattr(
        chalicelib.outbound.relay,
        "count",
        lambda tables, records: count(tables, [r._replace(event_id=f"x{next(names)}") for r in records]),
    )


@pytest.mark.parametrize(
    "plant",
    [
        write_without_version,
        check_then_write_apart,
        payout_line_applied_twice,
        latest_arrival_wins,
        failures_are_not_reported,
        shipment_without_key,
        leak_on_cancel,
        message_lost_by_the_relay,
        stream_batch_counted_twice,
    ],
)
def test_a_planted_bug_is_caught(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(MOST_SEEDS_TO_CATCH):
        try:
            if Story(seed).run():
                return
        except AssertionError:
            return
    pytest.fail(f"{plant.__name__} was not caught by {MOST_SEEDS_TO_CATCH} seeds")
