"""Reading transactions and payouts page by page. Source: sell_finances_v1_oas3.json.

eBay wants offsets below 5,000 and ranges of 36 months at most, nothing older than five years, and answers 204 for an
empty list. Every call is signed where the account has a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.channels.ebay.finances import facts_of, payout_of
from chalicelib.channels.ebay.parcels import stamp
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.facts import Payout
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.domain.errors import Refused
from chalicelib.domain.settlement import LedgerFact

_BASE = "/sell/finances/v1"
_DAY_MS = 86_400_000
_REACH_MS = (5 * 365 - 1) * _DAY_MS
_RANGE_MS = 1000 * _DAY_MS
_MOST_OFFSET = 5000
_JOB = "payouts"
_ON_THEIR_WAY = ("INITIATED", "RETRYABLE_FAILED", "REVERSED")  # a payout that the bank sends back is tried again
_LONGEST_WAY_MS = 90 * _DAY_MS  # after that a payout is not waited for any more
_PAGES = {"transaction": 1000, "payout": 200}


def read_transactions(wire: EbayWire, since_ms: int) -> Iterator[LedgerFact]:
    """Every amount of every transaction dated since then, oldest first. One may come twice."""
    for row in _dated(wire, "transaction", "transactionDate", since_ms):
        yield from facts_of(row)


def read_payouts(wire: EbayWire, jobs: Jobs, since_ms: int) -> Iterator[Payout]:
    """Every payout that succeeded since then, whole, oldest first; none comes twice.

    A payout is dated when it begins, and may succeed days later: those that were on their way at the last reading are
    in the job `payouts` (id -> Unix ms), and are looked at again.
    """
    before: Mapping[str, Any] = jobs.get(_JOB) or {}
    on_their_way: dict[str, int] = {}
    whole = False
    try:
        yield from _succeeded(wire, since_ms, before, on_their_way)
        whole = True
    finally:
        # What was read may be passed for good, whoever breaks off: nothing on its way may be forgotten.
        now = on_their_way if whole else {**before, **on_their_way}
        if now != dict(before):
            jobs.put(_JOB, now)


def _succeeded(
    wire: EbayWire, since_ms: int, before: Mapping[str, Any], on_their_way: dict[str, int]
) -> Iterator[Payout]:
    """Those that succeeded; those that may yet are put into `on_their_way`."""
    told: set[str] = set()
    for row in _dated(wire, "payout", "payoutDate", min([since_ms, *map(int, before.values())])):
        payout_id, at_ms = row.identity("payoutId"), row.time_ms("payoutDate")
        if row.text("payoutStatus") in _ON_THEIR_WAY and at_ms > wire.now_ms - _LONGEST_WAY_MS:
            on_their_way[payout_id] = at_ms
        wanted = at_ms >= since_ms or payout_id in before
        if wanted and payout_id not in told and row.text("payoutStatus") in ("", "SUCCEEDED"):
            told.add(payout_id)
            rows = _all_of(wire, payout_id)
            yield payout_of(row, [fact for each in rows for fact in facts_of(each)])


def _dated(wire: EbayWire, name: str, date: str, since_ms: int) -> Iterator[Node]:
    """Rows from then to now, sliced by date: a slice begins anew at its last row's time when its offsets run out."""
    start_ms = max(since_ms, wire.now_ms - _REACH_MS)
    while start_ms <= wire.now_ms:
        end_ms = min(start_ms + _RANGE_MS, wire.now_ms)
        last_ms = 0
        for offset in range(0, _MOST_OFFSET, _PAGES[name]):
            rows, more = _page(wire, name, f"{date}:[{stamp(start_ms)}..{stamp(end_ms)}]", offset, date)
            for row in rows:
                last_ms = max(last_ms, row.time_ms(date))
                yield row
            if not more:
                break
        else:
            if last_ms <= start_ms:
                raise Refused("bad_page", f"more than {_MOST_OFFSET} rows of {name} have the same time")
            start_ms = last_ms
            continue
        start_ms = end_ms + 1


def _all_of(wire: EbayWire, payout_id: str) -> Iterator[Node]:
    """A payout's transactions can be sliced by nothing: all offsets are read, however slow."""
    offset, more = 0, True
    while more:
        rows, more = _page(wire, "transaction", f"payoutId:{{{payout_id}}}", offset, "transactionDate")
        yield from rows
        offset += _PAGES["transaction"]


def _page(wire: EbayWire, name: str, chosen: str, offset: int, sort: str) -> tuple[list[Node], bool]:
    limit = _PAGES[name]
    query = urlencode({"filter": chosen, "limit": str(limit), "offset": str(offset), "sort": sort})
    answer = Node(wire.found(Call("GET", f"{_BASE}/{name}?{query}", signed=True)))
    rows = answer.each(f"{name}s")
    return rows, bool(rows) and (answer.has("next") or answer.whole("total") > offset + len(rows))
