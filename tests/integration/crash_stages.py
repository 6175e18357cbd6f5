"""What stages, and what the clock and commits wake, are given before they crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.stock import StockMove
from chalicelib.outbound.sweep import ARCHIVE_AFTER_MS
from chalicelib.store.stock import stock_writes
from tests.integration.crash_sandbox import Sandbox
from tests.integration.crash_steps import (
    CHANNEL,
    LINES,
    MUG_AND_SET,
    NUMBER,
    ORDER,
    Event,
    Prepare,
    Scenario,
    after,
    allocate,
    ask,
    backorder,
    document,
    enter,
    large_document,
    later,
    look,
    only_the_shop,
    parcel,
    payout,
    post,
    sent,
    settle,
    ship,
    stocked,
)

# --- stages ---------------------------------------------------------------------------------------------

RETURNED = {"return_id": "r1", "location": "main", "lines": LINES}
CUP = {"sku": "CUP", "title": "Cup", "components": [], "release_ms": 0}
EXCHANGE = {"return_id": "r1", "lines": [{"sku": CUP, "units": 1}]}
BUYER = {"customer": {"name": "Ada Example", "email": "ada@example.org"}}


def edited(**more: Any) -> Prepare:
    """The shop restates an order that is allocated."""

    def prepare(box: Sandbox) -> Event:
        allocate(box)
        box.shop.orders[NUMBER] |= more
        box.shop.changed(NUMBER)
        return [{"channel": CHANNEL, "raw": box.shop.document(NUMBER), "hint": {}}]

    return prepare


def claimed(box: Sandbox) -> Event:
    assert box.deliver("api_handler", large_document(box))[0] == 202
    return box.queued("entry")


def exchanged(box: Sandbox) -> None:
    """An exchange that waits for the goods, which then come back."""
    ship(box)
    box.deliver("shipping", ask("return", **RETURNED, step="request"))
    box.deliver("entry", ask("exchange", **EXCHANGE))
    box.deliver("shipping", ask("return", **RETURNED, step="receive"))


ENTRY = [
    Scenario("new order", lambda box: document(box, *MUG_AND_SET)),
    Scenario("new order with money pending", lambda box: document(box, payment={"status": "pending"})),
    Scenario("unknown SKU", lambda box: document(box, {"id": "1", "sku": "NOBODY", "quantity": 1})),
    Scenario("unreadable payload", lambda _: [{"channel": CHANNEL, "raw": '{"hello": 1}', "hint": {}}]),
    Scenario("large payload", claimed),
    Scenario("cancelled by the channel", edited(cancelled=True)),
    Scenario("new address", edited(ship_to={"line1": "2 New Street", "postcode": "BA2 2BB", "country": "GB"})),
    Scenario(
        "catalogue has grown",
        after(
            lambda box: enter(box, {"id": "1", "sku": "LATE", "quantity": 1}),
            sent("api_handler", post("/api/listings", channel="shop", channel_sku="LATE", sku="MUG")),
            then=look(),
        ),
    ),
    Scenario("hold", after(allocate, then=ask("hold", reason="fraud"))),
    Scenario(
        "resolve", after(allocate, sent("entry", ask("hold", reason="fraud")), then=ask("resolve", reason="fraud"))
    ),
    Scenario("reject", after(allocate, sent("entry", ask("hold", reason="fraud")), then=ask("reject", reason="fraud"))),
    Scenario("cancel", after(allocate, then=ask("cancel", cancellation_id="c1", lines=[{"line_id": "1", "units": 1}]))),
    Scenario(
        "uncancel",
        after(allocate, sent("entry", ask("cancel", cancellation_id="c1")), then=ask("uncancel", cancellation_id="c1")),
    ),
    Scenario(
        "exchange",
        after(ship, sent("shipping", ask("return", **RETURNED, step="request")), then=ask("exchange", **EXCHANGE)),
    ),
    Scenario("exchanged goods are here", after(exchanged, then=[{"order": f"{ORDER}~r1"}])),
    Scenario("archive", after(settle, then=ask("archive"))),
]


def paid_late(box: Sandbox) -> Event:
    """The authorisation lapses while the order is allocated."""
    until = "2026-05-04T13:00:00Z"
    allocate(box, payment={"status": "authorised", "authorised_until": until})
    box.pass_time(hours=2)
    return look()


def held_at_stripe(box: Sandbox) -> None:
    """Until when, nobody has told."""
    allocate(box, payment={"status": "authorised", "processor": "stripe", "reference": "pi_1"})


FUNDING = [
    Scenario("until when is told", after(held_at_stripe, then=ask("expiry", reference="pi_1", expires_ms=1))),
    Scenario("refunds seen", after(enter, then=ask("refunds_seen", total_minor=250))),
    Scenario("more refunds seen than was paid", after(enter, then=ask("refunds_seen", total_minor=5000))),
    Scenario(
        "a refund that the bank sent back",
        after(enter, then=ask("refund_sent_back", refund_id="re_1", amount_minor=250, currency="EUR")),
    ),
    Scenario("authorisation lapses", paid_late),
    Scenario("refund", after(enter, then=ask("refund", refund_id="r1", amount_minor=250))),
    Scenario(
        "refund outcome",
        after(
            enter,
            sent("funding", ask("refund", refund_id="r1", amount_minor=250)),
            then=ask("refund_outcome", refund_id="r1"),
        ),
    ),
    Scenario("dispute", after(settle, then=ask("dispute", dispute_id="d1", amount_minor=500, status="open"))),
]


def reservation_ends(box: Sandbox) -> Event:
    allocate(box, payment={"status": "pending"})
    box.pass_time(minutes=31)
    return look()


ALLOCATION = [
    Scenario(
        "two orders, one a kit",
        after(
            lambda box: enter(box, *MUG_AND_SET),
            lambda box: enter(box, number="1002"),
            then=look() + look("1002"),
        ),
    ),
    Scenario("not enough", after(lambda box: enter(box, {"id": "1", "sku": "MUG", "quantity": 20}), then=look())),
    Scenario("stock comes in", after(backorder, stocked(), then=[{"sku": "MUG"}])),
    Scenario("reservation ends", reservation_ends),
    Scenario("called off", after(allocate, sent("entry", ask("cancel", cancellation_id="c1")), then=look())),
    Scenario(
        "substitute",
        after(
            lambda box: allocate(box, {"id": "1", "sku": "MUG", "quantity": 20}, payment={"status": "paid"}),
            sent("shipping", ask("fulfilment", location="main", answer="reroute")),
            sent("shipping", ask("fulfilment", location="east", answer="reroute")),
            then=ask("substitute", line_id="1", sku=CUP),
        ),
    ),
]

SHIPPING = [
    Scenario("ship", after(allocate, then=parcel())),
    Scenario(
        "ship part of an order with a kit",
        after(
            lambda box: allocate(box, *MUG_AND_SET),
            then=parcel(lines=[{"line_id": "2", "units": 1}]),
        ),
    ),
    Scenario("ship what was not promised", after(allocate, then=parcel(3))),
    Scenario("return requested", after(ship, then=ask("return", **RETURNED, step="request"))),
    Scenario("return received", after(ship, then=ask("return", **RETURNED, step="receive"))),
    Scenario(
        "return inspected",
        after(
            ship,
            sent("shipping", ask("return", **RETURNED, step="receive")),
            then=ask("return", return_id="r1", restock=[{"line_id": "1", "units": 1}]),
        ),
    ),
    Scenario("accept", after(allocate, then=ask("fulfilment", location="main", answer="accept"))),
    Scenario("reroute", after(allocate, then=ask("fulfilment", location="main", answer="reroute"))),
    Scenario(
        "yield",
        after(
            allocate,
            sent("shipping", ask("fulfilment", location="main", answer="accept")),
            sent("entry", ask("cancel", cancellation_id="c1")),
            then=ask("fulfilment", location="main", answer="yield"),
        ),
    ),
]

SETTLEMENT = [
    Scenario("payout", after(ship, then=payout())),
    Scenario("payout before its order", lambda _: payout()),
    Scenario("payout whose order never came", lambda _: payout(rounds=8)),
    Scenario("payout in another currency", after(ship, then=payout(currency="JPY"))),
]


# --- told by the clock or by what was committed ---------------------------------------------------------


def streamed(*steps: Callable[[Sandbox], Any]) -> Prepare:
    """What the steps committed, as the streams tell it."""

    def prepare(box: Sandbox) -> Event:
        for step in steps:
            step(box)
        return box.stream()

    return prepare


RELAY = [
    Scenario("an order enters", streamed(enter)),
    Scenario("an order whose money is held at Stripe enters", streamed(held_at_stripe)),
    Scenario("stock comes in and leaves", streamed(stocked(), ship)),
    Scenario("goods of an exchange come back", streamed(exchanged)),
    Scenario(
        "everything that may follow",
        streamed(
            settle,
            sent("funding", ask("refund", refund_id="r1", amount_minor=250)),
            lambda box: enter(box, number="1002"),
            sent("entry", ask("hold", "shop:1002", reason="fraud")),
        ),
    ),
]


SWEEP = [
    Scenario(
        "held order",
        after(
            only_the_shop,
            lambda box: enter(box, {"id": "1", "sku": "NOBODY", "quantity": 1}),
            later(minutes=16),
            then=None,
        ),
    ),
    Scenario(
        "reservation ends",
        after(only_the_shop, lambda box: allocate(box, payment={"status": "pending"}), later(minutes=31), then=None),
    ),
    Scenario(
        "backorder past its ship-by date",
        after(
            only_the_shop,
            lambda box: allocate(box, {"id": "1", "sku": "MUG", "quantity": 20}, ship_by="2026-05-05T12:00:00Z"),
            later(days=2, minutes=1),
            then=None,
        ),
    ),
    Scenario("closed long ago", after(only_the_shop, settle, later(milliseconds=ARCHIVE_AFTER_MS + 1000), then=None)),
]


def leak(box: Sandbox) -> None:
    """A promise of two mugs that no order holds."""
    box.ports().tables.write(*stock_writes([StockMove("MUG", "main", allocated=2)], box.now_ms))


RECONCILE = [
    Scenario("a promise that leaked", after(only_the_shop, allocate, leak, later(minutes=20), then=None)),
]
