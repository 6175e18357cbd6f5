"""The catalogue and its listings: which SKU a channel's item is, and what each channel shows of it.

SKU#<sku> / SKU                 the SKU exists
SKU#<sku> / <channel>#<item>    one listing: the channel's ids, what was acknowledged last
ITEM#<channel>#<item> / LINK    the way back from a channel's item to the SKU
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.catalogue import Sku
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write


@dataclass(frozen=True)
class Listing:
    """A SKU on one channel. `refs` are the channel's own ids (inventory_item_id, location_id, offer_id …).

    acked_quantity   the last quantity that the channel acknowledged; -1 when none yet
    acked_version    version of the stock it was made from; a listing never goes back to an older one
    changed_ms       when that stock changed, acked_ms when the channel acknowledged: their difference is the latency
    """

    channel: str
    channel_sku: str
    sku: str
    refs: Mapping[str, str]
    acked_quantity: int = -1
    acked_version: int = -1
    changed_ms: int = 0
    acked_ms: int = 0


def sku_key(sku: str) -> Key:
    return Key("listings", f"SKU#{sku}", "SKU")


def link_key(channel: str, channel_sku: str) -> Key:
    return Key("listings", f"ITEM#{channel}#{channel_sku}", "LINK")


def _listing_key(sku: str, channel: str, channel_sku: str) -> Key:
    return Key("listings", f"SKU#{sku}", f"{channel}#{channel_sku}")


def resolve_skus(tables: Tables, channel: str, items: Sequence[str]) -> dict[str, str]:
    """Our SKU for each of the channel's item names; an item without a listing may be the name of a SKU itself."""
    wanted = [item for item in dict.fromkeys(items) if item]
    keys = [link_key(channel, item) for item in wanted] + [sku_key(item) for item in wanted]
    found = tables.get_many(keys)
    skus = {}
    for item in wanted:
        if link := found.get(link_key(channel, item)):
            skus[item] = link["sku"]
        elif sku_key(item) in found:
            skus[item] = item
    return skus


def sku_writes(sku: str, title: str) -> list[Write]:
    """Make a SKU known."""
    return [Put(sku_key(sku), {"schema": SCHEMA, "title": title})]


def listing_writes(listing: Listing) -> list[Write]:
    """Link a channel's item to its SKU, both ways."""
    body = {
        "schema": SCHEMA,
        "channel": listing.channel,
        "channel_sku": listing.channel_sku,
        "refs": dict(listing.refs),
    }
    observed = {"acked_quantity": -1, "version": -1, "changed_ms": 0, "acked_ms": 0}
    return [
        Put(link_key(listing.channel, listing.channel_sku), {"schema": SCHEMA, "sku": listing.sku}),
        Put(_listing_key(listing.sku, listing.channel, listing.channel_sku), {**body, **observed}),
    ]


def unlink_write(listing: Listing, linked_sku: str) -> list[Write]:
    """Take a channel's item off the SKU that it was linked to before, so that no two SKUs speak for it."""
    if linked_sku in ("", listing.sku):
        return []
    return [Delete(_listing_key(linked_sku, listing.channel, listing.channel_sku))]


def listings_of(tables: Tables, skus: Iterable[str], kind: str = "") -> list[Listing]:
    """The listings of these SKUs, on all channels or those of one kind (`shopify` includes `shopify-de`)."""
    found = []
    for sku in dict.fromkeys(skus):
        items = tables.query("listings", f"SKU#{sku}", begins=kind).items
        found += [
            _listing_of(sku, item)
            for item in items
            if "channel" in item and kind in ("", item["channel"].split("-")[0])
        ]
    return found


def _listing_of(sku: str, item: Item) -> Listing:
    return Listing(
        channel=item["channel"],
        channel_sku=item["channel_sku"],
        sku=sku,
        refs=item["refs"],
        acked_quantity=item["acked_quantity"],
        acked_version=item["version"],
        changed_ms=item["changed_ms"],
        acked_ms=item["acked_ms"],
    )


def acknowledge(tables: Tables, listing: Listing, quantity: int, version: int, changed_ms: int, now_ms: int) -> None:
    """Record what the channel acknowledged, made from stock of `version`. Raises `Stale` when a newer one was."""
    tables.write(
        Change(
            _listing_key(listing.sku, listing.channel, listing.channel_sku),
            put={"acked_quantity": quantity, "changed_ms": changed_ms, "acked_ms": now_ms, "version": version},
            when=When(version=listing.acked_version),
        )
    )


def read_skus(tables: Tables, skus: Iterable[str]) -> dict[str, Sku]:
    found = tables.get_many([sku_key(sku) for sku in dict.fromkeys(skus)])
    return {
        key.pk.removeprefix("SKU#"): Sku(
            key.pk.removeprefix("SKU#"),
            item["title"],
            tuple((p, n) for p, n in item.get("components", ())),
            item.get("release_ms", 0),
        )
        for key, item in found.items()
    }
