"""A long backlog of changed eBay orders is read window by window, goes on where it broke off, and loses no order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.ebay import orders
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from chalicelib.inbound.polls import poll
from chalicelib.store.accounts import add_account, read_cursor
from local.marketplaces.shelf import Sale
from local.memory.world import World
from tests.contract.ebay_seller import BASE, GATEWAY, START_MS, Seller, secret_of, seller
from tests.contract.marketplaces_calls import START, populated


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Seller:
    """Pages are smaller than eBay's largest, which holds each order of them to its model just the same."""
    monkeypatch.setattr(orders, "_PAGE", 20)
    monkeypatch.setattr(orders, "_AIM", 15)
    return seller()


def ids(sales: list[Sale]) -> set[str]:
    return {sale.order_id for sale in sales}


def read(client: EbayClient, position: str = "", since_ms: int = START_MS) -> set[str]:
    return {json.loads(raw)["orderId"] for raw, _ in client.changed_orders(since_ms, position=position)}


def windows(on: Seller) -> list[str]:
    """What each list was asked for, e.g. [2026-05-04T12:00:00.000Z..]"""
    queries = [parse_qs(urlsplit(request.url).query) for request in on.wire.sent if "filter=" in request.url]
    return [query["filter"][0].removeprefix("lastmodifieddate:") for query in queries]


def changed_at_once(on: Seller, count: int) -> list[Sale]:
    sales = populated(on.market, on.time, count)
    moment = on.time.now
    for sale in sales:
        sale.updated_at = moment
    return sales


def test_what_one_page_holds_is_one_call(on: Seller) -> None:
    sales = populated(on.market, on.time, 20)
    assert read(on.later()) == ids(sales)
    assert windows(on) == ["[2026-05-04T12:00:00.000Z..]"]


def test_a_backlog_is_read_with_few_calls(on: Seller) -> None:
    sales = populated(on.market, on.time, 200)
    assert read(on.later()) == ids(sales)
    assert len(windows(on)) < 2 * 200 / 20 + 5


def test_no_window_ends_in_the_future_or_in_what_may_still_be_shown_late(on: Seller) -> None:
    populated(on.market, on.time, 90)
    read(on.later())
    latest = f"{on.time.now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"
    ends = [window.strip("[]").split("..")[1] for window in windows(on)]
    assert all(end < latest for end in ends if end)
    assert ends[-1] == ""


def test_a_reading_that_breaks_off_goes_on_where_its_last_window_ended(on: Seller) -> None:
    sales = populated(on.market, on.time, 100)
    first = on.later()
    found = set()
    for raw, _ in first.changed_orders(START_MS):
        found.add(json.loads(raw)["orderId"])
        if len(found) == 50:
            break
    begun_ms = int(first.position.partition("/")[0])
    on.wire.sent.clear()
    found |= read(on.later(), first.position)
    assert found == ids(sales)
    assert min(windows(on)) >= f"[{START + timedelta(milliseconds=begun_ms - START_MS):%Y-%m-%dT%H:%M:%S}"
    assert begun_ms > START_MS + 20 * 60_000


@pytest.mark.parametrize("seed", range(4))
def test_orders_that_change_while_they_are_read_are_all_given(on: Seller, seed: int) -> None:
    sales = populated(on.market, on.time, 60)
    chance = Random(seed)
    client = on.later()
    ask = on.wire.market.handle
    position, newest_ms, found = "", START_MS, set()

    def moving(request: object) -> object:
        for sale in chance.sample(sales, 2):
            sale.touch(on.time.pass_(seconds=1))
        return ask(request)  # type: ignore[arg-type]

    on.wire.market.handle = moving  # type: ignore[method-assign,assignment]
    while True:
        for raw, changed_ms in client.changed_orders(START_MS, position=position):
            found.add(json.loads(raw)["orderId"])
            newest_ms = max(newest_ms, changed_ms)
            if chance.random() < 0.03:  # the Lambda ends
                break
        else:
            break
        position, client = client.position, on.later()
    on.wire.market.handle = ask  # type: ignore[method-assign]
    on.time.pass_(minutes=2)
    assert found | read(on.later(), since_ms=newest_ms) == ids(sales)
    assert len(found) > len(sales) / 2


def test_more_orders_of_one_second_than_a_page_holds_are_read_by_its_pages(on: Seller) -> None:
    sales = changed_at_once(on, 45)
    on.time.pass_(minutes=10)
    assert read(on.later()) == ids(sales)


def test_an_order_that_leaves_such_a_second_between_two_pages_hides_no_other(on: Seller) -> None:
    sales = changed_at_once(on, 45)
    on.time.pass_(minutes=10)
    client, ask = on.later(), on.wire.market.handle

    def leaving(request: object) -> object:
        answer = ask(request)  # type: ignore[arg-type]
        if "offset=20" in on.wire.sent[-1].url:
            sales[0].touch(on.time.now)
        return answer

    on.wire.market.handle = leaving  # type: ignore[method-assign,assignment]
    with pytest.raises(Busy):
        read(client)
    on.wire.market.handle = ask  # type: ignore[method-assign]
    assert read(on.later(), client.position) | read(on.later()) == ids(sales)
    assert ids(sales[1:]) <= read(on.later(), client.position)


def test_a_minute_in_which_more_changes_than_a_page_holds_is_left_to_the_next_reading(on: Seller) -> None:
    sales = populated(on.market, on.time, 50)
    late = sales[10:]
    on.time.pass_(minutes=10)
    for number, sale in enumerate(late):
        sale.updated_at = on.time.now - timedelta(milliseconds=500 * number)
    assert read(on.later()) == ids(sales[:10])
    on.time.pass_(minutes=2)
    assert read(on.later()) == ids(sales)


def test_a_poll_that_never_has_the_time_for_all_comes_to_the_end_of_a_long_backlog(on: Seller) -> None:
    sales = populated(on.market, on.time, 150)
    left = [0]

    def wire(request: HttpRequest) -> HttpResponse:
        left[0] -= "filter=" in request.url
        return on.wire(request) if left[0] >= 0 else GATEWAY

    world = World(on.now_ms, transport=wire)
    add_account(world.tables, "ebay", {"base_url": BASE, "import_from_ms": START_MS})
    world.secrets.kept = {"ebay/api": secret_of(on.market)}
    found: list[str] = []
    polls = 0
    while not read_cursor(world.tables, "ebay").read_to_ms:
        polls, left[0] = polls + 1, 4
        poll("ebay", world.runtime)
        found += handed_on(world)
        world.now_ms += 300_000
        on.time.pass_(minutes=5)
        assert polls < 20
    assert set(found) == ids(sales)
    assert (polls > 2, len(found) < 1.2 * len(sales)) == (True, True)


def handed_on(world: World) -> list[str]:
    name: Callable[[str], str] = lambda raw: json.loads(raw)["orderId"]  # noqa: E731
    messages = [json.loads(body) for _, body, _ in world.queues.waiting["entry"]]
    world.queues.waiting["entry"].clear()
    return [name(each["raw"]) for each in messages]
