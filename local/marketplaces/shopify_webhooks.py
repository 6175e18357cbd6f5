"""Shopify's webhooks: which topics a change causes, and the signed delivery.

Source of the header names: Shopify/shopify-app-js (specs/shopify/webhook-headers).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.marketplaces.shelf import Change
from local.marketplaces.shopify_fulfilment import gid, parts, status
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.shopify_subscriptions import addresses
from local.marketplaces.wire import to_json

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify


@dataclass(frozen=True)
class Webhook:
    """One signed delivery."""

    headers: dict[str, str]
    body: bytes
    url: str = ""  # "": where the app's own configuration says


def webhooks(shop: Shopify, change: Change) -> list[Webhook]:
    """The deliveries of one change: the order as it is now, to whom has subscribed to it. orders/updated tells of
    payment, cancellation and shipment too; of a fulfilment order, only which one it is."""
    if change.kind.startswith("fulfillment_orders/"):
        sale = shop.shelf.sales[change.order_id]
        held = [{"id": gid(part), "status": status(sale, part).lower()} for part in parts(shop, sale)]
        told: dict[str, Any] = {"fulfillment_order": held[0]}
        if change.kind == "fulfillment_orders/moved":
            told = {"original_fulfillment_order": held[0], "moved_fulfillment_order": held[-1]}
        return [_delivery(shop, change, change.kind, to_json(told), url) for url in addresses(shop, change.kind)]
    topic = "orders/create" if change.kind == "created" else "orders/updated"
    body = to_json(rest_order(shop, shop.shelf.sales[change.order_id]))
    return [_delivery(shop, change, topic, body, url) for url in addresses(shop, topic)]


def sign(secret: str, body: bytes) -> str:
    """X-Shopify-Hmac-Sha256 of these very bytes."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def _delivery(shop: Shopify, change: Change, topic: str, body: bytes, url: str) -> Webhook:
    event = f"{change.order_id}/{change.kind}/{change.at.isoformat()}"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop.shop_domain,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": _uuid(f"{event}/{topic}/{url}"),
        "X-Shopify-Event-Id": _uuid(event),
        "X-Shopify-Triggered-At": change.at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
        "X-Shopify-Hmac-Sha256": sign(shop.client_secret, body),
    }
    return Webhook(headers, body, url)


def _uuid(text: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))
