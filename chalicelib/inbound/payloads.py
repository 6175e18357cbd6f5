"""A raw payload on its way to entry, with what its reader must be told of the account: readers are pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.channels.stripe.naming import naming_of
from chalicelib.channels.woocommerce.gateway import PROCESSOR
from chalicelib.runtime.bodies import enclose
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import channels, read_account


def for_entry(channel: str, raw: bytes, runtime: Runtime, **hint: str) -> Message:
    """The message for entry, by whichever road the payload came."""
    if kind_of(channel) == "woocommerce":
        hint["processor"] = _processor(channel, runtime)
    return enclose(runtime.bodies, channel, raw, hint)


def _processor(channel: str, runtime: Runtime) -> str:
    """The account that takes the money of a shop's Stripe gateway: the setting `processor`, else the one whose setting
    `order_channel` names the shop. Without one the shop is left to take it by itself."""
    told = _settings(channel, runtime).get("processor")
    if told is not None:
        return str(told)
    known = runtime.settled("channels", lambda: channels(runtime.tables))
    paid_at = [name for name in known if kind_of(name) == PROCESSOR]
    return next((name for name in paid_at if channel in naming_of(_settings(name, runtime)).channels), "")


def _settings(account: str, runtime: Runtime) -> Mapping[str, Any]:
    return runtime.settled(f"account/{account}", lambda: read_account(runtime.tables, account))
