from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.notifications import Told, told_of
from chalicelib.domain.errors import Unreadable


def notification(**more: Any) -> dict[str, Any]:
    change = {"SellerId": "A3SELLER", "AmazonOrderId": "114-0000001-0000001", "OrderChangeType": "OrderStatusChange"}
    return {"NotificationType": "ORDER_CHANGE", "Payload": {"OrderChangeNotification": change}, **more}


def test_an_order_change_points_at_its_order_and_seller() -> None:
    change = Told("ORDER_CHANGE", "A3SELLER", order_ids=("114-0000001-0000001",))
    assert told_of(json.dumps(notification())) == change


def test_the_case_of_a_notifications_keys_does_not_matter() -> None:
    change = {"sellerId": "A3SELLER", "amazonOrderId": "114-0000001-0000001"}
    body = {"notificationType": "order_change", "payload": {"orderChangeNotification": change}}
    change = Told("ORDER_CHANGE", "A3SELLER", order_ids=("114-0000001-0000001",))
    assert told_of(json.dumps(body).encode()) == change


def test_another_type_of_notification_points_at_no_order() -> None:
    assert told_of('{"notificationType": "NEW_TYPE", "payload": {}}') == Told("NEW_TYPE")


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
        told_of(body)


def told(kind: str, payload: Any, **more: Any) -> Told:
    return told_of(json.dumps({"NotificationType": kind, "Payload": payload, **more}))


def test_a_notification_is_named_by_its_metadata() -> None:
    change = notification(NotificationMetadata={"NotificationId": "N1"})
    assert told_of(json.dumps(change)) == Told(
        "ORDER_CHANGE", "A3SELLER", order_ids=("114-0000001-0000001",), notification_id="N1"
    )


def test_a_quantity_is_told_with_its_listing_unless_amazon_ships_it() -> None:
    kind = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
    change = {"SellerId": "A3", "FulfillmentChannelCode": "DEFAULT", "Sku": "MUG", "Quantity": 4}
    assert told(kind, change) == Told(kind, "A3", skus=(("MUG", 4),))
    assert told(kind, {**change, "FulfillmentChannelCode": "AMAZON_EU"}).skus == ()


@pytest.mark.parametrize("work", ["feed", "report"])
def test_finished_work_is_told_with_its_result(work: str) -> None:
    kind = f"{work.upper()}_PROCESSING_FINISHED"
    result = "resultFeedDocumentId" if work == "feed" else "reportDocumentId"
    ended = {
        "sellerId": "A3",
        f"{work}Id": "7",
        f"{work}Type": "SOME_TYPE",
        "processingStatus": "Done",
        result: "doc-7",
    }
    body = {"notificationType": kind, "payload": {f"{work}ProcessingFinishedNotification": ended}}
    assert told_of(json.dumps(body)) == Told(
        kind, "A3", work_id="7", work_type="SOME_TYPE", status="DONE", document_id="doc-7"
    )
    del ended[result]
    assert told_of(json.dumps(body)).document_id == ""


@pytest.mark.parametrize("name", ["OrderId", "ORDER_ID", "orderId"])
def test_booked_money_is_told_with_its_order(name: str) -> None:
    related = [{"RelatedIdentifierName": name, "RelatedIdentifierValue": "114-1"}, {"RelatedIdentifierName": "X"}]
    booked = {"SellingPartnerMetadata": {"SellingPartnerId": "A3"}, "RelatedIdentifiers": related}
    told_now = told("TRANSACTION_UPDATE", {"TransactionUpdateNotification": booked})
    assert (told_now.seller_id, told_now.order_ids) == ("A3", ("114-1",))


def test_unknown_and_ignored_types_are_named_and_no_more() -> None:
    for kind in ("PRICING_HEALTH", "SOMETHING_NEW"):
        assert told(kind.lower(), {"anything": [1]}) == Told(kind)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {"Quantity": 1}),
        ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {"Sku": "MUG", "Quantity": "many"}),
        ("FEED_PROCESSING_FINISHED", {"feedProcessingFinishedNotification": {}}),
        ("REPORT_PROCESSING_FINISHED", {}),
        ("TRANSACTION_UPDATE", {"TransactionUpdateNotification": {"RelatedIdentifiers": ["x"]}}),
        ("ORDER_CHANGE", []),
    ],
)
def test_a_notification_that_lacks_what_it_must_name_is_unreadable(kind: str, payload: Any) -> None:
    with pytest.raises(Unreadable):
        told(kind, payload)
