"""The stand-in shop's gateway of Stripe, its buyers from Facebook, its variations, and what survives a restart."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from chalicelib.channels.port import Availability, Price
from chalicelib.channels.woocommerce.reader import read_orders
from chalicelib.domain.channel_order import ChannelOrder
from local.marketplaces.faults import FaultDie, Faults
from local.marketplaces.market import Habits
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.wire import Request
from local.marketplaces.woo_gateway import Gateway
from local.marketplaces.woo_products import OWN, PARENT, product_id, variation_ids
from local.marketplaces.woocommerce import WooCommerce
from local.marketplaces.world import Marketplaces
from local.processors.server import Guarded
from local.processors.stripe import Stripe
from tests.contract.woo_seller import Seller

MUG, NOTE = "MUG-STONE-350", "NOTE-A5-GRID"


def connected(stripe: Stripe) -> Marketplaces:
    markets = Marketplaces(3, rate_per_s=0, woocommerce=True, start=stripe.now)
    connect(markets, stripe)
    return markets


def connect(markets: Marketplaces, stripe: Stripe) -> None:
    shop_of(markets).gateway = Gateway(shop_of(markets), Guarded(stripe, Lock()))
    shop_of(markets).stripe_share = 1.0


def shop_of(markets: Marketplaces) -> WooCommerce:
    assert markets.woo
    return markets.woo


def sold(markets: Marketplaces) -> str:
    (order_id,) = markets.sell("woocommerce")
    shop_of(markets).shelf.due.clear()
    return order_id


def read(markets: Marketplaces, order_id: str) -> ChannelOrder:
    shop = shop_of(markets)
    (order,) = read_orders(json.dumps(shop.order(shop.shelf.sales[order_id])), "woocommerce")
    return order


def test_a_payment_names_the_order_as_the_gateway_writes_it() -> None:
    stripe = Stripe()
    markets = connected(stripe)
    order_id = sold(markets)
    payment = read(markets, order_id).payment
    (intent,) = stripe.books.intents.values()
    assert (payment.reference, payment.authorised_minor) == (intent.intent_id, intent.amount)
    assert intent.metadata["signature"].startswith(f"{order_id}:")
    assert shop_of(markets).order(shop_of(markets).shelf.sales[order_id])["transaction_id"] == intent.charge_id


def test_the_two_meet_again_after_each_was_saved_and_loaded_alone(tmp_path: Path) -> None:
    stripe = Stripe()
    markets = connected(stripe)
    captured, open_still = sold(markets), sold(markets)
    shop_of(markets).notes[captured] = [{"id": 1, "note": "packed"}]
    markets.save(tmp_path / "markets.json")
    intent = stripe.books.intents[shop_of(markets).office.payments[captured].intent_id]
    stripe.books.capture(intent, intent.amount, final=True, now=1)
    stripe.save(tmp_path / "stripe.json")

    stripe_again, again = Stripe(), Marketplaces(4, rate_per_s=0, woocommerce=True)
    stripe_again.load(tmp_path / "stripe.json")
    again.load(tmp_path / "markets.json")
    connect(again, stripe_again)
    again.tick(again.now + timedelta(seconds=1))
    shop = shop_of(again)
    assert [shop.status(shop.shelf.sales[each]) for each in (captured, open_still)] == ["processing", "on-hold"]
    assert read(again, captured).payment.captured_minor == intent.amount
    assert shop.notes[captured][0]["note"] == "packed"


def test_a_gateway_that_stripe_does_not_answer_hears_of_it_later() -> None:
    stripe = Stripe()
    markets = connected(stripe)
    order_id = sold(markets)
    shop, sale = shop_of(markets), shop_of(markets).shelf.sales[order_id]
    stripe.die = FaultDie(Faults(answer_lost=1.0))
    (intent,) = stripe.books.intents.values()
    assert shop.gateway
    shop.gateway.capture(sale)
    assert (intent.status, shop.status(sale)) == ("succeeded", "on-hold")
    stripe.die = FaultDie()
    markets.tick(markets.now + timedelta(seconds=1))
    assert shop.status(sale) == "processing"


def test_a_capture_of_a_part_lowers_the_total_and_a_refund_before_it_gives_all_free() -> None:
    stripe = Stripe()
    markets = connected(stripe)
    part, free = sold(markets), sold(markets)
    shop = shop_of(markets)
    one, other = (stripe.books.intents[shop.office.payments[each].intent_id] for each in (part, free))
    stripe.books.capture(one, one.amount - 100, final=True, now=1)
    assert shop.gateway
    assert shop.gateway.refund(shop.shelf.sales[free], 100)
    markets.tick(markets.now + timedelta(seconds=1))
    assert shop.total_minor(shop.shelf.sales[part]) == one.amount - 100
    assert read(markets, part).payment.captured_minor == one.amount - 100
    assert read(markets, part).total_minor == one.amount
    assert (other.status, shop.status(shop.shelf.sales[free])) == ("canceled", "cancelled")
    assert not shop.refunds.get(part)


def test_a_buyer_who_came_from_facebook_is_sold_to_on_demand() -> None:
    markets = Marketplaces(3, rate_per_s=0, woocommerce=True)
    (order_id,) = markets.sell("woocommerce", referred=True)
    found = read(markets, order_id).attribution
    assert found
    assert (found.referral.source, found.referral.consent) == ("facebook", True)
    assert found.tracking["fbc"].startswith("fb.1.")
    (plain,) = markets.sell("woocommerce")
    assert read(markets, plain).attribution is None
    with pytest.raises(ValueError, match="gateway"):
        markets.sell("woocommerce", authorised=True)


def test_a_share_of_buyers_comes_from_facebook_and_not_all_of_them_consent() -> None:
    markets = Marketplaces(3, rate_per_s=0, woocommerce=True)
    shop_of(markets).habits = Habits(referred=0.5)  # type: ignore[misc]
    found = [read(markets, order_id).attribution for order_id in markets.sell("woocommerce", 60)]
    came = [each.referral for each in found if each]
    assert 15 < len(came) < 45
    assert {each.consent for each in came} == {True, False}


def test_the_control_takes_a_referral() -> None:
    markets = Marketplaces(3, rate_per_s=0, woocommerce=True, start=utc_now(), clock=utc_now)
    with MarketplaceServer(markets, lambda _: True) as server:
        answer = control(server, {"marketplace": "woocommerce", "referral": "facebook"})
        (order_id,) = answer["order_ids"]
        assert read(markets, order_id).attribution
        assert "error" in control(server, {"marketplace": "ebay", "referral": "facebook"})


def control(server: MarketplaceServer, body: dict[str, Any]) -> Any:
    return server.answer(Request("POST", "/_control/sell", body=json.dumps(body).encode())).json()


@pytest.mark.parametrize("managed_by", [OWN, PARENT])
def test_quantities_and_prices_of_variations_are_shown_by_whoever_manages_them(managed_by: str) -> None:
    on = Seller()
    on.shop.variable = {MUG: managed_by}
    refs = [
        {"product_id": str(product_id(MUG)), "variation_id": str(number)} for number in variation_ids(MUG, managed_by)
    ]
    listed = [each for each in on.client.listings() if each.refs["product_id"] == str(product_id(MUG))]
    assert [each.refs for each in listed] == refs
    assert [each.channel_sku for each in listed] == ([MUG] if managed_by == OWN else [r["variation_id"] for r in refs])
    wanted = [Availability(each.channel_sku, each.refs, 7, 1) for each in listed]
    assert on.client.push_availability(wanted) == [None] * len(refs)
    prices = [Price(each.channel_sku, each.refs, 1999, "USD", 1) for each in listed]
    assert on.client.push_prices(prices) == [None] * len(refs)
    assert (on.shop.shelf.listings[MUG].quantity, on.shop.shelf.listings[MUG].price_minor) == (7, 1999)
    order_id = on.sell(MUG)
    (order,) = read_orders(on.client.get_order(order_id), "woocommerce")
    line = next(each for each in order.lines if each.listing_ref in {r["variation_id"] for r in refs})
    assert line.channel_sku in {each.channel_sku for each in listed}
