"""Payouts in another currency than the orders, through the real handlers: money is conserved in each currency."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from chalicelib.domain.lifecycle import outstanding_minor, stage
from chalicelib.domain.orders import refunded_minor
from chalicelib.domain.settlement import GROSS
from chalicelib.inbound import api, channels_api, guard
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.ledger import read_facts, read_statement
from local.marketplaces.shopify_nodes import total_minor
from local.processors.stripe_books import Refund
from tests.integration.test_lifecycle import books, document, send, world
from tests.integration.test_shopify_capture import authorised, held, later
from tests.integration.test_stripe_money import Paid, paid

__all__ = ["paid", "world"]
NUMBERS = ("1001", "1002", "1003", "1004")


def test_orders_are_settled_in_their_currency_and_the_payout_adds_up_in_its_own(paid: Paid) -> None:
    rates = paid.stripe.books.rates
    rates["eur"] = ("usd", 1.0837)
    for number in NUMBERS[:3]:
        paid.sell(number)
        paid.ship(number)
    paid.pass_time(60)
    paid.sell("1004")
    paid.ship("1004")
    rates["eur"] = ("usd", 1.1191)
    refund = {"refund_id": "f1", "amount_minor": 300, "reason": "claim"}
    paid.world.queues.send("funding", [{"order": "storefront:1002", "do": "refund", "fact": refund}])
    paid.pass_time(120, 60)
    paid.read_money(3)
    facts = [fact for number in NUMBERS for fact in read_facts(paid.world.tables, "stripe", f"storefront:{number}")]
    assert {(fact.currency, fact.sold_currency) for fact in facts} == {("USD", "EUR")}
    assert {fact.rate for fact in facts} == {"1.0837", "1.1191"}
    in_usd: Counter[str] = Counter()
    for fact in facts:
        in_usd[fact.payout_id] += fact.amount_minor
    for payout in paid.stripe.books.payouts.values():  # in the payout's currency
        statement = read_statement(paid.world.tables, "stripe", payout.payout_id)
        assert statement
        assert (statement.currency, statement.amount_minor) == ("USD", payout.amount)
        assert statement.amount_minor == statement.sum_minor == in_usd[payout.payout_id]
    for number in NUMBERS:  # and in the orders'
        order = paid.order(number)
        sold = [each for each in facts if each.external_id == order.order_id]
        assert sum(each.sold_minor for each in sold if each.kind in GROSS) == order.state.settled_minor
        assert order.state.payment.captured_minor == order.state.settled_minor + refunded_minor(order.state)
        assert -sum(each.sold_minor for each in sold if each.kind == "fee") == order.state.fees_minor == 40
        assert (outstanding_minor(order.state), order.state.holds, stage(order)) == (0, (), "settled")
    assert refunded_minor(paid.order("1002").state) == 300
    books(paid.world)


def test_a_refund_at_stripe_is_counted_in_the_orders_currency(paid: Paid) -> None:
    paid.stripe.books.rates["eur"] = ("usd", 1.0837)
    reference = paid.sell()
    paid.ship()
    paid.pass_time(60)
    now_s = int(paid.now.timestamp())
    paid.stripe.books.refund(Refund("re_9", reference, 250, {}, now_s, "succeeded"), now_s)
    paid.read_money(2)
    assert refunded_minor(paid.order().state) == 250
    assert not paid.order().state.holds


def test_what_was_converted_is_shown_beside_what_was_paid(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    paid.stripe.books.rates["eur"] = ("usd", 1.0837)
    paid.sell()
    paid.ship()
    paid.pass_time(60)
    paid.pass_time(60)
    paid.read_money()
    for part in (api, channels_api, guard):
        monkeypatch.setattr(part, "runtime", lambda: paid.world.runtime)
    paid.world.secrets.kept["api-tokens"] = {hashlib.sha256(b"token").hexdigest(): "tests"}
    url = "/api/orders/storefront%3A1001/money"
    shown = paid.door.http.get(url, headers={"Authorization": "Bearer token"}).json_body
    sale = next(each for each in shown["facts"] if each["kind"] == "sale")
    assert (sale["amount"], sale["currency"]) == ("10.84", "USD")
    assert sale["converted"] == {"amount": "10.00", "currency": "EUR", "rate": "1.0837"}
    (told,) = shown["payouts"]
    assert told["settled"] == {"amount": "10.00", "currency": "EUR"}


def test_a_payout_whose_rate_nobody_tells_holds_its_orders_and_says_why(paid: Paid) -> None:
    paid.stripe.books.rates["eur"] = ("usd", 1.0837)
    paid.sell()
    paid.ship()
    paid.pass_time(60)
    for booking in paid.stripe.books.bookings.values():
        booking.rate = None
    paid.pass_time(60)
    paid.read_money()
    (hold,) = paid.order().state.holds
    assert hold.reason == "payout_mismatch"
    assert "is in USD, the order in EUR" in hold.detail
    assert paid.order().state.settled_minor == 0
    books(paid.world)


def test_a_shopify_order_is_settled_in_its_currency_when_the_bank_account_is_in_another() -> None:
    trade, sale = authorised()
    shop = trade.markets.shopify
    shop.settles_in = ("CAD", "1.3691")
    trade.ship_everything()
    later(trade)
    trade.markets.pay_out(trade.now)
    JOBS["poll_money"](trade.world.runtime)
    trade.world.run()
    state = held(trade).state
    total = total_minor(sale)
    assert (state.settled_minor, outstanding_minor(state), state.holds) == (total, 0, ())
    assert (stage(held(trade)), abs(state.fees_minor - 30 - total * 29 // 1000) <= 1) == ("settled", True)
    (made,) = shop.office.payouts
    statement = read_statement(trade.world.tables, "shopify", str(made.number))
    assert statement
    assert (statement.currency, statement.amount_minor, statement.sum_minor) == (
        "CAD",
        made.amount_minor,
        made.amount_minor,
    )
    facts = read_facts(trade.world.tables, "shopify", sale.order_id)
    assert sum(each.amount_minor for each in facts) == made.amount_minor
    assert sum(each.sold_minor for each in facts if each.kind in GROSS) == total
    assert trade.wrong() == []


def test_what_is_in_another_currency_is_never_added_to_what_settles_the_order(paid: Paid) -> None:
    send(paid.world, document())
    paid.ship()

    def told(currency: str, line_id: str, kind: str, amount_minor: int) -> None:
        line = {"line_id": line_id, "kind": kind, "amount_minor": amount_minor}
        shared = {"channel": "storefront", "payout_id": "po", "order_id": "storefront:1001", "paid_ms": 1}
        paid.world.queues.send("settlement", [{"payout": {**shared, "currency": currency, "lines": [line]}}])
        paid.world.run()

    told("EUR", "sale", "sale", 1000)
    told("USD", "fee", "fee", -1500)
    told("EUR", "refund", "refund", -200)
    state = paid.order().state
    assert state.payouts == {"po": (800, 0)}
    assert [hold.reason for hold in state.holds] == ["payout_mismatch"]
    books(paid.world)
