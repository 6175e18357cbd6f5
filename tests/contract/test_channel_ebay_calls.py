"""The eBay client trades with the stand-in; each request fits the official model."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from chalicelib.channels.ebay.reader import read_orders
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.catalogue import CATALOGUE, ebay_offer_id
from tests.contract.ebay_seller import GATEWAY, START_MS, Seller, availability, confirmation, problem, seller
from tests.contract.marketplaces_calls import first, populated

SKU, OTHER = CATALOGUE[0].sku, CATALOGUE[1].sku
MANY = tuple(dataclasses.replace(CATALOGUE[0], sku=f"MANY-{number}") for number in range(60))
BULK = "bulk_update_price_quantity"


@pytest.fixture
def on() -> Seller:
    return seller()


# --- orders -------------------------------------------------------------------------------------------


def polled(on: Seller, since_ms: int) -> dict[str, int]:
    """Order id -> its time of change, of all that a poll gives."""
    found = {}
    for raw, changed_ms in on.later().changed_orders(since_ms):
        (order,) = read_orders(raw, "ebay")
        assert changed_ms == order.version_ms
        found[order.external_id] = changed_ms
    return found


def test_one_order_is_fetched_as_its_reader_takes_it(on: Seller) -> None:
    sale = first(populated(on.market, on.time))
    (order,) = read_orders(on.client.get_order(sale.order_id), "ebay")
    assert order.external_id == sale.order_id
    assert [(line.line_id, line.quantity) for line in order.lines] == [(x.line_id, x.quantity) for x in sale.lines]


def test_an_order_that_ebay_does_not_know_is_refused(on: Seller) -> None:
    with pytest.raises(Refused, match="32100"):
        on.client.get_order("00/..-1?x")
    assert on.wire.sent[-1].url.endswith("/order/00%2F..-1%3Fx")


def test_every_order_changed_since_then_is_given_over_all_pages(on: Seller) -> None:
    sales = populated(on.market, on.time, 450)
    assert polled(on, 0).keys() == {sale.order_id for sale in sales}
    middle_ms = int(sales[200].updated_at.timestamp() * 1000)
    newer = {sale.order_id for sale in sales if sale.updated_at >= sales[200].updated_at}
    assert polled(on, middle_ms).keys() == newer
    assert len(newer) < len(sales)


def test_an_order_that_changes_between_two_pages_hides_no_other(on: Seller) -> None:
    sales = populated(on.market, on.time, 250)
    reading = on.later().changed_orders(START_MS)
    found = {json.loads(next(reading)[0])["orderId"] for _ in range(10)}
    for sale in sales[:20] + sales[-20:]:
        sale.touch(on.time.pass_(seconds=1))
    found |= {json.loads(raw)["orderId"] for raw, _ in reading}
    assert found == {sale.order_id for sale in sales}


def test_pages_are_read_only_when_they_are_wanted(on: Seller) -> None:
    populated(on.market, on.time, 250)
    on.wire.operations.clear()
    next(on.later().changed_orders(START_MS))
    assert on.wire.operations == ["token", *["GET /sell/fulfillment/v1/order"] * 2]  # too many, and a part of them


A_SECOND_MS = START_MS - 61_500
A_SECOND = f"{A_SECOND_MS}/1000"  # a window that is read by its pages


def page(**fields: Any) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"total": 0, "orders": [], **fields}).encode())


def test_a_link_to_another_host_is_not_followed(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [page(next="https://evil.example/order?offset=200"), page(), page()]
    assert list(on.client.changed_orders(A_SECOND_MS, position=A_SECOND)) == []
    assert all(request.url.startswith("https://ebay.example/") for request in on.wire.sent)
    assert "offset=200" in on.wire.sent[1].url


def test_pages_that_never_end_are_refused(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    for link in ("https://x/order?offset=0", "https://x/order"):
        on.wire.instead = [page(next=link)]
        with pytest.raises(Refused, match="bad_page"):
            list(on.client.changed_orders(A_SECOND_MS, position=A_SECOND))


def test_an_order_that_cannot_be_read_is_handed_on_and_moves_no_cursor(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [page(orders=[{"orderId": "1"}, "x"])]
    assert [changed_ms for _, changed_ms in on.client.changed_orders(START_MS)] == [START_MS, START_MS]


# --- availability -------------------------------------------------------------------------------------


def test_what_is_pushed_is_what_buyers_see_in_calls_of_25() -> None:
    on = seller(catalogue=MANY)
    wanted = [availability(listing.sku, number) for number, listing in enumerate(MANY)]
    assert on.client.push_availability(wanted) == [None] * len(wanted)
    assert [on.market.shelf.listings[each.channel_sku].available for each in wanted] == list(range(len(wanted)))
    assert [len(body["requests"]) for body in on.wire.bodies(BULK)] == [25, 25, 10]


def test_a_listing_whose_offer_is_not_known_is_pushed_by_its_sku(on: Seller) -> None:
    assert on.client.push_availability([availability(SKU, 3, item_id="1")]) == [None]
    assert on.market.shelf.listings[SKU].quantity == 3


def test_one_wrong_listing_fails_alone(on: Seller) -> None:
    wanted = [availability(SKU, 3), availability("NOBODYS", 1), availability(OTHER, 0)]
    good, wrong, gone = on.client.push_availability(wanted)
    assert (good, gone) == (None, None)
    assert isinstance(wrong, Refused)
    assert "25702" in wrong.detail
    assert on.market.shelf.listings[OTHER].available == 0


def test_a_call_refused_as_a_whole_is_repeated_for_each_listing(on: Seller) -> None:
    """That one SKU a call may be all that eBay takes is said nowhere but in a refusal."""
    on.tokens.put(on.market.issue_token("v^1.1#", 7200), START_MS)
    on.wire.instead = [problem(25709)]
    good, other, wrong = on.client.push_availability(
        [availability(SKU, 3), availability(OTHER, 4), availability("NOBODYS", 1)]
    )
    assert (good, other) == (None, None)
    assert isinstance(wrong, Refused)
    assert "25702" in wrong.detail
    assert len(on.wire.bodies(BULK)) == 4


def test_a_listing_that_is_linked_twice_holds_up_no_other(on: Seller) -> None:
    offer_id = ebay_offer_id(SKU)
    twice = [availability(SKU, 3), availability(SKU, 3), availability(OTHER, 4, offer_id=offer_id)]
    first_one, second_one, wrong = on.client.push_availability(twice)
    assert (first_one, second_one) == (None, None)
    assert isinstance(wrong, Refused)
    assert "25713" in wrong.detail
    assert len(on.wire.bodies(BULK)) == 3


def element(**fields: Any) -> HttpResponse:
    response = {"sku": SKU, "offerId": ebay_offer_id(SKU), **fields}
    return HttpResponse(207, {}, json.dumps({"responses": [response]}).encode())


@pytest.mark.parametrize(
    "answer",
    [
        element(statusCode=500),
        element(statusCode=429),
        element(statusCode=400, errors=[{"errorId": 25001}]),
        element(statusCode=400, errors=[{"errorId": 25025}]),
        element(statusCode=200, sku=OTHER),
        element(statusCode=200, offerId="1"),
    ],
)
def test_a_listing_that_ebay_could_not_take_now_comes_again(on: Seller, answer: HttpResponse) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer]
    (outcome,) = on.client.push_availability([availability(SKU, 3)])
    assert isinstance(outcome, Busy)


def test_trouble_of_one_call_leaves_what_the_others_acknowledged(on: Seller) -> None:
    wanted = [availability(listing.sku, 7) for listing in MANY]
    on.tokens.put("t", START_MS)
    done = {
        "responses": [{"sku": x.channel_sku, "offerId": x.refs["offer_id"], "statusCode": 200} for x in wanted[:25]]
    }
    on.wire.instead = [HttpResponse(200, {}, json.dumps(done).encode()), GATEWAY]
    outcome = on.client.push_availability(wanted)
    assert outcome[:25] == [None] * 25
    assert all(isinstance(error, Busy) for error in outcome[25:50])
    assert all(isinstance(error, Refused) for error in outcome[50:])  # the stand-in sells none of MANY


# --- shipments ----------------------------------------------------------------------------------------


def test_a_parcel_is_told_once_even_when_the_answer_was_lost(on: Seller) -> None:
    sale = first(populated(on.market, on.time))
    on.wire.lost = 1
    with pytest.raises(Busy):
        on.later().confirm_shipment(sale.order_id, confirmation(sale))
    on.later().confirm_shipment(sale.order_id, confirmation(sale))
    (parcel,) = sale.parcels
    assert (parcel.carrier, parcel.tracking) == ("UPS", "1Z00000001")
    assert len(on.wire.bodies("shipping_fulfillment")) == 1


def test_a_line_that_leaves_in_two_parcels_is_told_twice(on: Seller) -> None:
    sale = first(populated(on.market, on.time), units=2)
    for number in ("AAA1", "AAA2", "AAA1"):
        on.later().confirm_shipment(sale.order_id, confirmation(sale, tracking_number=number))
    assert [parcel.tracking for parcel in sale.parcels] == ["AAA1", "AAA2"]


@pytest.mark.parametrize("without", [{"carrier": ""}, {"tracking_number": ""}, {"tracking_number": "- -"}])
def test_carrier_and_tracking_go_together_or_not_at_all_and_still_once(on: Seller, without: dict[str, str]) -> None:
    sale = first(populated(on.market, on.time))
    for _ in range(2):
        on.later().confirm_shipment(sale.order_id, confirmation(sale, **without))
    (body,) = on.wire.bodies("shipping_fulfillment")
    assert body.keys() == {"lineItems", "shippedDate"}
    assert len(sale.parcels) == 1


@pytest.mark.parametrize(
    ("carrier", "code"), [("Royal Mail", "RoyalMail"), ("dhl-express", "DHLEXPRESS"), ("Colis Privé", "Colis Privé")]
)
def test_a_carrier_is_called_as_ebay_calls_it(on: Seller, carrier: str, code: str) -> None:
    sale = first(populated(on.market, on.time))
    on.later().confirm_shipment(sale.order_id, confirmation(sale, carrier=carrier))
    assert sale.parcels[0].carrier == code


def test_a_clock_that_is_ahead_sends_no_date_in_the_future(on: Seller) -> None:
    sale = first(populated(on.market, on.time))
    on.later().confirm_shipment(sale.order_id, confirmation(sale, shipped_ms=on.now_ms + 60_000))
    assert sale.parcels[0].shipped_at == on.time.now


def test_a_parcel_that_ebay_will_never_take_is_refused(on: Seller) -> None:
    sale = first(populated(on.market, on.time))
    with pytest.raises(Refused, match="32200"):
        on.later().confirm_shipment(sale.order_id, confirmation(sale, items=(("0", 1),)))


def test_a_conflict_passes(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    sale = first(populated(on.market, on.time))
    on.wire.instead = [page(fulfillments=[]), HttpResponse(409, {}, b"")]
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
