"""Facts of money under their natural keys: what each payout says of each order, every line once.

PAYOUT#<channel>#<payout> / <order>   the lines of one payout that are about one order, by their ids
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.domain.settlement import PayoutLine
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Key, Put, Tables, When


def book(tables: Tables, lines: Sequence[PayoutLine], *, matched: bool) -> list[PayoutLine]:
    """Add lines of one payout about one order, each once; all that are booked of it now. `Stale` when somebody else has
    added some meanwhile.

    `matched` tells whether an order was found for them; what was not is an exception to be explained.
    """
    first = lines[0]
    key = Key("ledger", f"PAYOUT#{first.channel}#{first.payout_id}", first.order_id)
    item = tables.get(key)
    known = dict(item["lines"]) if item else {}
    booked = {line.line_id: [line.kind, line.amount_minor] for line in lines} | known
    if booked != known:
        version = item["version"] if item else 0
        new = {
            "schema": SCHEMA,
            "version": version + 1,
            "currency": first.currency,
            "paid_ms": first.paid_ms,
            "matched": matched,
            "lines": booked,
        }
        tables.write(Put(key, new, When(version=version) if item else When(absent=True)))
    return [
        replace(first, line_id=line_id, kind=str(kind), amount_minor=int(amount_minor))
        for line_id, (kind, amount_minor) in booked.items()
    ]
