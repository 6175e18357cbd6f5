"""The command line connects a Shopify shop; every request is held against the schema of 2026-10."""

from __future__ import annotations

import boto3
import pytest

from chalicelib.channels.shopify.setup import NEEDED, lacking
from chalicelib.channels.transport import HttpRequest
from chalicelib.store.accounts import pause_account, read_account, read_pause, read_token
from chalicelib.store.listings import listings_of, sku_writes
from chalicelib.store.tables import Key
from tests.aws import STAGE
from tests.integration.cli_box import DOOR, START, Box, box_fixture  # noqa: F401

SHOP = "millrace-goods.myshopify.com"


def shopify(box: Box, *more: str, secret: str = "") -> tuple[str, ...]:
    shop = box.markets.shopify
    keys = box.file("keys", client_id=shop.client_id, client_secret=secret or shop.client_secret)
    return ("add", "shopify", "--shop", SHOP, "--file", keys, *more)


def test_a_shop_is_connected_down_to_its_webhooks(box: Box) -> None:
    steps = box.steps(*shopify(box, "--public-url", DOOR))
    assert {name: step["state"] for name, step in steps.items()} == {
        "account": "ok",
        "credentials": "ok",
        "scopes": "ok",
        "currency": "ok",
        "location": "ok",
        "webhooks": "ok",
        "Shopify Payments": "ok",
        "listings": "ok",
        "unknown SKUs": "warning",
    }
    settings = read_account(box.stage.tables, "shopify")
    assert settings["shop_domain"] == SHOP
    assert settings["location_id"] == box.markets.shopify.location_id  # the only one
    assert settings["webhook_url"] == f"{DOOR}/webhooks/shopify"
    assert box.stage.read_secret("shopify/webhook") == {"secrets": [box.markets.shopify.client_secret]}
    assert {each.uri for each in box.markets.shopify.office.subscriptions} == {f"{DOOR}/webhooks/shopify"}
    made = len(box.markets.shopify.office.subscriptions)
    again = box.steps(*shopify(box, "--public-url", DOOR))
    assert "kept" in again["webhooks"]["detail"]
    assert "created" not in again["webhooks"]["detail"]
    assert len(box.markets.shopify.office.subscriptions) == made
    assert read_account(box.stage.tables, "shopify") == settings


def test_connected_so_the_shop_s_own_signed_webhook_comes_in(box: Box) -> None:
    box.states(*shopify(box, "--public-url", DOOR))
    box.markets.sell("shopify", 1)
    delivery = next(each for each in box.markets.tick(START) if each.marketplace == "shopify")
    request = HttpRequest("POST", f"{DOOR}/webhooks/shopify", delivery.headers, delivery.body)
    assert box.send(request).status == 200
    assert box.send(HttpRequest("POST", request.url, delivery.headers, delivery.body + b" ")).status == 401


def test_a_dry_run_stores_and_makes_nothing(box: Box) -> None:
    states = box.states(*shopify(box, "--public-url", DOOR, "--dry-run"))
    assert (states["account"], states["credentials"], states["webhooks"]) == ("skipped", "ok", "skipped")
    assert box.stage.read_secret("shopify/api") == box.stage.read_secret("shopify/webhook") == {}
    assert box.stage.tables.get(Key("channels", "SETTINGS", "CHANNELS")) is None
    assert not box.markets.shopify.office.subscriptions


def test_a_check_changes_nothing_and_with_fix_takes_up_the_webhooks(box: Box) -> None:
    assert box.states(*shopify(box))["webhooks"] == "warning"
    assert "webhook_url" not in read_account(box.stage.tables, "shopify")
    assert box.states("check", "shopify", "--public-url", DOOR)["webhooks"] == "skipped"
    assert "webhook_url" not in read_account(box.stage.tables, "shopify")
    assert box.states("check", "shopify", "--public-url", DOOR, "--fix")["webhooks"] == "ok"
    assert read_account(box.stage.tables, "shopify")["webhook_url"] == f"{DOOR}/webhooks/shopify"
    box.markets.shopify.office.subscriptions.clear()  # Shopify gave up on them
    assert "created" in box.steps("check", "shopify", "--fix")["webhooks"]["detail"]


def test_a_wrong_client_secret_ends_it_there(box: Box) -> None:
    states = box.states(*shopify(box, secret="of another application"))
    assert states == {"account": "ok", "credentials": "missing"}
    assert read_pause(box.stage.tables, "shopify") is None


