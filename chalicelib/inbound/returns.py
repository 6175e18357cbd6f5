"""Returns that buyers ask for at the channel: each becomes a return of its order, as far as the channel can tell.

That goods have come is for the warehouse to say: a channel's "received" only means that the return was agreed to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.channels.facts import ChannelReturn
from chalicelib.channels.port import ChannelClient
from chalicelib.domain.commands import COMMANDS, items_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.orders import Order
from chalicelib.inbound.money import DAY_MS, read_since_ms, together
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import Cursor, move_cursor, read_cursor
from chalicelib.store.orders import read_orders

RETURNS = "RETURNS"  # name of the cursor
_OVERLAP_MS = 3 * DAY_MS
# The channel's step -> the step it is here, and the steps that it takes for granted.
_STEPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "request": ("request", ()),
    "approve": ("approve", ("request",)),
    "decline": ("decline", ("request",)),
    "receive": ("approve", ("request",)),
}


def read_returns(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Hand on what has changed about the returns of one account; how many were read and how many were news."""
    cursor = read_cursor(runtime.tables, channel, RETURNS)
    shown: dict[str, int] = {}
    waiting: set[str] = set()
    sent = 0
    for some in together(client.returns(read_since_ms(channel, cursor, _OVERLAP_MS, runtime))):
        fresh = [each for each in some if not each.changed_ms or cursor.seen.get(_name(each)) != each.changed_ms]
        shown |= {_name(each): each.changed_ms for each in some}
        orders = read_orders(runtime.tables, [f"{channel}:{each.external_id}" for each in fresh], content=True)
        waiting |= {_name(each) for each in fresh if f"{channel}:{each.external_id}" not in orders}
        messages = _messages(fresh, orders, channel, runtime)
        if messages:
            runtime.queues.send("shipping", messages)
        sent += len(messages)
    newest_ms = max([cursor.read_to_ms, *(min(changed_ms, runtime.clock()) for changed_ms in shown.values())])
    # A channel may show returns of two months at every look: all that this one has shown are known the next time, but
    # for those whose order may yet come.
    seen = {name: ms for name, ms in shown.items() if name not in waiting or ms < newest_ms - _OVERLAP_MS}
    if (newest_ms, seen) != (cursor.read_to_ms, cursor.seen):
        move_cursor(runtime.tables, channel, Cursor(newest_ms, seen), RETURNS)
    return {"returns": len(shown), "sent": sent}


def _name(back: ChannelReturn) -> str:
    return f"{back.return_id}/{back.step}"


def _messages(
    returns: Sequence[ChannelReturn], orders: Mapping[str, Order], channel: str, runtime: Runtime
) -> list[Message]:
    messages: list[Message] = []
    for back in returns:
        order = orders.get(f"{channel}:{back.external_id}")
        fact = _fact(back, order) if order else None
        if order is None or fact is None:
            _skip(back, channel, "unknown order" if order is None else "no line or step that is known")
        elif _has_come(order, fact):
            _skip(back, channel, "the goods have come, under another id")
        elif _is_news(order, fact, channel, runtime.clock()):
            messages.append({"order": order.order_id, "do": "return", "fact": fact, "actor": channel})
    return messages


def _skip(back: ChannelReturn, channel: str, why: str) -> None:
    log("return_skipped", channel=channel, order=back.external_id, return_id=back.return_id, why=why)


def _has_come(order: Order, fact: Mapping[str, Any]) -> bool:
    """Whether all that has left of these lines is back, and not as this return: a warehouse names returns itself."""
    if fact["return_id"] in order.state.returns:
        return False
    quantities = [order.state.quantities[index] for index in items_of(order, fact["lines"])]
    return all(0 < units.shipped == units.returned for units in quantities)


def _fact(back: ChannelReturn, order: Order) -> dict[str, Any] | None:
    """The command's fact; None when nothing of it is known here."""
    known = {line.line_id for line in order.lines}
    lines = [{"line_id": line_id, "units": units} for line_id, units in back.items if line_id in known and units > 0]
    if not lines or back.step not in _STEPS:
        return None
    step, through = _STEPS[back.step]
    return_id = back.return_id.replace("/", "-").replace("#", "-")  # a slash counts the parts of a large return
    fact = {"return_id": return_id, "step": step, "through": through, "lines": lines, "reason": back.reason[:120]}
    return {**fact, "exchange": order.order_id} if back.exchanged and step != "decline" else fact


def _is_news(order: Order, fact: Mapping[str, Any], channel: str, now_ms: int) -> bool:
    """What cannot be done is sent all the same: the order then shows why."""
    try:
        return COMMANDS["return"].decide(order, fact, channel, now_ms) is not None
    except Refused:
        return True
