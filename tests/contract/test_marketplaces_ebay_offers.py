"""The stand-in eBay's inventory beyond quantities, and the seller's account."""

from __future__ import annotations

from typing import Any

import pytest

from local.marketplaces.catalogue import CATALOGUE, ebay_item_id, ebay_offer_id
from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_account import DEFECTS_MAX
from local.marketplaces.ebay_budget import REVISIONS_A_DAY
from local.marketplaces.faults import FaultDie, Faults
from local.marketplaces.wire import Response
from local.marketplaces.world import Marketplaces
from tests.contract.marketplaces_calls import Time, ebay_token, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    ACCOUNT,
    ANALYTICS,
    CANCELLATION,
    INVENTORY,
    PREFERENCES,
    assert_error,
    assert_model,
    call,
)
from tests.contract.marketplaces_models import ebay_request_body, errors

BASE = "/sell/inventory/v1"
SKU, OFFER_ID = CATALOGUE[0].sku, ebay_offer_id(CATALOGUE[0].sku)
BULK = (INVENTORY, "/bulk_update_price_quantity", "post")
OFFERS = (INVENTORY, "/offer", "get")
PROGRAM, PREFERENCE = "/sell/account/v1/program", "/sell/account/v2/user_preferences"
STANDARDS = "/sell/analytics/v1/seller_standards_profile"


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def update(market: Ebay, quantity: int, sku: str = SKU, token: str | None = None) -> Response:
    offers = [{"offerId": ebay_offer_id(sku), "availableQuantity": quantity}]
    entry = {"sku": sku, "shipToLocationAvailability": {"quantity": quantity}, "offers": offers}
    return call(market, "POST", f"{BASE}/bulk_update_price_quantity", body={"requests": [entry]}, token=token)


def element(response: Response, status: int) -> tuple[int, int]:
    """statusCode and errorId of the only element; 0 for no error."""
    (only,) = assert_model(BULK, response, status)["responses"]
    return only["statusCode"], only["errors"][0]["errorId"] if "errors" in only else 0


def offer(market: Ebay) -> Any:
    (only,) = assert_model(OFFERS, call(market, "GET", f"{BASE}/offer", {"sku": SKU}), 200)["offers"]
    return only


# --- items and offers ---------------------------------------------------------------------------------


