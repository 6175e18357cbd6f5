"""Polls: every channel is read again on a schedule, over a window that overlaps the last one; notifications get lost.

The cursor is the newest time of change that the channel itself has shown us, never our clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised
from chalicelib.runtime.bodies import enclose
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message, catching_up
from chalicelib.runtime.wiring import SETTLED_S, Runtime
from chalicelib.store.accounts import (
    Cursor,
    channels,
    move_cursor,
    read_account,
    read_cursor,
    read_pause,
    resume_account,
)

blueprint = Blueprint(__name__)

OVERLAP_MS = 180_000  # what a channel may show late; entry knows what it has seen
_SAME_SECOND_MS = 2_000  # channels stamp whole seconds: a second that is not over may hold another change
_SENT_TOGETHER = 10
_CAUGHT_UP_AFTER_S = SETTLED_S + 30  # and the moment between this message and the end of the pause


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
    """Read what has changed on every account of this kind; one that does not answer stops no other. A paused account is
    tried once: where it answers again, it is resumed."""
    for channel in channels(runtime.tables, kind):
        try:
            log("polled", channel=channel, orders=_poll_channel(channel, runtime))
        except HeadraceError as error:
            reason = error.reason if isinstance(error, Refused) else ""
            log("poll_broken_off", channel=channel, error=type(error).__name__, reason=reason)


@dataclass
class _Window:
    """What one reading of a channel has shown: order id -> time of change; and since when (Unix ms)."""

    since_ms: int
    shown: dict[str, int]
    seen: Mapping[str, int]

    def is_seen(self, external_id: str, changed_ms: int) -> bool:
        """Whether this version has been handed on before."""
        self.shown[external_id] = changed_ms
        return self.seen.get(external_id) == changed_ms


def _poll_channel(channel: str, runtime: Runtime) -> int:
    """How many orders were handed on. The cursor moves when all pages have been; a reading that breaks off goes on
    where its last page ended, if the channel can do that, and begins again if not. What the window had shown the last
    time, in a second that was over by then, is not read again."""
    cursor = read_cursor(runtime.tables, channel)
    first_ms = int(read_account(runtime.tables, channel).get("import_from_ms", 0))
    since_ms = cursor.since_ms if cursor.position else max(cursor.read_to_ms - OVERLAP_MS, first_ms)
    window = _Window(since_ms, dict(cursor.seen) if cursor.position else {}, cursor.seen)
    client = client_for(channel, runtime, probing=True)
    orders, together = 0, list[Message]()
    try:
        for raw, _ in client.changed_orders(since_ms, window.is_seen, cursor.position):
            orders += 1
            together.append(enclose(runtime.bodies, channel, raw, {}))
            if len(together) == _SENT_TOGETHER:
                runtime.queues.send("entry", together)
                together = []
    except Refused as refused:
        if cursor.position and not isinstance(refused, Unauthorised):  # a page that is gone: from the beginning
            move_cursor(runtime.tables, channel, replace(cursor, position="", since_ms=0))
        raise
    except Busy:
        if client.position:
            _send(together, runtime)
            broken_off = Cursor(cursor.read_to_ms, window.shown, client.position, since_ms)
            move_cursor(runtime.tables, channel, broken_off)
        raise
    _send(together, runtime)
    newest_ms = max(window.shown.values(), default=0)
    if newest_ms > cursor.read_to_ms or cursor.position:
        recent = (newest_ms - OVERLAP_MS, newest_ms - _SAME_SECOND_MS)
        seen = {name: ms for name, ms in window.shown.items() if recent[0] <= ms < recent[1]}
        move_cursor(runtime.tables, channel, Cursor(max(newest_ms, cursor.read_to_ms), seen))
    if read_pause(runtime.tables, channel):
        resume(channel, runtime)
    return orders


def _send(messages: list[Message], runtime: Runtime) -> None:
    if messages:
        runtime.queues.send("entry", messages)


def resume(channel: str, runtime: Runtime) -> None:
    """Take up the work of an account that answers again: every SKU and every open order of it is looked at, once no
    container takes it for paused any more and would leave that work undone."""
    runtime.queues.send(SYNC_QUEUES[kind_of(channel)], catching_up(channel), delay_s=_CAUGHT_UP_AFTER_S)
    resume_account(runtime.tables, channel)
    runtime.unsettle(f"pause/{channel}")
    log("channel_resumed", channel=channel)
