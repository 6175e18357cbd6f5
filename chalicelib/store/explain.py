"""Why a stock record says what it says: its movements folded, and the open orders that hold what is promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement, Place, Stock, discrepancies, promises, totals
from chalicelib.store.accounts import channels
from chalicelib.store.counters import read_counts
from chalicelib.store.orders import list_order_ids, read_orders
from chalicelib.store.stock import read_movements, read_places
from chalicelib.store.tables import Tables

# An order of a later stage has shipped all it was promised.
HOLDING_STAGES = ("entry", "funding", "allocation", "shipping")
_PAGE = 100


@dataclass(frozen=True)
class Explanation:
    """One SKU. `held` names the open orders that its units are promised to, as (order id, location, units).

    `problems`: by location, where the record is not the fold of its movements and promises; none when all is explained.
    """

    sku: str
    places: tuple[Stock, ...]
    movements: tuple[Movement, ...]
    held: tuple[tuple[str, str, int], ...]
    problems: dict[str, list[str]]


def explain(tables: Tables, sku: str) -> Explanation:
    """Explain one SKU at all of its locations. Reads every open order that may hold stock; a change that is committed
    meanwhile may show as a problem, so ask again before believing one."""
    held = tuple(
        (order.order_id, location, units)
        for order in holding_orders(tables)
        for (held_sku, location), units in promises(order).items()
        if held_sku == sku and units
    )
    promised: Counter[Place] = Counter()
    for _, location, units in held:
        promised[sku, location] += units
    movements = tuple(read_movements(tables, sku))
    folded = totals(movements)
    places = {(stock.sku, stock.location): stock for stock in read_places(tables, sku)}
    problems = {
        place[1]: discrepancies(places.get(place, Stock(*place)), folded, promised)
        for place in sorted({*places, *folded, *promised})
    }
    return Explanation(sku, tuple(places.values()), movements, held, problems)


def holding_orders(tables: Tables) -> Iterator[Order]:
    """The open orders that may be promised stock, with their content, in pages."""
    for stage in HOLDING_STAGES:
        for order_ids in holding_order_ids(tables, stage):
            yield from read_orders(tables, order_ids, content=True).values()


def holding_order_ids(tables: Tables, stage: str) -> Iterator[list[str]]:
    """Pages of the ids of all orders of a stage, whatever their channel."""
    names = sorted({*channels(tables), *read_counts(tables)})
    cursor, more = "", bool(names)
    while more:
        page, cursor = list_order_ids(tables, names, stage, _PAGE, cursor)
        yield page
        more = bool(cursor)
