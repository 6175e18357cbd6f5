"""How eBay rates the seller, and how many calls it leaves the application.

Sources: sell_analytics_v1_oas3.json (SspMetric), developer_analytics_v1_beta_oas3.json. Values come as numbers, texts,
true or false, or as objects with a value inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.facts import Metric
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Unreadable

_BELOW = "BELOW_STANDARD"


@dataclass(frozen=True)
class RateLimit:
    """What is left of one API's calls. `api` is eBay's name (`sell.fulfillment`); `resets_ms`: 0 when not told."""

    api: str
    resource: str
    limit: int
    remaining: int
    resets_ms: int = 0


def read_standards(wire: EbayWire) -> list[Metric]:
    """Every measure of the programme that the seller is judged by; all programmes when none is named so."""
    found = Node(wire.found(Call("GET", "/sell/analytics/v1/seller_standards_profile")))
    profiles = found.each("standardsProfiles")
    own = [each for each in profiles if each.at("defaultProgram").value is True]
    return [metric for profile in own or profiles for metric in _metrics(profile)]


def read_rate_limits(wire: EbayWire) -> list[RateLimit]:
    """What is left of the application's calls, for all its sellers together."""
    found = Node(wire.found(Call("GET", "/developer/analytics/v1_beta/rate_limit/", as_app=True)))
    return [
        RateLimit(
            f"{api.text('apiContext')}.{api.text('apiName')}",
            resource.text("name"),
            _count(rate, "limit"),
            _count(rate, "remaining"),
            _time_ms(rate, "reset"),
        )
        for api in found.each("rateLimits")
        for resource in api.each("resources")
        for rate in resource.each("rates")
    ]


def _count(rate: Node, key: str) -> int:
    """0 for what is no number of calls: one such rate must not hide the others."""
    try:
        return rate.whole(key)
    except Unreadable:
        return 0


def _time_ms(rate: Node, key: str) -> int:
    try:
        return rate.optional_time_ms(key)
    except Unreadable:
        return 0


def _metrics(profile: Node) -> Iterator[Metric]:
    cycle, program = profile.at("cycle").text("cycleType"), profile.text("program")
    period = f"{program} {cycle}".strip()
    if level := profile.text("standardsLevel"):
        yield Metric(_name("STANDARDS_LEVEL", cycle), level, is_good=level != _BELOW, window=period)
    for each in profile.each("metrics"):
        level = each.text("level")
        dates = [each.text(name)[:10] for name in ("lookbackStartDate", "lookbackEndDate")]
        yield Metric(
            name=_name(each.text("metricKey") or each.text("name"), cycle),
            value=_value(each, "value"),
            limit=_value(each, "thresholdUpperBound") or _value(each, "thresholdLowerBound"),
            is_good=level != _BELOW if level else None,
            window=" ".join([period, *(["..".join(dates)] if any(dates) else [])]).strip(),
        )


def _name(key: str, cycle: str) -> str:
    """What eBay expects for the next evaluation is another measure than the one it has made."""
    return key if cycle in ("", "CURRENT") else f"{key}_{cycle}"


def _value(metric: Node, key: str) -> str:
    place = metric.at(key)
    if isinstance(place.value, dict):
        return _value(place, "value")
    if isinstance(place.value, bool | float):
        return str(place.value).lower()
    try:
        return metric.text(key)
    except Unreadable:
        return ""
