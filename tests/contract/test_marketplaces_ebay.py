"""The stand-in eBay answers as the official models say, and refuses what they refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from local.marketplaces.catalogue import CATALOGUE, ebay_offer_id
from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import Request, Response
from tests.contract.marketplaces_calls import (
    FORM,
    START,
    Time,
    ebay_basic,
    ebay_call,
    ebay_token,
    first,
    opened,
    populated,
)
from tests.contract.marketplaces_models import ebay_request_body, ebay_response, errors

ORDER = "/sell/fulfillment/v1/order"
BULK = "/sell/inventory/v1/bulk_update_price_quantity"
FULFILLMENT, INVENTORY = "sell_fulfillment_v1_oas3.json", "sell_inventory_v1_oas3.json"
SKU, OTHER_SKU = CATALOGUE[0].sku, CATALOGUE[1].sku
MODELS = {
    "getOrders": (FULFILLMENT, "/order", "get"),
    "getOrder": (FULFILLMENT, "/order/{orderId}", "get"),
    "createShippingFulfillment": (FULFILLMENT, "/order/{orderId}/shipping_fulfillment", "post"),
    "getShippingFulfillments": (FULFILLMENT, "/order/{orderId}/shipping_fulfillment", "get"),
    "getShippingFulfillment": (FULFILLMENT, "/order/{orderId}/shipping_fulfillment/{fulfillmentId}", "get"),
    "bulkUpdatePriceQuantity": (INVENTORY, "/bulk_update_price_quantity", "post"),
    "getInventoryItem": (INVENTORY, "/inventory_item/{sku}", "get"),
}


def assert_model(operation: str, response: Response, status: int) -> Any:
    """The answer has this status, and a body as the operation's model says; returns the body."""
    assert response.status == status, response
    body = response.json()
    assert errors(ebay_response(*MODELS[operation], status), body) == []
    return body


def error_id(operation: str, response: Response, status: int = 400) -> int:
    return int(assert_model(operation, response, status)["errors"][0]["errorId"])


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def shipment(sale: Sale, **changes: Any) -> dict[str, Any]:
    items = [{"lineItemId": line.line_id, "quantity": line.quantity} for line in sale.lines]
    tracked = {"shippingCarrierCode": "USPS", "trackingNumber": "94055096999370", "shippedDate": stamp(START)}
    return {"lineItems": items, **tracked, **changes}


def ship(market: Ebay, sale: Sale, body: dict[str, Any]) -> Response:
    return ebay_call(market, "POST", f"{ORDER}/{sale.order_id}/shipping_fulfillment", body=body)


def order_of(market: Ebay, sale: Sale) -> Any:
    return assert_model("getOrder", ebay_call(market, "GET", f"{ORDER}/{sale.order_id}"), 200)


def cents(amount: dict[str, str]) -> int:
    return round(float(amount["value"]) * 100)


# --- orders -------------------------------------------------------------------------------------------


