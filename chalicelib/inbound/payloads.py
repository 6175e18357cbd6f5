"""A raw payload on its way to entry, with what its reader must be told of the account: readers are pure."""

from __future__ import annotations

from chalicelib.channels.registry import kind_of
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
    """The account that takes the money of a shop's Stripe gateway: the setting `processor`, else `stripe` where there
    is one. Without one the shop is left to take it by itself."""
    account = runtime.settled(f"account/{channel}", lambda: read_account(runtime.tables, channel))
    told = account.get("processor")
    if told is None:
        return PROCESSOR if PROCESSOR in runtime.settled("channels", lambda: channels(runtime.tables)) else ""
    return str(told)
