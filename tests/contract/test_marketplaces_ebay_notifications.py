"""The stand-in eBay's Notification API: destinations that answer a challenge, subscriptions, signed messages."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jsonschema import Draft7Validator

from local.marketplaces.catalogue import CATALOGUE, ebay_item_id
from local.marketplaces.deliver import to_seller
from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_notifications import Notice
from local.marketplaces.shelf import Parcel
from local.marketplaces.world import Delivery, Marketplaces
from tests.contract.marketplaces_calls import START, Time, first, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    HOOK,
    NOTIFICATION,
    NOTIFY,
    answering,
    app_call,
    app_token,
    assert_error,
    assert_model,
    call,
    connected,
    destination,
    shipped,
    subscribed,
    subscription,
)
from tests.contract.marketplaces_models import ebay_request_body, errors
from tests.contract.official_schemas import closed
from tests.shared_data import shared

ORDER_TOPIC, SHIPPED_TOPIC = "ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED"
DELETED_TOPIC, REVOKED_TOPIC = "MARKETPLACE_ACCOUNT_DELETION", "AUTHORIZATION_REVOCATION"
DESTINATIONS = (NOTIFICATION, "/destination", "post")
SUBSCRIPTIONS = (NOTIFICATION, "/subscription", "post")
ONE = (NOTIFICATION, "/subscription/{subscription_id}", "get")


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def told(market: Ebay) -> list[Notice]:
    return [notice for change in market.drain_changes() for notice in market.notices(change)]


def data_of(notice: Notice) -> Any:
    return json.loads(notice.body)["notification"]["data"]


# --- setting up ---------------------------------------------------------------------------------------


def test_an_alert_address_comes_before_any_destination(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    market.challenge = answering
    config = (NOTIFICATION, "/config", "get")
    assert_error(config, app_call(market, "GET", f"{NOTIFY}/config"), 404, 195026)
    body = destination()
    assert errors(ebay_request_body(*DESTINATIONS), body) == []
    assert_error(DESTINATIONS, app_call(market, "POST", f"{NOTIFY}/destination", body=body), 409, 195003)
    wrong = app_call(market, "PUT", f"{NOTIFY}/config", body={"alertEmail": "nobody"})
    assert_error((NOTIFICATION, "/config", "put"), wrong, 400, 195025)
    connected(market)
    read = assert_model(config, app_call(market, "GET", f"{NOTIFY}/config"), 200)
    assert read == {"alertEmail": "alerts@seller.example"}


@pytest.mark.parametrize(
    "answer", [(0, b""), (404, b""), (200, b"ok"), (200, b'{"challengeResponse":"00"}'), (200, b"[]")]
)
def test_an_endpoint_that_fails_the_challenge_is_no_destination(
    ebay: tuple[Ebay, Time], answer: tuple[int, bytes]
) -> None:
    market, _ = ebay
    market.shelf.ebay.alert_email = "alerts@seller.example"
    market.challenge = lambda url: answer
    assert_error(DESTINATIONS, app_call(market, "POST", f"{NOTIFY}/destination", body=destination()), 409, 195020)
    assert market.shelf.ebay.destinations == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "MARKED_DOWN"}, 195018),
        ({"name": "n" * 65}, 195016),
        ({"deliveryConfig": {"endpoint": "http://seller.example", "verificationToken": "v" * 40}}, 195017),
        ({"deliveryConfig": {"endpoint": HOOK, "verificationToken": "too-short"}}, 195019),
        ({"deliveryConfig": {"endpoint": HOOK, "verificationToken": "with a space in it, which is too odd"}}, 195019),
    ],
)
def test_a_destination_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], changes: dict[str, Any], expected: int
) -> None:
    market, _ = ebay
    connected(market)
    answer = app_call(market, "POST", f"{NOTIFY}/destination", body=destination(**changes))
    assert_error(DESTINATIONS, answer, 400, expected)


def test_a_destination_is_made_once_read_changed_and_deleted(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    destination_id = connected(market)
    path, model = f"{NOTIFY}/destination/{destination_id}", "/destination/{destination_id}"
    again = app_call(market, "POST", f"{NOTIFY}/destination", body=destination())
    assert_error(DESTINATIONS, again, 409, 195021)
    read = assert_model((NOTIFICATION, model, "get"), app_call(market, "GET", path), 200)
    assert read == {"destinationId": destination_id, **destination()}
    assert app_call(market, "PUT", path, body=destination(status="DISABLED")).status == 204
    listed = assert_model((NOTIFICATION, "/destination", "get"), app_call(market, "GET", f"{NOTIFY}/destination"), 200)
    assert [each["status"] for each in listed["destinations"]] == ["DISABLED"]
    market.challenge = lambda url: (500, b"")
    refused = app_call(market, "PUT", path, body=destination())
    assert_error((NOTIFICATION, model, "put"), refused, 409, 195020)
    assert app_call(market, "DELETE", path).status == 204
    assert_error((NOTIFICATION, model, "get"), app_call(market, "GET", path), 404, 195022)


def test_a_subscription_is_made_once_switched_tested_and_deleted(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    destination_id = connected(market)
    body = subscription(ORDER_TOPIC, destination_id)
    assert errors(ebay_request_body(*SUBSCRIPTIONS), body) == []
    made = subscribed(market, ORDER_TOPIC, destination_id)
    path = f"{NOTIFY}/subscription/{made}"
    assert_error(SUBSCRIPTIONS, call(market, "POST", f"{NOTIFY}/subscription", body=body), 409, 195012)
    assert assert_model(ONE, call(market, "GET", path), 200)["status"] == "ENABLED"
    assert call(market, "POST", f"{path}/disable").status == 204
    assert assert_model(ONE, call(market, "GET", path), 200)["status"] == "DISABLED"
    market.sell(Random(5), time.now)
    assert told(market) == []
    assert call(market, "POST", f"{path}/test").status == 202
    (notice,) = told(market)
    assert (notice.topic, data_of(notice)["order"]["orderId"]) == (ORDER_TOPIC, "00-00000-00000")
    assert call(market, "POST", f"{path}/enable").status == 204
    listed = call(market, "GET", f"{NOTIFY}/subscription")
    assert assert_model((NOTIFICATION, "/subscription", "get"), listed, 200)["total"] == 1
    in_use = app_call(market, "DELETE", f"{NOTIFY}/destination/{destination_id}")
    assert_error((NOTIFICATION, "/destination/{destination_id}", "delete"), in_use, 409, 195024)
    assert call(market, "DELETE", path).status == 204
    assert_error(ONE, call(market, "GET", path), 404, 195013)


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"topicId": "WEATHER"}, 400, 195027),
        ({"status": "MAYBE"}, 400, 195006),
        ({"destinationId": "none"}, 400, 195007),
        ({"payload": {"format": "JSON", "schemaVersion": "9.9", "deliveryProtocol": "HTTPS"}}, 400, 195008),
        ({"payload": {"format": "XML", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}}, 400, 195009),
        ({"payload": {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTP"}}, 400, 195010),
        ({"topicId": DELETED_TOPIC}, 403, 195011),
    ],
)
def test_a_subscription_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], changes: dict[str, Any], status: int, expected: int
) -> None:
    market, _ = ebay
    body = {**subscription(ORDER_TOPIC, connected(market)), **changes}
    assert_error(SUBSCRIPTIONS, call(market, "POST", f"{NOTIFY}/subscription", body=body), status, expected)


def test_a_sellers_topic_wants_the_sellers_token(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    body = subscription(ORDER_TOPIC, connected(market))
    answer = call(market, "POST", f"{NOTIFY}/subscription", body=body, token=app_token(market))
    assert_error(SUBSCRIPTIONS, answer, 403, 195011)


def test_no_subscription_is_open_towards_a_closed_destination(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    destination_id = connected(market)
    made = subscribed(market, ORDER_TOPIC, destination_id)
    app_call(market, "PUT", f"{NOTIFY}/destination/{destination_id}", body=destination(status="DISABLED"))
    enable = call(market, "POST", f"{NOTIFY}/subscription/{made}/enable")
    assert_error((NOTIFICATION, "/subscription/{subscription_id}/enable", "post"), enable, 409, 195015)
    populated(market, time, 1)
    assert told(market) == []


def test_the_topics_are_listed_with_their_scope(ebay: tuple[Ebay, Time]) -> None:
    market, _ = ebay
    answer = app_call(market, "GET", f"{NOTIFY}/topic")
    topics = assert_model((NOTIFICATION, "/topic", "get"), answer, 200)["topics"]
    scopes = {each["topicId"]: each["scope"] for each in topics}
    assert (scopes[ORDER_TOPIC], scopes[DELETED_TOPIC]) == ("USER", "APPLICATION")
    one, model = f"{NOTIFY}/topic/{SHIPPED_TOPIC}", (NOTIFICATION, "/topic/{topic_id}", "get")
    assert assert_model(model, app_call(market, "GET", one), 200) in topics
    assert_error(model, app_call(market, "GET", f"{NOTIFY}/topic/WEATHER"), 404, 195002)


@pytest.mark.parametrize("limit", ["9", "101", "many"])
def test_a_list_has_ten_to_a_hundred_entries(ebay: tuple[Ebay, Time], limit: str) -> None:
    answer = app_call(ebay[0], "GET", f"{NOTIFY}/topic", {"limit": limit})
    assert_error((NOTIFICATION, "/topic", "get"), answer, 400, 195004)


# --- what is told -------------------------------------------------------------------------------------


def test_nobody_is_told_what_he_has_not_subscribed_to(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    destination_id = connected(market)
    sale = first(populated(market, time, 20))
    assert told(market) == []
    subscribed(market, SHIPPED_TOPIC, destination_id)
    shipped(market, time, sale)
    market.sell(Random(5), time.now)
    assert [notice.topic for notice in told(market)] == [SHIPPED_TOPIC]


def test_a_confirmed_order_is_a_thin_message_like_the_live_one(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    subscribed(market, ORDER_TOPIC, connected(market))
    sales = populated(market, time, 20)
    notices = told(market)
    assert [data_of(notice)["order"]["orderId"] for notice in notices] == [sale.order_id for sale in sales]
    assert {notice.url for notice in notices} == {HOOK}
    live = json.loads(shared("samples/ebay/notifications/ORDER_CONFIRMATION.two-line-items.json").read_text())
    two_lines = next(number for number, sale in enumerate(sales) if len(sale.lines) == 2)
    assert shape(json.loads(notices[two_lines].body)) == shape(live)
    line = data_of(notices[two_lines])["order"]["orderLineItems"][0]
    sold = sales[two_lines].lines[0]
    assert line == {"orderLineItemId": sold.line_id, "listingId": ebay_item_id(sold.sku), "quantity": sold.quantity}


def test_each_parcel_is_told_with_its_own_units(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    subscribed(market, SHIPPED_TOPIC, connected(market))
    sale = next(each for each in populated(market, time) if len(each.lines) > 1 and not each.cancelled_at)
    for number, line in enumerate(sale.lines[:2]):
        parcel = Parcel(f"94{number}", "USPS", f"94{number}", time.now, time.now, {line.line_id: line.quantity})
        market.ship(sale, parcel)
    told_lines = [data_of(notice)["order"]["orderLineItems"] for notice in told(market)]
    assert [[each["orderLineItemId"] for each in lines] for lines in told_lines] == [
        [line.line_id] for line in sale.lines[:2]
    ]


def shape(value: Any) -> Any:
    """The names and types of a message, its values apart."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize(
    ("topic", "file"),
    [
        (DELETED_TOPIC, "ebay-market-account-deletion-asyncapi.yml"),
        (REVOKED_TOPIC, "ebay-authorization-revocation-asyncapi.yml"),
    ],
)
def test_account_messages_are_as_their_contract_says(ebay: tuple[Ebay, Time], topic: str, file: str) -> None:
    market, time = ebay
    subscribed(market, topic, connected(market))
    if topic == DELETED_TOPIC:
        market.delete_buyer("buyer00001", time.now)
        market.delete_buyer("buyer00001", time.now)
    else:
        market.revoke_consent(time.now)
    (notice,) = told(market)
    contract = yaml.safe_load(shared(f"specs/ebay/asyncapi/{file}").read_text())
    payload = contract["components"]["messages"]["message"]["payload"]
    schemas = {name: closed(schema) for name, schema in contract["components"]["schemas"].items()}
    validator = Draft7Validator({**payload, "components": {"schemas": schemas}})
    assert errors(validator, json.loads(notice.body)) == []
    name = "buyer00001" if topic == DELETED_TOPIC else market.seller_id
    assert data_of(notice)["username"] == name
    assert name not in data_of(notice)["userId"]


