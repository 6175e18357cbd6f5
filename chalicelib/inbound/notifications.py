"""Amazon's notifications, which it sends to a queue of ours: each is a hint to look at an order.

Messages: the notification as Amazon wrote it. Source: SP-API ORDER_CHANGE notification schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.amazon.notifications import hint_of
from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account

blueprint = Blueprint(__name__)


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Turn each notification into hints, sent together; the ids of the messages that must come again."""
    return each_then_send("amazon-notifications", hear, "hints", batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("amazon-notifications"), batch_size=10, name="amazon_notifications")
@from_sqs(work)
def amazon_notifications(event: Any) -> None:
    """Lambda."""


def hear(message: Message, runtime: Runtime) -> list[Message]:
    """Which orders to look at, for the account whose seller the notification names."""
    hint = hint_of(json.dumps(message))
    sellers = runtime.settled("amazon sellers", lambda: _sellers(runtime))
    return [
        {"channel": channel, "external_id": order_id}
        for channel, seller_id in sellers.items()
        if hint.seller_id in ("", seller_id)
        for order_id in hint.order_ids
    ]


def _sellers(runtime: Runtime) -> dict[str, str]:
    """The seller of each Amazon account."""
    names = channels(runtime.tables, "amazon")
    return {name: str(read_account(runtime.tables, name).get("seller_id", "")) for name in names}
