"""Settlement: each payout line is booked once, beside the order whose money it accounts for.

Messages: {payout_line: {channel, payout_id, line_id, order_id, kind, amount_minor, currency, paid_ms}}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.domain.advance import PayoutLine, decide_settlement
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.ledger import is_booked, payout_line_write
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)


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
    before = read_order(runtime.tables, line.order_id)
    booking = payout_line_write(line, matched=before is not None)
    if before is None:
        runtime.tables.write(booking)
        log("payout_line_unmatched", channel=line.channel, payout=line.payout_id, line=line.line_id)
        return
    after = decide_settlement(before, line, runtime.clock())
    runtime.tables.write(*order_writes(before, after), booking)
