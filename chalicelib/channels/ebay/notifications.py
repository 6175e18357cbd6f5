"""ORDER_CONFIRMATION notifications: they say which order to look at. Source: eBay's order_confirmation AsyncAPI."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.channels.fields import parse


@dataclass(frozen=True)
class Hint:
    """The seller (immutable user id) whose orders have changed, and which; none for another topic."""

    seller_id: str
    order_ids: tuple[str, ...]


def hint_of(body: str | bytes) -> Hint:
    """What a notification points at. Raises `Unreadable` for what is no notification."""
    root = parse(body)
    topic = root.at("metadata").identity("topic")
    if topic != "ORDER_CONFIRMATION":
        return Hint("", ())
    data = root.at("notification").at("data")
    return Hint(data.at("user").text("userId"), (data.at("order").identity("orderId"),))
