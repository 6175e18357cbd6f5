"""An own shop with all that surrounds it, in one process: from the click on Facebook to the delivery and the payout."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.channels.carriers import tracking_reader
from chalicelib.domain.lifecycle import stage
from chalicelib.domain.orders import Order
from chalicelib.inbound.accounts import JOBS
from chalicelib.inbound.tracking import messages_of
from chalicelib.outbound.catalogue import feed
from chalicelib.store.labels import labels_of
from local.carriers.desk import Desk
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces import shopify_balance
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import CALM, FaultDie, Faults
from local.marketplaces.shopify_payments import payments
from local.meta.graph import Graph, whole_item
from local.meta.server import Meta
from local.services import Services
from tests.trade import START, Trade, settle_down

MEAN = Faults(throttled=0.05, unavailable=0.05, answer_lost=0.1)
BOX = {"weight_g": 400, "length_mm": 300, "width_mm": 200, "height_mm": 150}


class Shop(Trade):
    """A business that has a carrier and an account at Meta."""

    def __init__(self, kind: type[Desk], faults: Faults) -> None:
        self.desk = kind(FaultDie(faults), base_url="", start=START)
        self.graph = Graph("token", "d-1", 0, FaultDie(faults))
        self.graph.items = {offer.sku: whole_item(offer.sku, "out of stock") for offer in CATALOGUE}
        super().__init__(faults, Services(Meta(self.graph), self.desk))

    def pass_time(self, seconds: float) -> None:
        assert self.services
        webhooks = self.services.tick(self.now + timedelta(seconds=seconds))
        super().pass_time(seconds)
        for webhook in webhooks:
            self.world.queues.send("tracking", messages_of(tracking_reader(webhook.marketplace)(webhook.body)))
        feed(self.world.runtime)
        self.world.run()

    def order(self, order_id: str) -> Order:
        return self.orders()[order_id]

    def ask_for_labels(self) -> None:
        for order_id, order in self.orders().items():
            lines = [
                {"line_id": line.line_id, "units": units.allocations["main"]}
                for line, units in zip(order.lines, order.state.quantities, strict=True)
                if units.allocations.get("main")
            ]
            if lines and stage(order) == "shipping" and not order.state.holds:
                wish = {"location": "main", "lines": lines, "package": BOX}
                asked = {"order": order_id, "label": f"{order_id}-1", "account": self.desk.name, "wish": wish}
                self.world.queues.send("labels", [asked])
        self.world.run()


@pytest.mark.parametrize("faults", [CALM, MEAN], ids=["calm", "mean"])
@pytest.mark.parametrize("kind", [Easypost, Shippo])
def test_an_order_of_facebook_goes_from_the_click_to_the_payout_once(kind: type[Desk], faults: Faults) -> None:
    shop = Shop(kind, faults)
    shop.markets.sell("shopify", 4, authorised=True, referred=True)
    for _ in range(12):
        shop.pass_time(600)
        shop.poll_all()
        shop.ask_for_labels()
    shop.markets.set_faults(CALM)
    assert shop.services
    shop.services.set_faults(CALM)
    settle_down(shop, lambda: all(order.state.shipments for order in shop.orders().values()))
    for hours in (1, 2, 30, 40):
        shop.pass_time(hours * 3600)
    shopify_balance.pay_out(shop.markets.shopify, shop.now + timedelta(seconds=1))
    shop.pass_time(3600)
    JOBS["poll_money"](shop.world.runtime)
    shop.world.run()
    told = shop.services.summary()
    for order_id, order in shop.orders().items():
        number = order_id.partition(":")[2]
        sale = shop.markets.shopify.shelf.sales[number]
        assert stage(order) == "settled", order.state.holds
        assert order.content
        assert order.content.referral
        assert order.content.referral.source == "facebook"
        taken = [each.amount_minor for each in payments(shop.markets.shopify, sale) if each.kind == "CAPTURE"]
        assert taken == [order.state.total_minor]
        (label,) = labels_of(shop.world.tables, order_id)
        assert [name for name in told["labels"][kind.name] if name.startswith(f"{order_id}-1~")] == [label.ref]
        assert [parcel.tracking for parcel in order.state.shipments] == ["delivered"]
        assert [parcel.tracking for parcel in sale.parcels] == [label.bought["tracking_number"]]
        assert told["meta"]["purchases"].count(number) == 1
    assert len(told["meta"]["purchases"]) == len(shop.orders()) == 4
    assert shop.wrong() == []


def test_a_sku_that_is_sold_out_is_gone_on_every_channel_and_from_the_catalogue() -> None:
    shop = Shop(Easypost, CALM)
    sku = CATALOGUE[-1].sku
    shop.pass_time(900)
    shop.pass_time(900)
    assert shop.graph.items[sku]["availability"] == "in stock"
    while shop.shown()["shopify", sku]:
        shop.markets.sell("shopify", 10, sku, authorised=True)
    settle_down(shop, lambda: True)
    shop.pass_time(900)
    assert {shop.shown()[name, sku] for name in ("shopify", "amazon", "ebay")} == {0}
    assert shop.graph.items[sku]["availability"] == "out of stock"
