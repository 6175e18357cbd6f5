"""eBay's limits: calls a day for each API of one application, revisions a day for each listing.

Sources: developer.ebay.com/develop/api/sell/api_call_limits, api-docs/static/oauth-rate-limits.html. The day begins at
midnight, Pacific time. Each call over a limit is refused, and counted in `over_budget`. The market's `limit_scale`
multiplies all limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from local.marketplaces.ebay_errors import stamp
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

PACIFIC = ZoneInfo("America/Los_Angeles")
DAY_S = 86_400
REVISIONS_A_DAY = 250


@dataclass(frozen=True)
class Limit:
    """So many calls a day to the paths that begin with `prefix`."""

    context: str
    api: str
    prefix: str
    calls_a_day: int

    @property
    def name(self) -> str:
        """The key in the counters."""
        return f"{self.context}.{self.api}"


LIMITS = (
    Limit("sell", "fulfillment", "/sell/fulfillment/", 100_000),
    Limit("sell", "inventory", "/sell/inventory/", 2_000_000),
    Limit("sell", "finances", "/sell/finances/", 15_000),
    Limit("sell", "account", "/sell/account/", 25_000),
    Limit("sell", "analytics", "/sell/analytics/v1/seller_standards_profile", 100),
    Limit("commerce", "notification", "/commerce/notification/", 10_000),
    Limit("developer", "analytics", "/developer/analytics/", 5_000),
    Limit("post-order", "cancellation", "/post-order/v2/cancellation", 5_000),
    Limit("post-order", "return", "/post-order/v2/return", 5_000),
)
GRANTS_A_DAY = {"client_credentials": 1_000, "refresh_token": 50_000}


def day_of(now: datetime) -> str:
    """The day that a call counts for, as YYYY-MM-DD."""
    return now.astimezone(PACIFIC).date().isoformat()


def spend_call(market: Ebay, path: str) -> bool:
    """Counts a call; False when its API has been called too often today."""
    limit = next((limit for limit in LIMITS if path.startswith(limit.prefix)), None)
    return limit is None or _spend(market, limit.name, limit.calls_a_day)


def spend_grant(market: Ebay, grant_type: str) -> bool:
    """Counts a token granted; False when there have been too many of this kind today."""
    return _spend(market, f"token.{grant_type}", GRANTS_A_DAY[grant_type])


def spend_revision(market: Ebay, sku: str) -> bool:
    """Counts a change of a listing; False when it has been changed too often today."""
    office = market.shelf.ebay
    _begin_day(market)
    if office.revisions[sku] >= REVISIONS_A_DAY * market.limit_scale:
        office.over_budget["revisions"] += 1
        return False
    office.revisions[sku] += 1
    return True


def rate_limits(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /developer/analytics/v1_beta/rate_limit (application) and /user_rate_limit (seller)."""
    _begin_day(market)
    wanted = {key: request.query[f"api_{key}"] for key in ("name", "context") if f"api_{key}" in request.query}
    found = [
        limit
        for limit in LIMITS
        if wanted.get("name", limit.api) == limit.api and wanted.get("context", limit.context) == limit.context
    ]
    if not found:
        return Response(204)
    return json_response(200, {"rateLimits": [_rate_limit(market, limit) for limit in found]})


def _rate_limit(market: Ebay, limit: Limit) -> dict[str, Any]:
    count, most = market.shelf.ebay.calls[limit.name], int(limit.calls_a_day * market.limit_scale)
    rate = {
        "count": count,
        "limit": most,
        "remaining": max(0, most - count),
        "reset": stamp(_next_midnight(market.clock())),
        "timeWindow": DAY_S,
    }
    resource = {"name": f"{limit.context}.{limit.api}", "rates": [rate]}
    return {"apiContext": limit.context, "apiName": limit.api, "apiVersion": "v1", "resources": [resource]}


def _next_midnight(now: datetime) -> datetime:
    local = now.astimezone(PACIFIC) + timedelta(days=1)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _spend(market: Ebay, name: str, most: int) -> bool:
    office = market.shelf.ebay
    _begin_day(market)
    office.calls[name] += 1
    if office.calls[name] > most * market.limit_scale:
        office.over_budget[name] += 1
        return False
    return True


def _begin_day(market: Ebay) -> None:
    office, today = market.shelf.ebay, day_of(market.clock())
    if office.day != today:
        office.day = today
        office.calls.clear()
        office.revisions.clear()
