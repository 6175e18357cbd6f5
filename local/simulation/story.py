"""What happens in a simulated business: orders placed, paid, called off; parcels, returns, payouts and deliveries."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.store.accounts import add_account
from chalicelib.store.counters import read_counts
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import order_of
from chalicelib.store.stock import receipt_writes
from local.audit import Books, audit
from local.simulation.world import FaultyWorld

CHANNEL = "storefront"
_SKUS = ("MUG", "CUP", "JUG")
_PRICE = 500


class Story:
    """One seeded run. `run` returns the violated rules; none is right."""

    def __init__(self, seed: int, orders: int = 12) -> None:
        self.world = FaultyWorld(seed)
        self.chance = Random(seed ^ 0x5EED)
        self.orders = orders
        self.newest: dict[str, dict[str, Any]] = {}
        self._skus = _SKUS[: self.chance.choice((1, 1, 3))]  # few SKUs make orders race for the last unit
        self._pause = self.chance.choice((0, 3, 12))
        self._facts = 0
        self._paid: set[str] = set()

    def run(self) -> list[str]:
        """Set up, let things happen under faults, heal, drain, and check the books."""
        self._open_shop()
        for number in range(self.orders):
            self._place(f"{1000 + number}")
            for _ in range(self.chance.randint(0, self._pause)):
                self.world.step()
            self._something_happens()
        for _ in range(60):
            self.world.step()
            if self.chance.random() < 0.3:
                self._something_happens()
        self.world.heal()
        for _ in range(3):  # the warehouse and the bank catch up in peace
            self._ship_everything()
            self._pay_everything()
            self.world.heal()
        return self._wrong()

    def _open_shop(self) -> None:
        add_account(self.world.tables, CHANNEL, {})
        for sku in self._skus:
            self.world.tables.write(*sku_writes(sku, sku))
            self.world.tables.write(*receipt_writes("opening", sku, "main", self.chance.randint(2, 12), 0))

    def _place(self, number: str) -> None:
        lines = [
            {
                "id": str(n),
                "sku": self.chance.choice(self._skus),
                "quantity": self.chance.randint(1, 3),
                "unit_price": "5.00",
            }
            for n in range(self.chance.randint(1, 3))
        ]
        total = sum(line["quantity"] for line in lines) * _PRICE
        self.newest[number] = {
            "id": number,
            "updated_at": "2026-01-01T00:00:00Z",
            "placed_at": "2026-01-01T00:00:00Z",
            "currency": "EUR",
            "total": f"{total / 100:.2f}",
            "lines": lines,
            "payment": {"status": self.chance.choice(("pending", "paid"))},
        }
        self._say(number)

    def _say(self, number: str) -> None:
        """The channel states the order as it is now; sometimes it first repeats itself."""
        self._facts += 1
        document = self.newest[number]
        minute, second = divmod(self._facts, 60)
        document["updated_at"] = f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            self.world.queues.send("entry", [{"channel": CHANNEL, "raw": json.dumps(document), "hint": {}}])

    def _something_happens(self) -> None:
        number = self.chance.choice(sorted(self.newest))
        document = self.newest[number]
        turn = self.chance.choice(("pay", "pay", "cancel", "fewer", "ship", "ship", "return", "receive", "payout"))
        if turn == "pay":
            document["payment"] = {"status": "paid"}
            self._say(number)
        elif turn == "cancel" and self.chance.random() < 0.4:
            document["cancelled"] = True
            self._say(number)
        elif turn == "fewer":
            line = self.chance.choice(document["lines"])
            line["cancelled"] = self.chance.randint(0, line["quantity"])
            self._say(number)
        elif turn == "ship":
            self._ship_everything()
        elif turn == "return":
            self._return_one()
        elif turn == "receive":
            self._facts += 1
            sku = self.chance.choice(self._skus)
            self.world.tables.write(*receipt_writes(f"d{self._facts}", sku, "main", 3, self.world.now_ms))
        else:
            self._pay_everything()

    def _stored(self) -> Any:
        items = self.world.tables.items
        for key, item in list(items.items()):
            if key.table == "orders" and key.sk == "STATE":
                yield order_of(item, items.get(key._replace(sk="CONTENT")))

    def _ship_everything(self) -> None:
        for order in self._stored():
            lines = [
                {"line_id": line.line_id, "units": units.allocations["main"]}
                for line, units in zip(order.lines, order.state.quantities, strict=True)
                if units.allocations.get("main")
            ]
            if lines and stage(order) in ("shipping", "allocation") and not order.state.holds:
                fact = {"shipment_id": f"p{len(order.state.shipments)}", "location": "main", "shipped_ms": 1}
                message = {"order": order.order_id, "do": "ship", "fact": {**fact, "lines": lines}}
                self.world.queues.send("shipping", [message])

    def _return_one(self) -> None:
        for order in self._stored():
            for line, units in zip(order.lines, order.state.quantities, strict=True):
                if units.shipped > units.returned:
                    fact = {"return_id": f"r{units.returned}-{line.line_id}", "location": "main"}
                    fact["lines"] = [{"line_id": line.line_id, "units": 1}]
                    message = {"order": order.order_id, "do": "return", "fact": fact}
                    self.world.queues.send("shipping", [message] * 2)
                    return

    def _pay_everything(self) -> None:
        for order in self._stored():
            owed = outstanding_minor(order.state)
            if stage(order) == "settlement" and owed > 0 and order.order_id not in self._paid:
                self._paid.add(order.order_id)
                payout = {"channel": CHANNEL, "payout_id": "po", "order_id": order.order_id}
                lines = [{"line_id": "sale", "kind": "sale", "amount_minor": owed}]
                message = {"payout": {**payout, "currency": "EUR", "paid_ms": 1, "lines": lines}}
                self.world.queues.send("settlement", [message] * 2)

    def books(self) -> Books:
        """The audited books."""
        items: dict[str, list[Any]] = {"orders": [], "stock": [], "ledger": []}
        for key, item in self.world.tables.items.items():
            if key.table in items:
                items[key.table].append(item)
        return audit(items, read_counts(self.world.tables))

    def _wrong(self) -> list[str]:
        books = self.books()
        wrong = list(books.wrong)
        wrong += [f"{queue}: {len(dead)} dead" for queue, dead in self.world.queues.dead.items() if dead]
        placed = {f"{CHANNEL}:{number}" for number in self.newest}
        if set(books.orders) != placed:
            wrong.append(f"placed {len(placed)} orders, stored {len(books.orders)}")
        for order in books.orders.values():
            wrong += self._order_wrong(order)
        free = Counter({key[0]: item.get("available", 0) for key, item in books.stock.items()})
        waiting = {sku for (sku, _), units in books.waiting.items() if units}
        wrong += [f"{sku}: {free[sku]} free while orders wait" for sku in waiting if free[sku] > 0]
        return wrong

    def _order_wrong(self, order: Any) -> list[str]:
        document = self.newest[order.external_id]
        called_off = document.get("cancelled") or any(line.get("cancelled") for line in document["lines"])
        # a parcel that left while its order was called off is for a person to see; nothing else may be held
        wrong = [
            f"{order.order_id} is held: {hold}"
            for hold in order.state.holds
            if hold.reason != "shipping_not_allocated" or not called_off
        ]
        for line, stated, units in zip(order.lines, document["lines"], order.state.quantities, strict=True):
            wanted = 0 if document.get("cancelled") else stated["quantity"] - stated.get("cancelled", 0)
            if units.cancel_wanted != units.ordered - wanted:
                wrong.append(f"{order.order_id} line {line.line_id}: an older word of the channel won")
            if document["payment"]["status"] == "paid" and units.open and not order.state.holds:
                wrong.append(f"{order.order_id} line {line.line_id}: {units.open} units were never looked at")
            if units.to_cancel > 0:
                wrong.append(f"{order.order_id} line {line.line_id}: called-off units are still promised")
        return wrong
