"""Amazon's notifications, which it sends to a queue of ours: orders to look at, and quantities that it shows.

Messages: the notification as Amazon wrote it. Sources: SP-API schemas OrderChangeNotification and
ListingsItemMfnQuantityChange.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.amazon.notifications import hint_of
from chalicelib.channels.fields import Node
from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account
from chalicelib.store.listings import Listing, link_key, read_entry

blueprint = Blueprint(__name__)

_QUANTITY = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
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
    root = _folded(message)
    if root.text("notificationtype").upper() == _QUANTITY:
        _hear_quantity(_folded(root.at("payload").value), runtime)
        return []
    hint = hint_of(json.dumps(message))
    return [
        {"channel": channel, "external_id": order_id}
        for channel in _accounts_of(hint.seller_id, runtime)
        for order_id in hint.order_ids
    ]


def _hear_quantity(payload: Node, runtime: Runtime) -> None:
    """Say our number again when Amazon shows another one than it acknowledged: at once when it shows more."""
    shown, channel_sku = payload.whole("quantity", -1), payload.identity("sku")
    for channel in _accounts_of(payload.text("sellerid"), runtime):
        listing = _listing(channel, channel_sku, runtime)
        if listing is None or -1 in (shown, listing.acked_quantity) or shown == listing.acked_quantity:
            continue  # a number that is not told, or told for the first time, differs from nothing
        delay_s = 0 if shown > listing.acked_quantity else _SALE_ARRIVES_S
        again = {"sku": listing.sku, "again": True}
        runtime.queues.send(SYNC_QUEUES["amazon"], [again], delay_s=delay_s)
        log("quantity_differs", channel=channel, sku=listing.sku, shown=shown, acknowledged=listing.acked_quantity)


def _listing(channel: str, channel_sku: str, runtime: Runtime) -> Listing | None:
    link = runtime.tables.get(link_key(channel, channel_sku))
    listings = read_entry(runtime.tables, link["sku"]).listings if link else ()
    return next((each for each in listings if (each.channel, each.channel_sku) == (channel, channel_sku)), None)


def _accounts_of(seller_id: str, runtime: Runtime) -> list[str]:
    """The accounts of this seller; all, when the notification names none."""
    sellers = runtime.settled("amazon sellers", lambda: _sellers(runtime))
    return [channel for channel, known in sellers.items() if seller_id in ("", known)]


def _sellers(runtime: Runtime) -> dict[str, str]:
    """The seller of each Amazon account."""
    names = channels(runtime.tables, "amazon")
    return {name: str(read_account(runtime.tables, name).get("seller_id", "")) for name in names}


def _folded(value: Any) -> Node:
    """An object with lower-case keys: Amazon writes some types in PascalCase, others in camelCase."""
    if not isinstance(value, dict):
        Node(value).refuse("an object")
    return Node({str(key).lower(): found for key, found in value.items()})
