"""A settlement report: one payment to the seller's bank, and every amount in it.

Source: the 23 columns of GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2 in the SP-API documentation. It says nothing of the
values, of a 24th column that files bear, nor that stores of the EU write a comma in amounts and the day first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from chalicelib.channels.amazon.dates import time_ms
from chalicelib.channels.amazon.documents import decoded, rows_of
from chalicelib.channels.amazon.money_kinds import kind_of
from chalicelib.channels.facts import Payout
from chalicelib.domain.errors import Refused, Unreadable
from chalicelib.domain.money import currency_code, exponent, to_minor, to_text
from chalicelib.domain.settlement import LedgerFact

SETTLEMENTS = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
_SUMMARY = ("settlement-start-date", "settlement-end-date", "deposit-date", "total-amount")
_NOT_IDENTITY = ("promotion-id", *_SUMMARY)


def read_settlement(report: bytes | str) -> Payout:
    """The payout of a file that tells of one: see `read_settlements`."""
    payouts = read_settlements(report)
    if len(payouts) > 1:
        raise Unreadable("several_settlements", f"the file holds {len(payouts)} settlements")
    return payouts[0]


def read_settlements(report: bytes | str) -> list[Payout]:
    """Each payout with a fact for each of its rows; a row without a settlement-id belongs to the one above it.

    A fact's id is the settlement's and a digest of what its row says, counted on where rows are alike, so that it is
    the same whenever and in whatever order the file is read. Raises `Unreadable` naming the column, and `Refused`
    settlement_unbalanced when the rows do not add up to the total.
    """
    groups: dict[str, list[Mapping[str, str]]] = {}
    settlement_id = ""
    for row in rows_of(report if isinstance(report, str) else decoded(report)):
        settlement_id = row.get("settlement-id", "") or settlement_id
        groups.setdefault(settlement_id, []).append(row)
    if not groups:
        raise Unreadable("empty_settlement", "the file holds no row")
    return [_payout(settlement_id, rows) for settlement_id, rows in groups.items()]


def _payout(settlement_id: str, rows: Sequence[Mapping[str, str]]) -> Payout:
    head = next((row for row in rows if row.get("total-amount")), None)
    if head is None or "amount" not in head:
        raise Unreadable("missing_field", "total-amount must stand in a row, and there must be a column amount")
    if not settlement_id:
        raise Unreadable("missing_field", "settlement-id must be told")
    currency = currency_code(head.get("currency", ""), "currency")
    paid_ms = time_ms(head.get("deposit-date", "")) or time_ms(head.get("settlement-end-date", ""))
    seen: Counter[str] = Counter()
    facts = []
    for row in rows:
        if row.get("amount"):
            identity = _identity(row)
            seen[identity] += 1
            facts.append(_fact(row, f"{settlement_id}/{identity}.{seen[identity]}", settlement_id, currency, paid_ms))
    total_minor = _minor(head["total-amount"], currency)
    payout = Payout(settlement_id, currency, paid_ms, total_minor, tuple(facts), restates=True)
    found_minor = sum(fact.amount_minor for fact in facts)
    if found_minor != payout.amount_minor:
        told = (
            f"rows add up to {to_text(found_minor, currency)}, total-amount is {to_text(payout.amount_minor, currency)}"
        )
        raise Refused("settlement_unbalanced", f"{settlement_id[:40]}: {told} {currency}")
    return payout


def _fact(row: Mapping[str, str], fact_id: str, settlement_id: str, currency: str, paid_ms: int) -> LedgerFact:
    words = [row.get(name, "") for name in ("transaction-type", "amount-type", "amount-description")]
    at_ms = time_ms(row.get("posted-date-time", "")) or time_ms(row.get("posted-date", "")) or paid_ms
    return LedgerFact(
        fact_id=fact_id,
        kind=settled_kind(*words),
        amount_minor=_minor(row["amount"], row.get("currency") or currency),
        currency=currency_code(row.get("currency") or currency, "currency"),
        at_ms=at_ms,
        external_id=row.get("order-id", "")[:200],
        payout_id=settlement_id,
        status="paid",
        what=" / ".join(word for word in words if word)[:120],
    )


def settled_kind(transaction: str, amount_type: str, description: str) -> str:
    """One of `MONEY_KINDS`, by the three columns that say what an amount is."""
    folded = amount_type.lower()
    kind = kind_of(transaction, amount_type, description)
    if folded in ("itemfees", "shipment-fees") and kind in ("sale", "refund", "dispute", "adjustment", "other"):
        return "fee"
    if folded in ("itemprice", "promotion") and kind in ("fee", "other"):  # a restocking fee is kept from a refund
        return kind_of(transaction, "principal")
    return kind


def _identity(row: Mapping[str, str]) -> str:
    cells = [f"{name}={text}" for name, text in sorted(row.items()) if text and name not in _NOT_IDENTITY]
    return hashlib.sha256("\t".join(cells).encode()).hexdigest()[:24]


def _minor(text: str, currency: str) -> int:
    """An amount with a point or a comma before its decimals, and perhaps the other between its thousands; below zero
    with a minus before or after it, or in brackets."""
    plain = "".join(text.split()).strip("\"'").replace("\u2212", "-")
    is_negative = plain.endswith("-") or (plain.startswith("(") and plain.endswith(")"))
    plain = plain.rstrip("-").strip("()")
    comma, point = plain.rfind(","), plain.rfind(".")
    sign = "," if comma > point else "."
    if _parts_thousands(plain, sign, currency):
        plain = plain.replace(sign, "")
    else:
        plain = plain.replace("." if sign == "," else ",", "").replace(sign, ".")
    return to_minor(f"-{plain}" if is_negative else plain, currency, "amount")


def _parts_thousands(plain: str, sign: str, currency: str) -> bool:
    """Whether the last sign of an amount stands between thousands and not before decimals."""
    if plain.count(sign) > 1:
        return True
    if ("," in plain and "." in plain) or sign not in plain:
        return False
    whole, _, rest = plain.rpartition(sign)
    could_be = len(rest) == 3 and 1 <= len(whole.lstrip("+-")) <= 3 and not whole.lstrip("+-").startswith("0")
    places = exponent(currency)
    return could_be and (places == 0 or (places != 3 and sign == ","))
