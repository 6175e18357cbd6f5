"""The places where a SKU is kept: each record carries the kinds of channel that must hear of a change there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from chalicelib.store.listings import listed_kinds
from chalicelib.store.stock import listed_write, stock_key
from chalicelib.store.tables import MAX_ACTIONS, Tables, Write


def open_places(
    tables: Tables, skus: Iterable[str], locations: Iterable[str], synced: Container[str], now_ms: int
) -> None:
    """Make a record of each SKU at each location that has none, known to the channels that list the SKU. To be called
    before stock may come to a location for the first time. `synced`: the kinds of channel that are told of stock."""
    keys = {stock_key(sku, location): (sku, location) for sku in dict.fromkeys(skus) for location in locations}
    there = tables.get_many(list(keys))
    missing = [place for key, place in keys.items() if not there.get(key, {}).get("version")]
    kinds = {sku: _told(listed_kinds(tables, sku), synced) for sku in dict.fromkeys(sku for sku, _ in missing)}
    write_all(tables, [listed_write(sku, location, kinds[sku], now_ms) for sku, location in missing])


def listing_changed_writes(
    tables: Tables,
    skus: Iterable[str],
    new_kinds: Iterable[str],
    locations: Iterable[str],
    synced: Container[str],
    now_ms: int,
) -> list[Write]:
    """What tells the channels that something about the listings of these SKUs has changed: on every location's record,
    the kinds that list the SKU (or a kit of it) together with `new_kinds`, which are about to."""
    kinds: Mapping[str, list[str]] = {
        sku: _told(listed_kinds(tables, sku).union(new_kinds), synced) for sku in dict.fromkeys(skus)
    }
    places = list(dict.fromkeys(locations))
    return [listed_write(sku, location, kinds[sku], now_ms) for sku in kinds for location in places]


def write_all(tables: Tables, writes: list[Write]) -> None:
    """The writes in order, in as few transactions as take them; each may be repeated."""
    for start in range(0, len(writes), MAX_ACTIONS):
        tables.write(*writes[start : start + MAX_ACTIONS])


def _told(kinds: Iterable[str], synced: Container[str]) -> list[str]:
    return sorted(kind for kind in kinds if kind in synced)
