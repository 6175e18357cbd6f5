"""Channel accounts and an order's money as the API shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.api
import chalicelib.inbound.channels_api
import chalicelib.inbound.guard
from app import app
from chalicelib.channels.facts import ListedItem, Metric, Payout
from chalicelib.domain.settlement import LedgerFact
from chalicelib.inbound.accounts import JOBS
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import Cursor, move_cursor
from chalicelib.store.orders import order_writes
from local.memory.world import World
from tests.accounts import DAY_MS, NOW_MS, Account, connected, quiet_world
from tests.factories import fact, line
from tests.turns import promised, secured, shipped

TOKEN = "a token for tests"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = quiet_world()
    world.secrets.kept["api-tokens"] = {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"}
    for module in (chalicelib.inbound.api, chalicelib.inbound.channels_api, chalicelib.inbound.guard):
        monkeypatch.setattr(module, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def accounts(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Account]:
    return connected(world, monkeypatch, "amazon", "ebay")


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def get(client: Client, path: str, token: str = TOKEN) -> tuple[int, Any]:
    answer = client.http.get(path, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json_body


def look(world: World, *jobs: str) -> None:
    for job in jobs:
        JOBS[job](world.runtime)


def keep(world: World, **more: Any) -> None:
    order = shipped(promised(secured(fact(line(unit_minor=100, tax_minor=20), channel="amazon", **more))))
    world.tables.write(*order_writes(None, order))


def test_all_channels_are_shown_with_what_a_person_must_know(
    world: World, client: Client, accounts: dict[str, Account]
) -> None:
    keep(world)
    world.run()
    accounts["amazon"].metrics = [Metric("late", "4", "3", is_good=False), Metric("odr", "0", "1", is_good=True)]
    accounts["amazon"].items = [ListedItem("X", {})]
    move_cursor(world.tables, "amazon", Cursor(NOW_MS - 5))
    look(world, "check_accounts", "check_listings")
    pause("ebay", "no consent", world.runtime)
    look(world, "show_accounts")
    status, answer = get(client, "/api/channels")
    assert status == 200
    amazon, ebay = answer["channels"]
    assert amazon == {
        "channel": "amazon",
        "kind": "amazon",
        "paused": None,
        "read_to_ms": NOW_MS - 5,
        "payouts_read_to_ms": None,
        "open_orders": 1,
        "on_hold": 0,
        "health": {"day": "2023-11-14", "beyond_limit": ["late"]},
        "unlinked": 1,
    }
    assert ebay["paused"] == {"why": "no consent", "since_ms": NOW_MS}
    assert (ebay["health"], ebay["open_orders"]) == (None, 0)


def test_one_channel_is_shown_with_its_settings_measures_and_unlinked_items_by_pages(
    world: World, client: Client, accounts: dict[str, Account]
) -> None:
    accounts["amazon"].items = [ListedItem(f"X{n}", {}, title=f"Item {n}") for n in range(3)]
    accounts["amazon"].metrics = [Metric("late", "2", "3", is_good=True, window="7 days")]
    for _ in range(31):
        look(world, "check_accounts")
        world.now_ms += DAY_MS
    look(world, "check_listings", "show_accounts")
    status, answer = get(client, "/api/channels/amazon?limit=2")
    assert status == 200
    assert answer["settings"] == {"account": "amazon"}
    assert len(answer["health"]) == 30
    assert answer["health"][0]["metrics"] == [
        {"name": "late", "value": "2", "limit": "3", "is_good": True, "window": "7 days"}
    ]
    assert answer["unlinked_items"] == [
        {"channel_sku": "X0", "title": "Item 0"},
        {"channel_sku": "X1", "title": "Item 1"},
    ]
    _, rest = get(client, f"/api/channels/amazon?limit=2&cursor={answer['cursor']}")
    assert ([each["channel_sku"] for each in rest["unlinked_items"]], rest["cursor"]) == (["X2"], None)


def test_an_account_that_nobody_has_looked_at_yet_is_shown_empty(
    world: World, client: Client, accounts: dict[str, Account]
) -> None:
    status, answer = get(client, "/api/channels/ebay")
    assert (status, answer["settings"], answer["budgets"], answer["unlinked_items"]) == (200, {}, [], [])


@pytest.mark.parametrize("path", ["/api/channels/nobody", "/api/orders/amazon:none/money"])
def test_what_is_not_there_is_not_found(world: World, client: Client, accounts: dict[str, Account], path: str) -> None:
    assert get(client, path)[0] == 404


@pytest.mark.parametrize("path", ["/api/channels", "/api/channels/amazon", "/api/orders/amazon:1001/money"])
def test_nobody_looks_without_a_token(world: World, client: Client, accounts: dict[str, Account], path: str) -> None:
    assert get(client, path, "wrong")[0] == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=-1", "cursor=x"])
def test_a_page_that_cannot_be_is_refused(
    world: World, client: Client, accounts: dict[str, Account], query: str
) -> None:
    assert get(client, f"/api/channels/amazon?{query}")[0] == 400


def test_the_money_of_an_order_adds_up_by_kind(world: World, client: Client, accounts: dict[str, Account]) -> None:
    keep(world)
    at_ms = NOW_MS - DAY_MS
    facts = (
        LedgerFact("s", "sale", 120, "EUR", at_ms, "1001", what="Shipment"),
        LedgerFact("t", "tax", -20, "EUR", at_ms, "1001"),
        LedgerFact("f1", "fee", -10, "EUR", at_ms, "1001"),
        LedgerFact("f2", "shipping_label", -5, "EUR", at_ms + 1, "1001"),
    )
    accounts["amazon"].paid = [Payout("po", "EUR", NOW_MS, 85, facts)]
    look(world, "poll_money")
    world.run()
    status, answer = get(client, "/api/orders/amazon:1001/money?limit=3")
    assert status == 200
    assert {each["kind"]: each["amount"] for each in answer["sums"]} == {
        "sale": "1.20",
        "tax": "-0.20",
        "fee": "-0.10",
        "shipping_label": "-0.05",
    }
    assert [each["fact_id"] for each in answer["facts"]] == ["f1", "s", "t"]
    assert answer["facts"][1] == {
        "fact_id": "s",
        "kind": "sale",
        "amount": "1.20",
        "currency": "EUR",
        "at_ms": NOW_MS - DAY_MS,
        "payout_id": "po",
        "status": "paid",
        "what": "Shipment",
        "converted": None,
    }
    assert [f["fact_id"] for f in get(client, "/api/orders/amazon:1001/money?cursor=3")[1]["facts"]] == ["f2"]
    (payout,) = answer["payouts"]
    assert (payout["payout_id"], payout["paid_ms"]) == ("po", NOW_MS)
    assert (payout["settled"]["amount"], payout["fees"]["amount"]) == ("1.20", "0.15")
    assert {each["kind"]: each["amount"] for each in payout["sums"]} == {"sale": "1.20", "tax": "-0.20", "fee": "-0.15"}
    assert len(payout["lines"]) == 4


def test_an_order_of_which_nothing_is_booked_has_no_money_to_show(
    world: World, client: Client, accounts: dict[str, Account]
) -> None:
    keep(world)
    _, answer = get(client, "/api/orders/amazon:1001/money")
    assert answer == {"order": "amazon:1001", "sums": [], "facts": [], "cursor": None, "payouts": []}
