"""An own shop through the real handlers: its orders come in by poll and webhook, stock and parcels go out to it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.inbound.polls import OVERLAP_MS, poll
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account, read_cursor, read_pause
from chalicelib.store.listings import Listing, listing_writes, listings_of, sku_writes
from chalicelib.store.orders import read_order
from chalicelib.store.stock import listed_write, receipt_writes
from local.marketplaces.shop import ShopStandIn
from local.memory.world import World
from tests.integration.test_lifecycle import document

CHANNEL = "shop-de"


class Trade:
    """A world that sells mugs in one shop, with ten on hand."""

    def __init__(self) -> None:
        self.shop = ShopStandIn(["MUG"], lambda: self.world.now_ms, page_size=2)
        self.world = World(transport=self.shop.send)
        tables = self.world.tables
        add_account(tables, CHANNEL, self.shop.account)
        self.world.secrets.kept[f"{CHANNEL}/api"] = self.shop.secret
        tables.write(*sku_writes("MUG", "Mug"))
        tables.write(*listing_writes(Listing(CHANNEL, "MUG", "MUG", {})))
        tables.write(*receipt_writes("opening", "MUG", "main", 10, self.world.now_ms))
        tables.write(listed_write("MUG", "main", ("shop",), self.world.now_ms))
        self.world.run()

    def poll(self) -> None:
        poll("shop", self.world.runtime)
        self.world.run()

    def puts_back(self, units: int) -> None:
        """What the shop makes of a cancellation by itself."""
        shown = self.shop.availability["MUG"]
        self.shop.availability["MUG"] = shown._replace(quantity=shown.quantity + units)

    def order(self, number: str) -> Any:
        return read_order(self.world.tables, f"{CHANNEL}:{number}", content=True)

    def ship(self, number: str) -> None:
        parcel = {"shipment_id": "p1", "location": "main", "shipped_ms": 1}
        fact = {**parcel, "carrier": "UPS", "tracking_number": "1Z", "lines": [{"line_id": "1", "units": 2}]}
        self.world.queues.send("shipping", [{"order": f"{CHANNEL}:{number}", "do": "ship", "fact": fact}])
        self.world.run()


@pytest.fixture
def trade() -> Trade:
    return Trade()


def test_an_order_of_a_shop_comes_in_lowers_what_it_shows_and_goes_back_as_a_parcel(trade: Trade) -> None:
    assert trade.shop.availability["MUG"].quantity == 10
    trade.shop.place(document())
    trade.poll()
    assert trade.shop.availability["MUG"].quantity == 8
    trade.ship("1001")
    assert list(trade.shop.shipments) == [("1001", "p1")]
    assert unconfirmed_shipments(trade.order("1001")) == ()
    version = trade.order("1001").state.version
    trade.world.now_ms += 3_600_000
    trade.poll()  # the shop's own word of the parcel changes no unit
    assert [units.shipped for units in trade.order("1001").state.quantities] == [2]
    assert trade.order("1001").state.version <= version + 1
    assert [effect[0] for effect in trade.shop.effects] == ["availability", "availability", "shipment"]


def test_a_shop_that_puts_a_cancelled_order_back_on_sale_is_told_our_number_again(trade: Trade) -> None:
    """The order was held, so no stock was ever promised to it and its end changes none."""
    held = document(total="9.99")
    trade.shop.place(held)
    trade.poll()
    assert [hold.reason for hold in trade.order("1001").state.holds] == ["total_mismatch"]
    trade.puts_back(2)
    trade.shop.place({**held, "updated_at": "2026-01-05T11:00:00Z", "cancelled": True})
    trade.poll()
    assert trade.order("1001").state.quantities[0].cancelled == 2
    assert trade.shop.availability["MUG"].quantity == 10


def test_an_order_that_is_first_heard_of_when_it_is_called_off_may_have_been_put_back_on_sale_too(trade: Trade) -> None:
    """Between its sale and its end the shop was shown our number once more, which knew of neither."""
    trade.puts_back(2)
    trade.shop.place(document(cancelled=True))
    trade.poll()
    assert trade.order("1001").state.quantities[0].cancelled == 2
    assert trade.shop.availability["MUG"].quantity == 10


def test_a_shop_hears_our_number_again_once_it_has_taken_a_cancellation_of_ours(trade: Trade) -> None:
    held = document(total="9.99")
    trade.shop.place(held)
    trade.poll()
    trade.puts_back(2)
    cancel = {"order": f"{CHANNEL}:1001", "do": "cancel", "fact": {"cancellation_id": "c1"}}
    trade.world.queues.send("entry", [cancel])
    trade.world.run()
    assert trade.shop.effects[-2][0] == "cancellation"
    assert trade.shop.availability["MUG"].quantity == 10


def test_a_poll_reads_every_page_and_its_cursor_is_the_newest_change_that_the_shop_has_shown(trade: Trade) -> None:
    trade.world.now_ms += 10_000_000_000
    for number in range(5):
        trade.shop.place(document(f"{number}", f"2026-01-05T10:0{number}:00Z"))
    trade.poll()
    assert all(trade.order(f"{number}") for number in range(5))
    newest_ms = int(datetime.fromisoformat("2026-01-05T10:04:00+00:00").timestamp() * 1000)
    assert read_cursor(trade.world.tables, CHANNEL).read_to_ms == newest_ms


def test_the_next_poll_overlaps_the_last_one(trade: Trade) -> None:
    trade.shop.place(document("late", "2026-01-05T10:10:00Z"))
    trade.poll()
    just_inside, outside = "2026-01-05T10:07:30Z", "2026-01-05T10:06:59Z"
    assert OVERLAP_MS == 180_000
    trade.shop.place(document("inside", just_inside))
    trade.shop.place(document("outside", outside))
    trade.poll()
    assert trade.order("inside")
    assert trade.order("outside") is None


def test_a_poll_that_breaks_off_leaves_the_cursor_and_is_done_again(trade: Trade) -> None:
    for number in range(3):
        trade.shop.place(document(f"{number}", f"2026-01-05T10:0{number}:00Z"))
    first_page = trade.shop.handle("GET", "/orders", {"changed_since": "2026-01-05T10:00:00Z"}, {})[1]
    trade.shop.instead.append(HttpResponse(200, {}, json.dumps(first_page).encode()))
    trade.shop.instead.append(HttpResponse(502, {}, b"<html>"))
    trade.poll()
    assert read_cursor(trade.world.tables, CHANNEL).read_to_ms == 0
    assert trade.order("2") is None
    trade.poll()
    assert trade.order("2")


def test_a_hint_fetches_the_order_from_the_shop(trade: Trade) -> None:
    trade.shop.place(document())
    trade.world.queues.send("hints", [{"channel": CHANNEL, "external_id": "1001"}])
    trade.world.run()
    assert trade.order("1001")


def test_a_shop_that_is_down_hears_of_the_stock_once_it_is_up(trade: Trade) -> None:
    trade.shop.instead.extend([HttpResponse(503, {}, b"<html>down</html>")] * 2)
    trade.world.tables.write(*receipt_writes("more", "MUG", "main", 5, trade.world.now_ms))
    for _ in range(4):
        trade.world.run()
        trade.world.now_ms += 60_000
    assert trade.shop.availability["MUG"].quantity == 15
    (listing,) = listings_of(trade.world.tables, ["MUG"], "shop")
    assert listing.acked_quantity == 15


def test_a_shop_that_no_longer_takes_the_token_is_paused_calls_for_help_once_and_catches_up_when_mended(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log, "sink", lines.append)
    trade.shop.place(document("7"))
    trade.poll()
    trade.shop.token = "rolled"
    trade.world.tables.write(*receipt_writes("more", "MUG", "main", 5, trade.world.now_ms))
    trade.world.run()
    trade.ship("7")
    trade.poll()
    assert not any(trade.world.queues.dead.values())
    alarms = [json.loads(line) for line in lines if "_aws" in line]
    assert [(alarm["event"], alarm["channel"]) for alarm in alarms] == [("channel_paused", CHANNEL)]
    pause = read_pause(trade.world.tables, CHANNEL)
    assert pause
    assert "renew the token" in pause.why
    trade.world.now_ms += 600_000
    trade.world.secrets.kept[f"{CHANNEL}/api"] = {"token": "rolled"}
    trade.poll()
    assert read_pause(trade.world.tables, CHANNEL) is None
    assert trade.shop.availability["MUG"].quantity == 13
    assert not unconfirmed_shipments(trade.order("7"))


def test_a_token_that_is_refused_is_not_the_shops_word_on_a_refund(trade: Trade) -> None:
    trade.shop.place(document("7"))
    trade.poll()
    trade.ship("7")
    trade.shop.token = "rolled"
    wish = {"refund_id": "f1", "amount_minor": 100}
    trade.world.queues.send("funding", [{"order": f"{CHANNEL}:7", "do": "refund", "fact": wish}])
    trade.world.run()
    assert trade.order("7").state.refunds["f1"].status == "created"
    trade.world.now_ms += 600_000
    trade.world.secrets.kept[f"{CHANNEL}/api"] = {"token": "rolled"}
    trade.poll()
    assert trade.order("7").state.refunds["f1"].status == "confirmed"


UNKNOWN: dict[str, dict[str, Any]] = {
    "entry": {"channel": "etsy", "raw": json.dumps(document()), "hint": {}},
    "hints": {"channel": "etsy", "external_id": "1"},
}


@pytest.mark.parametrize("queue", UNKNOWN)
def test_a_message_of_an_unknown_kind_of_channel_ends_in_the_dead_letters_and_says_so(
    trade: Trade, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log, "sink", lines.append)
    add_account(trade.world.tables, "etsy", {})
    trade.world.queues.send(queue, [UNKNOWN[queue]])
    trade.world.run()
    assert [json.loads(body) for body in trade.world.queues.dead[queue]] == [UNKNOWN[queue]]
    logged = [json.loads(line) for line in lines]
    assert {(line["event"], line["queue"], line["reason"]) for line in logged} == {("failed", queue, "unknown_channel")}


def test_stock_and_parcels_of_an_account_that_is_gone_end_in_the_dead_letters(trade: Trade) -> None:
    trade.shop.place(document())
    trade.poll()
    tables = trade.world.tables
    tables.write(*listing_writes(Listing("shop-gone", "MUG", "MUG", {})))
    trade.world.queues.send("entry", [{"channel": "shop-gone", "raw": json.dumps(document("9")), "hint": {}}])
    trade.world.run()
    parcel = {"shipment_id": "p9", "location": "main", "shipped_ms": 1, "lines": [{"line_id": "1", "units": 2}]}
    trade.world.queues.send("shipping", [{"order": "shop-gone:9", "do": "ship", "fact": parcel}])
    trade.world.run()
    dead = [json.loads(body) for body in trade.world.queues.dead["sync-shop"]]
    assert {"order": "shop-gone:9"} in dead
    assert {"sku": "MUG"} in dead
    order = read_order(tables, "shop-gone:9")
    assert order is not None
    assert not order.state.holds  # nothing is wrong with the order
