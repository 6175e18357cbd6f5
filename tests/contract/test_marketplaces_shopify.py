"""The stand-in Shopify speaks a part of the official schema, and refuses what the live API refuses."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from local.marketplaces.catalogue import CATALOGUE, Listing, shopify_inventory_item_id
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_graphql import schema
from local.marketplaces.wire import Request
from tests.contract.marketplaces_calls import FORM, JSON, Time, first, graphql, opened, populated, shopify_token
from tests.contract.marketplaces_models import shopify_document, shopify_schema
from tests.contract.marketplaces_shopify_seller import (
    ITEM,
    LEVEL,
    LEVEL_BY_ID,
    ORDER,
    ORDERS,
    SET,
    SHIP,
    SKU,
    answered,
    error_codes,
    money,
    order_of,
    quantity,
    set_quantities,
    ship,
)


@pytest.fixture
def shopify() -> tuple[Shopify, Time]:
    return opened(Shopify)


# --- the schema ---------------------------------------------------------------------------------------


def test_every_type_field_and_argument_exists_in_the_official_schema_with_the_same_type() -> None:
    official, ours = shopify_schema(), schema()
    checked = 0
    for name in ours.type_map:
        kind: Any = ours.type_map[name]
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
            assert (money(order["currentTotalPriceSet"]), money(order["totalRefundedSet"])) == (
                0,
                money(order["totalReceivedSet"]),
            )
            assert {line["currentQuantity"] for line in order["lineItems"]["nodes"]} == {0}
    assert states >= {
        ("PAID", "UNFULFILLED"),
        ("PAID", "FULFILLED"),
        ("REFUNDED", "UNFULFILLED"),
        ("VOIDED", "UNFULFILLED"),
    }


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
        {"query": "(return_status:returned OR return_status:lost)", "first": 5},
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


def test_an_order_moves_units_from_available_to_committed_and_a_shipment_takes_them(
    shopify: tuple[Shopify, Time],
) -> None:
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
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (
        {"inventorySetQuantities": None},
        "BAD_REQUEST",
    )
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
        answer = shop.handle(
            Request("POST", path, {}, {**JSON, "X-Shopify-Access-Token": dead}, b'{"query":"{__typename}"}')
        )
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
    lines = "lineItems(first: 250) { nodes { id lineItem { variant { id } } } }"
    nested = f"{{ orders(first: 250) {{ nodes {{ fulfillmentOrders(first: 50) {{ nodes {{ {lines} }} }} }} }} }}"
    assert graphql(shop, nested)["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
