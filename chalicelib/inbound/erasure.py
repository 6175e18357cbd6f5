"""Erasing a buyer whose account at a marketplace is deleted: his contact data and the raw payloads that hold him.

Order, money and units stay: they hold nothing of the person. The proof stays, under the notification's id. Message:
{notification_id, buyers, pass}, `buyers` being digests, so that no name waits in a queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.contacts import (
    begin_proof,
    end_proof,
    forget_claim,
    forget_order,
    remember_erased,
    traces_of,
)

blueprint = Blueprint(__name__)

QUEUE = "erasure"
# An order that is being entered just now may have seen that the buyer is not erased yet, and keep him a moment later.
# No Lambda runs longer than this, so a second look finds it.
_SECOND_LOOK_S = 900


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Erase each buyer; the ids of the messages that must come again."""
    return each(QUEUE, erase, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn(QUEUE), batch_size=10, name="erase")
@from_sqs(work)
def erase_buyer(event: Any) -> None:
    """Lambda."""


def erase(message: Message, runtime: Runtime) -> None:
    """Erase one buyer. Broken off anywhere and begun again, it ends with the same tables and the same proof."""
    buyers, proof, nth = message["buyers"], message["notification_id"], int(message.get("pass", 1))
    remember_erased(runtime.tables, buyers, runtime.clock())
    orders, claims = traces_of(runtime.tables, buyers)
    begin_proof(runtime.tables, proof, nth, buyers, len(orders), runtime.clock())
    for order_id in orders:
        runtime.bodies.delete(f"held/{order_id}")
        forget_order(runtime.tables, buyers, order_id)
    for claim in claims:
        runtime.bodies.delete(claim)
        forget_claim(runtime.tables, buyers, claim)
    end_proof(runtime.tables, proof, nth, runtime.clock())
    if nth == 1:
        again = {"notification_id": proof, "buyers": buyers, "pass": 2}
        runtime.queues.send(QUEUE, [again], delay_s=_SECOND_LOOK_S)
    log("buyer_erased", notification=proof, nth=nth, orders=len(orders))
