"""Those who buy labels and hand parcels over, and the carrier that tells how they stand. Idle without a carrier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.channels.carriers import tracking_reader
from chalicelib.domain.orders import Order
from chalicelib.inbound import labels_api
from chalicelib.inbound.tracking import messages_of
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.labels import StoredLabel
from local.marketplaces.world import Delivery
from local.simulation.cast import Cast, Turn, may_ship
from local.simulation.label_verdict import fits, is_kept, is_recorded

_PACKAGE = {"weight_g": 500, "length_mm": 250, "width_mm": 150, "height_mm": 100}


class Dispatch:
    """The desk where parcels are made ready."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chance = cast.chance
        self.carrier = cast.world.carrier
        self._turns: tuple[Turn, ...] = (
            (self._label, 9),
            (self._label_again, 1),
            (self._void, 2),
            (self._hand_over, 4),
        )

    def get_on(self) -> None:
        """Beside all that others do, so that in seeds without a carrier nothing is another."""
        if self.carrier:
            turns, weights = zip(*self._turns, strict=True)
            self.chance.choices(turns, weights)[0]()

    def close(self, order: Order) -> None:
        """Each label that may be used is bought and used, every other is given back."""
        for label in self.cast.labels_of(order):
            is_unused = label.status in ("wanted", "bought") and not is_recorded(order, label)
            if is_unused and not is_kept(order, label):
                self._ask_void(order, label)
            elif label.status == "wanted" and fits(order, label):
                self._ask(order, label.wish["location"], label.wish["lines"], label_id=label.label_id)

    def close_day(self) -> None:
        """Every parcel that has left is collected, and the carrier tells how all stand."""
        if self.carrier:
            for order in self.cast.world.orders():
                self.carrier.collect({each.tracking_number for each in order.state.shipments if each.tracking_number})
            self._tell()

    def _label(self) -> None:
        """For all that is kept at a location, or a part of it; sometimes for less money than it costs."""
        order = self.cast.some(lambda order: may_ship(order) and self.cast.unlabelled(order))
        if not order:
            return
        place = self.chance.choice(self.cast.unlabelled(order))
        index = next(i for i, units in enumerate(order.state.quantities) if place in units.allocations)
        lines = [{"line_id": order.lines[index].line_id, "units": 1}] if self.chance.random() < 0.3 else None
        limits = {"most_amount": "5.00", "currency": "USD"} if self.chance.random() < 0.2 else {}
        ship, prefer = self.chance.random() < 0.8, self.chance.choice(("cheapest", "fastest"))
        self._ask(order, place, lines, ship=ship, prefer=prefer, **limits)

    def _label_again(self) -> None:
        """The same label, now at any price; the wish of one that is bought already changes nothing."""
        found = self.cast.some(self.cast.labels_of)
        if found:
            label = self.chance.choice(self.cast.labels_of(found))
            self._ask(found, label.wish["location"], label.wish["lines"], label_id=label.label_id)

    def _void(self) -> None:
        found = self.cast.some(self.cast.labels_of)
        if found:
            self._ask_void(found, self.chance.choice(self.cast.labels_of(found)))

    def _hand_over(self) -> None:
        """The carrier fetches some of what has left, and tells what has become of the rest."""
        assert self.carrier
        parcels = [each.tracking_number for order in self.cast.world.orders() for each in order.state.shipments]
        self.carrier.collect({number for number in parcels if number and self.chance.random() < 0.5})
        self._tell()

    def _tell(self) -> None:
        assert self.carrier
        for delivery in self.carrier.get_on():
            if not self.cast.world.choke.strikes("lost_webhook"):
                self.cast.world.request("webhook", lambda runtime, delivery=delivery: self._hear(delivery, runtime))

    def _hear(self, delivery: Delivery, runtime: Runtime) -> None:
        assert self.carrier
        runtime.queues.send("tracking", messages_of(tracking_reader(self.carrier.account)(delivery.body)))

    def _ask(self, order: Order, place: str, lines: Any, **more: Any) -> None:
        body = labels_api.LabelBody(location=place, lines=lines, package=_PACKAGE, **more)
        self._request(lambda runtime: labels_api.ask(order, body, runtime))

    def _ask_void(self, order: Order, label: StoredLabel) -> None:
        self._request(lambda runtime: labels_api.give_back(order, label.label_id, runtime))

    def _request(self, run: Callable[[Runtime], object]) -> None:
        """People press a button, often twice."""
        for _ in range(self.chance.choice((1, 2))):
            self.cast.world.request("api", run)
