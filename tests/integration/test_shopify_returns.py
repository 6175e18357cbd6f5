"""What buyers of a Shopify shop send back and dispute, from the shop to the order, its stock and its money."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from chalicelib.channels.shopify.documents_returns import PROCESS
from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.domain.orders import Order, refunded_minor
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.stock import read_stock
from local.marketplaces.faults import Faults
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify import Shopify
from local.marketplaces.shopify_back_office import ReturnMade
from local.marketplaces.shopify_balance import pay_out
from local.marketplaces.shopify_disputes import decide, open_dispute
from local.marketplaces.shopify_nodes import total_minor
from local.marketplaces.shopify_payments import payments, transaction_id
from local.marketplaces.shopify_returns import set_status
from tests.contract.marketplaces_calls import graphql
from tests.contract.marketplaces_models import shopify_document, shopify_variables
from tests.trade import Trade, settle_down


class Shop(Trade):
    """A trade with one order of Shopify that has left whole."""

    def __init__(self) -> None:
        super().__init__()
        self.markets.sell("shopify", 1)
        settle_down(self, lambda: self.orders().keys() == self.sold())
        self.ship_everything()
        self.pass_time(60)
        self.market: Shopify = self.markets.shopify
        self.sale: Sale = next(iter(self.market.shelf.sales.values()))
        self.line = self.sale.lines[0]
        self.order_id = f"shopify:{self.sale.order_id}"

    def order(self) -> Order:
        found: Order = self.orders()[self.order_id]
        return found

    def job(self, name: str) -> None:
        """A schedule comes round, and what it hands on is done."""
        self.pass_time(1800)
        JOBS[name](self.world.runtime)
        self.world.run()

    def say(self, do: str, **fact: Any) -> None:
        """A person's word here."""
        queue = "shipping" if do == "return" else "funding"
        self.world.queues.send(queue, [{"order": self.order_id, "do": do, "fact": fact, "actor": "api"}])
        self.world.run()

    def sent_back(self) -> ReturnMade:
        """The buyer asks to send a unit back, and the order knows."""
        made = self.market.open_return(self.sale, self.line.line_id, 1, self.now)
        self.job("poll_returns")
        return made

    def on_hand(self) -> int:
        return read_stock(self.world.tables, [self.line.sku], ("main",))[self.line.sku][0].on_hand

    def refund_there(self, made: ReturnMade, amount_minor: int) -> None:
        """A person of the shop takes the unit back in Shopify's pages, and gives money back with it."""
        paid = next(each for each in payments(self.market, self.sale) if each.kind in ("SALE", "CAPTURE"))
        money = {"amount": f"{amount_minor / 100:.2f}", "currencyCode": self.sale.currency}
        moves = [{"parentId": transaction_id(paid.number), "transactionAmount": money}]
        asked = {"returnId": f"gid://shopify/Return/{made.number}"}
        asked["financialTransfer"] = {"issueRefund": {"orderTransactions": moves}}  # type: ignore[assignment]
        if not made.lines[0].processed:
            line = {"id": f"gid://shopify/ReturnLineItem/{made.lines[0].number}", "quantity": 1}
            asked["returnLineItems"] = [line]  # type: ignore[assignment]
        assert shopify_document(PROCESS) == shopify_variables(PROCESS, {"input": asked}) == []
        assert not graphql(self.market, PROCESS, {"input": asked})["data"]["returnProcess"]["userErrors"]


def test_a_unit_that_comes_back_is_taken_into_stock_paid_back_and_told_once() -> None:
    shop = Shop()
    made, before = shop.sent_back(), shop.on_hand()
    return_id = str(made.number)
    assert shop.order().state.returns[return_id].status == "requested"
    shop.say("return", return_id=return_id, step="receive", location="main")
    shop.say("return", return_id=return_id, step="inspect", location="main")
    shop.say("refund", refund_id="R-1", amount_minor=500, reason="return")
    for name in ("poll_returns", "poll_money"):
        shop.job(name)
    state = shop.order().state
    assert (state.quantities[0].returned, state.quantities[0].cancelled) == (1, 0)
    assert (state.returns[return_id].status, state.returns[return_id].told) == ("inspected", "received")
    assert (state.refunds["R-1"].status, refunded_minor(state), state.holds) == ("confirmed", 500, ())
    assert (made.status, [line.processed for line in made.lines]) == ("CLOSED", [1])
    assert shop.on_hand() == before + 1
    settle_down(shop, lambda: True)
    assert shop.shown() == shop.expected(), "the unit is on offer once, by our number"
    assert shop.wrong() == []


