from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from chalicelib.channels.carrier_port import Label
from chalicelib.channels.carriers import carrier_plans
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unauthorised
from local.carriers.shippo import Shippo
from local.marketplaces.faults import FaultDie, Faults
from tests.contract.carrier_desks import KINDS, PURCHASES, WISH, Counter, counter


def until_bought(at: Counter, most: int = 60) -> Label:
    """What a queue does: the same work again, a minute later, until it succeeds."""
    for _ in range(most):
        try:
            return at.bought()
        except Busy:
            at.later(seconds=61)
    raise AssertionError("never bought")


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_to_the_making_of_a_shipment_ends_in_one_shipment_and_one_label(kind: str) -> None:
    at = counter(kind)
    at.lose = lambda request: request.method == "POST" and "/shipments" in request.url
    with pytest.raises(Busy):
        at.bought()
    assert len(at.desk.state.shipments) == 1
    label = until_bought(at)
    assert len(at.desk.state.labels) == 1
    made = [
        request for request in at.sent if request.method == "POST" and request.url.rstrip("/").endswith("shipments")
    ]
    assert len(made) == 1
    assert label.tracking_number in {each.tracking_number for each in at.desk.state.shipments.values()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_to_a_purchase_ends_in_one_label(kind: str) -> None:
    at = counter(kind)
    rates = at.client().rates(WISH)
    at.lose = lambda request: request.method == "POST" and request.url.endswith(PURCHASES[kind])
    with pytest.raises(Busy):
        at.client().buy(WISH, rates[0])
    assert len(at.desk.state.labels) == 1
    at.later(seconds=151)
    label = at.client().buy(WISH, rates[1])  # even when another offer is named now
    assert (label.service, label.amount_minor) == (rates[0].service, rates[0].amount_minor)
    assert at.client().buy(WISH, rates[0]) == label
    assert len(at.desk.state.labels) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_whatever_goes_wrong_a_wish_ends_in_one_label(kind: str, seed: int) -> None:
    at = counter(kind)
    at.desk.die = FaultDie(Faults(throttled=0.15, unavailable=0.15, answer_lost=0.3), Random(seed))
    first, second = until_bought(at), until_bought(at)
    assert first == second
    assert len(at.desk.state.labels) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_two_wishes_are_two_labels(kind: str) -> None:
    at = counter(kind)
    numbers = {at.bought(replace(WISH, label_id=label_id)).tracking_number for label_id in ("one", "two")}
    assert len(numbers) == len(at.desk.state.labels) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_shipment_is_found_beyond_the_first_page(kind: str) -> None:
    at = counter(kind)
    at.lose = lambda request: request.method == "POST"
    with pytest.raises(Busy):
        at.client().rates(WISH)
    for number in range(120):
        at.client().rates(replace(WISH, label_id=f"another-{number}"))
    first = next(iter(at.desk.state.shipments))
    assert at.client().rates(WISH)
    assert first in str(at.jobs.get("label-label-1"))


def test_a_purchase_under_way_at_shippo_is_waited_for_before_anything_is_bought_again() -> None:
    at = counter("shippo")
    rate = at.client().rates(WISH)[0]
    at.desk.die.faults = Faults(unavailable=1.0)
    with pytest.raises(Busy):
        at.client().buy(WISH, rate)
    at.desk.die.faults = Faults()
    at.later(seconds=149)
    with pytest.raises(Busy):
        at.client().buy(WISH, rate)
    assert at.desk.state.labels == []
    at.later(seconds=1)
    at.client().buy(WISH, rate)
    assert len(at.desk.state.labels) == 1


class Short:
    """A budget that one kind of call has used up."""

    def __init__(self, operation: str) -> None:
        self.operation, self.drained = operation, list[tuple[str, int]]()

    def spend(self, operation: str) -> None:
        if operation == self.operation:
            raise OverBudget("used up", after_s=7)

    def correct(self, operation: str, rate_per_s: float) -> None:
        """Nothing to correct."""

    def drain(self, operation: str, after_s: int) -> None:
        self.drained.append((operation, after_s))


@pytest.mark.parametrize("kind", KINDS)
def test_a_purchase_that_was_not_sent_need_not_be_waited_for(kind: str) -> None:
    at = counter(kind)
    rate = at.client().rates(WISH)[0]
    at.budget = Short("post")
    sent = len(at.sent)
    with pytest.raises(OverBudget):
        at.client().buy(WISH, rate)
    assert [request.method for request in at.sent[sent:] if request.method == "POST"] == []
    at.budget = Short("")
    assert at.client().buy(WISH, rate).tracking_number
    assert len(at.desk.state.labels) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_call_drains_the_budget_of_its_kind_for_as_long_as_the_answer_says(kind: str) -> None:
    at = counter(kind)
    at.budget = short = Short("")
    at.desk.die.faults = Faults(throttled=1.0)
    with pytest.raises(Busy):
        at.client().rates(WISH)
    assert short.drained == [("post", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_call_has_a_plan_within_what_is_published(kind: str) -> None:
    plans = carrier_plans(kind)
    assert set(plans) == {"get", "list", "post"}
    published = {"easypost": {"list": 5}, "shippo": {"post": 500, "get": 4_000, "list": 50}}[kind]
    window_s = {"easypost": 1, "shippo": 60}[kind]
    for operation, most in published.items():
        plan = plans[operation]
        assert plan.burst + plan.rate_per_s * window_s <= most + 1e-9


def test_a_queued_purchase_is_busy_and_then_the_label() -> None:
    at = counter("shippo")
    assert isinstance(at.desk, Shippo)
    at.desk.queued = 1
    rate = at.client().rates(WISH)[0]
    with pytest.raises(Busy):
        at.client().buy(WISH, rate)
    assert at.client().buy(WISH, rate).tracking_number
    assert len(at.desk.state.labels) == 1


def test_a_purchase_that_failed_is_refused_with_its_code_and_may_be_made_again() -> None:
    at = counter("shippo")
    assert isinstance(at.desk, Shippo)
    at.desk.failing = 1
    rate = at.client().rates(WISH)[0]
    with pytest.raises(Refused, match="carrier_timeout") as refused:
        at.client().buy(WISH, rate)
    assert refused.value.reason == "label_refused"
    at.lose = lambda request: request.method == "POST"  # the failed one must not be taken for the lost one
    with pytest.raises(Busy):
        at.client().buy(WISH, rate)
    at.later(seconds=151)
    at.client().buy(WISH, rate)
    assert len(at.desk.state.labels) == 1


def test_another_worker_that_buys_in_between_gives_the_same_label() -> None:
    at = counter("easypost")
    rates = at.client().rates(WISH)
    shipment = next(iter(at.desk.state.shipments.values()))

    class Racing(Counter):
        def wire(self, request):  # type: ignore[no-untyped-def]
            if request.url.endswith("/buy") and not at.desk.state.labels:
                at.client().buy(WISH, rates[0])
            return super().wire(request)

    label = Racing("easypost", at.desk, at.jobs).client().buy(WISH, rates[1])
    assert label.tracking_number == shipment.tracking_number
    assert label.service == rates[0].service
    assert len(at.desk.state.labels) == 1


def test_an_offer_of_another_shipment_is_not_bought() -> None:
    at = counter("easypost")
    other = at.client().rates(replace(WISH, label_id="other"))[0]
    with pytest.raises(Refused) as refused:
        at.client().buy(WISH, other)
    assert refused.value.reason == "rate_gone"
    assert at.desk.state.labels == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_not_taken_pauses_the_account(kind: str) -> None:
    at = counter(kind)
    client = at.client()
    at.desk.api_key = "another"
    with pytest.raises(Unauthorised):
        client.rates(WISH)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_to_a_refund_asks_once(kind: str) -> None:
    at = counter(kind)
    label = at.bought()
    at.lose = lambda request: request.method == "POST"
    with pytest.raises(Busy):
        at.client().void(label)
    assert at.client().void(label) is False
    at.later(hours=25)
    assert at.client().void(label) is True
    assert sum("refund" in request.url for request in at.sent) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_whose_parcel_is_under_way_is_not_given_back(kind: str) -> None:
    at = counter(kind)
    label = at.bought()
    at.later(hours=3)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            at.client().void(label)
        assert refused.value.reason == "label_not_void"
