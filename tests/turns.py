"""Orders as far along as a test needs them, by the decisions themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.allocation import AllocationPlan, decide_allocation
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.commands import COMMANDS, Outcome
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.orders import Order
from chalicelib.domain.settlement import PayoutLine, decide_settlement
from chalicelib.domain.sourcing import Sourcing
from tests.factories import T0_MS, entered, fact, line

MAIN = Sourcing()
MANY = {"MUG": {"main": 99}, "CUP": {"main": 99}}


def secured(word: ChannelOrder | None = None, now_ms: int = T0_MS) -> Order:
    """An order whose money has been looked at."""
    order = entered(word or fact(), now_ms=now_ms)
    return decide_funding(order, now_ms) or order


def plan(
    order: Order, stock: Mapping[str, Mapping[str, int]] = MANY, sourcing: Sourcing = MAIN, now_ms: int = T0_MS
) -> AllocationPlan | None:
    """What allocation would do now, given units available by SKU and location."""
    return decide_allocation(order, {sku: dict(places) for sku, places in stock.items()}, sourcing, now_ms, 90)


def promised(
    order: Order, stock: Mapping[str, Mapping[str, int]] = MANY, sourcing: Sourcing = MAIN, now_ms: int = T0_MS
) -> Order:
    """The order after allocation, which must have something to do."""
    planned = plan(order, stock, sourcing, now_ms)
    assert planned
    return planned.order


def outcome(order: Order, do: str, now_ms: int = T0_MS, **asked: Any) -> Outcome | None:
    """What a command leads to; None when it has been done."""
    return COMMANDS[do].decide(order, asked, "tests", now_ms)


def after(order: Order, do: str, now_ms: int = T0_MS, **asked: Any) -> Order:
    """The order after a command that changes it."""
    found = outcome(order, do, now_ms, **asked)
    assert found
    return found.order


def units(line_id: str, n: int) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "units": n}]


def shipped(order: Order, n: int = 1, parcel: str = "p1", line_id: str = "l1", place: str = "main") -> Order:
    return after(order, "ship", shipment_id=parcel, location=place, shipped_ms=T0_MS, lines=units(line_id, n))


def paid_out(order: Order, kind: str, amount_minor: int) -> Order:
    booked = PayoutLine(order.channel, "po", kind, order.order_id, kind, amount_minor, "EUR", T0_MS)
    return decide_settlement(order, [booked], T0_MS)


def settled(n: int = 1) -> Order:
    """`n` mugs at 5 EUR, sold, sent and paid out."""
    return paid_out(shipped(promised(secured(fact(line(quantity=n)))), n), "sale", 500 * n)


def last_move(order: Order) -> str:
    return order.state.timeline[-1].move
