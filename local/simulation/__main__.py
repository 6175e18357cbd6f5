"""make sim: many seeds, or one again. The last line printed is JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

from chalicelib.runtime import log
from local.simulation.story import Story


def main() -> int:
    parser = argparse.ArgumentParser(prog="sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--seed-base", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one seed only")
    options = parser.parse_args()
    log.sink = lambda line: None
    seeds = [options.seed] if options.seed is not None else range(options.seed_base, options.seed_base + options.seeds)
    started, calls, orders, violations = time.perf_counter(), 0, 0, 0
    faults: Counter[str] = Counter()
    for done, seed in enumerate(seeds, start=1):
        story = Story(seed)
        wrong = story.run()
        calls += story.world.choke.calls
        orders += len(story.world.shop.orders)
        faults += story.world.choke.faults
        violations += len(wrong)
        for problem in wrong:
            print(f"seed {seed}: {problem}   (again: make sim SEED={seed})", flush=True)
        if done % 100 == 0:
            print(f"{done} seeds", file=sys.stderr, flush=True)
    report = {
        "seeds": len(seeds),
        "calls": calls,
        "orders": orders,
        "faults": dict(faults),
        "violations": violations,
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(report))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
