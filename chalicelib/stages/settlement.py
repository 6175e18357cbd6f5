"""Settlement: each payout line is booked once, beside the order whose money it accounts for.

Messages: {payout_line: {channel, payout_id, line_id, order_id, kind, amount_minor, currency, paid_ms}}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.advance import PayoutLine, decide_hold, decide_settlement
from chalicelib.domain.errors import Busy
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.ledger import is_booked, payout_line_write
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

_ROUNDS_FOR_THE_ORDER = 8  # more than an hour, growing pauses included
_WRONG_PAYOUT = "a payout line of another channel or currency names this order"


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Book each payout line; the ids of the messages that must come again."""
    return each("settlement", settle, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("settlement"), batch_size=10, name="settlement")
@from_sqs(work)
def settlement(event: Any) -> None:
    """Lambda."""


def settle(message: Message, runtime: Runtime) -> None:
    """Book one payout line with its order, or alone as unmatched when there is no such order."""
    line = PayoutLine(**message["payout_line"])
    if is_booked(runtime.tables, line):
        return
    before = read_order(runtime.tables, line.order_id, content=True)
    if before is None and int(message.get("rounds", 0)) < _ROUNDS_FOR_THE_ORDER:
        raise Busy("the payout line came before its order", after_s=60)
    fits = before is not None and before.content is not None and _fits(line, before.channel, before.content.currency)
    booking = payout_line_write(line, matched=fits)
    if before is None or not fits:
        held = decide_hold(before, "payout_mismatch", _WRONG_PAYOUT, "settlement", runtime.clock()) if before else None
        runtime.tables.write(booking, *(order_writes(before, held) if held else ()))
        log("payout_line_unmatched", channel=line.channel, payout=line.payout_id, line=line.line_id)
        return
    after = decide_settlement(before, line, runtime.clock())
    runtime.tables.write(*order_writes(before, after), booking)


def _fits(line: PayoutLine, channel: str, currency: str) -> bool:
    return line.channel == channel and line.currency == currency
