"""What eBay shows of our stock and prices: quantities of 0, prices, and everything that is listed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.ebay.availability import outcome_of, price_request_of, request_of, until_tomorrow_s
from chalicelib.channels.ebay.listings import listed_item
from chalicelib.channels.port import Availability, Price
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unauthorised
from local.marketplaces.catalogue import CATALOGUE, ebay_item_id, ebay_offer_id
from tests.contract.ebay_seller import GATEWAY, INVENTORY, START_MS, Seller, answer, availability, problem, seller
from tests.contract.marketplaces_models import ebay_request_body, errors
from tests.shared_data import shared

SKU, OTHER = CATALOGUE[0].sku, CATALOGUE[1].sku
BULK = "bulk_update_price_quantity"
MANY = tuple(dataclasses.replace(CATALOGUE[0], sku=f"MANY-{number}") for number in range(210))


@pytest.fixture
def on() -> Seller:
    return seller()


def recorded(name: str) -> Any:
    return json.loads(shared(f"samples/ebay/inventory/{name}").read_bytes())


def priced(sku: str, price_minor: int, **refs: str) -> Price:
    return Price(sku, refs or {"offer_id": ebay_offer_id(sku)}, price_minor, "USD", 1)


# --- quantity 0 ---------------------------------------------------------------------------------------


def test_where_a_listing_may_not_stand_at_0_its_offer_leaves_the_site_and_comes_back(on: Seller) -> None:
    on.market.out_of_stock_control = False
    listing = on.market.shelf.listings[SKU]
    assert on.client.push_availability([availability(SKU, 0), availability(OTHER, 4)]) == [None, None]
    assert not listing.live
    job = on.jobs.get(f"withdrawn/{ebay_offer_id(SKU)}")
    assert job is not None
    assert (job["channel_sku"], job["done"]) == (SKU, True)
    assert "out-of-stock control" in job["why"]
    again = dataclasses.replace(availability(SKU, 0), shown=0)
    on.wire.operations.clear()
    assert on.later().push_availability([again]) == [None]
    assert on.wire.operations == []
    listing.offer_quantity = 2
    assert on.later().push_availability([dataclasses.replace(availability(SKU, 7), shown=0)]) == [None]
    assert listing.live
    assert (listing.quantity, listing.available) == (7, 7)
    assert on.jobs.get(f"withdrawn/{ebay_offer_id(SKU)}") is None


@pytest.mark.parametrize("quantity", [0, 5])
def test_an_offer_is_moved_once_though_the_answer_was_lost(on: Seller, quantity: int) -> None:
    on.market.out_of_stock_control = False
    listing = on.market.shelf.listings[SKU]
    if quantity:
        on.client.push_availability([availability(SKU, 0)])
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    verb = "publish" if quantity else "withdraw"
    carried_out = on.market.handle

    def lost_once(request: Any) -> Any:
        found = carried_out(request)
        if request.path.endswith(verb):
            on.market.handle = carried_out  # type: ignore[method-assign]
            on.wire.instead.clear()
            return dataclasses.replace(found, status=503, body=b"<html>")
        return found

    on.market.handle = lost_once  # type: ignore[method-assign]
    (outcome,) = on.client.push_availability([availability(SKU, quantity)])
    assert isinstance(outcome, Busy)
    assert listing.live == bool(quantity)
    assert on.client.push_availability([availability(SKU, quantity)]) == [None]
    assert listing.live == bool(quantity)
    if quantity:
        assert listing.available == quantity


def test_an_offer_that_we_withdrew_comes_back_even_if_that_was_forgotten(on: Seller) -> None:
    on.market.out_of_stock_control = False
    on.client.push_availability([availability(SKU, 0)])
    forgotten = dataclasses.replace(availability(SKU, 6), shown=3)
    assert on.later().push_availability([forgotten]) == [None]
    assert on.market.shelf.listings[SKU].available == 6


def test_an_offer_that_somebody_else_withdrew_stays_withdrawn(on: Seller) -> None:
    listing = on.market.shelf.listings[SKU]
    listing.live = False
    (outcome,) = on.client.push_availability([availability(SKU, 6)])
    assert isinstance(outcome, Refused)
    assert "25713" in outcome.detail
    assert not listing.live


def test_0_of_a_listing_whose_offer_is_not_known_is_refused(on: Seller) -> None:
    on.market.out_of_stock_control = False
    (outcome,) = on.client.push_availability([availability(SKU, 0, item_id="1")])
    assert isinstance(outcome, Refused)
    assert "25004" in outcome.detail


def test_an_offer_that_cannot_be_withdrawn_is_told(on: Seller) -> None:
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    refused = {"responses": [{"sku": SKU, "statusCode": 400, "errors": [{"errorId": 25004}]}]}
    on.wire.instead = [answer(refused, 207), problem(25713, 404)]
    (outcome,) = on.client.push_availability([availability(SKU, 0)])
    assert isinstance(outcome, Refused)
    assert "25713" in outcome.detail


# --- batches, days ------------------------------------------------------------------------------------


def test_the_size_of_a_call_is_a_setting() -> None:
    on = seller(bulk_skus=1)
    assert on.client.push_availability([availability(SKU, 1), availability(OTHER, 2)]) == [None, None]
    assert [len(body["requests"]) for body in on.wire.bodies(BULK)] == [1, 1]


@pytest.mark.parametrize("size", [0, 26, 1000])
def test_a_size_that_ebay_does_not_take_becomes_one_that_it_does(size: int) -> None:
    on = seller(catalogue=MANY, bulk_skus=size)
    assert set(on.client.push_availability([availability(listing.sku, 1) for listing in MANY[:30]])) == {None}
    assert [len(body["requests"]) for body in on.wire.bodies(BULK)] == [25, 5]


def test_where_one_sku_a_call_is_all_that_ebay_takes_each_goes_alone(on: Seller) -> None:
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    on.wire.instead = [problem(25709)]
    assert on.client.push_availability([availability(SKU, 1), availability(OTHER, 2)]) == [None, None]
    assert [len(body["requests"]) for body in on.wire.bodies(BULK)] == [2, 1, 1]


def test_consent_that_is_gone_is_not_tried_for_each_listing() -> None:
    on = seller(credentials={"refresh_token": "gone"})
    outcome = on.client.push_availability([availability(SKU, 1), availability(OTHER, 2)])
    assert [type(error) for error in outcome] == [Unauthorised, Unauthorised]
    assert on.wire.operations == ["token"]


def test_a_fault_that_ebay_calls_its_own_passes_for_one_listing() -> None:
    own = {"sku": SKU, "statusCode": 400, "errors": [{"errorId": 1, "category": "APPLICATION"}]}
    assert isinstance(outcome_of(SKU, {}, [own], START_MS), Busy)
    assert isinstance(outcome_of(SKU, {}, [{**own, "errors": [{"errorId": 1}]}], START_MS), Refused)


def test_a_listing_revised_too_often_waits_for_the_next_day(on: Seller) -> None:
    on.client.push_availability([availability(SKU, 1)])
    on.market.shelf.ebay.revisions[SKU] = 250
    (outcome,) = on.later().push_availability([availability(SKU, 2)])
    assert isinstance(outcome, OverBudget)
    on.time.pass_(seconds=outcome.after_s)
    assert on.later().push_availability([availability(SKU, 2)]) == [None]


def test_a_day_ends_at_midnight_pacific_time() -> None:
    midnight_ms = 1767254400000  # 2026-01-01T08:00Z
    assert until_tomorrow_s(midnight_ms - 1000) == 2
    assert until_tomorrow_s(midnight_ms) == 86_401


# --- prices -------------------------------------------------------------------------------------------


def test_a_price_is_shown_and_the_quantity_stays(on: Seller) -> None:
    listing = on.market.shelf.listings[SKU]
    before = listing.available
    assert on.client.push_prices([priced(SKU, 1234), priced(OTHER, 99)]) == [None, None]
    assert (listing.price_minor, listing.available) == (1234, before)
    assert on.market.shelf.listings[OTHER].price_minor == 99
    assert len(on.wire.bodies(BULK)) == 1


def test_a_price_needs_its_offer_and_one_wrong_price_fails_alone(on: Seller) -> None:
    foreign = dataclasses.replace(priced(SKU, 1), currency="EUR")
    unknown, good, wrong = on.client.push_prices([priced(SKU, 1, item_id="7"), priced(OTHER, 99), foreign])
    assert isinstance(unknown, Refused)
    assert unknown.reason == "no_offer"
    assert good is None
    assert isinstance(wrong, Refused)
    assert "25709" in wrong.detail


# --- listings -----------------------------------------------------------------------------------------


def test_everything_that_is_listed_is_read_page_by_page() -> None:
    on = seller(catalogue=MANY)
    on.market.shelf.listings["MANY-3"].live = False
    on.market.shelf.listings["MANY-4"].offer_quantity = 2
    found = {each.channel_sku: each for each in on.client.listings()}
    assert found.keys() == {listing.sku for listing in MANY}
    plain, gone, capped = found["MANY-0"], found["MANY-3"], found["MANY-4"]
    assert plain.refs == {"offer_id": ebay_offer_id("MANY-0"), "item_id": ebay_item_id("MANY-0")}
    shelf = on.market.shelf.listings["MANY-0"]
    assert (plain.title, plain.quantity, plain.live) == (shelf.title, shelf.available, True)
    assert (plain.price_minor, plain.currency) == (shelf.price_minor, "USD")
    assert (gone.live, gone.refs) == (False, {"offer_id": ebay_offer_id("MANY-3")})
    assert capped.quantity == 2
    items = [request for request in on.wire.sent if "inventory_item" in request.url]
    assert [request.url.partition("offset=")[2] for request in items] == ["0", "1"]
    assert on.budget.spent.count("inventory") == 2 + len(MANY)


def test_the_offers_of_a_sku_are_read_over_all_pages(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    item = answer({"total": 1, "inventoryItems": [{"sku": "X"}]})
    offers = [answer({"total": 2, "offers": [{"offerId": str(page)}], "next": "n" * (1 - page)}) for page in (0, 1)]
    on.wire.instead = [item, *offers]
    assert [each.refs["offer_id"] for each in on.client.listings()] == ["0", "1"]
    assert [request.url.rpartition("offset=")[2] for request in on.wire.sent] == ["0", "0", "1"]


def test_an_item_without_an_offer_is_not_listed(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer({"total": 2, "inventoryItems": [{"sku": "X"}, {}]}), problem(25713, 404)]
    assert list(on.client.listings()) == []


def test_the_recorded_offers_are_read_as_a_buyer_sees_them() -> None:
    item = recorded("getInventoryItem.response.json")
    offers = recorded("getOffers.response.active-and-out-of-stock.json")["offers"]
    active, sold_out = [listed_item(item, offer) for offer in offers]
    assert (active.quantity, active.price_minor, active.currency, active.live) == (50, 26000, "USD", True)
    assert (sold_out.quantity, sold_out.price_minor, sold_out.currency, sold_out.live) == (0, 20077, "GBP", False)
    assert active.refs == {"offer_id": offers[0]["offerId"], "item_id": offers[0]["listing"]["listingId"]}
    assert active.title == item["product"]["title"]


def test_an_offer_that_tells_little_is_read_as_far_as_it_goes() -> None:
    bare = listed_item({"sku": "X"}, {"offerId": "1", "pricingSummary": {"price": {"value": "x", "currency": "USD"}}})
    assert (bare.channel_sku, bare.quantity, bare.price_minor, bare.live) == ("X", None, None, False)


# --- recorded answers ---------------------------------------------------------------------------------


def outcomes(name: str, *named: tuple[str, str]) -> list[Any]:
    responses = recorded(name)["responses"]
    return [outcome_of(sku, {"offer_id": offer_id}, responses, START_MS) for sku, offer_id in named]


def test_the_recorded_partial_error_fails_the_one_that_it_is_about() -> None:
    responses = recorded("bulkUpdatePriceQuantity.response.207-partial-error.json")["responses"]
    named = [(each["sku"], each["offerId"]) for each in responses]
    good, wrong = outcomes("bulkUpdatePriceQuantity.response.207-partial-error.json", *named)
    assert good is None
    assert isinstance(wrong, Refused)
    assert "25709" in wrong.detail


def test_the_recorded_success_is_one_for_each_offer() -> None:
    name = "bulkUpdatePriceQuantity.response.two-skus-four-offers.json"
    named = [(each["sku"], each["offerId"]) for each in recorded(name)["responses"]]
    assert outcomes(name, *named) == [None] * len(named)
    (unsaid,) = outcomes(name, ("NOBODYS", "1"))
    assert isinstance(unsaid, Busy)


def test_our_requests_have_the_shape_of_the_recorded_one() -> None:
    body = ebay_request_body(INVENTORY, "/bulk_update_price_quantity", "post")
    two_skus = recorded("bulkUpdatePriceQuantity.request.two-skus-four-offers.json")
    assert errors(body, two_skus) == []
    (first, *_), offer = two_skus["requests"], two_skus["requests"][0]["offers"][0]
    quantity = first["shipToLocationAvailability"]["quantity"]
    ours = request_of(Availability(first["sku"], {"offer_id": offer["offerId"]}, quantity, 1))
    assert ours["shipToLocationAvailability"] == first["shipToLocationAvailability"]
    assert ours.keys() == first.keys()
    price = price_request_of(Price(first["sku"], {"offer_id": offer["offerId"]}, 2999, offer["price"]["currency"], 1))
    assert price["offers"][0].keys() <= offer.keys()


@pytest.mark.parametrize(
    "name",
    [
        "bulkCreateOffer.response.json",
        "bulkCreateOrReplaceInventoryItem.response.json",
        "bulkMigrateListing.response.partial-error.json",
    ],
)
def test_recorded_answers_of_other_bulk_calls_are_judged_alike(name: str) -> None:
    """The same element: a status, and errors beside it."""
    for response in recorded(name)["responses"]:
        sku = response.get("sku") or "X"
        outcome = outcome_of(sku, {"offer_id": response.get("offerId", "")}, [{"sku": sku, **response}], START_MS)
        assert (outcome is None) == (200 <= response["statusCode"] < 300)


@pytest.mark.parametrize("price", [1, {"price": 1}, {"price": {"value": "x", "currency": "USD"}}, {"price": {}}, {}])
def test_a_price_that_cannot_be_read_hides_no_listing(price: Any) -> None:
    found = listed_item({"sku": "A"}, {"offerId": "1", "pricingSummary": price})
    assert (found.channel_sku, found.price_minor, found.currency) == ("A", None, "")


def test_the_recorded_location_is_no_listing() -> None:
    """A warehouse: it holds no SKU, and listing it would offer nothing."""
    assert "sku" not in recorded("getInventoryLocation.response.json")


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b"<html>"])
def test_an_answer_that_is_no_list_does_not_say_that_nothing_is_listed(on: Seller, body: bytes) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        list(on.client.listings())


def test_trouble_in_the_middle_of_the_list_is_no_end_of_it(on: Seller) -> None:
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    reading = on.client.listings()
    next(reading)
    on.wire.instead = [GATEWAY]
    with pytest.raises(Busy):
        next(reading)
