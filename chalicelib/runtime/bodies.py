"""Claim check: bodies too large for a queue, and raw payloads of held orders, in an encrypted, expiring bucket."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

from chalicelib.runtime.queues import LARGEST_BODY_BYTES, Message


class Bodies(Protocol):
    """Bytes under a key."""

    def put(self, key: str, body: bytes) -> None:
        """Keep `body`; the same key again replaces it."""

    def get(self, key: str) -> bytes:
        """The body that was kept."""

    def delete(self, key: str) -> None:
        """Forget a body; one that is not there is no error."""


class S3Bodies:
    """`Bodies` in a bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return content

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)


def enclose(bodies: Bodies, channel: str, raw: bytes, hint: dict[str, str]) -> Message:
    """The entry message for a raw payload: inside the message, or in the bucket when it is large or not UTF-8."""
    message = {"channel": channel, "hint": hint}
    key = claim_of(channel, raw)
    if not key:
        return {**message, "raw": raw.decode()}
    bodies.put(key, raw)
    return {**message, "claim": key}


def claim_of(channel: str, raw: bytes) -> str:
    """Under which key a raw payload waits in the bucket; "" for one that travels in its message."""
    text = raw.decode("utf-8", errors="replace")
    if len(json.dumps(text)) <= LARGEST_BODY_BYTES and text.encode() == raw:  # as JSON in the message it is larger
        return ""
    return f"claims/{channel}/{digest(raw)}"  # content address: the same body twice is one object


def unclose(bodies: Bodies, message: Message) -> bytes:
    """The raw payload of an entry message."""
    return bodies.get(message["claim"]) if "claim" in message else str(message["raw"]).encode()


def digest(raw: bytes) -> str:
    """Names a payload that has no id of its own."""
    return hashlib.sha256(raw).hexdigest()[:32]
