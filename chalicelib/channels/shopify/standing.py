"""Why a fulfilment order may not be shipped from here. Shopify makes, holds, splits and moves them.

Sources: FulfillmentOrderStatus, FulfillmentOrderRequestStatus, FulfillmentOrderAction of schema admin_2026-10.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.channels.fields import Node
from chalicelib.domain.channel_order import Problem

HELD, SERVICE, SCHEDULED = "held_at_channel", "other_fulfilment_service", "scheduled_at_channel"
REASONS = (HELD, SERVICE, SCHEDULED)

OVER = ("CLOSED", "CANCELLED")


def obstacle(node: Node) -> Problem | None:
    """Of one fulfilment order as `documents` read it; None when it may be shipped, or is over."""
    status, name = node.text("status"), f"fulfilment order {node.text('id').rpartition('/')[2]}"
    if status in OVER:
        return None
    if status == "ON_HOLD":
        reasons = sorted({hold.text("reason").lower().replace("_", " ") for hold in node.each("fulfillmentHolds")})
        why = ", ".join(reasons) or "no reason told"
        return Problem(HELD, f"{name} is on hold ({why}): release it in Shopify")
    if _has_a_service(node):
        service = node.at("assignedLocation").text("name")
        return Problem(SERVICE, f"{name} is for {service or 'a fulfilment service'} to ship: move it in Shopify")
    if status == "SCHEDULED":
        day = node.text("fulfillAt")[:10]
        return Problem(SCHEDULED, f"{name} is not to be shipped before {day or 'a later day'}: open it in Shopify")
    return None


def _has_a_service(node: Node) -> bool:
    """Only of a fulfilment service can fulfilment be requested."""
    actions = {each.text("action") for each in node.each("supportedActions")}
    return node.text("requestStatus") not in ("", "UNSUBMITTED") or "REQUEST_FULFILLMENT" in actions


class Standing(NamedTuple):
    """What an order's fulfilment orders say of it. `told_ms`, `untold`: see `ChannelOrder`."""

    problems: tuple[Problem, ...] = ()
    told_ms: int = 0
    untold: tuple[str, ...] = REASONS


def standing_of(order: Node, changed_ms: int) -> Standing:
    """Of an order in REST's shape. Webhook bodies do not tell of fulfilment orders. One problem for each reason: a hold
    has one name, and what it says stays the same while nothing changes."""
    if not order.has("fulfillment_orders"):
        return Standing()
    nodes = order.each("fulfillment_orders")
    found = [problem for node in nodes if (problem := obstacle(node))]
    details = {reason: sorted(each.detail for each in found if each.reason == reason) for reason in REASONS}
    problems = tuple(Problem(reason, "; ".join(details[reason])) for reason in REASONS if details[reason])
    told_ms = max(changed_ms, *(node.optional_time_ms("updatedAt") for node in nodes), 0)
    return Standing(problems, told_ms, untold=())
