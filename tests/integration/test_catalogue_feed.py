"""What the own shop sells, from the stock to Meta's catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.availability import AvailabilityRule
from chalicelib.outbound.catalogue import feed
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account, read_pause
from chalicelib.store.feeds import read_fed
from chalicelib.store.listings import (
    Listing,
    channel_rule_write,
    link_key,
    listing_writes,
    listings_of,
    price_write,
    sku_writes,
    unlink_write,
)
from chalicelib.store.stock import receipt_writes
from local.marketplaces.faults import FaultDie, Faults
from local.memory.world import World
from local.meta.graph import Graph
from tests.contract.meta_models import held

NOON_MS = 20_000 * 86_400_000 + 43_200_000
QUARTER_MS = 900_000
DAY_MS = 86_400_000
REFS = {
    "link": "https://shop.example/mug",
    "image_link": "https://shop.example/mug.jpg",
    "description": "Holds tea.",
    "condition": "new",
    "brand": "Mugs",
}


class Stand:
    """A shop that sells mugs and cups, and Meta's catalogue of it."""

    def __init__(self) -> None:
        self.graph = Graph("the token", "d-1", NOON_MS)
        self.world = World(NOON_MS, held(self.graph.handle))
        self.world.secrets.kept = {"meta/api": {"access_token": "the token", "app_secret": "the app's"}}
        add_account(self.world.tables, "meta", {"catalogue_id": "c-1", "shop": "shop"})
        for sku, units in (("MUG", 10), ("CUP", 3)):
            self.world.tables.write(*sku_writes(sku, sku.title()))
            self.world.tables.write(*listing_writes(Listing("shop", f"item-{sku}", sku, REFS)))
            self.world.tables.write(price_write(self.listing(sku), 500, "EUR"))
            self.stock(sku, units)
        self.world.tables.write(*sku_writes("ELSEWHERE", "Sold elsewhere"))
        self.world.tables.write(*listing_writes(Listing("amazon", "x", "ELSEWHERE", {})))

    def stock(self, sku: str, units: int) -> None:
        name = f"{sku}-{units}-{self.world.now_ms}"
        self.world.tables.write(*receipt_writes(name, sku, "main", units, self.world.now_ms))

    def listing(self, sku: str) -> Listing:
        (listing,) = listings_of(self.world.tables, [sku])
        return listing

    def run(self, after_ms: int = QUARTER_MS) -> list[str]:
        """The ids that one more run sends."""
        self.world.now_ms += after_ms
        before = len(self.graph.batches)
        feed(self.world.runtime)
        return sorted(request["data"]["id"] for batch in self.graph.batches[before:] for request in batch)

    def settle(self) -> None:
        """What was sent is carried out, and nothing is left to send."""
        self.run()
        assert self.run() == []


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    logged: list[Any] = []
    monkeypatch.setattr(log, "sink", lambda text: logged.append(json.loads(text)))
    return logged


def test_everything_that_the_shop_lists_is_fed_at_first(stand: Stand) -> None:
    stand.world.tables.write(price_write(stand.listing("MUG"), 1450, "EUR"))
    assert stand.run() == ["CUP", "MUG"]
    stand.settle()
    assert stand.graph.items["MUG"] == {
        "id": "MUG",
        "title": "Mug",
        "availability": "in stock",
        "quantity_to_sell_on_facebook": 10,
        "price": "14.50 EUR",
        **REFS,
    }
    assert stand.graph.items["CUP"]["price"] == "5.00 EUR"


def test_what_sells_out_is_told_in_the_next_run_and_nothing_else(stand: Stand) -> None:
    stand.settle()
    stand.stock("CUP", -3)
    assert stand.run() == ["CUP"]
    stand.settle()
    assert stand.graph.items["CUP"]["availability"] == "out of stock"
    assert stand.graph.items["CUP"]["quantity_to_sell_on_facebook"] == 0
    assert stand.graph.items["MUG"]["availability"] == "in stock"


def test_a_new_price_is_told(stand: Stand) -> None:
    stand.settle()
    stand.world.tables.write(price_write(stand.listing("MUG"), 999, "USD"))
    assert stand.run() == ["MUG"]
    stand.settle()
    assert stand.graph.items["MUG"]["price"] == "9.99 USD"


def test_the_accounts_own_rule_says_how_much_is_shown_else_the_shops(stand: Stand) -> None:
    stand.world.tables.write(channel_rule_write("shop", AvailabilityRule(buffer=4)))
    stand.settle()
    assert stand.graph.items["MUG"]["quantity_to_sell_on_facebook"] == 6
    assert stand.graph.items["CUP"]["availability"] == "out of stock"
    stand.world.tables.write(channel_rule_write("meta", AvailabilityRule(cap=2)))
    assert stand.run() == ["CUP", "MUG"]
    stand.settle()
    assert [stand.graph.items[sku]["quantity_to_sell_on_facebook"] for sku in ("MUG", "CUP")] == [2, 2]


@pytest.mark.parametrize("kind", ["failing_items", "invalid_items"])
def test_an_item_that_comes_to_nothing_is_logged_and_sent_again_alone(
    stand: Stand, lines: list[Any], kind: str
) -> None:
    getattr(stand.graph, kind).add("CUP")
    stand.run()
    again = stand.run()
    failed = [(line["sku"], line["why"]) for line in lines if line["event"] == "catalogue_item_failed"]
    assert set(failed) == {("CUP", "as asked")}
    was_taken = kind == "failing_items"  # the stand-in leaves an invalid one out of the batch
    assert again == (["CUP"] if was_taken else [])
    assert "CUP" not in stand.graph.items
    getattr(stand.graph, kind).clear()
    assert stand.run() == ([] if was_taken else ["CUP"])
    stand.settle()
    assert stand.graph.items["CUP"]["availability"] == "in stock"


