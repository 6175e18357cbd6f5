"""`docs/lifecycle.md`, made of the moves as data and of what the explorer saw: `python -m tests.lifecycle_page`."""

from __future__ import annotations

from pathlib import Path

from chalicelib.domain.lifecycle import ALLOWANCE_MS, STAGES
from chalicelib.domain.moves import MOVES
from tests.explorer import Seen, explored

PAGE = Path(__file__).parents[1] / "docs" / "lifecycle.md"

_HEAD = """# The turns of an order

Written by `python -m tests.lifecycle_page` from `chalicelib/domain/moves.py` and from the orders that the decisions
make of a few small ones (`tests/explorer.py`). `tests/unit/domain/test_moves.py` fails while it is not up to date, and
where a move is never made, does less or more than it says, or leads to a dead end.

An order's stage is derived from its units, its money and its holds; nothing sets it. A move changes units and money
only as stated here, adds one line to the timeline (when, who, which move, why, stage before and after) and leaves a
deadline in every stage that is not closed.
"""


def page(seen: Seen) -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_deadlines(), *_moves(seen), *_edges(seen)]) + "\n"


def _deadlines() -> list[str]:
    rows = [f"| {where} | {_words(ALLOWANCE_MS[where])} |" for where in STAGES if where in ALLOWANCE_MS]
    return ["## Stages that wait", "", "| stage | the sweep looks after |", "| --- | --- |", *rows, ""]


def _words(span_ms: int) -> str:
    minutes = span_ms // 60_000
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hours"


def _moves(seen: Seen) -> list[str]:
    head = [
        "## Moves",
        "",
        "| move | by | when | units | money | waits until |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return [
        *head,
        *(
            f"| {name} | {move.by} | {move.guard} | {_arrows(seen.flows[name])} "
            f"| {', '.join(sorted(seen.money[name]))} | {move.until} |"
            for name, move in MOVES.items()
        ),
        "",
    ]


def _arrows(flows: set[str]) -> str:
    pairs = (flow.split(">") for flow in sorted(flows))
    return ", ".join(f"{source or 'new'} → {target}" for source, target in pairs)


def _edges(seen: Seen) -> list[str]:
    """From which stage to which each move has led; "" is an order that was not there before."""
    rows = []
    for name in MOVES:
        changes = sorted((was or "new", now) for was, now in seen.edges[name] if was != now)
        stays = sorted(was for was, now in seen.edges[name] if was == now)
        rows.append(f"| {name} | {', '.join(f'{was} → {now}' for was, now in changes)} | {', '.join(stays)} |")
    return ["## Stages before and after", "", "| move | leads | stays in |", "| --- | --- | --- |", *rows]


if __name__ == "__main__":
    PAGE.write_text(page(explored()))
