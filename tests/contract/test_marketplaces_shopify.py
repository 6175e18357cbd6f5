"""The stand-in Shopify speaks a part of the official schema, and refuses what the live API refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from local.marketplaces.catalogue import CATALOGUE, Listing, shopify_inventory_item_id
from local.marketplaces.shelf import Change, Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_graphql import schema
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.wire import Request
from tests.contract.marketplaces_calls import FORM, JSON, Time, first, graphql, opened, populated, shopify_token
from tests.contract.marketplaces_models import shopify_document, shopify_schema, shopify_variables
from tests.shared_data import shared

SKU = CATALOGUE[0].sku
ITEM = f"gid://shopify/InventoryItem/{shopify_inventory_item_id(SKU)}"

ORDERS = """
query Orders($query: String, $first: Int!, $after: String) {
  orders(query: $query, sortKey: UPDATED_AT, first: $first, after: $after) {
    nodes { id name updatedAt displayFinancialStatus }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ORDER = """
query Order($id: ID!) {
  order(id: $id) {
    id legacyResourceId name createdAt updatedAt cancelledAt cancelReason currencyCode
    displayFinancialStatus displayFulfillmentStatus email
    totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
    currentTotalPriceSet { shopMoney { amount } }
    subtotalPriceSet { shopMoney { amount } }
    totalTaxSet { shopMoney { amount } }
    totalShippingPriceSet { shopMoney { amount } }
    totalReceivedSet { shopMoney { amount } }
    totalRefundedSet { shopMoney { amount } }
    shippingAddress { name address1 city provinceCode zip countryCodeV2 }
    lineItems(first: 50) {
      nodes { id sku quantity currentQuantity originalUnitPriceSet { shopMoney { amount } } taxLines { priceSet { shopMoney { amount } } } }
    }
    transactions(first: 10) { kind status amountSet { shopMoney { amount } } }
    refunds(first: 10) { id refundLineItems(first: 50) { nodes { quantity lineItem { id } } } }
    fulfillmentOrders(first: 10) {
      nodes {
        id status assignedLocation { location { id } }
        lineItems(first: 50) { nodes { id remainingQuantity totalQuantity lineItem { id } } }
      }
    }
    fulfillments(first: 10) { id status trackingInfo { number company url } fulfillmentLineItems(first: 9) { nodes { quantity } } }
  }
}
"""
LEVEL = """
query Level($item: ID!, $location: ID!) {
  inventoryItem(id: $item) {
    sku
    inventoryLevel(locationId: $location) { id quantities(names: ["available", "committed", "on_hand"]) { name quantity } }
    inventoryLevels(first: 2) { nodes { location { id } } }
  }
}
"""
LEVEL_BY_ID = 'query Level($id: ID!) { inventoryLevel(id: $id) { quantities(names: ["available"]) { quantity } item { sku } } }'
SET = """
mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta item { id } location { id } } }
    userErrors { field message code }
  }
}
"""
SHIP = """
mutation Ship($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status totalQuantity } userErrors { field message } }
}
"""


@pytest.fixture
def shopify() -> tuple[Shopify, Time]:
    return opened(Shopify)


def answered(shop: Shopify, query: str, variables: dict[str, Any]) -> Any:
    """The data of an answer without errors, to a document and variables that the official schema accepts."""
    assert shopify_document(query) == []
    assert shopify_variables(query, variables) == []
    answer = graphql(shop, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]


def quantity(value: int, expected: int | None, item: str = ITEM, location: str = "") -> dict[str, Any]:
    return {"inventoryItemId": item, "locationId": location, "quantity": value, "changeFromQuantity": expected}


def set_quantities(shop: Shopify, *quantities: dict[str, Any], key: str = "k1", **changes: Any) -> Any:
    located = [{**each, "locationId": each["locationId"] or shop.location_id} for each in quantities]
    asked = {"name": "available", "reason": "correction", "quantities": located, **changes}
    return answered(shop, SET, {"input": asked, "key": key})["inventorySetQuantities"]


def error_codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


def order_of(shop: Shopify, sale: Sale) -> Any:
    return answered(shop, ORDER, {"id": f"gid://shopify/Order/{sale.order_id}"})["order"]


def ship(shop: Shopify, sale: Sale, units: list[int] | None = None, **tracking: str) -> Any:
    """Ships `units` of each line, or all that remains."""
    fulfillment_order = order_of(shop, sale)["fulfillmentOrders"]["nodes"][0]
    group: dict[str, Any] = {"fulfillmentOrderId": fulfillment_order["id"]}
    if units is not None:
        lines = fulfillment_order["lineItems"]["nodes"]
        group["fulfillmentOrderLineItems"] = [
            {"id": line["id"], "quantity": each} for line, each in zip(lines, units, strict=False) if each
        ]
    asked = {"lineItemsByFulfillmentOrder": [group], "trackingInfo": tracking or {"company": "UPS", "number": "1Z1"}}
    return answered(shop, SHIP, {"fulfillment": asked})["fulfillmentCreate"]


# --- the schema ---------------------------------------------------------------------------------------


def test_every_type_field_and_argument_exists_in_the_official_schema_with_the_same_type() -> None:
    official, ours = shopify_schema(), schema()
    checked = 0
    for name, kind in ours.type_map.items():
        if name.startswith("__"):
            continue
        theirs: Any = official.type_map[name]
        assert type(theirs) is type(kind), name
        if isinstance(kind, GraphQLEnumType):
            assert kind.values.keys() <= theirs.values.keys(), name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                assert str(theirs.fields[field_name].type) == str(field.type), f"{name}.{field_name}"
                checked += 1
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, output_field in kind.fields.items():
                their_arguments = theirs.fields[field_name].args
                for argument_name, argument in output_field.args.items():
                    assert str(their_arguments[argument_name].type) == str(argument.type), f"{name}.{field_name}"
    assert checked > 250
    for directive in ours.directives:
        their_directive = official.get_directive(directive.name)
        assert their_directive is not None or directive.name in {"specifiedBy", "oneOf"}, directive.name


def test_the_official_schema_accepts_these_documents_and_refuses_a_misspelt_one() -> None:
    for document in (ORDERS, ORDER, LEVEL, LEVEL_BY_ID, SET, SHIP):
        assert shopify_document(document) == []
    assert shopify_document(ORDER.replace("cancelReason", "cancellationReason")) != []


# --- orders -------------------------------------------------------------------------------------------


def test_the_amounts_of_an_order_add_up_in_every_state(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sales = populated(shop, time)
    ship(shop, first(sales))
    states = set()
    for sale in sales:
        time.pass_(seconds=10)
        order = order_of(shop, sale)
        states.add((order["displayFinancialStatus"], order["displayFulfillmentStatus"]))
        total, parts = money(order["totalPriceSet"]), ("subtotalPriceSet", "totalTaxSet", "totalShippingPriceSet")
        assert total == sum(money(order[part]) for part in parts)
        taxes = [money(tax["priceSet"]) for line in order["lineItems"]["nodes"] for tax in line["taxLines"]]
        assert money(order["totalTaxSet"]) == sum(taxes)
        if order["cancelledAt"]:
            assert (money(order["currentTotalPriceSet"]), money(order["totalRefundedSet"])) == (0, money(order["totalReceivedSet"]))
            assert {line["currentQuantity"] for line in order["lineItems"]["nodes"]} == {0}
    assert states >= {("PAID", "UNFULFILLED"), ("PAID", "FULFILLED"), ("REFUNDED", "UNFULFILLED"), ("VOIDED", "UNFULFILLED")}


def money(bag: Any) -> int:
    return round(float(bag["shopMoney"]["amount"]) * 100)


def test_pages_by_updated_at_miss_no_order_though_one_moves(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sales = populated(shop, time)
    variables: dict[str, Any] = {"query": "updated_at:>='2026-05-04T00:00:00Z'", "first": 7, "after": None}
    seen: list[str] = []
    while True:
        page = answered(shop, ORDERS, variables)["orders"]
        seen += [node["id"] for node in page["nodes"]]
        if len(seen) == 7:
            ship(shop, first(sales[10:]))  # moves to the end, behind the cursor's place
        if not page["pageInfo"]["hasNextPage"]:
            break
        variables["after"] = page["pageInfo"]["endCursor"]
    assert set(seen) == {f"gid://shopify/Order/{sale.order_id}" for sale in sales}


def test_a_search_by_date_finds_what_was_updated_since(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = first(populated(shop, time))
    since = time.pass_(minutes=1).strftime("%Y-%m-%dT%H:%M:%SZ")
    variables = {"query": f"updated_at:>='{since}'", "first": 10}
    assert answered(shop, ORDERS, variables)["orders"]["nodes"] == []
    time.pass_(minutes=1)
    ship(shop, sale)
    nodes = answered(shop, ORDERS, variables)["orders"]["nodes"]
    assert [node["id"] for node in nodes] == [f"gid://shopify/Order/{sale.order_id}"]


@pytest.mark.parametrize(
    "variables",
    [
        {"query": "updatedat:>='2026-05-04T00:00:00Z'", "first": 5},
        {"query": "updated_at:>='yesterday'", "first": 5},
        {"query": "everything please", "first": 5},
        {"query": "", "first": 251},
        {"query": "", "first": 5, "after": "nonsense"},
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(shopify: tuple[Shopify, Time], variables: dict[str, Any]) -> None:
    shop, time = shopify
    populated(shop, time, count=3)
    assert graphql(shop, ORDERS, variables)["errors"]


def test_an_unknown_order_is_null(shopify: tuple[Shopify, Time]) -> None:
    assert answered(shopify[0], ORDER, {"id": "gid://shopify/Order/1"}) == {"order": None}


# --- inventory ----------------------------------------------------------------------------------------


def test_a_quantity_is_set_and_read_back(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    payload = set_quantities(shop, quantity(5, CATALOGUE[0].quantity))
    delta = 5 - CATALOGUE[0].quantity
    assert [(change["name"], change["delta"]) for change in payload["inventoryAdjustmentGroup"]["changes"]] == [
        ("available", delta),
        ("on_hand", delta),
    ]
    item = answered(shop, LEVEL, {"item": ITEM, "location": shop.location_id})["inventoryItem"]
    assert item["sku"] == SKU
    level = answered(shop, LEVEL_BY_ID, {"id": item["inventoryLevel"]["id"]})["inventoryLevel"]
    assert level == {"quantities": [{"quantity": 5}], "item": {"sku": SKU}}


def test_an_order_moves_units_from_available_to_committed_and_a_shipment_takes_them(shopify: tuple[Shopify, Time]) -> None:
    shop, time = opened(Shopify, (Listing(SKU, "Mug", 1000, "USD", 10),))
    sale = first(populated(shop, time, count=1) + populated(shop, time, count=5))
    sold = sum(line.quantity for each in shop.shelf.sales.values() if not each.cancelled_at for line in each.lines)

    def states() -> dict[str, int]:
        item = answered(shop, LEVEL, {"item": ITEM, "location": shop.location_id})["inventoryItem"]
        return {each["name"]: each["quantity"] for each in item["inventoryLevel"]["quantities"]}

    assert states() == {"available": 10 - sold, "committed": sold, "on_hand": 10}
    ship(shop, sale)
    shipped = sale.shipped_units
    assert states() == {"available": 10 - sold, "committed": sold - shipped, "on_hand": 10 - shipped}


def test_a_stale_comparison_is_refused_and_null_compares_nothing(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    assert error_codes(set_quantities(shop, quantity(5, 3))) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert shop.shelf.listings[SKU].quantity == CATALOGUE[0].quantity
    assert error_codes(set_quantities(shop, quantity(5, None), key="k2")) == []
    assert shop.shelf.listings[SKU].quantity == 5


def test_one_key_acts_once(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    once = set_quantities(shop, quantity(5, None))
    shop.shelf.listings[SKU].take(2)
    assert set_quantities(shop, quantity(5, None)) == once
    assert shop.shelf.listings[SKU].quantity == 3
    assert error_codes(set_quantities(shop, quantity(6, None))) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]


def test_a_failed_attempt_uses_its_key_up(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    stale = quantity(5, 3)
    set_quantities(shop, stale)
    assert error_codes(set_quantities(shop, stale)) == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


@pytest.mark.parametrize(
    ("changes", "quantities", "code"),
    [
        ({"name": "committed"}, [quantity(1, None)], "INVALID_NAME"),
        ({"reason": "because"}, [quantity(1, None)], "INVALID_REASON"),
        ({}, [quantity(-1, None)], "INVALID_QUANTITY_NEGATIVE"),
        ({}, [quantity(1_000_000_001, None)], "INVALID_QUANTITY_TOO_HIGH"),
        ({}, [quantity(1, None, item="gid://shopify/InventoryItem/1")], "INVALID_INVENTORY_ITEM"),
        ({}, [quantity(1, None, location="gid://shopify/Location/1")], "INVALID_LOCATION"),
        ({}, [quantity(1, None), quantity(2, None)], "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"),
    ],
)
def test_one_wrong_quantity_leaves_all_as_they_were(
    shopify: tuple[Shopify, Time], changes: dict[str, str], quantities: list[dict[str, Any]], code: str
) -> None:
    shop, _ = shopify
    other = quantity(7, None, item=f"gid://shopify/InventoryItem/{shopify_inventory_item_id(CATALOGUE[1].sku)}")
    payload = set_quantities(shop, other, *quantities, **changes)
    assert (payload["inventoryAdjustmentGroup"], error_codes(payload)) == (None, [code])
    assert shop.shelf.listings[CATALOGUE[1].sku].quantity == CATALOGUE[1].quantity


def test_2026_04_demands_the_directive_and_the_comparison(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    whole = {"name": "available", "reason": "correction", "quantities": [quantity(5, None, location=shop.location_id)]}
    without_key = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    answer = graphql(shop, without_key, {"input": whole})
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"inventorySetQuantities": None}, "BAD_REQUEST")
    del whole["quantities"][0]["changeFromQuantity"]  # type: ignore[attr-defined]
    answer = graphql(shop, SET, {"input": whole, "key": "k1"})
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    answer = graphql(shop, SET, {"input": {**whole, "ignoreCompareQuantity": True}, "key": "k1"})
    assert (answer["errors"][0]["extensions"]["code"], "data" in answer) == ("INVALID_VARIABLE", False)
    assert shop.shelf.listings[SKU].quantity == CATALOGUE[0].quantity


# --- shipments ----------------------------------------------------------------------------------------


def test_a_shipment_closes_its_fulfilment_order_and_cannot_be_repeated(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = first(populated(shop, time))
    assert ship(shop, sale, company="DHL", number="JD1", url="https://example.com/JD1")["userErrors"] == []
    order = order_of(shop, sale)
    assert [fulfillment["trackingInfo"] for fulfillment in order["fulfillments"]] == [
        [{"number": "JD1", "company": "DHL", "url": "https://example.com/JD1"}]
    ]
    assert order["fulfillmentOrders"]["nodes"][0]["status"] == "CLOSED"
    assert ship(shop, sale)["userErrors"] != []
    assert len(sale.parcels) == 1


def test_no_more_ships_than_remains(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = first(populated(shop, time), lines=2)
    ordered = sale.lines[0].quantity
    assert ship(shop, sale, [ordered + 1])["userErrors"] != []
    assert ship(shop, sale, [ordered])["userErrors"] == []
    order = order_of(shop, sale)
    fulfillment_order = order["fulfillmentOrders"]["nodes"][0]
    assert (order["displayFulfillmentStatus"], fulfillment_order["status"]) == ("PARTIALLY_FULFILLED", "IN_PROGRESS")
    assert ship(shop, sale, [1])["userErrors"] != []
    assert ship(shop, sale)["userErrors"] == []
    assert sale.fully_shipped


def test_a_cancelled_order_cannot_ship(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = next(sale for sale in populated(shop, time) if sale.cancelled_at)
    assert ship(shop, sale)["userErrors"] != []


# --- tokens and costs ---------------------------------------------------------------------------------


def test_a_token_lives_a_day_and_none_is_refused(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    token, path = shopify_token(shop), "/admin/api/2026-10/graphql.json"
    assert "data" in graphql(shop, ORDERS, {"first": 1}, token)
    time.pass_(hours=24)
    for dead in (token, ""):
        answer = shop.handle(Request("POST", path, {}, {**JSON, "X-Shopify-Access-Token": dead}, b'{"query":"{__typename}"}'))
        assert answer.status == 401
    old = shop.handle(Request("POST", path.replace("2026-10", "2020-01"), {}, JSON, b"{}"))
    assert old.status == 404


def test_the_wrong_secret_gets_no_token(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    fields = f"grant_type=client_credentials&client_id={shop.client_id}&client_secret=wrong"
    assert shop.handle(Request("POST", "/admin/oauth/access_token", {}, FORM, fields.encode())).status == 400


def test_points_are_spent_and_restored_by_100_a_second(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = populated(shop, time, count=1)[0]
    variables = {"id": f"gid://shopify/Order/{sale.order_id}"}
    token = shopify_token(shop)
    for _ in range(1000):
        answer = graphql(shop, ORDER, variables, token)
        if "errors" in answer:
            break
        assert answer["extensions"]["cost"]["actualQueryCost"] <= answer["extensions"]["cost"]["requestedQueryCost"]
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answer["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 100
    time.pass_(seconds=10)
    assert "errors" not in graphql(shop, ORDER, variables, token)


def test_a_document_that_costs_over_1000_points_is_refused(shopify: tuple[Shopify, Time]) -> None:
    shop, _ = shopify
    nested = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { variant { id } taxLines { title } } } } } }"
    assert graphql(shop, nested)["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


# --- webhooks -----------------------------------------------------------------------------------------


def sample_body(topic: str) -> dict[str, Any]:
    text = shared(f"samples/shopify/webhooks-2024-10/{topic}.json").read_text(encoding="utf-8")
    body: dict[str, Any] = json.loads(text)["body"]
    return body


def test_a_webhook_body_has_the_fields_of_the_samples(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = next(sale for sale in populated(shop, time) if sale.tax_minor and sale.discount_minor)
    ours, sample = rest_order(shop, sale), sample_body("orders.create")
    assert ours.keys() == sample.keys()
    for part in ("customer", "shipping_address", "billing_address"):
        assert ours[part].keys() == sample[part].keys()
    for part in ("line_items", "shipping_lines"):
        assert ours[part][0].keys() == sample[part][0].keys()
    assert ours["customer"]["default_address"].keys() >= sample["customer"]["default_address"].keys()
    for name, value in sample.items():
        if isinstance(value, str | list | dict) and ours[name] is not None:
            assert type(ours[name]) is type(value), name


def test_refunds_and_fulfilments_in_a_webhook_have_the_fields_of_the_samples(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sales = populated(shop, time)
    cancelled, shipped = next(sale for sale in sales if sale.cancelled_at and sale.paid), first(sales)
    ship(shop, shipped)
    sample, ours = sample_body("refunds.create"), rest_order(shop, cancelled)["refunds"][0]
    assert ours.keys() >= sample.keys()
    assert ours["refund_line_items"][0].keys() == sample["refund_line_items"][0].keys()
    left_out = {"email", "destination"}  # only of the fulfilment topics, not of a fulfilment inside an order
    assert rest_order(shop, shipped)["fulfillments"][0].keys() == sample_body("fulfillments.create").keys() - left_out


def test_the_rest_and_the_graphql_shape_tell_the_same(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    for sale in populated(shop, time):
        time.pass_(seconds=10)
        rest, node = rest_order(shop, sale), order_of(shop, sale)
        assert rest["admin_graphql_api_id"] == node["id"]
        assert round(float(rest["total_price"]) * 100) == money(node["totalPriceSet"])
        assert rest["financial_status"].upper() == node["displayFinancialStatus"]
        assert instant(rest["updated_at"]) == instant(node["updatedAt"])
        assert [line["quantity"] for line in rest["line_items"]] == [line["quantity"] for line in node["lineItems"]["nodes"]]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_webhook_is_signed_over_its_exact_bytes(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    sale = populated(shop, time, count=1)[0]
    for webhook in shop.webhooks(Change(sale.order_id, "created", time.now)):
        digest = hmac.new(shop.client_secret.encode(), webhook.body, hashlib.sha256).digest()
        assert webhook.headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()
        assert json.loads(webhook.body)["id"] == int(sale.order_id)


def test_each_change_has_its_topics_and_one_event_id(shopify: tuple[Shopify, Time]) -> None:
    shop, time = shopify
    populated(shop, time, count=100)
    topics: dict[str, set[str]] = {}
    for change in shop.drain_changes():
        webhooks = shop.webhooks(change)
        topics.setdefault(change.kind, set()).update(webhook.headers["X-Shopify-Topic"] for webhook in webhooks)
        assert len({webhook.headers["X-Shopify-Event-Id"] for webhook in webhooks}) == 1
        assert len({webhook.headers["X-Shopify-Webhook-Id"] for webhook in webhooks}) == len(webhooks)
    assert topics == {
        "created": {"orders/create", "orders/paid"},
        "paid": {"orders/paid", "orders/updated"},
        "cancelled": {"orders/cancelled", "orders/updated"},
    }
