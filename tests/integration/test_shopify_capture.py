"""Authorised money of a Shopify order, from the order to the payout, at the stand-in shop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import outstanding_minor, stage, unconfirmed_shipments
from chalicelib.domain.orders import Order
from chalicelib.inbound.accounts import JOBS
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_nodes import total_minor
from local.marketplaces.shopify_payments import authorise, payments
from tests.trade import Trade


class LosingTrade(Trade):
    """Loses the answers to the first calls of these operations, after they are carried out."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        super().__init__()

    def _send(self, request: HttpRequest) -> HttpResponse:
        response = super()._send(request)
        for name in self.lost:
            if f"mutation {name}(".encode() in request.body:
                self.lost.remove(name)
                return HttpResponse(503, {"content-type": "text/html"}, b"")
        return response


def authorised() -> tuple[LosingTrade, Sale]:
    trade = LosingTrade()
    trade.markets.sell("shopify", 1)
    (sale,) = trade.markets.shopify.shelf.sales.values()
    authorise(trade.markets.shopify, sale, trade.now + timedelta(days=7))
    trade.poll_all()
    return trade, sale


def held(trade: Trade) -> Order:
    (order,) = trade.orders().values()
    assert isinstance(order, Order)
    return order


def taken(trade: Trade, sale: Sale, kind: str) -> list[int]:
    return [each.amount_minor for each in payments(trade.markets.shopify, sale) if each.kind == kind]


def later(trade: Trade, times: int = 6) -> None:
    for _ in range(times):
        trade.pass_time(200)
        trade.poll_all()


def test_an_authorised_order_is_known_with_its_authorisation() -> None:
    trade, sale = authorised()
    (hold,) = payments(trade.markets.shopify, sale)
    payment = held(trade).state.payment
    assert (payment.authorised_minor, payment.captured_minor) == (total_minor(sale), 0)
    assert (payment.captor, payment.reference) == ("channel", str(hold.number))
    assert payment.expires_ms == int((hold.expires_at or trade.now).timestamp()) * 1000
    assert stage(held(trade)) == "shipping"
    later(trade)  # the shop's webhook, which tells less, comes too
    assert held(trade).state.payment == payment
    assert taken(trade, sale, "CAPTURE") == []


@pytest.mark.parametrize("lost", [[], ["Capture"], ["Fulfil", "Capture"]])
def test_what_was_authorised_is_captured_once_when_goods_have_left(lost: list[str]) -> None:
    trade, sale = authorised()
    trade.lost = [*lost]
    trade.ship_everything()
    later(trade)
    assert trade.lost == []
    assert taken(trade, sale, "CAPTURE") == [total_minor(sale)]
    order = held(trade)
    assert not unconfirmed_shipments(order)
    assert order.state.payment.captured_minor == total_minor(sale)
    assert [capture.status for capture in order.state.captures.values()] == ["confirmed"]
    assert stage(order) == "settlement"
    trade.markets.pay_out(trade.now)
    JOBS["poll_money"](trade.world.runtime)
    trade.world.run()
    assert (stage(held(trade)), outstanding_minor(held(trade).state)) == ("settled", 0)
    assert trade.wrong() == []


@pytest.mark.parametrize("lost", [[], ["Void"]])
def test_an_order_that_is_called_off_before_it_ships_gives_the_money_free(lost: list[str]) -> None:
    trade, sale = authorised()
    trade.lost = [*lost]
    call_off(trade)
    later(trade)
    assert trade.lost == []
    assert taken(trade, sale, "VOID") == [total_minor(sale)]
    assert taken(trade, sale, "CAPTURE") == []
    assert (held(trade).state.void, stage(held(trade))) == ("done", "cancelled")


def call_off(trade: Trade) -> None:
    order = held(trade)
    pairs = zip(order.lines, order.state.quantities, strict=True)
    lines = [{"line_id": line.line_id, "units": units.ordered} for line, units in pairs]
    fact = {"cancellation_id": "x1", "lines": lines, "reason": "buyer"}
    trade.world.queues.send("allocation", [{"order": order.order_id, "do": "cancel", "fact": fact}])
    trade.world.run()
