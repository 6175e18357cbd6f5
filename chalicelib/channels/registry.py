"""Which room speaks for a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from chalicelib.channels.access import Access
from chalicelib.channels.budgets import Plan, Revisions
from chalicelib.channels.port import ChannelClient
from chalicelib.channels.processor_port import ProcessorClient
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Refused

_ROOMS = {
    "shopify": "shopify",
    "amazon": "amazon",
    "ebay": "ebay",
    "storefront": "storefront",
    "woocommerce": "woocommerce",
    "shop": "storefront",  # the same documents; a shop also serves an API that we call
}
_CLIENTS = {
    "shopify": "ShopifyClient",
    "amazon": "AmazonClient",
    "ebay": "EbayClient",
    "shop": "ShopClient",
    "woocommerce": "WooClient",
}
_PROCESSORS = {"stripe": "StripeClient"}  # kinds of payment processors, each in a room of its name
_LIMITED = ("amazon", "ebay")

KINDS = tuple(_ROOMS)
PROCESSORS = tuple(_PROCESSORS)
OWN_KINDS = ("storefront", "shop")  # own shops: both speak the JSON of docs/channels.md
PAID_AT_PROCESSORS = (*OWN_KINDS, "woocommerce")  # of their orders, a payment processor may have the money

Reader = Callable[..., tuple[ChannelOrder, ...]]


def kind_of(channel: str) -> str:
    """The kind of a channel account: `shopify-de` is a `shopify`."""
    return channel.split("-", 1)[0]


def reader_for(kind: str) -> Reader:
    """The pure reader of one kind: `read_orders(body, channel, *, hint)`. Only the room that is asked for is imported.

    Raises `Refused` for a kind that nobody speaks.
    """
    reader: Reader = import_module(f"chalicelib.channels.{_room(kind)}.reader").read_orders
    return reader


def client_class(kind: str) -> Callable[[Access], ChannelClient]:
    """Makes the client of one kind.

    Raises `Refused` for a kind that nobody speaks, and for one that only speaks to us.
    """
    room = _room(kind)
    if kind not in _CLIENTS:
        raise Refused("no_client", f"a {kind} is not spoken to: it sends us its orders")
    found: Callable[[Access], ChannelClient] = getattr(
        import_module(f"chalicelib.channels.{room}.client"), _CLIENTS[kind]
    )
    return found


def processor_class(kind: str) -> Callable[..., ProcessorClient]:
    """Makes the client of one kind of payment processor: `(transport, account, credentials, now_ms)`.

    Raises `Refused` for a kind that nobody speaks.
    """
    if kind not in _PROCESSORS:
        raise Refused("unknown_processor", f"{kind!r} is none of {', '.join(_PROCESSORS)}")
    found: Callable[..., ProcessorClient] = getattr(
        import_module(f"chalicelib.channels.{kind}.client"), _PROCESSORS[kind]
    )
    return found


def plans_of(kind: str) -> Mapping[str, Plan]:
    """What a kind of channel allows of each operation; nothing where it does not count calls by operation."""
    if kind not in _LIMITED:
        return {}
    plans: Mapping[str, Plan] = import_module(f"chalicelib.channels.{_room(kind)}.limits").PLANS
    return plans


def revisions_of(kind: str) -> Revisions | None:
    """How often one listing may be changed in a day; None where the channel does not count."""
    if kind not in _LIMITED:
        return None
    limits = import_module(f"chalicelib.channels.{_room(kind)}.limits")
    found: Revisions | None = getattr(limits, "REVISIONS", None)
    return found


def _room(kind: str) -> str:
    if kind not in _ROOMS:
        raise Refused("unknown_channel", f"{kind!r} is none of {', '.join(KINDS)}")
    return _ROOMS[kind]
