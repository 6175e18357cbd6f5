"""What eBay's messages tell, known and unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.ebay.notifications import DELETED, REVOKED, Told, told_of
from chalicelib.domain.errors import Unreadable


def message(topic: str, data: Any, **more: Any) -> str:
    return json.dumps({"metadata": {"topic": topic}, "notification": {"notificationId": "n-1", "data": data, **more}})


def test_a_parcel_that_ebay_knows_of_points_at_its_order() -> None:
    data = {"user": {"userId": "u1", "username": "shop"}, "order": {"orderId": "12-3"}}
    body = message("ITEM_MARKED_SHIPPED", data)
    assert told_of(body) == Told("ITEM_MARKED_SHIPPED", "n-1", "u1", "shop", ("12-3",))


def test_a_parcel_without_an_order_is_taken_and_points_at_nothing() -> None:
    body = message("ITEM_MARKED_SHIPPED", {"user": {"userId": "u1"}, "item": {}})
    assert told_of(body) == Told("ITEM_MARKED_SHIPPED", "n-1", "u1")


@pytest.mark.parametrize("topic", [REVOKED, DELETED])
def test_a_user_is_named_by_either_of_his_names(topic: str) -> None:
    assert told_of(message(topic, {"userId": "u1"})) == Told(topic, "n-1", "u1")
    assert told_of(message(topic, {"username": "shop"})) == Told(topic, "n-1", "", "shop")
    for data in ({}, None, {"userId": ""}):
        with pytest.raises(Unreadable, match="userId"):
            told_of(message(topic, data))


def test_an_unknown_topic_is_told_by_name_and_names_nobody() -> None:
    assert told_of(message("FEEDBACK_LEFT", {"userId": "u1"})) == Told("FEEDBACK_LEFT", "n-1")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b'{"metadata": {"topic": ""}}', b'{"metadata": "x", "notification": {}}']
)
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        told_of(body)


@pytest.mark.parametrize("body", ["<?xml version='1.0'?><a/>", "\ufeff <soapenv:Envelope/>"])
def test_xml_is_refused_and_the_way_out_named(body: str) -> None:
    with pytest.raises(Unreadable, match="subscribe by the Notification API") as refused:
        told_of(body)
    assert refused.value.reason == "platform_notification"
