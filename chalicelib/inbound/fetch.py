"""Fetch: a hint says which order has changed; read it as the channel has it now and hand it to entry.

Messages: {channel, external_id}; {channel, uninstalled} when a Shopify shop has thrown the app out. Of a payment
processor `external_id` is that of a payment, refund or dispute: what is found there goes to funding as commands. With
{expiry_of} it is the payment of that order, whose end is read. Holds channel tokens; decides nothing about an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.processor_port import Seen
from chalicelib.channels.registry import PROCESSORS, kind_of
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Busy
from chalicelib.inbound.payloads import for_entry
from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.clients import Paused, Processor, SharedTokens, client_for
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
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
    if message.get("uninstalled"):
        SharedTokens(channel, runtime).lost("the shop has uninstalled the app: install it again")
        return []
    if kind_of(channel) in PROCESSORS:
        try:
            _look_at_processor(channel, message, runtime)
        except Paused:  # what is asked for once, and found by no poll, waits for the end of a pause
            raise Busy(f"{channel} is paused", after_s=60) from None
        return []
    raw = client_for(channel, runtime).get_order(message["external_id"])
    return [for_entry(channel, raw, runtime)]


def _look_at_processor(account: str, message: Message, runtime: Runtime) -> None:
    if "expiry_of" not in message:
        _look_at_payment(account, message["external_id"], runtime)
        return
    found: Payment = Processor(account, runtime).payment(message["external_id"])
    fact = {"reference": message["external_id"], "expires_ms": found.expires_ms}
    command = {"order": message["expiry_of"], "do": "expiry", "fact": fact, "actor": account}
    runtime.queues.send("funding", [command])


def _look_at_payment(account: str, object_id: str, runtime: Runtime) -> None:
    seen: Seen | None = Processor(account, runtime).seen(object_id)
    if seen is None:
        log("payment_of_no_order", account=account, about=object_id)
        return
    order = {"order": seen.order_id, "actor": account}
    commands: list[Message] = []
    if seen.refunded_minor:
        fact = {"total_minor": seen.refunded_minor, "currency": seen.currency}
        commands.append({**order, "do": "refunds_seen", "fact": fact})
    for refund_id, amount_minor in seen.sent_back.items():
        fact = {"refund_id": refund_id, "amount_minor": amount_minor, "currency": seen.currency}
        commands.append({**order, "do": "refund_sent_back", "fact": fact})
    for dispute_id, dispute in seen.disputes.items():
        commands.append({**order, "do": "dispute", "fact": {"dispute_id": dispute_id, **vars(dispute)}})
    if commands:
        runtime.queues.send("funding", commands)
