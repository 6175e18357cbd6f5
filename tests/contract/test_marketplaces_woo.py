"""The WooCommerce shop in the world of stand-ins: optional, told once, and able to be silent."""

from __future__ import annotations

import json
from datetime import timedelta

from chalicelib.channels.signatures import verify_woocommerce
from local.marketplaces.world import Marketplaces


def world() -> Marketplaces:
    return Marketplaces(3, rate_per_s=0, woocommerce=True)


def test_a_world_has_such_a_shop_only_where_it_is_wished_for() -> None:
    assert "woocommerce" not in Marketplaces(3).markets
    assert "woocommerce" in world().markets


def test_changes_of_an_order_are_one_signed_delivery_of_what_it_is_now_and_never_come_again() -> None:
    markets = world()
    assert markets.woo
    (order_id,) = markets.sell("woocommerce")
    sale = markets.woo.shelf.sales[order_id]
    sale.touch(markets.now)
    markets.woo.changed(sale, "paid")
    markets.woo.shelf.due.clear()
    now = markets.now + timedelta(seconds=10)
    (delivery,) = markets.tick(now)
    verify_woocommerce(delivery.body, delivery.headers["X-WC-Webhook-Signature"], [markets.woo.webhook_secret])
    assert json.loads(delivery.body) == markets.woo.order(sale)
    markets.undelivered(delivery, now)
    assert markets.tick(now + timedelta(hours=5)) == []


def test_a_shop_lowers_its_own_stock_and_may_be_silent() -> None:
    markets = world()
    assert markets.woo
    markets.webhooks_on = False
    before = {sku: listing.quantity for sku, listing in markets.woo.shelf.listings.items()}
    (order_id,) = markets.sell("woocommerce")
    for line in markets.woo.shelf.sales[order_id].lines:
        assert markets.woo.shelf.listings[line.sku].quantity == before[line.sku] - line.quantity
    assert [each for each in markets.tick(markets.now + timedelta(hours=1)) if each.marketplace == "woocommerce"] == []
