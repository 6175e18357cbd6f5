"""Orders in their table: a small STATE item that moves, a CONTENT item that stays, and two indexes.

The content of a small order stands inside its STATE item, so that entering and reading it are one item each.

open    stage#channel#shard -> due time, while the order is open (what the sweep and the stage lists read), or while
        the channel has not been told of all of it
placed  channel#shard -> time of order, until the order is archived: the newest orders
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice

from chalicelib.domain.lifecycle import CLOSED, stage, unsaid_to_channel
from chalicelib.domain.orders import Content, Order
from chalicelib.store.codec import SCHEMA, decode_content, decode_state, encode_content, encode_state, pack, unpack
from chalicelib.store.tables import Item, Key, Put, Tables, When, Write

SHARDS = 2
_INLINE_LINES, _INLINE_CHARACTERS = 4, 400  # so small a content keeps most states in one write unit to their end


def state_key(order_id: str) -> Key:
    return Key("orders", order_id, "STATE")


def content_key(order_id: str) -> Key:
    return Key("orders", order_id, "CONTENT")


def read_order(tables: Tables, order_id: str, *, content: bool = False) -> Order | None:
    """One order, with its content when asked."""
    return read_orders(tables, [order_id], content=content).get(order_id)


def read_orders(tables: Tables, order_ids: Iterable[str], *, content: bool = False) -> dict[str, Order]:
    """Those of the orders that exist, by id."""
    ids = list(dict.fromkeys(order_ids))
    states = tables.get_many([state_key(order_id) for order_id in ids])
    found = {order_id: order_of(states[key]) for order_id in ids if (key := state_key(order_id)) in states}
    bare = [order_id for order_id, order in found.items() if order.content is None] if content else []
    if bare:
        contents = tables.get_many([content_key(order_id) for order_id in bare])
        for order_id in bare:
            found[order_id] = order_of(states[state_key(order_id)], contents.get(content_key(order_id)))
    return found


def order_of(state: Item, content: Item | None = None) -> Order:
    """The order of a STATE item (and its CONTENT item)."""
    channel, _, external_id = state["pk"].partition(":")
    data = unpack(state["body"])
    moving, staying = data if isinstance(data, list) else (data, None)  # a state of schema 1 stood alone
    if not staying and content:
        staying = unpack(content["body"])
    return Order(
        channel=channel,
        external_id=external_id,
        state=decode_state(moving, version=state["version"], since_ms=state["since"], due_ms=state["due"]),
        content=decode_content(staying) if staying else None,
    )


def order_writes(before: Order | None, after: Order) -> list[Write]:
    """What stores `after`: the state under the version it was decided on, the content only where it is new."""
    when = When(version=before.state.version) if before else When(absent=True)
    inline = after.content is not None and _is_small(after.content)
    writes: list[Write] = [Put(state_key(after.order_id), _state_item(after, inline=inline), when)]
    if after.content and not inline and (before is None or before.content != after.content):
        body = pack(encode_content(after.content))
        writes.append(Put(content_key(after.order_id), {"schema": SCHEMA, "body": body}))
    return writes


def _is_small(content: Content) -> bool:
    """Decided on the content alone, so that it never changes sides while it stays the same."""
    words = sum(
        len(x.line_id) + len(x.sku) + len(x.channel_sku) + len(x.title) + len(x.listing_ref) for x in content.lines
    )
    return len(content.lines) <= _INLINE_LINES and words <= _INLINE_CHARACTERS


def _state_item(order: Order, *, inline: bool) -> Item:
    state, where = order.state, stage(order)
    shard = zlib.crc32(order.order_id.encode()) % SHARDS
    item: Item = {
        "schema": SCHEMA,
        "version": state.version,
        "stage": where,
        "held": int(bool(state.holds) and where not in CLOSED),
        "since": state.since_ms,
        "due": state.due_ms,
        "body": pack([encode_state(state), encode_content(order.content) if order.content and inline else None]),
    }
    if not state.archived:
        item["placed_pk"] = f"{order.channel}#{shard}"
        item["placed_sk"] = _position(state.placed_ms, order.order_id)
    if where not in CLOSED or unsaid_to_channel(order):  # found again when its account is resumed
        item["open_pk"] = f"{where}#{order.channel}#{shard}"
        item["open_sk"] = _position(state.due_ms, order.order_id)
    return item


def _position(at_ms: int, order_id: str) -> str:
    return f"{max(at_ms, 0):014d}#{order_id}"


def due_order_ids(tables: Tables, stage_name: str, channel: str, now_ms: int, limit: int) -> list[str]:
    """Open orders of a stage whose deadline has passed, longest overdue first."""
    upto = _position(now_ms, "")
    entries = _merge(tables, "open", [f"{stage_name}#{channel}"], limit, upto=upto)
    return [item["pk"] for item in entries]


def oldest_since_ms(tables: Tables, stage_name: str, channel: str) -> int:
    """When the order that is due first in this stage entered it; 0 when there is none."""
    first = next(iter(_merge(tables, "open", [f"{stage_name}#{channel}"], 1)), None)
    return first["since"] if first else 0


def list_order_ids(
    tables: Tables, channels: Sequence[str], stage_name: str, limit: int, cursor: str
) -> tuple[list[str], str]:
    """One page of order ids and the cursor after it ("" at the end).

    With a stage: open orders, first due first. Without: all orders, newest first.
    """
    if stage_name:
        names = [f"{stage_name}#{channel}" for channel in channels]
        entries = _merge(tables, "open", names, limit + 1, after=cursor)
    else:
        entries = _merge(tables, "placed", list(channels), limit + 2, upto=cursor, newest_first=True)
        entries = [entry for entry in entries if entry["placed_sk"] != cursor]
    sort_key = "open_sk" if stage_name else "placed_sk"
    page = entries[:limit]
    return [entry["pk"] for entry in page], page[-1][sort_key] if len(entries) > limit else ""


def _merge(
    tables: Tables,
    index: str,
    names: list[str],
    limit: int,
    *,
    after: str = "",
    upto: str = "",
    newest_first: bool = False,
) -> list[Item]:
    """The first `limit` entries over all shards of the named partitions, in sort-key order."""
    pages = [
        tables.query(
            "orders",
            f"{name}#{shard}",
            index=index,
            after=after,
            upto=upto,
            limit=limit,
            newest_first=newest_first,
        ).items
        for name in names
        for shard in range(SHARDS)
    ]
    merged = heapq.merge(*pages, key=lambda item: item[f"{index}_sk"], reverse=newest_first)
    return list(islice(merged, limit))


def oldest_order_ids(tables: Tables, channel: str, placed_before_ms: int, limit: int) -> list[str]:
    """Orders that are not archived and were placed before a time, oldest first."""
    entries = _merge(tables, "placed", [channel], limit, upto=_position(placed_before_ms, ""))
    return [entry["pk"] for entry in entries]
