"""How often eBay may be asked: calls a day of the app, for all its sellers together.

Source: developer.ebay.com, API call limits. A day begins at midnight Pacific time.
"""

from __future__ import annotations

from chalicelib.channels.budgets import Plan, Revisions


def _daily(calls: int, lease: int = 50) -> Plan:
    """A day's calls; a burst of a fiftieth keeps one runaway worker from using up the day in minutes."""
    return Plan(rate_per_s=calls / 86_400 * 4, burst=max(calls // 50, 20), per_day=calls, shared=True, lease=lease)


PLANS = {
    "fulfillment": _daily(100_000),
    "inventory": _daily(2_000_000),
    "finances": _daily(15_000, lease=2),
    "account": _daily(25_000, lease=2),
    "analytics": _daily(100, lease=1),
    "notification": _daily(10_000, lease=1),
    "rate_limit": _daily(5_000, lease=1),
    "cancellation": _daily(5_000, lease=1),
    "return": _daily(5_000, lease=1),
    "key_management": _daily(5_000, lease=1),
    "token": _daily(50_000, lease=1),
}

REVISIONS = Revisions(per_day=250, day_starts_h=8)  # Source: bulkUpdatePriceQuantity, revisions of a listing
