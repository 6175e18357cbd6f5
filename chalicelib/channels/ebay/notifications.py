"""What eBay pushes: the challenge of an endpoint, the signature of a message, and what a message tells.

Sources: eBay/event-notification-nodejs-sdk (challenge, signature); AsyncAPI documents of AUTHORIZATION_REVOCATION and
MARKETPLACE_ACCOUNT_DELETION; a live ORDER_CONFIRMATION. Messages are hints: they may come twice, late, or not at all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.channels.fields import Node, parse
from chalicelib.domain.errors import Forged, Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

ORDER_TOPICS = ("ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED")
REVOKED, DELETED = "AUTHORIZATION_REVOCATION", "MARKETPLACE_ACCOUNT_DELETION"


@dataclass(frozen=True)
class Told:
    """What one message says.

    `notification_id` is the same when it comes again. `user_id` and `username` are the seller whose orders have changed
    or whose consent is gone, or the buyer who is to be erased under both; "" where the message does not say. A topic
    that is not ours names nobody.
    """

    topic: str
    notification_id: str
    user_id: str = ""
    username: str = ""
    order_ids: tuple[str, ...] = ()


def challenge_response(challenge_code: str, verification_token: str, endpoint: str) -> str:
    """What proves that the endpoint is ours: hex SHA-256 of the three, the endpoint exactly as registered."""
    return hashlib.sha256(f"{challenge_code}{verification_token}{endpoint}".encode()).hexdigest()


def key_id_of(header: str) -> str:
    """The id of the key that `x-ebay-signature` names, for `public_key`. Raises `Forged`."""
    return _signature_of(header)[0]


def verify(raw: bytes, header: str, key: str) -> None:
    """`header` is x-ebay-signature: base64 of JSON with a base64 DER signature, ECDSA over the raw body with SHA-1 on
    P-256; `key` is getPublicKey's, PEM with or without line breaks. Raises `Forged`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    _, signature = _signature_of(header)
    public = _loaded(key)
    if public is None:
        raise Forged("bad_key", "the public key of this notification is no elliptic curve key")
    try:
        public.verify(signature, raw, ec.ECDSA(hashes.SHA1()))  # noqa: S303 the hash that eBay signs with
    except InvalidSignature:
        raise Forged("bad_signature", "x-ebay-signature does not fit the body") from None


def is_key(key: str) -> bool:
    """Whether this is a key that `verify` can use."""
    return _loaded(key) is not None


def told_of(body: str | bytes) -> Told:
    """What a message tells. Raises `Unreadable` for what is no notification of the Notification API."""
    raw = body.encode() if isinstance(body, str) else body
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        remedy = "subscribe by the Notification API: platform notifications prove nothing of their content"
        raise Unreadable("platform_notification", f"XML is no notification that we take ({remedy})")
    root = parse(body)
    topic = root.at("metadata").identity("topic")
    notification = root.at("notification")
    notification_id, data = notification.text("notificationId"), notification.at("data")
    if topic in ORDER_TOPICS:
        user, order = data.at("user"), data.at("order")
        # No contract of the second topic is at hand: one that names no order is no reason to refuse it.
        known = topic != ORDER_TOPICS[0] and not order.text("orderId")
        order_ids = () if known else (order.identity("orderId"),)
        return Told(topic, notification_id, user.text("userId"), user.text("username"), order_ids)
    if topic in (REVOKED, DELETED):
        return _about_user(topic, notification_id, data)
    return Told(topic, notification_id)


def _loaded(key: str) -> EllipticCurvePublicKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    text = key.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
    try:
        public = load_der_public_key(base64.b64decode("".join(text.split())))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, ec.EllipticCurvePublicKey) else None


def _about_user(topic: str, notification_id: str, data: Node) -> Told:
    user_id, username = data.text("userId"), data.text("username")
    if not user_id and not username:
        data.at("userId").refuse("the id of a user, or a username beside it")
    return Told(topic, notification_id, user_id, username)


def _signature_of(header: str) -> tuple[str, bytes]:
    """The key's id and the signature."""
    try:
        stated = json.loads(base64.b64decode(header.strip(), validate=True))
        if not isinstance(stated, Mapping) or not isinstance(stated.get("kid"), str):
            raise ValueError
        signature = base64.b64decode(stated["signature"], validate=True)
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        raise Forged("bad_signature", "x-ebay-signature is missing or malformed") from None
    if not stated["kid"] or not signature:
        raise Forged("bad_signature", "x-ebay-signature names no key or holds no signature")
    return stated["kid"], signature
