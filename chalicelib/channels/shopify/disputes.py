"""What buyers' banks challenge of Shopify Payments. Source: schema admin_2026-10, ShopifyPaymentsDispute.

Disputes can be asked for by the day they began only, and tell no time of change. One that the seller gave in to is
lost; one that was prevented, or ended in a refund, costs nothing beside that refund, which is booked by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.channels.facts import ChannelDispute
from chalicelib.channels.fields import Node
from chalicelib.channels.shopify import documents_returns as documents
from chalicelib.channels.shopify.payments import stamp
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, number
from chalicelib.domain.errors import Unreadable

_OVER = {"WON": "won", "PREVENTED": "won", "CHARGE_REFUNDED": "won", "LOST": "lost", "ACCEPTED": "lost"}


def read_disputes(wire: ShopifyWire, since_ms: int) -> Iterator[ChannelDispute]:
    """Every dispute that began since then; none for an app without the right to read them."""
    try:
        for found in wire.pages(documents.DISPUTES, {"query": f"initiated_at:>='{stamp(since_ms)}'"}, "disputes"):
            yield from _read(found)
    except Declined as error:
        if error.code != "ACCESS_DENIED":
            raise


def _read(found: Node) -> list[ChannelDispute]:
    """One dispute; none where it is about no order, or cannot be read, which must not stop the others. A status that
    nobody knows yet is open."""
    try:
        amount = found.at("amount")
        currency = amount.currency("currencyCode")
        dispute = ChannelDispute(
            dispute_id=number(found.identity("id")),
            external_id=number(found.at("order").text("id")),
            amount_minor=amount.minor("amount", currency),
            currency=currency,
            status=_OVER.get(found.text("status"), "open"),
            due_ms=found.optional_time_ms("evidenceDueBy"),
        )
    except Unreadable:
        return []
    return [dispute] if dispute.external_id and dispute.amount_minor > 0 else []
