"""What the eBay client makes of tokens that end, calls that fail, and answers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.shelf import Sale
from tests.contract.ebay_seller import GATEWAY, START_MS, Seller, availability, confirmation, seller
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
    "getOrder": lambda client, sale: client.get_order(sale.order_id),
    "getOrders": lambda client, _: list(client.changed_orders(START_MS)),
    "shippingFulfillment": lambda client, sale: client.confirm_shipment(sale.order_id, confirmation(sale)),
    "bulkUpdatePriceQuantity": lambda client, _: raised(client.push_availability([availability(SKU, 1)])),
}


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


@pytest.mark.parametrize("answer", [*TROUBLE, *EMPTY])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_that_ebay_cannot_take_now_is_busy(
    on: Seller, call: Callable[[EbayClient, Sale], Any], answer: HttpResponse
) -> None:
    sale = first(populated(on.market, on.time))
    on.tokens.put("t", START_MS)
    on.wire.instead = [answer]
    with pytest.raises(Busy) as busy:
        call(on.client, sale)
    assert busy.value.after_s == int(answer.headers.get("retry-after", busy.value.after_s))
    assert len(on.wire.sent) == 1
