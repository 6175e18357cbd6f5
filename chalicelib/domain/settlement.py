"""Payouts: each amount accounts for money of an order, or is what the channel kept.

Tax that a marketplace collects and passes on itself is no fee, and is the buyer's payment only where the order says so.
Two rules make the order's outstanding money come out right, whichever way a channel books that tax:

1. Gross is what the buyer paid, got back or challenges, tax included, and `tax` is only what the channel keeps back to
   pass it on (less than 0 for a sale, more for a refund). Some statements book the tax that the buyer paid beside the
   sale instead of in it; `payout_lines` makes that a part of the sale or the refund.
2. What accounts for the order is the gross amount, less the tax that the order's total does not hold. Amazon's total
   holds it (the order names it on its lines): a sale of 120 with 20 of tax passed on accounts for all 120. eBay's does
   not: of 110 with 10 passed on, 100 is what the order is about. Nothing of it counts as a fee either way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Order

STATED = "stated"  # status of a fact that says again, under another id, what was booked when it happened
MONEY_KINDS = (
    "sale",
    "refund",
    "dispute",
    "fee",
    "tax",
    "shipping_label",
    "reserve",
    "transfer",
    "adjustment",
    "other",
)
GROSS = ("sale", "refund", "dispute")  # kinds that account for what the buyer paid
TAX = "tax"  # what the channel passes on; every other kind is a fee
_NOT_OF_AN_ORDER = ("reserve", "transfer")  # money kept for a while, or moved: neither earned nor lost


@dataclass(frozen=True)
class PayoutLine:
    """One amount of one kind in a payout: `sale`, `refund` and `dispute` are gross, `tax` is what the channel passes
    on, `fee` is what it kept.

    Key: (payout_id, line_id). `amount_minor` is signed from the seller's side: sale +, refund -, dispute -, fee -.
    """

    channel: str
    payout_id: str
    line_id: str
    order_id: str
    kind: str
    amount_minor: int
    currency: str
    paid_ms: int


@dataclass(frozen=True)
class LedgerFact:
    """One amount that the channel has booked for or against the seller.

    fact_id      natural key within the account: the same amount always has the same one, and it is counted once
    kind         one of `MONEY_KINDS`; sale, refund and dispute are gross (what the buyer paid, got back, challenges),
                 tax is what the channel collected and passes on itself
    amount_minor signed from the seller's side, in minor units of `currency` (ISO 4217)
    at_ms        when the channel booked it (Unix ms); what is booked together has one time
    external_id  the channel's id of the order it is about; "" for none
    payout_id    the payout that carries it; "" while there is none
    status       open | held | released | paid, a word of ours for where the money is; stated: said again by a payout
    what         the channel's own words for it, at most 120 characters
    sold_minor, sold_currency  the same amount in the currency that the order is paid in, signed likewise, where that is
                 not `currency`: of gross amounts what the source says, of what the channel kept the same part of it
    rate         at which it was converted, as the channel says it; "" where nothing was
    """

    fact_id: str
    kind: str
    amount_minor: int
    currency: str
    at_ms: int
    external_id: str = ""
    payout_id: str = ""
    status: str = "open"
    what: str = ""
    sold_minor: int = 0
    sold_currency: str = ""
    rate: str = ""


@dataclass(frozen=True)
class Refunds:
    """What a channel has given back of one order in all, tax included, and the tax in it that it had passed on."""

    total_minor: int
    tax_minor: int


def converted(fact: LedgerFact, gross_minor: int, sold_minor: int, sold_currency: str, rate: str) -> LedgerFact:
    """The fact beside what it is in the order's currency. It is booked with, or is, `gross_minor` in its own currency,
    which is `sold_minor` in `sold_currency`; its part of that rounds half-even."""
    whole, rest = divmod(fact.amount_minor * sold_minor, gross_minor)
    half = 2 * abs(rest) - abs(gross_minor)
    rounded = whole + (half > 0 or (half == 0 and whole % 2 == 1))
    return replace(fact, sold_minor=rounded, sold_currency=sold_currency, rate=rate)


def as_sold(fact: LedgerFact) -> LedgerFact:
    """The fact in the currency that its order is paid in."""
    if not fact.sold_currency:
        return fact
    return replace(fact, amount_minor=fact.sold_minor, currency=fact.sold_currency)


def decide_settlement(order: Order, lines: Sequence[PayoutLine], now_ms: int) -> Order | None:
    """The order after all that one payout says of it; None when that is what it holds. The order has its content."""
    gross = sum(line.amount_minor for line in lines if line.kind in GROSS)
    passed_on = -sum(line.amount_minor for line in lines if line.kind == TAX)
    fees = -sum(line.amount_minor for line in lines if line.kind not in (*GROSS, TAX))
    gross -= tax_beside(order, passed_on)
    payout_id = lines[0].payout_id
    if order.state.payouts.get(payout_id) == (gross, fees):
        return None
    after = order.having(payouts={**order.state.payouts, payout_id: (gross, fees)})
    cause = f"{', '.join(sorted({line.kind for line in lines}))} in payout {payout_id}"
    return moved(order, after, "settle", now_ms=now_ms, cause=cause)


def tax_beside(order: Order, tax_minor: int) -> int:
    """Of tax that the channel passes on (or, less than 0, takes back), what the order's total does not hold."""
    if not tax_minor or not order.content:
        return 0
    charged = sum(charge.amount_minor for charge in order.content.charges if charge.kind == TAX)
    held = max(sum(line.tax_minor for line in order.content.lines) + charged, 0)
    return max(tax_minor - held, 0) if tax_minor > 0 else min(tax_minor + held, 0)


