"""Stock in its table: one record per SKU and location, and the backordered orders of each SKU, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chalicelib.domain.lifecycle import promised_ms
from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement, Stock, StockMove
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write

_LOCATION = "LOC#"
_BACKORDER = "BACKORDER#"


def stock_key(sku: str, location: str) -> Key:
    return Key("stock", sku, _LOCATION + location)


def is_stock(sk: str) -> bool:
    """Whether a sort key of the table names a stock record."""
    return sk.startswith(_LOCATION)


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
    )


def stock_writes(moves: Iterable[StockMove], now_ms: int) -> list[Write]:
    """One conditional change for each move: promised units must be available, shipped units present and promised.

    `changed_ms` starts the clock of every channel's latency.
    """
    return [
        Change(
            stock_key(move.sku, move.location),
            add={
                **{name: value for name, value in _attributes(move).items() if value},
                "version": 1,
            },
            put={"changed_ms": now_ms},
            when=When(at_least=tuple((name, -value) for name, value in _attributes(move).items() if value < 0)),
        )
        for move in moves
    ]


def _attributes(move: StockMove) -> dict[str, int]:
    # `available` is stored, since a condition can compare but not calculate
    return {"on_hand": move.on_hand, "allocated": move.allocated, "available": move.available}


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


def receipt_writes(movement_id: str, sku: str, location: str, units: int, now_ms: int) -> list[Write]:
    """Units arrive (or, negative, are written off) under `movement_id`, once: again, the transaction is `Stale`."""
    movement = {"schema": SCHEMA, "units": units, "at_ms": now_ms, "location": location}
    return [
        Put(movement_key(sku, movement_id), movement, When(absent=True)),
        *stock_writes([StockMove(sku, location, on_hand=units)], now_ms),
    ]


def movement_key(sku: str, movement_id: str) -> Key:
    return Key("stock", sku, f"MOVE#{movement_id}")


def listed_write(sku: str, location: str, kinds: Sequence[str]) -> Change:
    """Remember on the stock record which kinds of channel list the SKU, so that the relay need not ask; `listings`
    counts the links, so that each new one is pushed."""
    return Change(stock_key(sku, location), add={"listings": 1}, put={"listed_on": sorted(kinds)})


def movement_writes(movements: Iterable[Movement], now_ms: int) -> list[Write]:
    writes: list[Write] = []
    for m in movements:
        key = Key("stock", m.sku, f"MOVE#{m.kind}#{m.movement_id}#{m.location}")
        writes.append(
            Put(key, {"schema": SCHEMA, "units": m.units, "at_ms": m.at_ms, "location": m.location}, When(absent=True))
        )
        allocated = m.units if m.kind == "shipment" else 0
        writes += (
            stock_writes([StockMove(m.sku, m.location, on_hand=m.units, allocated=allocated)], now_ms)
            if m.units
            else []
        )
    return writes
