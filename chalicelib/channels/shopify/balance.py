"""What Shopify Payments books and pays out. Source: schema admin_2026-10, ShopifyPaymentsAccount.

A balance transaction tells its gross amount and the fee in it, which is a fact of its own (`<number>/fee`), so that
both add up to its net. It is booked in the payout's currency; where that is not the shop's, in which orders are read,
the order's transaction says what it was there (`settlementCurrencyRate`). The payout itself is one more transaction
(TRANSFER), which no payout carries. A shop without Shopify Payments, and an app without the right to read them, have
nothing booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from chalicelib.channels.conversions import confirmed, rate_of
from chalicelib.channels.facts import Payout
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.shopify import documents_account as documents
from chalicelib.channels.shopify.payments import stamp
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, gid, number
from chalicelib.domain.settlement import LedgerFact, converted

_JOB = "payouts"
_TOGETHER = 50  # rows: a page
_LONGEST_WAY_MS = 90 * 86_400_000  # after that a payout is not waited for any more
_ON_ITS_WAY = ("SCHEDULED", "IN_TRANSIT")
_ITSELF = "TRANSFER"

# By the beginning of the type; the first that fits counts. What is not here is `other`.
_KINDS = (
    ("CHARGEBACK_FEE", "fee"),
    ("CHARGEBACK_HOLD", "dispute"),
    ("CHARGEBACK_PROTECTION", "adjustment"),
    ("CHARGE_ADJUSTMENT", "adjustment"),
    ("CHARGE", "sale"),
    ("DISPUTE", "dispute"),
    ("REFUND_ADJUSTMENT", "adjustment"),
    ("REFUND", "refund"),  # REFUND_FAILURE brings the money back
    ("RESERVED_FUNDS", "reserve"),
    ("SHIPPING_LABEL", "shipping_label"),
    ("TAX_ADJUSTMENT", "tax"),
    ("TRANSFER", "transfer"),
    ("BALANCE_TRANSFER", "transfer"),
    ("ADJUSTMENT", "adjustment"),
    ("STRIPE_FEE", "fee"),
    ("REFERRAL_FEE", "fee"),
)
_STATUSES = {"PAID": "paid", "SCHEDULED": "released", "IN_TRANSIT": "released", "ACTION_REQUIRED": "held"}


def read_transactions(wire: ShopifyWire, since_ms: int) -> Iterator[LedgerFact]:
    """Every amount that was booked since then, oldest first."""
    yield from _facts(
        wire, _rows(wire, documents.BALANCE, f"processed_at:>='{stamp(since_ms)}'", "balanceTransactions")
    )


def read_payouts(wire: ShopifyWire, jobs: Jobs, since_ms: int) -> Iterator[Payout]:
    """Every payout that was issued since then and is paid, oldest first, with all its transactions.

    It may take days to be paid: those that were on their way at the last whole reading are in the job `payouts`
    (id -> Unix ms), and are looked at again.
    """
    before: Mapping[str, Any] = jobs.get(_JOB) or {}
    on_their_way: dict[str, int] = {}
    first_ms = min([since_ms, *map(int, before.values())])
    for row in _rows(wire, documents.PAYOUTS, f"issued_at:>='{stamp(first_ms)}'", "payouts"):
        payout_id, issued_ms, status = number(row.text("id")), row.time_ms("issuedAt"), row.text("status")
        if status in _ON_ITS_WAY and issued_ms > wire.now_ms - _LONGEST_WAY_MS:
            on_their_way[payout_id] = issued_ms
            jobs.put(_JOB, {**before, **on_their_way})  # whoever breaks off, nothing on its way may be forgotten
        if status == "PAID" and (issued_ms >= since_ms or payout_id in before):
            yield _payout(wire, row, payout_id, issued_ms)
    if on_their_way != dict(before):
        jobs.put(_JOB, on_their_way)


def facts_of(row: Node) -> Iterator[LedgerFact]:
    """The gross amount of a balance transaction and the fee in it. Raises `Unreadable` naming the field."""
    kind = kind_of(row.text("type"))
    gross, net = row.at("amount"), row.at("net")
    currency = gross.currency("currencyCode")
    gross_minor, net_minor = gross.minor("amount", currency), net.minor("amount", net.currency("currencyCode"))
    payout = row.at("associatedPayout")
    fact_id = number(row.identity("id"))
    fact = LedgerFact(
        fact_id=fact_id,
        kind=kind,
        amount_minor=gross_minor,
        currency=currency,
        at_ms=row.time_ms("transactionDate"),
        external_id=number(row.at("associatedOrder").text("id")),
        payout_id=number(payout.text("id")),
        status=_STATUSES.get(payout.text("status"), "open"),
        what=row.text("type")[:120],
    )
    if gross_minor:
        yield fact
    if net_minor != gross_minor:
        fee = {"fact_id": f"{fact_id}/fee", "kind": "fee", "amount_minor": net_minor - gross_minor}
        yield LedgerFact(**{**vars(fact), **fee})


def kind_of(transaction_type: str) -> str:
    """One of `MONEY_KINDS` for a ShopifyPaymentsTransactionType, known or not."""
    return next((kind for beginning, kind in _KINDS if transaction_type.startswith(beginning)), "other")


def _payout(wire: ShopifyWire, row: Node, payout_id: str, issued_ms: int) -> Payout:
    net = row.at("net")
    currency = net.currency("currencyCode")
    amount_minor = net.minor("amount", currency)
    if row.text("transactionType") == "WITHDRAWAL":  # the seller owed it
        amount_minor = -abs(amount_minor)
    rows = (
        each
        for each in _rows(wire, documents.BALANCE, f"payments_transfer_id:{payout_id}", "balanceTransactions")
        if number(each.at("associatedPayout").text("id")) == payout_id and each.text("type") != _ITSELF
    )
    return Payout(payout_id, currency, issued_ms, amount_minor, tuple(_facts(wire, rows)))


def _facts(wire: ShopifyWire, rows: Iterator[Node]) -> Iterator[LedgerFact]:
    """The facts of each row, with what they are in the shop's currency where that is another."""
    shop_currency = ""
    while some := list(islice(rows, _TOGETHER)):
        shop_currency = shop_currency or wire.ask(documents.SHOP, {}).at("shop").currency("currencyCode")
        foreign = [each for each in some if each.at("amount").currency("currencyCode") != shop_currency]
        sources = _sources(wire, foreign) if foreign else {}
        for row in some:
            source = sources.get(row.text("sourceOrderTransactionId"))
            yield from _as_sold(source, list(facts_of(row))) if source else facts_of(row)


