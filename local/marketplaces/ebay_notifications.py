"""What eBay pushes: the messages, their signature, and who gets them.

Sources: specs/ebay/asyncapi (AUTHORIZATION_REVOCATION, MARKETPLACE_ACCOUNT_DELETION), a live ORDER_CONFIRMATION; the
signature as in eBay/event-notification-nodejs-sdk. No contract of ITEM_MARKED_SHIPPED is at hand: it is shaped like
ORDER_CONFIRMATION.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import ebay_item_id
from local.marketplaces.ebay_buyers import user_id
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.shelf import Change, Sale
from local.marketplaces.wire import to_json

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

CONFIRMED, SHIPPED = "ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED"
REVOKED, DELETED = "AUTHORIZATION_REVOCATION", "MARKETPLACE_ACCOUNT_DELETION"
# Topic -> whose token subscribes to it.
TOPICS = {CONFIRMED: "USER", SHIPPED: "USER", REVOKED: "APPLICATION", DELETED: "APPLICATION"}
TOPIC_OF_CHANGE = {"created": CONFIRMED, "shipped": SHIPPED, "revoked": REVOKED, "buyer_deleted": DELETED}
# The kind of a change that is none: the id of the subscription to be tested follows.
TEST = "test:"
NO_ORDER = "00-00000-00000"
# The order of the group of P-256, for a private key out of a hash.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Notice:
    """One signed message, and the endpoint to POST it to."""

    topic: str
    url: str
    body: bytes
    headers: dict[str, str]


def notices(market: Ebay, change: Change) -> list[Notice]:
    """The messages that a change causes: none when nobody has subscribed to its topic."""
    if change.kind.startswith(TEST):
        return _test(market, change)
    topic = TOPIC_OF_CHANGE.get(change.kind.partition(":")[0])
    if topic is None:
        return []
    body, headers = signed(market, message(market, topic, change))
    return [Notice(topic, url, body, headers) for url in _endpoints(market, topic)]


def _test(market: Ebay, change: Change) -> list[Notice]:
    """A message to one subscription, enabled or not, about an order or a user that does not exist."""
    office = market.shelf.ebay
    named = [each for each in office.subscriptions if f"{TEST}{each.subscription_id}" == change.kind]
    urls = {each.destination_id: each.endpoint for each in office.destinations}
    return [
        Notice(each.topic_id, urls[each.destination_id], *signed(market, message(market, each.topic_id, change)))
        for each in named
    ]


def message(market: Ebay, topic: str, change: Change) -> bytes:
    """The JSON of a message, compact; the same change makes the same message."""
    event = f"{topic}/{change.order_id}/{change.at.isoformat()}"
    return to_json(
        {
            "metadata": {"topic": topic, "schemaVersion": "1.0", "deprecated": False},
            "notification": {
                "notificationId": f"{_uuid(event)}_{_uuid(market.seller_id)}",
                "eventDate": stamp(change.at),
                "publishDate": stamp(change.at),
                "publishAttemptCount": 1,
                "data": _DATA[topic](market, change),
            },
        }
    )


def signed(market: Ebay, body: bytes) -> tuple[bytes, dict[str, str]]:
    """These bytes, and the headers that go with them."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key_id, private = _key(market.seller_id)
    signature = private.sign(body, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - the hash that eBay signs with
    header = {
        "alg": "ecdsa",
        "kid": key_id,
        "signature": base64.b64encode(signature).decode(),
        "digest": "SHA1",
    }
    encoded = base64.b64encode(to_json(header)).decode()
    return body, {"Content-Type": "application/json", "x-ebay-signature": encoded}


def key_id(market: Ebay) -> str:
    """The id under which getPublicKey gives the key."""
    return _key(market.seller_id)[0]


def public_key(market: Ebay) -> str:
    """The key as getPublicKey gives it: PEM without line breaks."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = _key(market.seller_id)[1].public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"-----BEGIN PUBLIC KEY-----{base64.b64encode(der).decode()}-----END PUBLIC KEY-----"


def _endpoints(market: Ebay, topic: str) -> list[str]:
    """Of the enabled subscriptions; a deleted account is told to every destination if nobody has subscribed."""
    office = market.shelf.ebay
    open_ = {each.destination_id: each.endpoint for each in office.destinations if each.status == "ENABLED"}
    subscribed = [
        each.destination_id for each in office.subscriptions if each.topic_id == topic and each.status == "ENABLED"
    ]
    if topic == DELETED and not any(each.topic_id == DELETED for each in office.subscriptions):
        subscribed = list(open_)
    return [open_[destination_id] for destination_id in subscribed if destination_id in open_]


@cache
def _key(seller_id: str) -> tuple[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import ec

    number = int.from_bytes(hashlib.sha256(f"ebay/notifications/{seller_id}".encode()).digest())
    return _uuid(f"kid/{seller_id}"), ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))


# --- the data of each topic ---------------------------------------------------------------------------


def _user(username: str) -> dict[str, str]:
    return {"username": username, "userId": user_id(username)}


def _eias(username: str) -> str:
    return base64.b64encode(hashlib.sha256(f"eias/{username}".encode()).digest()).decode()


def _confirmed(market: Ebay, change: Change) -> dict[str, Any]:
    sale = market.shelf.sales.get(change.order_id)
    return _order(market, sale, {line.line_id: line.quantity for line in sale.lines} if sale else {})


def _shipped(market: Ebay, change: Change) -> dict[str, Any]:
    sale, reference = market.shelf.sales.get(change.order_id), change.kind.partition(":")[2]
    parcels = sale.parcels if sale else []
    units = next((parcel.units for parcel in parcels if parcel.reference == reference), {})
    return _order(market, sale, units)


def _order(market: Ebay, sale: Sale | None, units: dict[str, int]) -> dict[str, Any]:
    lines = [
        {"orderLineItemId": line.line_id, "listingId": ebay_item_id(line.sku), "quantity": units[line.line_id]}
        for line in (sale.lines if sale else [])
        if line.line_id in units
    ]
    order_id = sale.order_id if sale else NO_ORDER
    return {"user": _user(market.seller_id), "order": {"orderId": order_id, "orderLineItems": lines}}


def _revoked(market: Ebay, change: Change) -> dict[str, Any]:
    name = market.seller_id
    reason = {"revokeReason": "REVOKED_BY_USER", "revocationDate": stamp(change.at)}
    return {**_user(name), "eiasToken": _eias(name), **reason}


def _deleted(_market: Ebay, change: Change) -> dict[str, Any]:
    return {**_user(change.order_id), "eiasToken": _eias(change.order_id)}


_DATA: dict[str, Callable[[Ebay, Change], dict[str, Any]]] = {
    CONFIRMED: _confirmed,
    SHIPPED: _shipped,
    REVOKED: _revoked,
    DELETED: _deleted,
}
