"""The catalogue and its listings: which SKU a channel's item is, what a kit is made of, what each channel shows.

SKU#<sku> / SKU                 the SKU: title, components, release
SKU#<sku> / KIT#<kit>           a kit that the SKU is a component of
SKU#<sku> / <channel>#<item>    one listing: the channel's ids, its own rule, what was acknowledged last
ITEM#<channel>#<item> / LINK    the way back from a channel's item to the SKU
SKUS#<shard> / <sku>            the directory of all SKUs
RULE#<channel> / RULE           the channel's rule of availability, for listings without one of their own
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from chalicelib.domain.availability import EVERYTHING, AvailabilityRule
from chalicelib.domain.catalogue import Parts, Sku
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write

SHARDS = 2
_KIT = "KIT#"


@dataclass(frozen=True)
class Listing:
    """A SKU on one channel. `refs` are the channel's own ids (inventory_item_id, location_id, offer_id …).

    acked_quantity   the last quantity that the channel acknowledged; -1 when none yet
    acked_version    version of the stock it was made from; a listing never goes back to an older one
    version          how often something was acknowledged: who pushed over what he has not read learns of it
    changed_ms       when that stock changed, acked_ms when the channel acknowledged: their difference is the latency
    rule             how much of the stock this listing may show; None: the channel's rule
    price_minor      what it should cost, in minor units of `currency`; None: the price is the channel's own business
    price_version    how often that was set; acked_price_version: of the price that the channel acknowledged last
    revisions        how often the listing was changed on `revised_day`, a day number of the channel's
    deferred_ms      until when a message is on its way that will look at it, since it may not be changed before
    """

    channel: str
    channel_sku: str
    sku: str
    refs: Mapping[str, str]
    acked_quantity: int = -1
    acked_version: int = -1
    version: int = 0
    changed_ms: int = 0
    acked_ms: int = 0
    rule: AvailabilityRule | None = None
    price_minor: int | None = None
    currency: str = ""
    price_version: int = 0
    acked_price_version: int = 0
    revised_day: int = 0
    revisions: int = 0
    deferred_ms: int = 0

    def revisions_on(self, day: int) -> int:
        """How often it was changed on that day."""
        return self.revisions if self.revised_day == day else 0


@dataclass(frozen=True)
class Entry:
    """All that the catalogue knows of one SKU: itself, the kits that it is in, its listings on every channel."""

    sku: Sku
    kits: tuple[str, ...]
    listings: tuple[Listing, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of channel that list it."""
        return frozenset(_kind(listing.channel) for listing in self.listings)


class ChannelRule(NamedTuple):
    """A channel's rule; `changes` counts how often it was set and is part of the version of all that it decides."""

    rule: AvailabilityRule
    changes: int


def sku_key(sku: str) -> Key:
    return Key("listings", f"SKU#{sku}", "SKU")


def link_key(channel: str, channel_sku: str) -> Key:
    return Key("listings", f"ITEM#{channel}#{channel_sku}", "LINK")


def _listing_key(sku: str, channel: str, channel_sku: str) -> Key:
    return Key("listings", f"SKU#{sku}", f"{channel}#{channel_sku}")


def _kit_key(component: str, kit: str) -> Key:
    return Key("listings", f"SKU#{component}", _KIT + kit)


def _rule_key(channel: str) -> Key:
    return Key("listings", f"RULE#{channel}", "RULE")


def _kind(channel: str) -> str:
    return channel.split("-")[0]


def resolve_skus(tables: Tables, channel: str, items: Sequence[str]) -> dict[str, Sku]:
    """What we sell under each of the channel's item names; one without a listing may be the name of a SKU itself."""
    wanted = [item for item in dict.fromkeys(items) if item]
    found = tables.get_many([key for item in wanted for key in (link_key(channel, item), sku_key(item))])
    names = {item: link["sku"] for item in wanted if (link := found.get(link_key(channel, item)))}
    found |= tables.get_many([sku_key(sku) for sku in names.values() if sku_key(sku) not in found])
    names |= {item: item for item in wanted if item not in names and sku_key(item) in found}
    return {item: _sku_of(sku, found.get(sku_key(sku), {})) for item, sku in names.items()}


def sku_writes(sku: str, title: str = "") -> list[Write]:
    """Make a SKU known. What is known of it stays; a title is only ever replaced by another one."""
    shard = zlib.crc32(sku.encode()) % SHARDS
    return [
        Change(sku_key(sku), put={"schema": SCHEMA, **({"title": title} if title else {})}),
        Put(Key("listings", f"SKUS#{shard}", sku), {"schema": SCHEMA}),
    ]


