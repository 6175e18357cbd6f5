"""Money is paid back once and a wish is kept once, whatever Amazon answers, or does not."""

from __future__ import annotations

import json

import pytest

from chalicelib.channels.amazon.feeds import Verdict, flat_verdict
from chalicelib.channels.amazon.order_feeds import OrderFeeds
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused, Stale
from tests.unit.channels.amazon_desk import Desk, StrictJobs, availability, flat_report, order_body

GERMAN = (
    "Zusammenfassung der Feed-Verarbeitung:\n\tAnzahl der verarbeiteten Datensätze\t\t{0}\n"
    "\tAnzahl der erfolgreich verarbeiteten Datensätze\t\t{1}\n\n"
    "original-record-number\toriginal-id\terror-code\terror-type\terror-message\n"
)


def desk_with(**lines: tuple[int, str]) -> Desk:
    desk = Desk()
    desk.orders["114-1"] = order_body(**(lines or {"L1": (2, "20.00"), "L2": (1, "5.00")}))
    return desk


def refund(desk: Desk, minor: int = 500, name: str = "R1") -> bool:
    return desk.client().refund("114-1", RefundRequest(name, minor, "USD", ""))


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(408, {}, b'{"errors":[{"code":"RequestTimeout"}]}'),
        HttpResponse(425, {}, b""),
        HttpResponse(400, {}, b'{"errors":[{"code":"InternalFailure","message":"x"}]}'),
        HttpResponse(200, {}, b'{"errors":[{"code":"Unheard","message":"x"}]}'),
        HttpResponse(202, {}, b'{"feedId":null}'),
        HttpResponse(202, {}, b""),
    ],
)
def test_an_odd_answer_to_a_new_feed_is_no_word_that_there_is_none(answer: HttpResponse) -> None:
    desk = desk_with()
    desk.instead["createFeed"] = [answer]
    for _ in range(2):
        with pytest.raises(Busy):
            refund(desk)
    assert desk.operations.count("createFeed") == 1


def test_a_feed_that_is_named_beside_a_warning_is_made() -> None:
    desk = desk_with()
    desk.feeds_made["F7"] = {"feedId": "F7", "processingStatus": "IN_PROGRESS"}
    desk.instead["createFeed"] = [HttpResponse(202, {}, b'{"feedId":"F7","errors":[{"code":"Slow"}]}')]
    assert refund(desk) is False
    assert refund(desk) is False
    assert desk.job("refund/114-1/R1")["feed_id"] == "F7"


@pytest.mark.parametrize(
    ("status", "report"),
    [("DONE", flat_report(2, 1, (2, "1"))), ("DONE", "no report"), ("DONE", None), ("FATAL", None)],
)
def test_what_may_have_been_paid_is_not_there_to_give_again(status: str, report: str | None) -> None:
    desk = desk_with()
    assert refund(desk, 2500) is False
    desk.finish("F1", report, status)
    with pytest.raises(Refused, match="refund_refused"):
        refund(desk, 2500)
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 2500, "R2")


@pytest.mark.parametrize(("status", "report"), [("DONE", flat_report(2, 0, (1, "1"))), ("CANCELLED", None)])
def test_what_was_surely_not_paid_can_be_asked_for_again(status: str, report: str | None) -> None:
    desk = desk_with()
    assert refund(desk, 2500) is False
    desk.finish("F1", report, status)
    with pytest.raises(Refused, match="refund_refused"):
        refund(desk, 2500)
    assert refund(desk, 2500, "R2") is False


def test_two_refunds_of_one_order_at_once_do_not_give_the_same_money() -> None:
    desk = desk_with()

    raw = desk.client().get_order("114-1")

    def read(_order_id: str) -> bytes:  # another worker refunds while we read the order
        assert refund(desk, 2500, "R2") is False
        return raw

    with pytest.raises(Stale):
        OrderFeeds(desk.wire(), StrictJobs(desk.shelf)).refund("114-1", RefundRequest("R1", 2500, "USD", ""), read)
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 2500, "R1")


def test_a_refund_is_noted_before_it_can_be_sent() -> None:
    desk = desk_with()
    jobs = StrictJobs(desk.shelf)
    put = jobs.put

    def dying(name: str, job: object) -> None:
        if len(desk.shelf) >= 1:
            raise ConnectionError
        put(name, job)

    jobs.put = dying  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        OrderFeeds(desk.wire(), jobs).refund("114-1", RefundRequest("R1", 2500, "USD", ""), desk.client().get_order)
    assert refund(desk, 2500, "R1") is False
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 500, "R2")


