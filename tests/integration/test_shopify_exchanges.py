"""Exchanges that are made in Shopify, from the shop to the new goods on their way and the money."""

from __future__ import annotations

import json

import pytest

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.lifecycle import outstanding_minor, stage, unconfirmed_shipments
from chalicelib.domain.orders import refunded_minor
from chalicelib.runtime.clients import client_for
from local.marketplaces.shelf import SoldLine
from local.marketplaces.shopify_back_office import ReturnMade
from local.marketplaces.shopify_balance import pay_out
from local.marketplaces.shopify_exchanges import credit_minor, exchange, pay
from local.marketplaces.shopify_nodes import total_minor
from local.marketplaces.shopify_payments import outstanding_minor as owed_minor
from local.marketplaces.shopify_payments import received_minor
from local.marketplaces.shopify_rest import rest_order
from local.marketplaces.shopify_returns import set_status
from tests.integration.test_shopify_returns import Shop


class Exchanged(Shop):
    """A buyer has sent a unit back and takes another item for it, at so much more (or less) of its price."""

    def __init__(self, more_minor: int = 0) -> None:
        super().__init__()
        self.paid_minor = received_minor(self.market, self.sale)
        self.made: ReturnMade = self.sent_back()
        set_status(self.market, self.made, "OPEN")
        gross_minor = self.line.net_minor // self.line.quantity
        sku = next(sku for sku in self.market.shelf.listings if sku != self.line.sku)
        self.new: SoldLine = exchange(self.market, self.made, sku, 1, gross_minor + more_minor)
        self.later()

    def later(self) -> None:
        self.pass_time(600)
        self.poll_all()
        self.job("poll_returns")

    def ship(self) -> None:
        fact = {"shipment_id": "second", "location": "main", "shipped_ms": 1, "carrier": "UPS"}
        lines = [{"line_id": self.new.line_id, "units": 1}]
        message = {"order": self.order_id, "do": "ship", "fact": {**fact, "tracking_number": "1Z", "lines": lines}}
        self.world.queues.send("shipping", [message])
        self.world.run()
        self.later()

    def settle(self) -> None:
        for step in ("receive", "inspect"):
            self.say("return", return_id=str(self.made.number), step=step, location="main")
        pay_out(self.market, self.now)
        self.job("poll_money")


def test_the_new_line_is_promised_and_shipped_and_nobody_is_to_pay_for_it_again() -> None:
    shop = Exchanged()
    order = shop.order()
    owed = owed_minor(shop.market, shop.sale)
    assert abs(owed) <= 1  # tax is rounded line by line
    assert (order.lines[-1].line_id, order.state.quantities[-1].allocated) == (shop.new.line_id, 1)
    assert (order.state.holds, stage(order)) == ((), "shipping")
    assert order.state.total_minor == order.state.payment.captured_minor + max(owed, 0)
    assert order.state.returns[str(shop.made.number)].exchange == shop.order_id
    shop.ship()
    assert not unconfirmed_shipments(shop.order())
    assert shop.sale.shipped(shop.new.line_id) == 1
    shop.settle()
    state = shop.order().state
    assert (state.settled_minor, state.payment.captured_minor) == (shop.paid_minor, shop.paid_minor)
    assert (outstanding_minor(state), state.holds, stage(shop.order())) == (0, (), "settled")
    assert shop.wrong() == []


def test_goods_that_cost_more_are_promised_once_the_rest_is_paid() -> None:
    shop = Exchanged(more_minor=500)
    owed = owed_minor(shop.market, shop.sale)
    assert owed >= 500
    order = shop.order()
    assert (order.state.total_minor, order.state.payment.captured_minor) == (shop.paid_minor + owed, shop.paid_minor)
    assert (stage(order), order.state.holds) == ("funding", ())
    pay(shop.market, shop.sale, owed)
    shop.later()
    assert stage(shop.order()) == "shipping"
    shop.ship()
    shop.settle()
    state = shop.order().state
    assert (state.settled_minor, state.payment.captured_minor, outstanding_minor(state)) == (
        shop.paid_minor + owed,
        shop.paid_minor + owed,
        0,
    )
    assert (state.holds, stage(shop.order())) == ((), "settled")
    assert shop.wrong() == []


def test_what_cheaper_goods_leave_is_given_back_and_no_more() -> None:
    shop = Exchanged(more_minor=-100)
    owed = owed_minor(shop.market, shop.sale)
    assert owed <= -100
    shop.refund_there(shop.made, -owed)
    shop.later()
    shop.job("poll_money")
    order = shop.order()
    assert (stage(order), order.state.holds) == ("shipping", ())
    assert (order.state.payment.captured_minor, refunded_minor(order.state)) == (shop.paid_minor, -owed)
    shop.ship()
    shop.settle()
    state = shop.order().state
    assert (state.settled_minor, outstanding_minor(state), state.holds) == (shop.paid_minor + owed, 0, ())
    assert (stage(shop.order()), shop.wrong()) == ("settled", [])


@pytest.mark.parametrize("more_minor", [0, 500, -100])
def test_an_exchanged_order_is_the_same_from_its_webhook_and_from_graphql(more_minor: int) -> None:
    shop = Exchanged(more_minor)
    body = json.dumps(rest_order(shop.market, shop.sale), default=str)
    polled = client_for("shopify", shop.world.runtime).get_order(shop.sale.order_id)
    (by_body,), (by_poll,) = (read_orders(raw, "shopify") for raw in (body, polled))
    assert (by_body.total_minor, by_body.payment, by_body.lines) == (
        by_poll.total_minor,
        by_poll.payment,
        by_poll.lines,
    )
    assert sorted(map(str, by_body.charges)) == sorted(map(str, by_poll.charges))
    assert by_poll.total_minor == by_poll.stated_minor()
    assert total_minor(shop.sale) - by_poll.total_minor == credit_minor(shop.market, shop.sale) + min(
        owed_minor(shop.market, shop.sale), 0
    )


def test_a_return_that_is_declined_is_no_exchange() -> None:
    shop = Shop()
    made = shop.market.open_return(shop.sale, shop.line.line_id, 1, shop.now)
    made.exchanged = 1
    set_status(shop.market, made, "DECLINED")
    shop.sale.touch(shop.now)
    shop.market.open_return(shop.sale, shop.line.line_id, 1, shop.now)  # an order of declined ones alone is not found
    shop.job("poll_returns")
    back = shop.order().state.returns[str(made.number)]
    assert (back.status, back.exchange) == ("declined", "")


def test_an_exchange_that_is_agreed_upon_later_is_said_on_the_return_once() -> None:
    shop = Shop()
    made = shop.sent_back()
    set_status(shop.market, made, "OPEN")
    shop.job("poll_returns")
    assert shop.order().state.returns[str(made.number)].exchange == ""
    made.exchanged = 1
    for _ in range(2):
        shop.sale.touch(shop.now)
        shop.job("poll_returns")
    assert shop.order().state.returns[str(made.number)].exchange == shop.order_id
    assert [each.move for each in shop.order().state.timeline].count("exchange") == 1