def test_orders_in_every_state_follow_the_model(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = populated(market, time)
    ship(market, first(sales), shipment(first(sales)))
    several = first(sales, lines=2)
    ship(market, several, shipment(several, lineItems=[{"lineItemId": several.lines[0].line_id, "quantity": 1}]))
    orders = assert_model("getOrders", ebay_call(market, "GET", ORDER, {"limit": "200"}), 200)["orders"]
    assert {order["orderFulfillmentStatus"] for order in orders} == {"NOT_STARTED", "IN_PROGRESS", "FULFILLED"}
    assert {order["cancelStatus"]["cancelState"] for order in orders} == {"NONE_REQUESTED", "CANCELED"}
    for sale in sales:
        order_of(market, sale)


@pytest.mark.parametrize("field_groups", ["", "TAX_BREAKDOWN"])
def test_the_sums_of_an_order_balance(ebay: tuple[Ebay, Time], field_groups: str) -> None:
    market, time = ebay
    sales = populated(market, time)
    assert any(sale.discount_minor and sale.tax_minor for sale in sales)
    for sale in sales:
        query = {"fieldGroups": field_groups}
        order = assert_model("getOrder", ebay_call(market, "GET", f"{ORDER}/{sale.order_id}", query), 200)
        pricing, payment = order["pricingSummary"], order["paymentSummary"]
        parts = ("priceSubtotal", "priceDiscount", "deliveryCost", "tax")
        assert cents(pricing["total"]) == sum(cents(pricing[part]) for part in parts if part in pricing)
        tax = cents(pricing["tax"]) if "tax" in pricing else 0
        taken = sum(cents(refund["amount"]) for refund in payment["refunds"])
        kept = cents(pricing["total"]) - tax - cents(order["totalMarketplaceFee"]) - taken
        assert cents(payment["totalDueSeller"]) == kept
        lines_total = sum(cents(line["total"]) for line in order["lineItems"])
        assert lines_total == cents(pricing["total"]) - tax
        collected = [each for line in order["lineItems"] for each in line.get("ebayCollectAndRemitTaxes", [])]
        basis = lines_total + sum(cents(each["amount"]) for each in collected)
        assert cents(order["totalFeeBasisAmount"]) == basis


def test_tax_is_in_the_total_only_when_broken_down(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = next(sale for sale in populated(market, time) if sale.tax_minor)
    path = f"{ORDER}/{sale.order_id}"
    plain = ebay_call(market, "GET", path).json()["pricingSummary"]
    broken_down = ebay_call(market, "GET", path, {"fieldGroups": "TAX_BREAKDOWN"}).json()["pricingSummary"]
    assert cents(broken_down["total"]) - cents(plain["total"]) == sale.tax_minor


def test_next_links_lead_over_all_pages_oldest_change_first(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time)
    window = f"lastmodifieddate:[2026-05-01T00:00:00.000Z..{stamp(time.now)}]"
    query = {"filter": window, "limit": "7"}
    seen: list[str] = []
    while True:
        page = assert_model("getOrders", ebay_call(market, "GET", ORDER, query), 200)
        assert page["total"] == 60
        seen += [order["orderId"] for order in page["orders"]]
        if "next" not in page:
            break
        link = urlsplit(page["next"])
        assert (f"{link.scheme}://{link.netloc}", link.path) == ("https://api.ebay.com", ORDER)
        query = dict(parse_qsl(link.query))
    changed = sorted(market.shelf.sales.values(), key=lambda sale: (sale.updated_at, sale.number))
    assert seen == [sale.order_id for sale in changed]


def test_a_change_brings_the_order_back_into_the_window(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    since = time.pass_(minutes=5)
    query = {"filter": f"lastmodifieddate:[{stamp(since)}..]"}
    assert ebay_call(market, "GET", ORDER, query).json()["orders"] == []
    time.pass_(minutes=1)
    ship(market, sale, shipment(sale))
    assert [order["orderId"] for order in ebay_call(market, "GET", ORDER, query).json()["orders"]] == [sale.order_id]


def test_order_ids_make_every_other_parameter_void(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    wanted = [sale.order_id for sale in populated(market, time)[:3]]
    query = {
        "orderIds": ",".join([*wanted, "12-00000-99999"]),
        "filter": "lastmodifieddate:[2026-05-05T00:00:00.000Z..]",
    }
    page = assert_model("getOrders", ebay_call(market, "GET", ORDER, query), 200)
    assert {order["orderId"] for order in page["orders"]} == set(wanted)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "201"}, 31100),
        ({"limit": "0"}, 31100),
        ({"offset": "-1"}, 31000),
        ({"fieldGroups": "MONEY"}, 32800),
        ({"orderIds": ",".join(["12-00000-00001"] * 51)}, 30900),
        ({"filter": "lastmodified:[2026-01-01T00:00:00.000Z..]"}, 30700),
        ({"filter": "lastmodifieddate:2026-01-01T00:00:00.000Z"}, 30800),
        ({"filter": "lastmodifieddate:[..2026-01-01T00:00:00.000Z]"}, 30820),
        ({"filter": "lastmodifieddate:[2026-01-01..]"}, 30810),
        ({"filter": f"lastmodifieddate:[{stamp(START + timedelta(hours=1))}..]"}, 30850),
        ({"filter": "lastmodifieddate:[2026-03-01T00:00:00.000Z..2026-02-01T00:00:00.000Z]"}, 30840),
        ({"filter": "lastmodifieddate:[2023-01-01T00:00:00.000Z..2026-02-01T00:00:00.000Z]"}, 30830),
        ({"filter": "orderfulfillmentstatus:{NOT_STARTED}"}, 30800),
    ],
)
def test_a_search_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], query: dict[str, str], expected: int
) -> None:
    assert error_id("getOrders", ebay_call(ebay[0], "GET", ORDER, query)) == expected


