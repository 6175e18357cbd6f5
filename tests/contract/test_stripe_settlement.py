"""Balance transactions and payouts of the stand-in of Stripe as facts that add up, and the shapes of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.stripe.naming import Naming
from chalicelib.channels.stripe.settlement import facts_of
from chalicelib.domain.errors import Busy
from local.processors.stripe import Stripe
from tests.contract.stripe_account import Account, answering
from tests.shared_data import shared

ORDER = "storefront:1001"
# Recorded payments have these, the fixtures of the API have not.
RECORDED = {"charge.payment_method_details.card.capture_before"}
_FREE = ("metadata", "data")


@pytest.fixture
def account() -> Account:
    return Account(Stripe(payout_every_s=3600))


def sold(account: Account, number: int = 1, amount: int = 900, taken: int = 900) -> str:
    reference = account.stripe.authorise(amount, "EUR", f"storefront:{1000 + number}")
    account.client().capture(reference, CaptureRequest("capture-1", taken, "EUR"))
    return reference


def troubled(account: Account) -> str:
    """A payment with a bit of everything: a part given free, a refund, one that failed, a dispute that was won."""
    reference = sold(account, amount=900, taken=700)
    client = account.client()
    client.refund(reference, "refund-1", 200, "EUR", "")
    account.stripe.refunds_end = "failed"
    account.stripe.refunds_are_pending = True
    client.refund(reference, "refund-2", 100, "EUR", "")
    account.later(minutes=5)
    account.stripe.decide(account.stripe.dispute(reference, 500), won=True)
    return reference


def test_what_is_booked_adds_up_to_the_cent_and_names_the_order(account: Account) -> None:
    troubled(account)
    sold(account, 2, 5000, 5000)
    sold(account, 3, 9000, 9000)
    facts = list(account.client().transactions(0))
    assert sum(fact.amount_minor for fact in facts) == sum(b.net for b in account.stripe.books.bookings.values())
    about = [fact for fact in facts if fact.external_id == ORDER]
    assert {fact.external_id for fact in facts} == {ORDER, "storefront:1002", "storefront:1003"}
    sums: dict[str, int] = {}
    for fact in about:
        sums[fact.kind] = sums.get(fact.kind, 0) + fact.amount_minor
    assert sums == {"sale": 700, "fee": -35 - 2000, "refund": -200, "dispute": 0}
    assert len({fact.fact_id for fact in facts}) == len(facts)


def test_a_payout_is_itemised_and_adds_up(account: Account) -> None:
    troubled(account)
    sold(account, 2, 5000, 5000)
    account.later(hours=1)
    (payout,) = account.client().payouts(0)
    (paid,) = account.stripe.books.payouts.values()
    assert (payout.payout_id, payout.amount_minor, payout.currency) == (paid.payout_id, paid.amount, "EUR")
    assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor > 0
    booked = {fact.fact_id for fact in account.client().transactions(0) if fact.kind != "transfer"}
    assert {fact.fact_id for fact in payout.facts} == booked
    assert {fact.status for fact in payout.facts} == {"paid"}


def test_what_is_paid_in_another_currency_is_told_in_both_and_each_adds_up(account: Account) -> None:
    account.stripe.books.rates["eur"] = ("usd", 1.0837)
    reference = troubled(account)
    account.stripe.books.rates["eur"] = ("usd", 1.1191)  # what goes back goes at the rate of its day
    account.client().refund(reference, "refund-3", 150, "EUR", "")
    sold(account, 2, 5000, 5000)
    account.later(hours=1)
    (payout,) = account.client().payouts(0)
    assert (payout.currency, {fact.currency for fact in payout.facts}) == ("USD", {"USD"})
    assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor
    assert {fact.sold_currency for fact in payout.facts} == {"EUR"}
    sums: dict[str, int] = {}
    for fact in payout.facts:
        if fact.external_id == ORDER:
            sums[fact.kind] = sums.get(fact.kind, 0) + fact.sold_minor
    assert abs(sums.pop("fee") + 35 + 2000) <= 1  # it was rounded twice
    assert sums == {"sale": 700, "refund": -350, "dispute": 0}
    assert {fact.rate for fact in payout.facts} == {"1.0837", "1.1191"}


@pytest.mark.parametrize("rate", [None, "1.2", 0, "soon"])
def test_what_no_rate_confirms_is_told_in_the_payouts_currency_alone(rate: Any) -> None:
    source = {"object": "charge", "amount": 1000, "amount_captured": 1000, "currency": "eur", "metadata": {}}
    row = {"id": "txn_1", "currency": "usd", "amount": 1084, "net": 1084, "created": 1, "reporting_category": "charge"}
    (fact,) = facts_of(Node({**row, "exchange_rate": rate, "source": source}), Naming())
    assert (fact.amount_minor, fact.currency, fact.sold_currency) == (1084, "USD", "")


def test_what_is_booked_is_open_until_it_is_available(account: Account) -> None:
    sold(account)
    assert {fact.status for fact in account.client().transactions(0)} == {"open"}
    account.later(minutes=2)
    assert {fact.status for fact in account.client().transactions(0)} == {"released"}


def test_two_currencies_are_two_payouts(account: Account) -> None:
    sold(account)
    reference = account.stripe.authorise(5000, "USD", "storefront:1002")
    account.client().capture(reference, CaptureRequest("capture-1", 5000, "USD"))
    account.later(hours=1)
    payouts = list(account.client().payouts(0))
    assert sorted(payout.currency for payout in payouts) == ["EUR", "USD"]
    for payout in payouts:
        assert {fact.currency for fact in payout.facts} == {payout.currency}
        assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor


def test_more_than_a_page_is_read_once_each(account: Account) -> None:
    for number in range(130):
        sold(account, number)
    facts = list(account.client().transactions(0))
    assert len(facts) == len({fact.fact_id for fact in facts}) == 260
    pages = [request.url for request in account.sent if "balance_transactions" in request.url]
    assert ["starting_after" in url for url in pages] == [False, True]
    account.later(hours=1)
    (payout,) = account.client().payouts(0)
    assert len(payout.facts) == 260


@pytest.mark.parametrize("row", [[], [{"id": "txn_1"}]])
def test_a_list_that_does_not_lead_on_is_asked_for_again(row: list[Any]) -> None:
    booked = {"amount": 1, "net": 1, "created": 1, "currency": "eur"}
    page = {"data": [{**each, **booked} for each in row], "has_more": True}
    with pytest.raises(Busy):
        list(answering(200, page).transactions(0))


def test_a_category_that_nobody_knows_yet_is_kept() -> None:
    row = {"id": "txn_1", "amount": 100, "net": 93, "created": 1, "currency": "eur", "reporting_category": "new_thing"}
    row |= {"fee_details": [{"amount": 5, "type": "stripe_fee"}]}
    facts = facts_of(Node(row), Naming())
    assert [(fact.kind, fact.amount_minor) for fact in facts] == [("other", 100), ("fee", -5), ("adjustment", -2)]


def test_the_stand_in_shows_no_field_that_stripe_has_not(account: Account) -> None:
    reference = troubled(account)
    sold(account, 2, 5000, 5000)
    client = account.client()
    client.void(account.stripe.authorise(100, "EUR", ORDER))
    client.payment(account.stripe.authorise(100, "EUR", ORDER))
    client.payment(reference)
    list(client.transactions(0))
    told = [json.loads(delivery.body) for delivery in account.later(hours=1)]
    list(client.payouts(0))
    fixtures = json.loads(shared("specs/stripe/fixtures3.json").read_text())["resources"]
    answers = [row for answer in account.answers for row in (answer.get("data", [answer]))]
    found = {each["object"] for each in _objects(answers + told)}
    assert found == {"payment_intent", "charge", "refund", "dispute", "balance_transaction", "payout", "event"}
    strange = {path for each in _objects(answers + told) for path in _strange(each, fixtures[each["object"]])}
    assert strange == RECORDED
    recorded = (shared("samples/stripe/flows") / "authorize_then_capture.json").read_text()
    assert '"capture_before"' in recorded


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """Every object of Stripe's in there, however deep."""
    if isinstance(content, dict) and isinstance(content.get("object"), str) and content["object"] != "list":
        yield content
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for each in inner:
        yield from _objects(each)


def _strange(shown: dict[str, Any], known: Any, path: str = "") -> Iterator[str]:
    """Fields that the fixture of this object has not. An object within it is looked at by itself."""
    where = path or str(shown["object"])
    for name, value in shown.items():
        if name not in known:
            yield f"{where}.{name}"
        elif name not in _FREE and isinstance(value, dict) and "object" not in value:
            yield from _strange(value, known[name] or {}, f"{where}.{name}")
