"""Every call is counted, corrected by what Amazon says, and judged by its status before its body."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.documents import decoded, flat_file, rows_of
from chalicelib.channels.amazon.limits import PLANS
from chalicelib.channels.amazon.wire import Wire
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unauthorised
from tests.unit.channels.amazon_desk import BASE, DESK, GATEWAY, Desk, availability, order_body

ARN = "arn:aws:sqs:eu-central-1:1:q"
CALLS: dict[str, Callable[[AmazonClient], Any]] = {
    "getOrder": lambda client: client.get_order("114-1"),
    "searchOrders": lambda client: list(client.changed_orders(DESK)),
    "searchListingsItems": lambda client: list(client.listings()),
    "listTransactions": lambda client: list(client.transactions(DESK - 10**9)),
    "getReports": lambda client: list(client.payouts(DESK - 10**9)),
    "createReport": lambda client: client.health(),
    "getMarketplaceParticipations": lambda client: client.participations(),
    "getDestinations": lambda client: client.ensure_destination(ARN, "n"),
    "getSubscription": lambda client: client.ensure_subscription("ORDER_CHANGE", "D"),
}


@pytest.mark.parametrize("operation", CALLS)
def test_every_call_is_counted_before_it_is_sent(operation: str) -> None:
    desk = Desk()
    desk.budget.used_up = {operation}
    with pytest.raises(OverBudget):
        CALLS[operation](desk.client())
    assert operation not in desk.operations


@pytest.mark.parametrize("operation", CALLS)
def test_a_refused_call_drains_its_budget_until_one_is_regained(operation: str) -> None:
    desk = Desk()
    desk.instead[operation] = [HttpResponse(429, {"x-amzn-requestid": "req-9"}, b"<html>")]
    with pytest.raises(Busy, match=r"429 .*\(request req-9\)") as busy:
        CALLS[operation](desk.client())
    expected_s = min(-(-1 // PLANS[operation].rate_per_s), 900)
    assert desk.budget.drained == {operation: expected_s}
    assert busy.value.after_s == expected_s


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        GATEWAY,
        HttpResponse(500, {}, b""),
        HttpResponse(200, {}, b"<html>ok</html>"),
        HttpResponse(200, {}, b""),
        HttpResponse(200, {}, b"[]"),
        HttpResponse(200, {}, b'{"errors":[{"code":"InternalFailure"}]}'),
    ],
)
def test_trouble_passes(operation: str, answer: HttpResponse) -> None:
    desk = Desk()
    desk.instead[operation] = [answer]
    with pytest.raises(Busy):
        CALLS[operation](desk.client())


@pytest.mark.parametrize("operation", ["searchOrders", "listTransactions", "getMarketplaceParticipations"])
def test_a_success_that_names_errors_is_none(operation: str) -> None:
    desk = Desk()
    body = b'{"payload":{"transactions":[]},"orders":[],"errors":[{"code":"InvalidInput","message":"114-1"}]}'
    desk.instead[operation] = [HttpResponse(200, {"x-amzn-requestid": "req-9"}, body)]
    with pytest.raises(Refused) as refused:
        CALLS[operation](desk.client())
    assert str(refused.value) == f"channel_refused: Amazon answered {operation} with InvalidInput (request req-9)"


@pytest.mark.parametrize(
    ("header", "told"), [("0.0167", 0.0167), ("5.0", 5.0), ("0", None), ("x", None), ("inf", None)]
)
def test_the_rate_that_amazon_allows_is_taken_over(header: str, told: float | None) -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(404, {"x-amzn-ratelimit-limit": header}, b"{}")]
    with pytest.raises(Refused):
        desk.client().get_order("114-1")
    assert desk.budget.corrected == ({"getOrder": told} if told else {})


def test_a_told_wait_is_kept_to() -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(429, {"retry-after": "7"}, b"")]
    with pytest.raises(OverBudget) as busy:
        desk.client().get_order("114-1")
    assert busy.value.after_s == 7


def test_trouble_is_told_with_amazons_name_for_the_call() -> None:
    desk = Desk()
    desk.instead["getOrder"] = [HttpResponse(503, {"x-amzn-requestid": "req-9"}, b"<html>")]
    with pytest.raises(Busy, match=r"^Amazon answered 503 to getOrder \(request req-9\)$"):
        desk.client().get_order("114-1")


# --- tokens -------------------------------------------------------------------------------------------


def test_the_apps_own_token_needs_no_consent_and_is_kept_apart() -> None:
    desk = Desk()
    desk.client().ensure_destination(ARN, "n")
    assert desk.forms == [
        {
            "grant_type": "client_credentials",
            "scope": "sellingpartnerapi::notifications",
            "client_id": "c",
            "client_secret": "s",
        }
    ]
    assert (desk.tokens.token, desk.tokens.others) == ("", {"notifications": "Atza|1"})
    desk.client().participations()
    assert desk.forms[1]["grant_type"] == "refresh_token"
    assert desk.tokens.token == "Atza|2"


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_token_is_replaced_once(status: int) -> None:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(1, "1.00"))
    desk.instead["getOrder"] = [HttpResponse(status, {}, b"{}")]
    desk.tokens.put("Atza|old", DESK * 2)
    assert desk.client().get_order("114-1")
    assert desk.operations == ["getOrder", "token", "getOrder"]
    desk.instead["getOrder"] = [HttpResponse(status, {}, b"{}")] * 2
    with pytest.raises(Refused, match="not_authorised"):
        desk.client().get_order("114-1")
    assert desk.tokens.why_lost == ""


@pytest.mark.parametrize("code", [b"invalid_grant", b"invalid_client"])
def test_lost_consent_pauses_the_account(code: bytes) -> None:
    desk = Desk()
    desk.instead["token"] = [HttpResponse(400, {}, b'{"error":"%s","error_description":"secret words"}' % code)]
    with pytest.raises(Unauthorised) as lost:
        desk.client().get_order("114-1")
    assert code.decode() in desk.tokens.why_lost
    assert "secret words" not in str(lost.value)
    assert desk.operations == ["token"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 502])
@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"message":"Forbidden"}'])
def test_a_page_of_a_gateway_pauses_no_account(status: int, body: bytes) -> None:
    desk = Desk()
    desk.instead["token"] = [HttpResponse(status, {}, body)]
    with pytest.raises(Busy):
        desk.client().get_order("114-1")
    assert desk.tokens.why_lost == ""


@pytest.mark.parametrize("answer", [GATEWAY, HttpResponse(200, {}, b'{"access_token":"x","expires_in":"soon"}')])
def test_trouble_of_login_with_amazon_passes(answer: HttpResponse) -> None:
    desk = Desk()
    desk.instead["token"] = [answer]
    with pytest.raises(Busy):
        desk.client().get_order("114-1")
    assert desk.tokens.why_lost == ""


def test_a_host_that_only_ends_like_amazons_gets_no_secret_meant_for_it() -> None:
    desk = Desk()
    desk.instead["token"] = [GATEWAY]
    with pytest.raises(Busy):
        desk.client(base_url="https://notamazon.com").get_order("114-1")
    assert desk.sent[0].url == "https://notamazon.com/auth/o2/token"


# --- documents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://elsewhere.example/x", "ftp://sp.example/x", "file:///etc/passwd"])
def test_a_document_at_an_open_address_is_not_fetched(url: str) -> None:
    wire = Desk().wire()
    with pytest.raises(Refused, match="untrusted_address"):
        wire.download(url)
    with pytest.raises(Refused, match="untrusted_address"):
        wire.upload(url, "text/plain", b"x")


def test_our_own_host_may_be_open() -> None:
    desk = Desk()
    desk.files["http://localhost:8000/x"] = b"text"
    account = {"base_url": "http://localhost:8000/amazon", "marketplace_id": "M"}
    wire = Wire(Access(desk, account, {}, desk.tokens, DESK, desk.budget))
    assert wire.download("http://localhost:8000/x").body == b"text"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("Größe".encode(), "", "Größe"),
        ("Größe".encode("cp1252"), "text/plain", "Größe"),
        ("Größe".encode("iso-8859-1"), "text/plain;charset=ISO-8859-1", "Größe"),
        ("価格".encode("shift_jis"), 'text/plain; charset="Shift_JIS"', "価格"),
        ("Größe".encode(), "text/plain; charset=no-such-set", "Größe"),
        (b"\xef\xbb\xbfA", "text/plain; charset=utf-8", "A"),
        (b"\x81\x9d", "", "\x81\x9d"),
    ],
)
def test_a_document_is_read_in_its_own_character_set(body: bytes, content_type: str, text: str) -> None:
    assert decoded(body, content_type) == text


def test_a_packed_report_is_unpacked_and_a_broken_one_is_asked_for_again() -> None:
    desk = Desk()
    packed = gzip.compress("Ä\tB\n".encode())
    desk.instead["getReportDocument"] = [
        HttpResponse(200, {}, b'{"url":"https://x.example/f","compressionAlgorithm":"GZIP"}') for _ in range(3)
    ]
    desk.files["https://x.example/f"] = packed
    assert desk.reports().document("D") == "Ä\tB\n"
    for broken in (packed[:-9], packed[:9] + packed[12:]):
        desk.files["https://x.example/f"] = broken
        with pytest.raises(Busy, match="broken"):
            desk.reports().document("D")


def test_a_document_whose_packing_is_unknown_is_refused() -> None:
    desk = Desk()
    desk.instead["getReportDocument"] = [
        HttpResponse(200, {}, b'{"url":"https://x.example/f","compressionAlgorithm":"ZSTD"}')
    ]
    desk.files["https://x.example/f"] = b"x"
    with pytest.raises(Refused, match="ZSTD"):
        desk.reports().document("D")


def test_cells_of_a_flat_file_cannot_part_it() -> None:
    text = flat_file(("a", "b"), [{"a": "x\ty\nz", "b": "1"}], "head").decode()
    assert text == "head\na\tb\nx y z\t1\n"
    assert rows_of("A \tb\n1\t2\t3\n\n4\n") == [{"a": "1", "b": "2"}, {"a": "4", "b": ""}]
    assert rows_of('a\tb\n"open\tx\n') == [{"a": '"open', "b": "x"}]


def test_no_token_and_no_payload_is_told_in_an_error() -> None:
    desk = Desk()
    desk.instead["patchListingsItem"] = [
        HttpResponse(400, {}, b'{"errors":[{"code":"InvalidInput","message":"Jane Doe"}]}')
    ]
    (error,) = desk.client().push_availability([availability("S", 1)])
    assert "Jane" not in str(error)
    assert "Atza" not in str(error)
    assert BASE not in str(error)
