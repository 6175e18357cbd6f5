"""Every amount that Amazon books, before it is paid out. Source: finances_2024-06-19.json, listTransactions."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from chalicelib.channels.amazon.money_kinds import kind_of
from chalicelib.channels.amazon.wire import Wire, having, iso, tree
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.settlement import LedgerFact

_PATH = "/finances/2024-06-19/transactions"
_SPAN_MS = 179 * 86_400_000  # further apart, and the answer is empty
_FRESH_MS = 180_000  # both ends must be more than two minutes ago
_STATUS = {"DEFERRED": "held", "DEFERRED_RELEASED": "released", "RELEASED": "released"}
_US = "ATVPDKIKX0DER"


def read_transactions(wire: Wire, since_ms: int) -> Iterator[LedgerFact]:
    """Every amount dated since then, oldest span first, all pages. Amazon tells an order's amounts up to 48 hours late:
    who asks must look back as far.

    What was held and is released comes twice: as DEFERRED_RELEASED, and as a RELEASED transaction of its own. Both have
    the same fact ids, those of the transaction that was held. A transaction that cannot be read is raised last, when
    the others have been given.
    """
    unreadable: Unreadable | None = None
    start_ms, last_ms = max(since_ms, 0), wire.now_ms - _FRESH_MS
    released: dict[str, str] = {}  # the release's id -> the held transaction's
    while start_ms < last_ms:
        end_ms = min(start_ms + _SPAN_MS, last_ms)
        query = {"postedAfter": iso(start_ms), "postedBefore": iso(end_ms)}
        if wire.marketplace_id != _US:  # there it would leave out what the seller ships
            query["marketplaceId"] = wire.marketplace_id
        for page in _pages(wire, query):
            for node in page:  # a release may stand before its hold
                with suppress(Unreadable):
                    release = _related(node).get("RELEASE_TRANSACTION_ID")
                    if release:
                        released[release] = node.text("transactionId")
            for node in page:
                try:
                    facts = list(facts_of(node, released))
                except Unreadable as error:
                    unreadable = error
                    continue
                yield from facts
        start_ms = end_ms
    if unreadable:
        raise unreadable


def _pages(wire: Wire, query: dict[str, str]) -> Iterator[list[Node]]:
    """Pages may be empty: only a missing token ends them."""
    token = ""
    while True:
        asked = {**query, **({"nextToken": token} if token else {})}
        inner = having(wire.call("listTransactions", "GET", f"{_PATH}?{urlencode(asked)}"), "payload")["payload"]
        booked = tree(inner).at("transactions")
        values = booked.value or []
        if not isinstance(values, list):
            booked.refuse("a list")
        yield [Node(value, f"transactions[{index}]") for index, value in enumerate(values)]
        token = str(inner.get("nextToken") or "") if isinstance(inner, dict) else ""
        if not token:
            return


def facts_of(node: Node, released: dict[str, str] | None = None) -> Iterator[LedgerFact]:
    """One transaction as facts that add up to its total.

    The smallest amounts that Amazon tells are taken; what the parts of a group leave over of it is a fact of the group.
    """
    related = _related(node)
    own_id = node.text("transactionId") or _unnamed(node)
    key = related.get("DEFERRED_TRANSACTION_ID") or (released or {}).get(own_id) or own_id
    transaction = node.text("transactionType")
    status = _STATUS.get(node.text("transactionStatus").upper(), "open")
    at_ms = node.time_ms("postedDate")
    seen: Counter[str] = Counter()
    for path, minor, currency in _amounts(node):
        if not minor:
            continue
        place = "/".join(path)
        seen[place] += 1
        yield LedgerFact(
            fact_id=f"{key}/{_digest(place)[:12]}.{seen[place]}",
            kind=kind_of(transaction, *path[1:]),
            amount_minor=minor,
            currency=currency,
            at_ms=at_ms,
            external_id=related.get("ORDER_ID", ""),
            payout_id=related.get("SETTLEMENT_ID", ""),
            status=status,
            what=" / ".join(filter(None, (transaction, *path[1:])))[:120],
        )


_Amount = tuple[tuple[str, ...], int, str]  # where it stands, minor units, currency


def _amounts(node: Node) -> Iterator[_Amount]:
    items = node.each("items")
    total = _money(node.at("totalAmount"))
    if not items:
        yield from _parts(("",), _breakdowns(node), total)
        return
    left = total
    for item in items:
        whole = _money(item.at("totalAmount"))
        parts = _within(total, _parts((_item_name(item),), _breakdowns(item), whole))
        yield from parts
        if left:
            left = (left[0] - sum(minor for _, minor, currency in parts if currency == left[1]), left[1])
    if left and left[0]:  # of the order as a whole, not of an item
        yield ("",), left[0], left[1]


def _parts(path: tuple[str, ...], breakdowns: list[Node], whole: tuple[int, str] | None) -> Iterator[_Amount]:
    """The leaves below a group, and what they leave over of its amount."""
    found = 0
    currency = whole[1] if whole else ""
    for each in breakdowns:
        here = (*path, each.text("breakdownType") or "?")
        amount = _money(each.at("breakdownAmount"))
        below = _within(whole, _parts(here, _breakdowns(each), amount))
        yield from below
        found += sum(minor for _, minor, its in below if its == currency)
    if whole and whole[0] != found:
        yield path, whole[0] - found, currency


def _within(whole: tuple[int, str] | None, parts: Iterable[_Amount]) -> list[_Amount]:
    """The parts that add to a whole. One in another currency does not: what is left over of the whole holds it."""
    return [part for part in parts if not whole or part[2] == whole[1]]


def _breakdowns(node: Node) -> list[Node]:
    """A list, or as the model's own example has it an object around one."""
    here = node.at("breakdowns")
    return here.each("breakdowns") if isinstance(here.value, dict) else node.each("breakdowns")


def _money(node: Node) -> tuple[int, str] | None:
    if not node or not node.has("currencyAmount"):
        return None
    currency = node.currency("currencyCode")
    return node.minor("currencyAmount", currency), currency


def _item_name(item: Node) -> str:
    """What tells one item of a transaction from the next, whatever their order."""
    contexts = [context.text("sku") for context in item.each("contexts")]
    return "+".join(filter(None, contexts)) or item.text("description")


def _related(node: Node) -> dict[str, str]:
    return {
        each.text("relatedIdentifierName"): each.text("relatedIdentifierValue")
        for each in node.each("relatedIdentifiers")
    }


def _unnamed(node: Node) -> str:
    """A name for a transaction without an id: what it says, but for what its release changes."""
    changing = ("transactionStatus", "relatedIdentifiers")
    return _digest({name: value for name, value in node.value.items() if name not in changing})  # type: ignore[attr-defined]


def _digest(value: Any) -> str:
    told = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]