def cost_write(sku: str, cost_minor: int | None, currency: str) -> Write:
    """What a unit of a known SKU costs the merchant from now on; None: nobody knows."""
    return Change(sku_key(sku), put={"cost_minor": cost_minor, "cost_currency": currency})


def kit_writes(before: Sku, components: Parts, release_ms: int) -> list[Write]:
    """What a SKU is made of from now on (nothing: it is no kit), and when it is released. The SKU is known."""
    was, now = {sku for sku, _ in before.components}, {sku for sku, _ in components}
    former = sorted({*before.former, *was} - now)
    attributes = {"components": [list(part) for part in components], "release_ms": release_ms, "former": former}
    return [
        Change(sku_key(before.sku), put=attributes),
        *(Put(_kit_key(component, before.sku), {"schema": SCHEMA}) for component in sorted(now - was)),
        *(Delete(_kit_key(component, before.sku)) for component in sorted(was - now)),
    ]


def read_skus(tables: Tables, skus: Iterable[str]) -> dict[str, Sku]:
    """Those of the SKUs that are known."""
    wanted = list(dict.fromkeys(skus))
    found = tables.get_many([sku_key(sku) for sku in wanted])
    return {sku: _sku_of(sku, found[sku_key(sku)]) for sku in wanted if sku_key(sku) in found}


def _sku_of(sku: str, item: Item) -> Sku:
    return Sku(
        sku=sku,
        title=item.get("title", ""),
        components=tuple((component, units) for component, units in item.get("components", ())),
        release_ms=item.get("release_ms", 0),
        former=tuple(item.get("former", ())),
        cost_minor=item.get("cost_minor"),
        cost_currency=item.get("cost_currency", ""),
    )


def list_skus(tables: Tables, limit: int, cursor: str = "") -> tuple[list[str], str]:
    """One page of all SKUs in order of their names, and the cursor after it ("" at the end)."""
    pages = [tables.query("listings", f"SKUS#{shard}", after=cursor, limit=limit + 1).items for shard in range(SHARDS)]
    names = list(islice(heapq.merge(*([item["sk"] for item in page] for page in pages)), limit + 1))
    return names[:limit], names[limit - 1] if len(names) > limit else ""


def listing_writes(listing: Listing) -> list[Write]:
    """Link a channel's item to its SKU, both ways. A rule of the listing stays."""
    body = {
        "schema": SCHEMA,
        "channel": listing.channel,
        "channel_sku": listing.channel_sku,
        "refs": dict(listing.refs),
    }
    observed = {"acked_quantity": -1, "acked_version": -1, "changed_ms": 0, "acked_ms": 0}
    return [
        Put(link_key(listing.channel, listing.channel_sku), {"schema": SCHEMA, "sku": listing.sku}),
        Change(_key_of(listing), add={"version": 1}, put={**body, **observed}),
    ]


def unlink_write(listing: Listing, linked_sku: str) -> list[Write]:
    """Take a channel's item off the SKU that it was linked to before, so that no two SKUs speak for it."""
    if linked_sku in ("", listing.sku):
        return []
    return [Delete(_listing_key(linked_sku, listing.channel, listing.channel_sku))]


def read_entry(tables: Tables, sku: str) -> Entry:
    """All that the catalogue knows of one SKU."""
    known, kits, listings = Sku(sku), [], []
    cursor, more = "", True
    while more:
        page = tables.query("listings", f"SKU#{sku}", cursor=cursor)
        for item in page.items:
            if item["sk"] == "SKU":
                known = _sku_of(sku, item)
            elif item["sk"].startswith(_KIT):
                kits.append(item["sk"].removeprefix(_KIT))
            elif "channel" in item:
                listings.append(_listing_of(sku, item))
        cursor = page.cursor
        more = bool(cursor)
    return Entry(known, tuple(kits), tuple(listings))


def kits_of(tables: Tables, sku: str) -> tuple[str, ...]:
    """The kits that a SKU is a component of."""
    return read_entry(tables, sku).kits


def listings_of(tables: Tables, skus: Iterable[str], kind: str = "") -> list[Listing]:
    """The listings of these SKUs, on all channels or those of one kind (`shopify` includes `shopify-de`)."""
    return [
        listing
        for sku in dict.fromkeys(skus)
        for listing in read_entry(tables, sku).listings
        if kind in ("", _kind(listing.channel))
    ]


