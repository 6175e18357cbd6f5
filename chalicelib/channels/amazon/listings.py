"""What listings show: one by one by patchListingsItem, many at once by a JSON listings feed.

Amazon promises no order between the two roads, so a SKU that is in an unfinished feed is sent by neither. Merging keeps
what we do not own: lead time and restock date, smallest and largest price, prices for businesses.
Sources: listingsItems_2021-08-01.json, schemas/feeds/listings-feed-schema-v2.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.documents import JSON
from chalicelib.channels.amazon.feeds import LISTINGS, Feed, Feeds, begun, listing_verdicts
from chalicelib.channels.amazon.wire import Wire, having
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import Availability, Price
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Retry, Stale
from chalicelib.domain.money import to_text

BULK_FROM = 20  # more listings than this go by one feed: patches would take seconds of a budget that orders share
_MOST_MESSAGES = 4000  # of 25,000 that a feed may hold: its job must fit into one item of the table
_PRODUCT = "PRODUCT"  # a product type that does for changes of an offer alone
_ABANDONED_MS = 120_000  # a feed that nobody began for so long will not be begun
_IN_FEED_S = 60
_ENDLESS_MS = 86_400_000  # Amazon ends a feed within hours; one that has not ended by now never will


@dataclass(frozen=True)
class Wanted:
    """What one listing should show: `shown` is its value as a job remembers it, `patch` what makes it so.

    `urgent`: it must not wait for a feed.
    """

    sku: str
    shown: str
    patch: Mapping[str, Any]
    urgent: bool = False


def wanted_quantity(item: Availability) -> Wanted:
    """A seller-fulfilled quantity; Amazon's own stock (AMAZON_* channels) is never ours to set."""
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": item.quantity}
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}
    return Wanted(item.channel_sku, str(item.quantity), patch, urgent=item.quantity == 0)


def wanted_price(item: Price, marketplace_id: str) -> Wanted:
    """The price for everybody (audience ALL), taxes included as the store shows them."""
    text = to_text(item.price_minor, item.currency)
    value = {
        "marketplace_id": marketplace_id,
        "currency": item.currency,
        "audience": "ALL",
        "our_price": [{"schedule": [{"value_with_tax": float(text) if "." in text else int(text)}]}],
    }
    patch = {"op": "merge", "path": "/attributes/purchasable_offer", "value": [value]}
    return Wanted(item.channel_sku, f"{text} {item.currency}", patch)


