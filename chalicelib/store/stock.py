"""Stock in its table: one record per SKU and location, the movements that made it, and the backordered orders of each
SKU, oldest first.

<sku> / LOC#<location>                            the record
<sku> / MOVE#<kind>#<movement id>#<location>      one movement; in older tables MOVE#<movement id>, a receipt
<sku> / BACKORDER#<time>#<order>                  an order that waits
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.lifecycle import promised_ms
from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement, Place, Stock, StockMove, merged
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write

_LOCATION = "LOC#"
_MOVEMENT = "MOVE#"
_BACKORDER = "BACKORDER#"
_PAGE = 1000


def stock_key(sku: str, location: str) -> Key:
    return Key("stock", sku, _LOCATION + location)


def is_stock(sk: str) -> bool:
    """Whether a sort key of the table names a stock record."""
    return sk.startswith(_LOCATION)


def is_movement(sk: str) -> bool:
    """Whether a sort key of the table names a movement."""
    return sk.startswith(_MOVEMENT)


def read_stock(tables: Tables, skus: Iterable[str], locations: Sequence[str]) -> dict[str, list[Stock]]:
    """The stock of each SKU, in the order of `locations`; [] where there is none."""
    wanted = list(dict.fromkeys(skus))
    items = tables.get_many([stock_key(sku, place) for sku in wanted for place in locations])
    return {
        sku: [stock_of(items[key]) for place in locations if (key := stock_key(sku, place)) in items] for sku in wanted
    }


def stock_of(item: Item) -> Stock:
    return Stock(
        sku=item["pk"],
        location=item["sk"].removeprefix(_LOCATION),
        on_hand=item.get("on_hand", 0),
        allocated=item.get("allocated", 0),
        version=item.get("version", 0),
        changed_ms=item.get("changed_ms", 0),
        safety_stock=item.get("safety_stock", 0),
        incoming=item.get("incoming", 0),
    )


def stock_writes(moves: Iterable[StockMove], now_ms: int, versions: Mapping[Place, int] | None = None) -> list[Write]:
    """One conditional change for each move: promised units must be available, shipped units present and promised.

    A move of a place in `versions` was decided on that version of the record, which must still be there; its numbers
    are then not compared. `changed_ms` starts the clock of every channel's latency.
    """
    return [
        Change(
            stock_key(move.sku, move.location),
            add={
                **{name: value for name, value in _attributes(move).items() if value},
                "version": 1,
            },
            put={"changed_ms": now_ms},
            when=_condition(move, (versions or {}).get((move.sku, move.location))),
        )
        for move in moves
    ]


def _condition(move: StockMove, version: int | None) -> When:
    if version is not None:
        return When(version=version)
    return When(at_least=tuple((name, -value) for name, value in _attributes(move).items() if value < 0))


def _attributes(move: StockMove) -> dict[str, int]:
    # `available` is stored, since a condition can compare but not calculate
    return {
        "on_hand": move.on_hand,
        "allocated": move.allocated,
        "available": move.available,
        "safety_stock": move.safety_stock,
        "incoming": move.incoming,
    }


def backorder_writes(order: Order, backorders: Mapping[str, int]) -> list[Write]:
    """Keep, for each SKU, which orders wait for how many units of it."""
    writes: list[Write] = []
    for sku, units in sorted(backorders.items()):
        key = Key("stock", sku, f"{_BACKORDER}{promised_ms(order.state):014d}#{order.order_id}")
        item = {"schema": SCHEMA, "order": order.order_id, "units": units}
        writes.append(Put(key, item) if units else Delete(key))
    return writes


def backorders(tables: Tables, sku: str) -> Iterator[list[tuple[str, int]]]:
    """The orders that wait for `sku` and for how many units, page by page, due first."""
    cursor = ""
    while True:
        page = tables.query("stock", sku, begins=_BACKORDER, limit=100, cursor=cursor)
        yield [(item["order"], item["units"]) for item in page.items]
        cursor = page.cursor
        if not cursor:
            return


def movement_key(movement: Movement) -> Key:
    name = f"{movement.kind}#{movement.movement_id}#{movement.location}"
    return Key("stock", movement.sku, _MOVEMENT + name)


def movement_writes(
    movements: Iterable[Movement], now_ms: int, versions: Mapping[Place, int] | None = None
) -> list[Write]:
    """What applies these movements, each once: when one is known already, the whole transaction is `Stale`.

    One item for each movement at a SKU and location (lines of one parcel are summed), and one change of each stock
    record. `versions`: as in `stock_writes`; a place in it is written even when its numbers stay, so that a count is
    never of a moment that has passed.
    """
    kept: dict[Key, Movement] = {}
    for movement in movements:
        key = movement_key(movement)
        known = kept.get(key)
        kept[key] = replace(known, units=known.units + movement.units) if known else movement
    decided = versions or {}
    moves = {(move.sku, move.location): move for move in merged(movement.move for movement in kept.values())}
    unmoved = {place: StockMove(*place) for place in decided}
    return [
        *(Put(key, _movement_item(movement), When(absent=True)) for key, movement in kept.items()),
        *(_arrival(movement) for movement in kept.values() if movement.arrived),
        *stock_writes((unmoved | moves).values(), now_ms, decided),
    ]


def _movement_item(movement: Movement) -> Item:
    item: Item = {
        "schema": SCHEMA,
        "kind": movement.kind,
        "movement_id": movement.movement_id,
        "location": movement.location,
        "units": movement.units,
        "at_ms": movement.at_ms,
    }
    if movement.kind == "expected":
        item["left"] = movement.units
    optional = {"cause": movement.cause, "expected_id": movement.expected_id, "arrived": movement.arrived}
    return item | {name: value for name, value in optional.items() if value}


def _expected_key(sku: str, location: str, expected_id: str) -> Key:
    return movement_key(Movement("expected", expected_id, sku, location, 0, 0))


def _arrival(movement: Movement) -> Change:
    """What has arrived is expected no longer."""
    return Change(
        _expected_key(movement.sku, movement.location, movement.expected_id),
        add={"left": -movement.arrived},
        when=When(at_least=(("left", movement.arrived),)),
    )


def still_expected(tables: Tables, sku: str, location: str, expected_id: str) -> int | None:
    """Units of an expected movement that have not arrived; None when there is no such movement."""
    item = tables.get(_expected_key(sku, location, expected_id))
    return int(item["left"]) if item else None


def is_known(tables: Tables, movement: Movement) -> bool:
    """Whether the movement was applied already, under its own key or as a receipt of an older table."""
    keys = [movement_key(movement)]
    if movement.kind == "receipt":
        keys.append(Key("stock", movement.sku, _MOVEMENT + movement.movement_id))
    return bool(tables.get_many(keys))


def receipt_writes(movement_id: str, sku: str, location: str, units: int, now_ms: int) -> list[Write]:
    """Units arrive (or, negative, are written off) under `movement_id`, once: again, the transaction is `Stale`."""
    return movement_writes([Movement("receipt", movement_id, sku, location, units, now_ms)], now_ms)


def movement_of(item: Item) -> Movement:
    """The movement of an item; one without a kind is a receipt."""
    return Movement(
        kind=item.get("kind", "receipt"),
        movement_id=item.get("movement_id") or item["sk"].removeprefix(_MOVEMENT),
        sku=item["pk"],
        location=item["location"],
        units=item["units"],
        at_ms=item["at_ms"],
        cause=item.get("cause", ""),
        expected_id=item.get("expected_id", ""),
        arrived=item.get("arrived", 0),
    )


def read_movements(tables: Tables, sku: str) -> Iterator[Movement]:
    """All movements of a SKU, in the order of their keys."""
    return map(movement_of, _all(tables, sku, _MOVEMENT))


def read_places(tables: Tables, sku: str) -> list[Stock]:
    """The stock of a SKU at every location that has a record of it, whether stock is still kept there or not."""
    return [stock_of(item) for item in _all(tables, sku, _LOCATION)]


def _all(tables: Tables, sku: str, begins: str) -> Iterator[Item]:
    cursor, more = "", True
    while more:
        page = tables.query("stock", sku, begins=begins, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        more = bool(cursor)


def listed_write(sku: str, location: str, kinds: Iterable[str], now_ms: int) -> Change:
    """Remember on the stock record which kinds of channel list the SKU or a kit of it, so that the relay need not ask.

    `listings` counts what has changed of the listings, so that the relay tells the channels; the version rises, so
    that they are sent the number anew. The record comes into being where there is none.
    """
    return Change(
        stock_key(sku, location),
        add={"listings": 1, "version": 1, "on_hand": 0, "allocated": 0, "available": 0},
        put={"listed_on": sorted(kinds), "changed_ms": now_ms},
    )