def test_a_line_that_was_called_off_was_not_paid_for() -> None:
    desk = desk_with()
    desk.orders["114-1"]["orderItems"][1]["cancellation"] = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 2500)
    assert refund(desk, 2000) is False


def test_a_report_in_another_language_is_read_by_its_two_counts() -> None:
    assert flat_verdict(GERMAN.format(2, 2)) == Verdict(2, 2, ())
    assert flat_verdict(GERMAN.format(2, 1) + "2\tx\t18028\tFehler\tx\n") == Verdict(2, 1, ("record 2: 18028",))
    desk = desk_with()
    assert refund(desk) is False
    desk.finish("F1", GERMAN.format(1, 1))
    assert refund(desk) is True


def test_a_line_with_nothing_left_or_named_twice_is_called_off_once() -> None:
    desk = desk_with()
    gone = desk.orders["114-1"]["orderItems"][0]
    gone["cancellation"] = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    gone["quantityOrdered"] = 0
    desk.client().cancel("114-1", CancellationRequest("C1", (("L1", 2),), ""))
    assert desk.feeds_made == {}
    with pytest.raises(Busy):
        desk.client().cancel("114-1", CancellationRequest("C2", (("L2", 1), ("L2", 1)), ""))
    assert desk.uploads["in-1"].count(b"L2") == 1


@pytest.mark.parametrize("padding", [0, 30])
def test_of_two_wishes_for_one_listing_the_later_holds(padding: int) -> None:
    desk = Desk()
    others = [availability(f"X{number}", 1) for number in range(padding)]
    wanted = [availability("A", 5), *others, availability("A", 0)]
    outcomes = desk.client().push_availability(wanted)
    sent = [patch["value"][0]["quantity"] for sku, patch in desk.patched if sku == "A"]
    in_feeds = [json.loads(body)["messages"] for body in desk.uploads.values()]
    assert sent == [0]
    assert "A" not in {message["sku"] for messages in in_feeds for message in messages}
    assert outcomes[0] is outcomes[-1] is None


def test_a_missing_permission_costs_one_token_and_not_one_for_each_listing() -> None:
    desk = Desk()
    denied = HttpResponse(403, {}, b'{"errors":[{"code":"Unauthorized","message":"x","details":""}]}')
    desk.instead["patchListingsItem"] = [denied] * 10
    outcomes = desk.client().push_availability([availability(f"S{number}", 1) for number in range(5)])
    assert [str(outcome).split(":")[0] for outcome in outcomes] == ["not_authorised"] * 5
    assert len(desk.forms) <= 2
    assert desk.tokens.why_lost == ""


def test_a_refund_that_amazon_would_not_begin_holds_no_money() -> None:
    desk = desk_with()
    desk.instead["createFeed"] = [HttpResponse(400, {}, b'{"errors":[{"code":"InvalidInput"}]}')]
    with pytest.raises(Refused, match="InvalidInput"):
        refund(desk, 2500)
    assert refund(desk, 2500, "R2") is False
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 2500, "R1")
    assert len(desk.feeds_made) == 1


def test_a_refund_that_amazon_would_not_begin_can_be_asked_for_again() -> None:
    desk = desk_with()
    desk.instead["createFeedDocument"] = [HttpResponse(400, {}, b'{"errors":[{"code":"InvalidInput"}]}')]
    with pytest.raises(Refused, match="InvalidInput"):
        refund(desk, 2500)
    assert refund(desk, 2500) is False
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 100, "R2")
    assert len(desk.feeds_made) == 1


def test_what_is_unclear_counts_as_paid() -> None:
    desk = desk_with()
    desk.lost = ["createFeed"]
    with pytest.raises(Busy):
        refund(desk, 2500)
    desk.feeds_made["F9"] = {**desk.feeds_made["F1"], "feedId": "F9"}  # another program of the seller's
    for _ in range(2):
        with pytest.raises(Refused, match="it is not clear"):
            refund(desk, 2500)
    with pytest.raises(Refused, match="refund_too_large"):
        refund(desk, 100, "R2")
