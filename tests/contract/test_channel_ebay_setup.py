"""Connecting an account to eBay, what eBay pushes to it, and how eBay rates it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.notifications import (
    DELETED,
    REVOKED,
    challenge_response,
    key_id_of,
    told_of,
    verify,
)
from chalicelib.channels.ebay.oauth import APP, SCOPES, scopes_of
from chalicelib.channels.ebay.standards import RateLimit
from chalicelib.channels.facts import Metric
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Forged, Refused
from local.marketplaces.ebay_notifications import user_id
from local.marketplaces.wire import to_json
from tests.contract.ebay_seller import BASE, START_MS, Ledger, Seller, answer, problem, secret_of, seller
from tests.contract.marketplaces_calls import first, populated
from tests.tokens import Tokens

ENDPOINT = "https://api.shop.example/stage/notifications/ebay"
VERIFICATION = "a-token-of-at-least-32-characters-"
TOPICS = ("ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED", DELETED, REVOKED)


@pytest.fixture
def on() -> Seller:
    on = seller()
    on.market.challenge = answering(VERIFICATION)
    return on


def answering(token: str) -> Any:
    def challenged(url: str) -> tuple[int, bytes]:
        code = parse_qs(urlsplit(url).query)["challenge_code"][0]
        return 200, to_json({"challengeResponse": challenge_response(code, token, ENDPOINT)})

    return challenged


def connected(on: Seller) -> str:
    on.client.ensure_config("alerts@shop.example")
    destination_id = on.client.ensure_destination(ENDPOINT, VERIFICATION, "headrace")
    for topic in TOPICS:
        on.client.ensure_subscription(topic, destination_id)
    return destination_id


# --- notifications ------------------------------------------------------------------------------------


def test_an_account_is_connected_once_however_often_it_is_done(on: Seller) -> None:
    assert connected(on) == connected(on)
    office = on.market.shelf.ebay
    assert [(each.endpoint, each.status) for each in office.destinations] == [(ENDPOINT, "ENABLED")]
    assert [(each.topic_id, each.status) for each in office.subscriptions] == [(topic, "ENABLED") for topic in TOPICS]
    assert office.alert_email == "alerts@shop.example"


def test_what_was_switched_off_or_has_another_token_is_mended(on: Seller) -> None:
    destination_id = connected(on)
    office = on.market.shelf.ebay
    office.subscriptions[0].status = "DISABLED"
    office.destinations[0].status = "DISABLED"
    assert connected(on) == destination_id
    assert {office.subscriptions[0].status, office.destinations[0].status} == {"ENABLED"}
    fresh = "another-token-of-at-least-32-characters"
    on.market.challenge = answering(fresh)
    assert on.client.ensure_destination(ENDPOINT, fresh, "headrace") == destination_id
    assert office.destinations[0].verification_token == fresh


def test_an_endpoint_that_does_not_answer_is_refused_with_ebays_id(on: Seller) -> None:
    on.client.ensure_config("alerts@shop.example")
    on.market.challenge = answering("wrong")
    with pytest.raises(Refused, match="195020"):
        on.client.ensure_destination(ENDPOINT, VERIFICATION, "headrace")


def test_a_destination_needs_the_address_for_alarms_first(on: Seller) -> None:
    with pytest.raises(Refused, match="195003"):
        on.client.ensure_destination(ENDPOINT, VERIFICATION, "headrace")


def test_a_destination_on_a_later_page_is_found(on: Seller) -> None:
    on.tokens.put("t", START_MS, APP)
    entry = {"destinationId": "d9", "status": "ENABLED"}
    entry |= {"deliveryConfig": {"endpoint": ENDPOINT, "verificationToken": VERIFICATION}}
    next_page = "https://x/destination?limit=100&continuation_token=abc"
    on.wire.instead = [
        problem(195021, 409),
        answer({"destinations": [{"destinationId": "d1"}], "next": next_page}),
        answer({"destinations": [entry]}),
    ]
    assert on.client.ensure_destination(ENDPOINT, VERIFICATION, "headrace") == "d9"
    assert "continuation_token=abc" in on.wire.sent[-1].url


def test_what_exists_and_is_not_listed_is_refused(on: Seller) -> None:
    on.tokens.put("t", START_MS, APP)
    on.wire.instead = [problem(195021, 409), answer({"destinations": []})]
    with pytest.raises(Refused, match="no_destination"):
        on.client.ensure_destination(ENDPOINT, VERIFICATION, "headrace")
    on.wire.instead = [problem(195012, 409), answer({"subscriptions": []})]
    with pytest.raises(Refused, match="no_subscription"):
        on.client.ensure_subscription(DELETED, "d1")


def test_what_ebay_pushes_is_genuine_and_understood(on: Seller) -> None:
    connected(on)
    sale = first(populated(on.market, on.time))
    on.market.delete_buyer("gone", on.time.now)
    on.market.revoke_consent(on.time.now)
    told = {}
    for change in on.market.shelf.changes:
        for notice in on.market.notices(change):
            header = notice.headers["x-ebay-signature"]
            key = on.client.public_key(key_id_of(header))["key"]
            verify(notice.body, header, key)
            with pytest.raises(Forged):
                verify(notice.body + b" ", header, key)
            found = told_of(notice.body)
            told[found.topic, *found.order_ids] = found
    created = told["ORDER_CONFIRMATION", sale.order_id]
    assert (created.user_id, created.username) == (user_id(on.market.seller_id), on.market.seller_id)
    assert (told[(REVOKED,)].user_id, told[(DELETED,)].username) == (user_id(on.market.seller_id), "gone")


def test_an_unknown_key_is_refused(on: Seller) -> None:
    with pytest.raises(Refused, match="195001"):
        on.client.public_key("a/../b")
    assert on.wire.sent[-1].url.endswith("/public_key/a%2F..%2Fb")


# --- programmes, keys, limits -------------------------------------------------------------------------


def test_out_of_stock_control_is_switched_on_once(on: Seller) -> None:
    on.market.out_of_stock_control = False
    assert "OUT_OF_STOCK_CONTROL" not in on.client.opted_in_programs()
    for _ in range(2):
        on.client.opt_in("OUT_OF_STOCK_CONTROL")
    assert "OUT_OF_STOCK_CONTROL" in on.client.opted_in_programs()


def test_a_signing_key_is_given_as_the_secret_keeps_it(on: Seller) -> None:
    key = on.client.create_signing_key()
    (made,) = on.market.shelf.ebay.signing_keys
    assert (key["jwe"], key["expires_ms"]) == (made.jwe, made.expires_s * 1000)
    on.wire.instead = [answer({"privateKey": "x"})]
    with pytest.raises(Refused, match="no_signing_key"):
        on.client.create_signing_key()


def test_the_limits_tell_what_is_left(on: Seller) -> None:
    on.client.opted_in_programs()
    limits = {limit.api: limit for limit in on.client.rate_limits()}
    assert limits["sell.account"].limit - limits["sell.account"].remaining == 1
    assert limits["sell.account"].resets_ms > on.now_ms
    on.wire.instead = [HttpResponse(204, {}, b""), answer({"rateLimits": [{"resources": [{"rates": [{}]}]}]})]
    assert on.client.rate_limits() == []
    assert on.client.rate_limits() == [RateLimit(".", "", 0, 0)]


def test_a_limit_that_is_no_number_hides_no_other(on: Seller) -> None:
    rates = [{"limit": 10**12, "remaining": "many", "reset": "soon"}, {"limit": 5, "remaining": 4}]
    api = {"apiContext": "sell", "apiName": "account", "resources": [{"name": "x", "rates": rates}]}
    on.wire.instead = [answer({"access_token": "t", "expires_in": 7200}), answer({"rateLimits": [api]})]
    first_one, second_one = on.client.rate_limits()
    assert first_one == RateLimit("sell.account", "x", 0, 0)
    assert second_one == RateLimit("sell.account", "x", 5, 4)


def test_the_apps_token_is_fetched_once_and_is_not_the_sellers(on: Seller) -> None:
    on.client.rate_limits()
    on.client.rate_limits()
    on.client.opted_in_programs()
    assert on.wire.operations.count("app token") == on.wire.operations.count("token") == 1
    assert on.tokens.get(APP)
    assert on.tokens.get(APP) != on.tokens.get()
    assert on.budget.spent.count("token") == 2


# --- seller standards ---------------------------------------------------------------------------------


def test_the_standards_are_those_of_the_sellers_own_programme(on: Seller) -> None:
    sale = first(populated(on.market, on.time))
    metrics = {metric.name: metric for metric in on.later().health()}
    assert metrics["STANDARDS_LEVEL"] == Metric("STANDARDS_LEVEL", "TOP_RATED", "", True, "PROGRAM_US CURRENT")
    rate = metrics["DEFECTIVE_TRANSACTION_RATE"]
    assert (rate.value, rate.limit, rate.is_good) == ("0.00", "2.00", True)
    assert rate.window.startswith("PROGRAM_US CURRENT 2025-05-04..")
    now = {name for name in metrics if not name.endswith("_PROJECTED")}
    assert metrics.keys() == now | {f"{name}_PROJECTED" for name in now}
    on.later().cancel(sale.order_id, whole(sale))
    bad = {metric.name: metric.is_good for metric in on.later().health()}
    assert bad["DEFECTIVE_TRANSACTION_RATE"] is (1 / len(on.market.shelf.sales) <= 0.02)


def whole(sale: Any) -> Any:
    from chalicelib.channels.port import CancellationRequest

    return CancellationRequest("c1", tuple((line.line_id, line.quantity) for line in sale.lines))


def test_a_measure_may_be_of_any_kind(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    metrics = [
        {"metricKey": "A", "value": 3, "level": "BELOW_STANDARD"},
        {"metricKey": "B", "value": True},
        {"metricKey": "C", "value": 0.25, "thresholdLowerBound": {"value": "0.1"}},
        {"metricKey": "D", "value": {"value": {"value": "1", "currency": "USD"}}},
        {"metricKey": "E", "value": [1]},
        {"name": "F"},
    ]
    on.wire.instead = [answer({"standardsProfiles": [{"metrics": metrics}]})]
    found = [(each.name, each.value, each.limit, each.is_good) for each in on.client.health()]
    assert found == [
        ("A", "3", "", False),
        ("B", "true", "", None),
        ("C", "0.25", "0.1", None),
        ("D", "1", "", None),
        ("E", "", "", None),
        ("F", "", "", None),
    ]


# --- hosts, scopes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "rest", "money"),
    [
        ("", "https://api.ebay.com/", "https://apiz.ebay.com/"),
        ("https://api.sandbox.ebay.com", "https://api.sandbox.ebay.com/", "https://apiz.sandbox.ebay.com/"),
        (BASE, f"{BASE}/", f"{BASE}/"),
    ],
)
def test_money_and_keys_are_at_a_host_of_their_own(base_url: str, rest: str, money: str) -> None:
    on = seller()
    sent: list[HttpRequest] = []

    def transport(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        path = request.url.removeprefix(money).removeprefix(rest)
        return on.wire(replace(request, url=f"{BASE}/{path}"))

    account = {"base_url": base_url, "marketplace_id": "EBAY_US"}
    client = EbayClient(Access(transport, account, secret_of(on.market), Tokens(), START_MS, Ledger()))
    list(client.transactions(START_MS))
    client.create_signing_key()
    client.opted_in_programs()
    assert [request.url.startswith(money) for request in sent if "finances" in request.url] == [True]
    assert [request.url.startswith(money) for request in sent if "key_management" in request.url] == [True]
    others = [request for request in sent if "finances" not in request.url and "key_management" not in request.url]
    assert len(others) == 3
    assert all(request.url.startswith(rest) for request in others)


def test_only_what_was_consented_to_is_asked_for() -> None:
    assert scopes_of({}) == SCOPES
    assert scopes_of({"scopes": "a  b"}) == scopes_of({"scopes": ["a", "b"]}) == "a b"
    assert "sell.finances" in SCOPES
