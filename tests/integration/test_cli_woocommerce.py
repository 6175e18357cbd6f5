"""The command line connects a WooCommerce shop; every request is held against the official index."""

from __future__ import annotations

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.store.accounts import read_account
from chalicelib.store.listings import listings_of, sku_writes
from local.marketplaces.woocommerce import WooCommerce
from tests.aws import STAGE
from tests.integration.cli_box import DOOR, START, WOO_URL, Box, box_fixture  # noqa: F401


def woo(box: Box, *more: str, secret: str = "") -> tuple[str, ...]:
    keys = box.file(
        "keys", consumer_key=WooCommerce.consumer_key, consumer_secret=secret or WooCommerce.consumer_secret
    )
    return ("add", "woocommerce", "--base-url", WOO_URL, "--file", keys, *more)


def shop(box: Box) -> WooCommerce:
    assert box.markets.woo
    return box.markets.woo


def test_a_shop_is_connected_down_to_its_webhooks(box: Box) -> None:
    states = box.states(*woo(box, "--public-url", DOOR))
    assert states == {
        "account": "ok",
        "credentials": "ok",
        "permission to write": "ok",
        "currency": "ok",
        "version": "ok",
        "tracking": "ok",
        "webhooks": "ok",
        "listings": "ok",
        "unknown SKUs": "warning",
    }
    settings = read_account(box.stage.tables, "woocommerce")
    assert (settings["currency"], settings["webhook_url"]) == ("USD", f"{DOOR}/webhooks/woocommerce")
    (secret,) = box.stage.read_secret("woocommerce/webhook")["secrets"]
    assert len(bytes.fromhex(secret)) == 32
    assert {each["topic"] for each in shop(box).hooks.values()} >= {"order.created", "order.updated"}
    assert box.states(*woo(box, "--public-url", DOOR)) == states
    assert box.stage.read_secret("woocommerce/webhook") == {"secrets": [secret]}
    assert len(shop(box).hooks) == 4


def test_connected_so_the_shop_s_own_signed_webhook_comes_in(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.states(*woo(box, "--public-url", DOOR))
    (secret,) = box.stage.read_secret("woocommerce/webhook")["secrets"]
    monkeypatch.setattr(WooCommerce, "webhook_secret", secret)
    box.markets.sell("woocommerce", 1)
    delivery = next(each for each in box.markets.tick(START) if each.marketplace == "woocommerce")
    request = HttpRequest("POST", f"{DOOR}/webhooks/woocommerce", delivery.headers, delivery.body)
    assert box.send(request).status == 200
    assert box.send(HttpRequest("POST", request.url, delivery.headers, delivery.body + b" ")).status == 401


def test_webhooks_of_before_have_a_secret_that_nobody_knows(box: Box) -> None:
    box.states(*woo(box, "--public-url", DOOR))
    box.stage.ssm.delete_parameter(Name=f"/headrace/{STAGE}/woocommerce/webhook")
    assert "not known here" in box.steps("check", "woocommerce", "--fix")["webhooks"]["detail"]


def test_a_dry_run_makes_nothing(box: Box) -> None:
    assert box.states(*woo(box, "--public-url", DOOR, "--dry-run"))["webhooks"] == "skipped"
    assert not shop(box).hooks
    assert box.stage.read_secret("woocommerce/api") == box.stage.read_secret("woocommerce/webhook") == {}


def test_a_wrong_key_ends_it_there(box: Box) -> None:
    assert box.states(*woo(box, secret="cs_of_somebody_else")) == {"account": "ok", "credentials": "missing"}


def test_a_key_that_may_only_read_is_found_out_without_changing_anything(box: Box) -> None:
    shop(box).may_write = False
    assert box.states(*woo(box))["permission to write"] == "missing"
    assert [each.body for each in box.writes()] == [b'{"update": []}']


@pytest.mark.parametrize(("version", "state"), [("8.4.9", "warning"), ("8.5", "ok"), ("10.0.1", "ok"), ("", "warning")])
def test_an_old_version_is_said(box: Box, version: str, state: str) -> None:
    shop(box).version = version
    assert box.states(*woo(box))["version"] == state


def test_the_tracking_plugin_is_found(box: Box) -> None:
    assert box.steps(*woo(box))["tracking"]["detail"] == "notes to the customer: no plugin"
    shop(box).has_tracking = True
    assert "plugin is told" in box.steps("check", "woocommerce")["tracking"]["detail"]


def test_an_address_without_woocommerce_is_told_from_plain_permalinks(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = HttpResponse(404, {"content-type": "text/html"}, b"<html>not found</html>")
    monkeypatch.setattr(Box, "_answer", lambda *_: page)
    assert box.states(*woo(box))["credentials"] == "missing"
    none = HttpResponse(404, {}, b'{"code":"rest_no_route","message":"","data":{"status":404}}')
    monkeypatch.setattr(Box, "_answer", lambda *_: none)
    step = box.steps(*woo(box))["credentials"]
    assert "WooCommerce's REST API is not there" in step["detail"]
    assert "permalinks" in step["remedy"]


@pytest.mark.parametrize(
    "address", ["http://shop.example.com", "https://192.168.0.7", "https://localhost", "https://shop.internal", "shop"]
)
def test_an_address_that_is_not_public_https_is_refused(
    box: Box, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert box.run(*woo(box, "--base-url", address)) == 2
    assert "--base-url" in capsys.readouterr().err
    assert box.stage.read_secret("woocommerce/api") == {}


def test_its_listings_are_linked(box: Box) -> None:
    sku = next(iter(shop(box).shelf.listings))
    box.stage.tables.write(*sku_writes(sku))
    box.states(*woo(box, "--apply"))
    (listing,) = listings_of(box.stage.tables, [sku])
    assert listing.refs.keys() == {"product_id"}
