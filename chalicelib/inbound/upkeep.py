"""The upkeep of channel accounts: how the channel rates the seller, and its webhooks, which some drop without a word:
Shopify removes a subscription whose deliveries have failed for hours, WooCommerce disables one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from chalicelib.channels.facts import Metric
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from chalicelib.runtime.log import alarm
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_account
from chalicelib.store.findings import Health, keep_health, keep_webhook_topics, read_health, read_webhook_topics

WEBHOOKED = ("shopify", "woocommerce")
_SIGN_WITH_OURS = ("woocommerce",)  # the others sign with a secret of the app, which nobody sets
_MENDED = ("created", "enabled")


def check_account(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Keep its webhooks, and how the channel rates the seller."""
    return {**keep_webhooks(channel, client, runtime), **check_health(channel, client, runtime)}


def keep_webhooks(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Subscribe again to what is missing, for an account with the setting `webhook_url`, and call a person when that
    was there before: for hours nobody has taken what the channel had to tell. How many of each outcome."""
    url = str(read_account(runtime.tables, channel).get("webhook_url") or "")
    if not url:
        return {}
    if not url.endswith(f"/webhooks/{channel}"):
        raise Refused("bad_setting", f"webhook_url of {channel} must be the API's address and /webhooks/{channel}")
    told = client.ensure_webhooks(url, _secret(channel, runtime))
    known = read_webhook_topics(runtime.tables, channel)
    if mended := sorted(topic for topic in known if told.get(topic) in _MENDED):
        alarm("webhooks_mended", channel=channel, topics=", ".join(mended))
    if refused := sorted(topic for topic, outcome in told.items() if outcome == "refused"):
        log("webhooks_refused", channel=channel, topics=", ".join(refused))
    held = {topic for topic, outcome in told.items() if outcome != "refused"}
    if held != known:
        keep_webhook_topics(runtime.tables, channel, held)
    return {f"webhooks_{outcome}": count for outcome, count in sorted(Counter(told.values()).items())}


def _secret(channel: str, runtime: Runtime) -> str:
    """The first of the account's webhook secrets, where the channel is told what to sign with."""
    if kind_of(channel) not in _SIGN_WITH_OURS:
        return ""
    return str(runtime.secrets.get(f"{channel}/webhook")["secrets"][0])


def check_health(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Keep the channel's measures of today, and call a person once a day for each that it calls bad. Without its own
    judgement a measure is only kept: nothing tells whether its limit is the most or the least."""
    metrics = client.health()
    if not metrics:
        return {"metrics": 0, "beyond": 0}
    now_ms = runtime.clock()
    day = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
    known = read_health(runtime.tables, channel, day)
    alarmed = set(known.alarmed) if known else set()
    beyond = [metric for metric in metrics if metric.is_good is False]
    for metric in beyond:
        if metric.name not in alarmed:
            told = {"metric": metric.name, "value": metric.value, "limit": metric.limit, "window": metric.window}
            alarm("metric_beyond_limit", channel=channel, **told)
    alarmed |= {metric.name for metric in beyond}
    kept = Health(day, [_metric(metric) for metric in metrics], tuple(sorted(alarmed)), now_ms)
    keep_health(runtime.tables, channel, kept)
    return {"metrics": len(metrics), "beyond": len(beyond)}


def _metric(metric: Metric) -> dict[str, Any]:
    return dict(vars(metric))
