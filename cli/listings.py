"""Links what a channel lists to our SKUs where both have the same name; the rest is listed for a person."""

from __future__ import annotations

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chalicelib.channels.facts import ListedItem
from chalicelib.channels.registry import kind_of
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Busy
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import Listing, link_key, listing_writes, read_entry, read_skus
from chalicelib.store.places import listing_changed_writes, write_all
from chalicelib.store.stock import read_stock
from cli.stage import Stage

_PAGE = 100
_WAITS = 60


@dataclass
class Matched:
    """Channel SKUs: `new` are linked (or would be), `known` were already, `elsewhere` speak for another SKU of ours,
    `unknown` have the name of none."""

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def import_listings(
    channel: str,
    items: Iterable[ListedItem],
    stage: Stage,
    *,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Matched:
    """Match every item; link those with the name of a SKU if `apply`. Doing it twice changes nothing more, and a link
    that a person made stays. An item without a SKU of the channel's cannot be linked; of several under one name, such
    as offers in several countries, one is."""
    matched, each, done = Matched(), patiently(items, sleep), set[str]()
    while page := list(islice(each, _PAGE)):
        found: dict[str, list[ListedItem]] = defaultdict(list)
        for item in page:
            if item.channel_sku and item.channel_sku not in done:
                found[item.channel_sku].append(item)
        done |= found.keys()
        _match(channel, found, stage, matched, apply=apply)
    return matched


def patiently(items: Iterable[ListedItem], sleep: Callable[[float], None]) -> Iterator[ListedItem]:
    """All items, with waits where the channel asks for patience. A generator that has raised is at its end, and would
    pass for a list that is complete: there `Busy` goes on to the caller."""
    each, waits = iter(items), 0
    while True:
        try:
            item = next(each)
        except StopIteration:
            return
        except Busy as busy:
            waits += 1
            if inspect.isgenerator(each) or waits > _WAITS:
                raise
            sleep(max(busy.after_s, 1))
            continue
        waits = 0
        yield item


def _match(
    channel: str, found: Mapping[str, Sequence[ListedItem]], stage: Stage, matched: Matched, *, apply: bool
) -> None:
    ours = read_skus(stage.tables, found)
    links = stage.tables.get_many([link_key(channel, name) for name in found])
    for name, items in found.items():
        item = items[0]
        link = links.get(link_key(channel, name))
        if link and link["sku"] != name:
            matched.elsewhere.append(f"{name} -> {link['sku']}")
            continue
        if name not in ours:
            matched.unknown.append(name)
            continue
        refs = _refs(channel, name, stage) if link else {}
        if link and any(each.refs.items() <= refs.items() for each in items):
            matched.known.append(name)
            continue
        matched.new.append(_change(item, ours[name], stage))
        if apply:
            _link(channel, name, {**refs, **item.refs}, ours[name], stage)


def _refs(channel: str, channel_sku: str, stage: Stage) -> Mapping[str, str]:
    """The channel's own ids as we have them."""
    found = read_entry(stage.tables, channel_sku).listings
    return next((each.refs for each in found if (each.channel, each.channel_sku) == (channel, channel_sku)), {})


def _change(item: ListedItem, sku: Sku, stage: Stage) -> str:
    """The name, and what the link will do to the quantity on show: a SKU that was never counted would sell out."""
    if item.quantity is None or sku.components:
        return item.channel_sku
    places = read_stock(stage.tables, [sku.sku], read_locations(stage.tables))[sku.sku]
    there = sum(place.available for place in places)
    return item.channel_sku if there == item.quantity else f"{item.channel_sku} (shows {item.quantity}, here {there})"


def _link(channel: str, channel_sku: str, refs: Mapping[str, str], sku: Sku, stage: Stage) -> None:
    """As POST /api/listings does; the sync worker then shows our quantity."""
    told = listing_changed_writes(
        stage.tables,
        [part for part, _ in sku.parts],
        [kind_of(channel)],
        read_locations(stage.tables),
        SYNC_QUEUES,
        stage.clock(),
    )
    listing = Listing(channel, channel_sku, sku.sku, refs)
    write_all(stage.tables, [*listing_writes(listing), *told])