def test_a_deleted_account_is_told_to_every_destination_that_has_not_subscribed(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    connected(market)
    market.delete_buyer("buyer00001", time.now)
    assert [(notice.topic, notice.url) for notice in told(market)] == [(DELETED_TOPIC, HOOK)]


# --- the signature ------------------------------------------------------------------------------------


def verify(market: Ebay, body: bytes, header: str) -> None:
    """As a receiver does it; raises InvalidSignature."""
    signature = json.loads(base64.b64decode(header))
    assert (signature["alg"], signature["digest"]) == ("ecdsa", "SHA1")
    answer = app_call(market, "GET", f"{NOTIFY}/public_key/{signature['kid']}")
    key = assert_model((NOTIFICATION, "/public_key/{public_key_id}", "get"), answer, 200)
    assert (key["algorithm"], key["digest"]) == ("ECDSA", "SHA1")
    text = key["key"].removeprefix("-----BEGIN PUBLIC KEY-----").removesuffix("-----END PUBLIC KEY-----")
    public: Any = load_der_public_key(base64.b64decode(text, validate=True))
    public.verify(base64.b64decode(signature["signature"]), body, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - eBay's


def test_a_message_carries_a_signature_of_these_very_bytes(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    subscribed(market, ORDER_TOPIC, connected(market))
    populated(market, time, 1)
    (notice,) = told(market)
    verify(market, notice.body, notice.headers["x-ebay-signature"])
    body, headers = market.signed(b'{"any":"body"}')
    verify(market, body, headers["x-ebay-signature"])
    with pytest.raises(InvalidSignature):
        verify(market, notice.body, headers["x-ebay-signature"])


def test_an_unknown_key_is_not_given(ebay: tuple[Ebay, Time]) -> None:
    answer = app_call(ebay[0], "GET", f"{NOTIFY}/public_key/00000000")
    assert_error((NOTIFICATION, "/public_key/{public_key_id}", "get"), answer, 404, 195001)


# --- in the world -------------------------------------------------------------------------------------


def test_the_world_delivers_to_the_endpoint_and_remembers_who_has_subscribed(tmp_path: Path) -> None:
    world = Marketplaces(7, CATALOGUE, rate_per_s=0, start=START)
    subscribed(world.ebay, ORDER_TOPIC, connected(world.ebay))
    world.save(tmp_path / "state.json")
    again = Marketplaces(7, CATALOGUE, rate_per_s=0, start=START)
    again.load(tmp_path / "state.json")
    assert again.ebay.shelf.ebay == world.ebay.shelf.ebay
    (order_id,) = again.sell("ebay")
    (delivery,) = again.tick(START)
    assert (delivery.marketplace, delivery.url) == ("ebay", HOOK)
    assert json.loads(delivery.body)["notification"]["data"]["order"]["orderId"] == order_id
    verify(again.ebay, delivery.body, delivery.headers["x-ebay-signature"])


def test_a_delivery_that_nobody_takes_is_not_taken(unused_tcp_port: int) -> None:
    deliver = to_seller("", "")
    assert not deliver(Delivery("ebay", START, b"{}", {}, url=f"http://127.0.0.1:{unused_tcp_port}/ebay"))


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
