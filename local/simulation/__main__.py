"""make sim: many seeds, or one again, or the planted bugs. The last line printed is JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any

from local.simulation.mutants import MUTANTS, caught
from local.simulation.story import Story

_CHUNK = 10


@dataclass(frozen=True)
class Ran:
    """One seed: what it counted, what was wrong, and the checksum of all that happened."""

    seed: int
    calls: int
    orders: int
    faults: Counter[str]
    trace: int
    wrong: list[str]


def run(seed: int) -> Ran:
    """One seed."""
    story = Story(seed)
    wrong = story.run()
    choke = story.world.choke
    return Ran(
        seed,
        choke.calls,
        sum(len(shop.orders) for shop in story.world.shops.values()),
        choke.faults,
        choke.trace,
        wrong,
    )


def main() -> int:
    options = _options()
    started = time.perf_counter()
    if options.mutants is not None:
        return _mutants(options.mutants or list(MUTANTS), started)
    if options.seed is not None:
        return _report([_again(options.seed, options.trace)], started)
    seeds = range(options.seed_base, options.seed_base + options.seeds)
    with ProcessPoolExecutor(options.jobs) as pool:
        return _report(_told(pool.map(run, seeds, chunksize=_CHUNK), len(seeds)), started)


def _again(seed: int, write_trace: bool) -> Ran:
    story = Story(seed)
    story.world.choke.told = []
    wrong = story.run()
    choke = story.world.choke
    if write_trace:
        print("\n".join(choke.told or ()))
    print(f"seed {seed}: {choke.calls} calls, trace {choke.trace:08x}")
    return Ran(
        seed,
        choke.calls,
        sum(len(shop.orders) for shop in story.world.shops.values()),
        choke.faults,
        choke.trace,
        wrong,
    )


def _told(results: Iterable[Ran], seeds: int) -> Iterator[Ran]:
    for done, ran in enumerate(results, start=1):
        if done % 100 == 0:
            print(f"{done} of {seeds} seeds", file=sys.stderr, flush=True)
        yield ran


def _report(results: Iterable[Ran], started: float) -> int:
    total: dict[str, Any] = {"seeds": 0, "calls": 0, "orders": 0, "faults": Counter(), "violations": 0}
    for ran in results:
        total["seeds"] += 1
        total["calls"] += ran.calls
        total["orders"] += ran.orders
        total["faults"] += ran.faults
        total["violations"] += len(ran.wrong)
        for problem in ran.wrong:
            print(f"seed {ran.seed}: {problem}   (again: make sim SEED={ran.seed})", flush=True)
    total["faults"] = dict(sorted(total["faults"].items()))
    print(json.dumps(total | {"seconds": round(time.perf_counter() - started, 1)}))
    return 1 if total["violations"] else 0


def _mutants(names: list[str], started: float) -> int:
    """The table of planted bugs, as docs/simulation.md shows it."""
    blind = 0
    print("| planted bug | what it is | caught by seed | first symptom |\n| --- | --- | --- | --- |")
    for name in names:
        plant = MUTANTS[name]
        catch = caught(plant)
        blind += catch is None
        symptom = " ".join(catch.symptom[:80].split()).replace("|", "/") if catch else ""
        seed = catch.first_seed if catch else "none"
        print(f"| {name.replace('_', ' ')} | {plant.__doc__} | {seed} | `{symptom}` |", flush=True)
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"mutants": len(names), "caught": len(names) - blind, "seconds": seconds}))
    return 1 if blind else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--seed-base", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one seed only")
    parser.add_argument("--trace", action="store_true", help="with --seed: write every step down")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", choices=MUTANTS, help="plant each bug, or these")
    parser.add_argument("--jobs", type=int, default=cpu_count() or 1, help="processes to run in")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
