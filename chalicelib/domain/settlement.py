"""Payouts: each amount accounts for money of an order, or is what the channel kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Order

GROSS = ("sale", "refund", "dispute")  # kinds that account for what the buyer paid; every other is a fee


@dataclass(frozen=True)
class PayoutLine:
    """One amount of one kind in a payout: `sale`, `refund` and `dispute` are gross, `fee` is what the channel kept.

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


def decide_settlement(order: Order, lines: Sequence[PayoutLine], now_ms: int) -> Order | None:
    """The order after all that one payout says of it; None when that is what it holds."""
    gross = sum(line.amount_minor for line in lines if line.kind in GROSS)
    fees = -sum(line.amount_minor for line in lines if line.kind not in GROSS)
    payout_id = lines[0].payout_id
    if order.state.payouts.get(payout_id) == (gross, fees):
        return None
    after = order.having(payouts={**order.state.payouts, payout_id: (gross, fees)})
    cause = f"{', '.join(sorted({line.kind for line in lines}))} in payout {payout_id}"
    return moved(order, after, "settle", now_ms=now_ms, cause=cause)
