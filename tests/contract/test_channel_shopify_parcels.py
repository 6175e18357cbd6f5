"""The Shopify client against the stand-in shop and the official schema: parcels, each told once."""

from __future__ import annotations

import pytest

from chalicelib.channels.shopify import documents
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Sale
from tests.contract.marketplaces_calls import graphql
from tests.contract.shopify_seller import Seller, answer, confirmation, long_order, sold


def shipped(sale: Sale) -> list[tuple[str, str, dict[str, int]]]:
    return [(parcel.carrier, parcel.tracking, parcel.units) for parcel in sale.parcels]


def test_a_parcel_is_told_with_its_carrier_number_lines_and_units() -> None:
    on, sale = sold(lines=2, units=2)
    on.client.confirm_shipment(sale.order_id, confirmation(sale, (0, 1), (1, 1)))
    units = {sale.lines[0].line_id: 1, sale.lines[1].line_id: 1}
    assert shipped(sale) == [("UPS", "1Z0000000000000001", units)]
    (order,) = read_orders(on.client.get_order(sale.order_id), "shopify")
    assert {line.line_id: line.fulfilled for line in order.lines if line.fulfilled} == units


def test_a_parcel_told_twice_is_one_parcel() -> None:
    on, sale = sold(units=2)
    for _ in range(2):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert shipped(sale) == [("UPS", "1Z0000000000000001", {sale.lines[0].line_id: 1})]
    assert on.wire.operations.count("Fulfil") == 1


def test_a_parcel_whose_answer_was_lost_is_not_told_again() -> None:
    on, sale = sold(units=2)
    on.wire.lost = ["Fulfil"]
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.again(seconds=5).confirm_shipment(sale.order_id, confirmation(sale))
    assert len(sale.parcels) == 1


def test_a_second_parcel_of_a_line_is_another_parcel() -> None:
    on, sale = sold(units=2)
    for sequence in (1, 2):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, sequence=sequence))
    assert [parcel.tracking[-1] for parcel in sale.parcels] == ["1", "2"]
    assert sale.shipped(sale.lines[0].line_id) == 2


def test_the_last_parcel_without_a_number_is_not_told_again() -> None:
    on, sale = sold()
    whole = tuple((line.line_id, line.quantity) for line in sale.lines)
    on.wire.lost = ["Fulfil"]
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, tracking_number="", items=whole))
    on.again(seconds=5).confirm_shipment(sale.order_id, confirmation(sale, tracking_number="", items=whole))
    assert len(sale.parcels) == 1


def test_a_parcel_without_a_number_whose_answer_was_lost_is_not_told_again() -> None:
    on, sale = sold(units=2)
    on.wire.lost = ["Fulfil"]
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, tracking_number=""))
    on.again(seconds=5).confirm_shipment(sale.order_id, confirmation(sale, tracking_number=""))
    assert len(sale.parcels) == 1


def test_two_parcels_without_numbers_and_of_the_same_units_are_two() -> None:
    on, sale = sold(units=2)
    for sequence in (1, 2):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, tracking_number="", sequence=sequence))
    assert len(sale.parcels) == 2


def test_more_than_is_left_to_ship_is_refused_and_nothing_is_told() -> None:
    on, sale = sold()
    with pytest.raises(Refused):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, (0, sale.lines[0].quantity + 1)))
    assert sale.parcels == []


def test_a_parcel_of_an_order_that_was_called_off_is_refused() -> None:
    on, sale = sold()
    on.market.cancel(sale, on.time.now)
    with pytest.raises(Refused):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert sale.parcels == []


def test_a_parcel_of_an_unknown_order_is_refused() -> None:
    on, sale = sold()
    with pytest.raises(Refused) as refusal:
        on.client.confirm_shipment("6100000000999", confirmation(sale))
    assert refusal.value.reason == "unknown_order"


def test_a_parcel_longer_than_a_page_is_told_whole_and_once() -> None:
    on, sale = long_order(120)
    whole = confirmation(sale, *((place, 1) for place in range(120)))
    on.wire.lost = ["Fulfil"]
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, whole)
    (told,) = sale.parcels
    on.wire.instead["ParcelLines"] = [rest_of_parcel(sale, on), rest_of_parcel(sale, on)]
    on.again(seconds=5).confirm_shipment(sale.order_id, whole)
    assert sale.parcels == [told]
    assert len(told.units) == 120
    (order,) = read_orders(on.client.get_order(sale.order_id), "shopify")
    assert {line.fulfilled for line in order.lines} == {1}
    assert on.wire.instead["ParcelLines"] == []


def rest_of_parcel(sale: Sale, on: Seller) -> HttpResponse:
    """What follows the lines that come with the order itself; the stand-in gives parcels with their orders only."""
    data = graphql(on.market, documents.PARCELS, {"id": f"gid://shopify/Order/{sale.order_id}"})["data"]
    come = len(data["order"]["fulfillments"][0]["fulfillmentLineItems"]["nodes"])
    nodes = [
        {"quantity": 1, "lineItem": {"id": f"gid://shopify/LineItem/{line.line_id}"}} for line in sale.lines[come:]
    ]
    page = {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    return answer({"data": {"fulfillment": {"fulfillmentLineItems": page}}})
