"""Webhooks that a channel drops are made again, and a person hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import Busy
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.accounts import add_account, read_account
from local.marketplaces.shopify_subscriptions import remove_failed
from local.memory.world import World
from tests.accounts import connected, named
from tests.accounts import lines_fixture as lines_fixture
from tests.accounts import world_fixture as world_fixture
from tests.trade import Trade

URL = "https://oms.example/api/webhooks/shopify"


def check(world: World) -> None:
    JOBS["check_accounts"](world.runtime)


def account(world: World, patch: pytest.MonkeyPatch, channel: str = "shopify", url: str | None = None) -> Any:
    url = f"https://oms.example/api/webhooks/{channel}" if url is None else url
    found = connected(world, patch, channel)[channel]
    add_account(world.tables, channel, {"account": channel, **({"webhook_url": url} if url else {})})
    return found


def mended(lines: list[Any]) -> list[str]:
    return [each["topics"] for each in named(lines, "webhooks_mended")]


def test_what_was_removed_is_made_again_and_calls_a_person_once(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    shop = account(world, monkeypatch)
    shop.webhooks = {"orders/create": "created", "orders/updated": "created", "disputes/create": "refused"}
    check(world)
    assert mended(lines) == []  # a new account
    (checked,) = named(lines, "account_checked")
    assert (checked["webhooks_created"], checked["webhooks_refused"]) == (2, 1)
    assert [each["topics"] for each in named(lines, "webhooks_refused")] == ["disputes/create"]
    shop.webhooks |= {"orders/updated": "created", "disputes/create": "created"}  # a scope was granted meanwhile
    check(world)
    check(world)
    assert mended(lines) == ["orders/updated"]


def test_all_of_them_removed_calls_a_person_too(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    shop = account(world, monkeypatch)
    for _ in range(2):
        shop.webhooks = {"orders/create": "created", "orders/updated": "created"}
        check(world)
    assert mended(lines) == ["orders/create, orders/updated"]


def test_an_account_without_the_setting_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    shop = account(world, monkeypatch, url="")
    shop.webhooks = {"orders/create": "created"}
    check(world)
    assert shop.webhooks == {"orders/create": "created"}
    assert "webhooks_created" not in named(lines, "account_checked")[0]


@pytest.mark.parametrize("url", ["https://oms.example", "https://oms.example/webhooks/shopify-de"])
def test_an_address_that_is_not_the_accounts_door_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any], url: str
) -> None:
    shop = account(world, monkeypatch, url=url)
    shop.webhooks = {"orders/create": "created"}
    check(world)
    assert shop.webhooks == {"orders/create": "created"}
    assert [each["reason"] for each in named(lines, "account_broken_off")] == ["bad_setting"]


def test_one_that_does_not_answer_is_asked_again_the_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    shop = account(world, monkeypatch)

    def busy(url: str, secret: str) -> dict[str, str]:
        raise Busy("throttled", after_s=2)

    monkeypatch.setattr(shop, "ensure_webhooks", busy)
    check(world)
    assert [each["error"] for each in named(lines, "account_broken_off")] == ["Busy"]


@pytest.mark.parametrize(("channel", "expected"), [("woocommerce-de", "newest"), ("shopify-de", "")])
def test_only_woocommerce_is_told_what_to_sign_with(
    world: World, monkeypatch: pytest.MonkeyPatch, channel: str, expected: str
) -> None:
    shop, told = account(world, monkeypatch, channel), []
    world.secrets.kept[f"{channel}/webhook"] = {"secrets": ["newest", "old"]}
    monkeypatch.setattr(shop, "ensure_webhooks", lambda url, secret: told.append((url, secret)) or {})
    check(world)
    assert told == [(f"https://oms.example/api/webhooks/{channel}", expected)]


def test_a_shop_is_subscribed_and_mended_through_the_whole_application(lines: list[Any]) -> None:
    trade = Trade()
    tables, shop = trade.world.tables, trade.markets.shopify
    add_account(tables, "shopify", {**read_account(tables, "shopify"), "webhook_url": URL})
    trade.world.runtime.unsettle("account/shopify")
    check(trade.world)
    remove_failed(shop, "orders/updated", URL)
    check(trade.world)
    assert mended(lines) == ["orders/updated"]
    assert "ORDERS_UPDATED" in {each.topic for each in shop.office.subscriptions}
