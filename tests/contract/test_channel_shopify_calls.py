"""The Shopify client against the stand-in shop and the official schema: orders and quantities."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.errors import Busy, Refused, Unreadable
from local.marketplaces.catalogue import CATALOGUE
from tests.contract.marketplaces_calls import first, populated
from tests.contract.shopify_seller import answer, availability, confirmation, long_order, seller, sold

MUG, BOTTLE, TEA = (CATALOGUE[place].sku for place in range(3))


# --- orders -------------------------------------------------------------------------------------------


def test_every_changed_order_is_read_whole_over_all_pages_oldest_first() -> None:
    on = seller()
    sales = populated(on.market, on.time, 130)
    on.market.points.burst = on.market.points.tokens = 1e9
    found = list(on.client.changed_orders(0))
    assert on.wire.operations.count("Orders") == 2
    orders = [read_orders(raw, "shopify")[0] for raw, _ in found]
    assert [order.external_id for order in orders] == [
        sale.order_id for sale in sorted(sales, key=lambda sale: (sale.updated_at, sale.number))
    ]
    assert [changed_ms for _, changed_ms in found] == [order.version_ms for order in orders]
    assert all(order.stated_minor() == order.total_minor and not order.problems for order in orders)


def test_a_reading_that_broke_off_goes_on_at_its_page() -> None:
    on = seller()
    sales = populated(on.market, on.time, 130)
    on.market.points.burst = on.market.points.tokens = 1e9
    skipped = {sale.order_id for sale in sales[:-1]}
    found: list[str] = []

    def skip(name: str, _: int) -> bool:
        found.append(name)
        return name in skipped

    reading = on.client.changed_orders(0, skip)
    next(reading)
    position, on.client.position = on.client.position, ""
    begun, found[:] = list(found), []
    list(on.client.changed_orders(0, skip, position))
    assert {*begun, *found} == {sale.order_id for sale in sales}
    assert (len(found), on.client.position) == (30, "")


def test_only_orders_changed_since_then_are_asked_for_and_the_second_itself_is_in() -> None:
    on = seller()
    sales = sorted(populated(on.market, on.time, 6), key=lambda sale: sale.updated_at)
    since_ms = int(sales[3].updated_at.timestamp() * 1000)
    found = [read_orders(raw, "shopify")[0].external_id for raw, _ in on.client.changed_orders(since_ms)]
    assert found == [sale.order_id for sale in sales[3:]]


def test_pages_are_asked_for_as_they_are_used() -> None:
    on = seller()
    populated(on.market, on.time, 4)
    next(on.client.changed_orders(0))
    assert on.wire.operations == ["token", "Orders", "Order"]


def test_an_order_longer_than_a_page_is_read_to_its_last_line() -> None:
    on, sale = long_order(120)
    (order,) = read_orders(on.client.get_order(sale.order_id), "shopify")
    assert [line.line_id for line in order.lines] == [line.line_id for line in sale.lines]
    assert order.stated_minor() == order.total_minor


def test_the_time_of_change_is_the_lists_and_never_hides_a_later_order() -> None:
    on = seller()
    (sale, *_) = sales = populated(on.market, on.time, 3)
    listed_ms = [int(each.updated_at.timestamp() * 1000) // 1000 * 1000 for each in sales]
    on.wire.after["Orders"] = lambda: sale.touch(on.time.pass_(minutes=9))
    found = {read_orders(raw, "shopify")[0].external_id: changed for raw, changed in on.client.changed_orders(0)}
    assert found == dict(zip([each.order_id for each in sales], listed_ms, strict=True))


def test_a_returned_unit_is_read_as_one_and_the_other_is_still_to_ship() -> None:
    on, sale = sold(units=2)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    first_line = sale.lines[0].line_id
    sale.cancelled_at = sale.updated_at  # what the shop then shows of its lines is as after a refund
    lines = {
        "nodes": [refund_line(first_line, 1, "RETURN"), refund_line(first_line, sale.lines[0].quantity - 1, "CANCEL")]
    }
    on.wire.instead["Refunds"] = [answer({"data": {"order": {"refunds": [{"refundLineItems": lines}]}}})]
    body = json.loads(on.client.get_order(sale.order_id))
    body["order"]["displayFinancialStatus"] = "PARTIALLY_REFUNDED"
    (order,) = read_orders(json.dumps(body), "shopify")
    line = next(each for each in order.lines if each.line_id == first_line)
    assert (line.fulfilled, line.cancelled) == (1, line.quantity - 1)
    returned_only = json.loads(json.dumps(body))
    returned_only["order"]["lineItems"]["nodes"][0]["currentQuantity"] = line.quantity - 1
    returned_only["order"]["refunds"][0]["refundLineItems"]["nodes"].pop()
    (order,) = read_orders(json.dumps(returned_only), "shopify")
    line = next(each for each in order.lines if each.line_id == first_line)
    assert (line.fulfilled, line.cancelled) == (1, 0)


def refund_line(line_id: str, units: int, kind: str) -> dict[str, Any]:
    return {"quantity": units, "restockType": kind, "lineItem": {"id": f"gid://shopify/LineItem/{line_id}"}}


def test_the_refunds_of_an_order_are_asked_for_only_when_units_are_gone_from_a_shipped_one() -> None:
    on, sale = sold(units=2)
    on.client.get_order(sale.order_id)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.get_order(sale.order_id)
    assert "Refunds" not in on.wire.operations
    sale.cancelled_at = sale.updated_at
    on.client.get_order(sale.order_id)
    assert on.wire.operations[-1] == "Refunds"


def test_an_order_that_the_shop_does_not_have_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        seller().client.get_order("6100000000999")
    assert refusal.value.reason == "unknown_order"


# --- damaged GraphQL orders ---------------------------------------------------------------------------


@functools.cache
def graphql_orders() -> tuple[Any, ...]:
    """Orders as the client gives them: unpaid, cancelled, shipped in part."""
    on = seller()
    on.market.points.burst = on.market.points.tokens = 1e9
    sales = populated(on.market, on.time, 30)
    on.client.confirm_shipment((sale := first(sales, lines=2, units=1)).order_id, confirmation(sale))
    return tuple(json.loads(raw) for raw, _ in on.client.changed_orders(0))


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*way, key)
        yield from places(each, (*way, key))


JUNK = st.sampled_from(
    [None, True, 0, -1, 10**30, 1e308, 0.5, "", "-1", "NaN", "1e999999", "\ud800", "x" * 5000, [], {}, [None], [[]]]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_graphql_order_changed_at_random_is_an_order_or_unreadable(data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(graphql_orders())))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, key = data.draw(st.sampled_from(list(places(body)) or [("order",)]))
        holder = functools.reduce(lambda here, step: here[step], way, body)
        if data.draw(st.booleans()):
            holder[key] = copy.deepcopy(data.draw(JUNK))  # the next damage may fall inside it
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder.pop(key, None)
    try:
        orders = read_orders(json.dumps(body), "shopify")
    except Unreadable:
        return
    for order in orders:
        json.dumps([order.order_id, *(line.title for line in order.lines)], ensure_ascii=False).encode()
        assert all(0 <= line.cancelled + line.fulfilled <= line.quantity for line in order.lines)
        assert order.payment.captured_minor >= order.payment.refunded_minor >= 0


# --- quantities ---------------------------------------------------------------------------------------


def test_quantities_are_absolute_and_compared_with_what_was_shown_last() -> None:
    on = seller()
    wanted = [availability(on, MUG, 7, on.shown(MUG)), availability(on, BOTTLE, 0, on.shown(BOTTLE))]
    assert on.client.push_availability(wanted) == [None, None]
    assert (on.shown(MUG), on.shown(BOTTLE)) == (7, 0)
    sent = [call["input"] for call in on.wire.variables("SetQuantities")]
    assert [(each["name"], each["reason"]) for each in sent] == [("available", "correction")] * len(sent)
    compared = [quantity["changeFromQuantity"] for each in sent for quantity in each["quantities"]]
    assert compared == [CATALOGUE[0].quantity, CATALOGUE[1].quantity]


def test_the_first_quantity_of_a_listing_is_compared_with_nothing() -> None:
    on = seller()
    assert on.client.push_availability([availability(on, MUG, 7, None)]) == [None]
    (call,) = on.wire.variables("SetQuantities")
    assert call["input"]["quantities"][0]["changeFromQuantity"] is None
    assert on.shown(MUG) == 7


def test_a_quantity_that_has_moved_is_looked_at_and_set_against_what_is_there() -> None:
    on = seller()
    assert on.client.push_availability([availability(on, MUG, 7, shown=3)]) == [None]
    assert on.wire.operations == ["token", "SetQuantities", "Available", "SetQuantities"]
    first_call, second_call = on.wire.variables("SetQuantities")
    assert second_call["input"]["quantities"][0]["changeFromQuantity"] == CATALOGUE[0].quantity
    assert first_call["key"] != second_call["key"]
    assert on.shown(MUG) == 7


def test_a_sale_between_the_look_and_the_second_attempt_is_not_overwritten() -> None:
    on = seller()
    on.wire.after["Available"] = lambda: on.market.shelf.listings[MUG].take(1)
    (error,) = on.client.push_availability([availability(on, MUG, 7, shown=3)])
    assert isinstance(error, Busy)
    assert on.shown(MUG) == CATALOGUE[0].quantity - 1


def test_a_quantity_that_moves_and_moves_back_is_set_at_last() -> None:
    """The second attempt failed against the very quantity that is there again: its key must not stand in the way."""
    on = seller()
    wish = availability(on, MUG, 7, shown=3)
    on.wire.after["Available"] = lambda: on.market.shelf.listings[MUG].take(1)
    on.client.push_availability([wish])
    on.market.shelf.listings[MUG].put_back(1)
    assert on.again(seconds=5).push_availability([wish]) == [None]
    assert on.shown(MUG) == 7


def test_the_same_wish_has_the_same_key_and_another_wish_another() -> None:
    on = seller()
    wishes = [
        availability(on, MUG, 7, None),
        availability(on, MUG, 7, None),
        availability(on, MUG, 8, None),
        availability(on, MUG, 8, None, version=2),
        availability(on, MUG, 8, shown=8, version=2),
        availability(on, BOTTLE, 8, None),
    ]
    assert [on.client.push_availability([wish]) for wish in wishes] == [[None]] * len(wishes)
    keys = [call["key"] for call in on.wire.variables("SetQuantities")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(wishes) - 1


def test_many_quantities_go_in_one_call_and_after_one_look_where_the_shop_has_sold_meanwhile() -> None:
    on = seller()
    wishes = [availability(on, listing.sku, 5, shown=listing.quantity) for listing in CATALOGUE[:3]]
    assert on.client.push_availability(wishes) == [None] * 3
    assert on.wire.operations == ["token", "SetQuantities"]
    stale = [availability(on, listing.sku, 4, shown=9, version=2) for listing in CATALOGUE[:3]]
    assert on.client.push_availability(stale) == [None] * 3
    assert on.wire.operations[2:] == ["SetQuantities", "Available", "SetQuantities"]
    assert [on.shown(listing.sku) for listing in CATALOGUE[:3]] == [4, 4, 4]


def test_an_item_that_the_shop_does_not_have_stops_no_other() -> None:
    on = seller()
    unknown = availability(on, MUG, 5, inventory_item_id="gid://shopify/InventoryItem/1")
    wishes = [unknown, availability(on, BOTTLE, 5, None)]
    first, second = on.client.push_availability(wishes)
    assert isinstance(first, Refused)
    assert second is None
    assert on.shown(BOTTLE) == 5


def test_a_push_whose_answer_was_lost_is_repeated_without_a_second_change() -> None:
    on = seller()
    on.wire.lost = ["SetQuantities"]
    wish = availability(on, MUG, 7, shown=CATALOGUE[0].quantity)
    (error,) = on.client.push_availability([wish])
    assert isinstance(error, Busy)
    assert on.shown(MUG) == 7
    assert on.again(seconds=5).push_availability([wish]) == [None]
    assert on.shown(MUG) == 7
    assert on.market.shelf.submissions == 1


def test_a_wish_whose_key_was_used_up_by_a_failed_attempt_still_gets_through() -> None:
    """Stale at first, and the second attempt lost its way: the message comes again with the same wish."""
    on = seller()
    wish = availability(on, MUG, 7, shown=3)
    on.wire.lost = ["Available"]
    (error,) = on.client.push_availability([wish])
    assert isinstance(error, Busy)
    assert on.again(seconds=5).push_availability([wish]) == [None]
    assert on.shown(MUG) == 7


def test_one_listing_that_is_wrong_is_no_reason_to_refuse_the_others() -> None:
    on = seller()
    gone = availability(on, BOTTLE, 5, inventory_item_id="gid://shopify/InventoryItem/1")
    elsewhere = availability(on, TEA, 5, location_id="gid://shopify/Location/1")
    outcome = on.client.push_availability([availability(on, MUG, 7), gone, elsewhere, availability(on, BOTTLE, 6)])
    assert [type(error) for error in outcome] == [type(None), Refused, Refused, type(None)]
    assert [error.reason for error in outcome if isinstance(error, Refused)] == ["listing_refused"] * 2
    assert (on.shown(MUG), on.shown(BOTTLE), on.shown(TEA)) == (7, 6, CATALOGUE[2].quantity)
