"""Destinations and subscriptions of the stand-in Amazon, and the notifications that only a subscriber gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE
from tests.contract.marketplaces_amazon_office import (
    HEALTH,
    LISTINGS,
    NOTIFICATIONS,
    ask,
    call,
    feed,
    grantless_token,
    paid_sale,
    report,
    shipped,
    submit,
    subscribe,
    told,
)
from tests.contract.marketplaces_calls import Time, amazon_call, opened
from tests.shared_data import shared

DESTINATIONS = f"{NOTIFICATIONS}/destinations"
DESTINATION = f"{DESTINATIONS}/{{destinationId}}"
KIND = f"{NOTIFICATIONS}/subscriptions/{{notificationType}}"
BY_ID = f"{KIND}/{{subscriptionId}}"
ARN = "arn:aws:sqs:us-east-1:111122223333:inbound"
SKU = CATALOGUE[0].sku


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def destination(market: Amazon, status: int = 200, arn: str = ARN) -> Any:
    body = {"name": "inbound", "resourceSpecification": {"sqs": {"arn": arn}}}
    return call(market, "POST", DESTINATIONS, status, body=body, token=grantless_token(market))


def subscription(market: Amazon, status: int = 200, kind: str = "ORDER_CHANGE", **body: Any) -> Any:
    known = next(iter(market.office.destinations), "none")
    asked = {"payloadVersion": "1.0", "destinationId": known, **body}
    return call(market, "POST", KIND, status, names={"notificationType": kind}, body=asked)


def test_a_destination_is_kept_once_shown_and_deleted(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    made = destination(market)["payload"]
    assert made["resource"] == {"sqs": {"arn": ARN}}
    destination(market, 409)
    token, names = grantless_token(market), {"destinationId": made["destinationId"]}
    assert call(market, "GET", DESTINATIONS, 200, token=token)["payload"] == [made]
    assert call(market, "GET", DESTINATION, 200, names=names, token=token)["payload"] == made
    call(market, "DELETE", DESTINATION, 200, names=names, token=token)
    call(market, "GET", DESTINATION, 404, names=names, token=token)


def test_a_subscription_is_kept_once_shown_and_deleted(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    destination(market)
    directive = {
        "eventFilter": {
            "eventFilterType": "ORDER_CHANGE",
            "orderChangeTypes": ["OrderStatusChange", "BuyerRequestedChange"],
            "marketplaceIds": [market.marketplace_id],
        }
    }
    made = subscription(market, processingDirective=directive)["payload"]
    assert made["processingDirective"] == directive
    time.pass_(seconds=5)
    subscription(market, 409)
    names = {"notificationType": "ORDER_CHANGE", "subscriptionId": made["subscriptionId"]}
    assert call(market, "GET", KIND, 200, names=names)["payload"] == made
    token = grantless_token(market)
    assert call(market, "GET", BY_ID, 200, names=names, token=token)["payload"] == made
    call(market, "DELETE", DESTINATION, 409, names={"destinationId": made["destinationId"]}, token=token)
    call(market, "DELETE", BY_ID, 200, names=names, token=token)
    call(market, "GET", KIND, 404, names=names)
    call(market, "GET", BY_ID, 404, names=names, token=token)


def test_what_the_model_does_not_allow_gets_400(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    destination(market, 400, arn="arn:aws:sns:us-east-1:111122223333:topic")
    destination(market)
    subscription(market, 400, destinationId="none")
    subscription(market, 400, kind="MFN_ORDER_STATUS_CHANGE")
    both = {"eventFilter": {"eventFilterType": "ORDER_CHANGE"}, "filterExpression": "true"}
    subscription(market, 400, processingDirective=both)


def test_nobody_is_told_of_anything_but_orders_without_a_subscription(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    shipped(market, paid_sale(market, time), time)
    ask(market, HEALTH)
    market.report_issue(SKU, ["ERROR"], time.now)
    time.pass_(seconds=10)
    market.advance(time.now)
    bodies = [json.loads(market.notification(change)) for change in market.drain_changes()]
    assert {body.get("NotificationType") for body in bodies} == {"ORDER_CHANGE"}


def test_a_quantity_that_goes_live_is_told(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    subscribe(market, "LISTINGS_ITEM_MFN_QUANTITY_CHANGE")
    market.put_live_later(SKU, 17)
    (notification,) = told(market, "LISTINGS_ITEM_MFN_QUANTITY_CHANGE")
    payload = notification["Payload"]
    assert (payload["Sku"], payload["Quantity"], payload["SellerId"]) == (SKU, 17, market.seller_id)


def test_issues_that_come_and_go_are_told_and_shown(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    subscribe(market, "LISTINGS_ITEM_ISSUES_CHANGE")
    market.report_issue(SKU, ["ERROR", "WARNING"], time.now)
    (notification,) = told(market, "LISTINGS_ITEM_ISSUES_CHANGE")
    assert notification["Payload"]["Severities"] == ["ERROR", "WARNING"]
    path = f"/listings/2021-08-01/items/{market.seller_id}/{SKU}"
    query = {"marketplaceIds": market.marketplace_id, "includedData": "issues"}
    assert [each["severity"] for each in amazon_call(market, "GET", path, query).json()["issues"]] == [
        "ERROR",
        "WARNING",
    ]
    market.report_issue(SKU, [], time.pass_(seconds=1))
    (notification,) = told(market, "LISTINGS_ITEM_ISSUES_CHANGE")
    assert notification["Payload"]["Severities"] == ["NONE"]


def test_money_that_is_booked_is_told(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    subscribe(market, "TRANSACTION_UPDATE")
    sale = paid_sale(market, time)
    shipped(market, sale, time)
    (notification,) = told(market, "TRANSACTION_UPDATE")
    update = notification["Payload"]["TransactionUpdateNotification"]
    assert update["TransactionType"] == "Shipment"
    assert {"RelatedIdentifierName": "OrderId", "RelatedIdentifierValue": sale.order_id} in update["RelatedIdentifiers"]


def test_the_end_of_feeds_and_reports_is_told_in_camel_case(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    subscribe(market, "FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED")
    fatal, report_id = submit(market, LISTINGS, b"{", "application/json"), ask(market, HEALTH)
    assert told(market, "FEED_PROCESSING_FINISHED") == []
    time.pass_(seconds=10)
    document_id = report(market, report_id)["reportDocumentId"]
    (finished,) = told(market, "REPORT_PROCESSING_FINISHED")
    about = finished["payload"]["reportProcessingFinishedNotification"]
    assert (about["reportId"], about["processingStatus"], about["reportDocumentId"]) == (report_id, "DONE", document_id)
    submit(market, LISTINGS, b"{", "application/json")
    time.pass_(seconds=10)
    assert feed(market, fatal)["processingStatus"] == "FATAL"
    (failed,) = told(market, "FEED_PROCESSING_FINISHED")
    about = failed["payload"]["feedProcessingFinishedNotification"]
    assert about["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in about


@pytest.mark.parametrize(
    "kind",
    [
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
        "LISTINGS_ITEM_ISSUES_CHANGE",
        "TRANSACTION_UPDATE",
        "FEED_PROCESSING_FINISHED",
        "REPORT_PROCESSING_FINISHED",
    ],
)
def test_each_notification_has_the_fields_of_the_official_sample(amazon: tuple[Amazon, Time], kind: str) -> None:
    market, time = amazon
    subscribe(market, kind)
    market.put_live_later(SKU, 17)
    market.report_issue(SKU, ["ERROR"], time.now)
    market.charge_fee("Subscription Fee", 3999, time.now)
    listing = {
        "header": {"sellerId": market.seller_id, "version": "2.0"},
        "messages": [{"messageId": 1, "sku": SKU, "operationType": "DELETE"}],
    }
    submit(market, LISTINGS, json.dumps(listing).encode(), "application/json")
    ask(market, HEALTH)
    time.pass_(seconds=10)
    market.advance(time.now)
    sample = json.loads(shared(f"samples/amazon/notification.{kind}.sqs-body.json").read_text(encoding="utf-8"))
    (ours,) = told(market, kind)
    assert shape(ours) == shape(sample)


def shape(body: Any) -> Any:
    """The names of the fields, deep down; the first element stands for a list."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items()}
    return [shape(each) for each in body[:1]] if isinstance(body, list) else None
