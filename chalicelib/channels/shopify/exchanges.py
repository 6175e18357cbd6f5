"""Goods that a buyer takes instead of those that he sends back: new lines on his order, paid for by what comes back.

Source: schema admin_2026-10 (Order, Return.exchangeLineItems). Totals and lines are "before returns", so the new lines
count in them beside the old ones; `currentTotalPriceSet` is what is left after returns, and what is outstanding is that
less what was paid and not given back, less than 0 where the buyer is owed.
"""

from __future__ import annotations

from chalicelib.channels.fields import Node


def credit_minor(order: Node, total_minor: int, refunded_minor: int, currency: str) -> int:
    """Of the total, what the buyer does not pay in money, since goods came back for it; 0 for an order without returns,
    and where nothing tells. `order`: in the shape of a webhook body."""
    told = order.has("current_total_price") and order.has("total_outstanding")
    if not order.at("returns").value or not told or order.has("cancelled_at"):
        return 0
    current_minor = order.minor("current_total_price", currency)
    owed_minor = order.minor("total_outstanding", currency)
    payable_minor = current_minor + refunded_minor - min(owed_minor, 0)
    return max(total_minor - payable_minor, 0)
