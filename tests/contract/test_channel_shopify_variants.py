"""What the stand-in shop lists, and prices set in it, under the official schema."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse

from chalicelib.channels.access import Access
from chalicelib.channels.facts import ListedItem
from chalicelib.channels.port import Price
from chalicelib.channels.shopify import documents_account
from chalicelib.channels.shopify.client import ShopifyClient
from chalicelib.domain.errors import Busy, Refused
from chalicelib.inbound.accounts import JOBS
from cli.listings import patiently
from local.marketplaces.catalogue import CATALOGUE, Listing, listing_ids
from local.marketplaces.shopify_graphql import requested_cost
from tests.contract.shopify_seller import GATEWAY, START_MS, Seller, account, answer, secret, seller
from tests.trade import Trade, settle_down

MUG, BOTTLE = CATALOGUE[0], CATALOGUE[1]


def price(on: Seller, sku: str, price_minor: int, currency: str = "USD", **refs: str) -> Price:
    ids = {**listing_ids(sku)["shopify"], "location_id": on.market.location_id, **refs}
    return Price(sku, ids, price_minor, currency, 1)


def costs(on: Seller, *listings: Listing) -> list[int]:
    return [on.market.shelf.listings[each.sku].price_minor for each in listings]


# --- listings -----------------------------------------------------------------------------------------


def test_every_variant_is_listed_with_the_ids_by_which_it_is_spoken_of() -> None:
    goods = tuple(Listing(f"SKU-{number}", f"Thing {number}", 1000 + number, quantity=number) for number in range(45))
    on = seller(catalogue=goods)
    on.market.shelf.listings["SKU-7"].live = False
    found = list(on.client.listings())
    place = {"location_id": on.market.location_id}
    assert found == [
        ListedItem(
            channel_sku=each.sku,
            refs={**listing_ids(each.sku)["shopify"], **place},
            title=each.title,
            quantity=each.quantity,
            price_minor=each.price_minor,
            currency="USD",
            live=each.sku != "SKU-7",
        )
        for each in goods
    ]
    assert on.wire.operations.count("Variants") == 3


def variant(*levels: tuple[str, int], **changes: Any) -> dict[str, Any]:
    nodes = [{"location": {"id": place}, "quantities": [{"quantity": units}]} for place, units in levels]
    stock = {"id": "I", "tracked": True, "inventoryLevels": {"nodes": nodes}}
    product = {"id": "P", "status": "ACTIVE"}
    return {"id": "V", "sku": "A", "displayName": "Mug - Red", "price": "9", "product": product} | {
        "inventoryItem": stock | changes.pop("stock", {}),
        **changes,
    }


def listed(*nodes: dict[str, Any], location_id: str = "") -> list[ListedItem]:
    on = seller()
    page = {"nodes": list(nodes), "pageInfo": {"hasNextPage": False, "endCursor": None}}
    told = {"data": {"shop": {"currencyCode": "JPY"}, "productVariants": page}}
    on.wire.instead["Variants"] = [answer(told)]
    settings = account() | {"location_id": location_id}
    return list(ShopifyClient(Access(on.wire, settings, secret(on.market), on.tokens, START_MS)).listings())


@pytest.mark.parametrize(
    ("levels", "named", "place", "quantity"),
    [
        ([("L1", 4)], "", "L1", 4),
        ([("L1", 4), ("L2", 5)], "L2", "L2", 5),
        ([("L1", 4), ("L2", 5)], "", None, None),
        ([("L1", 4)], "L3", "L3", None),
        ([], "", None, None),
    ],
)
def test_the_accounts_location_counts_or_the_only_one(
    levels: list[tuple[str, int]], named: str, place: str | None, quantity: int | None
) -> None:
    (item,) = listed(variant(*levels), location_id=named)
    assert (item.refs.get("location_id"), item.quantity) == (place, quantity)


def test_what_is_not_counted_has_no_quantity_what_has_no_sku_is_left_out_and_yen_have_no_cents() -> None:
    (item,) = listed(variant(("L1", 4), stock={"tracked": False}), variant(sku=None), variant(sku=""))
    assert (item.quantity, item.title, item.price_minor, item.currency) == (None, "Mug - Red", 9, "JPY")


# --- prices -------------------------------------------------------------------------------------------


def test_prices_are_set_product_by_product() -> None:
    on = seller()
    assert on.client.push_prices([price(on, MUG.sku, 1999), price(on, BOTTLE.sku, 2500)]) == [None, None]
    assert costs(on, MUG, BOTTLE) == [1999, 2500]
    assert on.wire.operations.count("SetPrices") == 2
    assert on.wire.variables("SetPrices")[0]["variants"][0]["price"] == "19.99"


def test_one_wrong_variant_is_refused_and_the_others_of_its_product_are_set() -> None:
    on = seller()
    product = listing_ids(MUG.sku)["shopify"]["product_id"]
    wrong = price(on, BOTTLE.sku, 100, product_id=product)  # a variant of another product
    first, second = on.client.push_prices([wrong, price(on, MUG.sku, 1999)])
    assert isinstance(first, Refused)
    assert (first.reason, second) == ("price_refused", None)
    assert costs(on, MUG, BOTTLE) == [1999, BOTTLE.price_minor]
    assert on.wire.operations.count("SetPrices") == 1


def test_an_error_that_names_no_variant_refuses_the_whole_product_and_no_other() -> None:
    on = seller()
    gone = price(on, MUG.sku, 1999, product_id="gid://shopify/Product/1")
    first, second = on.client.push_prices([gone, price(on, BOTTLE.sku, 2500)])
    assert isinstance(first, Refused)
    assert second is None
    assert costs(on, MUG, BOTTLE) == [MUG.price_minor, 2500]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"product_id": ""}, "listing_incomplete"),
        ({"variant_id": ""}, "listing_incomplete"),
        ({"currency": "EUR"}, "wrong_currency"),
    ],
)
def test_what_cannot_be_said_is_refused_without_a_call(change: dict[str, str], reason: str) -> None:
    on = seller()
    (refused,) = on.client.push_prices([price(on, MUG.sku, 1999, **change)])
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert "SetPrices" not in on.wire.operations


@pytest.mark.parametrize("operation", ["Shop", "SetPrices"])
def test_a_lost_answer_is_busy_and_the_next_attempt_sets_the_price(operation: str) -> None:
    on = seller()
    on.wire.instead[operation] = [GATEWAY]
    (outcome,) = on.client.push_prices([price(on, MUG.sku, 1999)])
    assert isinstance(outcome, Busy)
    assert on.client.push_prices([price(on, MUG.sku, 1999)]) == [None]
    assert costs(on, MUG) == [1999]


def test_an_answer_that_says_nothing_is_not_taken_for_a_yes() -> None:
    on = seller()
    on.wire.instead["SetPrices"] = [answer({"data": {"productVariantsBulkUpdate": None}})]
    (outcome,) = on.client.push_prices([price(on, MUG.sku, 1999)])
    assert isinstance(outcome, Busy)


# --- against the application --------------------------------------------------------------------------


def test_a_quantity_that_somebody_changed_in_the_shop_is_found_and_set_again() -> None:
    trade = Trade()
    trade.markets.sell("shopify", 1, MUG.sku)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    trade.pass_time(3600)
    trade.markets.shopify.shelf.listings[MUG.sku].quantity += 7
    assert trade.shown() != trade.expected()
    JOBS["check_listings"](trade.world.runtime)
    trade.pass_time(60)
    assert trade.shown() == trade.expected()


def test_listings_go_on_where_points_ran_out_and_nothing_is_left_out() -> None:
    goods = tuple(Listing(f"SKU-{number}", f"Thing {number}", 1000, quantity=1) for number in range(45))
    on, waits = seller(catalogue=goods), list[float]()
    points = on.market.points
    points.burst = points.tokens = requested_cost(parse(documents_account.VARIANTS), {})  # a page, and no second one

    def wait(seconds: float) -> None:
        waits.append(seconds)
        on.time.pass_(seconds=seconds)

    assert [item.channel_sku for item in patiently(on.client.listings(), wait)] == [each.sku for each in goods]
    assert on.wire.operations.count("Variants") == 3  # none was sent in vain
    assert len(waits) == 2
