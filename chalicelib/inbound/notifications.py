"""Amazon's notifications, which it sends to a queue of ours: orders to look at, and quantities that it shows.

Messages: the notification as Amazon wrote it. Sources: SP-API schemas OrderChangeNotification and
ListingsItemMfnQuantityChange.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.amazon.notifications import ORDER_CHANGE, told_of
from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account
from chalicelib.store.listings import Listing, link_key, read_entry

blueprint = Blueprint(__name__)

# Less than we have said is mostly a sale whose order is still on its way here. To repeat our number now would put the
# sold unit on offer again; by then the order has come, or it was no sale.
_SALE_ARRIVES_S = 900


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Turn each notification into hints, sent together; the ids of the messages that must come again."""
    return each_then_send("amazon-notifications", hear, "hints", batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("amazon-notifications"), batch_size=10, name="amazon_notifications")
@from_sqs(work)
def amazon_notifications(event: Any) -> None:
    """Lambda."""


def hear(message: Message, runtime: Runtime) -> list[Message]:
    """Which orders to look at, for the account whose seller the notification names."""
    told = told_of(json.dumps(message))
    accounts = _accounts_of(told.seller_id, told.marketplace_id, runtime)
    for channel in accounts:
        for channel_sku, shown in told.skus:
            _compare(channel, channel_sku, shown, runtime)
    order_ids = told.order_ids if told.kind == ORDER_CHANGE else ()
    return [{"channel": channel, "external_id": order_id} for channel in accounts for order_id in order_ids]


def _compare(channel: str, channel_sku: str, shown: int, runtime: Runtime) -> None:
    """Say our number again when Amazon shows another one than it acknowledged: at once when it shows more."""
    listing = _listing(channel, channel_sku, runtime)
    if listing is None or listing.acked_quantity in (-1, shown):  # -1: nothing was said yet
        return
    delay_s = 0 if shown > listing.acked_quantity else _SALE_ARRIVES_S
    runtime.queues.send(SYNC_QUEUES["amazon"], [{"sku": listing.sku, "again": True}], delay_s=delay_s)
    log("quantity_differs", channel=channel, sku=listing.sku, shown=shown, acknowledged=listing.acked_quantity)


def _listing(channel: str, channel_sku: str, runtime: Runtime) -> Listing | None:
    link = runtime.tables.get(link_key(channel, channel_sku))
    listings = read_entry(runtime.tables, link["sku"]).listings if link else ()
    return next((each for each in listings if (each.channel, each.channel_sku) == (channel, channel_sku)), None)


def _accounts_of(seller_id: str, marketplace_id: str, runtime: Runtime) -> list[str]:
    """The accounts of this seller in this store; what is not named, by the notification or by an account, fits all."""
    known = runtime.settled("amazon sellers", lambda: _sellers(runtime))
    wanted = (seller_id, marketplace_id)
    return [
        channel
        for channel, own in known.items()
        if all("" in pair or pair[0] == pair[1] for pair in zip(wanted, own, strict=True))
    ]


def _sellers(runtime: Runtime) -> dict[str, tuple[str, str]]:
    """The seller and the store of each Amazon account."""
    accounts = {name: read_account(runtime.tables, name) for name in channels(runtime.tables, "amazon")}
    return {
        name: (str(account.get("seller_id", "")), str(account.get("marketplace_id", "")))
        for name, account in accounts.items()
    }
