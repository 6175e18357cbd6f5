"""Whether an order has slipped through: what a channel shows is compared with what is here, once a day.

The cursor COMPARED keeps until when everything was compared, and where a comparison goes on for which one turn was too
short: no order is passed over because there are many, or because the channel answers no more for a while.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.channels.port import ChannelClient
from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from chalicelib.inbound.money import DAY_MS
from chalicelib.inbound.payloads import for_entry
from chalicelib.runtime.log import alarm
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import Cursor, channels, move_cursor, read_account, read_cursor
from chalicelib.store.orders import read_order

COMPARED = "COMPARED"  # name of a cursor

_LOOKED_BACK_MS = 3 * DAY_MS
_UNDER_WAY_MS = 60 * 60_000  # what has just changed is still on its way to us
_APART_MS = DAY_MS - 30 * 60_000  # turns come once an hour
_TURN_MS = 180_000  # of all accounts together: their Lambda has 300 seconds, and a page is read to its end
_SENT_TOGETHER = 10


class _TurnOver(Exception):
    """The others' turn has come."""


class _Comparison:
    """One turn of a comparison: says of each order of a channel whether we have it as it is there."""

    def __init__(self, channel: str, client: ChannelClient, runtime: Runtime) -> None:
        self._channel, self._client, self._runtime = channel, client, runtime
        self._cursor = cursor = read_cursor(runtime.tables, channel, COMPARED)
        now_ms = runtime.clock()
        self._began_ms = cursor.began_ms if cursor.position else now_ms
        self._since_ms = cursor.since_ms if cursor.position else self._first_ms(now_ms)
        self._until_ms = self._began_ms - _UNDER_WAY_MS
        accounts = [name for name in channels(runtime.tables) if kind_of(name) in SYNC_QUEUES]
        self._ends_ms = now_ms + _TURN_MS // max(len(accounts), 1)
        self._position = cursor.position
        self._together: list[Message] = []
        self.checked: set[str] = set()
        self.missing: set[str] = set()
        self.older: set[str] = set()

    def _first_ms(self, now_ms: int) -> int:
        """The last days, or since the last comparison where that was longer ago."""
        first_ms = int(read_account(self._runtime.tables, self._channel).get("import_from_ms", 0))
        return max(min(now_ms - _LOOKED_BACK_MS, self._cursor.read_to_ms or now_ms), first_ms)

    @property
    def is_due(self) -> bool:
        """Whether it goes on, or a day has passed since the last one began."""
        return bool(self._cursor.position) or self._until_ms - self._cursor.read_to_ms >= _APART_MS

    def work(self) -> None:
        """Hand on what we do not have as the channel has it, and keep how far that came."""
        try:
            for raw, _ in self._client.changed_orders(self._since_ms, self._is_here, self._cursor.position):
                self._together.append(for_entry(self._channel, raw, self._runtime))
                if len(self._together) == _SENT_TOGETHER:
                    self._flush()
            self._flush()
        except _TurnOver:
            return
        except HeadraceError as error:
            self._flush()
            if isinstance(error, Busy) and self._client.position:
                self._keep()
            elif isinstance(error, Refused) and self._cursor.position:  # a page that is gone: begin again
                move_cursor(self._runtime.tables, self._channel, replace(self._cursor, position=""), COMPARED)
            raise
        move_cursor(self._runtime.tables, self._channel, Cursor(self._until_ms), COMPARED)

    def _is_here(self, external_id: str, changed_ms: int) -> bool:
        """Whether there is nothing to be read: what has just changed is on its way by itself."""
        if self._client.position and self._client.position != self._position:
            self._flush()
            self._keep()
            if self._runtime.clock() >= self._ends_ms:
                raise _TurnOver
        if changed_ms > self._until_ms:
            return True
        self.checked.add(external_id)
        order = read_order(self._runtime.tables, f"{self._channel}:{external_id}")
        if order is None:
            self.missing.add(external_id)
        elif not order.state.source or order.state.source[0] < changed_ms:
            self.older.add(external_id)
        else:
            return True
        return False

    def _flush(self) -> None:
        if self._together:
            self._runtime.queues.send("entry", self._together)
        self._together = []

    def _keep(self) -> None:
        """Go on from here when this breaks off: all orders before it have been compared and handed on."""
        self._position = self._client.position
        times = {"since_ms": self._since_ms, "began_ms": self._began_ms}
        here = Cursor(self._cursor.read_to_ms, {}, self._position, **times)
        move_cursor(self._runtime.tables, self._channel, here, COMPARED)


def find_orders(channel: str, client: ChannelClient, runtime: Runtime) -> dict[str, int]:
    """Read the last days' orders again, hand on what we do not have as the channel has it, and call a person when one
    was missing: neither a notification nor a poll had brought it."""
    comparison = _Comparison(channel, client, runtime)
    if not comparison.is_due:
        return {}
    try:
        comparison.work()
    finally:
        if comparison.missing:
            alarm("orders_missing", channel=channel, missing=len(comparison.missing))
    counted = {"orders_checked": comparison.checked, "missing": comparison.missing, "older": comparison.older}
    return {name: len(found) for name, found in counted.items()}
