"""A quantity that Amazon shows and we did not say: ours is said again, and a sale on its way is waited for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.store.accounts import add_account
from chalicelib.store.listings import Listing, Shown, acknowledge, listing_writes, listings_of, sku_writes
from local.memory.world import World

SELLER = "A1SELLER"
LATER = 900_000


@pytest.fixture
def world() -> World:
    """A mug that Amazon has acknowledged 5 of, listed there under another SKU."""
    world = World()
    add_account(world.tables, "amazon", {"seller_id": SELLER})
    add_account(world.tables, "amazon-us", {"seller_id": "A2OTHER"})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*listing_writes(Listing("amazon", "AMZ-MUG", "MUG", {})))
    (listing,) = listings_of(world.tables, ["MUG"])
    acknowledge(world.tables, listing, Shown(5, 1, 0), world.now_ms)
    return world


def told(
    quantity: Any, sku: str = "AMZ-MUG", seller: str = SELLER, kind: str = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
) -> Any:
    payload = {"SellerId": seller, "FulfillmentChannelCode": "DEFAULT", "Sku": sku, "Quantity": quantity}
    return {"NotificationVersion": "1.0", "NotificationType": kind, "Payload": payload}


def follows(world: World, message: Any) -> tuple[list[Any], list[Any]]:
    """What is sent to Amazon's worker at once, and what later."""
    world.queues.send("amazon-notifications", [message])
    while world.deliver("amazon-notifications"):
        pass
    now = [json.loads(body) for _, body, _ in world.queues.waiting["sync-amazon"]]
    later = [json.loads(body) for due, name, (_, body, _) in world.queues.delayed if name == "sync-amazon"]
    assert all(due == world.queues.now_ms + LATER for due, _, _ in world.queues.delayed)
    return now, later


AGAIN = {"sku": "MUG", "again": True}


def test_more_than_we_said_is_put_right_at_once(world: World) -> None:
    assert follows(world, told(6)) == ([AGAIN], [])


def test_less_than_we_said_may_be_a_sale_that_is_still_on_its_way(world: World) -> None:
    assert follows(world, told(4)) == ([], [AGAIN])


def test_what_we_said_ourselves_is_no_news(world: World) -> None:
    assert follows(world, told(5)) == ([], [])


@pytest.mark.parametrize(
    "message", [told(6, sku="UNKNOWN"), told(6, seller="A2OTHER"), told(6, seller="A3"), told(6, kind="PRICING_HEALTH")]
)
def test_what_is_not_ours_and_other_types_are_left_alone(world: World, message: Any) -> None:
    assert follows(world, message) == ([], [])
    assert not world.queues.dead["amazon-notifications"]


def test_a_listing_that_nothing_was_said_of_yet_is_left_to_its_first_push(world: World) -> None:
    world.tables.write(*listing_writes(Listing("amazon", "AMZ-2", "MUG", {})))
    assert follows(world, told(6, sku="AMZ-2")) == ([], [])


@pytest.mark.parametrize("quantity", [None, "many", -1])
def test_a_quantity_that_is_none_never_pushes_at_once(world: World, quantity: Any) -> None:
    assert follows(world, told(quantity))[0] == []


@pytest.mark.parametrize(
    ("store", "channels"),
    [("UK", ["amazon-uk"]), ("DE", ["amazon-de"]), ("FR", []), ("", ["amazon-de", "amazon-uk"])],
)
def test_an_order_of_a_seller_with_several_stores_is_looked_at_by_the_account_of_its_store(
    store: str, channels: list[str]
) -> None:
    world = World()
    for name in ("UK", "DE"):
        add_account(world.tables, f"amazon-{name.lower()}", {"seller_id": SELLER, "marketplace_id": name})
    change = {"SellerId": SELLER, "AmazonOrderId": "202-1", "Summary": {"MarketplaceId": store} if store else None}
    body = {"NotificationType": "ORDER_CHANGE", "Payload": {"OrderChangeNotification": change}}
    world.queues.send("amazon-notifications", [body])
    world.deliver("amazon-notifications")
    hints = [json.loads(text) for _, text, _ in world.queues.waiting["hints"]]
    assert [hint["channel"] for hint in hints] == channels
