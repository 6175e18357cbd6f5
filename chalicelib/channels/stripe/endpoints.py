"""Webhook endpoints: which events go where. Sources: docs.stripe.com/api/webhook_endpoints; fixtures3.json.

Stripe shows the secret of an endpoint once, in the answer that makes it. Under the same idempotency key that answer
comes again for a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from chalicelib.channels.fields import Node
from chalicelib.channels.stripe.wire import VERSION, StripeWire
from chalicelib.domain.errors import Busy

EVENTS = (  # none of payouts, which are read every hour
    *(f"payment_intent.{what}" for what in ("amount_capturable_updated", "succeeded", "canceled", "payment_failed")),
    *("charge.refunded", "refund.created", "refund.updated", "refund.failed"),
    *(f"charge.dispute.{what}" for what in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")),
)


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. `lacking`: events that we need and it is not sent; `secret`: "" but when it was just made."""

    endpoint_id: str
    is_enabled: bool
    lacking: tuple[str, ...]
    secret: str = ""


def find(wire: StripeWire, url: str) -> Endpoint | None:
    """The endpoint at this address, one that is enabled before another."""
    found = [_endpoint(each) for each in wire.each("/v1/webhook_endpoints", {}) if each.text("url") == url]
    return next((each for each in found if each.is_enabled), found[0] if found else None)


def make(wire: StripeWire, url: str, key: str) -> Endpoint:
    """A new endpoint, with its secret. `key`: as in `StripeWire.post`."""
    fields = {"url": url, "enabled_events": EVENTS, "api_version": VERSION, "description": "Headrace"}
    made = _endpoint(wire.post("/v1/webhook_endpoints", fields, key))
    if not made.secret:
        raise Busy("stripe answered without the endpoint's secret", after_s=5)
    return made


def mend(wire: StripeWire, endpoint: Endpoint, key: str) -> None:
    """Enable it, for all events that we need. Setting the same twice changes nothing."""
    path = f"/v1/webhook_endpoints/{quote(endpoint.endpoint_id, safe='')}"
    wire.post(path, {"enabled_events": EVENTS, "disabled": False}, key)


def _endpoint(node: Node) -> Endpoint:
    sent = node.at("enabled_events").value
    known = set(map(str, sent)) if isinstance(sent, list) else set()
    lacking = () if "*" in known else tuple(event for event in EVENTS if event not in known)
    return Endpoint(node.identity("id"), node.text("status") == "enabled", lacking, node.text("secret"))