def payout_lines(facts: Iterable[LedgerFact]) -> list[dict[str, str | int]]:
    """The facts of one order as the lines of a settlement message: {line_id, kind, amount_minor}. Kinds without a
    meaning of their own for an order are what the channel kept."""
    return [
        {"line_id": fact.fact_id, "kind": fact.kind if fact.kind in (*GROSS, TAX) else "fee", "amount_minor": amount}
        for fact in _with_tax_paid(facts)
        if fact.kind not in _NOT_OF_AN_ORDER and (amount := fact.amount_minor)
    ]


def told_ways(facts: Iterable[LedgerFact]) -> tuple[list[LedgerFact], list[LedgerFact]]:
    """The facts as they were booked one by one, and those that a statement has told once more under other ids. The two
    are never to be added."""
    booked: list[LedgerFact] = []
    stated: list[LedgerFact] = []
    for fact in facts:
        (stated if fact.status == STATED else booked).append(fact)
    return booked, stated


def refunds_in(facts: Iterable[LedgerFact]) -> Refunds:
    """What the facts of one order say has been given back to the buyer, in the way of telling that tells of more."""
    return max((_refunds_in(told) for told in told_ways(facts)), key=lambda found: found.total_minor)


def _refunds_in(facts: Iterable[LedgerFact]) -> Refunds:
    booked = _with_tax_paid(facts)
    back = [fact for fact in booked if fact.kind == "refund" and fact.amount_minor < 0]
    at = {(fact.at_ms, fact.payout_id) for fact in back}
    tax = sum(f.amount_minor for f in booked if f.kind == TAX and f.amount_minor > 0 and (f.at_ms, f.payout_id) in at)
    return Refunds(-sum(fact.amount_minor for fact in back), tax)


def _with_tax_paid(facts: Iterable[LedgerFact]) -> list[LedgerFact]:
    """Tax that goes the way of the sale or refund it was booked with is what the buyer paid or got back; what goes the
    other way is what the channel passes on. What is booked together has one time."""
    together: dict[int, list[LedgerFact]] = defaultdict(list)
    for fact in facts:
        together[fact.at_ms].append(fact)
    return [_as_paid(fact, group) for group in together.values() for fact in group]


def _as_paid(fact: LedgerFact, group: Sequence[LedgerFact]) -> LedgerFact:
    gross = sum(each.amount_minor for each in group if each.kind in GROSS)
    if fact.kind != TAX or gross * fact.amount_minor <= 0:
        return fact
    return replace(fact, kind="sale" if gross > 0 else "refund")
