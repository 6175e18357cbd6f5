"""What everybody in a simulated business shares: the world, the seed's chances, names, and ways to be heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from chalicelib.channels.woocommerce.webhooks import told_of
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.lifecycle import is_funded
from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement
from chalicelib.store.labels import StoredLabel, labels_of
from chalicelib.store.stock import movement_writes
from local.memory.world import WORK
from local.simulation.label_verdict import is_recorded
from local.simulation.market import KIND
from local.simulation.shop import Shop
from local.simulation.verdict import Verdict
from local.simulation.woo import KIND as WOO
from local.simulation.world import FaultyWorld

CHANNEL = "shop"
PLACES = ("main", "east")
PLAIN = ("MUG", "CUP", "JUG")
KIT = "SET"  # two mugs and a cup
COMPONENTS = (("MUG", 2), ("CUP", 1))
Document = dict[str, Any]
Turn = tuple[Callable[[], None], int]  # what somebody may do, and how often beside the others


class Cast:
    """The stage that all act on. `accounts`: the channel accounts that are open."""

    def __init__(self, world: FaultyWorld, chance: Random) -> None:
        self.world = world
        self.chance = chance
        self.verdict = Verdict(world)
        self.places = PLACES[: chance.choice((1, 2))]
        self.skus = PLAIN[: chance.choice((1, 2, 3))]  # few SKUs make orders race for the last unit
        if len(self.skus) > 1:
            self.skus = (*self.skus, KIT)
        self.accounts = (CHANNEL, KIND) if chance.random() < 0.6 else (CHANNEL,)
        if world.woo:
            self.accounts = (*self.accounts, WOO)
        self._names = 0

    def name(self, what: str) -> str:
        """A new name."""
        self._names += 1
        return f"{what}{self._names}"

    def move(self, *movements: Movement) -> None:
        """Goods move in a warehouse."""
        self.world.tables.write(*movement_writes(movements, self.world.now_ms))

    def send(self, queue: str, message: Mapping[str, Any], copies: int = 1) -> None:
        """A message, perhaps more than once."""
        self.world.queues.send(queue, [message] * copies)

    def ask(self, order: Order, do: str, **fact: Any) -> None:
        """A command to an order, on its stage's queue, often twice."""
        message = {"order": order.order_id, "do": do, "fact": fact, "actor": "people"}
        self.send(COMMANDS[do].stage, message, copies=self.chance.choice((1, 2)))

    def some(self, fits: Callable[[Order], object]) -> Order | None:
        """One of the orders that fit."""
        found = [order for order in self.world.orders() if fits(order)]
        return self.chance.choice(found) if found else None

    def labels_of(self, order: Order) -> list[StoredLabel]:
        """Every label that was asked for."""
        return labels_of(self.world.tables, order.order_id) if self.world.carrier else []

    def unlabelled(self, order: Order) -> list[str]:
        """Where units are kept for which no label is under way."""
        live = [each for each in self.labels_of(order) if each.status != "voided" and not is_recorded(order, each)]
        taken = {label.wish["location"] for label in live}
        return [place for place in places_of(order) if place not in taken]

    def shop_of(self, number: str) -> Shop:
        """Who has sold this order."""
        return self.world.shops[self._account_of(number)]

    def some_document(self) -> tuple[str, Document]:
        """One of the orders as whoever sold it has it."""
        number = self.chance.choice(sorted(number for shop in self.world.shops.values() for number in shop.orders))
        return number, self.shop_of(number).orders[number]

    def restate(self, number: str) -> None:
        """The order is another, and the channel may say so."""
        self.shop_of(number).changed(number, late=self.chance.choice((0, 0, 2)))
        self.say(number)

    def say(self, number: str) -> None:
        """The channel tells of the order as it is now: not at all, once, twice; sometimes with rubbish beside it."""
        is_mute = self.world.woo and self.world.woo.is_mute and number in self.world.woo.orders
        if not self.world.choke.strikes("lost_webhook") and not is_mute:
            self.hear(number, copies=self.chance.choice((1, 1, 1, 2)))
        if self.world.choke.strikes("poison"):
            self.verdict.poisoned += 1
            self.send("entry", {"channel": CHANNEL, "raw": f'{{"rubbish": {self.verdict.poisoned}}}', "hint": {}})
            self.send(self.chance.choice(sorted(WORK)), {"order": f"{CHANNEL}:none"})

    def hear(self, number: str, copies: int = 1) -> None:
        """A channel's word comes in. What WooCommerce tells of an order with refunds is not all of it."""
        channel, raw = self._account_of(number), self.shop_of(number).document(number)
        if channel == WOO and not told_of(raw.encode())[1]:
            self.send("hints", {"channel": channel, "external_id": number}, copies)
        else:
            self.send("entry", {"channel": channel, "raw": raw, "hint": {}}, copies)

    def _account_of(self, number: str) -> str:
        return next(account for account, shop in self.world.shops.items() if number in shop.orders)


def places_of(order: Order) -> list[str]:
    """Where units are kept for the order."""
    return sorted({place for units in order.state.quantities for place in units.allocations})


def may_ship(order: Order) -> bool:
    """Whether a warehouse may send something."""
    return bool(places_of(order)) and is_funded(order.state) and not order.state.holds
