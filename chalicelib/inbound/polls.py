"""Polls: every channel is read again on a schedule, over a window that overlaps the last one; notifications get lost.

The cursor is the newest time of change that the channel itself has shown us, never our clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.channels.registry import PAID_AT_PROCESSORS, PROCESSORS, kind_of
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised
from chalicelib.inbound.payloads import for_entry
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import on_schedule
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message, asking_again, catching_up
from chalicelib.runtime.wiring import Runtime
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
_KEEP_EVERY_MS = 20_000  # a Lambda that runs out of time loses less than this
_CLOCKS_DIFFER_MS = 60_000  # how far ours may be ahead of a channel's


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


@blueprint.schedule(Rate(5, unit=Rate.MINUTES), name="poll_woocommerce")
@on_schedule(lambda runtime: poll("woocommerce", runtime))
def poll_woocommerce(event: Any) -> None:
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


class _Reading:
    """One reading of what has changed on a channel: what it has shown so far (order id -> time of change), and what of
    that is still to be handed on."""

    def __init__(self, channel: str, runtime: Runtime) -> None:
        self._channel, self._runtime = channel, runtime
        self._cursor = cursor = read_cursor(runtime.tables, channel)
        first_ms = int(read_account(runtime.tables, channel).get("import_from_ms", 0))
        self.since_ms = cursor.since_ms if cursor.position else max(cursor.read_to_ms - OVERLAP_MS, first_ms)
        self._began_ms = cursor.began_ms if cursor.position else runtime.clock()
        self._shown = dict(cursor.seen) if cursor.position else {}
        self._next = ("", 0)
        self._unsent: dict[str, int] = {}
        self._together: list[Message] = []
        self._position, self._kept_ms = cursor.position, runtime.clock()
        self._client = client_for(channel, runtime, probing=True)
        self.orders = 0

    def work(self) -> None:
        """Hand on everything, and keep how far that came."""
        try:
            for raw, _ in self._client.changed_orders(self.since_ms, self._is_seen, self._cursor.position):
                self._hand_on(raw)
            self._flush()
        except Refused as refused:
            if self._cursor.position and not isinstance(refused, Unauthorised):  # a page that is gone: begin again
                again = replace(self._cursor, position="", since_ms=0)
                move_cursor(self._runtime.tables, self._channel, again)
            raise
        except Busy:
            if self._client.position:
                self._flush()
                self._keep()
            raise
        self._end()

    def _is_seen(self, external_id: str, changed_ms: int) -> bool:
        """Whether this version has been handed on before."""
        has_moved = self._client.position not in ("", self._position)
        if has_moved and self._runtime.clock() - self._kept_ms >= _KEEP_EVERY_MS:
            self._flush()
            self._keep()
        if self._cursor.seen.get(external_id) == changed_ms:
            self._shown[external_id] = changed_ms
            return True
        self._next = (external_id, changed_ms)
        return False

    def _hand_on(self, raw: bytes) -> None:
        """An order has been shown when it is handed on: whatever breaks off before that must bring it again."""
        self._together.append(for_entry(self._channel, raw, self._runtime))
        self._unsent |= [self._next]
        self.orders += 1
        if len(self._together) == _SENT_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if self._together:
            self._runtime.queues.send("entry", self._together)
        self._shown |= self._unsent
        self._together, self._unsent = [], {}

    @property
    def _newest_ms(self) -> int:
        return max([self._cursor.newest_ms, *self._shown.values()])

    def _keep(self) -> None:
        """Go on from here when this breaks off."""
        self._position, self._kept_ms = self._client.position, self._runtime.clock()
        times = {"since_ms": self.since_ms, "newest_ms": self._newest_ms, "began_ms": self._began_ms}
        here = Cursor(self._cursor.read_to_ms, self._shown, self._position, **times)
        move_cursor(self._runtime.tables, self._channel, here)

    def _end(self) -> None:
        """Everything has been shown. What changed after a reading's first part may have gone to a page that was read by
        then: one in several parts is good for no more than the time before it began."""
        newest_ms, read_to_ms = self._newest_ms, self._newest_ms
        if self._cursor.position and self._began_ms:
            read_to_ms = min(newest_ms, self._began_ms - _CLOCKS_DIFFER_MS)
        read_to_ms = max(read_to_ms, self._cursor.read_to_ms)
        if read_to_ms > self._cursor.read_to_ms or self._position:
            recent = (read_to_ms - OVERLAP_MS, newest_ms - _SAME_SECOND_MS)
            seen = {name: ms for name, ms in self._shown.items() if recent[0] <= ms < recent[1]}
            move_cursor(self._runtime.tables, self._channel, Cursor(read_to_ms, seen))


def _poll_channel(channel: str, runtime: Runtime) -> int:
    """How many orders were handed on. The cursor moves when all pages have been; a reading that breaks off goes on
    where its last page ended, if the channel can do that, and begins again if not. What the window had shown the last
    time, in a second that was over by then, is not read again."""
    reading = _Reading(channel, runtime)
    reading.work()
    if read_pause(runtime.tables, channel):
        resume(channel, runtime)
    return reading.orders


def resume(channel: str, runtime: Runtime) -> None:
    """Take up the work of an account that answers again: every SKU of it is looked at, and every order that may have
    something to be told. A payment processor has no SKUs, and the orders are those of own shops."""
    if kind_of(channel) in PROCESSORS:
        shops = [name for name in channels(runtime.tables) if kind_of(name) in PAID_AT_PROCESSORS]
        for queue, messages in asking_again(channel, shops).items():
            runtime.queues.send(queue, messages)
    else:
        runtime.queues.send(SYNC_QUEUES[kind_of(channel)], catching_up(channel))
    resume_account(runtime.tables, channel)
    log("channel_resumed", channel=channel)
