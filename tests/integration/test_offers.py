"""What listings of one account do to one another while they are pushed: nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.channels.port import Availability, Price
from chalicelib.channels.registry import revisions_of
from chalicelib.domain.errors import Busy, HeadraceError, OverBudget, Refused, Unanswered
from chalicelib.runtime import clients
from chalicelib.store.listings import Listing, Shown, acknowledge, listing_writes, listings_of, price_write, sku_writes
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.accounts import Account, connected, quiet_world


class Shop(Account):
    """Shows what it is told; `outcomes` are answered instead, by item. A `bug` is an item that it cannot think of."""

    shown: dict[str, int]
    prices: dict[str, int]
    outcomes: dict[str, HeadraceError]
    bug: str = ""

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        if self.bug in [each.channel_sku for each in wanted]:
            raise KeyError(self.bug)
        self.shown |= {each.channel_sku: each.quantity for each in wanted if each.channel_sku not in self.outcomes}
        return [self.outcomes.get(each.channel_sku) for each in wanted]

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        self.prices |= {each.channel_sku: each.price_minor for each in wanted}
        return [None for _ in wanted]


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def ebay(world: World, monkeypatch: pytest.MonkeyPatch) -> Shop:
    connected(world, monkeypatch, "ebay")
    shop = Shop()
    shop.shown, shop.prices, shop.outcomes = {}, {}, {}
    monkeypatch.setattr(clients, "client_class", lambda kind: lambda *more: shop)
    return shop


def stocked(world: World, sku: str, units: int, *items: str) -> None:
    world.tables.write(*sku_writes(sku))
    for item in items:
        world.tables.write(*listing_writes(Listing("ebay", item, sku, {})))
    if units:
        world.tables.write(*receipt_writes("r1", sku, "main", units, world.now_ms))
    world.tables.stream.clear()


def worn(world: World, sku: str, item: str, revisions: int, quantity: int = 5) -> None:
    """The listing has been changed so often today."""
    limit = revisions_of("ebay")
    assert limit
    day = limit.day_of(world.now_ms)
    (listing,) = [each for each in listings_of(world.tables, [sku]) if each.channel_sku == item]
    shown = Shown(quantity, 0, 0, day)
    acknowledge(world.tables, Listing(**{**vars(listing), "revised_day": day, "revisions": revisions}), shown, 0)


def push(world: World, *skus: str) -> None:
    world.queues.send("sync-ebay", [{"sku": sku} for sku in skus])
    world.run()


def delayed(world: World) -> list[Any]:
    return [json.loads(message[1]) for _, _, message in world.queues.delayed]


def test_a_listing_whose_changes_are_used_up_does_not_keep_another_of_its_sku_from_selling_out(
    world: World, ebay: Shop
) -> None:
    stocked(world, "MUG", 0, "MUG-1", "MUG-2")
    worn(world, "MUG", "MUG-1", 250)
    worn(world, "MUG", "MUG-2", 3)
    world.queues.send("sync-ebay", [{"sku": "MUG", "again": True}])
    world.run()
    assert ebay.shown == {"MUG-2": 0}
    assert [each["sku"] for each in delayed(world)] == ["MUG"]


def test_a_hot_listing_is_looked_at_by_one_message_when_it_may_be_changed_again(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 40, "MUG-1")
    worn(world, "MUG", "MUG-1", 200, quantity=30)
    for _ in range(20):
        push(world, "MUG")
    assert (ebay.shown, [each["sku"] for each in delayed(world)]) == ({}, ["MUG"])
    for _ in range(40):
        world.now_ms += 900_000
        world.queues.wake(world.now_ms)
        world.run()
    assert ebay.shown == {"MUG-1": 40}
    assert delayed(world) == []


def test_a_hot_listing_that_nearly_sells_out_does_not_wait(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 2, "MUG-1")
    worn(world, "MUG", "MUG-1", 200, quantity=30)
    push(world, "MUG")
    assert ebay.shown == {"MUG-1": 2}


def test_a_push_that_is_refused_is_no_change_of_today(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 4, "MUG-1")
    worn(world, "MUG", "MUG-1", 7)
    ebay.outcomes = {"MUG-1": Refused("channel_refused", "no such offer")}
    push(world, "MUG")
    (listing,) = listings_of(world.tables, ["MUG"])
    assert (listing.revisions, listing.acked_quantity) == (8, 5)


def test_a_bug_that_one_listing_brings_to_light_fails_its_own_message_only(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 4, "MUG-1")
    stocked(world, "CUP", 2, "CUP-1")
    stocked(world, "POT", 3, "POT-1")
    ebay.bug = "CUP-1"
    push(world, "MUG", "CUP", "POT")
    assert ebay.shown == {"MUG-1": 4, "POT-1": 3}
    assert [json.loads(body)["sku"] for body in world.queues.dead["sync-ebay"]] == ["CUP"]


def test_two_listings_of_a_sku_each_keep_what_became_of_them(world: World, ebay: Shop) -> None:
    """One is refused for good and one is to come again: it comes again."""
    stocked(world, "MUG", 4, "MUG-1", "MUG-2", "MUG-3")
    ebay.outcomes = {"MUG-1": OverBudget("used up", after_s=60), "MUG-2": Refused("channel_refused", "no such offer")}
    push(world, "MUG")
    assert ebay.shown == {"MUG-3": 4}
    assert [each["sku"] for each in delayed(world)] == ["MUG"]
    ebay.outcomes.clear()
    world.queues.wake(world.now_ms + 60_000)
    world.run()
    assert ebay.shown == {"MUG-1": 4, "MUG-2": 4, "MUG-3": 4}


def test_a_value_that_crossed_another_goes_out_again_whatever_else_is_in_trouble(
    world: World, ebay: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget that is used up for one listing must not hide that two workers pushed another at once."""
    stocked(world, "MUG", 4, "MUG-1", "MUG-2")
    ebay.outcomes = {"MUG-1": OverBudget("used up", after_s=60)}
    push_availability = ebay.push_availability

    def overtaken(wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        outcome = push_availability(wanted)
        (listing,) = [each for each in listings_of(world.tables, ["MUG"]) if each.channel_sku == "MUG-2"]
        acknowledge(world.tables, listing, Shown(9, 99, 0), 0)
        monkeypatch.setattr(ebay, "push_availability", push_availability)
        return outcome

    monkeypatch.setattr(ebay, "push_availability", overtaken)
    push(world, "MUG")
    (waiting,) = delayed(world)
    assert waiting["again"] is True


def test_a_number_that_was_pushed_again_while_another_went_out_does_not_count_as_unchanged(
    world: World, ebay: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker repeats 4, another says 3 in between and is slower to record it: it must find that it is not alone."""
    stocked(world, "MUG", 4, "MUG-1")
    push(world, "MUG")
    world.tables.write(*receipt_writes("r2", "MUG", "main", 3, world.now_ms))
    push_availability = ebay.push_availability

    def repeated(wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        outcome = push_availability(wanted)
        (listing,) = listings_of(world.tables, ["MUG"])
        monkeypatch.setattr(ebay, "push_availability", push_availability)
        ebay.shown["MUG-1"] = listing.acked_quantity
        acknowledge(world.tables, listing, Shown(listing.acked_quantity, listing.acked_version, 0), 0)
        return outcome

    monkeypatch.setattr(ebay, "push_availability", repeated)
    push(world, "MUG")
    world.queues.wake(world.now_ms + 60_000)
    world.run()
    assert ebay.shown == {"MUG-1": 7}


def test_a_number_whose_answer_was_lost_goes_out_again_although_a_newer_one_was_acknowledged(
    world: World, ebay: Shop
) -> None:
    """The lost call may be carried out after the newer one."""
    stocked(world, "MUG", 4, "MUG-1")
    ebay.outcomes = {"MUG-1": Unanswered("no answer", after_s=5)}
    push(world, "MUG")
    ebay.outcomes.clear()
    push(world, "MUG")
    ebay.shown["MUG-1"] = 9  # the lost call arrives at last
    world.queues.wake(world.now_ms + 60_000)
    world.run()
    assert ebay.shown == {"MUG-1": 4}


def test_a_throttled_number_goes_out_again_only_when_nobody_else_has_said_it(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 4, "MUG-1")
    ebay.outcomes = {"MUG-1": OverBudget("used up", after_s=5)}
    push(world, "MUG")
    ebay.outcomes.clear()
    push(world, "MUG")
    ebay.shown.clear()
    world.queues.wake(world.now_ms + 60_000)
    world.run()
    assert ebay.shown == {}


def test_a_price_without_stock_is_told(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 0, "MUG-1")
    (listing,) = listings_of(world.tables, ["MUG"])
    world.tables.write(price_write(listing, 1250, "EUR"))
    push(world, "MUG")
    assert (ebay.shown, ebay.prices) == ({"MUG-1": 0}, {"MUG-1": 1250})


def test_work_that_a_channel_never_takes_ends_in_the_dead_letters(world: World, ebay: Shop) -> None:
    stocked(world, "MUG", 4, "MUG-1")
    ebay.outcomes = {"MUG-1": Busy("down", after_s=60)}
    push(world, "MUG")
    for _ in range(230):
        world.now_ms += 900_000
        world.queues.wake(world.now_ms)
        world.run()
    assert len(world.queues.dead["sync-ebay"]) == 1
    assert world.queues.delayed == []
