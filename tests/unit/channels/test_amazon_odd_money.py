"""Money and reports of Amazon's of which one part is odd: the rest is read all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.amazon.health import read_performance
from chalicelib.channels.amazon.settlement import SETTLEMENTS, read_settlement, read_settlements
from chalicelib.channels.fields import Node
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Refused, Unreadable
from tests.unit.channels.amazon_desk import DESK, US, Desk, availability

DAY_MS = 86_400_000
HEAD = "settlement-id\tdeposit-date\ttotal-amount\tcurrency\ttransaction-type\tamount\n"
FIRST = "77\t2026-05-02 00:00:00 UTC\t3.00\tEUR\t\t\n77\t\t\t\tOrder\t3.00\n"
SECOND = "78\t2026-05-03 00:00:00 UTC\t-5.00\tUSD\t\t\n\t\t\t\tServiceFee\t-5.00\n"


def test_several_settlements_in_one_file_are_several_payouts() -> None:
    found = read_settlements(HEAD + FIRST + SECOND)
    assert [(payout.payout_id, payout.currency, payout.amount_minor) for payout in found] == [
        ("77", "EUR", 300),
        ("78", "USD", -500),
    ]
    assert [fact.payout_id for payout in found for fact in payout.facts] == ["77", "78"]
    with pytest.raises(Unreadable, match="several_settlements"):
        read_settlement(HEAD + FIRST + SECOND)
    desk = Desk()
    desk.made("R1", (HEAD + FIRST + SECOND).encode(), SETTLEMENTS)
    assert [payout.payout_id for payout in desk.client().payouts(DESK - DAY_MS)] == ["77", "78"]
    assert list(desk.client().payouts(DESK - DAY_MS)) == []


def test_a_report_without_a_document_hides_no_settlement() -> None:
    desk = Desk()
    desk.made("R1", (HEAD + FIRST).encode(), SETTLEMENTS)
    desk.made("R2", b"", SETTLEMENTS)
    desk.reports_made["R2"].pop("reportDocumentId")
    desk.made("R3", (HEAD + SECOND).encode(), SETTLEMENTS)
    desk.reports_made["R3"]["createdTime"] += "?"
    payouts = desk.client().payouts(DESK - DAY_MS)
    assert {next(payouts).payout_id, next(payouts).payout_id} == {"77", "78"}
    with pytest.raises(Unreadable):
        next(payouts)


def money(amount: Any, currency: str) -> dict[str, Any]:
    return {"currencyAmount": amount, "currencyCode": currency}


@pytest.mark.parametrize("where", ["items", "breakdowns"])
def test_parts_in_another_currency_are_not_counted_beside_the_total(where: str) -> None:
    part = {
        "breakdownType": "ProductCharges",
        "breakdownAmount": money(9, "EUR"),
        "totalAmount": money(9, "EUR"),
        "breakdowns": [],
    }
    booked = {
        "transactionId": "T",
        "transactionType": "Shipment",
        "postedDate": "2026-05-01T00:00:00Z",
        "totalAmount": money(10, "USD"),
        where: [part],
    }
    assert [(fact.amount_minor, fact.currency) for fact in facts_of(Node(booked))] == [(1000, "USD")]


@pytest.mark.parametrize("odd", ["7", '{"a":1}', "[1]", "true", "null"])
def test_one_odd_measure_hides_no_other(odd: str) -> None:
    value = json.loads(odd)
    store = {
        "marketplaceId": US,
        "lateShipmentRate": {"status": value, "rate": 0.1},
        "x": {"status": "GOOD", "rate": 0.2},
        "warningStates": [{"status": value}],
    }
    account = {"marketplaceId": US, "status": value}
    report = json.dumps({"accountStatuses": [account], "performanceMetrics": [store]})
    found = {metric.name: metric for metric in read_performance(report, US)}
    assert (found["x"].value, found["x"].is_good) == ("0.2", True)
    assert found["lateShipmentRate"].value == "0.1"


@pytest.mark.parametrize("answer", [(404, b'{"errors":[{"code":"NotFound"}]}'), (400, b"{}")])
def test_a_listing_whose_feed_is_gone_is_patched(answer: tuple[int, bytes]) -> None:
    desk = Desk()
    wanted = [availability(f"S{number}", 1) for number in range(30)]
    desk.client().push_availability(wanted)
    desk.instead["getFeed"] = [HttpResponse(answer[0], {}, answer[1])]
    assert desk.client().push_availability(wanted[:1]) == [None]
    assert [sku for sku, _ in desk.patched] == ["S0"]


def test_a_listing_whose_feed_tells_something_strange_is_patched() -> None:
    desk = Desk()
    wanted = [availability(f"S{number}", 1) for number in range(30)]
    desk.client().push_availability(wanted)
    desk.feeds_made["F1"] |= {"processingStatus": "DONE", "resultFeedDocumentId": "D"}
    odd = b'{"url":"http://elsewhere.example/f"}'
    desk.instead["getFeedDocument"] = [HttpResponse(200, {}, odd)]
    assert desk.client().push_availability(wanted[:1]) == [None]


def test_a_feed_that_never_ends_holds_its_listings_for_a_day() -> None:
    desk = Desk()
    wanted = [availability(f"S{number}", 1) for number in range(30)]
    desk.client().push_availability(wanted)
    desk.feeds_made["F1"]["processingStatus"] = "PONDERING"
    desk.now_ms += DAY_MS + 1
    assert desk.client().push_availability(wanted[:1]) == [None]


def test_a_feed_that_we_may_not_look_at_holds_its_listings() -> None:
    desk = Desk()
    wanted = [availability(f"S{number}", 1) for number in range(30)]
    desk.client().push_availability(wanted)
    desk.instead["getFeed"] = [HttpResponse(403, {}, b"{}")] * 2
    (outcome,) = desk.client().push_availability(wanted[:1])
    assert isinstance(outcome, Refused)
    assert desk.patched == []
