"""Cancellations and refunds by flat-file feeds: once, whatever is lost on the way."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.feeds import Verdict, flat_verdict
from chalicelib.channels.amazon.wire import iso
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, OverBudget, Refused, Retry
from tests.unit.channels.amazon_desk import ACCOUNT, DESK, GATEWAY, SECRET, Desk, StrictJobs, flat_report, order_body

CANCELLATIONS = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
REFUNDS = "POST_FLAT_FILE_PAYMENT_ADJUSTMENT_DATA"


def desk_with(**lines: tuple[int, str]) -> Desk:
    desk = Desk()
    desk.orders["114-1"] = order_body(**(lines or {"L1": (2, "20.00"), "L2": (1, "5.00")}))
    return desk


def cancel(desk: Desk, *items: tuple[str, int], reason: str = "") -> None:
    desk.client().cancel("114-1", CancellationRequest("C1", items or (("L1", 2),), reason))


def refund(desk: Desk, minor: int = 500, name: str = "R1", reason: str = "", currency: str = "USD") -> bool:
    return desk.client().refund("114-1", RefundRequest(name, minor, currency, reason))


def rows(desk: Desk, number: int = 1, heading: int = 0) -> list[dict[str, Any]]:
    lines = desk.uploads[f"in-{number}"].decode().splitlines()[heading:]
    return list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter="\t"))


# --- cancellations ------------------------------------------------------------------------------------


def test_whole_lines_are_called_off_by_a_feed_that_is_waited_for() -> None:
    desk = desk_with()
    with pytest.raises(Busy) as busy:
        cancel(desk)
    assert busy.value.after_s == 60
    assert rows(desk, heading=1) == [
        {"order-id": "114-1", "cancellation-reason-code": "GeneralAdjustment", "amazon-order-item-code": "L1"}
    ]
    assert desk.uploads["in-1"].startswith(b"TemplateType=OrderCancellation\tVersion=1.0/1.0.3\t")
    with pytest.raises(Busy):
        cancel(desk)
    desk.finish("F1", flat_report(1, 1))
    cancel(desk)
    before = len(desk.operations)
    cancel(desk)  # asked again, it costs no call
    assert len(desk.operations) == before
    assert [feed["feedType"] for feed in desk.feeds_made.values()] == [CANCELLATIONS]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("cancel_requested", "BuyerCanceled"),
        ("the Buyer asked", "BuyerCanceled"),
        ("stock_shortfall", "NoInventory"),
        ("address wrong", "ShippingAddressUndeliverable"),
        ("whatever", "GeneralAdjustment"),
    ],
)
def test_a_reason_becomes_one_of_amazons_codes(reason: str, code: str) -> None:
    desk = desk_with()
    with pytest.raises(Busy):
        cancel(desk, reason=reason)
    assert rows(desk, heading=1)[0]["cancellation-reason-code"] == code


def test_a_part_of_a_line_cannot_be_called_off() -> None:
    desk = desk_with()
    with pytest.raises(Refused, match="whole_lines_only"):
        cancel(desk, ("L1", 1), ("L2", 1))
    assert desk.feeds_made == {}
    assert desk.shelf == {}


def test_what_has_left_or_is_unknown_cannot_be_called_off() -> None:
    desk = desk_with()
    desk.orders["114-1"]["orderItems"][0]["fulfillment"] = {"quantityFulfilled": 1}
    with pytest.raises(Refused, match="already_shipped"):
        cancel(desk)
    with pytest.raises(Refused, match="unknown_line"):
        cancel(desk, ("L9", 1))


def test_what_is_called_off_already_needs_no_feed() -> None:
    desk = desk_with()
    desk.orders["114-1"]["orderItems"][0]["cancellation"] = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    cancel(desk)
    desk.orders["114-1"]["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
    cancel(desk, ("L2", 1))
    assert desk.feeds_made == {}


def test_a_refused_cancellation_tells_the_code_and_not_the_message() -> None:
    desk = desk_with()
    with pytest.raises(Busy):
        cancel(desk)
    desk.finish("F1", flat_report(1, 0, (1, "20001")))
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            cancel(desk)
        assert refused.value.reason == "cancel_refused"
        assert refused.value.detail == "0 of 1 taken: record 1: 20001"


# --- refunds ------------------------------------------------------------------------------------------


def test_a_refund_is_spread_over_the_lines_up_to_what_each_cost() -> None:
    desk = desk_with()
    assert refund(desk, 2200) is False
    assert [(row["order-item-id"], row["item-price-adj"], row["currency"]) for row in rows(desk)] == [
        ("L1", "20.00", "USD"),
        ("L2", "2.00", "USD"),
    ]
    assert {row["adjustment-reason-code"] for row in rows(desk)} == {"GeneralAdjustment"}
    assert refund(desk, 2200) is False
    desk.finish("F1", flat_report(2, 2))
    assert refund(desk, 2200) is True
    before = len(desk.operations)
    assert refund(desk, 2200) is True
    assert len(desk.operations) == before
    assert [feed["feedType"] for feed in desk.feeds_made.values()] == [REFUNDS]


def test_taxes_and_shipping_come_after_the_prices() -> None:
    desk = desk_with()
    breakdowns = desk.orders["114-1"]["orderItems"][0]["proceeds"]["breakdowns"]
    for kind, amount in (("TAX", "1.50"), ("SHIPPING", "3.00"), ("DISCOUNT", "-2.00")):
        breakdowns.append({"type": kind, "subtotal": {"amount": amount, "currencyCode": "USD"}})
    refund(desk, 2600)
    first, second = rows(desk)
    assert (first["item-price-adj"], first["item-tax-adj"], first["shipping-price-adj"]) == ("18.00", "1.50", "1.50")
    assert (second["item-price-adj"], second["item-tax-adj"], second["shipping-price-adj"]) == ("5.00", "", "")


def test_an_earlier_refund_is_no_longer_there_to_give() -> None:
    desk = desk_with()
    refund(desk, 1500, "R1")
    desk.finish("F1", flat_report(1, 1))
    assert refund(desk, 1500, "R1")
    refund(desk, 800, "R2")
    assert [(row["order-item-id"], row["item-price-adj"]) for row in rows(desk, 2)] == [("L1", "5.00"), ("L2", "3.00")]
    desk.finish("F2", flat_report(2, 0, (1, "9")))
    with pytest.raises(Refused):
        refund(desk, 800, "R2")
    refund(desk, 1000, "R3")  # what was refused is there again
    assert [row["item-price-adj"] for row in rows(desk, 3)] == ["5.00", "5.00"]


@pytest.mark.parametrize("minor", [2501, 0])
def test_more_than_was_paid_or_nothing_is_refused_before_anything_is_sent(minor: int) -> None:
    desk = desk_with()
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, minor)
    assert desk.feeds_made == {}
    assert desk.shelf == {}


def test_a_refund_in_another_currency_is_refused() -> None:
    with pytest.raises(Refused, match="refund_currency"):
        refund(desk_with(), currency="EUR")


def test_a_refund_whose_answer_was_lost_is_looked_for_and_never_sent_again() -> None:
    desk = desk_with()
    desk.lost = ["createFeed"]
    with pytest.raises(Busy):
        refund(desk)
    assert refund(desk) is False
    assert refund(desk) is False
    assert list(desk.feeds_made) == ["F1"]
    assert desk.job("refund/114-1/R1")["feed_id"] == "F1"
    desk.finish("F1", flat_report(1, 1))
    assert refund(desk) is True


def test_a_refund_that_never_arrived_is_sent_again_only_when_that_is_sure() -> None:
    desk = desk_with()
    desk.instead["createFeed"] = [GATEWAY]
    with pytest.raises(Busy):
        refund(desk)
    with pytest.raises(Busy, match="looked for again"):
        refund(desk)
    desk.now_ms += 301_000
    assert refund(desk) is False
    assert list(desk.feeds_made) == ["F1"]


def test_a_lost_refund_is_found_by_the_next_one_too() -> None:
    desk = desk_with()
    desk.lost = ["createFeed"]
    with pytest.raises(Busy):
        refund(desk, 500, "R1")
    assert refund(desk, 700, "R2") is False
    assert desk.job("refund/114-1/R1")["feed_id"] == "F1"
    assert desk.job("refund/114-1/R2")["feed_id"] == "F2"


def test_two_feeds_that_could_be_the_lost_one_are_for_a_person() -> None:
    desk = desk_with()
    desk.lost = ["createFeed"]
    with pytest.raises(Busy):
        refund(desk)
    desk.feeds_made["X"] = {**desk.feeds_made["F1"], "feedId": "X"}
    with pytest.raises(Refused, match="feed_unclear"):
        refund(desk)
    with pytest.raises(Refused, match="look at the order on Amazon"):
        refund(desk)
    assert list(desk.feeds_made) == ["F1", "X"]
    assert refund(desk, 100, "R2") is False  # the next one is not held up
    assert desk.job("refund/114-1/R2")["feed_id"] == "F3"


def test_a_found_feed_that_counts_other_records_is_not_believed() -> None:
    desk = desk_with()
    desk.instead["createFeed"] = [GATEWAY]
    with pytest.raises(Busy):
        refund(desk)
    desk.feeds_made["X"] = {"feedId": "X", "feedType": REFUNDS, "createdTime": iso(DESK), "processingStatus": "DONE"}
    desk.finish("X", flat_report(7, 7))
    assert refund(desk) is False
    with pytest.raises(Refused, match="counts 7 records, not 1"):
        refund(desk)


def test_an_older_feed_of_somebody_else_is_not_taken_for_the_lost_one() -> None:
    desk = desk_with()
    desk.client().refund("114-1", RefundRequest("R0", 100, "USD"))
    desk.feeds_made["F1"]["createdTime"] = "2020-01-01T00:00:00Z"
    desk.shelf.pop("road/" + REFUNDS)
    desk.lost = ["createFeed"]
    with pytest.raises(Busy):
        refund(desk)
    assert refund(desk) is False
    assert desk.job("refund/114-1/R1")["feed_id"] == "F2"


@pytest.mark.parametrize("operation", ["createFeed", "createFeedDocument"])
def test_a_refund_that_may_not_be_asked_for_yet_is_asked_for_later(operation: str) -> None:
    desk = desk_with()
    desk.budget.used_up = {operation}
    with pytest.raises(OverBudget):
        refund(desk)
    desk.budget.used_up = set()
    assert refund(desk) is False
    assert list(desk.feeds_made) == ["F1"]
    assert desk.operations.count("getFeeds") == 0


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (flat_report(2, 1, (2, "18028")), "DONE"),
        (flat_report(1, 0), "DONE"),
        (flat_report(0, 0), "DONE"),
        ("<html>", "DONE"),
        (None, "DONE"),
        (None, "FATAL"),
        (None, "CANCELLED"),
    ],
)
def test_a_refund_that_amazon_did_not_make_is_refused_and_stays_so(report: str | None, status: str) -> None:
    desk = desk_with()
    refund(desk)
    desk.finish("F1", report, status)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            refund(desk)
        assert refused.value.reason == "refund_refused"
        assert "secret" not in str(refused.value)
    assert list(desk.feeds_made) == ["F1"]


def test_a_crash_after_the_feed_was_made_is_mended_by_looking() -> None:
    desk = desk_with()
    refund(desk)
    job = desk.job("refund/114-1/R1")
    del job["feed_id"]
    desk.shelf["refund/114-1/R1"] = (9, json.dumps(job))
    holder = {"known": [], "holder": "refund/114-1/R1", "since_ms": desk.now_ms}
    desk.shelf[f"road/{REFUNDS}"] = (9, json.dumps(holder))
    assert refund(desk) is False
    assert list(desk.feeds_made) == ["F1"]
    assert desk.job(f"road/{REFUNDS}") == {"known": ["F1"]}


def test_a_report_of_warnings_alone_is_no_refusal() -> None:
    report = flat_report(1, 1) + "1\tx\t99\tWarning\tlook\n"
    assert flat_verdict(report) == Verdict(1, 1, ())
    assert flat_verdict("nothing") is None


@pytest.mark.parametrize("moment", ["createFeedDocument", "upload", "createFeed"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_two_workers_at_once_send_one_refund(moment: str, when: str) -> None:
    """The other worker comes in between, before or after Amazon has carried out one call of the first."""
    desk = desk_with()
    refund(desk, 100, "R0")  # tokens are there
    answer, others = desk.__call__, []

    def other() -> None:
        with suppress(Retry):
            others.append(refund(desk))

    def interrupted(request: HttpRequest) -> HttpResponse:
        is_it = not others and _operation(request) == moment
        if is_it and when == "before":
            others.append(None)
            other()
        response = answer(request)
        if is_it and when == "after":
            others.append(None)
            other()
        return response

    jobs = StrictJobs(desk.shelf)
    first = AmazonClient(Access(interrupted, ACCOUNT, SECRET, desk.tokens, desk.now_ms, desk.budget, jobs))
    with suppress(Retry):
        first.refund("114-1", RefundRequest("R1", 500, "USD"))
    assert others
    assert refund(desk) is False
    assert list(desk.feeds_made) == ["F1", "F2"]
    assert desk.job("refund/114-1/R1")["feed_id"] == "F2"


def _operation(request: HttpRequest) -> str:
    if request.method == "PUT":
        return "upload"
    return {"documents": "createFeedDocument", "feeds": "createFeed"}.get(request.url.rsplit("/", 1)[-1], "")
