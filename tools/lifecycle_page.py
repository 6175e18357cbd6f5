"""docs/lifecycle.md from the moves as data and from what an exploration of small orders has seen of them.

`python -m tools.lifecycle_page` writes it anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.domain.lifecycle import ALLOWANCE_MS, STAGES
from chalicelib.domain.moves import MOVES, money_of
from chalicelib.domain.orders import Quantities, total_units
from tools.lifecycle_space import Seen, Space, explore

PAGE = Path(__file__).resolve().parent.parent / "docs" / "lifecycle.md"
MOST_STATES_EACH = 8
_LEDGER = ("open", "allocated", "backordered", "shipped", "cancelled")


@dataclass
class Observed:
    """What a move was seen to do. `unexplained`: changes of a ledger that no flows of the move account for."""

    flows: set[str] = field(default_factory=set)
    money: set[str] = field(default_factory=set)
    unexplained: set[str] = field(default_factory=set)
    stages: set[tuple[str, str]] = field(default_factory=set)


def observed(moves: Iterable[Seen]) -> dict[str, Observed]:
    """By move, over everything that was seen."""
    found: dict[str, Observed] = defaultdict(Observed)
    for seen in moves:
        what = found[seen.move]
        what.stages.add(seen.stages)
        what.money |= {name for name, was, now in money_of(seen.before, seen.after) if was != now}
        for was, now in _lines(seen):
            flows, unexplained = _flows(was, now, MOVES[seen.move].flows)
            what.flows |= flows
            what.unexplained |= unexplained
    return found


def _lines(seen: Seen) -> Iterator[tuple[Quantities, Quantities]]:
    before = seen.before.quantities if seen.before else ()
    for index, now in enumerate(seen.after.quantities):
        was = before[index] if index < len(before) else Quantities(0)
        if was != now:
            yield was, now


def _flows(was: Quantities, now: Quantities, declared: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """The declared flows that account for the change of one line, and the parts of it that none does.

    A unit may have gone through a bucket; a flow counts only where nothing else could have brought the unit there.
    """
    old, new = total_units([was]), total_units([now])
    change = {name: new[name] - old[name] for name in _LEDGER}
    sources = [name for name, by in change.items() if by < 0] + ([""] if new["ordered"] > old["ordered"] else [])
    flows, unexplained = set(), set()
    if new["returned"] != old["returned"]:
        (flows if ">returned" in declared else unexplained).add(">returned")
    targets = [name for name, by in change.items() if by > 0]
    for target in targets:
        ways = [way for source in sources if (way := _way(source, target, declared))]
        if not ways:
            unexplained.add(f"{'|'.join(sources)}>{target}")
        elif len(ways) == 1 or len(targets) == 1:
            flows.update(*ways)
    return flows, unexplained


def _way(source: str, target: str, declared: tuple[str, ...], through: tuple[str, ...] = ()) -> list[str]:
    """The shortest way from bucket to bucket by declared flows; [] for none."""
    if (direct := f"{source}>{target}") in declared:
        return [direct]
    steps = (flow.partition(">") for flow in declared)
    onward = [there for here, _, there in steps if here == source and there not in through]
    ways = [
        [f"{source}>{there}", *rest]
        for there in onward
        if (rest := _way(there, target, declared, (*through, source, there)))
    ]
    return min(ways, key=len, default=[])


def page(space: Space) -> str:
    """The whole page."""
    found = observed(space.moves)
    return "\n".join([_INTRODUCTION, *_table(found), "", _STAGES, *_edges(found), ""])


_INTRODUCTION = """\
# The life of an order

An order is its quantities and its money; stage and status follow from them (`chalicelib/domain/lifecycle.py`), and
every change is one of the moves below (`MOVES` in `chalicelib/domain/moves.py`), written to the order's timeline with
time, actor, cause, and the stage before and after. A move that does anything else than stands here is refused.

This page is made by `python -m tools.lifecycle_page` from that table and from every turn that small orders can take;
`tests/unit/domain/test_moves.py` holds that each move can be made and does all of this and nothing else, and that
every state that was reached has a deadline and a way to the end.

## Moves

Units flow between the parts of a line's ledger: ordered = open + allocated + backordered + shipped + cancelled;
returned is a part of shipped. `→ open` comes from outside. *Until*: what limits the wait that follows, beside the
allowance of the stage.

| Move | By | When | Units | Money | Until |
|---|---|---|---|---|---|"""
_STAGES = """\
## Stages

From which stage to which each move was seen to lead, where the stage changes. Nothing waits longer than the
allowance of its stage before the sweep looks at it.

| From | Allowance | To | By |
|---|---|---|---|"""
_HOUR_MS = 3_600_000


def _table(found: Mapping[str, Observed]) -> Iterator[str]:
    for name, move in MOVES.items():
        units = ", ".join(flow.replace(">", " → ").strip() for flow in move.flows if flow in found[name].flows)
        money = ", ".join(amount for amount in move.money if amount in found[name].money)
        yield f"| {name} | {move.by} | {move.guard} | {units} | {money} | {move.until} |"


def _edges(found: Mapping[str, Observed]) -> Iterator[str]:
    by: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in MOVES:
        for edge in found[name].stages:
            by[edge].append(name)
    for before in ("", *STAGES):
        for after in STAGES:
            if before != after and (names := by.get((before, after))):
                yield f"| {before or '(new)'} | {_allowance(before)} | {after} | {', '.join(names)} |"


def _allowance(where: str) -> str:
    allowed_ms = ALLOWANCE_MS.get(where, 0)
    if not allowed_ms:
        return ""
    return f"{allowed_ms / _HOUR_MS:g} h"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(explore(MOST_STATES_EACH)), encoding="utf-8")


if __name__ == "__main__":
    main()
