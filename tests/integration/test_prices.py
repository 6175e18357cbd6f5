"""Prices: said once, told to each channel until it shows them; sold-out stock goes before them, rises after."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.guard
import chalicelib.inbound.prices
from app import app
from chalicelib.outbound import offers
from chalicelib.store.listings import Listing, kit_writes, listing_writes, price_write, read_entry, sku_writes
from chalicelib.store.stock import listed_write, receipt_writes
from tests.integration.test_api import TOKEN, call
from tests.integration.test_shop import CHANNEL, Trade


@pytest.fixture
def trade(monkeypatch: pytest.MonkeyPatch) -> Trade:
    """A shop with mugs and, not received yet, cups."""
    trade = Trade()
    trade.world.secrets.kept["api-tokens"] = {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"}
    for module in (chalicelib.inbound.guard, chalicelib.inbound.prices):
        monkeypatch.setattr(module, "runtime", lambda: trade.world.runtime)
    return trade


def put(trade: Trade, **body: Any) -> tuple[int, Any]:
    query = "?dry_run=1" if body.pop("dry_run", False) else ""
    with Client(app) as client:
        answer = call(client, "PUT", f"/api/listings/price{query}", {"currency": "EUR", **body})
    trade.world.run()
    return answer


def test_a_price_is_told_to_the_channel_and_acknowledged(trade: Trade) -> None:
    status, answer = put(trade, sku="MUG", amount="12.50")
    assert (status, answer["price_minor"]) == (200, 1250)
    assert trade.shop.prices["MUG"] == (1250, 1)
    put(trade, channel=CHANNEL, channel_sku="MUG", amount="11.00")
    assert trade.shop.prices["MUG"] == (1100, 2)
    (listing,) = read_entry(trade.world.tables, "MUG").listings
    assert (listing.price_version, listing.acked_price_version) == (2, 2)


def test_a_dry_run_tells_which_listings_are_meant_and_changes_none(trade: Trade) -> None:
    _, answer = put(trade, sku="MUG", amount="12.50", dry_run=True)
    assert [each["channel"] for each in answer["listings"]] == [CHANNEL]
    assert trade.shop.prices == {}


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"sku": "MUG", "amount": "twelve"}, 400, "amount"),
        ({"sku": "MUG", "amount": "0"}, 400, "amount"),
        ({"sku": "MUG", "amount": "1.00", "currency": "EURO"}, 400, "currency"),
        ({"amount": "1.00"}, 400, "name a sku"),
        ({"channel_sku": "MUG", "amount": "1.00"}, 400, "name a sku"),
        ({"sku": "SPOON", "amount": "1.00"}, 404, "no linked item"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    trade: Trade, body: dict[str, Any], status: int, named: str
) -> None:
    answered, told = put(trade, **body)
    assert answered == status
    assert named in told["error"]["detail"]
    assert trade.shop.prices == {}


def test_what_sells_out_is_told_before_prices_and_prices_before_what_rises(trade: Trade) -> None:
    tables, now_ms = trade.world.tables, trade.world.now_ms
    trade.shop.availability |= {sku: type(trade.shop.availability["MUG"])(0, -1) for sku in ("CUP", "JUG")}
    for sku, units in (("CUP", 5), ("JUG", 9)):
        tables.write(*sku_writes(sku, sku))
        tables.write(*listing_writes(Listing(CHANNEL, sku, sku, {})))
        tables.write(*receipt_writes("opening", sku, "main", units, now_ms))
        tables.write(listed_write(sku, "main", ("shop",), now_ms))
    trade.world.run()
    trade.shop.effects.clear()
    for sku, units in (("CUP", -3), ("JUG", -9), ("MUG", 5)):
        tables.write(*receipt_writes("later", sku, "main", units, now_ms))
    (mug,) = read_entry(tables, "MUG").listings
    tables.write(price_write(mug, 900, "EUR"))
    trade.world.run()
    told = [effect[:2] for effect in trade.shop.effects]
    assert told == [("availability", "JUG"), ("availability", "CUP"), ("price", "MUG"), ("availability", "MUG")]


def test_a_price_set_while_another_is_told_is_told_too(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    (mug,) = read_entry(trade.world.tables, "MUG").listings
    acknowledge = offers.acknowledge_price

    def meanwhile(*args: Any) -> bool:
        monkeypatch.setattr(offers, "acknowledge_price", acknowledge)
        trade.world.tables.write(price_write(mug, 900, "EUR"))  # by somebody whose own message gets lost
        return acknowledge(*args)

    monkeypatch.setattr(offers, "acknowledge_price", meanwhile)
    put(trade, sku="MUG", amount="12.50")
    trade.world.now_ms += 5_000
    trade.world.run()
    assert trade.shop.prices["MUG"] == (900, 2)


def costs(trade: Trade, *costs: Any, dry_run: bool = False) -> Any:
    with Client(app) as client:
        status, answer = call(client, "POST", "/api/costs", {"costs": list(costs), "dry_run": dry_run})
    assert status == 200
    return answer["costs"]


def cost_of(trade: Trade, sku: str) -> tuple[int | None, str]:
    found = read_entry(trade.world.tables, sku).sku
    return found.cost_minor, found.cost_currency


def test_what_goods_cost_is_kept_until_it_is_said_anew(trade: Trade) -> None:
    mug = {"sku": "MUG", "amount": "3.10", "currency": "EUR"}
    (told,) = costs(trade, mug, dry_run=True)
    assert (told["cost_minor"], cost_of(trade, "MUG")) == (310, (None, ""))
    (told,) = costs(trade, mug)
    assert (told["was_minor"], cost_of(trade, "MUG")) == (None, (310, "EUR"))
    trade.world.tables.write(*sku_writes("MUG", "Another title"))
    (told,) = costs(trade, {"sku": "MUG", "amount": None})
    assert (told["was_minor"], told["was_currency"], cost_of(trade, "MUG")) == (310, "EUR", (None, ""))


@pytest.mark.parametrize(
    ("cost", "named"),
    [
        ({"sku": "MUG", "amount": "three", "currency": "EUR"}, "amount"),
        ({"sku": "MUG", "amount": "-1.00", "currency": "EUR"}, "amount"),
        ({"sku": "MUG", "amount": "1.00"}, "currency"),
        ({"sku": "MUG"}, "amount"),
        ({"sku": "NOPE", "amount": "1.00", "currency": "EUR"}, "NOPE"),
        ({"sku": "SET", "amount": "1.00", "currency": "EUR"}, "components"),
    ],
)
def test_a_cost_that_makes_no_sense_is_refused_by_name_and_the_others_are_kept(
    trade: Trade, cost: dict[str, Any], named: str
) -> None:
    trade.world.tables.write(*sku_writes("SET"), *sku_writes("CUP"))
    trade.world.tables.write(*kit_writes(read_entry(trade.world.tables, "SET").sku, (("MUG", 2),), 0))
    wrong, right = costs(trade, cost, {"sku": "CUP", "amount": "0", "currency": "JPY"})
    assert named in wrong["error"]["detail"]
    assert (right["cost_minor"], cost_of(trade, "CUP"), cost_of(trade, "MUG")) == (0, (0, "JPY"), (None, ""))