def listed_kinds(tables: Tables, sku: str) -> frozenset[str]:
    """The kinds of channel that must hear of the SKU's stock: those that list it, or a kit that it is in."""
    entry = read_entry(tables, sku)
    return entry.kinds.union(*(read_entry(tables, kit).kinds for kit in entry.kits))


def _listing_of(sku: str, item: Item) -> Listing:
    return Listing(
        channel=item["channel"],
        channel_sku=item["channel_sku"],
        sku=sku,
        refs=item["refs"],
        acked_quantity=item["acked_quantity"],
        acked_version=item["acked_version"],
        version=item["version"],
        changed_ms=item["changed_ms"],
        acked_ms=item["acked_ms"],
        rule=_rule_of(item["rule"]) if item.get("rule") else None,
        price_minor=item.get("price_minor"),
        currency=item.get("currency", ""),
        price_version=item.get("price_version", 0),
        acked_price_version=item.get("acked_price_version", 0),
        revised_day=item.get("revised_day", 0),
        revisions=item.get("revisions", 0),
        deferred_ms=item.get("deferred_ms", 0),
    )


class Shown(NamedTuple):
    """What a channel has acknowledged: a quantity, made from stock of `version` that changed at `changed_ms` (Unix ms);
    and on which of the channel's days the listing was changed so."""

    quantity: int
    version: int
    changed_ms: int
    day: int = 0


def acknowledge(tables: Tables, listing: Listing, shown: Shown, now_ms: int) -> None:
    """Record what the channel acknowledged. Raises `Stale` when anything was since the listing was read, even of the
    same stock: which of the two values came last is not known."""
    put = {"acked_quantity": shown.quantity, "changed_ms": shown.changed_ms, "acked_ms": now_ms}
    put |= {"acked_version": shown.version, **_revised(listing, shown.day)}
    tables.write(Change(_key_of(listing), add={"version": 1}, put=put, when=When(version=listing.version)))


def _revised(listing: Listing, day: int) -> Item:
    """One more change of today; nothing for a channel that does not count them."""
    return {"revised_day": day, "revisions": listing.revisions_on(day) + 1} if day else {}


def defer(tables: Tables, listing: Listing, until_ms: int) -> None:
    """Remember that somebody will look at it then."""
    tables.write(Change(_key_of(listing), put={"deferred_ms": until_ms}))


def price_write(listing: Listing, price_minor: int, currency: str) -> Change:
    """What the listing should cost from now on."""
    return Change(_key_of(listing), add={"price_version": 1}, put={"price_minor": price_minor, "currency": currency})


def acknowledge_price(tables: Tables, listing: Listing, now_ms: int, day: int = 0) -> bool:
    """Record that the channel shows the listing's price; False when another has been set meanwhile, which then may or
    may not be what the channel shows."""
    put = {"acked_price_version": listing.price_version, "acked_price_ms": now_ms, **_revised(listing, day)}
    tables.write(Change(_key_of(listing), put=put))
    item = tables.get(_key_of(listing))
    return item is not None and item.get("price_version", 0) == listing.price_version


def _key_of(listing: Listing) -> Key:
    return _listing_key(listing.sku, listing.channel, listing.channel_sku)


def listing_rule_write(listing: Listing, rule: AvailabilityRule | None) -> Change:
    """Give a listing a rule of its own, or take it away."""
    return Change(_key_of(listing), put={"rule": _rule_item(rule) if rule else {}})


def channel_rule_write(channel: str, rule: AvailabilityRule) -> Change:
    """The rule of all listings of a channel that have none of their own."""
    return Change(_rule_key(channel), add={"changes": 1}, put={"schema": SCHEMA, "rule": _rule_item(rule)})


def read_rules(tables: Tables, channels: Iterable[str]) -> dict[str, ChannelRule]:
    """The rule of each channel; without one, everything may be shown."""
    wanted = list(dict.fromkeys(channels))
    found = tables.get_many([_rule_key(channel) for channel in wanted])
    return {
        channel: ChannelRule(_rule_of(item["rule"]), item["changes"])
        if (item := found.get(_rule_key(channel)))
        else ChannelRule(EVERYTHING, 0)
        for channel in wanted
    }


def _rule_item(rule: AvailabilityRule) -> Item:
    return dict(vars(rule))


def _rule_of(item: Item) -> AvailabilityRule:
    return AvailabilityRule(**item)