def test_everything_goes_out_once_a_day(stand: Stand) -> None:
    stand.settle()
    del stand.graph.items["MUG"]  # somebody has taken it away
    assert stand.run() == []
    assert stand.run(DAY_MS) == ["CUP", "MUG"]
    stand.settle()
    assert stand.graph.items.keys() == {"MUG", "CUP"}


def test_what_is_on_its_way_waits_and_is_given_up_after_an_hour(stand: Stand) -> None:
    stand.graph.busy = True
    stand.run()
    stand.stock("CUP", -3)
    assert [stand.run(), stand.run()] == [[], []]
    assert stand.run(3_600_000) == ["CUP", "MUG"]
    stand.graph.busy = False
    stand.settle()
    assert stand.graph.items["CUP"]["availability"] == "out of stock"


def test_a_batch_that_meta_does_not_know_is_sent_again(stand: Stand) -> None:
    stand.run()
    stand.graph.batches.clear()
    assert stand.run() == ["CUP", "MUG"]
    stand.settle()


def test_a_batch_whose_answer_is_lost_is_sent_again(stand: Stand) -> None:
    stand.graph.die = FaultDie(Faults(answer_lost=1.0))
    assert stand.run() == ["CUP", "MUG"]
    stand.graph.die = FaultDie()
    assert stand.run() == ["CUP", "MUG"]
    stand.settle()


def test_a_throttle_leaves_everything_for_the_next_run(stand: Stand) -> None:
    stand.graph.failing = 80_014
    assert stand.run() == []
    stand.graph.failing = 0
    assert stand.run() == ["CUP", "MUG"]


def test_what_the_shop_lists_no_more_is_sold_out_and_forgotten(stand: Stand) -> None:
    stand.settle()
    listing = stand.listing("CUP")
    moved = Listing("shop", listing.channel_sku, "ELSEWHERE", REFS)
    link = stand.world.tables.get(link_key("shop", listing.channel_sku))
    assert link
    stand.world.tables.write(*listing_writes(moved), *unlink_write(moved, link["sku"]))
    stand.world.tables.write(price_write(moved, 500, "EUR"))
    assert stand.run() == ["CUP", "ELSEWHERE"]
    stand.settle()
    assert stand.graph.items["CUP"]["availability"] == "out of stock"
    assert read_fed(stand.world.tables, "meta").keys() == {"MUG", "ELSEWHERE"}


def test_a_token_that_is_gone_pauses_the_account_and_nothing_more_is_asked(stand: Stand) -> None:
    stand.graph.token = "another"
    stand.run()
    assert read_pause(stand.world.tables, "meta")
    asked = stand.graph.calls
    stand.run()
    assert stand.graph.calls == asked


def test_an_item_that_has_its_batch_refused_starves_no_other(stand: Stand, lines: list[Any]) -> None:
    stand.graph.poisonous_items.add("CUP")
    assert stand.run() == ["MUG"]
    assert [line["sku"] for line in lines if line["event"] == "catalogue_item_failed"] == ["CUP"]
    stand.stock("MUG", -10)
    assert stand.run() == ["MUG"]  # CUP is tried apart
    assert not any(line["event"] == "catalogue_refused" for line in lines)
    stand.graph.poisonous_items.clear()
    assert stand.run() == ["CUP"]
    stand.settle()
    assert {sku: item["availability"] for sku, item in stand.graph.items.items()} == {
        "MUG": "out of stock",
        "CUP": "in stock",
    }


def test_a_catalogue_that_takes_nothing_is_not_asked_without_end(stand: Stand, lines: list[Any]) -> None:
    for number in range(60):
        sku = f"SKU-{number}"
        stand.world.tables.write(*sku_writes(sku, sku))
        listing = Listing("shop", sku, sku, REFS)
        stand.world.tables.write(*listing_writes(listing))
        stand.world.tables.write(price_write(listing, 500, "EUR"))
        stand.graph.poisonous_items.add(sku)
    stand.graph.poisonous_items |= {"MUG", "CUP"}
    for _ in range(3):
        before = stand.graph.calls
        assert stand.run() == []
        assert stand.graph.calls - before == 17
        assert lines[-1]["event"] == "catalogue_refused"
    stand.graph.poisonous_items.clear()
    stand.run()
    stand.settle()
    assert len(stand.graph.items) == 62


def test_a_handle_that_is_never_told_of_keeps_nothing_else_from_being_sent(stand: Stand) -> None:
    stand.graph.silent_handles.add("h1")
    stand.graph.invalid_items.add("CUP")
    assert stand.run() == ["MUG"]
    stand.graph.invalid_items.clear()
    assert stand.run() == ["CUP"]
    assert [stand.run(), stand.run(3_600_000)] == [[], ["MUG"]]
    stand.settle()
    assert stand.graph.items.keys() == {"MUG", "CUP"}


@pytest.mark.parametrize("code", [10, 200, 294])
def test_a_permission_that_is_missing_pauses_the_account(stand: Stand, code: int) -> None:
    stand.graph.failing = code
    stand.run()
    assert read_pause(stand.world.tables, "meta")


def test_without_a_catalogue_nothing_is_asked(stand: Stand) -> None:
    add_account(stand.world.tables, "meta", {"enabled": True, "dataset_id": "d-1"})
    assert stand.run() == []
    assert stand.graph.calls == 0
