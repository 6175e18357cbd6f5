"""Fulfilment orders that are held, scheduled, split, moved or a service's, at the stand-in shop under the schema."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.channel_order import ChannelOrder, Problem
from chalicelib.domain.entry import precedence
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_fulfilment import hold, move, part_of, release, schedule, split
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.wire import to_json
from tests.contract.marketplaces_shopify_seller import ship
from tests.contract.shopify_seller import Seller, confirmation, sold

ELSEWHERE = 70_110_220_331


def read(on: Seller, sale: Sale) -> ChannelOrder:
    on.market.points.tokens = on.market.points.burst
    (order,) = read_orders(on.client.get_order(sale.order_id), "shopify")
    return order


def reasons(on: Seller, sale: Sale) -> list[str]:
    return [problem.reason for problem in read(on, sale).problems]


def refusal(on: Seller, sale: Sale, *units: tuple[int, int]) -> Refused:
    with pytest.raises(Refused) as found:
        on.client.confirm_shipment(sale.order_id, confirmation(sale, *units))
    assert sale.parcels == []
    return found.value


# --- reading ----------------------------------------------------------------------------------------------


def test_a_hold_is_read_with_its_reasons_and_is_newer_news_though_the_order_has_not_changed() -> None:
    on, sale = sold()
    before = read(on, sale)
    hold(on.market, sale, on.time.pass_(seconds=5), "INCORRECT_ADDRESS")
    hold(on.market, sale, on.time.pass_(seconds=5), "HIGH_RISK_OF_FRAUD")
    held = read(on, sale)
    number = part_of(on.market, sale).number
    told = f"fulfilment order {number} is on hold (high risk of fraud, incorrect address): release it in Shopify"
    assert held.problems == (Problem("held_at_channel", told),)
    release(on.market, sale, on.time.pass_(seconds=5))
    after = read(on, sale)
    assert after.problems == before.problems == ()
    assert before.version_ms == held.version_ms == after.version_ms
    assert precedence(before) < precedence(held) < precedence(after)


def test_one_fulfilment_order_of_several_holds_the_order() -> None:
    on, sale = sold(units=2)
    part = split(on.market, sale, on.time.now, {sale.lines[0].line_id: 1})
    assert reasons(on, sale) == []
    hold(on.market, sale, on.time.now, number=part.number)
    assert reasons(on, sale) == ["held_at_channel"]


def test_one_that_is_scheduled_waits_for_its_day() -> None:
    on, sale = sold()
    schedule(on.market, sale, on.time.now, on.time.now + timedelta(days=30))
    (problem,) = read(on, sale).problems
    assert (problem.reason, "2026-06-03" in problem.detail) == ("scheduled_at_channel", True)
    schedule(on.market, sale, on.time.now, None)
    assert reasons(on, sale) == []


def test_one_of_a_fulfilment_service_is_not_ours_and_one_that_was_moved_is() -> None:
    on, sale = sold()
    move(on.market, sale, on.time.now, ELSEWHERE)
    assert reasons(on, sale) == []
    on, sale = sold()
    move(on.market, sale, on.time.now, ELSEWHERE, service=True)
    (problem,) = read(on, sale).problems
    assert (problem.reason, "Parcel people" in problem.detail) == ("other_fulfilment_service", True)


def test_more_fulfilment_orders_than_come_with_the_order_are_read_too() -> None:
    on, sale = sold(units=2)
    first = part_of(on.market, sale)
    for _ in range(60):  # each is moved on, and closed
        move(on.market, sale, on.time.now, ELSEWHERE)
        first.units, on.market.office.fulfilment[sale.order_id][-1].units = (
            on.market.office.fulfilment[sale.order_id][-1].units,
            first.units,
        )
    last = move(on.market, sale, on.time.now, ELSEWHERE)
    hold(on.market, sale, on.time.now, number=last.number)
    assert reasons(on, sale) == ["held_at_channel"]
    assert on.wire.operations.count("Standings") == 2


def test_a_webhook_body_tells_nothing_of_holds_and_is_older_than_the_reading_of_its_second() -> None:
    on, sale = sold()
    body = to_json(rest_order(on.market, sale))
    (told,) = read_orders(body, "shopify")
    assert set(told.untold) == {"held_at_channel", "other_fulfilment_service", "scheduled_at_channel"}
    whole = read(on, sale)
    assert (whole.untold, whole.version_ms) == ((), told.version_ms)
    assert precedence(told) < precedence(whole)


@pytest.mark.parametrize(("status", "error"), [("held", "on_hold"), ("later", "scheduled"), ("gone", "closed")])
def test_the_stand_in_ships_nothing_of_what_may_not_be_shipped(status: str, error: str) -> None:
    on, sale = sold()
    if status == "held":
        hold(on.market, sale, on.time.now)
    elif status == "later":
        schedule(on.market, sale, on.time.now, on.time.now + timedelta(days=1))
    else:
        move(on.market, sale, on.time.now, ELSEWHERE)
    (refused,) = ship(on.market, sale)["userErrors"]
    assert refused["message"] == f"Fulfillment order has an unfulfillable status= {error}."
    assert sale.parcels == []


# --- telling ----------------------------------------------------------------------------------------------


def test_a_parcel_of_held_units_is_refused_by_name_and_taken_once_they_are_released() -> None:
    on, sale = sold()
    hold(on.market, sale, on.time.now, "INCORRECT_ADDRESS")
    refused = refusal(on, sale)
    assert (refused.reason, "incorrect address" in refused.detail) == ("held_at_channel", True)
    release(on.market, sale, on.time.now)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert len(sale.parcels) == 1


def test_a_parcel_of_a_service_or_of_a_later_day_is_refused_by_name() -> None:
    on, sale = sold()
    schedule(on.market, sale, on.time.now, on.time.now + timedelta(days=30))
    assert refusal(on, sale).reason == "scheduled_at_channel"
    on, sale = sold()
    move(on.market, sale, on.time.now, ELSEWHERE, service=True)
    assert refusal(on, sale).reason == "other_fulfilment_service"


def test_what_may_be_shipped_is_shipped_beside_what_is_held() -> None:
    on, sale = sold(units=2)
    line_id = sale.lines[0].line_id
    hold(on.market, sale, on.time.now)
    split(on.market, sale, on.time.now, {line_id: 1})
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert [parcel.units for parcel in sale.parcels] == [{line_id: 1}]
    with pytest.raises(Refused) as found:
        on.client.confirm_shipment(sale.order_id, confirmation(sale, sequence=2))
    assert found.value.reason == "held_at_channel"


def test_more_than_all_that_is_left_is_refused_as_before_though_something_is_held() -> None:
    on, sale = sold(lines=2)
    hold(on.market, sale, on.time.now)
    split(on.market, sale, on.time.now, {sale.lines[1].line_id: sale.lines[1].quantity})
    assert refusal(on, sale, (1, sale.lines[1].quantity + 1)).reason == "nothing_left_to_ship"


def test_a_parcel_follows_its_units_to_where_they_were_moved() -> None:
    on, sale = sold()
    move(on.market, sale, on.time.now, ELSEWHERE)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert len(sale.parcels) == 1


def test_a_parcel_over_split_fulfilment_orders_of_two_places_is_told_once_though_answers_are_lost() -> None:
    on, sale = sold(units=2)
    line_id, whole = sale.lines[0].line_id, sale.lines[0].quantity
    split(on.market, sale, on.time.now, {line_id: 1}).location = ELSEWHERE
    for _ in range(2):
        on.wire.lost = ["Fulfil"]
        with pytest.raises(Busy):
            on.again(seconds=5).confirm_shipment(sale.order_id, confirmation(sale, (0, whole)))
    on.again(seconds=5).confirm_shipment(sale.order_id, confirmation(sale, (0, whole)))
    assert sorted(parcel.units[line_id] for parcel in sale.parcels) == sorted((1, whole - 1))
    assert on.wire.operations.count("Fulfil") == 2
