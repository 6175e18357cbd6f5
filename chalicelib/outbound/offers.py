"""What each listing should show: availability as an absolute number read at sending time, and its price.

Availability goes out under the stock's version: an older number never follows a newer one. Where an account's calls are
short, what sells out goes first, then what nearly has, then prices, then what rises.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from chalicelib.channels.port import Availability, ChannelClient, Price
from chalicelib.channels.registry import kind_of, revisions_of
from chalicelib.domain.availability import published, sellable
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Busy, HeadraceError, OverBudget, Refused, Stale, Unanswered
from chalicelib.domain.stock import Stock
from chalicelib.runtime.batch import Delivery, failed, is_done_with, put_back_together
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import (
    ChannelRule,
    Entry,
    Listing,
    Shown,
    acknowledge,
    acknowledge_price,
    defer,
    read_entry,
    read_rules,
)
from chalicelib.store.stock import read_stock

_NEARLY_SOLD_OUT = 3
_LONGEST_WAIT_S = 900  # what a queue can delay
_SELLS_OUT, _NEARLY, _PRICES, _OTHER_FALLS, _RISES = range(5)


class Crossed(Busy):
    """Another worker pushed meanwhile: which of the two values the channel shows is not known."""


_UNCLEAR = (Crossed, Unanswered)  # what the channel shows is not known, whatever it acknowledged to somebody else


class Wanted(NamedTuple):
    """What a listing should show, and the stock that says so. `stock`, `price`: which of them has to be told."""

    listing: Listing
    quantity: int
    version: int
    changed_ms: int
    stock: bool = False
    price: bool = False

    @property
    def urgency(self) -> int:
        """Its turn; what nobody knows to be shown counts as a rise unless it is sold out."""
        shown = self.listing.acked_quantity
        if self.quantity == 0 and shown != 0:
            return _SELLS_OUT
        if self.quantity < shown:
            return _NEARLY if self.quantity <= _NEARLY_SOLD_OUT else _OTHER_FALLS
        return _RISES


def push_skus(kind: str, batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Push every SKU of the batch and the kits they are in; the ids of the messages to come again."""
    entries = {sku: read_entry(runtime.tables, sku) for sku in sorted({d.body["sku"] for d in batch})}
    by_channel: dict[str, list[Wanted]] = defaultdict(list)
    for wanted in _wanted(kind, batch, entries, runtime):
        by_channel[wanted.listing.channel].append(wanted)
    trouble: dict[str, Exception] = {}
    for channel, listings in by_channel.items():
        _note(_push(channel, listings, runtime), trouble)
    return _finished(SYNC_QUEUES[kind], [(d, _trouble_of(d, entries, trouble)) for d in batch], runtime)


def _note(found: Mapping[str, Exception], trouble: dict[str, Exception]) -> None:
    """Of several troubles of one SKU, the weightiest counts."""
    for sku, error in found.items():
        if sku not in trouble or _weight(error) >= _weight(trouble[sku]):
            trouble[sku] = error


def _weight(error: Exception) -> int:
    """Which of several troubles decides: one that leaves unclear what is shown, then one that is worth another try."""
    return 2 if isinstance(error, _UNCLEAR) else int(isinstance(error, Busy))


def _trouble_of(delivery: Delivery, entries: Mapping[str, Entry], trouble: Mapping[str, Exception]) -> Exception | None:
    """What went wrong with the SKU or one of its kits."""
    sku = delivery.body["sku"]
    found = [trouble[name] for name in (sku, *entries[sku].kits) if name in trouble]
    return max(found, key=_weight, default=None)


def _wanted(kind: str, batch: Sequence[Delivery], entries: Mapping[str, Entry], runtime: Runtime) -> list[Wanted]:
    """What is not acknowledged yet. A SKU whose push may have crossed another, or broke off after it was sent, goes
    out again whatever was acknowledged; so do the kits that it is in."""
    crossed = {d.body["sku"] for d in batch if d.receives > 1 or d.body.get("again")}
    again = crossed.union(*(entries[sku].kits for sku in crossed))
    kits = sorted({kit for entry in entries.values() for kit in entry.kits} - entries.keys())
    listed = [*entries.values(), *(read_entry(runtime.tables, kit) for kit in kits)]
    listings = [(entry.sku, each) for entry in listed for each in entry.listings if kind_of(each.channel) == kind]
    rules = read_rules(runtime.tables, [listing.channel for _, listing in listings])
    locations = runtime.settled("locations", lambda: read_locations(runtime.tables))
    needed = sorted({part for sku, _ in listings for part in sku.versioned_by})
    stock = read_stock(runtime.tables, needed, locations)
    offers = [
        _offer(sku, listing, rules[listing.channel], stock, again=listing.sku in again) for sku, listing in listings
    ]
    return [each for each in offers if each.stock or each.price]


