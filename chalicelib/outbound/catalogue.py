"""Feeds Meta's catalogue with what the own shop sells: a quarter of an hour after something has sold out, it says so.

Only what differs from what Meta has acknowledged goes out, and everything once a day. Each batch is asked after in the
next run; what came to nothing goes out again. A SKU that is on its way waits: of two batches, nobody knows which comes
last. Buyers pay in the own shop, which knows what is there, so nothing is oversold meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.channels.meta.catalogue import LISTED_TEXTS, MOST_ITEMS, CatalogueClient, CatalogueItem, ItemError
from chalicelib.domain.availability import published, sellable
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.runtime.clients import pause
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_account, read_locations, read_pause
from chalicelib.store.feeds import Fed, keep_fed, read_fed
from chalicelib.store.listings import Entry, Listing, list_skus, read_entry, read_rules
from chalicelib.store.stock import read_stock

blueprint = Blueprint(__name__)

ACCOUNT = "meta"
_PAGE = 100
_DAY_MS = 86_400_000
_PATIENCE_MS = 3_600_000  # a batch that is not done by then is given up, and its items go out again
_MOST_REFUSALS = 16  # of whole batches in a run; 12 halvings find one item among 2,999


@blueprint.schedule(Rate(15, unit=Rate.MINUTES), name="feed_catalogue")
@on_schedule(lambda runtime: feed(runtime))
def feed_catalogue(event: Any) -> None:
    """Lambda."""


def feed(runtime: Runtime) -> None:
    """One run: ask after what was sent, then send what is due. Nothing without the settings `catalogue_id` and `shop`
    (the channel whose listings are fed), or while the account is paused."""
    account = _account(runtime)
    if not account.get("catalogue_id") or not account.get("shop") or read_pause(runtime.tables, ACCOUNT):
        return
    try:
        client = CatalogueClient(runtime.transport(), account, runtime.secrets.get(f"{ACCOUNT}/api"))
        known = _asked_after(client, read_fed(runtime.tables, ACCOUNT), runtime)
        sent = _send_due(client, str(account["shop"]), known, runtime)
        log("catalogue_fed", sent=sent)
    except Unauthorised as error:
        pause(ACCOUNT, error.detail, runtime)
    except Busy:
        log("catalogue_busy")  # what is not acknowledged is due in the next run
    except Refused as refused:
        log("catalogue_refused", reason=refused.reason, detail=refused.detail)


def _account(runtime: Runtime) -> Mapping[str, Any]:
    try:
        return read_account(runtime.tables, ACCOUNT)
    except Refused:
        return {}


def _asked_after(client: CatalogueClient, known: Mapping[str, Fed], runtime: Runtime) -> dict[str, Fed]:
    """What is known once every batch on its way has been asked after; what has changed of it is kept."""
    sent_ms = {fed.handle: fed.sent_ms for fed in known.values() if fed.handle}
    failed = {handle: _failed(client, handle, runtime.clock() - ms) for handle, ms in sent_ms.items()}
    now: dict[str, Fed] = {}
    for sku, fed in known.items():
        errors = failed.get(fed.handle)
        if not fed.handle or (errors is not None and _ALL not in errors and sku not in errors):
            now[sku] = replace(fed, shown=fed.sent, handle="") if fed.handle else fed
        elif errors is None:
            now[sku] = fed
        else:
            _log_error(sku, errors.get(sku, "its batch broke off"))
            now[sku] = replace(fed, shown="", handle="")
    keep_fed(runtime.tables, ACCOUNT, {sku: fed for sku, fed in now.items() if fed != known[sku]})
    return now


_ALL = ""  # stands for every item of a batch


def _failed(client: CatalogueClient, handle: str, age_ms: int) -> dict[str, str] | None:
    """Item -> why it came to nothing; None while nobody knows."""
    errors: list[ItemError] | None = None
    try:
        errors = client.check(handle)
    except Busy:
        log("catalogue_busy", handle=handle)  # one that is never told of must not keep all else from being sent
    except Unauthorised:
        raise
    except Refused as refused:
        errors = [(_ALL, refused.detail)]
    if errors is None and age_ms > _PATIENCE_MS:
        errors = [(_ALL, "not done within an hour")]
    return None if errors is None else dict(errors)


def _send_due(client: CatalogueClient, shop: str, known: Mapping[str, Fed], runtime: Runtime) -> int:
    """Send what is not acknowledged, or was sent on another day; how many items. What came to nothing before goes last
    and apart, so that it takes nothing else down with it."""
    today, sent = runtime.clock() // _DAY_MS, 0
    due: list[CatalogueItem] = []
    again: list[CatalogueItem] = []
    refusals = iter(range(_MOST_REFUSALS))
    for item in _items(shop, known, runtime):
        fed = known.get(item.retailer_id, Fed())
        is_shown = fed.shown == item.digest and fed.sent_ms // _DAY_MS == today
        if fed.handle or is_shown:
            continue
        (again if fed.sent_ms and not fed.shown else due).append(item)
        if len(due) == MOST_ITEMS:
            sent += _send(client, due, refusals, runtime)
            due = []
    for batch in [due, *(again[start : start + MOST_ITEMS] for start in range(0, len(again), MOST_ITEMS))]:
        sent += _send(client, batch, refusals, runtime)
    return sent


def _send(client: CatalogueClient, items: list[CatalogueItem], refusals: Iterator[int], runtime: Runtime) -> int:
    """Send one batch and remember it, a batch that is refused whole by halves; how many items. A run that dies between
    the two sends the same again. Raises `Refused` when `refusals`, those that a run may hear, are used up."""
    if not items:
        return 0
    try:
        handle, errors = client.send(items)
    except Unauthorised:
        raise
    except Refused as whole:
        if next(refusals, None) is None:
            raise
        if half := len(items) // 2:
            return sum(_send(client, part, refusals, runtime) for part in (items[:half], items[half:]))
        handle, errors = "", [(items[0].retailer_id, whole.detail)]
    refused = dict(errors)
    for sku, why in refused.items():
        _log_error(sku, why)
    now_ms = runtime.clock()
    fed: dict[str, Fed | None] = {
        item.retailer_id: Fed(sent=item.digest, handle=handle, sent_ms=now_ms)
        for item in items
        if item.retailer_id not in refused
    }
    keep_fed(runtime.tables, ACCOUNT, fed | {sku: Fed(sent_ms=now_ms) for sku in refused})
    return len(items)


def _log_error(sku: str, why: str) -> None:
    log("catalogue_item_failed", sku=sku, why=why[:200])


def _items(shop: str, known: Mapping[str, Fed], runtime: Runtime) -> Iterator[CatalogueItem]:
    """What every item of the shop should show; what the shop lists no more is sold out, then forgotten."""
    listed: set[str] = set()
    cursor, more = "", True
    while more:
        skus, cursor = list_skus(runtime.tables, _PAGE, cursor)
        for item in _items_of(shop, skus, runtime):
            listed.add(item.retailer_id)
            yield item
        more = bool(cursor)
    gone = [CatalogueItem(sku, 0) for sku in known if sku not in listed]
    over = {item.retailer_id for item in gone if known[item.retailer_id].shown == item.digest}
    keep_fed(runtime.tables, ACCOUNT, dict.fromkeys(over))
    yield from (item for item in gone if item.retailer_id not in over)


def _items_of(shop: str, skus: list[str], runtime: Runtime) -> Iterator[CatalogueItem]:
    entries = [read_entry(runtime.tables, sku) for sku in skus]
    listings = [(entry, each) for entry in entries if (each := _listing_at(shop, entry))]
    parts = sorted({part for entry, _ in listings for part, _ in entry.sku.parts})
    locations = runtime.settled("locations", lambda: read_locations(runtime.tables))
    stock = read_stock(runtime.tables, parts, locations)
    rules = read_rules(runtime.tables, [ACCOUNT, shop])
    own = rules[ACCOUNT].rule if rules[ACCOUNT].changes else None
    for entry, listing in listings:
        rule = own or listing.rule or rules[shop].rule
        yield _item(entry, listing, published(rule, sellable(entry.sku, stock)))


def _listing_at(shop: str, entry: Entry) -> Listing | None:
    return next((each for each in entry.listings if each.channel == shop), None)


def _item(entry: Entry, listing: Listing, quantity: int) -> CatalogueItem:
    """Under our SKU, which purchases are told by and the checkout link takes."""
    return CatalogueItem(
        entry.sku.sku,
        quantity,
        listing.price_minor,
        listing.currency,
        gone=False,
        title=entry.sku.title,
        **{name: listing.refs.get(name, "") for name in LISTED_TEXTS},
    )
