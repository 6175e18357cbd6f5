"""The sweep: no order can be forgotten. Every minute it looks at the orders whose deadline has passed.

An overdue order gets a line of timeline and a later deadline; that committed change makes the relay look at it again.
What waits for the outside is sent back to its stage: the catalogue may know the SKU by now, or stock may be there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.domain.advance import decide_overdue
from chalicelib.domain.errors import Stale
from chalicelib.domain.lifecycle import ALLOWANCE_MS
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels
from chalicelib.store.orders import due_order_ids, order_writes, read_order

blueprint = Blueprint(__name__)

_ORDERS_EACH = 100  # overdue orders looked at in one sweep, for each channel and stage


@blueprint.schedule(Rate(1, unit=Rate.MINUTES), name="sweep")
@on_schedule(lambda runtime: sweep_due(runtime))
def sweep(event: Any) -> None:
    """Lambda."""


def sweep_due(runtime: Runtime) -> None:
    """Act on every overdue order, longest overdue first."""
    now_ms = runtime.clock()
    for channel in channels(runtime.tables):
        for stage in ALLOWANCE_MS:
            order_ids = due_order_ids(runtime.tables, stage, channel, now_ms, _ORDERS_EACH)
            held = [order_id for order_id in order_ids if _nudge(order_id, runtime)]
            if order_ids:
                log("overdue", channel=channel, stage=stage, orders=len(order_ids))
            if held:
                runtime.queues.send("entry", [{"order": order_id} for order_id in held])
            if stage == "allocation" and order_ids:
                runtime.queues.send("allocation", [{"order": order_id} for order_id in order_ids])


def _nudge(order_id: str, runtime: Runtime) -> bool:
    """Put the deadline off; whether the order is on hold."""
    before = read_order(runtime.tables, order_id)
    after = decide_overdue(before, runtime.clock()) if before else None
    if after:
        with suppress(Stale):  # then it has just moved by itself
            runtime.tables.write(*order_writes(before, after))
    return bool(before and before.state.holds)
