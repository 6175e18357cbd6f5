"""Facts of money under their natural keys: each payout line is written once, whatever happens to its message."""

from __future__ import annotations

from chalicelib.domain.advance import PayoutLine
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Item, Key, Put, Tables, When


def payout_line_key(line: PayoutLine) -> Key:
    return Key("ledger", f"PAYOUT#{line.channel}#{line.payout_id}", line.line_id)


def payout_line_write(line: PayoutLine, *, matched: bool) -> Put:
    """The ledger entry of a payout line; fails as `Stale` when the line is there already.

    `matched` tells whether an order was found for it; what was not is an exception to be explained.
    """
    item: Item = {
        "schema": SCHEMA,
        "order": line.order_id,
        "kind": line.kind,
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "paid_ms": line.paid_ms,
        "matched": matched,
    }
    return Put(payout_line_key(line), item, When(absent=True))


def is_booked(tables: Tables, line: PayoutLine) -> bool:
    """Whether this payout line has been applied."""
    return tables.get(payout_line_key(line)) is not None
