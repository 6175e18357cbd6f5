"""ORDER_CHANGE notifications: they say which order to look at, and nothing that may be believed without looking.

Keys are read whatever their case: Amazon writes some notification types in PascalCase, others in camelCase.
Source: SP-API schema OrderChangeNotification.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.channels.fields import Node, parse


@dataclass(frozen=True)
class Hint:
    """The seller whose orders have changed, and which; no order ids in a notification of another type."""

    seller_id: str
    order_ids: tuple[str, ...]


def hint_of(body: str | bytes) -> Hint:
    """What a notification points at. Raises `Unreadable` for what is no notification."""
    root = _folded(parse(body))
    kind = root.text("notificationtype")
    if not kind:
        root.at("notificationtype").refuse("a notification type")
    if kind.upper() != "ORDER_CHANGE":
        return Hint("", ())
    change = _folded(_folded(root.at("payload")).at("orderchangenotification"))
    return Hint(change.text("sellerid"), (change.identity("amazonorderid"),))


def _folded(node: Node) -> Node:
    """The same object with lower-case keys."""
    if not isinstance(node.value, dict):
        node.refuse("an object")
    return Node({str(key).lower(): value for key, value in node.value.items()}, node.path)
