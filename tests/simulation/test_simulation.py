"""The whole application under seeded faults keeps its books; and a planted bug does not go unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.simulation.mutants import MOST_SEEDS, MUTANTS, caught
from local.simulation.story import Story

SEEDS = 60
SAVED_SEEDS = (4, 15, 17, 36, 38, 72, 180, 447, 682)  # each has found a bug once
DOCS = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"


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
    assert one.choke.trace == other.choke.trace
    assert one.tables.items == other.tables.items


def test_every_fault_strikes_in_some_seed() -> None:
    struck = {fault for seed in range(20) for fault in _faults_of(seed)}
    assert struck == set(vars(Story(0).world.choke.mix))


def _faults_of(seed: int) -> set[str]:
    story = Story(seed)
    story.run()
    return {fault for fault, times in story.world.choke.faults.items() if times}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name: str) -> None:
    """The seed that the page names is tried first, since all that come before it are blind to the bug."""
    assert caught(MUTANTS[name], [_on_the_page()[name], *range(MOST_SEEDS)]), f"{name} was not caught"


def test_the_page_names_every_planted_bug_and_a_seed_that_is_allowed() -> None:
    assert _on_the_page().keys() == MUTANTS.keys()
    assert max(_on_the_page().values()) < MOST_SEEDS


def _on_the_page() -> dict[str, int]:
    """The seed that caught each planted bug when the page was made."""
    table = DOCS.read_text(encoding="utf-8").partition("| planted bug |")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.split("|")] for line in table if line.startswith("|")]
    return {row[1].replace(" ", "_"): int(row[3]) for row in rows}
