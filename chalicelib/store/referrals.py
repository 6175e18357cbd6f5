"""Orders by the day on which they were placed, of the channels that tell how a buyer came: what a report reads.

REFERRALS#<day> / <order id>    nothing but the key, in the table of orders; the numbers are the order's own

Days are of UTC. Written once an order, before the order itself: a report leaves out what is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.orders import Order
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Key, Put, Tables

_DAY_MS = 86_400_000
_PAGE = 1_000  # keys alone: some 100 bytes each


def new_referral_write(before: Order | None, after: Order) -> Put | None:
    """Puts the order into its day when it has become known how its buyer came; None when there is nothing to do."""
    was_told = bool(before and before.content and before.content.referral)
    if was_told or not after.content or not after.content.referral:
        return None
    return Put(Key("orders", _day_key(after.state.placed_ms // _DAY_MS), after.order_id), {"schema": SCHEMA})


def referred_on(tables: Tables, day: int) -> Iterator[str]:
    """The ids of the orders placed on a day (days since 1970, UTC)."""
    cursor, more = "", True
    while more:
        page = tables.query("orders", _day_key(day), limit=_PAGE, cursor=cursor)
        yield from (item["sk"] for item in page.items)
        cursor = page.cursor
        more = bool(cursor)


def _day_key(day: int) -> str:
    return f"REFERRALS#{day}"