class Listings:
    """Sets one attribute of many listings. `road`: the word under which jobs remember which feed a SKU is in; each
    attribute has its own, so that a feed of prices holds no quantity up."""

    def __init__(self, wire: Wire, jobs: Jobs, road: str) -> None:
        self._wire = wire
        self._jobs = jobs
        self._feeds = Feeds(wire, jobs)
        self._road = road

    def show(self, wanted: Sequence[Wanted]) -> list[HeadraceError | None]:
        """One outcome for each, in its order: None when Amazon accepted it, `Busy` while it is in a feed.

        Of several wishes for one SKU only the last is carried out, and its outcome is that of all.
        """
        last = {item.sku: item for item in wanted}
        outcomes = dict(zip(last, self._show(list(last.values())), strict=True))
        return [outcomes[item.sku] for item in wanted]

    def _show(self, wanted: Sequence[Wanted]) -> list[HeadraceError | None]:
        outcome: dict[int, HeadraceError | None] = {}
        patched: list[int] = []
        free: list[int] = []
        finished = self._finished({item.sku for item in wanted})
        for index, item in enumerate(wanted):
            state = finished.get(item.sku)
            if isinstance(state, HeadraceError):
                outcome[index] = state
            elif state and state.failed:
                patched.append(index)
            elif state and state.shown == item.shown:
                outcome[index] = Refused("listing_refused", state.codes) if state.codes else None
            else:
                free.append(index)
        fed = [index for index in free if not wanted[index].urgent] if len(free) > BULK_FROM else []
        patched = sorted({*patched, *free} - set(fed))
        outcome |= self._one_by_one([(index, wanted[index]) for index in patched])
        if fed:
            outcome |= self._in_bulk([(index, wanted[index]) for index in fed])
        return [outcome[index] for index in range(len(wanted))]

    def _one_by_one(self, items: Iterable[tuple[int, Wanted]]) -> dict[int, HeadraceError | None]:
        """After a throttle the rest waits without being sent, since it would be throttled too."""
        outcome: dict[int, HeadraceError | None] = {}
        held: Busy | None = None
        for index, item in items:
            if held:
                outcome[index] = Busy("behind a throttled call", after_s=max(held.after_s, 2))
                continue
            try:
                outcome[index] = self._patch(item)
            except HeadraceError as error:
                outcome[index] = error
                held = error if isinstance(error, Busy) else None
        return outcome

    def _patch(self, item: Wanted) -> HeadraceError | None:
        sku = quote(item.sku, safe="")
        query = urlencode({"marketplaceIds": self._wire.marketplace_id})
        path = f"/listings/2021-08-01/items/{quote(self._wire.seller_id, safe='')}/{sku}?{query}"
        body = {"productType": _PRODUCT, "patches": [item.patch]}
        answer = having(self._wire.call("patchListingsItem", "PATCH", path, body), "status")
        if answer["status"] == "ACCEPTED":
            return None
        issues = answer.get("issues")
        codes = (
            [str(issue.get("code")) for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
        )
        return Refused("listing_refused", f"{str(answer['status'])[:40]}: {', '.join(codes)[:200]}")

    def _in_bulk(self, items: Sequence[tuple[int, Wanted]]) -> dict[int, HeadraceError | None]:
        """One feed for all of them. Each SKU that another worker has just put into a feed waits for that one."""
        outcome: dict[int, HeadraceError | None] = {}
        chosen: dict[str, Wanted] = {}
        waiting = Busy("in a feed", after_s=_IN_FEED_S)
        for index, item in items:
            outcome[index] = waiting
            if len(chosen) < _MOST_MESSAGES:
                chosen[item.sku] = item
        name = f"feed/{self._digest(chosen.values())}"
        try:
            self._jobs.get(name)
            shown = {sku: item.shown for sku, item in chosen.items()}
            self._jobs.put(name, begun(LISTINGS, self._wire.now_ms, skus=shown))
            for sku in list(chosen):
                try:
                    self._jobs.put(self._pointer(sku), {"feed": name})
                except Stale:
                    del chosen[sku]
            if not chosen:  # all of them are in another worker's feed
                self._jobs.drop(name)
                return outcome
            if len(chosen) < len(shown):
                self._jobs.put(name, begun(LISTINGS, self._wire.now_ms, skus={s: shown[s] for s in chosen}))
            self._feeds.advance(name, LISTINGS, JSON, self._document(chosen.values()))
        except HeadraceError as error:
            with suppress(Retry):
                if self._feeds.unbegun_since_ms(name) is not None:
                    self._forget(name, chosen)
            return dict.fromkeys(outcome, error)
        return outcome

    def _finished(self, skus: set[str]) -> dict[str, _Outcome | HeadraceError]:
        """What became of those that are in a feed. Each feed is asked for once."""
        feeds: dict[str, list[str]] = {}
        for sku in sorted(skus):
            pointer = self._jobs.get(self._pointer(sku))
            if pointer:
                feeds.setdefault(str(pointer["feed"]), []).append(sku)
        found: dict[str, _Outcome | HeadraceError] = {}
        for name, members in feeds.items():
            try:
                found |= self._taken(name, members)
            except HeadraceError as error:
                found |= dict.fromkeys(members, error)
        return found

    def _taken(self, name: str, members: list[str]) -> dict[str, _Outcome | HeadraceError]:
        """The outcome of these members of a feed, which are then free again."""
        job = self._jobs.get(name)
        if job is None:  # it was forgotten half-way
            return self._freed(members, {})
        if not job.get("feed_id") and (since_ms := self._feeds.unbegun_since_ms(name)) is not None:
            if self._wire.now_ms - since_ms < _ABANDONED_MS:
                raise Busy("another worker is beginning the feed of this listing", after_s=5)
            self._forget(name, members)
            return {}
        if not job.get("feed_id"):
            self._feeds.settle(LISTINGS)
            return self._taken(name, members)
        skus = {str(sku): str(shown) for sku, shown in job["skus"].items()}
        verdicts = job.get("verdicts")
        if verdicts is None:
            feed = self._seen(str(job["feed_id"]))
            if feed is None and self._wire.now_ms - int(job["since_ms"]) < _ENDLESS_MS:
                raise Busy("in a feed", after_s=_IN_FEED_S)
            verdicts = feed is not None and _judged(feed, list(skus), is_found=bool(job.get("found")))
            job = {**job, "verdicts": verdicts}
        outcomes = self._freed(
            members, {sku: _Outcome(skus[sku], *_verdict(verdicts, sku)) for sku in members if sku in skus}
        )
        left = [sku for sku in job.get("left", list(skus)) if sku not in members]
        with suppress(Stale):  # another worker takes other members at once: then the job stays, and harms nobody
            if left:
                self._jobs.put(name, {**job, "left": left})
            else:
                self._jobs.drop(name)
        return outcomes

    def _seen(self, feed_id: str) -> Feed | None:
        """The feed; one that Amazon no longer knows, or whose report cannot be fetched, has told nothing."""
        try:
            return self._feeds.look(feed_id)
        except Refused as refused:
            if refused.reason == "not_authorised":
                raise
            return Feed("DONE", "")

    def _freed(self, members: Iterable[str], outcomes: Mapping[str, _Outcome]) -> dict[str, _Outcome | HeadraceError]:
        for sku in members:
            self._jobs.drop(self._pointer(sku))
        return dict(outcomes)

    def _forget(self, name: str, members: Iterable[str]) -> None:
        """The feed was never begun: its listings are free again."""
        self._freed(members, {})
        self._jobs.drop(name)

    def _document(self, items: Iterable[Wanted]) -> bytes:
        messages = [
            {
                "messageId": number,
                "sku": item.sku,
                "operationType": "PATCH",
                "productType": _PRODUCT,
                "patches": [item.patch],
            }
            for number, item in enumerate(items, start=1)
        ]
        header = {"sellerId": self._wire.seller_id, "version": "2.0", "issueLocale": "en_US"}
        return json.dumps({"header": header, "messages": messages}).encode()

    def _pointer(self, sku: str) -> str:
        return f"{self._road}/{sku}"

    def _digest(self, items: Iterable[Wanted]) -> str:
        told = json.dumps([self._road, self._wire.now_ms, *([item.sku, item.shown] for item in items)])
        return hashlib.sha256(told.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class _Outcome:
    """What a finished feed said of one SKU: the value that it carried, the codes that refused it, and whether the feed
    as a whole told nothing, so that the patch is to be tried."""

    shown: str
    codes: str
    failed: bool


def _judged(feed: Feed, skus: list[str], *, is_found: bool) -> dict[str, str] | bool:
    """The codes of each SKU that was refused, False when the feed says nothing of its members, or is another's."""
    verdicts = listing_verdicts(feed.report, skus, exactly=is_found) if feed.status == "DONE" else None
    return {sku: codes for sku, codes in verdicts.items() if codes} if verdicts is not None else False


def _verdict(verdicts: Any, sku: str) -> tuple[str, bool]:
    return (str(verdicts.get(sku, "")), False) if isinstance(verdicts, dict) else ("", True)
