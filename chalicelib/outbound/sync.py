"""Channel sync: drives what we want a channel to show and know until it has acknowledged it, and records that it has.

Messages: {sku} and {order} = look at it, {sku, again} whatever was acknowledged; {rule_of} = the rule of that channel
has changed, look at all SKUs; {orders_of} = look at all open orders of that channel, and at closed ones of which it
was not told all, {after} = once that payment processor is not paused; {restocked_by} = the channel may have put that
order's units back on sale by itself, say our numbers again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.errors import Busy
from chalicelib.domain.lifecycle import ALLOWANCE_MS, CLOSED
from chalicelib.outbound.offers import push_skus
from chalicelib.outbound.tell import tell
from chalicelib.runtime.batch import Delivery, Work, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_pause
from chalicelib.store.listings import list_skus
from chalicelib.store.orders import list_order_ids, read_order

blueprint = Blueprint(__name__)

_PAGE = 100
_ROUNDS_FOR_THE_RESUME = 5  # more than five minutes, growing pauses included


def work_for(kind: str) -> Work:
    """The worker of one kind of channel."""
    return lambda batch, runtime: _work(kind, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-shopify"), batch_size=10, name="sync_shopify")
@from_sqs(work_for("shopify"))
def sync_shopify(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-amazon"), batch_size=10, name="sync_amazon")
@from_sqs(work_for("amazon"))
def sync_amazon(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-ebay"), batch_size=10, name="sync_ebay")
@from_sqs(work_for("ebay"))
def sync_ebay(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-shop"), batch_size=10, name="sync_shop")
@from_sqs(work_for("shop"))
def sync_shop(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-woocommerce"), batch_size=10, name="sync_woocommerce")
@from_sqs(work_for("woocommerce"))
def sync_woocommerce(event: Any) -> None:
    """Lambda."""


def _work(kind: str, batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    queue = SYNC_QUEUES[kind]
    skus = [delivery for delivery in batch if "sku" in delivery.body]
    others = [delivery for delivery in batch if "sku" not in delivery.body]
    return [
        *push_skus(kind, skus, runtime),
        *each(queue, lambda message, runtime: _look(queue, message, runtime), others, runtime),
    ]


def _look(queue: str, message: Message, runtime: Runtime) -> None:
    if "rule_of" in message:
        spread_rule(queue, message, runtime)
    elif "restocked_by" in message:
        say_again(queue, message["restocked_by"], runtime)
    elif "orders_of" in message:
        spread_orders(queue, message, runtime)
    else:
        tell(message, runtime)


def say_again(queue: str, order_id: str, runtime: Runtime) -> None:
    """Have the numbers of an order's SKUs told to the channel, whatever it acknowledged."""
    order = read_order(runtime.tables, order_id, content=True)
    skus = sorted({line.sku for line in order.lines if line.sku}) if order else []
    runtime.queues.send(queue, [{"sku": sku, "again": True} for sku in skus])


def spread_rule(queue: str, message: Message, runtime: Runtime) -> None:
    """Have one page of all SKUs looked at, and then the next. The version of a rule is part of what is acknowledged, so
    what the rule does not touch is told once more and no harm done."""
    if _is_paused(message["rule_of"], message, runtime):
        return
    skus, cursor = list_skus(runtime.tables, _PAGE, message.get("cursor", ""))
    following: list[Message] = [{**message, "cursor": cursor}] if cursor else []
    again = {"again": True} if message.get("again") else {}
    runtime.queues.send(queue, [*({"sku": sku, **again} for sku in skus), *following])


def spread_orders(queue: str, message: Message, runtime: Runtime) -> None:
    """Have one page of a channel's open orders looked at, and then the next, stage by stage; at last the closed ones of
    which it has not been told all."""
    channel = message["orders_of"]
    if _is_paused(message.get("after", channel), message, runtime):
        return
    stages = [*ALLOWANCE_MS, *CLOSED]
    where = message.get("stage", stages[0])
    ids, cursor = list_order_ids(runtime.tables, [channel], where, _PAGE, message.get("cursor", ""))
    following: list[Message] = []
    if cursor:
        following = [{"orders_of": channel, "stage": where, "cursor": cursor}]
    elif where != stages[-1]:
        following = [{"orders_of": channel, "stage": stages[stages.index(where) + 1]}]
    runtime.queues.send(queue, [*({"order": order_id} for order_id in ids), *following])


def _is_paused(channel: str, message: Message, runtime: Runtime) -> bool:
    """Whether to leave it, since another message comes when the account is resumed. `Busy` at first: this may be that
    message, which is sent before the pause is taken away."""
    if read_pause(runtime.tables, channel) is None:
        return False
    if int(message.get("rounds", 0)) < _ROUNDS_FOR_THE_RESUME:
        raise Busy(f"{channel} is still paused", after_s=10)
    return True
