"""What eBay shows: listings that are linked twice, offers that share an item, answers with holes."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.availability import outcome_of
from chalicelib.channels.port import Availability, Price
from chalicelib.domain.errors import Busy, HeadraceError, OverBudget, Refused
from tests.contract.ebay_seller import START_MS, Seller, answer, problem, seller


@pytest.fixture
def on() -> Seller:
    found = seller()
    found.tokens.put("t", START_MS)
    return found


def wanted(sku: str, offer_id: str, quantity: int = 3) -> Availability:
    return Availability(sku, {"offer_id": offer_id} if offer_id else {}, quantity, version=1)


def applied(*pairs: tuple[str, str]) -> Any:
    return answer({"responses": [{"sku": sku, "offerId": offer_id, "statusCode": 200} for sku, offer_id in pairs]})


def sent(on: Seller) -> list[list[tuple[str, list[str]]]]:
    """For each call: its SKUs, each with its offers."""
    return [
        [(each["sku"], [offer["offerId"] for offer in each.get("offers", [])]) for each in body["requests"]]
        for body in on.wire.bodies("bulk_update_price_quantity")
    ]


def test_no_call_names_an_item_or_an_offer_twice(on: Seller) -> None:
    """eBay refuses a call with duplicates as a whole; an offer linked twice is told twice, in order."""
    listings = [wanted("A", "1"), wanted("B", "2"), wanted("A", "1", 4), wanted("A", "3"), wanted("C", "2")]
    on.wire.instead = [applied(("A", "1"), ("B", "2")), applied(("A", "1"), ("C", "2")), applied(("A", "3"))]
    assert on.client.push_availability(listings) == [None] * 5
    assert sent(on) == [[("A", ["1"]), ("B", ["2"])], [("A", ["1"]), ("C", ["2"])], [("A", ["3"])]]


@pytest.mark.parametrize("quantities", [(10, 3), (3, 10)])
def test_an_offer_is_not_held_down_by_another_of_the_same_item(on: Seller, quantities: tuple[int, int]) -> None:
    """Offers of two sites: a buyer sees the smaller of the item's quantity and the offer's."""
    on.wire.instead = [applied(("A", "1")), applied(("A", "2"))]
    offers = [wanted("A", offer_id, units) for offer_id, units in zip("12", quantities, strict=True)]
    assert on.client.push_availability(offers) == [None, None]
    (last, shown) = (on.wire.bodies("bulk_update_price_quantity")[-1], on.wire.bodies("bulk_update_price_quantity"))
    assert last["requests"][0]["shipToLocationAvailability"] == {"quantity": 10}
    assert tuple(each["requests"][0]["offers"][0]["availableQuantity"] for each in shown) == quantities


def test_an_item_without_a_known_offer_shows_no_more_than_it_shall(on: Seller) -> None:
    on.wire.instead = [applied(("A", "1")), answer({"responses": [{"sku": "A", "statusCode": 200}]})]
    assert on.client.push_availability([wanted("A", "1", 10), wanted("A", "", 2)]) == [None, None]
    last = on.wire.bodies("bulk_update_price_quantity")[-1]
    assert last["requests"][0]["shipToLocationAvailability"] == {"quantity": 2}


def test_items_without_an_offer_go_together(on: Seller) -> None:
    on.wire.instead = [answer({"responses": [{"sku": sku, "statusCode": 200} for sku in "AB"]})]
    assert on.client.push_availability([wanted("A", ""), wanted("B", "")]) == [None, None]


def test_prices_of_two_offers_of_an_item_go_one_after_the_other(on: Seller) -> None:
    prices = [Price("A", {"offer_id": offer_id}, 100, "USD", 1) for offer_id in ("1", "2")]
    on.wire.instead = [applied(("A", "1")), applied(("A", "2"))]
    assert on.client.push_prices(prices) == [None, None]


def test_more_than_a_call_takes_goes_in_several_and_stays_in_order(on: Seller) -> None:
    listings = [wanted(f"S{number}", str(number)) for number in range(60)]
    on.wire.instead = [
        applied(*((each.channel_sku, each.refs["offer_id"]) for each in listings[start : start + 25]))
        for start in (0, 25, 50)
    ]
    assert on.client.push_availability(listings) == [None] * 60
    assert [len(call) for call in sent(on)] == [25, 25, 10]


def outcome(*responses: Any, refs: dict[str, str] | None = None) -> HeadraceError | None:
    return outcome_of("A", {"offer_id": "1"} if refs is None else refs, responses, START_MS)


ITEM, OFFER = {"sku": "A", "statusCode": 200}, {"sku": "A", "offerId": "1", "statusCode": 200}
WRONG = {"sku": "A", "offerId": "1", "statusCode": 400, "errors": [{"errorId": 25002, "category": "REQUEST"}]}


def test_a_listing_is_shown_when_ebay_says_so_of_its_offer() -> None:
    assert outcome(OFFER) is None
    assert outcome(ITEM, OFFER) is None
    assert outcome({**OFFER, "offerId": 1}) is None
    assert outcome({"offerId": "1", "statusCode": 200}) is None
    assert outcome(ITEM, refs={}) is None


@pytest.mark.parametrize("responses", [(), (None, "x", 1), ({**OFFER, "offerId": "2"},), ({**OFFER, "sku": "B"},)])
def test_no_word_of_a_listing_is_none(responses: tuple[Any, ...]) -> None:
    assert isinstance(outcome(*responses), Busy)


def test_the_item_alone_does_not_tell_of_the_offer() -> None:
    """The item's quantity was set and nothing is said of what the buyer sees."""
    assert isinstance(outcome(ITEM), Busy)


def test_a_part_that_failed_is_a_failure() -> None:
    assert isinstance(outcome(ITEM, WRONG), Declined)
    assert isinstance(outcome(WRONG, OFFER), Declined)
    assert isinstance(outcome({**ITEM, "statusCode": 500}, OFFER), Busy)


def test_an_answer_without_a_status_is_judged_by_its_errors() -> None:
    assert isinstance(outcome({"sku": "A", "offerId": "1"}), Busy)
    assert isinstance(outcome({**WRONG, "statusCode": None}), Declined)
    assert outcome({**OFFER, "statusCode": "200"}) is None


def test_a_listing_that_was_revised_too_often_waits_for_the_next_day() -> None:
    error = {"errorId": 25002, "category": "REQUEST", "message": "You've exceeded the maximum number of revisions."}
    found = outcome({**WRONG, "errors": [error]})
    assert isinstance(found, OverBudget)
    assert found.after_s == 72_001  # from noon UTC to 8 o'clock: Pacific time without summer time
    assert "exceeded" not in str(found)


def test_a_scope_that_is_missing_is_not_asked_about_for_each_listing(on: Seller) -> None:
    on.wire.instead = [problem(1100, 403), answer({"access_token": "n", "expires_in": 7200}), problem(1100, 403)]
    outcomes = on.client.push_availability([wanted("A", "1"), wanted("B", "2"), wanted("C", "3")])
    assert [error.reason for error in outcomes if isinstance(error, Refused)] == ["not_authorised"] * 3
    assert len(on.wire.sent) == 3
