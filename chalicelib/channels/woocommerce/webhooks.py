"""WooCommerce's webhooks: the unsigned ping, the topics that we use, and keeping the subscriptions alive.

A webhook is never sent again, and is disabled without a word after more than five failures: the poll is what counts.
Source: class-wc-webhook.php (deliver_ping, failed_delivery), wc-v3-index.json (webhooks).
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from chalicelib.channels.fields import Node
from chalicelib.channels.woocommerce.wire import WC, WooWire, having_id

TOPICS = ("order.created", "order.updated", "order.deleted", "order.restored")


def is_ping(raw: bytes, content_type: str) -> bool:
    """Whether this is the unsigned form `webhook_id=N` that a new webhook sends to see that somebody is there."""
    is_form = content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    return is_form and re.fullmatch(rb"webhook_id=[0-9]{1,20}", raw.strip()) is not None


def told_of(raw: bytes) -> tuple[str, bool]:
    """The order's id in a delivery, and whether its body is the whole order: one that was deleted is an id only, and
    refunds are told without their lines, so those are to be read. ("", False) for no order at all."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return "", False
    if not isinstance(body, dict) or not str(body.get("id") or "").isdecimal():
        return "", False
    return str(body["id"]), bool(body.get("status")) and "line_items" in body and not body.get("refunds")


def ensure(wire: WooWire, delivery_url: str, secret: str) -> dict[str, str]:
    """Topic -> kept, created or enabled."""
    known = [each for each in wire.pages(f"{WC}/webhooks") if each.get("delivery_url") == delivery_url]
    return {topic: _ensure_one(wire, known, topic, delivery_url, secret) for topic in TOPICS}


def _ensure_one(wire: WooWire, known: list[dict[str, Any]], topic: str, delivery_url: str, secret: str) -> str:
    ours = [each for each in known if each.get("topic") == topic]
    if any(each.get("status") == "active" for each in ours):
        return "kept"
    if ours:
        path = f"{WC}/webhooks/{quote(Node(ours[0]).identity('id'), safe='')}"
        having_id(wire.send("PUT", path, {"status": "active", "secret": secret}))
        return "enabled"
    wish = {"name": f"Headrace {topic}", "topic": topic, "delivery_url": delivery_url, "secret": secret}
    having_id(wire.send("POST", f"{WC}/webhooks", {**wish, "status": "active"}))
    return "created"
