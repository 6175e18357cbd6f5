"""The three marketplaces and the application together, in one process: orders in, availability and parcels out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.lifecycle import stage, unconfirmed_shipments
from chalicelib.store.listings import listings_of
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import CALM, Faults
from tests.trade import Trade, settle_down

MEAN = Faults(throttled=0.05, unavailable=0.05, answer_lost=0.05)


def test_opening_stock_reaches_every_listing_and_the_word_of_the_channel_is_recorded() -> None:
    trade = Trade()
    assert trade.shown() == trade.expected()
    skus = [offer.sku for offer in CATALOGUE]
    settle_down(trade, lambda: all(listing.acked_ms for listing in listings_of(trade.world.tables, skus)))
    listings = listings_of(trade.world.tables, skus)
    assert len(listings) == 3 * len(CATALOGUE)
    quantity = {offer.sku: offer.quantity for offer in CATALOGUE}
    assert [listing.acked_quantity for listing in listings] == [quantity[listing.sku] for listing in listings]
    assert all(listing.acked_ms >= listing.changed_ms > 0 for listing in listings)


@pytest.mark.parametrize("notified", [True, False])
def test_orders_of_three_marketplaces_arrive_once_whether_they_are_told_of_or_found(notified: bool) -> None:
    trade = Trade()
    for marketplace in ("shopify", "amazon", "ebay"):
        trade.markets.sell(marketplace, 8)
    if notified:
        trade.pass_time(1)
    else:
        trade.pass_clock(300)
        trade.markets.tick(trade.now)  # every notification is lost
    trade.poll_all()
    trade.pass_time(300)
    trade.poll_all()
    assert trade.orders().keys() == trade.sold()
    assert len(trade.sold()) >= 20
    assert trade.wrong() == []


def test_every_parcel_is_confirmed_to_the_marketplace_that_sold() -> None:
    trade = Trade()
    for marketplace in ("shopify", "amazon", "ebay"):
        trade.markets.sell(marketplace, 6)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    trade.ship_everything()
    settle_down(trade, lambda: not any(map(unconfirmed_shipments, trade.orders().values())))
    shipped = {i for i, order in trade.orders().items() if order.state.shipments}
    told = trade.markets.summary()["shipped_ids"]
    assert shipped == {f"{name}:{order_id}" for name, ids in told.items() for order_id in ids}
    assert len(shipped) >= 10
    assert not [i for i, order in trade.orders().items() if order.state.holds]
    assert trade.shown() == trade.expected()
    assert trade.wrong() == []


@pytest.mark.parametrize("marketplace", ["shopify", "amazon", "ebay"])
def test_an_order_that_is_called_off_while_its_parcel_leaves_waits_for_a_person(marketplace: str) -> None:
    trade = Trade()
    market = trade.markets.markets[marketplace]
    market.habits = replace(market.habits, pending=0, cancelled=0)  # type: ignore[misc]
    (number,) = trade.markets.sell(marketplace)
    order_id = f"{marketplace}:{number}"
    settle_down(trade, lambda: order_id in trade.orders() and stage(trade.orders()[order_id]) == "shipping")
    market.cancel(market.shelf.sales[number], trade.now)
    trade.ship_everything()

    def held() -> set[str]:
        return {hold.reason for hold in trade.orders()[order_id].state.holds}

    settle_down(trade, lambda: "cancelled_after_shipping" in held())
    assert "cancelled_after_shipping" in held()
    order = trade.orders()[order_id]
    assert stage(order) == "settlement"
    lines = [
        {"line_id": line.line_id, "units": units.shipped}
        for line, units in zip(order.lines, order.state.quantities, strict=True)
    ]
    fact = {"return_id": "r", "step": "inspect", "location": "main", "lines": lines}
    trade.world.queues.send("shipping", [{"order": order_id, "do": "return", "fact": fact}])
    settle_down(trade, lambda: "cancelled_after_shipping" not in held())
    assert "cancelled_after_shipping" not in held()
    assert stage(trade.orders()[order_id]) == "settled"
    assert trade.shown() == trade.expected()
    assert trade.wrong() == []


def test_a_sold_out_sku_reads_zero_everywhere() -> None:
    trade = Trade()
    sku = CATALOGUE[-1].sku
    for _ in range(10):  # a buyer may cancel, and his unit is sold again
        while trade.shown()["ebay", sku]:
            trade.markets.sell("ebay", 10, sku)
        settle_down(trade, lambda: True)
        if trade.expected()["ebay", sku] == 0:
            break
    assert {trade.shown()[name, sku] for name in ("shopify", "amazon", "ebay")} == {0}


def test_lost_answers_throttles_and_gateway_pages_lose_and_double_nothing() -> None:
    trade = Trade(MEAN)
    for _ in range(6):
        for marketplace in ("shopify", "amazon", "ebay"):
            trade.markets.sell(marketplace, 2)
        trade.pass_time(60)
        trade.poll_all()
        trade.ship_everything()
    trade.markets.set_faults(CALM)

    def done() -> bool:
        trade.ship_everything()
        orders = trade.orders()
        return orders.keys() == trade.sold() and not any(map(unconfirmed_shipments, orders.values()))

    settle_down(trade, done)
    assert trade.orders().keys() == trade.sold()
    shipped = {i for i, order in trade.orders().items() if order.state.shipments}
    told = trade.markets.summary()["shipped_ids"]
    assert shipped == {f"{name}:{order_id}" for name, ids in told.items() for order_id in ids}
    parcels = [len(sale.parcels) for market in trade.markets.markets.values() for sale in market.shelf.sales.values()]
    assert max(parcels) == 1, "a lost answer told a parcel twice"
    assert trade.shown() == trade.expected()
    assert trade.wrong() == []


def test_a_channel_that_does_not_answer_stops_no_other() -> None:
    trade = Trade()
    for marketplace in ("shopify", "amazon", "ebay"):
        trade.markets.sell(marketplace, 3)
    trade.markets.dice["ebay"].faults = Faults(unavailable=1.0)
    trade.pass_time(300)
    trade.poll_all()
    trade.pass_time(300)
    found = {order_id.partition(":")[0] for order_id in trade.orders()}
    assert found == {"shopify", "amazon"}
    trade.markets.set_faults(CALM)
    settle_down(trade, lambda: trade.orders().keys() == trade.sold())
    assert trade.orders().keys() == trade.sold()
