"""Shopify's webhooks: the topics that we use, what a delivery tells, and keeping the subscriptions alive.

A delivery is tried 8 times in 4 hours; a subscription whose deliveries fail that often is removed without a word.
Sources: WebhookSubscriptionTopic of schema admin_2026-10; shopify.dev, HTTPS webhooks; samples webhooks-2024-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from chalicelib.channels.fields import Node, parse
from chalicelib.channels.shopify import documents_webhooks as documents
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, number
from chalicelib.domain.errors import Refused, Unreadable

# The body is the whole order.
ORDER_TOPICS = (
    "orders/create",
    "orders/updated",
    "orders/paid",
    "orders/cancelled",
    "orders/fulfilled",
    "orders/partially_fulfilled",
)

# The body only names what has changed: the order is to be read.
HINT_TOPICS = (
    "orders/edited",
    "orders/delete",
    "refunds/create",
    "fulfillments/create",
    "fulfillments/update",
    "fulfillment_orders/order_routing_complete",
    "fulfillment_orders/placed_on_hold",
    "fulfillment_orders/hold_released",
    "fulfillment_orders/moved",
    "fulfillment_orders/split",
    "fulfillment_orders/merged",
    "fulfillment_orders/cancelled",
    "fulfillment_orders/rescheduled",
    "fulfillment_orders/scheduled_fulfillment_order_ready",
    "returns/request",
    "returns/approve",
    "returns/decline",
    "returns/cancel",
    "returns/update",
    "returns/process",
    "returns/close",
    "returns/reopen",
    "disputes/create",
    "disputes/update",
)

UNINSTALLED = "app/uninstalled"
TOPICS = (*ORDER_TOPICS, *HINT_TOPICS, UNINSTALLED)

_FULFILMENT_ORDER = "gid://shopify/FulfillmentOrder/"
_HOLDERS = ("fulfillment_order", "moved_fulfillment_order", "original_fulfillment_order")


class Told(NamedTuple):
    """What a delivery is about. `about`: the order's number, or the global id of one of its fulfilment orders where the
    body names nothing else; "" for neither. `is_authorised`: it owes money that may be taken until a time which the
    body does not tell."""

    about: str
    is_authorised: bool = False


def told_of(topic: str, raw: bytes) -> Told:
    """Reads a delivery of one of `TOPICS`; what cannot be read is about nothing."""
    try:
        body = parse(raw)
        if topic.startswith("fulfillment_orders/"):
            return Told(_fulfilment_order(body))
        if topic in ORDER_TOPICS or topic == "orders/delete":
            return Told(_exact_id(body), body.text("financial_status") in ("authorized", "partially_paid"))
        named = body.at("order_edit") or body
        return Told(_exact_id(named.at("order")) if named.has("order") else _number(named.text("order_id")))
    except Unreadable:
        return Told("")


def _fulfilment_order(body: Node) -> str:
    """Of several, any will do: they are of one order."""
    holders = [body.at(name) for name in _HOLDERS]
    holders.append(body.at("fulfillment_order_merges").at("fulfillment_order"))
    ids = [holder.text("id") for holder in holders if holder]
    return next((each for each in ids if _number(each.removeprefix(_FULFILMENT_ORDER))), "")


def _exact_id(order: Node) -> str:
    """Numbers beyond 2^53 may have been rounded by JavaScript on their way; the one in the global id is exact."""
    return _number(number(order.text("admin_graphql_api_id"))) or _number(order.text("id"))


def _number(text: str) -> str:
    return text if text.isascii() and text.isdecimal() else ""


def owner_of(wire: ShopifyWire, about: str) -> str:
    """The number of the order that `Told.about` means. Raises `Refused` when the shop does not know it."""
    if not about.startswith(_FULFILMENT_ORDER):
        return about
    found = wire.ask(documents.OWNER, {"id": about}).at("fulfillmentOrder")
    if not found:
        raise Refused("unknown_order", f"Shopify does not know {about}, or may not show it")
    return number(found.identity("orderId"))


def ensure(wire: ShopifyWire, delivery_url: str) -> dict[str, str]:
    """Topic -> kept, created, moved (it told another host of the same path), or refused (a scope is missing)."""
    known = list(wire.pages(documents.SUBSCRIPTIONS, {}, "webhookSubscriptions"))
    return {topic: _ensure_one(wire, known, topic, delivery_url) for topic in TOPICS}


def _ensure_one(wire: ShopifyWire, known: Sequence[Node], topic: str, delivery_url: str) -> str:
    """What goes to another path is somebody else's, such as another installation of this app or a queue."""
    name = topic.upper().replace("/", "_")
    path = _path(delivery_url)
    ours = [each for each in known if each.text("topic") == name and _path(each.text("uri")) == path]
    if any(each.text("uri") == delivery_url for each in ours):
        return "kept"
    subscription = {"subscription": {"uri": delivery_url}}
    try:
        if ours:
            moving = {"id": ours[0].identity("id"), **subscription}
            wire.do(documents.MOVE_SUBSCRIPTION, moving, "webhookSubscriptionUpdate", "webhook_refused")
            return "moved"
        wire.do(documents.SUBSCRIBE, {"topic": name, **subscription}, "webhookSubscriptionCreate", "webhook_refused")
        return "created"
    except Declined as declined:
        if declined.reason != "webhook_refused":
            raise
        return "refused"


def _path(uri: str) -> str:
    """Of an https address; other destinations have none that could be ours."""
    parts = urlsplit(uri)
    return parts.path.rstrip("/") if parts.scheme in ("https", "http") else uri
