"""What the eBay client makes of tokens that end, calls that fail, and answers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.answers import Declined, read_answer
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.oauth import APP
from chalicelib.channels.port import CancellationRequest, Price, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse, TokenRejected
from chalicelib.domain.errors import Busy, HeadraceError, OverBudget, Refused, Unanswered, Unauthorised
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.shelf import Sale
from tests.contract.ebay_seller import (
    GATEWAY,
    START_MS,
    Seller,
    availability,
    confirmation,
    problem,
    seller,
)
from tests.contract.ebay_seller import answer as answered
from tests.contract.marketplaces_calls import first, populated

SKU = CATALOGUE[0].sku


@pytest.fixture
def on() -> Seller:
    return seller()


def test_a_token_is_fetched_once_and_shared_until_shortly_before_it_ends(on: Seller) -> None:
    for quantity in (1, 2):
        assert on.client.push_availability([availability(SKU, quantity)]) == [None]
    assert on.wire.operations.count("token") == 1
    assert START_MS < on.tokens.expires_ms < START_MS + 7_200_000


def test_an_expired_token_is_replaced_once_and_the_call_goes_through(on: Seller) -> None:
    on.client.push_availability([availability(SKU, 1)])
    on.time.pass_(hours=3)
    assert on.client.push_availability([availability(SKU, 2)]) == [None]
    assert on.wire.operations.count("token") == 2


@pytest.mark.parametrize("wrong", [{"refresh_token": "gone"}, {"client_secret": "rolled"}, {"client_id": ""}])
def test_consent_that_is_gone_is_refused_and_not_tried_again(wrong: dict[str, str]) -> None:
    on = seller(credentials=wrong)
    with pytest.raises(Refused) as refusal:
        on.client.get_order("12-1")
    assert refusal.value.reason == "not_authorised"
    assert on.wire.operations in (["token"], [])
    assert not set(filter(None, wrong.values())) & set(str(refusal.value).split())
    (outcome,) = on.client.push_availability([availability(SKU, 1)])
    assert isinstance(outcome, Refused)


TROUBLE = [GATEWAY, HttpResponse(429, {"retry-after": "7"}, b"{}")]
EMPTY = [HttpResponse(200, {}, body) for body in (b"", b"null", b"[]", b"{}", b'"x"', b"<html>")]


@pytest.mark.parametrize("answer", [*TROUBLE, *EMPTY])
def test_trouble_of_the_token_service_passes(on: Seller, answer: HttpResponse) -> None:
    on.wire.instead = [answer]
    with pytest.raises(Busy):
        on.client.get_order("12-1")
    assert on.tokens.token == ""


CALLS: dict[str, Callable[[EbayClient, Sale], Any]] = {
    "getInventoryItems": lambda client, _: list(client.listings()),
    "pushPrices": lambda client, _: raised(client.push_prices([Price(SKU, {"offer_id": "1"}, 1, "USD", 1)])),
    "issueRefund": lambda client, sale: client.refund(sale.order_id, RefundRequest("r1", 1, "USD")),
    "cancel": lambda client, sale: client.cancel(sale.order_id, CancellationRequest("c1", ())),
    "searchReturns": lambda client, _: list(client.returns(START_MS)),
    "getTransactions": lambda client, _: list(client.transactions(START_MS)),
    "getPayouts": lambda client, _: list(client.payouts(START_MS)),
    "findSellerStandardsProfiles": lambda client, _: client.health(),
    "getRateLimits": lambda client, _: client.rate_limits(),
    "createSigningKey": lambda client, _: client.create_signing_key(),
    "getPublicKey": lambda client, _: client.public_key("k"),
    "createDestination": lambda client, _: client.ensure_destination("https://x", "t", "n"),
    "createSubscription": lambda client, _: client.ensure_subscription("ORDER_CONFIRMATION", "d"),
    "getOptedInPrograms": lambda client, _: client.opted_in_programs(),
    "getOrder": lambda client, sale: client.get_order(sale.order_id),
    "getOrders": lambda client, _: list(client.changed_orders(START_MS)),
    "shippingFulfillment": lambda client, sale: client.confirm_shipment(sale.order_id, confirmation(sale)),
    "bulkUpdatePriceQuantity": lambda client, _: raised(client.push_availability([availability(SKU, 1)])),
}


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


# A search that finds nothing may leave its list out.
SEARCHES = ("searchReturns", "getTransactions", "getPayouts", "findSellerStandardsProfiles", "getRateLimits")
EMPTY_OBJECT_IS_NOTHING = [CALLS[name] for name in (*SEARCHES, "getOptedInPrograms")]


@pytest.mark.parametrize("answer", [*TROUBLE, *EMPTY])
@pytest.mark.parametrize("call", [call for name, call in CALLS.items() if name != "searchCancellations"])
def test_a_call_that_ebay_cannot_take_now_is_busy(
    on: Seller, call: Callable[[EbayClient, Sale], Any], answer: HttpResponse
) -> None:
    sale = first(populated(on.market, on.time))
    on.tokens.put("t", START_MS)
    on.tokens.put("t", START_MS, APP)
    on.wire.instead = [answer]
    if answer.body == b"{}" and answer.status == 200 and call in EMPTY_OBJECT_IS_NOTHING:
        assert not call(on.client, sale)
        return
    with pytest.raises(Busy) as busy:
        call(on.client, sale)
    assert busy.value.after_s == int(answer.headers.get("retry-after", busy.value.after_s))
    assert len(on.wire.sent) == 1


# --- tokens -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["invalid_grant", "invalid_client", "invalid_scope", "unauthorized_client"])
@pytest.mark.parametrize("status", [400, 401])
def test_oauths_word_that_consent_is_gone_pauses_the_account(on: Seller, word: str, status: int) -> None:
    on.wire.instead = [answered({"error": word, "error_description": "secret-ish"}, status)]
    with pytest.raises(Unauthorised, match=word) as refused:
        on.client.get_order("12-1")
    assert word in on.tokens.why_lost
    assert "secret-ish" not in str(refused.value)


def test_a_scope_that_was_not_consented_to_is_named_as_such(on: Seller) -> None:
    on.wire.instead = [answered({"error": "invalid_scope"}, 400)]
    with pytest.raises(Unauthorised, match="scopes"):
        on.client.get_order("12-1")


PASSING = [
    HttpResponse(403, {"content-type": "text/html"}, b"<html>Access denied</html>"),
    HttpResponse(400, {}, b""),
    answered({"error": "temporarily_unavailable"}, 400),
    answered({"error": "server_error"}, 403),
]


@pytest.mark.parametrize("answer", PASSING)
def test_a_gateways_page_at_the_token_endpoint_pauses_nothing(on: Seller, answer: HttpResponse) -> None:
    on.wire.instead = [answer]
    with pytest.raises(Busy):
        on.client.get_order("12-1")
    assert on.tokens.why_lost == ""


def test_too_many_tokens_stop_the_asking_for_tokens(on: Seller) -> None:
    on.wire.instead = [HttpResponse(429, {"retry-after": "30"}, b"")]
    with pytest.raises(Busy):
        on.client.get_order("12-1")
    assert on.budget.drained == [("token", 30)]
    on.budget.empty = {"token"}
    with pytest.raises(OverBudget):
        on.client.get_order("12-1")
    assert len(on.wire.sent) == 1


def test_consent_that_is_revoked_meanwhile_is_noticed(on: Seller) -> None:
    on.client.push_availability([availability(SKU, 1)])
    on.market.revoke_consent(on.time.now)
    (outcome,) = on.client.push_availability([availability(SKU, 2)])
    assert isinstance(outcome, Unauthorised)
    assert on.tokens.why_lost


def test_a_call_that_the_app_may_not_make_is_refused_and_pauses_nothing(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    token = answered({"access_token": "new", "expires_in": 7200})
    on.wire.instead = [problem(1100, 403), token, problem(1100, 403)]
    with pytest.raises(Refused) as refused:
        on.client.opted_in_programs()
    assert refused.value.reason == "not_authorised"
    assert not isinstance(refused.value, Unauthorised)
    assert on.tokens.why_lost == ""


# --- budget -------------------------------------------------------------------------------------------

APIS = {
    "getOrder": "fulfillment",
    "getOrders": "fulfillment",
    "bulkUpdatePriceQuantity": "inventory",
    "getInventoryItems": "inventory",
    "getTransactions": "finances",
    "getPayouts": "finances",
    "getOptedInPrograms": "account",
    "findSellerStandardsProfiles": "analytics",
    "getRateLimits": "rate_limit",
    "searchReturns": "return",
    "createSigningKey": "key_management",
    "getPublicKey": "notification",
    "createSubscription": "notification",
}


@pytest.mark.parametrize("name", APIS)
def test_each_call_counts_first_and_is_not_made_over_the_budget(on: Seller, name: str) -> None:
    sale = first(populated(on.market, on.time))
    on.tokens.put("t", START_MS)
    on.tokens.put("t", START_MS, APP)
    on.wire.instead = [HttpResponse(429, {"retry-after": "77"}, b"{}")]
    with pytest.raises(Busy):
        CALLS[name](on.client, sale)
    assert on.budget.spent == [APIS[name]]
    assert on.budget.drained == [(APIS[name], 77)]
    on.budget.empty = {APIS[name]}
    with pytest.raises(OverBudget):
        CALLS[name](on.client, sale)
    assert len(on.wire.sent) == 1


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [25001, 25025, 30500, 34900, 34922, 34929, 135000])
@pytest.mark.parametrize("status", [400, 409])
def test_what_passes_passes_whatever_its_status(code: int, status: int) -> None:
    with pytest.raises(Busy):
        read_answer(problem(code, status))


@pytest.mark.parametrize("code", [25803, 195003, 195012, 195020, 195021, 34918, 34924, 34928, 34930])
def test_a_conflict_that_stays_is_refused_with_its_id(code: int) -> None:
    with pytest.raises(Declined) as declined:
        read_answer(problem(code, 409))
    assert (declined.value.status, declined.value.codes) == (409, (code,))


def test_a_fault_that_ebay_calls_its_own_passes() -> None:
    with pytest.raises(Busy):
        read_answer(problem(32100, 400, category="APPLICATION"))
    with pytest.raises(Declined):
        read_answer(problem(32100, 400, category="BUSINESS"))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_after_a_servers_fault_nobody_knows_what_was_done(status: int) -> None:
    with pytest.raises(Unanswered):
        read_answer(HttpResponse(status, {}, b"<html>"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(1001, 401), TokenRejected),
        (HttpResponse(401, {}, b""), TokenRejected),
        (problem(1100, 403), TokenRejected),
        (HttpResponse(403, {}, b"<html>"), TokenRejected),
        (problem(195011, 403), Declined),
        (HttpResponse(301, {}, b""), Declined),
        (HttpResponse(404, {}, b"[]"), Declined),
        (answered({"errors": "x"}, 400), Declined),
        (answered({"errors": [None, {"errorId": "x"}, {"errorId": None}]}, 400), Declined),
        (answered({"errorMessage": {"error": "x"}}, 400), Declined),
        (answered({"errorMessage": "x"}, 400), Declined),
    ],
)
def test_each_answer_has_its_meaning(answer: HttpResponse, error: type[HeadraceError]) -> None:
    with pytest.raises(error):
        read_answer(answer)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_may_be_empty(status: int) -> None:
    assert read_answer(HttpResponse(status, {}, b"")) is None


def test_ebays_messages_stay_out_of_ours() -> None:
    with pytest.raises(Declined) as declined:
        read_answer(problem(32100, 404))
    assert "private" not in str(declined.value)


def test_a_connection_that_breaks_leaves_open_what_was_done() -> None:
    on = seller()
    on.tokens.put("t", START_MS)

    def broken(request: HttpRequest) -> HttpResponse:
        raise Unanswered("no answer: ReadTimeoutError", after_s=5)

    client = EbayClient(Access(broken, {}, {}, on.tokens, START_MS))
    with pytest.raises(Unanswered) as unanswered:
        client.get_order("12-1")
    assert unanswered.value.after_s == 5