def test_cancel_requests_are_shown_by_get_order_alone(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = next(sale for sale in populated(market, time) if sale.cancelled_at)
    listed = ebay_call(market, "GET", ORDER, {"orderIds": sale.order_id}).json()["orders"][0]
    assert (listed["cancelStatus"]["cancelState"], listed["cancelStatus"]["cancelRequests"]) == ("CANCELED", [])
    assert order_of(market, sale)["cancelStatus"]["cancelRequests"][0]["cancelRequestState"] == "COMPLETED"


# --- shipments ----------------------------------------------------------------------------------------


def test_a_parcel_is_made_with_an_empty_answer_and_read_back(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    body = shipment(sale)
    assert errors(ebay_request_body(*MODELS["createShippingFulfillment"]), body) == []
    answer = ship(market, sale, body)
    assert (answer.status, answer.body) == (201, b"")
    path = urlsplit(answer.headers["Location"]).path
    read = assert_model("getShippingFulfillment", ebay_call(market, "GET", path), 200)
    assert (read["fulfillmentId"], read["lineItems"]) == (body["trackingNumber"], body["lineItems"])
    everything = ebay_call(market, "GET", path.rpartition("/")[0])
    assert assert_model("getShippingFulfillments", everything, 200) == {"total": 1, "fulfillments": [read]}
    assert order_of(market, sale)["fulfillmentHrefs"] == [answer.headers["Location"]]


def test_a_line_reads_fulfilled_once_any_of_its_units_has_left(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time, count=200), units=2)
    line = sale.lines[0]
    ship(market, sale, shipment(sale, lineItems=[{"lineItemId": line.line_id, "quantity": 1}]))
    assert order_of(market, sale)["lineItems"][0]["lineItemFulfillmentStatus"] == "FULFILLED"
    rest = shipment(sale, lineItems=[{"lineItemId": line.line_id, "quantity": line.quantity - 1}], trackingNumber="X2")
    assert ship(market, sale, rest).status == 201
    assert sale.open_units(line.line_id) == 0


def test_a_parcel_sent_twice_is_refused_for_there_is_no_idempotency(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    ship(market, sale, shipment(sale))
    assert error_id("createShippingFulfillment", ship(market, sale, shipment(sale))) == 34500
    assert error_id("createShippingFulfillment", ship(market, sale, shipment(sale, trackingNumber="Y1"))) == 32600
    assert len(sale.parcels) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lineItems": []}, 32600),
        ({"lineItems": [{"lineItemId": "1", "quantity": 1}]}, 32200),
        ({"trackingNumber": "1Z 999"}, 32300),
        ({"trackingNumber": ""}, 32300),
        ({"shippingCarrierCode": ""}, 32300),
        ({"shippedDate": "04/05/2026"}, 32500),
    ],
)
def test_a_parcel_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], changes: dict[str, Any], expected: int
) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    assert error_id("createShippingFulfillment", ship(market, sale, shipment(sale, **changes))) == expected
    assert sale.parcels == []


