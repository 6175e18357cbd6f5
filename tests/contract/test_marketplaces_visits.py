"""Buyers whom Facebook has sent, and whose money is only held, as the stand-in Shopify tells of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from chalicelib.channels.shopify.reader import read_orders
from local.marketplaces.market import Habits
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.world import Marketplaces
from tests.contract.shopify_seller import seller

OF_FACEBOOK = ("facebook", "paid", "fbclid", True)


def test_webhook_and_poll_tell_the_same_visit_and_the_same_authorisation() -> None:
    on = seller()
    sale = on.market.sell(on.market.die.rng, on.time.now, authorised=True, referred=True)
    assert sale
    (polled,) = read_orders(on.again(1).get_order(sale.order_id), "shopify")
    (pushed,) = read_orders(json.dumps(rest_order(on.market, sale)), "shopify")
    for order in (polled, pushed):
        assert order.attribution
        found = order.attribution.referral
        assert (found.source, found.medium, found.evidence, found.consent) == OF_FACEBOOK
        known = order.attribution.tracking
        assert sale.visit
        assert found.campaign == sale.visit.utm["campaign"]
        assert (known["fbc"], known["fbp"]) == (sale.visit.fbc, sale.visit.fbp)
        assert known["user_agent"] == sale.visit.browser
        assert order.payment.authorised_minor == order.total_minor
        assert order.payment.captured_minor == 0
    assert polled.payment.expires_ms == round((sale.placed_at + timedelta(days=7)).timestamp()) * 1000


def test_shares_of_all_orders_are_referred_and_authorised_and_are_so_after_a_restart(tmp_path: Path) -> None:
    world = Marketplaces(3, rate_per_s=0)
    world.shopify.habits = Habits(authorised=0.5, referred=0.5)  # type: ignore[misc]
    world.sell("shopify", 100)
    world.save(tmp_path / "state")
    again = Marketplaces(3, rate_per_s=0)
    again.load(tmp_path / "state")
    sales = again.shopify.shelf.sales
    assert sales == world.shopify.shelf.sales
    visits = [sale.visit for sale in sales.values() if sale.visit]
    assert 30 < len(visits) < 70
    assert {visit.consents for visit in visits} == {True, False}
    held = [sale for sale in sales.values() if not sale.paid]
    assert 30 < len(held) < 70
