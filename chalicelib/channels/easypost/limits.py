"""How often EasyPost may be asked. Source: docs.easypost.com, rate limiting guide.

Five lists a second. Of other calls it names no number: it refuses (429) by its own load. Theirs is one that nobody
reaches, so that only a refusal stops them, for all containers together.
"""

from __future__ import annotations

from chalicelib.channels.budgets import Plan

_UNNAMED = Plan(rate_per_s=50, burst=200, lease=10)

PLANS = {"list": Plan(rate_per_s=4, burst=1), "get": _UNNAMED, "post": _UNNAMED}