def _offer(
    sku: Sku, listing: Listing, default: ChannelRule, stock: Mapping[str, Sequence[Stock]], *, again: bool
) -> Wanted:
    """What the rule lets the listing show. Its version is made of numbers that only ever rise."""
    places = [place for part in sku.versioned_by for place in stock[part]]
    version = sum(place.version for place in places) + default.changes
    is_priced = listing.price_minor is not None
    return Wanted(
        listing,
        quantity=published(listing.rule or default.rule, sellable(sku, stock)),
        version=version,
        changed_ms=max((place.changed_ms for place in places), default=0),
        stock=again or version > listing.acked_version,
        price=is_priced and (again or listing.price_version > listing.acked_price_version),
    )


def _push(channel: str, listings: Sequence[Wanted], runtime: Runtime) -> dict[str, Exception]:
    """Push to one account, most urgent first, and record what it acknowledged; what went wrong, by SKU."""
    try:
        client = client_for(channel, runtime)
    except HeadraceError as error:
        return {wanted.listing.sku: error for wanted in listings}
    trouble: dict[str, Exception] = {}
    tasks = [(wanted.urgency, wanted) for wanted in listings if wanted.stock]
    tasks += [(_PRICES, wanted) for wanted in listings if wanted.price]
    tasks.sort(key=lambda task: (task[0] > _PRICES, task[0] == _PRICES, task[0], task[1].quantity))
    for prices, group in groupby(tasks, key=lambda task: task[0] == _PRICES):
        push = _push_prices if prices else _push_stock
        _note(push(client, [wanted for _, wanted in group], runtime), trouble)
    return trouble


def _push_stock(client: ChannelClient, listings: Sequence[Wanted], runtime: Runtime) -> dict[str, Exception]:
    def recorded(wanted: Wanted, day: int) -> None:
        shown = Shown(wanted.quantity, wanted.version, wanted.changed_ms, day)
        acknowledge(runtime.tables, wanted.listing, shown, runtime.clock())

    def push(wanted: Sequence[Wanted]) -> Sequence[HeadraceError | None]:
        return client.push_availability([_availability(each) for each in wanted])

    return _pushed(listings, push, recorded, runtime)


def _push_prices(client: ChannelClient, listings: Sequence[Wanted], runtime: Runtime) -> dict[str, Exception]:
    def recorded(wanted: Wanted, day: int) -> None:
        if not acknowledge_price(runtime.tables, wanted.listing, runtime.clock(), day):
            raise Stale

    def push(wanted: Sequence[Wanted]) -> Sequence[HeadraceError | None]:
        return client.push_prices([_price(each.listing) for each in wanted])

    return _pushed(listings, push, recorded, runtime)


def _pushed(
    listings: Sequence[Wanted],
    push: Callable[[Sequence[Wanted]], Sequence[HeadraceError | None]],
    recorded: Callable[[Wanted, int], None],
    runtime: Runtime,
) -> dict[str, Exception]:
    """What went wrong, by SKU; each listing is judged and recorded by itself."""
    day, due, waits_s = _revisable(listings, runtime.clock())
    trouble: dict[str, Exception] = {}
    for wanted, wait_s in waits_s:
        _note(_deferred(wanted, wait_s, runtime), trouble)
    for wanted, refusal in zip(due, _outcome(push, due), strict=True):
        if refusal:
            _note({wanted.listing.sku: refusal}, trouble)
            continue
        try:
            recorded(wanted, day)
        except Stale:
            _note({wanted.listing.sku: Crossed("two workers pushed at once", after_s=1)}, trouble)
    return trouble