def _sources(wire: ShopifyWire, rows: Iterable[Node]) -> dict[str, Node]:
    """The orders' transactions that these rows come from, by number."""
    asked = dict.fromkeys(
        each.text("sourceOrderTransactionId") for each in rows if each.has("sourceOrderTransactionId")
    )
    ids = [gid("OrderTransaction", each) for each in asked]
    found = wire.ask(documents.CONVERTED, {"ids": ids}).at("nodes").value if ids else []
    nodes = [Node(each, "nodes") for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {number(each.text("id")): each for each in nodes}


def _as_sold(source: Node, facts: list[LedgerFact]) -> list[LedgerFact]:
    """With what they are in the shop's currency, where the rate confirms that this is what was converted."""
    rate = rate_of(source.at("settlementCurrencyRate").value)
    gross = next((each for each in facts if "/" not in each.fact_id), None)
    if not rate or not gross or source.text("settlementCurrency") != gross.currency:
        return facts
    paid = [source.at("amountSet").at(name) for name in ("shopMoney", "presentmentMoney")]
    currencies = [each.currency("currencyCode") for each in paid]
    amounts = [abs(each.minor("amount", currency)) for each, currency in zip(paid, currencies, strict=True)]
    booked = (gross.amount_minor, gross.currency)
    if not any(confirmed(rate, [amount], each, *booked) for amount, each in zip(amounts, currencies, strict=True)):
        return facts
    sold_minor = amounts[0] if gross.amount_minor > 0 else -amounts[0]
    return [converted(each, gross.amount_minor, sold_minor, currencies[0], str(rate)) for each in facts]


def _rows(wire: ShopifyWire, document: str, query: str, name: str) -> Iterator[Node]:
    try:
        yield from wire.pages(document, {"query": query}, "shopifyPaymentsAccount", name)
    except Declined as error:
        if error.code != "ACCESS_DENIED":
            raise
