"""What the Amazon client makes of tokens that end, calls that fail, and answers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from local.marketplaces.catalogue import CATALOGUE
from tests.contract.amazon_seller import BASE, GATEWAY, QUOTA, START_MS, availability, seller


def test_a_token_is_fetched_once_and_shared() -> None:
    on = seller()
    for quantity in (1, 2):
        assert on.client.push_availability([availability(CATALOGUE[0].sku, quantity)]) == [None]
    assert on.wire.operations.count("token") == 1
    assert START_MS < on.tokens.expires_ms < START_MS + 3_600_000


def test_an_expired_token_is_replaced_once_and_the_call_goes_through() -> None:
    on = seller()
    on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    on.time.pass_(hours=2)
    assert on.client.push_availability([availability(CATALOGUE[0].sku, 2)]) == [None]
    assert on.wire.operations.count("token") == 2
    assert on.market.shelf.listings[CATALOGUE[0].sku].available == 2


@pytest.mark.parametrize("wrong", [{"refresh_token": "Atzr|gone"}, {"client_secret": "rolled over"}])
def test_consent_that_is_gone_is_refused_and_not_tried_again(wrong: dict[str, str]) -> None:
    on = seller(credentials=wrong)
    with pytest.raises(Refused) as refusal:
        on.client.get_order("114-1")
    assert refusal.value.reason == "not_authorised"
    assert not set(wrong.values()) & set(str(refusal.value).split())
    assert on.wire.operations == ["token"]
    assert on.tokens.token == ""


@pytest.mark.parametrize("answer", [QUOTA, GATEWAY, HttpResponse(200, {}, b"{}"), HttpResponse(200, {}, b"<html>")])
def test_trouble_of_the_token_service_passes(answer: HttpResponse) -> None:
    on = seller()
    on.wire.instead = [answer]
    with pytest.raises(Busy):
        on.client.get_order("114-1")


CALLS: dict[str, Callable[[AmazonClient], Any]] = {
    "getOrder": lambda client: client.get_order("114-1"),
    "searchOrders": lambda client: list(client.changed_orders(START_MS)),
    "patchListingsItem": lambda client: raised(client.push_availability([availability("MUG", 1)])),
}


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_that_amazon_cannot_take_now_is_busy(call: Callable[[AmazonClient], Any], status: int) -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    on.wire.instead = [HttpResponse(status, {}, b"<html>no</html>")]
    with pytest.raises(Busy):
        call(on.client)
    assert len(on.wire.sent) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'"x"', b"<html>"])
def test_a_success_without_its_content_is_no_success(call: Callable[[AmazonClient], Any], body: bytes) -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    on.wire.instead = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        call(on.client)


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ({"base_url": "https://sellingpartnerapi-na.amazon.com"}, "https://api.amazon.com/auth/o2/token"),
        ({"base_url": "https://sandbox.sellingpartnerapi-eu.amazon.com/"}, "https://api.amazon.com/auth/o2/token"),
        ({"base_url": BASE}, f"{BASE}/auth/o2/token"),
        ({"base_url": BASE, "lwa_url": "https://lwa.example/auth/o2/token"}, "https://lwa.example/auth/o2/token"),
    ],
)
def test_tokens_come_from_login_with_amazon(account: dict[str, str], url: str) -> None:
    on = seller(account=account)
    on.wire.instead = [GATEWAY]
    with pytest.raises(Busy):
        on.client.get_order("114-1")
    assert [request.url for request in on.wire.sent] == [url]
