"""Funding: secure the money that the channel's word is good for, let authorisations lapse, record what is to be taken,
given free or given back.

Messages: {order} = look at its money; {order, do, …} = a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.authorisation import wants_capture, wants_void
from chalicelib.domain.capture import decide_capture
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.funding import decide_funding
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages.turns import do, known_order
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

_ROUNDS_FOR_THE_ORDER = 8  # more than an hour, growing pauses included


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Fund each order; the ids of the messages that must come again."""
    return each("funding", fund, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("funding"), batch_size=10, name="funding")
@from_sqs(work)
def funding(event: Any) -> None:
    """Lambda."""


def fund(message: Message, runtime: Runtime) -> None:
    """Look at the money of one order, or do what is asked of it."""
    if "do" in message:
        _do(message, runtime)
        return
    before = read_order(runtime.tables, message["order"])
    after = decide_funding(before, runtime.clock()) if before else None
    if before and not after and (wants_capture(before.state) or wants_void(before.state)):
        before = known_order(message["order"], runtime)  # what it costs stands in its content
        after = decide_capture(before, runtime.clock())
    if before and after:
        runtime.tables.write(*order_writes(before, after))


def _do(message: Message, runtime: Runtime) -> None:
    """Do what is asked. A channel may tell of money before its order is here."""
    try:
        do(message, runtime)
    except Refused as refused:
        is_early = message["do"] == "refunds_seen" and refused.reason == "unknown_order"
        if is_early and int(message.get("rounds", 0)) < _ROUNDS_FOR_THE_ORDER:
            raise Busy("the refund came before its order", after_s=60) from None
        raise
