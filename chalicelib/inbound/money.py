"""What a channel has booked: each amount goes into the ledger once, each payout to settlement, each refund to funding.

Messages go out before the ledger is written: what is broken off in between is told again, and every message says what
is to be there, never what to add.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from chalicelib.channels.facts import Payout
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.processor_port import ProcessorClient
from chalicelib.channels.registry import PROCESSORS, kind_of
from chalicelib.domain.errors import Busy, HeadraceError
from chalicelib.domain.settlement import STATED, LedgerFact, as_sold, payout_lines, refunds_in
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import Cursor, move_cursor, read_account, read_cursor
from chalicelib.store.ledger import (
    News,
    Statement,
    keep_statement,
    news_in,
    read_facts,
    read_statement,
    write_news,
)

T = TypeVar("T")

DAY_MS = 86_400_000
MONEY, PAYOUTS = "MONEY", "PAYOUTS"  # names of cursors
_FIRST_LOOK_MS = 90 * DAY_MS  # how far back an account is read that does not say from when it is imported
_MONEY_OVERLAP_MS = 2 * DAY_MS  # Source: Amazon Finances 2024-06-19, orders of the last 48 hours may be missing
_PAYOUT_OVERLAP_MS = 7 * DAY_MS  # a payout bears the date of its beginning, and takes days to succeed
_TOGETHER = 100
_OF_REFUNDS = ("refund", "tax")
_BOOKINGS_TOGETHER = 25  # each of a few facts


def read_since_ms(channel: str, cursor: Cursor, overlap_ms: int, runtime: Runtime) -> int:
    """From when on (Unix ms) to read what changes late: once more the end of what was read, at first all that the
    account is imported from."""
    if cursor.read_to_ms:
        return max(cursor.read_to_ms - overlap_ms, 0)
    return int(read_account(runtime.tables, channel).get("import_from_ms", 0)) or runtime.clock() - _FIRST_LOOK_MS


def together(items: Iterable[T], size: int = _TOGETHER) -> Iterator[list[T]]:
    """The items, so many at once; what came before a reading breaks off is given before its error is raised."""
    left = iter(items)
    trouble: HeadraceError | None = None
    is_full = True
    while is_full and not trouble:
        some: list[T] = []
        try:
            some.extend(islice(left, size))
        except HeadraceError as error:
            trouble = error
        if some:
            yield some
        is_full = len(some) == size
    if trouble:
        raise trouble


def _bookings(facts: Iterable[LedgerFact]) -> Iterator[list[LedgerFact]]:
    """The facts, so many at once; what was booked together stays together: a refund says nothing without its tax."""
    for some in together(_whole(facts), _BOOKINGS_TOGETHER):
        yield [fact for booking in some for fact in booking]


def _whole(facts: Iterable[LedgerFact]) -> Iterator[list[LedgerFact]]:
    """Each booking; what came before a reading breaks off is given before its error is raised."""
    trouble: HeadraceError | None = None
    booking: list[LedgerFact] = []
    try:
        for fact in facts:
            if booking and (fact.external_id, fact.at_ms) != (booking[0].external_id, booking[0].at_ms):
                yield booking
                booking = []
            booking.append(fact)
    except HeadraceError as error:
        trouble = error
    if booking:
        yield booking
    if trouble:
        raise trouble


def read_money(channel: str, client: ChannelClient | ProcessorClient, runtime: Runtime) -> dict[str, int]:
    """Book what one account has booked since the last time, and work off its payouts; how many of each were news. What
    stops the one does not stop the other: orders are settled by payouts alone."""
    try:
        booked = _read_transactions(channel, client, runtime)
    except HeadraceError:
        _read_payouts(channel, client, runtime)
        raise
    return {"facts": booked, "payouts": _read_payouts(channel, client, runtime)}


class _Progress:
    """How far a reading has come, in the channel's time. One that breaks off has passed what it was given, if that came
    oldest first; else all of it is read again."""

    def __init__(self, channel: str, name: str, overlap_ms: int, runtime: Runtime) -> None:
        self._channel, self._name, self._tables = channel, name, runtime.tables
        self._cursor = read_cursor(runtime.tables, channel, name)
        self.since_ms = read_since_ms(channel, self._cursor, overlap_ms, runtime)
        self._now_ms = runtime.clock()
        self._newest_ms = 0
        self._in_order = True

    def passes(self, at_ms: int) -> None:
        """Everything of this time that was given has been done."""
        self._in_order = self._in_order and at_ms >= self._newest_ms
        self._newest_ms = max(self._newest_ms, at_ms)

    def keep(self, *, broken_off: bool) -> None:
        """Move the cursor as far as it may."""
        newest_ms = min(self._newest_ms, self._now_ms)  # what is dated ahead must not hide what is booked before then
        if newest_ms > self._cursor.read_to_ms and (self._in_order or not broken_off):
            move_cursor(self._tables, self._channel, Cursor(newest_ms), self._name)


def _read_transactions(channel: str, client: ChannelClient | ProcessorClient, runtime: Runtime) -> int:
    progress = _Progress(channel, MONEY, _MONEY_OVERLAP_MS, runtime)
    booked = 0
    try:
        for some in _bookings(client.transactions(progress.since_ms)):
            booked += _book(some, channel, runtime)
            for fact in some:
                progress.passes(fact.at_ms)
    except Busy:
        progress.keep(broken_off=True)
        raise
    progress.keep(broken_off=False)
    return booked


def _read_payouts(channel: str, client: ChannelClient | ProcessorClient, runtime: Runtime) -> int:
    """Every payout is worked off wholly before the cursor passes it."""
    progress = _Progress(channel, PAYOUTS, _PAYOUT_OVERLAP_MS, runtime)
    worked_off = 0
    try:
        for payout in client.payouts(progress.since_ms):
            worked_off += _work_off(payout, channel, runtime)
            progress.passes(payout.paid_ms)
    except Busy:
        progress.keep(broken_off=True)
        raise
    progress.keep(broken_off=False)
    return worked_off


def _work_off(payout: Payout, channel: str, runtime: Runtime) -> bool:
    """Settle and book all of one payout; False when nothing of it has changed since that was done."""
    status = STATED if payout.restates else "paid"
    carried = {fact.fact_id: replace(fact, payout_id=payout.payout_id, status=status) for fact in payout.facts}
    facts = list(carried.values())
    sum_minor = sum(fact.amount_minor for fact in facts)
    statement = Statement(payout.payout_id, payout.currency, payout.paid_ms, payout.amount_minor, len(facts), sum_minor)
    if read_statement(runtime.tables, channel, payout.payout_id) == statement:
        return False
    if messages := _settlement_messages(payout, facts, channel):
        runtime.queues.send("settlement", messages)
    for some in _bookings(facts):
        _book(some, channel, runtime)
    if sum_minor != payout.amount_minor:
        log(
            "payout_does_not_add_up",
            channel=channel,
            payout=payout.payout_id,
            paid_minor=payout.amount_minor,
            facts_minor=sum_minor,
        )
    keep_statement(runtime.tables, channel, statement)
    return True


def _settlement_messages(payout: Payout, facts: Sequence[LedgerFact], channel: str) -> list[Message]:
    """One for each order that the payout is about; what is about none stays in the ledger."""
    by_order: dict[tuple[str, str], list[LedgerFact]] = defaultdict(list)
    for fact in facts:
        if fact.external_id:
            sold = as_sold(fact)
            by_order[sold.external_id, sold.currency].append(sold)
    shared = {"channel": channel, "payout_id": payout.payout_id, "paid_ms": payout.paid_ms}
    return [
        {"payout": {**shared, "order_id": _order_id(channel, external_id), "currency": currency, "lines": lines}}
        for (external_id, currency), about in by_order.items()
        if (lines := payout_lines(about))
    ]


def _order_id(account: str, external_id: str) -> str:
    """A payment processor names an order with the channel that sold it."""
    return external_id if kind_of(account) in PROCESSORS and ":" in external_id else f"{account}:{external_id}"


def _book(facts: Sequence[LedgerFact], channel: str, runtime: Runtime) -> int:
    """Book those of the facts that are news, and tell of the refunds among them; how many were news."""
    news = news_in(runtime.tables, channel, facts)
    if refunds := _refund_messages(news, channel, runtime):
        runtime.queues.send("funding", refunds)
    for fact, was, _ in news:
        if was and was.amount_minor != fact.amount_minor:
            amounts = {"was_minor": was.amount_minor, "now_minor": fact.amount_minor}
            log("fact_corrected", channel=channel, fact=fact.fact_id, order=fact.external_id, **amounts)
    if news:
        write_news(runtime.tables, channel, news)
    return len(news)


def _refund_messages(news: Sequence[News], channel: str, runtime: Runtime) -> list[Message]:
    """What has been given back in all of each order of which a refund, or tax that may be a part of one, is new or has
    changed."""
    concerned = {each.fact.external_id for each in news if each.fact.kind in _OF_REFUNDS and each.fact.amount_minor}
    messages: list[Message] = []
    for external_id in sorted(concerned - {""}):
        facts = {fact.fact_id: as_sold(fact) for fact in read_facts(runtime.tables, channel, external_id)}
        facts |= {each.fact.fact_id: as_sold(each.fact) for each in news if each.fact.external_id == external_id}
        for currency in sorted({fact.currency for fact in facts.values() if fact.kind == "refund"}):
            back = refunds_in(fact for fact in facts.values() if fact.currency == currency)
            if not back.total_minor:
                continue
            fact = {"total_minor": back.total_minor, "tax_minor": back.tax_minor, "currency": currency}
            order = {"order": _order_id(channel, external_id)}
            messages.append({**order, "do": "refunds_seen", "fact": fact, "actor": channel})
    return messages
