"""Who may call the stand-in eBay: both kinds of token, consent, limits, outages, digital signatures."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.marketplaces import ebay_budget, ebay_signing
from local.marketplaces.ebay import Ebay
from local.marketplaces.wire import Request
from tests.contract.marketplaces_calls import Time, ebay_token, first, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    CANCELLATION,
    KEYS,
    LIMITS,
    MONEY,
    NOTIFY,
    ORDER,
    SIGNING_KEY,
    app_call,
    app_token,
    assert_error,
    assert_gateway_error,
    assert_model,
    call,
    granted,
    signature_headers,
    signed_call,
    signing_key,
)
from tests.shared_data import shared

RATE = "/developer/analytics/v1_beta"


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


# --- tokens -------------------------------------------------------------------------------------------


def test_an_application_gets_a_token_of_its_own_kind(ebay: tuple[Ebay, Time]) -> None:
    answer = granted(ebay[0], grant_type="client_credentials").json()
    assert (answer["token_type"], answer["expires_in"]) == ("Application Access Token", 7200)
    assert granted(ebay[0], grant_type="password").json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    "path", [f"{NOTIFY}/config", f"{NOTIFY}/topic", f"{NOTIFY}/destination", SIGNING_KEY, f"{RATE}/rate_limit/"]
)
def test_what_is_the_applications_is_refused_to_the_sellers_token(ebay: tuple[Ebay, Time], path: str) -> None:
    market, _ = ebay
    assert_gateway_error(call(market, "GET", path), 403, 1100)
    assert app_call(market, "GET", path).status in {200, 404}


@pytest.mark.parametrize("path", [ORDER, f"{MONEY}/transaction", f"{RATE}/user_rate_limit/"])
def test_what_is_the_sellers_is_refused_to_the_applications_token(ebay: tuple[Ebay, Time], path: str) -> None:
    market, _ = ebay
    assert_gateway_error(app_call(market, "GET", path), 403, 1100)
    assert call(market, "GET", path).status in {200, 204}


def test_post_order_wants_another_scheme_word(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    token, path = ebay_token(market), f"{CANCELLATION}/search"
    statuses = {
        scheme: call(market, "GET", path, headers={"Authorization": f"{scheme} {token}"}).status
        for scheme in ("IAF", "TOKEN", "Bearer")
    }
    assert statuses == {"IAF": 200, "TOKEN": 200, "Bearer": 401}
    assert call(market, "GET", ORDER, headers={"Authorization": f"IAF {token}"}).status == 401


def test_a_consent_taken_back_ends_the_sellers_tokens_and_only_those(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    old, application = ebay_token(market), app_token(market)
    market.revoke_consent(time.now)
    answer = granted(market, grant_type="refresh_token", refresh_token=market.refresh_token)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert_gateway_error(call(market, "GET", ORDER, token=old), 401, 1001)
    assert call(market, "GET", f"{NOTIFY}/topic", token=application).status == 200
    market.consented = True
    assert call(market, "GET", ORDER).status == 200
    assert call(market, "GET", ORDER, token=old).status == 401


def test_without_consent_a_token_that_lives_is_worth_nothing(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    token = ebay_token(market)
    market.consented = False
    assert_gateway_error(call(market, "GET", ORDER, token=token), 401, 1001)


# --- limits and outages -------------------------------------------------------------------------------


def test_calls_beyond_the_days_limit_are_refused_and_counted_until_midnight_pacific(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    token, path = ebay_token(market), "/sell/analytics/v1/seller_standards_profile"
    for _ in range(100):
        assert call(market, "GET", path, token=token).status == 200
    assert_gateway_error(call(market, "GET", path, token=token), 429, 2001)
    assert market.over_budget == {"sell.analytics": 1}
    time.pass_(hours=20)  # 12:00 UTC + 20 h is past midnight at the Pacific
    assert call(market, "GET", path).status == 200
    assert market.over_budget == {"sell.analytics": 1}


def test_tokens_are_limited_too(ebay: tuple[Ebay, Time], monkeypatch: pytest.MonkeyPatch) -> None:
    market, _ = ebay
    monkeypatch.setitem(ebay_budget.GRANTS_A_DAY, "client_credentials", 2)
    answers = [granted(market, grant_type="client_credentials").status for _ in range(3)]
    assert answers == [200, 200, 429]
    assert market.over_budget == {"token.client_credentials": 1}


def test_the_rate_limits_tell_what_is_left_and_when_it_comes_back(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    call(market, "GET", ORDER)
    call(market, "GET", ORDER)
    answer = app_call(market, "GET", f"{RATE}/rate_limit/", {"api_name": "fulfillment", "api_context": "sell"})
    (limit,) = assert_model((LIMITS, "/rate_limit/", "get"), answer, 200)["rateLimits"]
    (rate,) = limit["resources"][0]["rates"]
    assert (rate["count"], rate["remaining"], rate["limit"]) == (2, 99_998, 100_000)
    assert (rate["timeWindow"], rate["reset"]) == (86_400, "2026-05-05T07:00:00.000Z")
    everything = call(market, "GET", f"{RATE}/user_rate_limit/")
    limits = assert_model((LIMITS, "/user_rate_limit/", "get"), everything, 200)["rateLimits"]
    assert {each["apiName"] for each in limits} >= {"fulfillment", "finances", "cancellation", "return"}
    assert app_call(market, "GET", f"{RATE}/rate_limit/", {"api_name": "browse"}).status == 204


def test_a_throttle_and_an_outage_end_when_they_were_set_to(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    token = ebay_token(market)
    market.throttled_until = time.now + timedelta(minutes=1)
    assert_gateway_error(call(market, "GET", ORDER, token=token), 429, 2001)
    market.down_until = time.now + timedelta(minutes=2)
    page = call(market, "GET", ORDER, token=token)
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html")
    time.pass_(minutes=2)
    assert call(market, "GET", ORDER, token=token).status == 200


# --- digital signatures -------------------------------------------------------------------------------


def test_the_base_string_is_that_of_ebays_own_sdk() -> None:
    vector: dict[str, Any] = json.loads(shared("samples/ebay/digital-signature/sign-ed25519-post.json").read_text())
    headers = {name: vector[name] for name in ("x-ebay-signature-key",)}
    headers["Content-Digest"] = vector["content-digest-sha256"]
    request = Request(vector["method"], vector["path"], {}, headers, vector["body"].encode())
    components = ["content-digest", "x-ebay-signature-key", "@method", "@path", "@authority"]
    text = ebay_signing.base_string(
        request,
        components,
        vector["signature-input"].removeprefix("sig1="),
        path=vector["path"],
        authority=vector["authority"],
    )
    public = "".join(vector["publicKey"].splitlines()[1:-1])
    key = ebay_signing.SigningKey("", "", public, 0, 0)
    signature = vector["signature"].removeprefix("sig1=:").removesuffix(":")
    assert ebay_signing._verifies(key, signature, text)
    assert not ebay_signing._verifies(key, signature, text + " ")


def test_a_private_key_is_told_once(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    made, other = signing_key(market), signing_key(market)
    assert made["privateKey"] != other["privateKey"]
    assert made["expirationTime"] - made["creationTime"] == 3 * 365 * 86_400
    public = {name: made[name] for name in made.keys() - {"privateKey"}}
    read = app_call(market, "GET", f"{SIGNING_KEY}/{made['signingKeyId']}")
    assert assert_model((KEYS, "/signing_key/{signing_key_id}", "get"), read, 200) == public
    listed = assert_model((KEYS, "/signing_key", "get"), app_call(market, "GET", SIGNING_KEY), 200)["signingKeys"]
    assert listed[0] == public
    assert len(listed) == 2
    unknown = app_call(market, "GET", f"{SIGNING_KEY}/none")
    assert_error((KEYS, "/signing_key/{signing_key_id}", "get"), unknown, 404, 210002)
    wrong = app_call(market, "POST", SIGNING_KEY, body={"signingKeyCipher": "DES"})
    assert_error((KEYS, "/signing_key", "post"), wrong, 400, 210001)


def test_money_is_not_told_without_a_signature_where_one_is_required(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale, key = first(populated(market, time)), signing_key(market)
    whole = {"value": "1.00", "currency": "USD"}
    body = {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": whole}
    refund = f"{ORDER}/{sale.order_id}/issue_refund"
    assert call(market, "GET", f"{MONEY}/transaction").status == 200
    market.requires_signature = True
    assert_gateway_error(call(market, "GET", f"{MONEY}/transaction"), 403, 215001)
    assert_gateway_error(call(market, "POST", refund, body=body), 403, 215001)
    assert call(market, "GET", ORDER).status == 200
    assert signed_call(market, time, key, "GET", f"{MONEY}/transaction").status == 200
    assert signed_call(market, time, key, "POST", refund, body).status == 200


@pytest.mark.parametrize("wrong", ["Signature", "Signature-Input", "x-ebay-signature-key"])
def test_a_signature_that_is_not_right_is_refused(ebay: tuple[Ebay, Time], wrong: str) -> None:
    market, time = ebay
    key, path = signing_key(market), f"{MONEY}/payout"
    market.requires_signature = True
    headers = signature_headers(market, key, int(time.now.timestamp()), "GET", path, b"")
    assert call(market, "GET", path, headers=headers).status == 204
    changed = headers[wrong].replace("=", "=A", 1) if wrong == "Signature" else headers[wrong] + "1"
    assert_gateway_error(call(market, "GET", path, headers={**headers, wrong: changed}), 403, 215120)
    assert_gateway_error(call(market, "GET", f"{path}/1", headers=headers), 403, 215120)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8801/ebay", "https://apiz.ebay.com"])
def test_the_path_and_host_that_the_caller_sees_are_what_he_signs(ebay: tuple[Ebay, Time], host: str) -> None:
    market, time = ebay
    key, path = signing_key(market), f"{MONEY}/payout"
    market.requires_signature = True
    seen = urlsplit(host)
    if seen.hostname == "127.0.0.1":
        market.base_url = host
    headers = signature_headers(market, key, int(time.now.timestamp()), "GET", path, b"", host)
    assert call(market, "GET", path, headers=headers).status == 204
    foreign = signature_headers(market, key, int(time.now.timestamp()), "GET", path, b"", "https://other.example")
    assert_gateway_error(call(market, "GET", path, headers=foreign), 403, 215120)


@pytest.mark.parametrize("left_out", ["content-digest", "x-ebay-signature-key", "@method", "@path", "@authority"])
def test_a_signature_that_leaves_out_a_component_is_refused(ebay: tuple[Ebay, Time], left_out: str) -> None:
    market, time = ebay
    key, body = signing_key(market), b'{"legacyOrderId": "1"}'
    market.requires_signature = True
    created = int(time.now.timestamp())
    for names, status in (((), 404), ((left_out,), 403)):
        headers = signature_headers(market, key, created, "POST", CANCELLATION, body, left_out=names)
        answer = call(market, "POST", CANCELLATION, body={"legacyOrderId": "1"}, headers=headers)
        assert answer.status == status


def test_an_old_signature_and_an_expired_key_are_refused(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    key, path = signing_key(market), f"{MONEY}/payout"
    market.requires_signature = True
    headers = signature_headers(market, key, int(time.now.timestamp()), "GET", path, b"")
    time.pass_(minutes=6)
    assert_gateway_error(call(market, "GET", path, headers=headers), 403, 215120)
    assert signed_call(market, time, key, "GET", path).status == 204
    time.pass_(days=3 * 365)
    assert_gateway_error(signed_call(market, time, key, "GET", path), 403, 215120)


def test_the_digest_must_be_that_of_the_body(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    key, path = signing_key(market), CANCELLATION
    market.requires_signature = True
    headers = signature_headers(market, key, int(time.now.timestamp()), "POST", path, b'{"legacyOrderId": "1"}')
    assert_gateway_error(call(market, "POST", path, body={"legacyOrderId": "2"}, headers=headers), 403, 215120)
    assert call(market, "POST", path, body={"legacyOrderId": "1"}, headers=headers).status == 404
