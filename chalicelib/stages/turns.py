"""How a stage works off a command to one order: read it, decide, write all that follows in one transaction.

Messages: {order, do, fact, actor}; see `domain/commands.py` for what may be done.
"""

from __future__ import annotations

from chalicelib.channels.registry import kind_of
from chalicelib.domain.commands import COMMANDS, Outcome
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order
from chalicelib.domain.stock import Movement, merged
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.stock import backorder_writes, movement_writes, stock_writes
from chalicelib.store.tables import Write


def do(message: Message, runtime: Runtime, order: Order | None = None) -> Order:
    """Work off one command, on `order` if it has just been read; the order afterwards. Raises `Refused` for what is not
    possible (any more)."""
    before = order or known_order(message["order"], runtime)
    silent = kind_of(before.channel) not in SYNC_QUEUES or bool(before.state.linked_to)
    fact = {**message["fact"], "silent": silent}
    outcome = COMMANDS[message["do"]].decide(before, fact, actor_of(message), runtime.clock())
    if outcome:
        runtime.tables.write(*outcome_writes(before, outcome, runtime.clock()))
        log("done", order=before.order_id, do=message["do"], version=outcome.order.state.version)
    return outcome.order if outcome else before


def outcome_writes(before: Order, outcome: Outcome, now_ms: int) -> list[Write]:
    """One transaction: the order, a new order beside it, stock, its movements, and what no longer waits."""
    return [
        *order_writes(before, outcome.order),
        *(order_writes(None, outcome.new) if outcome.new else ()),
        *_goods_writes(before.order_id, outcome, now_ms),
        *backorder_writes(outcome.order, outcome.backorders),
    ]


def _goods_writes(order_id: str, outcome: Outcome, now_ms: int) -> list[Write]:
    moves = merged(outcome.moves)
    kind, name = outcome.movement
    if not kind:
        return stock_writes(moves, now_ms)
    movement_id = f"{order_id}/{name}"
    movements = [Movement(kind, movement_id, m.sku, m.location, m.on_hand, now_ms, order_id) for m in moves]
    return movement_writes(movements, now_ms)


def known_order(order_id: str, runtime: Runtime) -> Order:
    """The order with its content. Raises `Refused` when there is none."""
    order = read_order(runtime.tables, order_id, content=True)
    if order is None:
        raise Refused("unknown_order", f"no order {order_id!r}")
    return order


def actor_of(message: Message) -> str:
    """Who asked for it."""
    return str(message.get("actor", "api"))