def _outcome(
    push: Callable[[Sequence[Wanted]], Sequence[HeadraceError | None]], due: Sequence[Wanted]
) -> Sequence[Exception | None]:
    """What became of each. A bug that one of them brings to light fails that one: the others go by themselves."""
    if not due:
        return []
    try:
        return push(due)
    except HeadraceError as error:
        return [error] * len(due)
    except Exception as bug:  # noqa: BLE001 the failed message says so
        return [bug] if len(due) == 1 else [each for wanted in due for each in _outcome(push, [wanted])]


def _revisable(listings: Sequence[Wanted], now_ms: int) -> tuple[int, list[Wanted], list[tuple[Wanted, int]]]:
    """The channel's day where it counts changes by day (0: it does not), the listings that may be changed, and for the
    others how many seconds they have to wait. The last tenth of a day's changes is kept for what sells out; what has
    plenty left is changed at a pace that lasts for the day."""
    limit = revisions_of(kind_of(listings[0].listing.channel))
    if not limit:
        return 0, list(listings), []
    day = limit.day_of(now_ms)
    due: list[Wanted] = []
    waits_s: list[tuple[Wanted, int]] = []
    for wanted in listings:
        keep = 0 if wanted.urgency == _SELLS_OUT else limit.per_day // 10
        used = wanted.listing.revisions_on(day)
        wait_s = limit.wait_s(used, now_ms, keep=keep, paced=wanted.urgency > _NEARLY)
        if wait_s:
            waits_s.append((wanted, wait_s))
        else:
            due.append(wanted)
    return day, due, waits_s


def _deferred(wanted: Wanted, wait_s: int, runtime: Runtime) -> dict[str, Exception]:
    """One message is enough to look at a listing again when it may be changed; it reads what is there by then."""
    listing, now_ms = wanted.listing, runtime.clock()
    if listing.deferred_ms > now_ms and wanted.version > listing.acked_version:
        return {}
    wait_s = min(wait_s, _LONGEST_WAIT_S)
    defer(runtime.tables, listing, now_ms + wait_s * 1000)
    return {listing.sku: OverBudget("the listing has been changed too often today", after_s=wait_s)}


def _availability(wanted: Wanted) -> Availability:
    listing = wanted.listing
    shown = listing.acked_quantity if listing.acked_quantity >= 0 else None
    return Availability(listing.channel_sku, listing.refs, wanted.quantity, wanted.version, shown)


def _price(listing: Listing) -> Price:
    assert listing.price_minor is not None
    return Price(listing.channel_sku, listing.refs, listing.price_minor, listing.currency, listing.price_version)


def _finished(queue: str, ends: Sequence[tuple[Delivery, Exception | None]], runtime: Runtime) -> list[str]:
    """The ids of the messages to come again. What has to wait goes back as one message for each SKU: whoever looks at
    it next reads what is there by then."""
    waiting: dict[tuple[str, bool], list[tuple[Delivery, Busy]]] = defaultdict(list)
    undone: list[str] = []
    for delivery, error in ends:
        if isinstance(error, Busy):
            again = isinstance(error, _UNCLEAR) or bool(delivery.body.get("again"))
            waiting[delivery.body["sku"], again].append((delivery, error))
        elif isinstance(error, Refused) and is_done_with(error):
            log("push_refused", queue=queue, sku=delivery.body["sku"], reason=error.reason)
        elif error:
            failed(queue, delivery, error)
            undone.append(delivery.message_id)
    for group, is_back in zip(waiting.values(), _put_back(queue, waiting, runtime), strict=True):
        if not is_back:
            for delivery, busy in group:
                failed(queue, delivery, busy)
            undone += [delivery.message_id for delivery, _ in group]
    return undone


def _put_back(
    queue: str, waiting: Mapping[tuple[str, bool], Sequence[tuple[Delivery, Busy]]], runtime: Runtime
) -> list[bool]:
    works: list[tuple[Message, Busy]] = []
    for (sku, again), group in waiting.items():
        rounds = min(int(delivery.body.get("rounds", 0)) for delivery, _ in group)
        works.append(({"sku": sku, "rounds": rounds, **({"again": True} if again else {})}, group[0][1]))
    return put_back_together(queue, works, runtime)
