"""WooCommerce orders authorised at Stripe, through the real handlers and by polling alone: no webhook is heard."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from threading import Lock

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from chalicelib.domain.lifecycle import stage, unconfirmed_shipments
from chalicelib.domain.orders import Order, refunded_minor
from chalicelib.inbound.accounts import JOBS
from chalicelib.inbound.polls import poll, resume
from chalicelib.runtime.queues import Message
from chalicelib.store.accounts import add_account, read_pause
from chalicelib.store.orders import read_order
from local.marketplaces.faults import FaultDie, Faults
from local.marketplaces.shelf import Sale, SoldLine
from local.marketplaces.wire import Request
from local.marketplaces.woo_gateway import Gateway
from local.processors.server import Guarded, processor_accounts
from local.processors.stripe import Stripe
from local.processors.stripe_books import Intent
from tests.contract.stripe_account import passed_on
from tests.integration.test_lifecycle import books
from tests.integration.test_woocommerce import CHANNEL, Trade

ROUGH = Faults(throttled=0.1, unavailable=0.1, answer_lost=0.2)


class Paid(Trade):
    """The shop's buyers all pay at Stripe."""

    def __init__(self) -> None:
        super().__init__()
        self.stripe = Stripe(payout_every_s=3600, start=self.now)
        self.shop.gateway = Gateway(self.shop, Guarded(self.stripe, Lock()))
        self.shop.stripe_share = 1.0
        self.is_cut_off = False  # we are from Stripe; the shop is not
        self.asked: list[str] = []  # by us of Stripe
        found = processor_accounts(self.stripe, "http://127.0.0.1")["stripe"]
        add_account(self.world.tables, "stripe", {**found["settings"], "import_from_ms": self.world.now_ms})
        self.world.secrets.kept["stripe/api"] = found["api"]
        self.world.runtime = replace(self.world.runtime, transport=lambda: self._dispatch)

    def _dispatch(self, request: HttpRequest) -> HttpResponse:
        if "/stripe/" not in request.url:
            return self._send(request)
        if self.is_cut_off:
            raise Busy("no answer", after_s=5)
        self.asked.append(f"{request.method} {request.url.partition('/v1/')[2].partition('?')[0]}")
        answer = passed_on(self.stripe, replace(request, url=request.url.replace("/stripe/", "/")))
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def settle(self, rounds: int = 1) -> None:
        """Five minutes each: both stand-ins, a poll of the shop, and whatever waits."""
        for _ in range(rounds):
            self.world.now_ms += 300_000
            self.stripe.tick(self.now)
            self.markets.tick(self.now)
            poll(CHANNEL, self.world.runtime)
            self.world.run()

    def sell(self) -> str:
        self.world.now_ms += 1000
        self.markets.tick(self.now)
        (order_id,) = self.markets.sell(CHANNEL)
        self.shop.shelf.due.clear()
        return order_id

    def sale(self, order_id: str) -> Sale:
        return self.shop.shelf.sales[order_id]

    def intent(self, order_id: str) -> Intent:
        return self.stripe.books.intents[self.shop.office.payments[order_id].intent_id]

    def order(self, order_id: str) -> Order:
        order = read_order(self.world.tables, f"{CHANNEL}:{order_id}", content=True)
        assert order
        return order

    def send(self, queue: str, order_id: str, do: str, fact: Message) -> None:
        self.world.queues.send(queue, [{"order": f"{CHANNEL}:{order_id}", "do": do, "fact": fact}])
        self.world.run()

    def ship(self, order_id: str, called_off: int = 0) -> None:
        """All units, but those of the first line that are called off."""
        first, *others = self.sale(order_id).lines
        units = {first.line_id: first.quantity - called_off, **{line.line_id: line.quantity for line in others}}
        lines = [{"line_id": line_id, "units": count} for line_id, count in units.items()]
        parcel = {"shipment_id": f"p{order_id}", "location": "main", "shipped_ms": 1, "carrier": "UPS"}
        self.send("shipping", order_id, "ship", {**parcel, "tracking_number": "1Z", "lines": lines})

    def sell_several(self) -> tuple[str, SoldLine]:
        """An order that is known, with more than one unit of its first line."""
        order_id = next(each for each in iter(self.sell, "") if self.sale(each).lines[0].quantity > 1)
        self.settle(2)
        return order_id, self.sale(order_id).lines[0]

    def refund_at_shop(self, order_id: str, amount: str) -> None:
        """Somebody refunds at the shop, through its gateway."""
        key = base64.b64encode(f"{self.shop.consumer_key}:{self.shop.consumer_secret}".encode()).decode()
        body = json.dumps({"amount": amount, "reason": "claim", "api_refund": True}).encode()
        path = f"/wp-json/wc/v3/orders/{order_id}/refunds"
        request = Request("POST", path, headers={"authorization": f"Basic {key}"}, body=body)
        assert self.shop.answer(request).status == 201

    def refund_at_stripe(self, order_id: str, amount_minor: int) -> None:
        """Somebody gives money back in Stripe's pages."""
        form = f"payment_intent={self.intent(order_id).intent_id}&amount={amount_minor}".encode()
        headers = {"authorization": f"Bearer {self.stripe.api_key}"}
        assert passed_on(self.stripe, HttpRequest("POST", "https://x/v1/refunds", headers, form)).status == 200

    def read_money(self) -> None:
        JOBS["poll_money"](self.world.runtime)
        self.world.run()


