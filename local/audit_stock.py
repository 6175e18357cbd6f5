"""Every stock record, explained: the fold of its movements, the open orders' promises, and the parcels that moved it.

The same functions as behind GET /api/stock/{sku}/explain, over everything stored instead of one SKU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement, Place, Stock, discrepancies, promises, totals
from chalicelib.store.stock import stock_of
from chalicelib.store.tables import Item


def unexplained(
    records: Mapping[Place, Item], movements: Sequence[Movement], orders: Iterable[Order]
) -> dict[Place, list[str]]:
    """What is wrong at each SKU and location, in words; nothing where all is explained."""
    orders = [order for order in orders if order.content]
    promised: Counter[Place] = Counter()
    for order in orders:
        promised.update(promises(order))
    folded = totals(movements)
    moved, said = _moved_by_orders(movements), _said_by_orders(orders)
    found: dict[Place, list[str]] = {}
    for place in sorted({*records, *folded, *+promised, *said}):
        item = records.get(place, {})
        stock = stock_of(item) if item else Stock(*place)
        problems = discrepancies(stock, folded, promised)
        if item.get("available", 0) != stock.available:
            problems.append(f"available is {item.get('available')}, its own numbers say {stock.available}")
        problems += _differences(moved.get(place, Counter()), said.get(place, Counter()))
        if problems:
            found[place] = problems
    return found


_Fact = tuple[str, str]  # (kind, order id/parcel or return)


def _moved_by_orders(movements: Iterable[Movement]) -> dict[Place, Counter[_Fact]]:
    """Change of `on_hand` by each movement that an order made."""
    found: dict[Place, Counter[_Fact]] = defaultdict(Counter)
    for movement in movements:
        if movement.kind in ("shipment", "return"):
            found[movement.sku, movement.location][movement.kind, movement.movement_id] += movement.units
    return found


def _said_by_orders(orders: Iterable[Order]) -> dict[Place, Counter[_Fact]]:
    """The same as the orders have it: parcels from a location of ours, and returned units good to sell again."""
    found: dict[Place, Counter[_Fact]] = defaultdict(Counter)
    for order in orders:
        facts = [("shipment", s.shipment_id, s.location, s.items, -1) for s in order.state.shipments if s.location]
        facts += [("return", name, back.location, back.restocked, 1) for name, back in order.state.returns.items()]
        for kind, name, location, items, sign in facts:
            for index, units in items.items():
                for sku, each in order.lines[index].parts if order.lines[index].sku else ():
                    found[sku, location][kind, f"{order.order_id}/{name}"] += sign * units * each
    return found


def _differences(moved: Counter[_Fact], said: Counter[_Fact]) -> list[str]:
    return [
        f"{kind} {name} moved {moved[kind, name]}, its order says {said[kind, name]}"
        for kind, name in sorted({*moved, *said})
        if moved[kind, name] != said[kind, name]
    ]
