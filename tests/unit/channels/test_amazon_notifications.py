from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.notifications import Hint, hint_of
from chalicelib.domain.errors import Unreadable


def notification(**more: Any) -> dict[str, Any]:
    change = {"SellerId": "A3SELLER", "AmazonOrderId": "114-0000001-0000001", "OrderChangeType": "OrderStatusChange"}
    return {"NotificationType": "ORDER_CHANGE", "Payload": {"OrderChangeNotification": change}, **more}


def test_an_order_change_points_at_its_order_and_seller() -> None:
    assert hint_of(json.dumps(notification())) == Hint("A3SELLER", ("114-0000001-0000001",))


def test_the_case_of_a_notifications_keys_does_not_matter() -> None:
    change = {"sellerId": "A3SELLER", "amazonOrderId": "114-0000001-0000001"}
    body = {"notificationType": "order_change", "payload": {"orderChangeNotification": change}}
    assert hint_of(json.dumps(body).encode()) == Hint("A3SELLER", ("114-0000001-0000001",))


def test_another_type_of_notification_points_at_no_order() -> None:
    assert hint_of('{"notificationType": "FEED_PROCESSING_FINISHED", "payload": {}}').order_ids == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"NotificationType": true}',
        json.dumps(notification(Payload=None)),
        json.dumps(notification(Payload={"OrderChangeNotification": []})),
        json.dumps(notification(Payload={"OrderChangeNotification": {"SellerId": "A"}})),
    ],
)
def test_what_is_no_notification_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        hint_of(body)