def test_a_line_named_twice_is_refused(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    twice = [{"lineItemId": sale.lines[0].line_id, "quantity": 1}] * 2
    assert error_id("createShippingFulfillment", ship(market, sale, shipment(sale, lineItems=twice))) == 32210


# --- inventory ----------------------------------------------------------------------------------------


def update(market: Ebay, *requests: dict[str, Any]) -> Response:
    return ebay_call(market, "POST", BULK, body={"requests": list(requests)})


def entry(quantity: Any, sku: str = SKU, **offer: Any) -> dict[str, Any]:
    offers = [{"offerId": ebay_offer_id(sku), "availableQuantity": quantity, **offer}]
    return {"sku": sku, "shipToLocationAvailability": {"quantity": quantity}, "offers": offers}


def test_a_quantity_and_price_are_set_and_read_back(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    change = entry(5, price={"value": "15.25", "currency": "USD"})
    assert errors(ebay_request_body(*MODELS["bulkUpdatePriceQuantity"]), {"requests": [change]}) == []
    body = assert_model("bulkUpdatePriceQuantity", update(market, change), 200)
    assert body["responses"] == [{"sku": SKU, "offerId": ebay_offer_id(SKU), "statusCode": 200}]
    answer = ebay_call(market, "GET", f"/sell/inventory/v1/inventory_item/{SKU}")
    item = assert_model("getInventoryItem", answer, 200)
    assert item["availability"]["shipToLocationAvailability"]["quantity"] == 5
    assert (market.shelf.listings[SKU].available, market.shelf.listings[SKU].price_minor) == (5, 1525)


def test_each_element_is_judged_alone(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    body = assert_model(
        "bulkUpdatePriceQuantity", update(market, entry(4), entry(-1, OTHER_SKU), entry(1, "NO-SUCH")), 207
    )
    assert [response["statusCode"] for response in body["responses"]] == [200, 400, 400]
    assert market.shelf.listings[SKU].available == 4
    assert market.shelf.listings[OTHER_SKU].available == CATALOGUE[1].quantity


def test_the_smaller_of_both_quantities_is_on_offer(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    update(market, {"sku": SKU, "shipToLocationAvailability": {"quantity": 9}, "offers": entry(4)["offers"]})
    assert market.shelf.listings[SKU].available == 4
    update(market, {"sku": SKU, "shipToLocationAvailability": {"quantity": 2}})
    assert market.shelf.listings[SKU].available == 2


def test_the_offer_of_another_sku_is_refused(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    body = assert_model("bulkUpdatePriceQuantity", update(market, entry(1, offerId=ebay_offer_id(OTHER_SKU))), 207)
    assert body["responses"][0]["errors"][0]["errorId"] == 25713


def test_a_call_of_26_entries_or_an_offer_named_twice_changes_nothing(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    for requests in (
        [entry(1)] + [{"sku": SKU, "shipToLocationAvailability": {"quantity": 1}}] * 25,
        [entry(1), entry(2)],
        [],
    ):
        assert_model("bulkUpdatePriceQuantity", update(market, *requests), 400)
    assert market.shelf.listings[SKU].available == CATALOGUE[0].quantity


def test_an_unknown_sku_gets_404(ebay: tuple[Ebay, Time]) -> None:
    assert_model("getInventoryItem", ebay_call(ebay[0], "GET", "/sell/inventory/v1/inventory_item/NO-SUCH"), 404)


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_lives_two_hours_and_none_is_refused(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    token = ebay_token(market)
    assert ebay_call(market, "GET", ORDER, token=token).status == 200
    time.pass_(hours=2, seconds=1)
    for dead in (token, ""):
        answer = ebay_call(market, "GET", ORDER, token=dead)
        assert (answer.status, answer.json()["errors"][0]["errorId"]) == (401, 1001)


def test_credentials_and_grant_must_be_right(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    path, body = "/identity/v1/oauth2/token", b"grant_type=refresh_token&refresh_token=wrong"
    for header, status, error in (("Basic eDp5", 401, "invalid_client"), (ebay_basic(market), 400, "invalid_grant")):
        answer = market.handle(Request("POST", path, {}, {**FORM, "Authorization": header}, body))
        assert (answer.status, answer.json()["error"]) == (status, error)
