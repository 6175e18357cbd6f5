"""The stand-in Amazon answers as the official models say, and refuses what they refuse."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.amazon_order_body import stamp
from local.marketplaces.amazon_orders import DATA_SETS
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import Faults
from local.marketplaces.shelf import Change, Sale
from local.marketplaces.wire import Request, Response
from tests.contract.marketplaces_calls import FORM, Time, amazon_call, amazon_token, first, opened, populated
from tests.contract.marketplaces_models import amazon_order_change, amazon_request_body, amazon_response, errors
from tests.shared_data import shared

ORDERS = "/orders/2026-01-01/orders"
EVERYTHING = {"includedData": ",".join(sorted(DATA_SETS))}
SKU = CATALOGUE[0].sku
CONFIRM = "/orders/v0/orders/{orderId}/shipmentConfirmation"
ITEM = "/listings/2021-08-01/items/{sellerId}/{sku}"
MODELS = {
    "searchOrders": ("orders_2026-01-01.json", ORDERS, "get"),
    "getOrder": ("orders_2026-01-01.json", f"{ORDERS}/{{orderId}}", "get"),
    "confirmShipment": ("ordersV0.json", CONFIRM, "post"),
    "getListingsItem": ("listingsItems_2021-08-01.json", ITEM, "get"),
    "patchListingsItem": ("listingsItems_2021-08-01.json", ITEM, "patch"),
}


def assert_model(operation: str, response: Response, status: int) -> Any:
    """The answer has this status, and a body as the operation's model says; returns the body."""
    assert response.status == status, response
    body = response.json() if response.body else None
    assert errors(amazon_response(*MODELS[operation], status), body) == []
    assert response.headers["x-amzn-RequestId"]
    return body


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def parcel(market: Amazon, sale: Sale, reference: str = "1", **changes: Any) -> dict[str, Any]:
    items = [{"orderItemId": line.line_id, "quantity": line.quantity} for line in sale.lines]
    detail = {
        "packageReferenceId": reference,
        "carrierCode": "UPS",
        "trackingNumber": "1Z0000000000000001",
        "shipDate": "2026-05-04T13:00:00Z",
        "orderItems": items,
        **changes,
    }
    return {"marketplaceId": market.marketplace_id, "packageDetail": detail}


def confirm(market: Amazon, sale: Sale, body: dict[str, Any]) -> Response:
    return amazon_call(market, "POST", CONFIRM.replace("{orderId}", sale.order_id), body=body)


def patch(market: Amazon, patches: Any, sku: str = SKU, **query: str) -> Response:
    path = f"/listings/2021-08-01/items/{market.seller_id}/{sku}"
    query = {"marketplaceIds": market.marketplace_id, **query}
    return amazon_call(market, "PATCH", path, query, {"productType": "PRODUCT", "patches": patches})


def quantity_patch(quantity: Any) -> list[dict[str, Any]]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}]
    return [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}]


def listed(market: Amazon) -> Any:
    path = f"/listings/2021-08-01/items/{market.seller_id}/{SKU}"
    query = {"marketplaceIds": market.marketplace_id, "includedData": "fulfillmentAvailability,offers"}
    return assert_model("getListingsItem", amazon_call(market, "GET", path, query), 200)


# --- orders -------------------------------------------------------------------------------------------


