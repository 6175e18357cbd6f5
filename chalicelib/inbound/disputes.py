"""Disputes that a channel tells of: each is told to its order, at its beginning and at its end."""

from __future__ import annotations

from typing import Any

from chalicelib.channels.facts import ChannelDispute
from chalicelib.channels.port import ChannelClient
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.lifecycle import ARCHIVE_AFTER_MS
from chalicelib.domain.orders import Order
from chalicelib.inbound.money import together
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.orders import read_orders


def read_disputes(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Hand on what orders do not know of the disputes that began while an order was not put away yet; how many were
    read and how many were news."""
    read = sent = 0
    for some in together(client.disputes(runtime.clock() - ARCHIVE_AFTER_MS)):
        orders = read_orders(runtime.tables, [f"{channel}:{each.external_id}" for each in some], content=True)
        about = [(orders[order_id], each) for each in some if (order_id := f"{channel}:{each.external_id}") in orders]
        messages = [message for order, each in about for message in _news(order, each, channel, runtime)]
        if messages:
            runtime.queues.send("funding", messages)
        read, sent = read + len(some), sent + len(messages)
    return {"disputes": read, "sent": sent}


def _news(order: Order, told: ChannelDispute, channel: str, runtime: Runtime) -> list[Message]:
    if not order.content or told.currency != order.content.currency:
        log("dispute_skipped", channel=channel, order=order.order_id, dispute=told.dispute_id, currency=told.currency)
        return []
    fact: dict[str, Any] = {"dispute_id": told.dispute_id, "amount_minor": told.amount_minor, "status": told.status}
    fact["due_ms"] = told.due_ms
    if COMMANDS["dispute"].decide(order, fact, channel, runtime.clock()) is None:
        return []
    return [{"order": order.order_id, "do": "dispute", "fact": fact, "actor": channel}]
