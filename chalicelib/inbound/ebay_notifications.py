"""What eBay has told of and the door has verified: orders to look at, and a seller who has taken back his consent.

Messages: {channel, topic, notification_id, sellers, order_ids}; `sellers` are the user id and the name of the seller
concerned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.ebay.notifications import ORDER_TOPICS, REVOKED
from chalicelib.runtime.batch import Delivery, each_then_send
from chalicelib.runtime.clients import pause
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account
from chalicelib.store.jobs import StoredJobs

blueprint = Blueprint(__name__)

QUEUE = "ebay-notifications"


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Turn each notification into hints, sent together; the ids of the messages that must come again."""
    return each_then_send(QUEUE, hear, "hints", batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn(QUEUE), batch_size=10, name="ebay_notifications")
@from_sqs(work)
def ebay_notifications(event: Any) -> None:
    """Lambda."""


def hear(message: Message, runtime: Runtime) -> list[Message]:
    """Which orders to look at. Hearing twice of the same order is harmless: each is read as it is then."""
    channel, topic = message["channel"], message["topic"]
    sellers = runtime.settled("ebay sellers", lambda: _sellers(runtime))
    named = accounts_of(sellers, message["sellers"])
    if topic in ORDER_TOPICS:
        return [{"channel": name, "external_id": i} for name in named or [channel] for i in message["order_ids"]]
    if topic == REVOKED:
        # One app may serve sellers who are none of ours; their revocations must not pause ours.
        ours = named or [name for name in (channel,) if sellers.get(name) == ""]
        for name in ours:
            _revoke(name, f"revoked/{message['notification_id']}", runtime)
        log("consent_revoked", channel=channel, accounts=len(ours))
        return []
    log("topic_ignored", channel=channel, topic=topic[:80])
    return []


def _revoke(channel: str, name: str, runtime: Runtime) -> None:
    """Pause the account, once: told again after the seller has consented anew, it must not pause him again."""
    heard = StoredJobs(runtime.tables, channel)
    if heard.get(name) is None:
        pause(channel, "the seller has taken back his consent at eBay: authorise the account again", runtime)
        heard.put(name, {"at_ms": runtime.clock()})


def accounts_of(sellers: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """The accounts whose seller has one of these names; an account may know its seller by user id or by name."""
    wanted = {name.lower() for name in names}
    return [channel for channel, seller in sellers.items() if seller and seller.lower() in wanted]


def _sellers(runtime: Runtime) -> dict[str, str]:
    """The seller of each eBay account."""
    names = channels(runtime.tables, "ebay")
    return {name: str(read_account(runtime.tables, name).get("seller_id", "")) for name in names}
