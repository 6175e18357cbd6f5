"""The webhook subscriptions that an app has made by API at the stand-in Shopify.

Those of an app's own configuration are not listed there: orders/create and orders/updated, until the API makes one.
Source of the messages: live capture webhook-subscription-cloud-uri-validation of 2026-04.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from graphql import GraphQLResolveInfo

from local.marketplaces.shopify_back_office import Subscription
from local.marketplaces.shopify_nodes import connection, stamp

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

Info = GraphQLResolveInfo[Any]
_GID = "gid://shopify/WebhookSubscription/"


def subscriptions(shop: Shopify, _info: Info, first: int | None = None, after: str | None = None) -> dict[str, Any]:
    """webhookSubscriptions(first:, after:)"""
    behind = int(after) if after and after.isdecimal() else 0
    found = [each for each in shop.office.subscriptions if each.number > behind]
    return connection(found, first, lambda each: str(each.number), _node, has_previous=behind > 0)


def create(
    shop: Shopify,
    _info: Info,
    topic: str,
    webhookSubscription: dict[str, Any],  # noqa: N803 the official name
) -> dict[str, Any]:
    """webhookSubscriptionCreate(topic:, webhookSubscription:)"""
    uri = str(webhookSubscription.get("uri") or "")
    if error := _trouble(shop, topic, uri):
        return _payload(None, error)
    shop.office.numbers += 1
    made = Subscription(1_928_000_000_000 + shop.office.numbers, topic, uri, shop.clock(), shop.clock())
    shop.office.subscriptions.append(made)
    return _payload(made)


def update(
    shop: Shopify,
    _info: Info,
    id: str,  # noqa: A002 the official name
    webhookSubscription: dict[str, Any],  # noqa: N803 the official name
) -> dict[str, Any]:
    """webhookSubscriptionUpdate(id:, webhookSubscription:)"""
    found = _find(shop, id)
    if found is None:
        return _payload(None, ("id", "Webhook subscription does not exist"))
    uri = str(webhookSubscription.get("uri") or found.uri)
    if uri != found.uri and (error := _trouble(shop, found.topic, uri)):
        return _payload(None, error)
    found.uri, found.updated_at = uri, shop.clock()
    return _payload(found)


def delete(shop: Shopify, _info: Info, id: str) -> dict[str, Any]:  # noqa: A002 the official name
    """webhookSubscriptionDelete(id:)"""
    found = _find(shop, id)
    if found is None:
        errors = [{"field": ["id"], "message": "Webhook subscription does not exist"}]
        return {"deletedWebhookSubscriptionId": None, "userErrors": errors}
    shop.office.subscriptions.remove(found)
    return {"deletedWebhookSubscriptionId": id, "userErrors": []}


def remove_failed(shop: Shopify, topic: str, uri: str) -> None:
    """A delivery has failed as often as it is tried: the subscription is gone, without a word."""
    kept = [each for each in shop.office.subscriptions if (_header(each.topic), each.uri) != (topic, uri)]
    shop.office.subscriptions = kept


def addresses(shop: Shopify, topic: str) -> list[str]:
    """Where deliveries of a topic (orders/create) go; "" is the address of the app's own configuration."""
    found = [each.uri for each in shop.office.subscriptions if _header(each.topic) == topic]
    return found or [""] * (topic in ("orders/create", "orders/updated"))


def _header(topic: str) -> str:
    """ORDERS_CREATE as deliveries name it; a name of several words keeps its underscores but one."""
    names = ("fulfillment_orders", "fulfillments", "inventory_levels", "orders", "refunds", "returns", "disputes")
    lower = topic.lower()
    owner = next((name for name in names if lower.startswith(f"{name}_")), lower.partition("_")[0])
    return f"{owner}/{lower.removeprefix(f'{owner}_')}"


def _trouble(shop: Shopify, topic: str, uri: str) -> tuple[str, str] | None:
    if topic in shop.office.topics_out_of_scope:
        return "topic", "You do not have permission to create or update webhooks with the given topic"
    if urlsplit(uri).scheme != "https":
        return "webhookSubscription", "Address protocol is not supported"
    if any((each.topic, each.uri) == (topic, uri) for each in shop.office.subscriptions):
        return "webhookSubscription", "Address for this topic has already been taken"
    return None


def _find(shop: Shopify, gid: str) -> Subscription | None:
    return next((each for each in shop.office.subscriptions if f"{_GID}{each.number}" == gid), None)


def _payload(made: Subscription | None, error: tuple[str, str] | None = None) -> dict[str, Any]:
    errors = [{"field": [error[0]], "message": error[1]}] if error else []
    return {"webhookSubscription": _node(made) if made else None, "userErrors": errors}


def _node(made: Subscription) -> dict[str, Any]:
    return {
        "id": f"{_GID}{made.number}",
        "topic": made.topic,
        "uri": made.uri,
        "createdAt": stamp(made.created_at),
        "updatedAt": stamp(made.updated_at),
    }
