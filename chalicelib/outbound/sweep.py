"""The sweep: no order can be forgotten. Every minute it looks at the orders whose deadline has passed.

An overdue order gets a line of timeline and a later deadline; that committed change makes the relay look at it again.
What a clock of its own brings about is sent to the stage that does it: reservations and authorisations that end,
pre-orders that are released, stock that may be there, a catalogue that may know the SKU by now. Once an hour it also
puts away closed orders that nobody can come back on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.domain.authorisation import authorisation_ends_ms
from chalicelib.domain.cancellation import decide_archive
from chalicelib.domain.errors import Stale
from chalicelib.domain.holds import decide_overdue
from chalicelib.domain.lifecycle import ALLOWANCE_MS, ARCHIVE_AFTER_MS, CLOSED, stage
from chalicelib.domain.orders import Order
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels
from chalicelib.store.orders import due_order_ids, oldest_order_ids, order_writes, read_order, read_orders

blueprint = Blueprint(__name__)

_ORDERS_EACH = 100  # orders looked at in one sweep, for each channel and stage
_MINUTE_MS = 60_000
_ARCHIVE_EACH_MINUTES = 60


@blueprint.schedule(Rate(1, unit=Rate.MINUTES), name="sweep")
@on_schedule(lambda runtime: sweep_due(runtime))
def sweep(event: Any) -> None:
    """Lambda."""


def sweep_due(runtime: Runtime) -> None:
    """Act on every overdue order, longest overdue first."""
    now_ms = runtime.clock()
    for channel in channels(runtime.tables):
        for where in ALLOWANCE_MS:
            order_ids = due_order_ids(runtime.tables, where, channel, now_ms, _ORDERS_EACH)
            for order_id in order_ids:
                _nudge(order_id, runtime)
            if order_ids:
                log("overdue", channel=channel, stage=where, orders=len(order_ids))
        if now_ms // _MINUTE_MS % _ARCHIVE_EACH_MINUTES == 0:
            archive_old(channel, runtime)


def _nudge(order_id: str, runtime: Runtime) -> None:
    """Send the order to who can do something about it, then put the deadline off."""
    before = read_order(runtime.tables, order_id)
    after = decide_overdue(before, runtime.clock()) if before else None
    if not before or not after:
        return
    for queue in _who_can(before, runtime.clock()):
        runtime.queues.send(queue, [{"order": order_id}])
    with suppress(Stale):  # then it has just moved by itself
        runtime.tables.write(*order_writes(before, after))


def _who_can(order: Order, now_ms: int) -> list[str]:
    """The stages that act on a clock which has run out, whatever the order waits for."""
    queues = []
    if order.state.holds:
        queues.append("entry")
    if 0 < authorisation_ends_ms(order.state) <= now_ms:
        queues.append("funding")
    if stage(order) in ("entry", "funding", "allocation"):
        queues.append("allocation")
    return queues


def archive_old(channel: str, runtime: Runtime) -> None:
    """Put away the oldest orders of a channel that are closed for good."""
    now_ms = runtime.clock()
    order_ids = oldest_order_ids(runtime.tables, channel, now_ms - ARCHIVE_AFTER_MS, _ORDERS_EACH)
    for order in read_orders(runtime.tables, order_ids, content=True).values():
        after = decide_archive(order, "sweep", now_ms) if stage(order) in CLOSED else None
        if after:
            with suppress(Stale):
                runtime.tables.write(*order_writes(order, after))
