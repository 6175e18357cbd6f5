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
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, move_cursor, read_account, read_cursor_ms

blueprint = Blueprint(__name__)

OVERLAP_MS = 180_000  # what a channel may show late; entry knows what it has seen


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
    """How many orders had changed. The cursor moves when all pages have been handed on, so a poll that breaks off is
    simply done again."""
    cursor_ms = read_cursor_ms(runtime.tables, channel)
    first_ms = int(read_account(runtime.tables, channel).get("import_from_ms", 0))
    newest_ms, orders = cursor_ms, 0
    for raw, changed_ms in client_for(channel, runtime).changed_orders(max(cursor_ms - OVERLAP_MS, first_ms)):
        runtime.queues.send("entry", [enclose(runtime.bodies, channel, raw, {})])
        newest_ms, orders = max(newest_ms, changed_ms), orders + 1
    if newest_ms > cursor_ms:
        move_cursor(runtime.tables, channel, newest_ms)
    return orders
