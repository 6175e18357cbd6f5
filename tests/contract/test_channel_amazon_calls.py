"""What the Amazon client does to the stand-in: orders read, quantities set, parcels confirmed."""

from __future__ import annotations

import json

import pytest

from chalicelib.channels.amazon.reader import read_orders
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused, Unreadable
from local.marketplaces.catalogue import CATALOGUE, Listing
from tests.contract.amazon_seller import BASE, GATEWAY, ORDERS, QUOTA, START_MS, availability, confirmation, seller
from tests.contract.marketplaces_calls import first, populated


def test_an_order_is_fetched_as_the_reader_takes_it() -> None:
    on = seller()
    paid = [sale for sale in populated(on.market, on.time, 20) if sale.paid and not sale.cancelled_at]
    for sale in paid:
        (order,) = read_orders(on.client.get_order(sale.order_id), "amazon")
        assert order.external_id == sale.order_id
        assert [line.quantity for line in order.lines] == [line.quantity for line in sale.lines]
        assert order.stated_minor() == order.total_minor > 0
        assert order.payment.vouched
        assert order.contact is not None
        assert order.problems == ()
    assert len(paid) > 5


def test_an_order_that_amazon_does_not_know_is_refused() -> None:
    on = seller()
    with pytest.raises(Refused, match="404: NotFound"):
        on.client.get_order("114-0/../x?y")
    assert on.wire.sent[-1].url.startswith(f"{BASE}{ORDERS}/114-0%2F..%2Fx%3Fy?")


def test_changed_orders_follows_every_page_and_asks_for_a_page_only_when_it_is_read() -> None:
    on = seller()
    sales = populated(on.market, on.time, 150)
    on.time.pass_(minutes=5)
    pages = on.client.changed_orders(START_MS)
    found = [next(pages)]
    assert on.wire.operations == ["token", ORDERS]
    found += pages
    assert on.wire.operations == ["token", ORDERS, ORDERS]
    orders = [read_orders(raw, "amazon")[0] for raw, _ in found]
    assert {order.external_id for order in orders} == {sale.order_id for sale in sales}
    assert [changed_ms for _, changed_ms in found] == [order.version_ms for order in orders]
    assert len(found) == len(sales) > 100
    assert {reason for order in orders for reason in order.problems} == set()


def test_changed_orders_begins_with_the_orders_changed_at_the_time_asked_for() -> None:
    on = seller()
    sales = populated(on.market, on.time, 20)
    on.time.pass_(minutes=5)
    since = sorted(sale.updated_at for sale in sales)[10]
    found = on.client.changed_orders(int(since.timestamp() * 1000))
    read = {read_orders(raw, "amazon")[0].external_id for raw, _ in found}
    assert read == {sale.order_id for sale in sales if sale.updated_at >= since.replace(microsecond=0)}


def test_a_throttled_page_breaks_the_poll_off() -> None:
    on = seller()
    populated(on.market, on.time, 150)
    on.time.pass_(minutes=5)
    pages = on.client.changed_orders(START_MS)
    next(pages)
    on.wire.instead = [QUOTA]
    with pytest.raises(Busy, match="429"):
        list(pages)


def test_one_order_that_cannot_be_read_does_not_stop_the_others() -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    good = {"orderId": "2", "lastUpdatedTime": "2026-05-04T13:00:00Z"}
    on.wire.instead = [HttpResponse(200, {}, json.dumps({"orders": [{"orderId": "1"}, good]}).encode())]
    (bad_raw, bad_ms), (_, good_ms) = on.client.changed_orders(START_MS)
    assert (bad_ms, good_ms) == (START_MS, START_MS + 3_600_000)
    with pytest.raises(Unreadable):
        read_orders(bad_raw, "amazon")


def test_quantities_are_absolute_and_each_listing_is_judged_alone() -> None:
    on = seller()
    known, other = CATALOGUE[0].sku, CATALOGUE[1].sku
    outcome = on.client.push_availability([availability(known, 7), availability("NOBODY", 1), availability(other, 0)])
    assert [type(each) for each in outcome] == [type(None), Refused, type(None)]
    assert str(outcome[1]) == "listing_refused: INVALID: 8560"
    assert [on.market.shelf.listings[sku].available for sku in (known, other)] == [7, 0]
    assert on.client.push_availability([]) == []


def test_a_sku_may_hold_any_character() -> None:
    sku = "MUG/5 % ü?#&"
    on = seller(catalogue=(Listing(sku, "Mug", 1000, quantity=1),))
    assert on.client.push_availability([availability(sku, 4)]) == [None]
    assert on.market.shelf.listings[sku].available == 4


def test_after_a_throttle_the_rest_waits_without_being_sent() -> None:
    on = seller()
    outcome = on.client.push_availability([availability(each.sku, 1) for each in CATALOGUE[:9]])
    assert outcome[:5] == [None] * 5
    assert all(isinstance(each, Busy) and each.after_s > 0 for each in outcome[5:])
    assert len(outcome) == 9
    assert len(on.wire.operations) == len(["token"]) + 6


def test_an_html_page_of_the_gateway_is_busy_and_its_listing_can_be_sent_again() -> None:
    on = seller()
    on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    on.wire.instead = [GATEWAY]
    (outcome,) = on.client.push_availability([availability(CATALOGUE[0].sku, 2)])
    assert isinstance(outcome, Busy)
    assert on.client.push_availability([availability(CATALOGUE[0].sku, 2)]) == [None]


def test_a_listing_of_another_seller_is_not_ours_to_set() -> None:
    on = seller(account={"seller_id": "SOMEBODY"})
    (outcome,) = on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    assert isinstance(outcome, Refused)
    assert outcome.reason == "not_authorised"


def test_a_parcel_that_is_confirmed_again_is_the_same_parcel() -> None:
    on = seller()
    sale = first(populated(on.market, on.time), units=2)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale, 2))
    assert [(parcel.reference, parcel.units) for parcel in sale.parcels] == [
        ("1", {sale.lines[0].line_id: 1}),
        ("2", {sale.lines[0].line_id: 1}),
    ]
    (order,) = read_orders(on.client.get_order(sale.order_id), "amazon")
    assert order.lines[0].fulfilled == 2


def test_a_confirmation_whose_answer_was_lost_can_be_sent_again() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    on.client.get_order(sale.order_id)
    on.wire.lost = 1
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert len(sale.parcels) == 1


def test_more_units_than_were_ordered_are_refused() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    with pytest.raises(Refused, match="400: InvalidInput"):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, items=((sale.lines[0].line_id, 999),)))
    assert sale.parcels == []


@pytest.mark.parametrize(
    ("carrier", "code", "name"),
    [
        ("UPS", "UPS", None),
        ("fedex", "FedEx", None),
        ("royal mail", "Royal Mail", None),
        ("Uncle Joe", "Other", "Uncle Joe"),
        ("", "Other", "Other"),
    ],
)
def test_a_carrier_that_amazon_has_no_code_for_goes_by_its_name(carrier: str, code: str, name: str | None) -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    on.client.confirm_shipment(sale.order_id, confirmation(sale, carrier=carrier))
    detail = json.loads(on.wire.sent[-1].body)["packageDetail"]
    assert (detail["carrierCode"], detail.get("carrierName")) == (code, name)
    assert detail["shipDate"] == "2026-05-04T12:00:00Z"