@pytest.fixture
def paid() -> Paid:
    return Paid()


@pytest.mark.parametrize("faults", [Faults(), ROUGH], ids=["calm", "rough"])
def test_an_order_is_authorised_captured_once_when_it_ships_and_settled_by_the_payout(
    paid: Paid, faults: Faults
) -> None:
    order_id = paid.sell()
    total_minor = paid.shop.total_minor(paid.sale(order_id))
    assert paid.shop.status(paid.sale(order_id)) == "on-hold"
    paid.markets.set_faults(faults)
    paid.stripe.die = FaultDie(faults)
    paid.settle(6)
    order = paid.order(order_id)
    assert (stage(order), order.state.payment.authorised_minor, order.state.holds) == ("shipping", total_minor, ())
    assert paid.intent(order_id).captures == []
    paid.ship(order_id)
    paid.settle(24)
    assert paid.intent(order_id).captures == [total_minor]
    assert unconfirmed_shipments(paid.order(order_id)) == ()
    assert paid.shop.status(paid.sale(order_id)) == "completed"
    assert paid.order(order_id).state.payment.captured_minor == total_minor
    assert stage(paid.order(order_id)) == "settlement"
    for _ in range(8):
        paid.settle()
        paid.read_money()
    order = paid.order(order_id)
    assert (stage(order), order.state.settled_minor, order.state.holds) == ("settled", total_minor, ())
    books(paid.world)


def test_an_answer_to_the_capture_that_is_lost_takes_the_money_once(paid: Paid) -> None:
    order_id = paid.sell()
    paid.settle(2)
    paid.stripe.die = FaultDie(Faults(answer_lost=1.0))
    paid.ship(order_id)
    assert paid.order(order_id).state.payment.captured_minor == 0
    assert len(paid.intent(order_id).captures) == 1
    paid.stripe.die = FaultDie()
    paid.settle(4)
    assert paid.intent(order_id).captures == [paid.shop.total_minor(paid.sale(order_id))]
    assert paid.order(order_id).state.payment.captured_minor == paid.intent(order_id).amount


def test_an_authorisation_that_expires_lapses_and_the_goods_stay(paid: Paid) -> None:
    order_id = paid.sell()
    paid.settle(2)
    paid.world.now_ms += 7 * 86_400_000
    paid.settle(3)
    assert (paid.intent(order_id).status, paid.shop.status(paid.sale(order_id))) == ("canceled", "failed")
    order = paid.order(order_id)
    assert (order.state.payment.lapsed, order.state.secured_minor, stage(order)) == (True, 0, "funding")
    assert paid.intent(order_id).captures == []


