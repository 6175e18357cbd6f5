"""How often Shippo may be asked with a live key; with one for tests a tenth, which its refusals (429) say.

Source: docs.goshippo.com, rate limits: 500 POST, 4,000 GET of one object and 50 GET of a list in a minute.
"""

from __future__ import annotations

from chalicelib.channels.budgets import Plan


def _in_a_minute(calls: int, lease: int = 1) -> Plan:
    """A fifth of them at once, and what is regained in a minute makes up the rest."""
    return Plan(rate_per_s=calls * 4 / 5 / 60, burst=calls // 5, lease=lease)


PLANS = {"post": _in_a_minute(500, lease=5), "get": _in_a_minute(4_000, lease=10), "list": _in_a_minute(50)}
