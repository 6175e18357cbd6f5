"""The recording transport stops at what a model does not allow, and counts what it does."""

from __future__ import annotations

import json

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from tests.contract.official_models import Recorder

ORDERS = "/orders/2026-01-01/orders"
BASE = "https://x.example/amazon"
JSON = {"content-type": "application/json"}
STORE = "https://store.example/tortuga/1?X-Amz-Signature=abc"


def test_a_recorder_stops_at_a_wrong_request_and_at_a_wrong_answer() -> None:
    sent: list[HttpRequest] = []

    def other_side(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        return HttpResponse(200, {"content-type": "application/json"}, b'{"orders": "none"}')

    recorder = Recorder(other_side, "/amazon")
    with pytest.raises(AssertionError, match="unknown parameter since"):
        recorder(HttpRequest("GET", f"https://x.example/amazon{ORDERS}?since=now"))
    assert sent == []
    with pytest.raises(AssertionError, match="answered 200"):
        recorder(HttpRequest("GET", f"https://x.example/amazon{ORDERS}"))
    assert len(sent) == 1
    with pytest.raises(AssertionError, match="not below /amazon"):
        recorder(HttpRequest("GET", f"https://x.example{ORDERS}"))
    assert str(recorder) == "1 operations, 2 requests validated"
    assert recorder.operation_ids == {"searchOrders": 2}


def test_a_document_goes_only_to_an_address_that_was_given() -> None:
    answer = {"feedDocumentId": "1", "url": STORE}
    sent: list[HttpRequest] = []

    def other_side(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        is_api = request.url.startswith(BASE)
        return HttpResponse(201 if is_api else 200, JSON, json.dumps(answer).encode() if is_api else b"")

    recorder = Recorder(other_side, "/amazon")
    with pytest.raises(AssertionError, match="not below /amazon"):
        recorder(HttpRequest("PUT", STORE, {}, b"{}"))
    body = json.dumps({"contentType": "application/json; charset=UTF-8"}).encode()
    recorder(HttpRequest("POST", f"{BASE}/feeds/2021-06-30/documents", JSON, body))
    with pytest.raises(AssertionError, match="our token"):
        recorder(HttpRequest("PUT", STORE, JSON | {"x-amz-access-token": "Atza"}, b"{}"))
    with pytest.raises(AssertionError, match="announced as application/json"):
        recorder(HttpRequest("PUT", STORE, {"Content-Type": "text/plain"}, b"{}"))
    with pytest.raises(AssertionError, match="GET"):
        recorder(HttpRequest("GET", STORE, JSON))
    recorder(HttpRequest("PUT", STORE, {"Content-Type": "application/json; charset=UTF-8"}, b"{}"))
    assert recorder.operations == {"amazon feeds_2021-06-30 createFeedDocument": 1, "amazon document upload": 4}
    assert [request.method for request in sent] == ["POST", "PUT"]


def test_an_operation_needs_a_scope_that_was_asked_for() -> None:
    recorder = Recorder(lambda request: HttpResponse(200, JSON, b'{"orders": []}'), "/ebay")
    order = HttpRequest("GET", "https://x.example/ebay/sell/fulfillment/v1/order")
    recorder(order)  # the token is an old one: nobody knows what it was given for

    def ask(scope: str) -> None:
        form = {"content-type": "application/x-www-form-urlencoded"}
        body = f"grant_type=refresh_token&scope=https://api.ebay.com/oauth/api_scope/{scope}".encode()
        recorder(HttpRequest("POST", "https://x.example/ebay/identity/v1/oauth2/token", form, body))

    ask("sell.inventory")
    with pytest.raises(AssertionError, match="none of the scopes"):
        recorder(order)
    ask("sell.fulfillment.readonly")
    recorder(order)