@pytest.mark.parametrize("by", ["headrace", "shop", "stripe"])
def test_an_order_that_is_called_off_by_either_road_has_its_money_free(paid: Paid, by: str) -> None:
    order_id = paid.sell()
    paid.settle(2)
    if by == "headrace":
        lines = [{"line_id": line.line_id, "units": line.quantity} for line in paid.sale(order_id).lines]
        paid.send("entry", order_id, "cancel", {"cancellation_id": "c1", "lines": lines, "reason": "buyer"})
    elif by == "shop":
        paid.shop.cancel(paid.sale(order_id), paid.now)
    else:
        paid.stripe.books.cancel(paid.intent(order_id), int(paid.now.timestamp()))
    paid.settle(3)
    assert (paid.intent(order_id).status, paid.shop.status(paid.sale(order_id))) == ("canceled", "cancelled")
    order = paid.order(order_id)
    assert (stage(order), order.state.payment.captured_minor, order.state.holds) == ("cancelled", 0, ())
    books(paid.world)


@pytest.mark.parametrize("by", ["headrace", "shop", "stripe"])
def test_money_given_back_by_either_road_is_given_and_counted_once(paid: Paid, by: str) -> None:
    order_id = paid.sell()
    paid.settle(2)
    paid.ship(order_id)
    paid.settle(4)
    if by == "headrace":
        paid.send("funding", order_id, "refund", {"refund_id": "f1", "amount_minor": 300, "reason": "claim"})
    elif by == "shop":
        paid.refund_at_shop(order_id, "3.00")
    else:
        paid.refund_at_stripe(order_id, 300)
    paid.settle(3)
    paid.read_money()
    paid.settle(2)
    assert paid.stripe.books.refunded(paid.intent(order_id)) == 300
    assert paid.shop.refunded_minor(paid.sale(order_id)) == 300
    assert refunded_minor(paid.order(order_id).state) == 300
    assert not paid.order(order_id).state.holds
    books(paid.world)


def test_less_is_captured_where_units_are_called_off_and_the_shops_lower_total_is_no_mismatch(paid: Paid) -> None:
    order_id, line = paid.sell_several()
    total_minor = paid.shop.total_minor(paid.sale(order_id))
    fact = {"lines": [{"line_id": line.line_id, "units": 1}], "reason": "broken"}
    paid.send("entry", order_id, "cancel", {"cancellation_id": "c1", **fact})
    paid.ship(order_id, called_off=1)
    paid.settle(4)
    (taken,) = paid.intent(order_id).captures
    one_minor = (line.net_minor + line.tax_minor) // line.quantity
    assert abs(taken - (total_minor - one_minor)) <= 1
    assert paid.shop.total_minor(paid.sale(order_id)) == taken
    assert paid.order(order_id).state.payment.captured_minor == taken
    assert "total_mismatch" not in [hold.reason for hold in paid.order(order_id).state.holds]


def test_the_shops_gateway_never_takes_more_than_the_goods_that_left_cost(paid: Paid) -> None:
    """It takes all that is authorised when the order is completed: ours goes first, however long that takes."""
    order_id, line = paid.sell_several()
    off = {"quantity": -1, "meta_data": [{"key": "_refunded_item_id", "value": line.line_id}]}
    paid.shop.note_refund(paid.sale(order_id), 0, "broken", paid.now, by_gateway=False)["line_items"] = [off]
    paid.settle(2)
    paid.is_cut_off = True
    paid.ship(order_id, called_off=1)
    assert paid.intent(order_id).captures == []
    paid.is_cut_off = False
    paid.settle(6)
    (taken,) = paid.intent(order_id).captures
    assert taken < paid.intent(order_id).amount
    assert paid.shop.status(paid.sale(order_id)) == "completed"
    assert paid.order(order_id).state.payment.captured_minor == taken
    assert not paid.order(order_id).state.holds


def test_a_key_that_is_refused_pauses_stripe_and_the_shops_orders_are_taken_up_again(paid: Paid) -> None:
    order_id = paid.sell()
    paid.settle(2)
    good = paid.world.secrets.kept["stripe/api"]
    paid.world.secrets.kept["stripe/api"] = {"api_key": "rk_revoked"}
    paid.ship(order_id)
    assert read_pause(paid.world.tables, "stripe")
    paid.world.secrets.kept["stripe/api"] = good
    resume("stripe", paid.world.runtime)
    paid.settle(2)
    assert len(paid.intent(order_id).captures) == 1
    assert paid.order(order_id).state.payment.captured_minor == paid.intent(order_id).amount


