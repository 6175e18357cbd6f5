"""Documents, settlements and bookings as Amazon may write them one day."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from chalicelib.channels.amazon.dates import time_ms
from chalicelib.channels.amazon.documents import decoded, rows_of
from chalicelib.channels.amazon.feeds import listing_verdicts
from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.amazon.settlement import read_settlement
from chalicelib.channels.fields import Node
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Unreadable
from tests.unit.channels.amazon_desk import DESK, Desk, iso, order_body

DAY_MS = 86_400_000
HEAD = "settlement-id\tdeposit-date\ttotal-amount\tcurrency\ttransaction-type\torder-id\tamount-type\tamount\n"


def settlement(*amounts: str, total: str, currency: str = "EUR", head: str = HEAD) -> str:
    rows = [f"77\t\t\t\tOrder\t302-{number}\tItemPrice\t{amount}\n" for number, amount in enumerate(amounts)]
    return head + f"77\t2026-07-02 00:00:00 UTC\t{total}\t{currency}\t\t\t\t\n" + "".join(rows)


@pytest.mark.parametrize(
    ("currency", "amounts", "total", "minor"),
    [
        ("JPY", ("1,234", "2,000"), "3,234", 3234),
        ("JPY", ("1.234", "2.000"), "3.234", 3234),
        ("USD", ("1,234", "1,234,567.00"), "1,235,801", 123_580_100),
        ("EUR", ("1.234.567", "0,50"), "1.234.567,50", 123_456_750),
        ("EUR", ("12,34-", "(1,00)", "−2,00"), "-15,34", -1534),
        ("EUR", ('"1.000,00"', "1 000,00"), "2000", 200_000),
        ("KWD", ("1,234", "0.001"), "1.235", 1235),
        ("USD", ("1.5", ".5", "+1"), "3", 300),
    ],
)
def test_amounts_of_every_store_are_read(currency: str, amounts: tuple[str, ...], total: str, minor: int) -> None:
    assert read_settlement(settlement(*amounts, total=total, currency=currency)).amount_minor == minor


@pytest.mark.parametrize("charset", ["utf-16", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("told", ["", "text/plain; charset=iso-8859-1", "text/plain; charset=Cp1252"])
def test_the_mark_at_its_beginning_says_how_a_file_is_written(charset: str, told: str) -> None:
    assert decoded("Größe\t1".encode(charset), told) == "Größe\t1"


def test_a_set_that_can_read_everything_is_believed_last() -> None:
    assert decoded("Größe".encode(), "text/plain; charset=ISO-8859-1") == "Größe"
    assert decoded("Größe".encode("cp1252"), "text/plain; charset=UTF-8") == "Größe"


def test_columns_are_known_however_they_are_written() -> None:
    plain = read_settlement(settlement("1.00", total="1.00"))
    loud = read_settlement(settlement("1.00", total="1.00", head=HEAD.replace("-", " ").upper()))
    under = read_settlement(settlement("1.00", total="1.00", head=HEAD.replace("-", "_")))
    assert plain == loud == under


def test_a_file_whose_cells_are_quoted_is_read() -> None:
    text = settlement("1.00", total="1.00").replace("Order", 'a ""b"" c')
    quoted = "\r\n".join("\t".join(f'"{cell}"' for cell in line.split("\t")) for line in text.splitlines())
    (fact,) = read_settlement(quoted).facts
    assert (fact.amount_minor, fact.what) == (100, 'a "b" c / ItemPrice')
    assert rows_of('"a"\t"b"\n"1\t2"\t"3"\n') == [{"a": "1 2", "b": "3"}]


def test_nothing_sold_is_a_settlement_too() -> None:
    assert read_settlement(settlement(total="0,00")).facts == ()


@pytest.mark.parametrize(
    ("text", "iso_time"),
    [
        ("2026/06/17 08:14:22 UTC", "2026-06-17T08:14:22Z"),
        ("2026/06/17 08:14:22 JST", "2026-06-16T23:14:22Z"),
        ("2026-06-17 08:14:22 PDT", "2026-06-17T15:14:22Z"),
        ("17.06.2026 08:14:22 MESZ", "2026-06-17T06:14:22Z"),
        ("17.06.2026 08:14:22 CEST", "2026-06-17T06:14:22Z"),
        ("17/06/2026 08:14:22 BST", "2026-06-17T07:14:22Z"),
        ("17.06.26", "2026-06-17T00:00:00Z"),
        ("06/17/2026", "2026-06-17T00:00:00Z"),
        ("Jun 17, 2026", "2026-06-17T00:00:00Z"),
        ("17 Jun 2026", "2026-06-17T00:00:00Z"),
        ("17-06-2026", "2026-06-17T00:00:00Z"),
    ],
)
def test_dates_of_more_stores_are_read(text: str, iso_time: str) -> None:
    assert time_ms(text) == time_ms(iso_time) > 0


# --- documents ----------------------------------------------------------------------------------------


def document(desk: Desk, body: bytes, algorithm: str = "GZIP") -> str:
    told = b'{"url":"https://x.example/f","compressionAlgorithm":"%s"}' % algorithm.encode()
    desk.instead["getReportDocument"] = [HttpResponse(200, {}, told)]
    desk.files["https://x.example/f"] = body
    return desk.reports().document("D")


def test_a_document_in_several_packed_parts_is_read_whole() -> None:
    assert document(Desk(), gzip.compress(b"one\n") + gzip.compress(b"two\n")) == "one\ntwo\n"
    with pytest.raises(Busy, match="broken"):
        document(Desk(), gzip.compress(b"one\n") + gzip.compress(b"two\n")[:-6])
    assert document(Desk(), gzip.compress(b"one\n") + b"\0\0\0") == "one\n"


def test_a_document_that_is_called_packed_and_is_not_is_read() -> None:
    assert document(Desk(), b"plain\ttext") == "plain\ttext"
    assert document(Desk(), gzip.compress(b"x"), "gzip") == "x"
    with pytest.raises(Busy, match="broken"):
        document(Desk(), b"")


def test_a_report_that_amazon_no_longer_knows_is_asked_for_anew() -> None:
    desk = Desk()
    with pytest.raises(Busy):
        desk.client().health()
    desk.instead["getReport"] = [HttpResponse(404, {}, b'{"errors":[{"code":"NotFound"}]}')]
    for _ in range(2):
        with pytest.raises(Busy):
            desk.client().health()
    assert desk.operations.count("createReport") == 2


def test_a_finished_report_without_a_document_is_asked_for_anew() -> None:
    desk = Desk()
    with pytest.raises(Busy):
        desk.client().health()
    desk.reports_made["R1"]["processingStatus"] = "DONE"
    for _ in range(2):
        with pytest.raises(Busy):
            desk.client().health()
    assert desk.operations.count("createReport") == 2


def test_a_report_that_counts_more_refusals_than_it_names_tells_nothing() -> None:
    issues = '[{"messageId":1,"sku":"A","code":"1","severity":"WARNING"}]'
    summary = '{"messagesProcessed":2,"messagesAccepted":1,"messagesInvalid":1}'
    assert listing_verdicts(f'{{"issues":{issues},"summary":{summary}}}', ["A", "B"]) is None


def test_two_returned_lines_of_one_sku_are_two_lines() -> None:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(1, "5.00"), L2=(1, "5.00"))
    for each in desk.orders["114-1"]["orderItems"]:
        each["product"]["sellerSku"] = "A"
    with pytest.raises(Busy):
        list(desk.client().returns(DESK))
    head = "Order ID\tReturn request date\tAmazon RMA ID\tMerchant SKU\tReturn quantity\n"
    desk.made("R1", f"{head}114-1\t2026-05-20\tRMA\tA\t1\n114-1\t2026-05-20\tRMA\tA\t1.0\n".encode())
    (found,) = desk.client().returns(DESK)
    assert dict(found.items) == {"L1": 1, "L2": 1}
    (twice,) = _again(desk, f"{head}114-1\t2026-05-20\tRMA\tA\t2.0\n")
    assert dict(twice.items) == {"L1": 2}


def _again(desk: Desk, text: str) -> list[Any]:
    with pytest.raises(Busy):
        list(desk.client().returns(DESK))
    desk.made("R2", text.encode())
    return list(desk.client().returns(DESK))


# --- bookings -----------------------------------------------------------------------------------------


def booked(name: str, status: str, amount: Any = 5, **more: Any) -> dict[str, Any]:
    return {
        "transactionId": name,
        "transactionType": "Shipment",
        "transactionStatus": status,
        "postedDate": iso(DESK - DAY_MS),
        "totalAmount": {"currencyAmount": amount, "currencyCode": "USD"},
        **more,
    }


def test_a_release_that_comes_before_its_hold_is_known_by_it() -> None:
    desk = Desk()
    related = [{"relatedIdentifierName": "RELEASE_TRANSACTION_ID", "relatedIdentifierValue": "R"}]
    page = [booked("R", "RELEASED"), booked("H", "DEFERRED_RELEASED", relatedIdentifiers=related)]
    desk.instead["listTransactions"] = [_json({"payload": {"transactions": page}})]
    facts = list(desk.client().transactions(DESK - 2 * DAY_MS))
    assert len(facts) == 2
    assert len({fact.fact_id for fact in facts}) == 1


def test_a_booking_without_an_id_is_the_same_when_it_is_released() -> None:
    held, released = (next(facts_of(Node(booked("", status)))) for status in ("DEFERRED", "RELEASED"))
    assert held.fact_id == released.fact_id


@pytest.mark.parametrize("payload", [{}, {"transactions": None}, {"transactions": [], "nextToken": ""}])
def test_a_page_without_bookings_is_the_last(payload: dict[str, Any]) -> None:
    desk = Desk()
    desk.instead["listTransactions"] = [_json({"payload": payload})]
    assert list(desk.client().transactions(DESK - 2 * DAY_MS)) == []


def test_numbers_with_a_point_are_numbers_where_text_is_wanted() -> None:
    desk = Desk()
    odd = booked("T", "RELEASED", relatedIdentifiers=[{"relatedIdentifierName": "X", "relatedIdentifierValue": 1.5}])
    desk.instead["listTransactions"] = [_json({"payload": {"transactions": [odd]}})]
    assert [fact.amount_minor for fact in desk.client().transactions(DESK - 2 * DAY_MS)] == [500]
    listed = {
        "sku": "A",
        "summaries": [{"marketplaceId": "ATVPDKIKX0DER", "createdDate": "2026-01-01T00:00:00Z"}],
        "fulfillmentAvailability": [{"fulfillmentChannelCode": "DEFAULT", "quantity": 5.0}],
        "offers": [{"marketplaceId": "ATVPDKIKX0DER", "offerType": "B2C"}],
    }
    desk.listed = [listed]
    (found,) = desk.client().listings()
    assert (found.quantity, found.price_minor) == (5, None)


def test_one_booking_that_is_no_object_hides_no_other() -> None:
    desk = Desk()
    desk.instead["listTransactions"] = [_json({"payload": {"transactions": ["x", booked("T", "RELEASED")]}})]
    facts = desk.client().transactions(DESK - 2 * DAY_MS)
    assert next(facts).amount_minor == 500
    with pytest.raises(Unreadable):
        next(facts)


def _json(answer: Any) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps(answer).encode())
