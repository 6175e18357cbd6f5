"""Settlement: each payout line is booked once, beside the order whose money it accounts for.

Messages: {payout: {channel, payout_id, order_id, currency, paid_ms, lines: [{line_id, kind, amount_minor}]}}: the lines
of one payout that are about one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.errors import Busy
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.orders import Order
from chalicelib.domain.settlement import PayoutLine, decide_settlement
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.ledger import Entry, entry_write, read_entry
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

_ROUNDS_FOR_THE_ORDER = 8  # more than an hour, growing pauses included
_WRONG_PAYOUT = "a payout line of another channel or currency names this order"


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Book each payout; the ids of the messages that must come again."""
    return each("settlement", settle, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("settlement"), batch_size=10, name="settlement")
@from_sqs(work)
def settlement(event: Any) -> None:
    """Lambda."""


def settle(message: Message, runtime: Runtime) -> None:
    """Book the lines that are not booked yet with their order, or alone as unmatched when there is no such order."""
    payout = message["payout"]
    shared = {name: payout[name] for name in ("channel", "payout_id", "order_id", "currency", "paid_ms")}
    lines = [PayoutLine(**shared, **line) for line in payout["lines"]]
    known = read_entry(runtime.tables, lines[0])
    fresh = [line for line in lines if line.line_id not in known.lines]
    if not fresh:
        return
    before = read_order(runtime.tables, lines[0].order_id, content=True)
    if before is None and int(message.get("rounds", 0)) < _ROUNDS_FOR_THE_ORDER:
        raise Busy("the payout line came before its order", after_s=60)
    _book(before, fresh, known, runtime)


def _book(before: Order | None, lines: Sequence[PayoutLine], known: Entry, runtime: Runtime) -> None:
    now_ms = runtime.clock()
    if before is not None and _fits(lines[0], before):
        after = decide_settlement(before, lines, now_ms)
        runtime.tables.write(*order_writes(before, after), entry_write(known, lines, matched=True))
        return
    held = decide_hold(before, "payout_mismatch", _WRONG_PAYOUT, "settlement", now_ms) if before else None
    booking = entry_write(known, lines, matched=False)
    runtime.tables.write(booking, *(order_writes(before, held) if held else ()))
    log("payout_unmatched", channel=lines[0].channel, payout=lines[0].payout_id, order=lines[0].order_id)


def _fits(line: PayoutLine, order: Order) -> bool:
    return order.content is not None and line.channel == order.channel and line.currency == order.content.currency