@pytest.mark.parametrize(
    ("status", "here"),
    [("OPEN", "approved"), ("CLOSED", "approved"), ("DECLINED", "declined"), ("CANCELED", "declined")],
)
def test_what_is_decided_at_the_shop_is_seen_here_and_not_told_back(status: str, here: str) -> None:
    shop = Shop()
    made = shop.sent_back()
    set_status(shop.market, made, status)
    shop.job("poll_returns")
    assert shop.order().state.returns[str(made.number)].status == here
    assert (made.status, shop.order().state.holds) == (status, ())


@pytest.mark.parametrize("seed", range(3))
def test_lost_answers_throttles_and_outages_end_in_one_return_and_one_refund(seed: int) -> None:
    shop = Shop()
    made = shop.sent_back()
    shop.market.die.rng = Random(seed)
    shop.market.die.faults = Faults(answer_lost=0.4, throttled=0.15, unavailable=0.1)
    shop.say("return", return_id=str(made.number), step="receive", location="main")
    shop.say("return", return_id=str(made.number), step="inspect", location="main")
    shop.say("refund", refund_id="R-1", amount_minor=500, reason="return")
    settle_down(shop, lambda: shop.order().state.refunds["R-1"].status == "confirmed" and made.status == "CLOSED")
    state = shop.order().state
    given = [each.amount_minor for each in payments(shop.market, shop.sale) if each.kind == "REFUND"]
    assert (given, state.refunds["R-1"].status, refunded_minor(state)) == ([500], "confirmed", 500)
    assert (made.status, [line.processed for line in made.lines]) == ("CLOSED", [1])
    assert state.returns[str(made.number)].told == "received"


@pytest.mark.parametrize("by_whom_first", ["there", "here"])
def test_a_refund_within_a_return_counts_once_whoever_made_it(by_whom_first: str) -> None:
    shop = Shop()
    made = shop.sent_back()

    def here() -> None:
        shop.say("return", return_id=str(made.number), step="receive", location="main")
        shop.say("refund", refund_id="R-1", amount_minor=200, reason="return")

    def there() -> None:
        set_status(shop.market, made, "OPEN")  # if it was closed, it is reopened
        shop.refund_there(made, 300)

    for act in (there, here) if by_whom_first == "there" else (here, there):
        act()
        shop.job("poll_money")
        shop.job("poll_returns")
        shop.poll_all()
    given = sum(each.amount_minor for each in payments(shop.market, shop.sale) if each.kind == "REFUND")
    state = shop.order().state
    assert (given, refunded_minor(state), made.lines[0].processed) == (500, 500, 1)
    assert (state.quantities[0].returned, state.quantities[0].cancelled, state.holds) == (1, 0, ())
    assert shop.wrong() == []


# --- disputes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ends", "status"), [("WON", "won"), ("LOST", "lost"), ("ACCEPTED", "lost")])
def test_a_dispute_keeps_its_order_open_until_it_is_decided(ends: str, status: str) -> None:
    shop = Shop()
    disputed = open_dispute(shop.market, shop.sale, total_minor(shop.sale))
    for _ in range(2):
        shop.job("poll_money")
    state = shop.order().state
    assert {name: (d.status, d.amount_minor) for name, d in state.disputes.items()} == {
        str(disputed.number): ("open", total_minor(shop.sale))
    }
    assert state.disputes[str(disputed.number)].due_ms == int(disputed.due_at.timestamp()) * 1000
    assert stage(shop.order()) == "settlement"
    decide(shop.market, disputed, ends)
    shop.markets.sell("shopify", 3)  # or the balance has nothing to pay out
    shop.pass_time(60)
    assert pay_out(shop.market, shop.now)
    shop.job("poll_money")
    order = shop.order()
    assert order.state.disputes[str(disputed.number)].status == status
    assert (stage(order), outstanding_minor(order.state)) == ("settled", 0)
