"""Polls: every channel is read again on a schedule, over a window that overlaps the last one; notifications get lost.

The cursor is the newest time of change that the channel itself has shown us, never our clock.
"""

from __future__ import annotations

from typing import Any

from chalice import Blueprint, Rate

from chalicelib.domain.errors import HeadraceError, Refused
from chalicelib.runtime.bodies import enclose
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import Cursor, channels, move_cursor, read_account, read_cursor

blueprint = Blueprint(__name__)

OVERLAP_MS = 180_000  # what a channel may show late; entry knows what it has seen
_SAME_SECOND_MS = 2_000  # channels stamp whole seconds: a second that is not over may hold another change
_SENT_TOGETHER = 10


@blueprint.schedule(Rate(5, unit=Rate.MINUTES), name="poll_shopify")
@on_schedule(lambda runtime: poll("shopify", runtime))
def poll_shopify(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(15, unit=Rate.MINUTES), name="poll_amazon")
@on_schedule(lambda runtime: poll("amazon", runtime))
def poll_amazon(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(5, unit=Rate.MINUTES), name="poll_ebay")
@on_schedule(lambda runtime: poll("ebay", runtime))
def poll_ebay(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(5, unit=Rate.MINUTES), name="poll_shop")
@on_schedule(lambda runtime: poll("shop", runtime))
def poll_shop(event: Any) -> None:
    """Lambda."""


def poll(kind: str, runtime: Runtime) -> None:
    """Read what has changed on every account of this kind; one that does not answer stops no other."""
    for channel in channels(runtime.tables, kind):
        try:
            log("polled", channel=channel, orders=_poll_channel(channel, runtime))
        except HeadraceError as error:
            reason = error.reason if isinstance(error, Refused) else ""
            log("poll_broken_off", channel=channel, error=type(error).__name__, reason=reason)


def _poll_channel(channel: str, runtime: Runtime) -> int:
    """How many orders were handed on. The cursor moves when all pages have been, so a poll that breaks off is simply
    done again. What the window had shown the last time, in a second that was over by then, is not read again."""
    cursor = read_cursor(runtime.tables, channel)
    first_ms = int(read_account(runtime.tables, channel).get("import_from_ms", 0))
    shown: dict[str, int] = {}

    def is_seen(external_id: str, changed_ms: int) -> bool:
        shown[external_id] = changed_ms
        return cursor.seen.get(external_id) == changed_ms

    since_ms = max(cursor.read_to_ms - OVERLAP_MS, first_ms)
    orders, together = 0, list[Message]()
    for raw, _ in client_for(channel, runtime).changed_orders(since_ms, is_seen):
        orders += 1
        together.append(enclose(runtime.bodies, channel, raw, {}))
        if len(together) == _SENT_TOGETHER:
            runtime.queues.send("entry", together)
            together = []
    if together:
        runtime.queues.send("entry", together)
    newest_ms = max(shown.values(), default=0)
    if newest_ms > cursor.read_to_ms:
        seen = {name: ms for name, ms in shown.items() if newest_ms - OVERLAP_MS <= ms < newest_ms - _SAME_SECOND_MS}
        move_cursor(runtime.tables, channel, Cursor(newest_ms, seen))
    return orders
