"""The books, checked: every invariant of orders, stock and money that can be seen in what is stored.

Used by the replay, the tests and the simulation on whatever store they ran on; reads items, decides nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.domain.lifecycle import CLOSED, stage, status
from chalicelib.domain.orders import Order, collectible_minor, refunded_minor, total_units, violations
from chalicelib.domain.settlement import GROSS, TAX, tax_beside
from chalicelib.domain.stock import Movement
from chalicelib.store.counters import Counts
from chalicelib.store.orders import order_of
from chalicelib.store.stock import movement_of
from chalicelib.store.tables import Item
from local.audit_stock import unexplained


@dataclass
class Books:
    """What a store holds, and what is wrong with it.

    skus         those that have stock or had a movement · unbalanced   those of them that are not explained in full
    """

    orders: dict[str, Order]
    stock: dict[tuple[str, str], Item]
    waiting: dict[tuple[str, str], int]
    movements: list[Movement]
    settled: Counter[str]
    counts: Counts
    wrong: list[str] = field(default_factory=list)
    oversold: int = 0
    skus: frozenset[str] = frozenset()
    unbalanced: frozenset[str] = frozenset()


def audit(items: Mapping[str, Iterable[Item]], counts: Counts) -> Books:
    """Read the items of the tables orders, stock and ledger and check them against each other."""
    books = _read(items, counts)
    for order in books.orders.values():
        books.wrong += [f"{order.order_id}: {problem}" for problem in _order_problems(order, books)]
    _check_stock(books)
    _check_counts(books)
    return books


def _read(items: Mapping[str, Iterable[Item]], counts: Counts) -> Books:
    states, contents = {}, {}
    for item in items["orders"]:
        (states if item["sk"] == "STATE" else contents)[item["pk"]] = item
    books = Books({}, {}, {}, [], Counter(), counts)
    for order_id, state in states.items():
        books.orders[order_id] = order_of(state, contents.get(order_id))
    for item in items["stock"]:
        kind, _, name = item["sk"].partition("#")
        if kind == "LOC":
            books.stock[item["pk"], name] = item
        elif kind == "BACKORDER":
            books.waiting[item["pk"], item["order"]] = item["units"]
        elif kind == "MOVE":
            books.movements.append(movement_of(item))
    for item in items["ledger"]:
        order = books.orders.get(item["sk"])
        if (
            item.get("matched") and order
        ):  # what is not matched, and a fact outside of payouts, is of no order's account
            gross = sum(amount_minor for kind, amount_minor in item["lines"].values() if kind in GROSS)
            passed_on = -sum(amount_minor for kind, amount_minor in item["lines"].values() if kind == TAX)
            books.settled[item["sk"]] += gross - tax_beside(order, passed_on)
    return books


def _order_problems(order: Order, books: Books) -> list[str]:
    state = order.state
    found = violations(state)
    if order.content is None:
        found.append("has no content")
    if len(state.timeline) != state.version:
        found.append(f"version {state.version} with {len(state.timeline)} lines of timeline")
    if stage(order) not in CLOSED and state.due_ms <= 0:
        found.append("waits without a deadline")
    if state.settled_minor != books.settled[order.order_id]:
        found.append(f"settled {state.settled_minor}, the ledger says {books.settled[order.order_id]}")
    if refunded_minor(state) > collectible_minor(state):
        found.append("more was refunded than captured")
    shipped = Counter[int]()
    for shipment in state.shipments:
        shipped.update(shipment.items)
    for index, units in enumerate(state.quantities):
        if order.content and order.lines[index].ships and units.shipped != shipped[index]:
            found.append(f"line {index} has shipped {units.shipped}, its shipments say {shipped[index]}")
    return found


def _check_stock(books: Books) -> None:
    """Every record of stock is explained, nothing is promised twice, and the orders that wait are kept with it."""
    for key, item in books.stock.items():
        have, promised = item.get("on_hand", 0), item.get("allocated", 0)
        if not 0 <= promised <= have:
            books.oversold += 1
            books.wrong.append(f"{key}: {promised} allocated of {have} on hand")
    found = unexplained(books.stock, books.movements, books.orders.values())
    books.wrong += [f"{place}: {problem}" for place, problems in found.items() for problem in problems]
    books.skus = frozenset(sku for sku, _ in (*books.stock, *((m.sku, m.location) for m in books.movements)))
    books.unbalanced = frozenset(sku for sku, _ in found)
    if +_backordered(books.orders.values()) != Counter(books.waiting):
        books.wrong.append("the backorders kept with stock differ from those of the orders")


def _backordered(orders: Iterable[Order]) -> Counter[tuple[str, str]]:
    """Units that wait, by SKU and order; of a kit those of its components."""
    backordered: Counter[tuple[str, str]] = Counter()
    for order in orders:
        for line, units in zip(order.lines if order.content else (), order.state.quantities, strict=False):
            for sku, each in line.parts:
                backordered[sku, order.order_id] += units.backordered * each
    return backordered


def _check_counts(books: Books) -> None:
    actual: dict[str, Counter[str]] = defaultdict(Counter)
    for order in books.orders.values():
        actual[order.channel][stage(order)] += 1
        if order.state.holds and stage(order) not in CLOSED:
            actual[order.channel]["on_hold"] += 1
    for channel in {*actual, *books.counts}:
        stored = +Counter(books.counts.get(channel, {}))
        if stored != +actual[channel]:
            books.wrong.append(f"{channel}: counted {dict(stored)}, there are {dict(actual[channel])}")


def by_status(orders: Iterable[Order]) -> dict[str, int]:
    """Orders by their one-word status."""
    return dict(sorted(Counter(status(order) for order in orders).items()))


def units_of(orders: Iterable[Order]) -> dict[str, int]:
    """Units of all orders, as a line's ledger names them."""
    sums: Counter[str] = Counter()
    for order in orders:
        sums.update(total_units(order.state.quantities))
    return {
        name: sums[name] for name in ("ordered", "open", "allocated", "backordered", "shipped", "cancelled", "returned")
    }
