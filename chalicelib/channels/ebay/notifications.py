"""What eBay's Notification API sends: its challenge, its signature, and what a notification tells of.

Sources: Notification API guide, marketplace account deletion; the AsyncAPI document of each topic.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from chalicelib.channels.fields import parse
from chalicelib.domain.errors import Forged


@dataclass(frozen=True)
class Told:
    """One notification: whom it is about (a seller, or the buyer to be deleted), and which orders to look at."""

    topic: str
    notification_id: str
    user_id: str
    username: str
    order_ids: tuple[str, ...]


def challenge_response(challenge_code: str, verification_token: str, endpoint: str) -> str:
    """The hex digest that proves the endpoint to be ours; `endpoint` exactly as registered."""
    return hashlib.sha256((challenge_code + verification_token + endpoint).encode()).hexdigest()


def verify(raw: bytes, header: str, key_pem: str) -> None:
    """The header holds an ECDSA signature with SHA-1 over the raw bytes. Raises `Forged`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        body = key_pem.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
        key = load_der_public_key(base64.b64decode(body))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(base64.b64decode(json.loads(base64.b64decode(header))["signature"]), raw, ec.ECDSA(SHA1()))  # noqa: S303
    except (InvalidSignature, ValueError, KeyError, TypeError):
        raise Forged("bad_signature", "x-ebay-signature does not fit the body") from None


def told_of(body: str | bytes) -> Told:
    """What a notification tells of. Raises `Unreadable` for what is no notification."""
    root = parse(body)
    topic, notification = root.at("metadata").identity("topic"), root.at("notification")
    data = notification.at("data")
    user = data.at("user") if data.has("user") else data
    order_id = data.at("order").text("orderId") if data.has("order") else ""
    found = tuple(i for i in (order_id,) if i)
    return Told(topic, notification.text("notificationId"), user.text("userId"), user.text("username"), found)


@dataclass(frozen=True)
class Hint:
    """The seller (immutable user id) whose orders have changed, and which; none for another topic."""

    seller_id: str
    order_ids: tuple[str, ...]


def hint_of(body: str | bytes) -> Hint:
    """What a notification points at. Raises `Unreadable` for what is no notification."""
    told = told_of(body)
    return Hint(told.user_id, told.order_ids) if told.topic == "ORDER_CONFIRMATION" else Hint("", ())
