"""The command line connects eBay; its challenge is answered by the real app."""

from __future__ import annotations

import json

import boto3
import pytest

from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.standards import RateLimit
from chalicelib.channels.transport import HttpRequest
from chalicelib.store.accounts import read_account, read_pause
from chalicelib.store.tables import Key
from tests.aws import STAGE
from tests.integration.cli_box import DOOR, SECRETS, START, Box, box_fixture, ebay, file_fixture  # noqa: F401


def test_an_ebay_account_is_connected_down_to_its_notifications(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    states = box.states(*ebay(file, "--fix"))
    assert {step for step, state in states.items() if state == "ok"} >= {
        "account",
        "credentials",
        "out-of-stock control",
        "webhook",
        "challenge",
        "alert address",
        "notification destination",
        "subscription ORDER_CONFIRMATION",
        "subscription MARKETPLACE_ACCOUNT_DELETION",
        "subscription AUTHORIZATION_REVOCATION",
        "subscription ITEM_MARKED_SHIPPED",
        "calls left today",
    }
    assert box.markets.ebay.out_of_stock_control
    assert read_account(box.stage.tables, "ebay")["seller_id"] == "millrace_goods"
    assert {name: box.stage.read_secret("ebay/api")[name] for name in SECRETS} == SECRETS
    kinds = boto3.client("ssm").describe_parameters()["Parameters"]
    assert {each["Type"] for each in kinds} == {"SecureString"}


def test_an_application_that_has_few_calls_left_is_told_so(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [
        RateLimit("sell.fulfillment", "order", 100, 9),
        RateLimit("sell.account", "x", 100, 10),
        RateLimit("x", "y", 0, 0),
    ]
    monkeypatch.setattr(EbayClient, "rate_limits", lambda self: limits)
    assert box.states(*ebay(file, "--fix"))["calls left today"] == "warning"
    limits[0] = RateLimit("sell.fulfillment", "order", 100, 10)
    assert box.states("check", "ebay")["calls left today"] == "ok"


def test_connected_so_ebay_s_own_signed_notification_comes_in(box: Box, file: str) -> None:
    box.states(*ebay(file, "--fix"))
    (order_id,) = box.markets.sell("ebay", 1)
    (delivery,) = [each for each in box.markets.tick(START) if each.marketplace == "ebay"]
    assert delivery.url == f"{DOOR}/webhooks/ebay"
    request = HttpRequest("POST", delivery.url, delivery.headers, delivery.body)
    assert box.send(request).status == 204
    assert box.send(HttpRequest("POST", delivery.url, delivery.headers, delivery.body + b" ")).status == 412
    queue = boto3.client("sqs").get_queue_url(QueueName=f"headrace-{STAGE}-ebay-notifications")["QueueUrl"]
    messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["order_ids"] for message in messages] == [[order_id]]
    assert box.stage.tables.query("channels", "KEYS#ebay", begins="KEY#").items


def test_going_through_it_again_changes_nothing(box: Box, file: str) -> None:
    first = box.states(*ebay(file, "--fix"))
    webhook = box.stage.read_secret("ebay/webhook")
    assert box.states(*ebay(file, "--fix")) == first
    assert box.stage.read_secret("ebay/webhook") == webhook
    assert len(box.markets.ebay.shelf.ebay.destinations) == 1
    assert len(box.markets.ebay.shelf.ebay.subscriptions) == 4


def test_a_dry_run_stores_and_makes_nothing(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    states = box.states(*ebay(file, "--fix", "--dry-run", "--digital-signatures"))
    assert (states["account"], states["credentials"], states["webhook"]) == ("skipped", "ok", "skipped")
    assert box.stage.read_secret("ebay/api") == box.stage.read_secret("ebay/webhook") == {}
    assert box.stage.tables.get(Key("channels", "SETTINGS", "CHANNELS")) is None
    assert not box.markets.ebay.out_of_stock_control
    assert not box.markets.ebay.shelf.ebay.destinations


def test_out_of_stock_control_is_switched_on_only_when_told(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    assert box.states(*ebay(file))["out-of-stock control"] == "missing"
    assert not box.markets.ebay.out_of_stock_control
    assert box.states("check", "ebay", "--fix")["out-of-stock control"] == "ok"
    assert box.markets.ebay.out_of_stock_control


def test_an_endpoint_that_does_not_answer_as_it_must_is_found_before_ebay_is_asked(box: Box, file: str) -> None:
    states = box.states(*ebay(file, "--public-url", "https://oms.example/api/elsewhere"))
    assert states["challenge"] == "missing"
    assert "notification destination" not in states
    assert not box.markets.ebay.shelf.ebay.destinations


def test_sellers_of_the_eu_and_the_uk_need_a_key_that_does_not_expire_soon(box: Box, file: str) -> None:
    german = ("--marketplace-id", "EBAY_DE")
    assert box.states(*ebay(file, *german))["signing key"] == "missing"
    assert box.states(*ebay(file, *german, "--digital-signatures"))["signing key"] == "ok"
    secret = box.stage.read_secret("ebay/api")
    assert secret["signing_key"]["jwe"]
    assert secret["refresh_token"] == SECRETS["refresh_token"]
    for days, state in ((61, "ok"), (59, "warning"), (-1, "missing")):
        key = {**secret["signing_key"], "expires_ms": box.stage.clock() + days * 86_400_000}
        box.stage.write_secret("ebay/api", {**secret, "signing_key": key})
        assert box.states("check", "ebay")["signing key"] == state, days
    assert box.states("check", "ebay", "--digital-signatures")["signing key"] == "ok"
    assert box.stage.read_secret("ebay/api")["signing_key"]["expires_ms"] > box.stage.clock()


def test_consent_that_is_gone_ends_it_there(box: Box, file: str) -> None:
    box.markets.ebay.consented = False
    states = box.states(*ebay(file))
    assert states["credentials"] == "missing"
    assert "challenge" not in states
    assert read_pause(box.stage.tables, "ebay") is None  # trying it pauses nothing
