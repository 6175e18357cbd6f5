"""What functions that speak to channels, or hear of them, are given before they crash."""

from __future__ import annotations

import json

from chalicelib.domain.channel_order import Contact
from chalicelib.store.contacts import buyer_of, contact_write, index_writes
from chalicelib.store.stock import receipt_writes
from tests.integration.crash_sandbox import OFFERS, Sandbox
from tests.integration.crash_steps import (
    CHANNEL,
    MUG_AND_SET,
    NUMBER,
    Event,
    Prepare,
    Scenario,
    after,
    ask,
    document,
    enter,
    look,
    sent,
    ship,
)


def notified(box: Sandbox) -> Event:
    box.markets.sell("amazon", 2)
    box.markets.notify()
    return [json.loads(delivery.body) for delivery in box.markets.outbox if delivery.marketplace == "amazon"]


def told_by_ebay(topic: str, *order_ids: str) -> Prepare:
    def prepare(box: Sandbox) -> Event:
        sellers = [box.markets.ebay.seller_id]
        about = {"channel": "ebay", "topic": topic, "notification_id": "n-1"}
        return [{**about, "sellers": sellers, "order_ids": list(order_ids)}]

    return prepare


def erased(box: Sandbox) -> Event:
    """A buyer with two orders, one of them held and one large, is to be erased."""
    ports, buyer = box.ports(), Contact(name="Ada Example", buyer_ref="ada uid-ada")
    claim = "claims/ebay/large"
    for order_id in ("ebay:1", "ebay:2"):
        for index in index_writes("ebay", order_id, buyer, box.now_ms, claim if order_id == "ebay:2" else ""):
            ports.tables.write(index)
        ports.tables.write(contact_write(order_id, buyer, box.now_ms))
    for key in ("held/ebay:1", claim):
        ports.bodies.put(key, b"Ada Example")
    return [{"notification_id": "n-1", "buyers": [buyer_of("ebay", ref) for ref in ("uid-ada", "ada")]}]


def hinted(channel: str) -> Prepare:
    def prepare(box: Sandbox) -> Event:
        if channel == CHANNEL:
            document(box)
            return [{"channel": CHANNEL, "external_id": NUMBER}]
        return [{"channel": channel, "external_id": order_id} for order_id in box.markets.sell(channel, 1)]

    return prepare


def sold(channel: str) -> Prepare:
    def prepare(box: Sandbox) -> Event:
        if channel == CHANNEL:
            for number in range(6):  # more than a page
                document(box, number=str(number))
        else:
            box.markets.sell(channel, 2)
            box.pass_time(minutes=10)  # Amazon lists no change of the last minutes
        return None

    return prepare


def marketplace_parcel(channel: str) -> Prepare:
    """An order of a marketplace has left; the marketplace does not know it yet."""

    def prepare(box: Sandbox) -> Event:
        (external_id,) = box.markets.sell(channel, 1, OFFERS[0].sku)
        box.pass_time(minutes=40)
        box.markets.tick(box.now)
        box.deliver(f"poll_{channel}", None)
        messages = box.queued("entry")
        assert messages
        box.deliver("entry", messages)
        order_id = f"{channel}:{external_id}"
        box.deliver("allocation", [{"order": order_id}])
        _, detail = box.deliver("api_handler", ("GET", f"/api/orders/{order_id}"))
        lines = [
            {"line_id": line["line_id"], "units": line["allocations"]["main"]}
            for line in detail["lines"]
            if line["allocations"].get("main")
        ]
        assert lines, detail
        fact = {"shipment_id": "p1", "location": "main", "carrier": "UPS", "tracking_number": "1Z1", "lines": lines}
        box.deliver("shipping", ask("ship", order_id, shipped_ms=box.now_ms, **fact))
        return [{"order": order_id}]

    return prepare


def changed_offers(box: Sandbox) -> Event:
    for offer in OFFERS:
        box.ports().tables.write(*receipt_writes("delivery", offer.sku, "main", 3, box.now_ms))
    return [{"sku": offer.sku} for offer in OFFERS]


def pushed_before(channel: str) -> Prepare:
    """The availability is known to the channel and changes once more."""

    def prepare(box: Sandbox) -> Event:
        skus = [{"sku": offer.sku} for offer in OFFERS]
        box.deliver(f"sync_{channel}", skus)
        return changed_offers(box)

    return prepare


def marketplace(channel: str) -> list[Scenario]:
    return [
        Scenario("availability for the first time", lambda box: changed_offers(box)),
        Scenario("availability that changes", pushed_before(channel)),
        Scenario("parcel", marketplace_parcel(channel)),
        Scenario("rule", lambda _: [{"rule_of": channel}]),
    ]


SHOP = [
    Scenario("availability, kit included", lambda _: [{"sku": "MUG"}, {"sku": "CUP"}]),
    Scenario("parcel", after(ship, then=look())),
    Scenario("refund", after(enter, sent("funding", ask("refund", refund_id="r1", amount_minor=250)), then=look())),
    Scenario("cancellation", after(enter, sent("entry", ask("cancel", cancellation_id="c1")), then=look())),
    Scenario(
        "parcel, refund and cancellation at once",
        after(
            lambda box: ship(box, *MUG_AND_SET),
            sent("funding", ask("refund", refund_id="r1", amount_minor=250)),
            sent("entry", ask("cancel", cancellation_id="c1")),
            sent("allocation", look()),
            then=look(),
        ),
    ),
    Scenario("rule", lambda _: [{"rule_of": "shop"}]),
]
