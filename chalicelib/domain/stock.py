"""Stock of one SKU at one location, the moves that change it, and the movements that explain it.

A movement is a fact of the outside world under its natural key (a receipt, a count, a parcel …). A stock record is the
fold of its movements and of what open orders are promised; `discrepancies` says where it is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order

Place = tuple[str, str]  # (SKU, location)

# What the units of a movement change; of every other kind they change `on_hand`.
_COUNTED_IN = {"expected": "incoming", "safety_stock": "safety_stock"}
KINDS = ("receipt", "count", "adjustment", "shipment", "return", "transfer", "expected", "safety_stock")


@dataclass(frozen=True)
class Stock:
    """Units of one SKU at one location: 0 <= allocated <= on_hand.

    on_hand       physically there · allocated    the part of them that is promised to orders
    safety_stock  kept back from sale · incoming  expected, not there yet
    """

    sku: str
    location: str
    on_hand: int = 0
    allocated: int = 0
    version: int = 0
    changed_ms: int = 0
    safety_stock: int = 0
    incoming: int = 0

    @property
    def available(self) -> int:
        """Units that may still be promised; below 0 while there is less than the safety stock."""
        return self.on_hand - self.allocated - self.safety_stock


@dataclass(frozen=True)
class StockMove:
    """A change of one stock record: promise allocated +n, release allocated -n, ship both -n, restock on_hand +n."""

    sku: str
    location: str
    on_hand: int = 0
    allocated: int = 0
    safety_stock: int = 0
    incoming: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated - self.safety_stock


@dataclass(frozen=True)
class Movement:
    """A fact that changed stock, kept under (kind, movement_id) for each SKU and location that it touched.

    units     signed change of `on_hand`; of `incoming` for kind expected, of `safety_stock` for kind safety_stock
    cause     the order that a shipment or return belongs to, else a note
    expected_id, arrived   of a receipt: the expected movement that it fulfils, and by how many units
    """

    kind: str
    movement_id: str
    sku: str
    location: str
    units: int
    at_ms: int
    cause: str = ""
    expected_id: str = ""
    arrived: int = 0

    @property
    def move(self) -> StockMove:
        """What it changes. What leaves in a parcel was promised to its order."""
        changes = {_COUNTED_IN.get(self.kind, "on_hand"): self.units}
        if self.kind == "shipment":
            changes["allocated"] = self.units
        if self.arrived:
            changes["incoming"] = -self.arrived
        return StockMove(self.sku, self.location, **changes)


def merged(moves: Iterable[StockMove]) -> list[StockMove]:
    """One move per SKU and location, sorted: a transaction may touch no item twice."""
    sums: dict[Place, tuple[int, int, int, int]] = {}
    for move in moves:
        on_hand, allocated, safety_stock, incoming = sums.get((move.sku, move.location), (0, 0, 0, 0))
        sums[move.sku, move.location] = (
            on_hand + move.on_hand,
            allocated + move.allocated,
            safety_stock + move.safety_stock,
            incoming + move.incoming,
        )
    return [StockMove(*key, *change) for key, change in sorted(sums.items()) if any(change)]


def moved_by(stock: Stock, move: StockMove) -> Stock:
    """The stock after a move of it, as far as units go."""
    return Stock(
        stock.sku,
        stock.location,
        stock.on_hand + move.on_hand,
        stock.allocated + move.allocated,
        stock.version,
        stock.changed_ms,
        stock.safety_stock + move.safety_stock,
        stock.incoming + move.incoming,
    )


def decide_movement(stock: Stock, kind: str, units: int) -> int:
    """The signed units of a movement: a count and a safety stock state the new number, everything else the change.

    Raises `Refused` where fewer units would be left than orders are promised, or where a number makes no sense.
    """
    if kind in ("count", "safety_stock", "transfer", "expected") and units < 0:
        raise Refused("bad_request", f"units of a {kind} must not be negative, not {units}")
    if kind == "safety_stock":
        return units - stock.safety_stock
    if kind == "expected":
        return units
    change = {"count": units - stock.on_hand, "transfer": -units}.get(kind, units)
    left = stock.on_hand + change
    if change < 0 and left < stock.allocated:
        raise Refused(
            "not_allocated",
            f"{left} {stock.sku} would be left at {stock.location}, where {stock.allocated} are promised to orders: "
            "reject those orders at this location first",
        )
    return change


def totals(movements: Iterable[Movement]) -> dict[Place, StockMove]:
    """The fold of the movements: on_hand, safety_stock and incoming by SKU and location. `allocated` is not theirs."""
    sums: dict[Place, Counter[str]] = {}
    for movement in movements:
        place = sums.setdefault((movement.sku, movement.location), Counter())
        place[_COUNTED_IN.get(movement.kind, "on_hand")] += movement.units
        place["incoming"] -= movement.arrived
    return {
        place: StockMove(
            *place, on_hand=units["on_hand"], safety_stock=units["safety_stock"], incoming=units["incoming"]
        )
        for place, units in sums.items()
    }


def promises(order: Order) -> Counter[Place]:
    """Units that the order is promised, by SKU and location; of a kit those of its components."""
    units: Counter[Place] = Counter()
    for line, quantities in zip(order.lines, order.state.quantities, strict=True):
        for location, promised in quantities.allocations.items():
            for sku, each in line.parts:
                units[sku, location] += promised * each
    return units


def discrepancies(stock: Stock, folded: Mapping[Place, StockMove], promised: Mapping[Place, int]) -> list[str]:
    """Where the record differs from its movements and the orders' promises; empty when it is explained in full."""
    place = (stock.sku, stock.location)
    fold = folded.get(place, StockMove(*place))
    wanted = {
        "on_hand": (stock.on_hand, fold.on_hand, "its movements"),
        "safety_stock": (stock.safety_stock, fold.safety_stock, "its movements"),
        "incoming": (stock.incoming, fold.incoming, "its movements"),
        "allocated": (stock.allocated, promised.get(place, 0), "the open orders"),
    }
    return [
        f"{name} is {there}, {source} say {said}" for name, (there, said, source) in wanted.items() if there != said
    ]
