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
from chalicelib.store.ledger import book
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

_ROUNDS_FOR_THE_ORDER = 8  # more than an hour, growing pauses included
_WRONG_PAYOUT = "a payout line of another channel names this order"
_OTHER_CURRENCY = (
    "payout {} is in {}, the order in {}, and the channel does not tell what was converted: see there what it has paid"
)


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Book each payout; the ids of the messages that must come again."""
    return each("settlement", settle, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("settlement"), batch_size=10, name="settlement")
@from_sqs(work)
def settlement(event: Any) -> None:
    """Lambda."""


def settle(message: Message, runtime: Runtime) -> None:
    """Book the lines in the ledger, then have the order say what the ledger says of it; lines without such an order are
    booked as unmatched. Both writes are of what is to be there, so either may be repeated."""
    payout = message["payout"]
    shared = {name: payout[name] for name in ("channel", "payout_id", "order_id", "currency", "paid_ms")}
    lines = [PayoutLine(**shared, **line) for line in payout["lines"]]
    order = read_order(runtime.tables, payout["order_id"], content=True)
    if order is None and int(message.get("rounds", 0)) < _ROUNDS_FOR_THE_ORDER:
        raise Busy("the payout line came before its order", after_s=60)
    wrong = _mismatch(lines[0], order) if order else ""
    booked = book(runtime.tables, lines, matched=order is not None and not wrong)
    after = None
    if order and not wrong:
        after = decide_settlement(order, booked, runtime.clock())
    elif order:
        after = decide_hold(order, "payout_mismatch", wrong, "settlement", runtime.clock())
    if order and after:
        runtime.tables.write(*order_writes(order, after))
    if not order or wrong:
        log("payout_unmatched", channel=payout["channel"], payout=payout["payout_id"], order=payout["order_id"])


def _mismatch(line: PayoutLine, order: Order) -> str:
    """Why the line cannot account for the order's money; "" when it does."""
    if order.content is None or line.channel not in (order.channel, order.state.payment.captor):
        return _WRONG_PAYOUT
    if line.currency != order.content.currency:
        return _OTHER_CURRENCY.format(line.payout_id, line.currency, order.content.currency)
    return ""
