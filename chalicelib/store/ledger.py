"""Facts of money under their natural keys: what each payout says of each order, every line once.

PAYOUT#<channel>#<payout> / <order>   the lines of one payout that are about one order, by their ids
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.settlement import PayoutLine
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Key, Put, Tables, When


@dataclass(frozen=True)
class Entry:
    """What is booked of a payout for an order: line id -> [kind, amount in minor units]. `version` is 0 for nothing."""

    lines: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    version: int = 0


def _entry_key(line: PayoutLine) -> Key:
    return Key("ledger", f"PAYOUT#{line.channel}#{line.payout_id}", line.order_id)


def read_entry(tables: Tables, line: PayoutLine) -> Entry:
    """What has been booked beside this line."""
    item = tables.get(_entry_key(line))
    return Entry(item["lines"], item["version"]) if item else Entry()


def entry_write(known: Entry, lines: Sequence[PayoutLine], *, matched: bool) -> Put:
    """The entry with these lines added; `Stale` when somebody else has added some meanwhile.

    `matched` tells whether an order was found for them; what was not is an exception to be explained.
    """
    booked = {line.line_id: [line.kind, line.amount_minor] for line in lines}
    item = {
        "schema": SCHEMA,
        "version": known.version + 1,
        "currency": lines[0].currency,
        "paid_ms": lines[0].paid_ms,
        "matched": matched,
        "lines": {**known.lines, **booked},
    }
    when = When(version=known.version) if known.version else When(absent=True)
    return Put(_entry_key(lines[0]), item, when)
