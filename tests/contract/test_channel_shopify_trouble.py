"""What the Shopify client makes of tokens that end, calls that fail, and answers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.shopify.client import ShopifyClient
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.faults import Faults
from tests.contract.marketplaces_calls import first, populated
from tests.contract.shopify_seller import (
    GATEWAY,
    START_MS,
    Seller,
    answer,
    availability,
    confirmation,
    seller,
)

MUG = CATALOGUE[0].sku
HOUR_MS = 3_600_000


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


Call = Callable[[Seller], Any]
CALLS: dict[str, Call] = {
    "Order": lambda on: on.client.get_order("6100000000001"),
    "Orders": lambda on: list(on.client.changed_orders(START_MS)),
    "SetQuantities": lambda on: raised(on.client.push_availability([availability(on, MUG, 1)])),
    "Parcels": lambda on: on.client.confirm_shipment(
        "6100000000001", confirmation(first(populated(on.market, on.time)))
    ),
}
each_call = pytest.mark.parametrize(("operation", "call"), CALLS.items(), ids=CALLS)


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_is_fetched_once_and_shared_for_less_than_its_day() -> None:
    on = seller()
    for quantity in (1, 2):
        assert on.client.push_availability([availability(on, MUG, quantity)]) == [None]
    assert on.wire.operations.count("token") == 1
    assert START_MS + 23 * HOUR_MS < on.tokens.expires_ms < START_MS + 24 * HOUR_MS


def test_an_expired_token_is_replaced_once_and_the_call_goes_through() -> None:
    on = seller()
    on.client.push_availability([availability(on, MUG, 1)])
    on.time.pass_(hours=25)
    assert on.client.push_availability([availability(on, MUG, 2, version=2)]) == [None]
    assert on.wire.operations.count("token") == 2
    assert on.shown(MUG) == 2


@pytest.mark.parametrize("wrong", [{"client_id": "nobody"}, {"client_secret": "rolled-over"}])
def test_credentials_that_are_wrong_are_refused_and_not_told(wrong: dict[str, str]) -> None:
    on = seller(credentials=wrong)
    with pytest.raises(Refused) as refusal:
        on.client.get_order("6100000000001")
    assert refusal.value.reason == "not_authorised"
    assert not any(text in str(refusal.value) for text in wrong.values())
    assert on.wire.operations == ["token"]
    assert on.tokens.token == ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_new_token_that_is_refused_too_ends_the_matter(status: int) -> None:
    on = seller()
    on.wire.instead["Order"] = [answer({"errors": "no"}, status), answer({"errors": "no"}, status)]
    on.tokens.put("shpat_old", START_MS)
    with pytest.raises(Refused) as refusal:
        on.client.get_order("6100000000001")
    assert refusal.value.reason == "not_authorised"
    assert on.wire.operations == ["Order", "token", "Order"]


@pytest.mark.parametrize(
    "trouble",
    [GATEWAY, HttpResponse(429, {"retry-after": "2.0"}, b"{}"), answer({}), answer([]), HttpResponse(200, {}, b"<p>")],
    ids=["gateway", "throttled", "no token", "a list", "HTML"],
)
def test_trouble_of_the_token_endpoint_passes(trouble: HttpResponse) -> None:
    on = seller()
    on.wire.instead["token"] = [trouble]
    with pytest.raises(Busy):
        on.client.get_order("6100000000001")
    assert on.tokens.token == ""


# --- throttles and failures ---------------------------------------------------------------------------


@each_call
@pytest.mark.parametrize(("lacking", "waits_s"), [(350, 4), (300, 3), (1, 1), (0, 1), (999_999, 60)])
def test_a_throttle_says_when_to_come_back(operation: str, call: Call, lacking: int, waits_s: int) -> None:
    on = seller()
    cost = {
        "requestedQueryCost": 400 + lacking,
        "actualQueryCost": None,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 400, "restoreRate": 100},
    }
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    on.wire.instead[operation] = [answer({"errors": [error], "extensions": {"cost": cost}})]
    with pytest.raises(Busy) as busy:
        call(on)
    assert busy.value.after_s == waits_s
    assert on.wire.operations[-1] == operation


def test_the_stand_ins_own_throttle_is_busy_and_the_rest_of_the_batch_is_not_tried() -> None:
    on = seller()
    on.client.push_availability([availability(on, MUG, 1)])
    on.market.die.faults = Faults(throttled=1)
    wanted = [availability(on, listing.sku, 1) for listing in CATALOGUE[1:4]]
    outcome = on.client.push_availability(wanted)
    assert [type(error) for error in outcome] == [Busy, Busy, Busy]
    assert on.wire.operations.count("SetQuantities") == 2
    on.market.die.faults = Faults()
    assert on.again(seconds=60).push_availability(wanted) == [None] * 3


@each_call
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_call_that_shopify_cannot_take_now_is_busy(operation: str, call: Call, status: int) -> None:
    on = seller()
    on.wire.instead[operation] = [HttpResponse(status, {}, b"<html>no</html>")]
    with pytest.raises(Busy):
        call(on)
    assert on.wire.operations.count(operation) == 1


@each_call
@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "TIMEOUT"])
def test_a_failure_inside_shopify_is_busy(operation: str, call: Call, code: str) -> None:
    on = seller()
    on.wire.instead[operation] = [answer({"errors": [{"message": "x", "extensions": {"code": code}}], "data": None})]
    with pytest.raises(Busy):
        call(on)


@each_call
@pytest.mark.parametrize(
    "errors",
    [
        [{"message": "secret things", "extensions": {"code": "ACCESS_DENIED"}}],
        [{"message": "secret things"}],
        ["secret things"],
        "secret things",
    ],
    ids=["coded", "uncoded", "a text in a list", "a text"],
)
def test_a_document_that_shopify_refuses_is_refused_without_its_words(operation: str, call: Call, errors: Any) -> None:
    on = seller()
    on.wire.instead[operation] = [answer({"errors": errors})]
    with pytest.raises(Refused) as refusal:
        call(on)
    assert refusal.value.reason == "channel_refused"
    assert "secret" not in str(refusal.value)


@each_call
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'"x"', b"<html>", b'{"data":null}', b'{"data":[]}'], ids=repr
)
def test_a_success_without_its_content_is_no_success(operation: str, call: Call, body: bytes) -> None:
    on = seller()
    on.wire.instead[operation] = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        call(on)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("IDEMPOTENCY_CONCURRENT_REQUEST", Busy),
        ("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", Refused),
        ("NON_MUTABLE_INVENTORY_ITEM", Refused),
        (None, Refused),
    ],
)
def test_what_the_shop_has_against_a_quantity_decides_whether_it_is_tried_again(
    code: str | None, outcome: type[HeadraceError]
) -> None:
    on = seller()
    refusal = {"field": ["input", "quantities", "0"], "message": "x", "code": code}
    payload = {"inventoryAdjustmentGroup": None, "userErrors": [refusal]}
    on.wire.instead["SetQuantities"] = [answer({"data": {"inventorySetQuantities": payload}})]
    (error,) = on.client.push_availability([availability(on, MUG, 1)])
    assert type(error) is outcome


def test_a_listing_without_its_ids_is_refused_alone() -> None:
    on = seller()
    whole = availability(on, MUG, 1)
    unlinked = type(whole)("BAG", {"variant_id": "gid://shopify/ProductVariant/1"}, 5, 1)
    outcome = on.client.push_availability([unlinked, whole])
    assert [type(error) for error in outcome] == [Refused, type(None)]


def test_without_a_base_url_the_shops_own_domain_is_spoken_to() -> None:
    asked: list[str] = []

    def transport(request: Any) -> HttpResponse:
        asked.append(request.url)
        return GATEWAY

    on = seller()
    client = ShopifyClient(
        Access(
            transport,
            {"shop_domain": "mill.myshopify.com"},
            {"client_id": "a", "client_secret": "b"},
            on.tokens,
            START_MS,
        )
    )
    with pytest.raises(Busy):
        client.get_order("1")
    assert asked == ["https://mill.myshopify.com/admin/oauth/access_token"]