@pytest.mark.parametrize("scope", ["write_inventory", "read_locations", "read_customers"])
def test_a_scope_that_was_not_granted_is_named_with_what_does_not_work(box: Box, scope: str) -> None:
    box.markets.shopify.scopes.remove(scope)
    step = box.steps(*shopify(box))[f"scope {scope}"]
    assert (step["state"], step["detail"]) == ("missing", NEEDED[scope])


def test_who_may_write_may_read() -> None:
    assert lacking({"write_orders", *NEEDED} - {"read_orders"}) == {}
    assert lacking({*NEEDED} - {"write_orders", "read_orders"}).keys() == {"write_orders", "read_orders"}


def test_topics_that_the_app_may_not_have_are_said(box: Box) -> None:
    box.markets.shopify.office.topics_out_of_scope.append("DISPUTES_CREATE")
    steps = box.steps(*shopify(box, "--public-url", DOOR))
    assert (steps["webhooks"]["state"], steps["webhooks refused"]["state"]) == ("ok", "warning")
    assert "disputes/create" in steps["webhooks refused"]["detail"]


def test_an_address_that_the_shop_refuses_is_missing(box: Box) -> None:
    assert box.states(*shopify(box, "--public-url", "http://127.0.0.1:8080"))["webhooks"] == "missing"
    assert not box.markets.shopify.office.subscriptions


def test_of_several_locations_one_has_to_be_chosen(box: Box) -> None:
    shop = box.markets.shopify
    shop.more_locations = 60  # more than a page
    step = box.steps(*shopify(box))["location"]
    assert (step["state"], step["detail"]) == ("missing", "the shop has 61")
    assert f"{shop.location} (Mill Street warehouse)" in step["remedy"]
    assert f"{shop.location}59 " in step["remedy"]
    assert box.states(*shopify(box, "--location-id", "7"))["location"] == "missing"
    assert box.states(*shopify(box, "--location-id", str(shop.location)))["location"] == "ok"
    assert read_account(box.stage.tables, "shopify")["location_id"] == shop.location_id
    shop.is_location_active = False
    assert box.steps("check", "shopify")["location"]["detail"].endswith("is not active")


def test_without_shopify_payments_orders_will_wait(box: Box) -> None:
    box.markets.shopify.has_payments = False
    assert box.states(*shopify(box))["Shopify Payments"] == "warning"


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--shop", "shop.example.com", "myshopify.com"),
        ("--shop", "my shop.myshopify.com", "myshopify.com"),
        ("--base-url", "http://shop.example", "--base-url must be an https"),
        ("--base-url", "https://user@shop.example", "--base-url must be an https"),
        ("--location-id", "main", "--location-id must be a number"),
        ("--public-url", "ftp://oms.example", "--public-url must be an https"),
        ("--seller-id", "S1", "a Shopify account does not take --seller-id; it takes --shop"),
    ],
)
def test_what_is_wrong_in_an_argument_is_named(
    box: Box, capsys: pytest.CaptureFixture[str], option: str, value: str, word: str
) -> None:
    assert box.run(*shopify(box, option, value)) == 2
    assert word in capsys.readouterr().err
    assert box.stage.read_secret("shopify/api") == {}


def test_a_shop_has_to_be_named(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    assert box.run("add", "shopify") == 2
    assert "a Shopify account needs --shop" in capsys.readouterr().err


def test_its_listings_are_linked_with_all_that_pushes_need(box: Box) -> None:
    sku = next(iter(box.markets.shopify.shelf.listings))
    box.stage.tables.write(*sku_writes(sku))
    assert box.states(*shopify(box))["listings"] == "warning"
    assert box.json("import-listings", "shopify", "--apply")[0] == 0
    (listing,) = listings_of(box.stage.tables, [sku])
    assert listing.refs.keys() == {"inventory_item_id", "location_id", "product_id", "variant_id"}
    assert box.json("import-listings", "shopify", "--apply")[1]["listings"]["new"] == []


def test_a_paused_shop_is_resumed_with_a_token_for_the_workers(box: Box) -> None:
    box.states(*shopify(box))
    pause_account(box.stage.tables, "shopify", "the secret was wrong", 1)
    assert box.states("resume", "shopify") == {"credentials": "ok", "pause": "ok"}
    assert read_token(box.stage.tables, "shopify", box.stage.clock())
    assert read_pause(box.stage.tables, "shopify") is None
    queue = boto3.client("sqs").get_queue_url(QueueName=f"headrace-{STAGE}-sync-shopify")["QueueUrl"]
    assert len(boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 2
