"""Who may call the stand-in Amazon, how often, and what happens when it is down; the seller's stores; his listings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.amazon_access import GRANTLESS_OPERATIONS
from local.marketplaces.amazon_plans import USAGE_PLANS
from local.marketplaces.catalogue import CATALOGUE, asin
from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request, Response
from tests.contract.marketplaces_amazon_office import NOTIFICATIONS, call, grantless_token
from tests.contract.marketplaces_calls import FORM, Time, amazon_call, amazon_token, opened

SELLERS = "/sellers/v1/marketplaceParticipations"
SEARCH = "/listings/2021-08-01/items/{sellerId}"


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def granted(market: Amazon, **fields: str) -> Response:
    form = {"client_id": market.client_id, "client_secret": market.client_secret, **fields}
    return market.handle(Request("POST", "/auth/o2/token", {}, FORM, urlencode(form).encode()))


# --- tokens -------------------------------------------------------------------------------------------


def test_a_grantless_token_opens_destinations_and_nothing_of_the_seller(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    grantless, seller = grantless_token(market), amazon_token(market)
    call(market, "GET", f"{NOTIFICATIONS}/destinations", 200, token=grantless)
    call(market, "GET", f"{NOTIFICATIONS}/destinations", 403, token=seller)
    call(market, "GET", SELLERS, 403, token=grantless)
    call(market, "GET", SELLERS, 200, token=seller)


def test_each_grantless_operation_refuses_the_sellers_token(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    paths = {route.operation: route for route in market.routes}
    for operation in GRANTLESS_OPERATIONS:
        path = paths[operation].pattern
        for name, value in (("destination_id", "d"), ("kind", "ORDER_CHANGE"), ("subscription_id", "s")):
            path = path.replace(f"(?P<{name}>[^/]+)", value)
        assert amazon_call(market, paths[operation].method, path).status == 403
        assert amazon_call(market, paths[operation].method, path, token=grantless_token(market)).status != 403


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "client_credentials", "scope": "profile"}, "invalid_scope"),
        ({"grant_type": "client_credentials"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_other_grants_and_scopes_are_refused(amazon: tuple[Amazon, Time], fields: dict[str, str], error: str) -> None:
    answer = granted(amazon[0], **fields)
    assert (answer.status, answer.json()["error"]) == (400, error)


def test_consent_taken_back_ends_live_tokens_and_new_grants_until_it_is_given_again(
    amazon: tuple[Amazon, Time],
) -> None:
    market, _ = amazon
    token = amazon_token(market)
    market.consented = False
    call(market, "GET", SELLERS, 403, token=token)
    refused = granted(market, grant_type="refresh_token", refresh_token=market.refresh_token)
    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")
    call(market, "GET", f"{NOTIFICATIONS}/destinations", 200, token=grantless_token(market))
    market.consented = True
    call(market, "GET", SELLERS, 200)


# --- limits -------------------------------------------------------------------------------------------


def test_every_operation_with_a_token_has_a_usage_plan_and_a_bucket(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    free = {"token", "putFile", "getFile"}
    assert {route.operation for route in market.routes} - free == set(USAGE_PLANS) == set(market.buckets)


def test_a_call_beyond_the_plan_is_counted_and_the_dies_refusals_are_not(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    token = amazon_token(market)
    for _ in range(15):
        call(market, "GET", SELLERS, 200, token=token)
    assert market.over_budget == {}
    call(market, "GET", SELLERS, 429, token=token)
    assert market.over_budget == {"getMarketplaceParticipations": 1}
    time.pass_(minutes=2)
    market.die.faults = Faults(throttled=1.0)
    assert amazon_call(market, "GET", SELLERS, token=token).status == 429
    assert market.over_budget == {"getMarketplaceParticipations": 1}


def test_a_throttled_hour_refuses_all_but_tokens_and_counts_nothing(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.throttled_until = time.now + timedelta(hours=1)
    call(market, "GET", SELLERS, 429, token=amazon_token(market))
    time.pass_(hours=1)
    call(market, "GET", SELLERS, 200)
    assert market.over_budget == {}


def test_a_down_hour_answers_a_gateways_page_to_tokens_too(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    token = amazon_token(market)
    market.down_until = time.now + timedelta(minutes=30)
    answer = amazon_call(market, "GET", SELLERS, token=token)
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html")
    assert granted(market, grant_type="refresh_token", refresh_token=market.refresh_token).status == 503
    time.pass_(minutes=30)
    call(market, "GET", SELLERS, 200, token=token)


# --- stores and listings ------------------------------------------------------------------------------


def test_the_seller_takes_part_in_his_store(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    (store,) = call(market, "GET", SELLERS, 200)["payload"]
    assert store["marketplace"]["id"] == market.marketplace_id
    assert store["marketplace"]["defaultCurrencyCode"] == market.currency
    assert store["participation"] == {"isParticipating": True, "hasSuspendedListings": False}
    market.account_status = "DEACTIVATED"
    (store,) = call(market, "GET", SELLERS, 200)["payload"]
    assert store["participation"]["hasSuspendedListings"] is True


def searched(market: Amazon, status: int = 200, /, **query: str) -> Any:
    names = {"sellerId": market.seller_id}
    asked = {"marketplaceIds": market.marketplace_id, **query}
    return call(market, "GET", SEARCH, status, names=names, query=asked)


def test_pages_of_listings_hold_each_listing_once(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = searched(market, pageSize="5", includedData="summaries,fulfillmentAvailability,offers,issues", **token)
        assert answer["numberOfResults"] == len(CATALOGUE)
        seen += [item["sku"] for item in answer["items"]]
        pagination = answer.get("pagination", {})
        assert ("previousToken" in pagination) == bool(token)
        if "nextToken" not in pagination:
            break
        token = {"pageToken": pagination["nextToken"]}
        time.pass_(seconds=1)
    assert seen == sorted(listing.sku for listing in CATALOGUE)


def test_listings_are_found_by_identifier_and_status(amazon: tuple[Amazon, Time]) -> None:
    market, _ = amazon
    sku = CATALOGUE[0].sku
    for kind, value in (("SKU", sku), ("ASIN", asin(sku))):
        found = searched(market, identifiers=value, identifiersType=kind)["items"]
        assert [item["sku"] for item in found] == [sku]
    market.shelf.listings[sku].quantity = 0
    assert searched(market, withStatus="BUYABLE")["numberOfResults"] == len(CATALOGUE) - 1
    assert searched(market, withoutStatus="BUYABLE")["numberOfResults"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": "21"},
        {"pageSize": "0"},
        {"pageToken": "nonsense"},
        {"identifiers": "x"},
        {"includedData": "everything"},
        {"withStatus": "SOLD"},
        {"marketplaceIds": "A1F83G8C2ARO7P"},
    ],
)
def test_a_search_that_the_model_does_not_allow_gets_400(amazon: tuple[Amazon, Time], query: dict[str, str]) -> None:
    searched(amazon[0], 400, **query)
