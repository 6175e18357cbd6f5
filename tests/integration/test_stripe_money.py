"""Own-shop orders paid at Stripe, through the real handlers and a mean stand-in: authorised, captured once, settled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from chalice.test import Client

from app import app
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.lifecycle import stage
from chalicelib.domain.orders import Order
from chalicelib.inbound import api, channels_api, guard, webhooks
from chalicelib.inbound.accounts import JOBS
from chalicelib.inbound.polls import resume
from chalicelib.runtime.queues import asking_again
from chalicelib.store.accounts import add_account, pause_account, read_pause, resume_account
from chalicelib.store.orders import read_order
from local.marketplaces.faults import FaultDie, Faults
from local.memory.world import World
from local.processors.stripe import Stripe
from tests.contract.stripe_account import passed_on
from tests.integration.test_lifecycle import books, document, send, world

__all__ = ["world"]
MEAN = Faults(throttled=0.1, unavailable=0.1, answer_lost=0.2, duplicated=0.3, late=0.2)
LATER = "2026-01-05T11:00:00Z"


class Paid:
    """A world whose own shop is paid at Stripe. `pass_time` moves both, and brings the webhooks to the door."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.stripe = Stripe(payout_every_s=3600, start=self.now)
        self.answers: list[int] = []
        add_account(world.tables, "stripe", {"kind": "stripe", "import_from_ms": world.now_ms})
        world.secrets.kept["stripe/api"] = {"api_key": self.stripe.api_key}
        world.secrets.kept["stripe/webhook"] = {"secrets": [self.stripe.secret]}
        world.runtime = replace(world.runtime, transport=lambda: self.wire)
        monkeypatch.setattr(webhooks, "runtime", lambda: world.runtime)
        self.door = Client(app)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.world.now_ms / 1000, UTC)

    def wire(self, request: HttpRequest) -> HttpResponse:
        answer = passed_on(self.stripe, request)
        return HttpResponse(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def deliver(self, body: bytes, headers: dict[str, str], account: str = "stripe") -> Any:
        answer = self.door.http.post(f"/webhooks/{account}", headers=headers, body=body)
        self.answers.append(answer.status_code)
        return answer.json_body

    def pass_time(self, minutes: int = 10, times: int = 30) -> None:
        for _ in range(times):
            self.world.now_ms += minutes * 60_000 // times
            for delivery in self.stripe.tick(self.now):
                self.deliver(delivery.body, delivery.headers)
            self.world.run()

    def sell(self, number: str = "1001", *, cancelled: bool = False) -> str:
        reference = self.stripe.authorise(1000, "EUR", f"storefront:{number}")
        send(self.world, document(number, payment=self.payment(reference)))
        if cancelled:
            send(self.world, document(number, at=LATER, payment=self.payment(reference), cancelled=True))
        return reference

    def payment(self, reference: str) -> dict[str, Any]:
        until = "2033-01-01T00:00:00Z"
        return {"status": "authorised", "processor": "stripe", "reference": reference, "authorised_until": until}

    def ship(self, number: str = "1001") -> None:
        lines = [{"line_id": "1", "units": 2}]
        fact = {"shipment_id": f"p{number}", "location": "main", "shipped_ms": 1, "lines": lines}
        self.world.queues.send("shipping", [{"order": f"storefront:{number}", "do": "ship", "fact": fact}])
        self.world.run()

    def order(self, number: str = "1001") -> Order:
        order = read_order(self.world.tables, f"storefront:{number}", content=True)
        assert order
        return order

    def read_money(self, times: int = 1) -> None:
        for _ in range(times):
            JOBS["poll_money"](self.world.runtime)
            self.pass_time(1, 5)


@pytest.fixture
def paid(world: World, monkeypatch: pytest.MonkeyPatch) -> Paid:
    return Paid(world, monkeypatch)


def test_orders_are_captured_once_when_they_ship_and_settled_by_the_payout_whatever_goes_wrong(paid: Paid) -> None:
    paid.stripe.die = FaultDie(MEAN)
    numbers = [str(number) for number in range(1001, 1021)]
    references = {number: paid.sell(number, cancelled=number > "1015") for number in numbers}
    assert all(not intent.captures for intent in paid.stripe.books.intents.values())
    for number in numbers[:15]:
        paid.ship(number)
    paid.pass_time(60)
    paid.pass_time(60)
    intents = paid.stripe.books.intents
    assert [intents[references[number]].captures for number in numbers] == [[1000]] * 15 + [[]] * 5
    assert [intents[references[number]].status for number in numbers] == ["succeeded"] * 15 + ["canceled"] * 5
    assert {stage(paid.order(number)) for number in numbers[:15]} == {"settlement"}
    paid.read_money(times=40)
    assert [stage(paid.order(number)) for number in numbers] == ["settled"] * 15 + ["cancelled"] * 5
    fee = sum(gross_fees[1] for gross_fees in paid.order().state.payouts.values())
    assert (paid.order().state.settled_minor, fee) == (1000, 40)
    assert set(paid.answers) == {200}
    assert not any(paid.order(number).state.holds for number in numbers)
    books(paid.world)


def test_a_refund_made_at_stripe_is_told_by_its_webhook(paid: Paid) -> None:
    reference = paid.sell()
    paid.ship()
    refunded_there(paid, reference, 300)
    paid.pass_time()
    assert paid.order().state.payment.refunded_minor == 300


def test_a_refund_whose_webhook_is_lost_is_found_by_the_poll(paid: Paid) -> None:
    reference = paid.sell()
    paid.ship()
    paid.pass_time()
    paid.stripe.die = FaultDie(Faults(lost=1.0))
    refunded_there(paid, reference, 300)
    paid.pass_time()
    assert paid.order().state.payment.refunded_minor == 0
    paid.read_money()
    assert paid.order().state.payment.refunded_minor == 300


def test_a_refund_that_the_bank_sends_back_days_later_calls_a_person(paid: Paid) -> None:
    reference = paid.sell()
    paid.ship()
    refunded_there(paid, reference, 300)
    paid.pass_time()
    assert not paid.order().state.holds
    (refund,) = paid.stripe.books.refunds.values()
    paid.stripe.refunds_end = "failed"
    paid.stripe._end_refund(refund)
    paid.pass_time()
    (hold,) = paid.order().state.holds
    assert (hold.reason, refund.refund_id in hold.detail) == ("refund_sent_back", True)
    assert paid.order().state.payment.refunded_minor == 300


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_and_its_end_reach_the_order(paid: Paid, won: bool) -> None:
    reference = paid.sell()
    paid.ship()
    dispute_id = paid.stripe.dispute(reference, 1000)
    paid.pass_time()
    assert {name: each.status for name, each in paid.order().state.disputes.items()} == {dispute_id: "open"}
    paid.stripe.decide(dispute_id, won=won)
    paid.pass_time()
    assert paid.order().state.disputes[dispute_id].status == ("won" if won else "lost")
    books(paid.world)


def test_a_dispute_that_is_told_of_during_a_pause_is_not_lost(paid: Paid) -> None:
    reference = paid.sell()
    paid.ship()
    paid.pass_time()
    pause_account(paid.world.tables, "stripe", "the key is revoked", 1)
    dispute_id = paid.stripe.dispute(reference, 1000)
    paid.pass_time()
    assert not paid.order().state.disputes
    resume("stripe", paid.world.runtime)
    paid.pass_time(60)
    assert dispute_id in paid.order().state.disputes


def test_the_api_shows_what_stripe_has_booked_about_an_order(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    paid.sell()
    paid.ship()
    paid.pass_time(60)
    paid.pass_time(60)
    paid.read_money()
    paid.world.secrets.kept["api-tokens"] = {hashlib.sha256(b"token").hexdigest(): "tests"}
    for module in (api, channels_api, guard):
        monkeypatch.setattr(module, "runtime", lambda: paid.world.runtime)
    url = "/api/orders/storefront%3A1001/money"
    money = paid.door.http.get(url, headers={"Authorization": "Bearer token"}).json_body
    (payout,) = money["payouts"]
    assert {each["kind"]: each["amount"] for each in money["sums"]} == {"sale": "10.00", "fee": "-0.40"}
    assert (payout["settled"]["amount"], payout["fees"]["amount"], len(payout["lines"])) == ("10.00", "0.40", 2)


def test_a_forged_event_changes_nothing_and_a_useless_one_is_acknowledged(paid: Paid) -> None:
    paid.sell()
    (delivery,) = paid.stripe.tick(paid.now)
    paid.deliver(delivery.body + b" ", delivery.headers)
    paid.deliver(delivery.body, {"Content-Type": "application/json"})
    paid.deliver(delivery.body, delivery.headers, "stripe-de")
    assert paid.answers[:2] == [401, 401]
    assert paid.answers[2] >= 400
    assert not paid.world.queues.waiting["hints"]
    assert paid.deliver(delivery.body, delivery.headers)["accepted"]
    assert len(paid.world.queues.waiting["hints"]) == 1


def test_a_payout_event_is_left_to_the_poll(paid: Paid) -> None:
    paid.sell()
    paid.ship()
    paid.pass_time(50)
    paid.world.now_ms += 3_600_000
    told = {json.loads(each.body)["type"]: each for each in paid.stripe.tick(paid.now)}
    assert not paid.deliver(told["payout.paid"].body, told["payout.paid"].headers)["accepted"]
    assert not paid.world.queues.waiting["hints"]


def test_a_payment_that_names_no_order_is_left_alone(paid: Paid) -> None:
    reference = paid.stripe.authorise(500, "EUR", "")
    captured_there(paid, reference)
    paid.pass_time(60)
    paid.pass_time(60)
    paid.read_money()
    books(paid.world)


def test_an_order_that_another_account_pays_is_not_settled_by_stripe(paid: Paid) -> None:
    """A payment that names an order which is not paid there is for a person to see."""
    send(paid.world, document())
    paid.ship()
    captured_there(paid, paid.stripe.authorise(1000, "EUR", "storefront:1001"))
    paid.pass_time(60)
    paid.pass_time(60)
    paid.read_money()
    assert [hold.reason for hold in paid.order().state.holds] == ["payout_mismatch"]
    assert paid.order().state.settled_minor == 0


@pytest.mark.parametrize("by", ["person", "poll"])
def test_a_resumed_processor_is_asked_again_for_what_was_left_undone(paid: Paid, by: str) -> None:
    references = [paid.sell("1001"), paid.sell("1002")]
    paid.world.secrets.kept["stripe/api"] = {"api_key": "rk_revoked"}
    paid.ship("1001")
    paid.ship("1002")
    assert read_pause(paid.world.tables, "stripe")
    JOBS["poll_money"](paid.world.runtime)
    paid.pass_time(60)
    assert read_pause(paid.world.tables, "stripe")
    assert [paid.stripe.books.intents[each].captures for each in references] == [[], []]
    paid.world.secrets.kept["stripe/api"] = {"api_key": paid.stripe.api_key}
    if by == "person":
        resume("stripe", paid.world.runtime)
    else:
        JOBS["poll_money"](paid.world.runtime)
    paid.pass_time()
    assert read_pause(paid.world.tables, "stripe") is None
    assert [paid.stripe.books.intents[each].captures for each in references] == [[1000], [1000]]
    books(paid.world)


def test_what_asks_again_waits_for_the_end_of_the_pause(paid: Paid) -> None:
    """It is sent before the pause is taken away, and may be read before, too."""
    reference = paid.sell()
    pause_account(paid.world.tables, "stripe", "the key is revoked", 1)
    paid.ship()
    paid.world.queues.send("sync-shop", asking_again("stripe", ["storefront"])["sync-shop"])
    paid.world.run()
    resume_account(paid.world.tables, "stripe")
    paid.pass_time()
    assert paid.stripe.books.intents[reference].captures == [1000]


def test_a_reading_of_money_finds_out_that_the_key_is_revoked(paid: Paid) -> None:
    paid.world.secrets.kept["stripe/api"] = {"api_key": "rk_revoked"}
    JOBS["poll_money"](paid.world.runtime)
    assert read_pause(paid.world.tables, "stripe")


@pytest.mark.parametrize(
    "named",
    [("storefront:1001", {}), ("1001", {"channel": "storefront"}), ("storefront:1001", {"channel": "storefront"})],
)
def test_a_payment_names_its_order_whole_or_with_the_channel_beside(
    paid: Paid, named: tuple[str, dict[str, str]]
) -> None:
    reference = paid.stripe.authorise(1000, "EUR", named[0], **named[1])
    send(paid.world, document(payment=paid.payment(reference)))
    paid.ship()
    refunded_there(paid, reference, 300)
    paid.pass_time()
    assert paid.order().state.payment.refunded_minor == 300
    paid.pass_time(60)
    paid.pass_time(60)
    paid.read_money()
    assert stage(paid.order()) == "settled"


def captured_there(paid: Paid, reference: str) -> None:
    """Somebody takes all of it in Stripe's pages."""
    intent = paid.stripe.books.intents[reference]
    paid.stripe.books.capture(intent, intent.amount, final=True, now=int(paid.now.timestamp()))


def refunded_there(paid: Paid, reference: str, amount_minor: int) -> None:
    """Somebody gives money back in Stripe's pages."""
    form = f"payment_intent={reference}&amount={amount_minor}".encode()
    headers = {"authorization": f"Bearer {paid.stripe.api_key}"}
    request = HttpRequest("POST", "https://api.stripe.com/v1/refunds", headers, form)
    assert passed_on(paid.stripe, request).status == 200
