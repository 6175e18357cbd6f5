"""Balance transactions and payouts as facts.

Sources: docs.stripe.com/payouts/reconciliation, /reports/reporting-categories.

A manual or instant payout cannot be itemised at Stripe and is skipped: `transactions` tells its transfer and all its
money. So is one that Stripe is still itemising, and one that failed after it was paid: its status is no longer `paid`.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.channels.conversions import confirmed, rate_of
from chalicelib.channels.facts import Payout
from chalicelib.channels.fields import Node
from chalicelib.channels.stripe.amounts import from_stripe, stripe_int, told_int
from chalicelib.channels.stripe.naming import Naming
from chalicelib.channels.stripe.wire import StripeWire
from chalicelib.domain.settlement import LedgerFact, converted

_KINDS = {
    **dict.fromkeys(("charge", "charge_failure", "partial_capture_reversal"), "sale"),
    **dict.fromkeys(("refund", "refund_failure"), "refund"),
    **dict.fromkeys(("dispute", "dispute_reversal"), "dispute"),
    **dict.fromkeys(("fee", "network_cost", "tax"), "fee"),  # `tax` is what Stripe adds to its own fees
    **dict.fromkeys(
        ("payout", "payout_reversal", "transfer", "transfer_reversal", "topup", "topup_reversal"), "transfer"
    ),
    **dict.fromkeys(("risk_reserved_funds", "connect_reserved_funds"), "reserve"),
    "other_adjustment": "adjustment",
}
_OF_THE_PAYOUT = ("payout", "payout_reversal")
_EXPAND = ["data.source", "data.source.charge"]
_LATE_MS = 7 * 86_400_000  # a payout is dated by its expected arrival, and may be itemised or paid days after


def read_transactions(wire: StripeWire, naming: Naming, since_ms: int) -> Iterator[LedgerFact]:
    """Every amount booked since then, newest first."""
    query = {"created": {"gte": since_ms // 1000}, "expand": _EXPAND}
    for row in wire.each("/v1/balance_transactions", query):
        yield from facts_of(row, naming)


def read_payouts(wire: StripeWire, naming: Naming, since_ms: int) -> Iterator[Payout]:
    """Every automatic payout that arrived since then or in the week before; one may come again."""
    query = {"status": "paid", "arrival_date": {"gte": max(since_ms - _LATE_MS, 0) // 1000}}
    for row in wire.each("/v1/payouts", query):
        if row.flag("automatic") and row.text("reconciliation_status") in ("", "completed"):
            yield _payout(wire, row, naming)


def _payout(wire: StripeWire, row: Node, naming: Naming) -> Payout:
    payout_id, currency = row.identity("id"), row.currency("currency")
    rows = wire.each("/v1/balance_transactions", {"payout": payout_id, "expand": _EXPAND})
    facts = [
        fact
        for each in rows
        if each.text("reporting_category") not in _OF_THE_PAYOUT
        for fact in facts_of(each, naming, payout_id)
    ]
    paid_ms, paid = told_int(row, "arrival_date") * 1000, told_int(row, "amount")
    return Payout(payout_id, currency, paid_ms, from_stripe(paid, currency), tuple(facts))


def facts_of(row: Node, naming: Naming, payout_id: str = "") -> list[LedgerFact]:
    """The gross amount under the transaction's id and each fee under id/fee/n; they add up to its net, if need be by
    an adjustment of id/rest."""
    txn, currency = row.identity("id"), row.currency("currency")
    category = row.text("reporting_category") or row.text("type")
    amount = told_int(row, "amount")
    fees = [-told_int(each, "amount") for each in row.each("fee_details")]
    names = [each.text("type") for each in row.each("fee_details")]
    rest = told_int(row, "net") - amount - sum(fees)
    parts = [(txn, _KINDS.get(category, "other"), amount, category)]
    parts += [(f"{txn}/fee/{n}", "fee", fee, names[n - 1]) for n, fee in enumerate(fees, 1)]
    parts += [(f"{txn}/rest", "adjustment", rest, category)] if rest else []
    status = "paid" if payout_id else "released" if row.text("status") == "available" else "open"
    at_ms, order_id = told_int(row, "created") * 1000, _order_id(row.at("source"), naming)
    facts = [
        LedgerFact(fact_id, kind, from_stripe(part, currency), currency, at_ms, order_id, payout_id, status, what[:120])
        for fact_id, kind, part, what in parts
    ]
    return _as_sold(row, facts)


def _as_sold(row: Node, facts: list[LedgerFact]) -> list[LedgerFact]:
    """With what they are in the source's currency, where Stripe has converted it and says at which rate."""
    source, gross, rate = row.at("source"), facts[0], rate_of(row.at("exchange_rate").value)
    if not rate or not gross.amount_minor or not isinstance(source.value, dict) or not source.has("currency"):
        return facts
    currency = source.currency("currency")
    if currency == gross.currency:
        return facts
    amounts = [from_stripe(stripe_int(source, name), currency) for name in ("amount", "amount_captured")]
    sold_minor = confirmed(rate, amounts, currency, gross.amount_minor, gross.currency)
    sold_minor = sold_minor if gross.amount_minor > 0 else -sold_minor
    return [
        converted(each, gross.amount_minor, sold_minor, currency, str(rate)) for each in facts if sold_minor
    ] or facts


def _order_id(source: Node, naming: Naming) -> str:
    """From the source itself (a charge has its payment's metadata), else from the charge that it is about."""
    if not isinstance(source.value, dict):
        return ""
    own = naming.order_of(source.at("metadata"))
    charge = source.at("charge")
    return own or (naming.order_of(charge.at("metadata")) if isinstance(charge.value, dict) else "")
