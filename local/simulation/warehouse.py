"""What the warehouse does: it accepts, ships in parts, refuses, takes goods in and takes them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from chalicelib.domain.errors import Stale
from chalicelib.domain.lifecycle import asked_back, is_funded
from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement
from chalicelib.store.labels import StoredLabel
from local.simulation.cast import KIT, Cast, Turn, may_ship, places_of
from local.simulation.label_verdict import fits, is_recorded

_OVERLOOKS = 0.1  # of the labels that are under way


class Warehouse:
    """One or two locations."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chance = cast.chance
        self.turns: tuple[Turn, ...] = (
            (self._ship, 6),
            (self._answer, 3),
            (self._return, 3),
            (self._receive_goods, 3),
            (self._transfer, 1),
        )

    def close(self, order: Order) -> None:
        """Everything is given back, worked on and sent as it should be."""
        for place, word in order.state.fulfilment.items():
            if asked_back(order.state, place):
                self.cast.ask(order, "fulfilment", location=place, answer="yield")
            elif word == "rejected" or not is_funded(order.state):
                self.cast.ask(order, "fulfilment", location=place, answer="reopen")
        if may_ship(order):
            for place in self.cast.unlabelled(order):
                self._ship_from(order, place, whole=True)
            for label in self.cast.labels_of(order):
                self._ship_with(order, label)

    def _ship(self) -> None:
        """By hand, and with labels that wait for it; now and then somebody overlooks a label."""
        order = self.cast.some(may_ship)
        if not order:
            return
        place = self.chance.choice(places_of(order))
        if place in self.cast.unlabelled(order) or self.chance.random() < _OVERLOOKS:
            self._ship_from(order, place, whole=self.chance.random() < 0.6)
        for label in self.cast.labels_of(order):
            self._ship_with(order, label)

    def _ship_with(self, order: Order, label: StoredLabel) -> None:
        """What a label was bought for that records no parcel by itself."""
        if label.status == "bought" and not label.wish["ship"] and not is_recorded(order, label) and fits(order, label):
            told = {"carrier": label.bought["carrier"], "tracking_number": label.bought["tracking_number"]}
            self._send(order, label.wish["location"], label.wish["lines"], **told)

    def _ship_from(self, order: Order, place: str, *, whole: bool) -> None:
        lines = [
            {"line_id": line.line_id, "units": units.allocations[place] if whole else 1}
            for line, units in zip(order.lines, order.state.quantities, strict=True)
            if units.allocations.get(place)
        ]
        if not whole:
            lines = lines[:1]
        self._send(order, place, lines)

    def _send(self, order: Order, place: str, lines: Sequence[Mapping[str, Any]], **told: str) -> None:
        name = f"p{len(order.state.shipments)}-{place}"
        self.cast.verdict.parcels.add((order.order_id, name))
        self.cast.ask(order, "ship", shipment_id=name, location=place, shipped_ms=1, lines=lines, **told)

    def _answer(self) -> None:
        order = self.cast.some(places_of)
        if order:
            answer = self.chance.choice(("accept", "accept", "label", "reopen", "yield", "refuse_cancel", "reroute"))
            self.cast.ask(order, "fulfilment", location=self.chance.choice(places_of(order)), answer=answer)

    def _return(self) -> None:
        """A new return at some step, or an old one further."""
        place = self.cast.places[0]
        order = self.cast.some(lambda order: order.state.returns)
        if order and self.chance.random() < 0.6:
            name = self.chance.choice(sorted(order.state.returns))
            step = self.chance.choice(("approve", "decline", "receive", "inspect"))
            self.cast.verdict.took_back(order, name, step)
            self.cast.ask(order, "return", return_id=name, step=step, location=place, restock=None)
            return
        order = self.cast.some(_has_goods_out)
        if order:
            out = [i for i, units in enumerate(order.state.quantities) if units.shipped > units.returned]
            lines = [{"line_id": order.lines[self.chance.choice(out)].line_id, "units": 1}]
            step = self.chance.choice(("request", "request", "receive", "inspect"))
            restock = self.chance.choice((None, []))
            name = f"r{len(order.state.returns)}"
            self.cast.verdict.took_back(order, name, step)
            self.cast.ask(order, "return", return_id=name, step=step, lines=lines, location=place, restock=restock)

    def _receive_goods(self) -> None:
        sku = self.chance.choice([sku for sku in self.cast.skus if sku != KIT])
        place, now_ms = self.chance.choice(self.cast.places), self.cast.world.now_ms
        self.cast.move(Movement("receipt", self.cast.name("d"), sku, place, 3, now_ms))

    def _transfer(self) -> None:
        if len(self.cast.places) > 1:
            name, now_ms = self.cast.name("t"), self.cast.world.now_ms
            there, back = (
                Movement("transfer", name, "MUG", "east", -1, now_ms),
                Movement("transfer", name, "MUG", "main", 1, now_ms),
            )
            with suppress(Stale):  # nothing is free to be moved
                self.cast.move(there, back)


def _has_goods_out(order: Order) -> bool:
    return any(units.shipped > units.returned for units in order.state.quantities)
