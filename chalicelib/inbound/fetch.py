"""Fetch: a hint says which order has changed; read it as the channel has it now and hand it to entry.

Messages: {channel, external_id}. Holds channel tokens; decides nothing about an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.bodies import enclose
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime

blueprint = Blueprint(__name__)


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Fetch each hinted order and hand all on; the ids of the messages that must come again."""
    return each_then_send("hints", fetch_order, "entry", batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("hints"), batch_size=10, name="fetch")
@from_sqs(work)
def fetch(event: Any) -> None:
    """Lambda."""


def fetch_order(message: Message, runtime: Runtime) -> list[Message]:
    """One order as its channel has it now, raw, for entry."""
    channel = message["channel"]
    raw = client_for(channel, runtime).get_order(message["external_id"])
    return [enclose(runtime.bodies, channel, raw, {})]
