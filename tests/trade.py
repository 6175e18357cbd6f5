"""The business on the three stand-in marketplaces, driven by tests: what it should show, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chalicelib.domain.lifecycle import stage
from chalicelib.inbound.polls import poll
from chalicelib.store.orders import read_orders
from chalicelib.store.stock import read_stock
from local.audit import audit
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import CALM, Faults
from local.replay.backends import MemoryBackend
from local.services import Services
from local.trade import BASE, START, Business

__all__ = ["BASE", "START", "Trade", "settle_down"]


class Trade(Business):
    """A business on three marketplaces; `pass_time` moves both worlds' clocks."""

    def __init__(self, faults: Faults = CALM, services: Services | None = None) -> None:
        super().__init__(faults=faults, services=services)

    def pass_time(self, seconds: float) -> None:
        """Time passes; what the marketplaces tell of arrives, except eBay's, which is polled."""
        self.pass_clock(seconds)
        for delivery in self.markets.tick(self.now):
            if delivery.marketplace == "shopify":
                message: Any = {"channel": "shopify", "raw": delivery.body.decode(), "hint": {}}
                self.world.queues.send("entry", [message])
            else:
                self.world.queues.send("amazon-notifications", [json.loads(delivery.body)])
        self.world.run()

    def poll_all(self) -> None:
        for kind in ("shopify", "amazon", "ebay"):
            poll(kind, self.world.runtime)
        self.world.run()

    def ship_everything(self) -> None:
        for order in self.orders().values():
            lines = [
                {"line_id": line.line_id, "units": units.allocations["main"]}
                for line, units in zip(order.lines, order.state.quantities, strict=True)
                if units.allocations.get("main")
            ]
            if lines and stage(order) == "shipping":
                fact = {"shipment_id": f"{order.external_id}-1", "location": "main"}
                parcel = {"carrier": "UPS", "tracking_number": f"1Z{order.external_id[-6:]}", "lines": lines}
                fact |= {**parcel, "shipped_ms": self.world.now_ms}
                self.world.queues.send("shipping", [{"order": order.order_id, "do": "ship", "fact": fact}])
        self.world.run()

    def sold(self) -> set[str]:
        ids = self.markets.summary()["order_ids"]
        return {f"{name}:{order_id}" for name, found in ids.items() for order_id in found}

    def orders(self) -> dict[str, Any]:
        return read_orders(self.world.tables, sorted(self.sold()), content=True)

    def shown(self) -> dict[tuple[str, str], int]:
        listings = self.markets.summary()["listings"]
        return {(name, sku): units for name, found in listings.items() for sku, units in found.items()}

    def expected(self) -> dict[tuple[str, str], int]:
        stock = read_stock(self.world.tables, [offer.sku for offer in CATALOGUE], ("main",))
        units = {sku: sum(place.available for place in places) for sku, places in stock.items()}
        return {(name, sku): units[sku] for name in ("shopify", "amazon", "ebay") for sku in units}

    def wrong(self) -> list[str]:
        backend = MemoryBackend()
        backend.world = self.world
        return audit(*backend.stored()).wrong


def settle_down(trade: Trade, is_done: Callable[[], bool]) -> None:
    """Let time pass until it is done; dead letters are driven again, as a person would from the console."""
    for _ in range(40):
        trade.pass_time(200)
        trade.poll_all()
        for queue, dead in trade.world.queues.dead.items():
            trade.world.queues.send(queue, [json.loads(body) for body in dead])
            dead.clear()
        trade.world.run()
        if is_done() and trade.shown() == trade.expected():
            return
