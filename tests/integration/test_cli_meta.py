"""The command line connects the account at Meta, which tells nothing before it is enabled."""

from __future__ import annotations

import json

import pytest

from chalicelib.store.accounts import add_account, pause_account, read_account, read_pause
from tests.integration.cli_box import Box, box_fixture  # noqa: F401
from tests.shared_data import shared


def meta(box: Box, *more: str, token: str = "", secret: str = "") -> tuple[str, ...]:
    keys = {"access_token": token or "meta-token", **({"app_secret": secret} if secret else {})}
    return ("add", "meta", "--dataset-id", "1001", "--file", box.file("keys", **keys), *more)


def test_purchases_are_told_once_it_is_enabled(box: Box) -> None:
    assert box.states(*meta(box))["purchases"] == "warning"
    assert "enabled" not in read_account(box.stage.tables, "meta")
    assert box.json("list")[1]["channels"][0]["state"] == "off"
    assert box.states(*meta(box, "--enable"))["purchases"] == "missing"  # no page of the shop
    steps = box.steps(*meta(box, "--shop-url", "https://shop.example/"))
    assert steps["purchases"]["state"] == "ok"
    assert "consent" in steps["purchases"]["detail"]
    assert read_account(box.stage.tables, "meta") == {
        "dataset_id": "1001",
        "enabled": True,
        "shop_url": "https://shop.example",
    }
    assert box.json("list")[1]["channels"][0]["state"] == "active"
    assert box.states(*meta(box, "--disable"))["purchases"] == "warning"
    assert read_account(box.stage.tables, "meta")["enabled"] is False


def test_a_catalogue_is_fed_from_a_shop_that_is_connected(box: Box) -> None:
    assert box.states(*meta(box))["catalogue"] == "skipped"
    states = box.states(*meta(box, "--catalogue-id", "2002", "--shop", "shopify"))
    assert (states["catalogue"], states["shop"]) == ("ok", "missing")
    add_account(box.stage.tables, "shopify", {})
    assert set(box.states("check", "meta")) == {"credentials", "dataset", "purchases", "catalogue"}
    assert box.states(*meta(box, "--catalogue-id", "3003"))["catalogue"] == "missing"


def test_a_catalogue_alone_will_do(box: Box) -> None:
    arguments = ("add", "meta", "--catalogue-id", "2002", "--shop", "shopify")
    states = box.states(*arguments, "--file", box.file("keys", access_token="meta-token"))
    assert (states["credentials"], states["catalogue"]) == ("ok", "ok")
    assert "dataset" not in states


def test_a_wrong_token_ends_it_there(box: Box) -> None:
    assert box.states(*meta(box, token="of-somebody-else")) == {"account": "ok", "credentials": "missing"}


def test_its_reads_are_of_the_official_model_and_prove_the_secret_of_the_app(box: Box) -> None:
    box.states(*meta(box, "--catalogue-id", "2002", "--shop", "shopify", secret="the-app-s-secret"))
    asked = {each.url.partition("?")[0].rpartition("/")[2]: each.url.partition("?")[2] for each in box.sent}
    for thing, model in (("1001", "AdsPixel"), ("2002", "ProductCatalog")):
        fields = {
            each["name"] for each in json.loads(shared(f"specs/meta/api_specs/{model}.json").read_text())["fields"]
        }
        query = dict(pair.split("=") for pair in asked[thing].split("&"))
        assert set(query["fields"].split("%2C")) <= fields
        assert len(query["appsecret_proof"]) == 64
    assert not [each for each in box.sent if "meta-token" in each.url]


def test_a_dry_run_stores_nothing(box: Box) -> None:
    assert box.states(*meta(box, "--enable", "--dry-run"))["account"] == "skipped"
    assert box.stage.read_secret("meta/api") == {}
    assert box.json("list")[1]["channels"] == []


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--name", "meta-de"), "name it meta, not"),
        (("--dataset-id", "pixel"), "--dataset-id must be a number"),
        (("--enable", "--disable"), "not both"),
        (("--shop-url", "http://shop.example"), "--shop-url must be an https"),
        (("--public-url", "https://oms.example"), "does not take --public-url"),
        (("--fix",), "does not take --fix"),
    ],
)
def test_what_is_wrong_in_an_argument_is_named(
    box: Box, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], word: str
) -> None:
    assert box.run(*meta(box, *more)) == 2
    assert word in capsys.readouterr().err
    assert box.stage.read_secret("meta/api") == {}


def test_a_paused_account_is_resumed_once_its_token_works(box: Box) -> None:
    box.states(*meta(box))
    pause_account(box.stage.tables, "meta", "code 190", 1)
    box.graph.token = "another"
    assert box.states("resume", "meta") == {"credentials": "missing"}
    box.graph.token = "meta-token"
    assert box.states("resume", "meta") == {"credentials": "ok", "pause": "ok"}
    assert read_pause(box.stage.tables, "meta") is None
