"""What a test session has held to the official models: counted here, gathered and printed by tests/conftest.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class Counts:
    """Calls by name, of one process or of all of them.

    requests, answers   `Operation.name` -> how many fitted their model
    paths_only          the same of requests whose model lists methods and paths alone
    unmodelled          name of an exception -> calls
    vectors, altered    signature vector -> how often it passed; how many altered bytes of it were refused
    """

    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    paths_only: Counter[str] = field(default_factory=Counter)
    unmodelled: Counter[str] = field(default_factory=Counter)
    vectors: Counter[str] = field(default_factory=Counter)
    altered: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def add(self, told: Mapping[str, Mapping[str, int]]) -> None:
        """Adds what another process counted: its `plain()`."""
        for name, counted in told.items():
            getattr(self, name).update(counted)

    def plain(self) -> dict[str, dict[str, int]]:
        """As plain dicts, which travel between processes."""
        return {name: dict(counted) for name, counted in vars(self).items()}


COUNTS = Counts()


def told(counts: Counts, reasons: Mapping[str, str], used: Iterable[str], samples: Iterable[str]) -> list[str]:
    """The lines of the summary. `reasons` of the exceptions, by name; `used`: the samples whose named tests passed."""
    operations = counts.requests.keys() | counts.answers.keys()
    lines = [
        f"contract: {len(operations)} operations, {counts.requests.total():,} requests and "
        f"{counts.answers.total():,} answers validated against the official models"
    ]
    if counts.paths_only:
        lines.append(
            f"  by method and path alone: {len(counts.paths_only)} operations, {counts.paths_only.total():,} requests "
            f"({reasons.get('', '')})"
        )
    for name, calls in sorted(counts.unmodelled.items()):
        lines.append(f"  without a model: {name} ({reasons.get(name, 'no reason given')}): {calls:,} calls")
    files, passed = set(samples), set(used)
    lines.append(
        f"  samples used: {len(files & passed)} of {len(files)}; signature vectors: {len(counts.vectors)} passed, "
        f"{len(counts.altered)} altered refused ({counts.altered.total():,} bytes)"
    )
    return lines
