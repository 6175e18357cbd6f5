"""A WooCommerce shop through the real handlers, by polling alone."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.inbound.polls import poll
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import Listing, listing_writes, sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import listed_write, receipt_writes
from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request
from local.marketplaces.woocommerce import product_id
from local.marketplaces.world import Marketplaces
from local.memory.world import World

CHANNEL, MUG = "woocommerce", "MUG-STONE-350"


class Trade:
    """A world that sells mugs at one WooCommerce shop, with ten on hand. The shop's webhooks are off."""

    def __init__(self) -> None:
        self.world = World(transport=self._send)
        self.markets = Marketplaces(
            5, CATALOGUE[:1], rate_per_s=0, start=self.now, clock=lambda: self.now, woocommerce=True
        )
        self.markets.webhooks_on = False
        assert self.markets.woo
        self.shop = self.markets.woo
        tables, found = self.world.tables, accounts(self.markets, "http://127.0.0.1")[CHANNEL]
        add_account(tables, CHANNEL, found["settings"])
        self.world.secrets.kept[f"{CHANNEL}/api"] = found["api"]
        tables.write(*sku_writes(MUG, "Mug"))
        tables.write(*listing_writes(Listing(CHANNEL, MUG, MUG, {"product_id": str(product_id(MUG))})))
        tables.write(*receipt_writes("opening", MUG, "main", 10, self.world.now_ms))
        tables.write(listed_write(MUG, "main", (CHANNEL,), self.world.now_ms))
        self.world.run()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.world.now_ms / 1000, UTC)

    def _send(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        path = split.path.removeprefix(f"/{CHANNEL}")
        query = dict(parse_qsl(split.query))
        answer = self.markets.handle(CHANNEL, Request(request.method, path, query, request.headers, request.body))
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def settle(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            self.world.now_ms += 300_000
            poll(CHANNEL, self.world.runtime)
            self.world.run()


@pytest.fixture
def trade() -> Trade:
    return Trade()


@pytest.mark.parametrize("faults", [Faults(), Faults(throttled=0.2, answer_lost=0.2)], ids=["calm", "rough"])
def test_an_order_found_by_polling_ships_and_the_shop_hears_of_it_once(trade: Trade, faults: Faults) -> None:
    assert trade.shop.shelf.listings[MUG].quantity == 10
    trade.world.now_ms += 1000
    (order_id,) = trade.markets.sell(CHANNEL)
    sale = trade.shop.shelf.sales[order_id]
    sale.paid = True
    trade.shop.shelf.due.clear()
    assert trade.markets.tick(trade.now) == []
    trade.markets.set_faults(faults)
    trade.settle(12)
    order = read_order(trade.world.tables, f"{CHANNEL}:{order_id}", content=True)
    assert order is not None
    assert not order.state.holds
    sold = sale.lines[0].quantity
    lines = [{"line_id": line.line_id, "units": line.quantity} for line in sale.lines]
    parcel = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "carrier": "UPS", "tracking_number": "1Z"}
    message = {"order": f"{CHANNEL}:{order_id}", "do": "ship", "fact": {**parcel, "lines": lines}}
    trade.world.queues.send("shipping", [message])
    trade.world.run()
    trade.settle(12)
    told = read_order(trade.world.tables, f"{CHANNEL}:{order_id}", content=True)
    assert told is not None
    assert unconfirmed_shipments(told) == ()
    assert trade.shop.status(sale) == "completed"
    assert len(trade.shop.notes[order_id]) == 1
    assert trade.shop.shelf.listings[MUG].quantity == 10 - sold
