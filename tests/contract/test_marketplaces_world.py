"""The marketplaces together: what they sell, tell, lose and remember."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE, Listing, listing_ids
from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request
from local.marketplaces.world import MAX_ATTEMPTS, Delivery, Marketplaces
from tests.contract.marketplaces_calls import amazon_call, ebay_call, graphql, shopify_token

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLENTY = tuple(Listing(each.sku, each.title, each.price_minor, each.currency, 100_000) for each in CATALOGUE)


def run(world: Marketplaces, seconds: int, from_second: int = 0) -> list[Delivery]:
    """Ticks once a second and returns everything that was delivered."""
    return [
        delivery
        for second in range(from_second, from_second + seconds)
        for delivery in world.tick(START + timedelta(seconds=second))
    ]


def opened(faults: Faults | None = None, seed: int = 7, rate_per_s: float = 1.0) -> Marketplaces:
    return Marketplaces(seed, PLENTY, faults or Faults(), rate_per_s=rate_per_s, start=START)


def sold(world: Marketplaces) -> int:
    return sum(len(market.shelf.sales) for market in world.markets.values())


# --- selling ------------------------------------------------------------------------------------------


def test_the_rate_is_kept_and_baskets_are_small() -> None:
    world = opened(rate_per_s=2)
    run(world, 1000)
    assert sold(world) == pytest.approx(2000, rel=0.1)
    sizes = [len(sale.lines) for market in world.markets.values() for sale in market.shelf.sales.values()]
    assert set(sizes) == {1, 2, 3}
    assert sum(sizes) / len(sizes) == pytest.approx(1.4, abs=0.1)


def test_nothing_is_sold_below_zero_and_every_unit_is_accounted_for() -> None:
    world = Marketplaces(3, CATALOGUE, rate_per_s=5, start=START)
    run(world, 600)
    for market in world.markets.values():
        for opening in CATALOGUE:
            listing = market.shelf.listings[opening.sku]
            held = sum(
                line.quantity
                for sale in market.shelf.sales.values()
                for line in sale.lines
                if line.sku == opening.sku and not sale.cancelled_at
            )
            assert listing.available >= 0
            assert listing.available + held == opening.quantity
    assert any(listing.available == 0 for listing in world.shopify.shelf.listings.values())


def test_a_demanded_sale_is_of_the_sku_until_it_is_sold_out() -> None:
    world = Marketplaces(
        3, (Listing("ONE", "One", 500, "USD", 2), Listing("MANY", "Many", 700, "USD", 900)), start=START
    )
    ids = world.sell("ebay", 5, "ONE")
    assert 1 <= len(ids) <= 2
    assert all(world.ebay.shelf.sales[order_id].lines[0].sku == "ONE" for order_id in ids)


def test_one_seed_is_one_history_and_another_seed_another() -> None:
    faults = Faults(duplicated=0.2, late=0.2, lost=0.1)
    one, same, other = (run(opened(faults, seed), 120) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_paused_world_sells_nothing_and_then_goes_on() -> None:
    world = opened()
    world.paused = True
    run(world, 100)
    assert sold(world) == 0
    world.paused = False
    run(world, 100, from_second=100)
    assert sold(world) > 50


def test_a_catalogue_of_two_currencies_or_none_is_refused() -> None:
    for catalogue in ((), (Listing("A", "A", 1, "USD", 1), Listing("B", "B", 1, "EUR", 1))):
        with pytest.raises(ValueError, match="exactly one currency"):
            Marketplaces(1, catalogue)


# --- notifications ------------------------------------------------------------------------------------


def test_without_faults_each_shopify_and_amazon_order_is_told_at_once_and_ebay_is_silent() -> None:
    world = opened()
    deliveries = run(world, 200)
    assert {delivery.marketplace for delivery in deliveries} == {"shopify", "amazon"}
    created = [each for each in deliveries if each.headers.get("X-Shopify-Topic") == "orders/create"]
    assert Counter(json.loads(each.body)["id"] for each in created) == {
        int(id_): 1 for id_ in world.shopify.shelf.sales
    }
    told = {notification(each)["AmazonOrderId"] for each in deliveries if each.marketplace == "amazon"}
    assert told == set(world.amazon.shelf.sales)
    assert world.outbox == []


def notification(delivery: Delivery) -> dict[str, str]:
    payload: dict[str, str] = json.loads(delivery.body)["Payload"]["OrderChangeNotification"]
    return payload


def test_some_notifications_come_twice_late_or_never() -> None:
    calm, rough = run(opened(), 400), run(opened(Faults(duplicated=0.3, late=0.3, lost=0.2, late_by_s=(5, 60))), 400)
    ids = Counter(each.headers["X-Shopify-Webhook-Id"] for each in rough if each.marketplace == "shopify")
    expected = {each.headers["X-Shopify-Webhook-Id"] for each in calm if each.marketplace == "shopify"}
    assert max(ids.values()) == 2
    assert 0.1 < 1 - len(expected & ids.keys()) / len(expected) < 0.4
    created = [json.loads(each.body)["id"] for each in rough if each.headers.get("X-Shopify-Topic") == "orders/create"]
    assert created != sorted(created)


def test_a_late_notification_tells_the_order_as_it_was() -> None:
    world = opened(Faults(late=1.0, late_by_s=(100, 100)))
    order_id = world.sell("shopify")[0]
    sale = world.shopify.shelf.sales[order_id]
    sale.paid = False
    world.paused = True
    world.tick(START)
    world.shopify.pay(sale, START + timedelta(seconds=5))
    deliveries = run(world, 200)
    told = {each.headers["X-Shopify-Topic"]: json.loads(each.body)["financial_status"] for each in deliveries}
    assert told == {"orders/create": "pending", "orders/updated": "paid"}


def test_a_notification_that_is_not_taken_is_tried_again_for_a_while() -> None:
    world = opened()
    world.paused = True
    world.sell("amazon")
    world.amazon.shelf.due.clear()  # nothing else is to happen to the order
    delivery = world.tick(START)[0]
    now, tries = START, 1
    while True:
        world.undelivered(delivery, now)
        if not world.outbox:
            break
        assert world.tick(now + timedelta(seconds=4)) == []
        now = world.outbox[0].due_at
        assert world.tick(now) == [delivery]
        tries += 1
    assert tries == MAX_ATTEMPTS


# --- failing answers ----------------------------------------------------------------------------------


def test_throttling_speaks_each_marketplaces_own_words() -> None:
    world = opened(Faults(throttled=1.0))
    amazon, ebay = (world.handle(name, Request("GET", "/x")) for name in ("amazon", "ebay"))
    assert (amazon.status, amazon.json()["errors"][0]["code"]) == (429, "QuotaExceeded")
    assert (ebay.status, ebay.json()["errors"][0]["errorId"]) == (429, 2001)
    shopify = world.handle("shopify", Request("POST", "/admin/api/2026-10/graphql.json"))
    assert (shopify.status, shopify.json()["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")


def test_an_unavailable_marketplace_answers_html_and_does_nothing() -> None:
    world = opened()
    token = shopify_token(world.shopify)
    world.set_faults(Faults(unavailable=1.0))
    with pytest.raises(AssertionError, match="503"):
        graphql(world.shopify, "{ __typename }", token=token)
    answer = world.handle("amazon", Request("GET", "/orders/2026-01-01/orders"))
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html")


def test_a_lost_answer_hides_work_that_was_done() -> None:
    world = opened()
    order_id = world.sell("ebay")[0]
    sale = world.ebay.shelf.sales[order_id]
    path = f"/sell/fulfillment/v1/order/{order_id}/shipping_fulfillment"
    body = {"lineItems": [{"lineItemId": sale.lines[0].line_id, "quantity": 1}]}
    token = world.ebay.issue_token("v^1.1#", 60)
    world.set_faults(Faults(answer_lost=1.0))
    assert ebay_call(world.ebay, "POST", path, body=body, token=token).status == 503
    world.set_faults(Faults())
    assert ebay_call(world.ebay, "GET", path, token=token).json()["total"] == 1


# --- memory -------------------------------------------------------------------------------------------


def test_a_saved_world_goes_on_where_it_was(tmp_path: Path) -> None:
    faults = Faults(duplicated=0.2, late=0.3, late_by_s=(30, 90))
    world = opened(faults)
    run(world, 100)
    token = world.amazon.issue_token("Atza|", 3600)
    assert world.outbox
    world.save(tmp_path / "state" / "marketplaces.json")
    again = opened(faults, seed=99)
    again.load(tmp_path / "state" / "marketplaces.json")
    assert again.summary() == world.summary()
    assert again.amazon.shelf == world.amazon.shelf
    order_id = next(iter(again.amazon.shelf.sales))
    assert amazon_call(again.amazon, "GET", f"/orders/2026-01-01/orders/{order_id}", token=token).status == 200
    world.next_sale_at = None  # a restart begins a new pause between two sales
    assert run(again, 100, from_second=100) == run(world, 100, from_second=100)


def test_a_seller_gets_all_he_needs_to_connect() -> None:
    world = opened()
    found = accounts(world, "http://127.0.0.1:1")
    assert found.keys() == {"shopify", "amazon", "ebay"}
    assert {channel: account["settings"]["base_url"] for channel, account in found.items()} == {
        channel: f"http://127.0.0.1:1/{channel}" for channel in found
    }
    assert listing_ids("A") != listing_ids("B")
    assert listing_ids("A") == listing_ids("A")