def test_items_are_paged_by_the_number_of_the_page(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    model = (INVENTORY, "/inventory_item", "get")
    seen: list[str] = []
    for number in range(3):
        query = {"limit": "5", "offset": str(number)}
        body = assert_model(model, call(market, "GET", f"{BASE}/inventory_item", query), 200)
        assert (body["total"], body["size"]) == (len(CATALOGUE), len(body["inventoryItems"]))
        assert ("next" in body, "prev" in body) == (number < 2, number > 0)
        seen += [item["sku"] for item in body["inventoryItems"]]
    assert seen == [listing.sku for listing in CATALOGUE]
    assert_error(model, call(market, "GET", f"{BASE}/inventory_item", {"limit": "201"}), 400, 25706)


def test_an_offer_tells_its_price_quantity_and_listing(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    update(market, 7)
    shown = offer(market)
    assert (shown["offerId"], shown["availableQuantity"], shown["status"]) == (OFFER_ID, 7, "PUBLISHED")
    assert shown["listing"] == {"listingId": ebay_item_id(SKU), "listingStatus": "ACTIVE", "soldQuantity": 0}
    update(market, 0)
    assert offer(market)["listing"]["listingStatus"] == "OUT_OF_STOCK"
    assert_error(OFFERS, call(market, "GET", f"{BASE}/offer", {"sku": "NO-SUCH"}), 404, 25713)
    assert_error(OFFERS, call(market, "GET", f"{BASE}/offer"), 400, 25709)


def test_a_withdrawn_offer_sells_nothing_until_it_is_published_again(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    withdraw, publish = (f"{BASE}/offer/{OFFER_ID}/{verb}" for verb in ("withdraw", "publish"))
    model = (INVENTORY, "/offer/{offerId}/withdraw", "post")
    assert assert_model(model, call(market, "POST", withdraw), 200) == {"listingId": ebay_item_id(SKU)}
    assert_error(model, call(market, "POST", withdraw), 400, 25002)
    assert ("listing" in offer(market), offer(market)["status"]) == (False, "UNPUBLISHED")
    assert all(line.sku != SKU for sale in populated(market, time) for line in sale.lines)
    assert element(update(market, 5), 207) == (400, 25713)
    published = call(market, "POST", publish)
    assert_model((INVENTORY, "/offer/{offerId}/publish", "post"), published, 200)
    assert offer(market)["listing"]["listingStatus"] == "ACTIVE"
    assert element(update(market, 5), 200) == (200, 0)
    assert market.shelf.listings[SKU].available == 5
    update(market, 0)
    call(market, "POST", withdraw)
    market.out_of_stock_control = False
    assert_error((INVENTORY, "/offer/{offerId}/publish", "post"), call(market, "POST", publish), 400, 25004)
    unknown = call(market, "POST", f"{BASE}/offer/1/withdraw")
    assert_error(model, unknown, 404, 25713)


# --- quantities ---------------------------------------------------------------------------------------


def test_nothing_is_sold_out_without_out_of_stock_control(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    market.out_of_stock_control = False
    assert element(update(market, 0), 207) == (400, 25004)
    assert market.shelf.listings[SKU].available == CATALOGUE[0].quantity
    body = {"programType": "OUT_OF_STOCK_CONTROL"}
    model = (ACCOUNT, "/program/opt_in", "post")
    assert errors(ebay_request_body(*model), body) == []
    assert assert_model(model, call(market, "POST", f"{PROGRAM}/opt_in", body=body), 200) == {}
    assert element(update(market, 0), 200) == (200, 0)
    assert_error(model, call(market, "POST", f"{PROGRAM}/opt_in", body=body), 409, 25803)
    assert_error(model, call(market, "POST", f"{PROGRAM}/opt_in", body={"programType": "FAME"}), 400, 20401)


def test_both_accounts_apis_show_the_same_switch(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay

    def shown() -> tuple[bool, bool]:
        programs = assert_model(
            (ACCOUNT, "/program/get_opted_in_programs", "get"),
            call(market, "GET", f"{PROGRAM}/get_opted_in_programs"),
            200,
        )
        preferences = assert_model((PREFERENCES, "/user_preferences", "get"), call(market, "GET", PREFERENCE), 200)
        opted_in = {"programType": "OUT_OF_STOCK_CONTROL"} in programs["programs"]
        return opted_in, preferences["outOfStockControlPreference"]

    assert shown() == (True, True)
    assert call(market, "PATCH", PREFERENCE, body={"outOfStockControlPreference": False}).status == 204
    assert shown() == (False, False)
    call(market, "PATCH", PREFERENCE, body={"outOfStockControlPreference": True})
    assert call(market, "POST", f"{PROGRAM}/opt_out", body={"programType": "OUT_OF_STOCK_CONTROL"}).status == 200
    assert shown() == (False, False)


def test_a_listing_is_revised_250_times_a_day(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    token = ebay_token(market)
    for number in range(REVISIONS_A_DAY):
        assert update(market, number + 1, token=token).status == 200
    assert element(update(market, 999), 207) == (400, 25002)
    assert market.shelf.listings[SKU].available == REVISIONS_A_DAY
    assert update(market, 3, sku=CATALOGUE[1].sku).status == 200
    assert market.over_budget == {"revisions": 1}
    time.pass_(days=1)
    assert element(update(market, 999), 200) == (200, 0)


def test_a_shop_in_a_hurry_has_its_limits_multiplied() -> None:
    world = Marketplaces(7, CATALOGUE, rate_per_s=0, amazon_rate_scale=3, ebay_limit_scale=0.01)
    token = ebay_token(world.ebay)
    statuses = [update(world.ebay, number + 1, token=token).status for number in range(4)]
    assert statuses == [200, 200, 200, 207]
    assert Marketplaces(7, CATALOGUE, amazon_rate_scale=3).ebay.limit_scale == 3


def test_some_elements_fail_though_nothing_is_wrong_with_them() -> None:
    time = Time()
    market = Ebay(CATALOGUE, time, FaultDie(Faults(partial=0.5)))
    token = ebay_token(market)
    found = set()
    for quantity in range(1, 40):
        before = market.shelf.listings[SKU].available
        answer = update(market, quantity, token=token)
        result = element(answer, answer.status)
        found.add((answer.status, *result))
        assert market.shelf.listings[SKU].available == (quantity if answer.status == 200 else before)
    assert found == {(200, 200, 0), (207, 500, 25001), (207, 400, 25025)}


# --- seller standards ---------------------------------------------------------------------------------


def test_a_seller_who_sells_what_he_has_not_got_falls_below_standard(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sales = [sale for sale in populated(market, time) if not sale.cancelled_at]
    one = f"{STANDARDS}/PROGRAM_US/CURRENT"
    model = (ANALYTICS, "/seller_standards_profile/{program}/{cycle}", "get")
    assert assert_model(model, call(market, "GET", one), 200)["standardsLevel"] == "TOP_RATED"
    for sale in sales[: int(60 * DEFECTS_MAX) + 1]:
        body = {"legacyOrderId": sale.order_id, "cancelReason": "OUT_OF_STOCK_OR_CANNOT_FULFILL"}
        assert call(market, "POST", CANCELLATION, body=body).status == 201
    profile = assert_model(model, call(market, "GET", one), 200)
    assert (profile["standardsLevel"], profile["defaultProgram"]) == ("BELOW_STANDARD", True)
    listed = assert_model((ANALYTICS, "/seller_standards_profile", "get"), call(market, "GET", STANDARDS), 200)
    programs = [(each["program"], each["cycle"]["cycleType"]) for each in listed["standardsProfiles"]]
    assert programs == [
        ("PROGRAM_US", "CURRENT"),
        ("PROGRAM_US", "PROJECTED"),
        ("PROGRAM_GLOBAL", "CURRENT"),
        ("PROGRAM_GLOBAL", "PROJECTED"),
    ]


@pytest.mark.parametrize(("path", "expected"), [("PROGRAM_FR/CURRENT", 53105), ("PROGRAM_US/PAST", 53115)])
def test_an_unknown_programme_or_cycle_is_refused(ebay: tuple[Ebay, Time], path: str, expected: int) -> None:
    model = (ANALYTICS, "/seller_standards_profile/{program}/{cycle}", "get")
    assert_error(model, call(ebay[0], "GET", f"{STANDARDS}/{path}"), 400, expected)
