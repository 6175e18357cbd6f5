"""What was found when looking at channel accounts: how the channel rates us, what it lists, how each account stands.

HEALTH   / <channel>#<yyyy-mm-dd>  the channel's measures of the seller, the latest of that day
UNLINKED / <channel>               items that the channel lists and that are linked to no SKU
WEBHOOKS / <channel>               the topics that the channel told us of when that was looked at last
ACCOUNTS / <channel>               the account as people see it: no token and no secret is in it

Partitions of their own, not the account's: the API may read these, and never the partition that holds access tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.store.codec import SCHEMA
from chalicelib.store.listings import link_key
from chalicelib.store.tables import Item, Key, Put, Tables

_DAYS_SHOWN = 30
_UNLINKED_KEPT = 500
_KEYS = ("pk", "sk", "schema")


class Health(NamedTuple):
    """The measures of one day, as JSON; `alarmed`: the names of those that a person was called for that day."""

    day: str
    metrics: list[Mapping[str, Any]]
    alarmed: tuple[str, ...]
    read_ms: int


def read_health(tables: Tables, channel: str, day: str) -> Health | None:
    """What was read on one day (yyyy-mm-dd)."""
    item = tables.get(_health_key(channel, day))
    return _health_of(item) if item else None


def keep_health(tables: Tables, channel: str, health: Health) -> None:
    """Replace what was read that day."""
    body = {"metrics": [dict(each) for each in health.metrics], "alarmed": list(health.alarmed)}
    tables.write(Put(_health_key(channel, health.day), {"schema": SCHEMA, "read_ms": health.read_ms, **body}))


def list_health(tables: Tables, channel: str, limit: int = _DAYS_SHOWN) -> list[Health]:
    """The newest days that were read, newest first."""
    page = tables.query("channels", "HEALTH", begins=f"{channel}#", limit=limit, newest_first=True)
    return [_health_of(item) for item in page.items]


def _health_key(channel: str, day: str) -> Key:
    return Key("channels", "HEALTH", f"{channel}#{day}")


def _health_of(item: Item) -> Health:
    return Health(item["sk"].rpartition("#")[2], item["metrics"], tuple(item["alarmed"]), int(item["read_ms"]))


class Unlinked(NamedTuple):
    """Items without a SKU: how many there are in all, and the first of them as (channel_sku, title)."""

    in_all: int
    items: list[tuple[str, str]]
    read_ms: int


def keep_unlinked(tables: Tables, channel: str, found: Unlinked) -> None:
    """Replace what was found the last time."""
    items = [list(each) for each in found.items[:_UNLINKED_KEPT]]
    body = {"schema": SCHEMA, "in_all": found.in_all, "items": items, "read_ms": found.read_ms}
    tables.write(Put(Key("channels", "UNLINKED", channel), body))


def read_unlinked(tables: Tables, channel: str) -> Unlinked:
    """What was found last; nothing when nobody has looked."""
    item = tables.get(Key("channels", "UNLINKED", channel))
    if item is None:
        return Unlinked(0, [], 0)
    return Unlinked(int(item["in_all"]), [(sku, title) for sku, title in item["items"]], int(item["read_ms"]))


def read_webhook_topics(tables: Tables, channel: str) -> set[str]:
    """The topics that the channel told us of when that was looked at last; none where nobody has looked."""
    item = tables.get(_webhooks_key(channel))
    return set(item["topics"]) if item else set()


def keep_webhook_topics(tables: Tables, channel: str, topics: Iterable[str]) -> None:
    """Replace what was found the last time."""
    tables.write(Put(_webhooks_key(channel), {"schema": SCHEMA, "topics": sorted(topics)}))


def _webhooks_key(channel: str) -> Key:
    return Key("channels", "WEBHOOKS", channel)


class Shown(NamedTuple):
    """What a listing of ours was last acknowledged to show (-1: nothing yet), and when (Unix ms). `price`: the price
    that was acknowledged, in minor units and with its currency; None where none is wanted, or not acknowledged yet."""

    sku: str
    quantity: int
    acked_ms: int
    price: tuple[int, str] | None = None
    price_acked_ms: int = 0


def read_shown(tables: Tables, channel: str, channel_skus: Sequence[str]) -> dict[str, Shown]:
    """What we think that each of these items shows; an item that is linked to no SKU is not in it."""
    links = tables.get_many([link_key(channel, each) for each in channel_skus])
    skus = {each: str(links[key]["sku"]) for each in channel_skus if (key := link_key(channel, each)) in links}
    places = {each: Key("listings", f"SKU#{sku}", f"{channel}#{each}") for each, sku in skus.items()}
    listings = tables.get_many(list(places.values()))
    return {each: _shown(skus[each], listings.get(place, {})) for each, place in places.items()}


def _shown(sku: str, item: Item) -> Shown:
    told = "price_minor" in item and item.get("acked_price_version") == item.get("price_version")
    return Shown(
        sku,
        quantity=int(item.get("acked_quantity", -1)),
        acked_ms=int(item.get("acked_ms", 0)),
        price=(int(item["price_minor"]), str(item["currency"])) if told else None,
        price_acked_ms=int(item.get("acked_price_ms", 0)),
    )


def keep_account_view(tables: Tables, channel: str, view: Mapping[str, Any]) -> None:
    """Replace how the account stands; nothing is written where nothing has changed."""
    key, new = _view_key(channel), {"schema": SCHEMA, **view}
    item = tables.get(key)
    if item is None or {name: value for name, value in item.items() if name not in ("pk", "sk")} != new:
        tables.write(Put(key, new))


def read_account_views(tables: Tables, channels: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """How each of these accounts stood when it was looked at last."""
    found = tables.get_many([_view_key(channel) for channel in channels])
    return {key.sk: {name: value for name, value in item.items() if name not in _KEYS} for key, item in found.items()}


def _view_key(channel: str) -> Key:
    return Key("channels", "ACCOUNTS", channel)


class BudgetLeft(NamedTuple):
    """One bucket of calls as it was counted last: calls in it, calls used that day, and when (Unix ms)."""

    operation: str
    calls: int
    used_today: int
    counted_ms: int


def read_budgets(tables: Tables, owner: str) -> list[BudgetLeft]:
    """The buckets of an account, or of a kind of channel where its accounts share them."""
    items = tables.query("channels", f"CHANNEL#{owner}", begins="BUDGET#").items
    return [
        BudgetLeft(
            item["sk"].removeprefix("BUDGET#"), item["tokens_milli"] // 1000, int(item["used"]), int(item["counted_ms"])
        )
        for item in items
    ]
