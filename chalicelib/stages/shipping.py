"""Shipping: units leave a location, or come back to it; stock and order move in one transaction.

Messages: {shipment: {order, shipment_id, location, carrier, tracking_number, shipped_ms, lines: [{line_id, units}]}}
and {return: {order, return_id, location, lines: [{line_id, units}]}}; each is applied once under its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.registry import kind_of
from chalicelib.domain.advance import decide_hold, decide_return, decide_shipment
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order, Shipment
from chalicelib.domain.stock import Movement, StockMove
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.places import open_places
from chalicelib.store.stock import movement_writes
from chalicelib.store.tables import MAX_ACTIONS

blueprint = Blueprint(__name__)


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Apply each shipment or return; the ids of the messages that must come again."""
    return each("shipping", move_goods, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("shipping"), batch_size=10, name="shipping")
@from_sqs(work)
def shipping(event: Any) -> None:
    """Lambda."""


def move_goods(message: Message, runtime: Runtime) -> None:
    """Apply one shipment or return. One that does not fit puts its order on hold for a person to see."""
    fact = message.get("shipment") or message["return"]
    before = read_order(runtime.tables, fact["order"], content=True)
    if before is None:
        raise Refused("unknown_order", f"no order {fact['order']!r}")
    try:
        for part in _parts(fact):
            decided = _decided(before, part, "shipment" in message, runtime.clock())
            if decided:
                after, moves = decided
                movements = _movements(after, part, moves, runtime.clock())
                if "return" in message:
                    skus = [movement.sku for movement in movements]
                    open_places(runtime.tables, skus, [part["location"]], SYNC_QUEUES, runtime.clock())
                runtime.tables.write(*order_writes(before, after), *movement_writes(movements, runtime.clock()))
                before = after
    except Refused as refused:
        held = decide_hold(before, f"shipping_{refused.reason}", refused.detail, "shipping", runtime.clock())
        if held:
            runtime.tables.write(*order_writes(before, held))


def _decided(
    order: Order, fact: Mapping[str, Any], is_shipment: bool, now_ms: int
) -> tuple[Order, list[StockMove]] | None:
    items = _items(order, fact["lines"])
    if not is_shipment:
        return decide_return(order, fact["return_id"], items, fact["location"], now_ms)
    shipment = Shipment(
        shipment_id=fact["shipment_id"],
        location=fact["location"],
        carrier=fact.get("carrier", ""),
        tracking_number=fact.get("tracking_number", ""),
        shipped_ms=fact["shipped_ms"],
        items=items,
        confirmed_ms=0 if kind_of(order.channel) in SYNC_QUEUES else fact["shipped_ms"],
    )
    return decide_shipment(order, shipment, now_ms)


def _movements(order: Order, fact: Mapping[str, Any], moves: Sequence[StockMove], now_ms: int) -> list[Movement]:
    """What the parcel or return moved, under its own key: the order, and the id that it has there."""
    kind = "shipment" if "shipment_id" in fact else "return"
    name = f"{order.order_id}/{fact[f'{kind}_id']}"
    return [Movement(kind, name, move.sku, move.location, move.on_hand, now_ms, cause=order.order_id) for move in moves]


def _parts(fact: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The fact in parts that fit a transaction each; a larger one is numbered by part, so each part is applied once."""
    room = (MAX_ACTIONS - 1) // 2  # a line moves one stock record, and leaves one movement
    lines = fact["lines"]
    if len(lines) <= room:
        return [fact]
    name = "shipment_id" if "shipment_id" in fact else "return_id"
    return [
        {**fact, name: f"{fact[name]}/{start // room + 1}", "lines": lines[start : start + room]}
        for start in range(0, len(lines), room)
    ]


def _items(order: Order, lines: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Units by line index. Raises `Refused` for a line that the order does not have."""
    places = {line.line_id: index for index, line in enumerate(order.lines)}
    items: dict[int, int] = {}
    for line in lines:
        if line["line_id"] not in places:
            raise Refused("unknown_line", f"{order.order_id} has no line {line['line_id']!r}")
        index = places[line["line_id"]]
        items[index] = items.get(index, 0) + line["units"]
    return items
