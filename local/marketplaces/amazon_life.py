"""What happens to an order at Amazon beside the sale: a cancel request, a cancel of lines, a status set by a test.

Sources: orders_2026-01-01.json (ItemCancellation, FulfillmentStatus), access-orders-pii (who is shown how long).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local.marketplaces.amazon_back_office import OrderNote
from local.marketplaces.shelf import Sale, SoldLine

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

_NOTHING = OrderNote()


def note_of(market: Amazon, sale: Sale) -> OrderNote:
    """The order's note, to read only; an empty one when there is none."""
    return market.office.notes.get(sale.order_id, _NOTHING)


def status_of(market: Amazon, sale: Sale) -> str:
    """FulfillmentStatus, or what a test has set."""
    note = note_of(market, sale)
    if note.status:
        return note.status
    if sale.cancelled_at:
        return "CANCELLED"
    if not sale.paid:
        return "PENDING"
    if all(open_units(market, sale, line) == 0 for line in sale.lines):
        return "SHIPPED"
    return "PARTIALLY_SHIPPED" if sale.shipped_units else "UNSHIPPED"


def open_units(market: Amazon, sale: Sale, line: SoldLine) -> int:
    """Units of the line that the seller has still to ship."""
    return 0 if line.line_id in note_of(market, sale).cancelled else max(0, sale.open_units(line.line_id))


def decayed(market: Amazon, sale: Sale) -> bool:
    """True once Amazon shows the buyer's name and address no more: `pii_kept_days` after the order's last change."""
    if note_of(market, sale).decayed:
        return True
    ended = status_of(market, sale) in {"SHIPPED", "CANCELLED"}
    return ended and market.clock() - sale.updated_at > timedelta(days=market.pii_kept_days)


def request_cancel(market: Amazon, sale: Sale, now: datetime, reason: str) -> bool:
    """The buyer asks to cancel; a request only. False, and nothing done, unless the order waits to be shipped."""
    if status_of(market, sale) not in {"UNSHIPPED", "PARTIALLY_SHIPPED"}:
        return False
    note = market.office.note(sale.order_id)
    note.cancel_requested_at, note.cancel_reason = now, reason
    sale.touch(now)
    market.changed(sale, "cancel_requested")
    return True


def call_off(market: Amazon, sale: Sale, line_ids: Iterable[str], by: str, why: str, now: datetime) -> None:
    """Cancels lines; the order is cancelled once all are. Amazon's own stock and a seller without any stay as they are.

    `by`: BUYER, MERCHANT or AMAZON. `why`: a cancelReason.
    """
    note = market.office.note(sale.order_id)
    for line_id in line_ids:
        line = sale.line(line_id)
        if line is None or line_id in note.cancelled:
            continue
        note.cancelled[line_id] = (by, why)
        if note.fulfilled_by == "MERCHANT" and why != "NO_INVENTORY":
            market.shelf.listings[line.sku].put_back(line.quantity - sale.shipped(line_id))
    sale.touch(now)
    if len(note.cancelled) == len(sale.lines) and not sale.parcels:
        sale.cancelled_at = sale.updated_at
    market.changed(sale, "cancelled")
