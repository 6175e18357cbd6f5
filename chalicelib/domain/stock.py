"""Stock of one SKU at one location, and the moves that change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stock:
    """Physical units (`on_hand`) and the part of them that is promised (`allocated`): 0 <= allocated <= on_hand."""

    sku: str
    location: str
    on_hand: int
    allocated: int
    version: int = 0
    changed_ms: int = 0

    @property
    def available(self) -> int:
        """Units that may still be promised."""
        return self.on_hand - self.allocated


@dataclass(frozen=True)
class StockMove:
    """A change of one stock record: promise allocated +n, release allocated -n, ship both -n, restock on_hand +n."""

    sku: str
    location: str
    on_hand: int = 0
    allocated: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated


def merged(moves: Iterable[StockMove]) -> list[StockMove]:
    """One move per SKU and location, sorted: a transaction may touch no item twice."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for move in moves:
        on_hand, allocated = sums.get((move.sku, move.location), (0, 0))
        sums[move.sku, move.location] = (on_hand + move.on_hand, allocated + move.allocated)
    return [StockMove(*key, *change) for key, change in sorted(sums.items()) if change != (0, 0)]


@dataclass(frozen=True)
class Movement:
    kind: str
    movement_id: str
    sku: str
    location: str
    units: int
    at_ms: int
    cause: str = ""