def ends_of(paid: Paid, order_id: str) -> tuple[float, str]:
    """How many days after the payment (of the order, where nobody has told) the authorisation ends for us."""
    payment = paid.order(order_id).state.payment
    since_s = paid.intent(order_id).created if payment.expiry == "read" else paid.sale(order_id).placed_at.timestamp()
    return (payment.expires_ms - int(since_s) * 1000) / 86_400_000, payment.expiry


def reads_of(paid: Paid, order_id: str) -> int:
    return paid.asked.count(f"GET payment_intents/{paid.intent(order_id).intent_id}")


def touch(paid: Paid, order_id: str) -> None:
    """The shop changes the order, and the poll brings it once more."""
    paid.shop.note_change(paid.sale(order_id), "noted", paid.now)
    paid.settle()


@pytest.mark.parametrize("held_s", [(4 * 24 + 18) * 3600, 30 * 86_400], ids=["four days 18 hours", "30 days"])
@pytest.mark.parametrize("faults", [Faults(), ROUGH], ids=["calm", "rough"])
def test_the_authorisation_stands_as_long_as_stripe_says_which_is_read_once(
    paid: Paid, held_s: int, faults: Faults
) -> None:
    paid.stripe.held_s = held_s
    order_id = paid.sell()
    paid.stripe.die = FaultDie(faults)
    paid.settle(6)
    paid.stripe.die = FaultDie()
    for _ in range(3):
        touch(paid, order_id)
    assert ends_of(paid, order_id) == (held_s / 86_400, "read")
    assert [each.move for each in paid.order(order_id).state.timeline].count("read_expiry") == 1
    if faults == Faults():
        assert reads_of(paid, order_id) == 1
    paid.world.now_ms += held_s * 1000 - 86_400_000
    paid.settle(2)
    assert stage(paid.order(order_id)) == "shipping"
    paid.ship(order_id)
    paid.settle(4)
    assert len(paid.intent(order_id).captures) == 1
    assert not paid.order(order_id).state.holds


def test_while_stripe_does_not_answer_and_where_it_does_not_say_the_reckoned_end_counts(paid: Paid) -> None:
    paid.stripe.held_s, paid.is_cut_off = 30 * 86_400, True
    order_id = paid.sell()
    paid.settle(2)
    for _ in range(3):
        touch(paid, order_id)
    assert ends_of(paid, order_id) == (7, "reckoned")
    paid.is_cut_off, paid.stripe.tells_until = False, False
    paid.settle(6)
    assert (ends_of(paid, order_id), reads_of(paid, order_id)) == ((30, "read"), 1)
    other_id = paid.sell()
    paid.settle(3)
    for _ in range(3):
        touch(paid, other_id)
    payment, placed_ms = paid.order(other_id).state.payment, int(paid.sale(other_id).placed_at.timestamp()) * 1000
    assert (payment.expires_ms - placed_ms, payment.expiry) == (7 * 86_400_000, "read")
    assert reads_of(paid, other_id) == 1


def test_an_own_checkout_that_tells_no_end_has_it_read_from_stripe(paid: Paid) -> None:
    reference = paid.stripe.authorise(1450, "EUR", "storefront:A1")
    order = {"id": "A1", "updated_at": "2026-01-05T09:00:00Z", "currency": "EUR", "total": "14.50"}
    order["lines"] = [{"id": "1", "sku": "MUG", "quantity": 1, "unit_price": "14.50"}]
    order["payment"] = {"status": "authorised", "processor": "stripe", "reference": reference}
    paid.world.queues.send("entry", [{"channel": "storefront", "raw": json.dumps(order), "hint": {}}])
    paid.settle()
    found = read_order(paid.world.tables, "storefront:A1")
    assert found
    assert found.state.payment.expires_ms == paid.stripe.books.intents[reference].capture_before * 1000
