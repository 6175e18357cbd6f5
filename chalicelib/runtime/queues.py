"""The queues between the Lambdas. A message is a small JSON object that says what to look at, never what to add."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from chalicelib.domain.errors import Busy

Message = Mapping[str, Any]

_SYNCED = ("shopify", "amazon", "ebay", "shop", "woocommerce")
SYNC_QUEUES = {kind: f"sync-{kind}" for kind in _SYNCED}  # channel kind -> its worker
LARGEST_BODY_BYTES = 200_000  # beyond this a body goes through the bucket (claim check); a queue takes 256 KB or more


def catching_up(channel: str) -> list[Message]:
    """What has its worker look at every SKU and every open order of an account that was paused."""
    return [{"rule_of": channel, "again": True}, {"orders_of": channel}]


def asking_again(processor: str, shops: Sequence[str]) -> dict[str, list[Message]]:
    """What has every order of own shops looked at that may have something to be asked of a payment processor's account,
    once that is not paused any more: queue -> messages."""
    found: dict[str, list[Message]] = {}
    for shop in shops:
        queue = SYNC_QUEUES.get(shop.split("-", 1)[0], SYNC_QUEUES["shop"])  # a storefront has no worker of its own
        found.setdefault(queue, []).append({"orders_of": shop, "after": processor})
    return found


_BATCH_MESSAGES = 10
_BATCH_BYTES = 250_000
_ATTEMPTS = 3


class Queues(Protocol):
    """Sends; receiving is Lambda's business."""

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
        """All of the messages, or `Busy` when some could not be sent (those that were may be sent again)."""


class SqsQueues:
    """`Queues` on SQS. `url_of_entry` is the URL of the queue `…-entry`; the others differ in the last word only."""

    def __init__(self, client: Any, url_of_entry: str) -> None:
        self._client = client
        self._url_stem = url_of_entry.removesuffix("entry")

    def send(self, queue: str, messages: Sequence[Message], delay_s: int = 0) -> None:
        for batch in batches([json.dumps(message, separators=(",", ":")) for message in messages]):
            entries = [
                {"Id": str(index), "MessageBody": body, "DelaySeconds": min(delay_s, 900)}
                for index, body in enumerate(batch)
            ]
            for _ in range(_ATTEMPTS):
                answer = self._client.send_message_batch(QueueUrl=self._url_stem + queue, Entries=entries)
                failed = {failure["Id"] for failure in answer.get("Failed", [])}
                entries = [entry for entry in entries if entry["Id"] in failed]
                if not entries:
                    break
            else:
                raise Busy(f"{len(entries)} messages to {queue} could not be sent", after_s=1)


def batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """The bodies in batches that SendMessageBatch takes: ten at most, and bounded in bytes."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == _BATCH_MESSAGES or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
