"""Where small orders begin: a channel's first word of them, the SKUs it names, and what stock there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Payment
from chalicelib.domain.orders import Order
from chalicelib.domain.sourcing import Available, Sourcing

T0_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
EDIT_MS = 1_000
UNIT_MINOR = 500
PLACES = ("main", "east")
SOURCING = Sourcing(PLACES, "priority")
SKUS = {
    "MUG": Sku("MUG"),
    "CUP": Sku("CUP"),
    "SET": Sku("SET", components=(("MUG", 2), ("CUP", 1))),
    "SOON": Sku("SOON", release_ms=T0_MS + 2 * HOUR_MS),
}
PARTS = ("MUG", "CUP", "SOON", "NEW")
STOCK: Mapping[str, Available] = {
    "no stock": {},
    "a unit at main": {sku: {"main": 1} for sku in PARTS},
    "a unit at each": {sku: {"main": 1, "east": 1} for sku in PARTS},
    "plenty at east": {sku: {"east": 9} for sku in PARTS},
}


@dataclass(frozen=True)
class Node:
    """An order at a time, and what its channel has said of it last (None: the channel does not know it)."""

    order: Order
    said: ChannelOrder | None
    now_ms: int


def line(line_id: str, sku: str = "MUG", units: int = 1, **more: Any) -> ChannelLine:
    return ChannelLine(line_id, sku, units, units * UNIT_MINOR, **more)


def stated(*lines: ChannelLine, payment: Payment | None = None, **more: Any) -> ChannelOrder:
    """A channel's word on an order; paid in full unless told otherwise."""
    total = sum(each.price_minor for each in lines)
    paid = payment or Payment(captured_minor=total)
    return replace(ChannelOrder("market", "1", T0_MS, T0_MS, "EUR", total, lines, payment=paid), **more)


STARTS: Mapping[str, ChannelOrder] = {
    "one unit, paid": stated(line("a")),
    "two units, paid": stated(line("a", units=2)),
    "two lines, shipped by a date": stated(line("a"), line("b", "CUP"), ship_by_ms=T0_MS + 30 * HOUR_MS),
    "a kit": stated(line("a", "SET")),
    "a pre-order": stated(line("a", "SOON")),
    "unpaid": stated(line("a"), payment=Payment()),
    "authorised until a time": stated(
        line("a"), payment=Payment(authorised_minor=UNIT_MINOR, expires_ms=T0_MS + HOUR_MS)
    ),
    "two units, authorised until a time": stated(
        line("a", units=2), payment=Payment(authorised_minor=2 * UNIT_MINOR, expires_ms=T0_MS + HOUR_MS)
    ),
    "one unit, authorised at a processor": stated(
        line("a"), payment=Payment(authorised_minor=UNIT_MINOR, expires_ms=T0_MS + 60 * HOUR_MS, captor="stripe")
    ),
    "vouched by the marketplace": stated(line("a"), payment=Payment(vouched=True)),
    "pending at the marketplace": replace(stated(line("a"), payment=Payment(awaited=True)), total_minor=UNIT_MINOR),
    "an unknown item": stated(line("a", "NEW")),
    "shipped in part before it was seen": stated(line("a", units=2, fulfilled=1)),
    "called off in part before it was seen": stated(line("a", units=2, cancelled=1)),
}


def skus_of(fact: ChannelOrder) -> dict[str, Sku]:
    return {each.line_id: SKUS[each.channel_sku] for each in fact.lines if each.channel_sku in SKUS}
