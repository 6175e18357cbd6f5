"""What an order at the stand-in Amazon lives through beside being sold and shipped, and what a restart keeps."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.shelf import Sale
from local.marketplaces.world import Marketplaces
from tests.contract.marketplaces_amazon_office import (
    LISTINGS,
    call,
    paid_sale,
    shipped,
    submit,
    subscribe,
    told,
    transactions,
)
from tests.contract.marketplaces_calls import Time, amazon_call, opened

ORDER = "/orders/2026-01-01/orders/{orderId}"
EVERYTHING = {"includedData": "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES"}


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def order(market: Amazon, sale: Sale) -> Any:
    return call(market, "GET", ORDER, 200, names={"orderId": sale.order_id}, query=EVERYTHING)["order"]


def found(market: Amazon, **query: str) -> list[str]:
    query = {"createdAfter": "2026-01-01T00:00:00Z", **query}
    answer = call(market, "GET", "/orders/2026-01-01/orders", 200, query=query)
    return [each["orderId"] for each in answer["orders"]]


def confirm(market: Amazon, sale: Sale) -> int:
    items = [{"orderItemId": line.line_id, "quantity": line.quantity} for line in sale.lines]
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z0000000000000001",
        "shipDate": "2026-05-04T13:00:00Z",
        "orderItems": items,
    }
    path = f"/orders/v0/orders/{sale.order_id}/shipmentConfirmation"
    body = {"marketplaceId": market.marketplace_id, "packageDetail": detail}
    return amazon_call(market, "POST", path, body=body).status


# --- the buyer's wish to cancel -----------------------------------------------------------------------


def test_a_cancel_request_is_shown_told_and_cancels_nothing(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    before = order(market, sale)
    market.drain_changes()
    assert market.request_cancel(sale, time.pass_(minutes=1), "Found it cheaper")
    (change,) = told(market, "ORDER_CHANGE")
    notified = change["Payload"]["OrderChangeNotification"]
    assert notified["OrderChangeType"] == "BuyerRequestedChange"
    assert notified["Summary"]["OrderItems"][0]["IsBuyerRequestedCancel"] is True
    assert notified["Summary"]["CancelNotifyDate"] == "2026-05-04T12:01:01.000Z"
    after = order(market, sale)
    assert after["lastUpdatedTime"] > before["lastUpdatedTime"]
    assert after["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    wish = {"requester": "BUYER", "cancelReason": "Found it cheaper"}
    assert after["orderItems"][0]["cancellation"] == {"cancellationRequest": wish}
    assert confirm(market, sale) == 204


def test_a_request_comes_only_while_the_order_waits_to_be_shipped(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    gone, pending = paid_sale(market, time), paid_sale(market, time, seed=2)
    shipped(market, gone, time)
    pending.paid = False
    market.drain_changes()
    assert not market.request_cancel(gone, time.now)
    assert not market.request_cancel(pending, time.now)
    assert market.drain_changes() == []


@pytest.mark.parametrize(
    ("paid", "executed"),
    [
        (True, {"cancelledBy": "BUYER", "cancelReason": "BUYER_CANCELED"}),
        (False, {"cancelledBy": "AMAZON", "cancelReason": "PAYMENT_NOT_AUTHORIZED"}),
    ],
)
def test_a_cancel_says_who_did_it_and_puts_the_units_back_once(
    amazon: tuple[Amazon, Time], paid: bool, executed: dict[str, str]
) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    sale.paid = paid
    line = sale.lines[0]
    before = market.shelf.listings[line.sku].quantity
    market.cancel(sale, time.now)
    market.cancel(sale, time.now)
    assert market.shelf.listings[line.sku].quantity == before + line.quantity
    assert order(market, sale)["orderItems"][0]["cancellation"] == {"cancellationExecution": executed}


# --- other people's orders, other states --------------------------------------------------------------


def test_an_order_that_amazon_ships_takes_no_stock_and_no_confirmation(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    stock = {sku: listing.quantity for sku, listing in market.shelf.listings.items()}
    sale = market.sell_fba(Random(1), time.now)
    assert sale
    sale.paid = True
    assert {sku: listing.quantity for sku, listing in market.shelf.listings.items()} == stock
    assert order(market, sale)["fulfillment"]["fulfilledBy"] == "AMAZON"
    (change,) = told(market, "ORDER_CHANGE")
    assert change["Payload"]["OrderChangeNotification"]["Summary"]["FulfillmentType"] == "AFN"
    assert confirm(market, sale) == 400
    market.cancel(sale, time.now)
    assert {sku: listing.quantity for sku, listing in market.shelf.listings.items()} == stock


def test_orders_are_found_by_who_ships_them(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    own, theirs = market.sell(Random(1), time.now), market.sell_fba(Random(2), time.now)
    assert own
    assert theirs
    time.pass_(minutes=3)
    assert found(market, fulfilledBy="MERCHANT") == [own.order_id]
    assert found(market, fulfilledBy="AMAZON") == [theirs.order_id]
    assert found(market, fulfilledBy="AMAZON,MERCHANT") == [own.order_id, theirs.order_id] == found(market)


def test_a_label_bought_from_amazon_needs_no_confirmation(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    market.office.note(sale.order_id).amazon_label = True
    assert confirm(market, sale) == 400


def test_any_status_can_be_shown(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    market.drain_changes()
    market.set_status(sale, "UNFULFILLABLE", time.pass_(minutes=1))
    assert order(market, sale)["fulfillment"]["fulfillmentStatus"] == "UNFULFILLABLE"
    (change,) = told(market, "ORDER_CHANGE")
    assert change["Payload"]["OrderChangeNotification"]["Summary"]["OrderStatus"] == "Unfulfillable"
    assert confirm(market, sale) == 400
    time.pass_(minutes=3)
    assert found(market, fulfillmentStatuses="UNFULFILLABLE") == [sale.order_id]
    market.set_status(sale, "ON_THE_MOON", time.now)
    body = amazon_call(market, "GET", ORDER.format(orderId=sale.order_id), EVERYTHING).json()["order"]
    assert body["fulfillment"]["fulfillmentStatus"] == "ON_THE_MOON"
    (unknown,) = market.drain_changes()
    assert json.loads(market.notification(unknown))["NotificationType"] == "ORDER_CHANGE"
    market.set_status(sale, "", time.now)
    assert confirm(market, sale) == 204


def test_buyer_and_address_fade_a_month_after_the_end_of_an_order(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    done, waiting = paid_sale(market, time), paid_sale(market, time, seed=2)
    shipped(market, done, time)
    time.pass_(days=30)
    assert {"buyer", "recipient"} <= order(market, done).keys()
    time.pass_(seconds=1)
    faded = order(market, done)
    assert not {"buyer", "recipient"} & faded.keys()
    assert {"proceeds", "packages"} <= faded.keys()
    assert {"buyer", "recipient"} <= order(market, waiting).keys()
    market.office.note(waiting.order_id).decayed = True
    assert not {"buyer", "recipient"} & order(market, waiting).keys()


# --- a restart ----------------------------------------------------------------------------------------


def test_a_restart_keeps_the_back_office(tmp_path: Path) -> None:
    time = Time()
    first = Marketplaces(1, clock=time, start=time.now, rate_per_s=0, public_url="http://127.0.0.1:8801")
    market = first.amazon
    subscribe(market, "FEED_PROCESSING_FINISHED")
    sale = paid_sale(market, time, lines=2)
    market.request_cancel(sale, time.now)
    shipped(market, sale, time)
    market.open_return(sale, sale.lines[0].line_id, 1, time.now)
    market.charge_fee("Subscription Fee", 3999, time.now)
    market.close_settlement(time.now)
    feed_id = submit(market, LISTINGS, b"\x00\xff", "application/json")
    first.save(tmp_path / "state.json")

    second = Marketplaces(2, clock=time, start=time.now, rate_per_s=0, public_url="http://127.0.0.1:8802")
    second.load(tmp_path / "state.json")
    assert second.amazon.office == market.office
    assert second.amazon.base_url == "http://127.0.0.1:8802/amazon"
    due = second.tick(time.pass_(days=8))
    kinds = [json.loads(each.body).get("notificationType") for each in due if each.marketplace == "amazon"]
    assert "FEED_PROCESSING_FINISHED" in kinds
    assert second.amazon.office.feeds[feed_id].status == "FATAL"
    assert [each["transactionStatus"] for each in transactions(second.amazon, postedAfter=days_ago(time.now, 9))] == [
        "DEFERRED_RELEASED",
        "RELEASED",
        "RELEASED",
    ]


def days_ago(now: datetime, days: int) -> str:
    return (now - timedelta(days=days)).isoformat()


def test_a_state_saved_before_there_was_a_back_office_loads(tmp_path: Path) -> None:
    time, path = Time(), tmp_path / "state.json"
    Marketplaces(1, clock=time, start=time.now, rate_per_s=0).save(path)
    state = json.loads(path.read_text())
    for shelf in state["shelves"].values():
        shelf.pop("amazon")
    path.write_text(json.dumps(state))
    world = Marketplaces(1, clock=time, start=time.now, rate_per_s=0)
    world.load(path)
    assert world.amazon.office.feeds == {}
