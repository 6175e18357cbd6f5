"""eBay's transactions as amounts for and against the seller. Source: sell_finances_v1_oas3.json; live rows.

Amounts are positive, their sign is the booking entry's. A row's amount is net of its fees: sale, refund and dispute are
shown gross here, each kind of fee beside them, and the facts of one row add up to its signed amount. An advertising fee
comes as a row of its own that names its order among its references only. A transaction's id is unique within its type.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.channels.ebay.pricing import EbayAmounts
from chalicelib.channels.facts import Payout
from chalicelib.channels.fields import Node
from chalicelib.domain.settlement import LedgerFact

_KINDS = {
    "SALE": "sale",
    "REFUND": "refund",
    "DISPUTE": "dispute",
    "SHIPPING_LABEL": "shipping_label",
    "NON_SALE_CHARGE": "fee",
    "TRANSFER": "transfer",
    "WITHDRAWAL": "transfer",
    "ADJUSTMENT": "adjustment",
    "CREDIT": "adjustment",
}
_STATUSES = {"FUNDS_ON_HOLD": "held", "FUNDS_AVAILABLE_FOR_PAYOUT": "released", "PAYOUT": "paid"}
_MOSTLY_DEBITS = ("REFUND", "DISPUTE", "SHIPPING_LABEL", "TRANSFER", "NON_SALE_CHARGE")  # BookingEntryEnum
_NEVER_MOVED = "FAILED"  # only transfers fail
_TAXES = ("ebayCollectedTaxAmount", "eBayCollectedTaxAmount")  # on the wire, in the document
_WORDS = 120


def facts_of(row: Node) -> tuple[LedgerFact, ...]:
    """The amounts of one transaction; one that failed moved 0, and may have been told of before it did. Raises
    `Unreadable` naming the field."""
    kind = row.identity("transactionType")
    key = f"{kind}/{row.identity('transactionId')}"
    amounts = EbayAmounts(row.at("amount").currency("currency"))
    entry = row.text("bookingEntry") or ("DEBIT" if kind in _MOSTLY_DEBITS else "CREDIT")
    sign = -1 if entry == "DEBIT" else 1
    if row.text("transactionStatus") == _NEVER_MOVED:
        sign = 0
    signed_minor = sign * amounts.minor(row.at("amount"))
    fees = dict(_fees(row, amounts, sign))
    gross_minor = signed_minor - sum(fees.values())
    tax_minor = sign * _tax_inside(row, amounts, abs(gross_minor))
    parts = [(key, _KINDS.get(kind, "other"), gross_minor - tax_minor, _what(row))]
    parts += [(f"{key}/{name}", "fee", minor, name) for name, minor in fees.items() if minor]
    if tax_minor:
        parts.append((f"{key}/tax", "tax", tax_minor, "tax that eBay collected"))
    return tuple(
        LedgerFact(
            fact_id=fact_id,
            kind=fact_kind,
            amount_minor=minor,
            currency=amounts.currency,
            at_ms=row.time_ms("transactionDate"),
            external_id=row.text("orderId") or _referenced(row, "ORDER_ID"),
            payout_id=row.text("payoutId"),
            status=_STATUSES.get(row.text("transactionStatus"), "open"),
            what=what[:_WORDS],
        )
        for fact_id, fact_kind, minor, what in parts
    )


def payout_of(row: Node, transactions: list[LedgerFact]) -> Payout:
    """One payout with what is in it. What an express payout costs is taken from it and is no transaction."""
    payout_id, currency = row.identity("payoutId"), row.at("amount").currency("currency")
    paid_ms = row.time_ms("payoutDate")
    fee_minor = EbayAmounts(currency).minor(row.at("totalFee"))
    facts = list(transactions)
    if fee_minor:
        facts.append(
            LedgerFact(
                fact_id=f"PAYOUT/{payout_id}/fee",
                kind="fee",
                amount_minor=-fee_minor,
                currency=currency,
                at_ms=paid_ms,
                payout_id=payout_id,
                status="paid",
                what="EXPRESS_PAYOUT_FEE",
            )
        )
    amount_minor = row.at("amount").minor("value", currency)
    return Payout(payout_id, currency, paid_ms, amount_minor, tuple(facts))


def _fees(row: Node, amounts: EbayAmounts, sign: int) -> Iterator[tuple[str, int]]:
    """Fee type -> signed minor units. They are taken from a sale, and come back with a refund. The total counts: what
    the lines do not explain of it is a fee without a name."""
    listed: dict[str, int] = {}
    for line in row.each("orderLineItems"):
        for fee in (*line.each("marketplaceFees"), *line.each("donations")):
            name = fee.text("feeType").upper() or "FEE"  # eBay's words: none is one of ours
            listed[name] = listed.get(name, 0) + amounts.minor(fee.at("amount"))
    total_minor = amounts.minor(row.at("totalFeeAmount")) if row.has("totalFeeAmount") else sum(listed.values())
    if unexplained := total_minor - sum(listed.values()):
        listed["OTHER_FEES"] = listed.get("OTHER_FEES", 0) + unexplained
    return ((name, -sign * minor) for name, minor in listed.items())


def _tax_inside(row: Node, amounts: EbayAmounts, gross_minor: int) -> int:
    """Tax that eBay collected is stated beside the amounts, and counts only where the gross amount is more than the
    stated basis by just this tax."""
    tax_minor = next((amounts.minor(row.at(name)) for name in _TAXES if row.has(name)), 0)
    inside = row.has("totalFeeBasisAmount") and gross_minor - amounts.minor(row.at("totalFeeBasisAmount")) == tax_minor
    return tax_minor if inside else 0


def _referenced(row: Node, wanted: str) -> str:
    ids = (each.text("referenceId") for each in row.each("references") if each.text("referenceType") == wanted)
    return next(ids, "")


def _what(row: Node) -> str:
    words = (row.text("transactionType"), row.text("feeType"), row.text("transactionMemo"))
    return " ".join(word for word in words if word)
