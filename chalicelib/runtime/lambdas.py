"""Turns Chalice's events into our batches. Used under Chalice's decorators: app middleware never runs for blueprints.

Queue ARNs here are placeholders that the packaged template replaces; only the last word matters to a reader.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from chalicelib.runtime.batch import Delivery, Work, answer
from chalicelib.runtime.wiring import Runtime, runtime


def queue_arn(queue: str) -> str:
    """A stand-in ARN for the queue; `.chalice/resources.json` puts the real one in its place."""
    return f"arn:aws:sqs:us-east-1:000000000000:headrace-{queue}"


def from_sqs(work: Work) -> Callable[[Callable[..., Any]], Callable[[Any], Mapping[str, Any]]]:
    """Run `work` on the batch of an SQS event and answer with what failed."""

    def decorate(handler: Callable[..., Any]) -> Callable[[Any], Mapping[str, Any]]:
        @wraps(handler)
        def handle(event: Any) -> Mapping[str, Any]:
            records = event.to_dict()["Records"]
            unread, batch = [], []
            for record in records:
                try:
                    receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
                    batch.append(Delivery(record["messageId"], json.loads(record["body"]), receives))
                except ValueError:
                    unread.append(record["messageId"])
            return answer([*unread, *(work(batch, runtime()) if batch else [])])

        return handle

    return decorate


def on_schedule(job: Callable[[Runtime], None]) -> Callable[[Callable[..., Any]], Callable[[Any], None]]:
    """Run `job` at each tick of a schedule."""

    def decorate(handler: Callable[..., Any]) -> Callable[[Any], None]:
        @wraps(handler)
        def handle(_event: Any) -> None:
            job(runtime())

        return handle

    return decorate
