"""What a test session has held to the official models: counted here, gathered and printed by tests/conftest.py.

Every name that is counted begins with its channel: `amazon orders_2026-01-01 searchOrders`, `shopify Orders`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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


# channel -> what its requests are held to; the others' models are complete descriptions of every operation
MODELS = {
    "shopify": "GraphQL documents and variables, by the Admin API 2026-10",
    "woocommerce": "routes and arguments, by the API's own index",
    "meta": "by the models of the catalogue and of the Conversions API",
}


def channel_of(sample: str) -> str:
    """The channel that a file below samples/ is of: `shopify`; of carriers, the carrier's service."""
    first, second, *_ = sample.split("/")
    return second if first == "carriers" else first


def told(counts: Counts, reasons: Mapping[str, str], used: Iterable[str], samples: Iterable[str]) -> list[str]:
    """The lines of the summary. `reasons` of the exceptions, by name; `used`: the samples whose named tests passed."""
    files = set(samples)
    passed = files & set(used)
    channels = sorted({*map(channel_of, files), *map(_first, counts.requests)})
    lines = [
        f"contract: {len(counts.requests.keys() | counts.answers.keys())} operations, {counts.requests.total():,} "
        f"requests and {counts.answers.total():,} answers validated against the official models",
        *(f"  {channel}: {'; '.join(_of_channel(channel, counts, files, passed))}" for channel in channels),
    ]
    if counts.paths_only:
        lines.append(
            f"  by method and path alone: {len(counts.paths_only)} operations, {counts.paths_only.total():,} requests "
            f"({reasons.get('', '')})"
        )
    for name, calls in sorted(counts.unmodelled.items()):
        lines.append(f"  without a model: {name} ({reasons.get(name, 'no reason given')}): {calls:,} calls")
    lines.append(
        f"  samples used: {len(passed)} of {len(files)}; signature vectors: {len(counts.vectors)} passed, "
        f"{len(counts.altered)} altered refused ({counts.altered.total():,} bytes)"
    )
    return lines


def _of_channel(channel: str, counts: Counts, files: set[str], passed: set[str]) -> Iterator[str]:
    """What was held of one channel, part by part; a part that nothing was held of is left out."""
    requests, answers = (_only(channel, counter) for counter in (counts.requests, counts.answers))
    if operations := len(requests.keys() | answers.keys()):
        told = f" and {answers.total():,} answers" if answers else ""
        model = f" ({MODELS[channel]})" if channel in MODELS else ""
        yield f"{operations} operations, {requests.total():,} requests{told}{model}"
    if there := {file for file in files if channel_of(file) == channel}:
        yield f"samples {len(there & passed)} of {len(there)}"
    if vectors := _only(channel, counts.vectors):
        yield f"vectors {len(vectors)}, altered bytes refused {_only(channel, counts.altered).total():,}"


def _only(channel: str, counter: Counter[str]) -> Counter[str]:
    return Counter({name: number for name, number in counter.items() if _first(name) == channel})


def _first(name: str) -> str:
    return name.partition(" ")[0]
