"""Facts of money under their natural keys: what a channel has booked, and what each payout says of each order.

PAYOUT#<channel>#<payout> / <order>          the lines of one payout that are about one order, by their ids; those that
                                             account for nothing of it under <order>#<currency>
PAYOUT#<channel>#<payout> / STATEMENT        a payout that was worked off: its amount, and how many facts made which sum
FACT#<channel>#<order's external id> / <id>  one amount that the channel has booked; "-" for what is about no order
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from chalicelib.domain.settlement import LedgerFact, PayoutLine
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import MAX_ACTIONS, Delete, Item, Key, Put, Tables, When, Write

_NO_ORDER = "-"
_WORDS_KEPT = 120
_OF_CONVERSION = ("sold_minor", "sold_currency", "rate")


class News(NamedTuple):
    """A fact as it is to be booked, what was booked under its id before (None: nothing), and which version that is."""

    fact: LedgerFact
    was: LedgerFact | None
    version: int = 0


@dataclass(frozen=True)
class Statement:
    """One payout as a whole. `amount_minor` is what was paid, `facts` of them add up to `sum_minor`."""

    payout_id: str
    currency: str
    paid_ms: int
    amount_minor: int
    facts: int
    sum_minor: int


def book(tables: Tables, lines: Sequence[PayoutLine], *, matched: bool) -> list[PayoutLine]:
    """Add lines of one payout about one order, each once and as it was told last; all that are booked of it now.
    `Stale` when somebody else has added some meanwhile.

    `matched` tells whether they account for money of an order; what does not is an exception to be explained, and is
    never added to what does.
    """
    first = lines[0]
    about = first.order_id if matched else f"{first.order_id}#{first.currency}"
    key = Key("ledger", f"PAYOUT#{first.channel}#{first.payout_id}", about)
    item = tables.get(key)
    known = dict(item["lines"]) if item else {}
    booked = known | {line.line_id: [line.kind, line.amount_minor] for line in lines}
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
    return _lines_of(first, booked)


def _lines_of(first: PayoutLine, booked: Item) -> list[PayoutLine]:
    return [
        replace(first, line_id=line_id, kind=str(kind), amount_minor=int(amount_minor))
        for line_id, (kind, amount_minor) in booked.items()
    ]


def read_payout_lines(tables: Tables, channel: str, payout_id: str, order_id: str) -> list[PayoutLine]:
    """What is booked of one payout about one order."""
    item = tables.get(Key("ledger", f"PAYOUT#{channel}#{payout_id}", order_id))
    if item is None:
        return []
    first = PayoutLine(channel, payout_id, "", order_id, "", 0, item["currency"], int(item["paid_ms"]))
    return _lines_of(first, item["lines"])


def news_in(tables: Tables, channel: str, facts: Iterable[LedgerFact]) -> list[News]:
    """Those of the facts that the ledger does not hold as they are, one for each id, the last one told.

    A fact that was in a payout stays in it, and paid: a list that does not name the payout knows less, not better. One
    whose order was not known before is news, and was booked about none.
    """
    told = {_fact_key(channel, fact): replace(fact, what=fact.what[:_WORDS_KEPT]) for fact in facts}
    about_none = {key: _fact_key(channel, replace(fact, external_id="")) for key, fact in told.items()}
    items = tables.get_many(list(dict.fromkeys([*told, *about_none.values()])))
    known = {key: _fact_of(items[at]) for key, none in about_none.items() for at in (none, key) if at in items}
    news = [
        News(_kept_in_payout(fact, known.get(key)), known.get(key), items[key].get("version", 0) if key in items else 0)
        for key, fact in told.items()
    ]
    return [each for each in news if each.fact != each.was]


def _kept_in_payout(fact: LedgerFact, was: LedgerFact | None) -> LedgerFact:
    if was is None or not was.payout_id or fact.payout_id not in ("", was.payout_id):
        return fact
    status = fact.status if fact.payout_id and was.status != "paid" else was.status
    return replace(fact, payout_id=was.payout_id, status=status)


def write_news(tables: Tables, channel: str, news: Sequence[News]) -> None:
    """Book what is news, each over what it was read from. Raises `Stale` when another reading has booked meanwhile: its
    word may be the newer one."""
    writes: list[Write] = [
        Put(
            _fact_key(channel, fact),
            {"schema": SCHEMA, "version": version + 1, **_body_of(fact)},
            When(version=version) if version else When(absent=True),
        )
        for fact, _, version in news
    ]
    writes += [Delete(_fact_key(channel, was)) for fact, was, _ in news if was and was.external_id != fact.external_id]
    for start in range(0, len(writes), MAX_ACTIONS):
        tables.write(*writes[start : start + MAX_ACTIONS])


def read_facts(tables: Tables, channel: str, external_id: str) -> list[LedgerFact]:
    """Everything that a channel has booked about one of its orders ("": about none)."""
    facts: list[LedgerFact] = []
    cursor, more = "", True
    while more:
        page = tables.query("ledger", f"FACT#{channel}#{external_id or _NO_ORDER}", cursor=cursor)
        facts += [_fact_of(item) for item in page.items]
        cursor = page.cursor
        more = bool(cursor)
    return facts


def read_statement(tables: Tables, channel: str, payout_id: str) -> Statement | None:
    """The payout as it was worked off last, or None."""
    item = tables.get(_statement_key(channel, payout_id))
    if item is None:
        return None
    numbers = {name: int(item[name]) for name in ("paid_ms", "amount_minor", "facts", "sum_minor")}
    return Statement(payout_id=payout_id, currency=item["currency"], **numbers)


def keep_statement(tables: Tables, channel: str, statement: Statement) -> None:
    """The payout has been worked off like this."""
    body = {name: value for name, value in asdict(statement).items() if name != "payout_id"}
    tables.write(Put(_statement_key(channel, statement.payout_id), {"schema": SCHEMA, **body}))


def _statement_key(channel: str, payout_id: str) -> Key:
    return Key("ledger", f"PAYOUT#{channel}#{payout_id}", "STATEMENT")  # no order's id is without a colon


def _fact_key(channel: str, fact: LedgerFact) -> Key:
    return Key("ledger", f"FACT#{channel}#{fact.external_id or _NO_ORDER}", fact.fact_id)


def _body_of(fact: LedgerFact) -> Item:
    """What few facts have stands only where it is."""
    return {name: value for name, value in asdict(fact).items() if value or name not in _OF_CONVERSION}


def _fact_of(item: Item) -> LedgerFact:
    return LedgerFact(
        fact_id=item["fact_id"],
        kind=item["kind"],
        amount_minor=int(item["amount_minor"]),
        currency=item["currency"],
        at_ms=int(item["at_ms"]),
        external_id=item["external_id"],
        payout_id=item["payout_id"],
        status=item["status"],
        what=item["what"],
        sold_minor=int(item.get("sold_minor", 0)),
        sold_currency=item.get("sold_currency", ""),
        rate=item.get("rate", ""),
    )
