"""Which room speaks for a channel."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Refused

KINDS = ("shopify", "amazon", "ebay", "storefront", "shop")
_ROOMS = {"shop": "storefront"}  # an own shop speaks the same JSON, both ways

Reader = Callable[..., tuple[ChannelOrder, ...]]


def kind_of(channel: str) -> str:
    """The kind of a channel account: `shopify-de` is a `shopify`."""
    return channel.split("-", 1)[0]


def reader_for(kind: str) -> Reader:
    """The pure reader of one kind: `read_orders(body, channel, *, hint)`. Only the room that is asked for is imported.

    Raises `Refused` for a kind that nobody speaks.
    """
    if kind not in KINDS:
        raise Refused("unknown_channel", f"{kind!r} is none of {', '.join(KINDS)}")
    reader: Reader = import_module(f"chalicelib.channels.{_ROOMS.get(kind, kind)}.reader").read_orders
    return reader