def test_orders_in_every_state_follow_the_model(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sales = populated(market, time)
    confirm(market, first(sales), parcel(market, first(sales)))
    several = first(sales, lines=2)
    confirm(
        market, several, parcel(market, several, orderItems=[{"orderItemId": several.lines[0].line_id, "quantity": 1}])
    )
    last = market.sell(market.die.rng, time.now)
    assert last is not None
    time.pass_(minutes=10)
    answer = amazon_call(market, "GET", ORDERS, {**EVERYTHING, "lastUpdatedAfter": "2026-01-01T00:00:00Z"})
    orders = assert_model("searchOrders", answer, 200)["orders"]
    states = {order["fulfillment"]["fulfillmentStatus"] for order in orders}
    assert states >= {"PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED"}
    for sale in market.shelf.sales.values():
        answer = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", EVERYTHING)
        if answer.status == 429:
            time.pass_(minutes=2)
            answer = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", EVERYTHING)
        assert_model("getOrder", answer, 200)


def test_the_amounts_of_an_order_add_up(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sales = [sale for sale in populated(market, time) if sale.paid]
    assert any(sale.discount_minor and sale.tax_minor and sale.shipping_minor for sale in sales)
    for sale in sales[:25]:
        order = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", EVERYTHING).json()["order"]
        parts = [breakdown["subtotal"]["amount"] for breakdown in order["proceeds"]["breakdowns"]]
        items = [item["proceeds"]["proceedsTotal"]["amount"] for item in order["orderItems"]]
        total = cents(order["proceeds"]["grandTotal"]["amount"])
        assert total == sum(map(cents, parts)) == sum(map(cents, items))


def cents(text: str) -> int:
    return round(float(text) * 100)


def test_a_pending_order_shows_no_buyer_address_or_amount(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = next(sale for sale in populated(market, time) if not sale.paid)
    order = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", EVERYTHING).json()["order"]
    assert not {"buyer", "recipient", "proceeds"} & order.keys()
    assert "price" not in order["orderItems"][0]["product"]


def test_only_the_data_sets_asked_for_are_shown(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = first(populated(market, time))
    order = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", {"includedData": "FULFILLMENT"}).json()["order"]
    assert "fulfillment" in order
    assert not {"buyer", "recipient", "proceeds", "packages"} & order.keys()


def test_pages_follow_each_other_without_gap_or_repetition(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    populated(market, time)
    time.pass_(minutes=5)
    query = {"createdAfter": "2026-01-01T00:00:00Z", "maxResultsPerPage": "7"}
    seen: list[str] = []
    while True:
        page = assert_model("searchOrders", amazon_call(market, "GET", ORDERS, query), 200)
        seen += [order["orderId"] for order in page["orders"]]
        if "pagination" not in page:
            break
        query = {**query, "paginationToken": page["pagination"]["nextToken"]}
    assert seen == list(market.shelf.sales)


def test_a_page_token_belongs_to_its_parameters_and_dies_after_a_day(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    populated(market, time)
    time.pass_(minutes=5)
    query = {"createdAfter": "2026-01-01T00:00:00Z", "maxResultsPerPage": "7"}
    token = amazon_call(market, "GET", ORDERS, query).json()["pagination"]["nextToken"]
    other = {**query, "createdAfter": "2026-01-02T00:00:00Z", "paginationToken": token}
    assert_model("searchOrders", amazon_call(market, "GET", ORDERS, other), 400)
    time.pass_(hours=25)
    assert_model("searchOrders", amazon_call(market, "GET", ORDERS, {**query, "paginationToken": token}), 400)


def test_orders_of_the_last_two_minutes_are_not_found_yet(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = market.sell(market.die.rng, time.now)
    assert sale is not None
    query = {"lastUpdatedAfter": "2026-01-01T00:00:00Z"}
    time.pass_(seconds=119)
    assert amazon_call(market, "GET", ORDERS, query).json()["orders"] == []
    time.pass_(seconds=2)
    assert [order["orderId"] for order in amazon_call(market, "GET", ORDERS, query).json()["orders"]] == [sale.order_id]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"createdAfter": "2026-01-01T00:00:00Z", "lastUpdatedAfter": "2026-01-01T00:00:00Z"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "createdBefore": "2026-01-02T00:00:00Z"},
        {"lastUpdatedAfter": "2026-01-01"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "includedData": "PRICES"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "fulfillmentStatuses": "Shipped"},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "lastUpdatedBefore": stamp(Time().now - timedelta(minutes=1))},
        {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "paginationToken": "%%%"},
    ],
)
def test_a_search_that_the_model_forbids_gets_400(amazon: tuple[Amazon, Time], query: dict[str, str]) -> None:
    assert_model("searchOrders", amazon_call(amazon[0], "GET", ORDERS, query), 400)


def test_an_unknown_order_gets_404(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    assert_model("getOrder", amazon_call(market, "GET", f"{ORDERS}/114-0000000-0000000"), 404)
    missing = CONFIRM.replace("{orderId}", "114-0000000-0000000")
    assert_model("confirmShipment", amazon_call(market, "POST", missing, body={"marketplaceId": "x"}), 404)


# --- shipments ----------------------------------------------------------------------------------------


def test_a_confirmed_parcel_ships_the_order_and_sent_again_edits_it(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = first(populated(market, time))
    body = parcel(market, sale)
    assert errors(amazon_request_body("ordersV0.json", CONFIRM, "post"), body) == []
    assert_model("confirmShipment", confirm(market, sale, body), 204)
    assert_model("confirmShipment", confirm(market, sale, parcel(market, sale, trackingNumber="1Z9")), 204)
    order = amazon_call(market, "GET", f"{ORDERS}/{sale.order_id}", EVERYTHING).json()["order"]
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert [package["trackingNumber"] for package in order["packages"]] == ["1Z9"]
    assert_model("confirmShipment", confirm(market, sale, parcel(market, sale, reference="2")), 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"packageReferenceId": "A1"},
        {"packageReferenceId": "0"},
        {"carrierCode": ""},
        {"carrierCode": "Other"},
        {"trackingNumber": None},
        {"shipDate": "02/21/2026"},
        {"orderItems": []},
        {"orderItems": [{"orderItemId": "1", "quantity": 1}]},
    ],
)
def test_a_parcel_that_the_model_forbids_gets_400(amazon: tuple[Amazon, Time], changes: dict[str, Any]) -> None:
    market, time = amazon
    sale = first(populated(market, time))
    assert_model("confirmShipment", confirm(market, sale, parcel(market, sale, **changes)), 400)
    assert sale.parcels == []


def test_more_units_than_ordered_or_a_cancelled_order_get_400(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sales = populated(market, time)
    sale, cancelled = first(sales), next(sale for sale in sales if sale.cancelled_at)
    items = [{"orderItemId": sale.lines[0].line_id, "quantity": sale.lines[0].quantity + 1}]
    assert_model("confirmShipment", confirm(market, sale, parcel(market, sale, orderItems=items)), 400)
    assert_model("confirmShipment", confirm(market, cancelled, parcel(market, cancelled)), 400)


# --- listings -----------------------------------------------------------------------------------------


def test_a_patched_quantity_and_price_are_read_back(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    price = {
        "marketplace_id": market.marketplace_id,
        "currency": "USD",
        "our_price": [{"schedule": [{"value_with_tax": 15.25}]}],
    }
    patches = [*quantity_patch(3), {"op": "merge", "path": "/attributes/purchasable_offer", "value": [price]}]
    request_model = amazon_request_body("listingsItems_2021-08-01.json", ITEM, "patch")
    assert errors(request_model, {"productType": "PRODUCT", "patches": patches}) == []
    assert assert_model("patchListingsItem", patch(market, patches), 200)["status"] == "ACCEPTED"
    item = listed(market)
    assert item["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT", "quantity": 3}]
    assert item["offers"][0]["price"] == {"amount": "15.25", "currencyCode": "USD"}


def test_accepted_is_not_live(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.die.faults = Faults(listing_delay_s=30)
    patch(market, quantity_patch(3))
    patch(market, quantity_patch(4))
    assert listed(market)["fulfillmentAvailability"][0]["quantity"] == CATALOGUE[0].quantity
    time.pass_(seconds=31)
    assert listed(market)["fulfillmentAvailability"][0]["quantity"] == 4


def test_a_preview_changes_nothing(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    answer = assert_model("patchListingsItem", patch(market, quantity_patch(3), mode="VALIDATION_PREVIEW"), 200)
    assert answer["status"] == "VALID"
    assert listed(market)["fulfillmentAvailability"][0]["quantity"] == CATALOGUE[0].quantity


@pytest.mark.parametrize("quantity", [-1, "3", 2.5, None, True])
def test_a_quantity_that_is_none_is_an_issue_not_an_error(amazon: tuple[Amazon, Time], quantity: Any) -> None:
    market, _ = amazon
    answer = assert_model("patchListingsItem", patch(market, quantity_patch(quantity)), 200)
    assert answer["status"] == "INVALID"
    assert answer["issues"]


def test_an_unknown_sku_is_an_issue_when_patched_and_404_when_read(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    assert (
        assert_model("patchListingsItem", patch(market, quantity_patch(1), sku="NO-SUCH"), 200)["status"] == "INVALID"
    )
    path = f"/listings/2021-08-01/items/{market.seller_id}/NO-SUCH"
    assert_model("getListingsItem", amazon_call(market, "GET", path, {"marketplaceIds": market.marketplace_id}), 404)


@pytest.mark.parametrize(
    "patches",
    [
        [],
        [{"op": "set", "path": "/attributes/fulfillment_availability", "value": []}],
        [{"op": "merge", "path": "/attributes/fulfillment_availability/0/quantity", "value": [{}]}],
        [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": {"quantity": 1}}],
    ],
)
def test_a_malformed_patch_gets_400(amazon: tuple[Amazon, Time], patches: Any) -> None:
    assert_model("patchListingsItem", patch(amazon[0], patches), 400)


def test_the_store_must_be_named_and_the_seller_be_the_tokens(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    assert_model(
        "getListingsItem", amazon_call(market, "GET", f"/listings/2021-08-01/items/{market.seller_id}/{SKU}"), 400
    )
    query = {"marketplaceIds": market.marketplace_id}
    assert_model("getListingsItem", amazon_call(market, "GET", f"/listings/2021-08-01/items/OTHER/{SKU}", query), 403)


# --- tokens and limits --------------------------------------------------------------------------------


def test_a_token_lives_an_hour_and_none_is_refused(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = first(populated(market, time))
    token, path = amazon_token(market), f"{ORDERS}/{sale.order_id}"
    assert_model("getOrder", amazon_call(market, "GET", path, token=token), 200)
    time.pass_(minutes=61)
    assert_model("getOrder", amazon_call(market, "GET", path, token=token), 403)
    assert_model("getOrder", amazon_call(market, "GET", path, token=""), 403)
    shipment = CONFIRM.replace("{orderId}", sale.order_id)
    assert_model("confirmShipment", amazon_call(market, "POST", shipment, body=parcel(market, sale), token=""), 401)


def test_a_wrong_refresh_token_is_an_invalid_grant(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    fields = (
        f"grant_type=refresh_token&refresh_token=x&client_id={market.client_id}&client_secret={market.client_secret}"
    )
    answer = market.handle(Request("POST", "/auth/o2/token", {}, FORM, fields.encode()))
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")


def test_a_burst_is_answered_and_then_the_published_rate(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    token, query = amazon_token(market), {"lastUpdatedAfter": "2026-01-01T00:00:00Z"}
    for _ in range(20):
        answer = amazon_call(market, "GET", ORDERS, query, token=token)
        assert (answer.status, answer.headers["x-amzn-RateLimit-Limit"]) == (200, "0.0056")
    limited = amazon_call(market, "GET", ORDERS, query, token=token)
    assert assert_model("searchOrders", limited, 429)["errors"][0]["code"] == "QuotaExceeded"
    assert "x-amzn-RateLimit-Limit" not in limited.headers
    time.pass_(seconds=179)
    assert amazon_call(market, "GET", ORDERS, query, token=token).status == 200
    assert amazon_call(market, "GET", ORDERS, query, token=token).status == 429


# --- notifications ------------------------------------------------------------------------------------


def test_order_change_follows_the_model_in_every_state(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sales = populated(market, time)
    confirm(market, first(sales), parcel(market, first(sales)))
    states = set()
    for change in market.drain_changes():
        notification = json.loads(market.notification(change))
        assert errors(amazon_order_change(), notification) == []
        states.add(notification["Payload"]["OrderChangeNotification"]["Summary"]["OrderStatus"])
    assert states >= {"Unshipped", "Shipped", "Canceled"}


def test_order_change_has_the_fields_of_the_official_sample(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sample = json.loads(shared("samples/amazon/notification.ORDER_CHANGE.sqs-body.json").read_text(encoding="utf-8"))
    sale = first(populated(market, time))
    ours = json.loads(market.notification(Change(sale.order_id, "created", time.now)))
    assert ours.keys() == sample.keys()
    assert ours["NotificationMetadata"].keys() == sample["NotificationMetadata"].keys()
    payload, sampled = (each["Payload"]["OrderChangeNotification"] for each in (ours, sample))
    assert payload.keys() == sampled.keys()
    assert payload["Summary"].keys() <= sampled["Summary"].keys()
