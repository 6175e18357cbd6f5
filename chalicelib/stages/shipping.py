"""Shipping: units leave a location, or come back to it; stock, its movements and the order move in one transaction.

Messages: {order, do, fact, actor}: ship and return (each applied once under its id), fulfilment (a location's word).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.commands import Fact, parts_of
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.orders import Order
from chalicelib.domain.shipping import is_early
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages.turns import do, known_order
from chalicelib.store.orders import order_writes
from chalicelib.store.tables import MAX_ACTIONS

blueprint = Blueprint(__name__)

_ITEMS_BESIDE_STOCK = 2  # the order's state and content
_EARLY_S, _EARLY_ROUNDS = 5, 6  # a step of a return waits for the one before it: 5 s, 10 s, … five minutes in all


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Apply each command; the ids of the messages that must come again."""
    return each("shipping", move_goods, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("shipping"), batch_size=10, name="shipping")
@from_sqs(work)
def shipping(event: Any) -> None:
    """Lambda."""


def move_goods(message: Message, runtime: Runtime) -> None:
    """Apply one command. A parcel or return that does not fit puts its order on hold for a person to see; a step of a
    return that has overtaken the one before it comes again for a while."""
    if message["do"] == "fulfilment":
        do(message, runtime)
        return
    order = known_order(message["order"], runtime)
    for part in parts_of(order, message["fact"], MAX_ACTIONS - _ITEMS_BESIDE_STOCK):
        try:
            order = do({**message, "fact": part}, runtime, order)
        except Refused as refused:
            if _may_follow(order, message, part):
                raise Busy(f"{refused.detail} (yet)", after_s=_EARLY_S) from None
            held = decide_hold(order, f"shipping_{refused.reason}", refused.detail, "shipping", runtime.clock())
            if held:
                runtime.tables.write(*order_writes(order, held))
            return


def _may_follow(order: Order, message: Message, part: Fact) -> bool:
    """Whether it is a step that a queue, which keeps no order, may have handed over before an earlier one."""
    is_return = message["do"] == "return" and not part.get("through")
    early = is_return and is_early(order, part["return_id"], part.get("step") or "inspect")
    return early and int(message.get("rounds", 0)) < _EARLY_ROUNDS
