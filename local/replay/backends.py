"""Where a replay runs: the stages over in-memory ports, or the application deployed into the local engine.

Both take the same documents and facts and give the same views, so the replay does not know which one it drives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from chalicelib.inbound.views import order_detail
from chalicelib.store.accounts import add_account
from chalicelib.store.counters import Counts, read_counts
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import list_order_ids, read_order, read_orders
from chalicelib.store.stock import receipt_writes
from chalicelib.store.tables import Item, Tables
from local.cost.bill import per_million
from local.memory.world import World

LOCATION = "main"
OPENING = "opening"
_PAGE = 100


class Backend(Protocol):
    """The application, seen from the shop, the warehouse and the bank."""

    def seed(self, opening: Mapping[str, int], channels: Iterable[str], receipt: str = OPENING) -> None:
        """Make SKUs known, receive their opening stock under the id `receipt`, add the channels."""

    def at(self, now_ms: int) -> None:
        """Time has come this far (a deployed application has its own clock)."""

    def place(self, channel: str, document: Mapping[str, Any]) -> None:
        """A storefront order document, new or changed."""

    def quiet(self) -> None:
        """Return when all that was sent has been worked off."""

    def order(self, order_id: str) -> dict[str, Any] | None:
        """The order as the API shows it."""

    def orders(self, stage: str, channels: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The open orders of a stage: their ids, and the lines that have units allocated, with how many and where."""

    def ship(self, order_id: str, shipment: Mapping[str, Any]) -> None:
        """The warehouse has shipped."""

    def take_back(self, order_id: str, returned: Mapping[str, Any]) -> None:
        """The warehouse has received a return."""

    def pay(self, channel: str, payout: Mapping[str, Any]) -> None:
        """The channel has paid out; amounts in minor units."""

    def stored(self) -> tuple[dict[str, list[Item]], Counts]:
        """Everything stored, for the audit."""

    def billable(self, orders: int) -> dict[str, float] | None:
        """Billable units so far, or None where nothing meters them."""


def seed_tables(
    tables: Tables, opening: Mapping[str, int], channels: Iterable[str], now_ms: int, receipt: str = OPENING
) -> None:
    """Opening stock straight into the tables, as a first import would do."""
    for channel in channels:
        add_account(tables, channel, {"kind": "storefront"})
    for sku, units in opening.items():
        tables.write(*sku_writes(sku, sku))
        tables.write(*receipt_writes(receipt, sku, LOCATION, units, now_ms))


class MemoryBackend:
    """The stages in this process."""

    def __init__(self) -> None:
        self.world = World(now_ms=0)

    def seed(self, opening: Mapping[str, int], channels: Iterable[str], receipt: str = OPENING) -> None:
        spent = self.world.meter.units.copy()
        seed_tables(self.world.tables, opening, channels, self.world.now_ms, receipt)
        self.quiet()
        self.world.meter.units.clear()
        self.world.meter.units.update(spent)

    def at(self, now_ms: int) -> None:
        self.world.now_ms = max(self.world.now_ms, now_ms)

    def place(self, channel: str, document: Mapping[str, Any]) -> None:
        with self.world.api_request():
            self.world.queues.send("entry", [{"channel": channel, "raw": json.dumps(document), "hint": {}}])

    def quiet(self) -> None:
        self.world.run()

    def order(self, order_id: str) -> dict[str, Any] | None:
        found = read_order(self.world.tables, order_id, content=True)
        return order_detail(found) if found else None

    def orders(self, stage: str, channels: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        cursor, more = "", True
        while more:
            page, cursor = list_order_ids(self.world.tables, list(channels), stage, _PAGE, cursor)
            more = bool(cursor)
            for order in read_orders(self.world.tables, page, content=True).values():
                yield (
                    order.order_id,
                    [
                        {"line_id": line.line_id, "allocations": units.allocations}
                        for line, units in zip(order.lines, order.state.quantities, strict=True)
                        if units.allocations
                    ],
                )

    def ship(self, order_id: str, shipment: Mapping[str, Any]) -> None:
        fact = {**shipment, "shipped_ms": self.world.now_ms}
        with self.world.api_request():
            self.world.queues.send("shipping", [{"order": order_id, "do": "ship", "fact": fact}])

    def take_back(self, order_id: str, returned: Mapping[str, Any]) -> None:
        with self.world.api_request():
            self.world.queues.send("shipping", [{"order": order_id, "do": "return", "fact": dict(returned)}])

    def pay(self, channel: str, payout: Mapping[str, Any]) -> None:
        shared = {name: payout[name] for name in ("payout_id", "currency", "paid_ms")}
        orders: dict[str, list[dict[str, Any]]] = {}
        for line in payout["lines"]:
            booked = {name: line[name] for name in ("line_id", "kind", "amount_minor")}
            orders.setdefault(line["order_id"], []).append(booked)
        messages = [
            {"payout": {"channel": channel, **shared, "order_id": order_id, "lines": lines}}
            for order_id, lines in orders.items()
        ]
        with self.world.api_request():
            self.world.queues.send("settlement", messages)

    def stored(self) -> tuple[dict[str, list[Item]], Counts]:
        items: dict[str, list[Item]] = {"orders": [], "stock": [], "ledger": []}
        for key, item in self.world.tables.items.items():
            if key.table in items:
                items[key.table].append(item)
        return items, read_counts(self.world.tables)

    def billable(self, orders: int) -> dict[str, float] | None:
        return per_million(self.world.meter, orders)
