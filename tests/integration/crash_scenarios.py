"""What each function is given before it crashes: a state brought about by the real handlers, and the event."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.channels.facts import ChannelDispute, ChannelReturn, ListedItem, Metric, Payout
from chalicelib.domain.channel_order import Contact
from chalicelib.domain.settlement import LedgerFact
from chalicelib.domain.stock import StockMove
from chalicelib.inbound import accounts
from chalicelib.outbound.sweep import ARCHIVE_AFTER_MS
from chalicelib.runtime.clients import pause
from chalicelib.store.accounts import add_account, read_account
from chalicelib.store.codec import SCHEMA
from chalicelib.store.contacts import buyer_of, contact_write, index_writes
from chalicelib.store.stock import receipt_writes, stock_writes
from chalicelib.store.tables import Key, Put
from local.carriers.desk import UNKNOWN_POSTCODE
from local.marketplaces.ebay_notifications import message, signed
from local.marketplaces.shelf import Change
from local.simulation.shop import PRICE
from local.trade import START
from tests.accounts import Account
from tests.integration.crash_sandbox import OFFERS, Sandbox

CHANNEL, NUMBER = "shop", "1001"
SOLD_AT = ("shopify", "amazon", "ebay", "woocommerce")
ORDER = f"{CHANNEL}:{NUMBER}"
MUGS = ({"id": "1", "sku": "MUG", "quantity": 2},)
MUG_AND_SET = (*MUGS, {"id": "2", "sku": "SET", "quantity": 1})
PAID = {"status": "paid"}

Event = Any
Prepare = Callable[[Sandbox], Event]


@dataclass(frozen=True)
class Scenario:
    """`prepare` brings the sandbox to where the event comes in, and returns that event."""

    name: str
    prepare: Prepare


# --- how an order gets somewhere ------------------------------------------------------------------------


def document(box: Sandbox, *lines: dict[str, Any], payment: Any = PAID, number: str = NUMBER, **more: Any) -> Event:
    """The entry message of an order that the shop has; two mugs unless told otherwise."""
    own = [{**line, "unit_price": f"{PRICE / 100:.2f}"} for line in lines or MUGS]
    box.shop.place(number, own, payment, **more)
    return [{"channel": CHANNEL, "raw": box.shop.document(number), "hint": {}}]


def enter(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    assert box.deliver("entry", document(box, *lines, **more)) == {"batchItemFailures": []}


def allocate(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    enter(box, *lines, **more)
    box.deliver("allocation", look(more.get("number", NUMBER)))


def ship(box: Sandbox, *lines: dict[str, Any], **more: Any) -> None:
    allocate(box, *lines, **more)
    box.deliver("shipping", parcel())


def settle(box: Sandbox) -> None:
    ship(box)
    box.deliver("settlement", payout())


def look(number: str = NUMBER) -> Event:
    return [{"order": f"{CHANNEL}:{number}"}]


def ask(do: str, order: str = ORDER, **fact: Any) -> Event:
    return [{"order": order, "do": do, "fact": fact, "actor": "api"}]


def parcel(units: int = 2, **more: Any) -> Event:
    lines = more.pop("lines", [{"line_id": "1", "units": units}])
    fact = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": lines, **more}
    return ask("ship", **fact)


def payout(order: str = ORDER, currency: str = "EUR", **more: Any) -> Event:
    lines = [
        {"line_id": "sale", "kind": "sale", "amount_minor": 1000},
        {"line_id": "fee", "kind": "fee", "amount_minor": -120},
    ]
    shared = {"channel": CHANNEL, "payout_id": "po", "order_id": order, "currency": currency, "paid_ms": 1}
    return [{"payout": {**shared, "lines": lines}, **more}]


def after(*steps: Callable[[Sandbox], Any], then: Event | Callable[[Sandbox], Event]) -> Prepare:
    """Take the steps; then comes the event."""

    def prepare(box: Sandbox) -> Event:
        for step in steps:
            step(box)
        return then(box) if callable(then) else then

    return prepare


def sent(function: str, event: Event) -> Callable[[Sandbox], Any]:
    """A step: the function has been called with this event."""
    return lambda box: box.deliver(function, event)


def backorder(box: Sandbox) -> None:
    """Twenty mugs are wanted, and there are thirteen."""
    allocate(box, {"id": "1", "sku": "MUG", "quantity": 20})


def stocked(units: int = 20) -> Callable[[Sandbox], Any]:
    return lambda box: box.ports().tables.write(*receipt_writes("delivery", "MUG", "main", units, box.now_ms))


# --- the API --------------------------------------------------------------------------------------------


def post(path: str, **body: Any) -> Event:
    return "POST", path, body


def put(path: str, **body: Any) -> Event:
    return "PUT", path, body


def signed_webhook(box: Sandbox) -> Event:
    order_id = box.markets.sell("shopify", 1)[0]
    box.markets.notify()
    delivery = box.markets.outbox[0]
    assert order_id
    digest = hmac.digest(box.markets.shopify.client_secret.encode(), delivery.body, hashlib.sha256)
    signature = {"X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(), "X-Shopify-Topic": "orders/create"}
    return "POST", "/webhooks/shopify", delivery.body, signature


def large_document(box: Sandbox) -> Event:
    message = document(box, note="n" * 250_000)[0]
    return "POST", f"/channels/{CHANNEL}/orders", message["raw"].encode()


def small_document(box: Sandbox) -> Event:
    return "POST", f"/channels/{CHANNEL}/orders", document(box)[0]["raw"].encode()


MOVEMENTS = (
    {"kind": "receipt", "movement_id": "m1", "sku": "NEW", "units": 7},
    {"kind": "count", "movement_id": "m1", "sku": "CUP", "units": 3},
    {"kind": "transfer", "movement_id": "m1", "sku": "MUG", "units": 2, "to": "east"},
    {"kind": "expected", "movement_id": "m1", "sku": "MUG", "units": 5},
    {"kind": "safety_stock", "movement_id": "m1", "sku": "MUG", "units": 1},
)
LINES = [{"line_id": "1", "units": 2}]
ORDERS_PATH = f"/api/orders/{ORDER}"


def only_the_shop(box: Sandbox) -> None:
    """One account: each more would only repeat the same reads."""
    box.ports().tables.write(Put(Key("channels", "SETTINGS", "CHANNELS"), {"schema": SCHEMA, "names": [CHANNEL]}))


def signed_by_ebay(topic: str) -> Prepare:
    """A notification whose key nobody has fetched yet."""

    def prepare(box: Sandbox) -> Event:
        about = "ada" if topic.endswith("DELETION") else box.markets.sell("ebay", 1)[0]
        change = Change(about, "created", box.now)
        body, headers = signed(box.markets.ebay, message(box.markets.ebay, topic, change))
        return "POST", "/webhooks/ebay", body, headers

    return prepare


API = [
    Scenario("shopify webhook", signed_webhook),
    Scenario("confirmation by ebay", signed_by_ebay("ORDER_CONFIRMATION")),
    Scenario("deletion by ebay", signed_by_ebay("MARKETPLACE_ACCOUNT_DELETION")),
    Scenario("order of the shop", small_document),
    Scenario("order too large for a queue", large_document),
    Scenario("shipment", after(allocate, then=post(f"{ORDERS_PATH}/shipments", shipment_id="p1", lines=LINES))),
    Scenario(
        "shipments in bulk",
        after(
            allocate,
            lambda box: allocate(box, number="1002"),
            then=post(
                "/api/shipments",
                shipments=[{"order_id": f"shop:{n}", "shipment_id": "p1", "lines": LINES} for n in ("1001", "1002")],
            ),
        ),
    ),
    Scenario("return", after(ship, then=post(f"{ORDERS_PATH}/returns", return_id="r1", lines=LINES))),
    Scenario("hold", after(allocate, then=post(f"{ORDERS_PATH}/holds", reason="fraud"))),
    Scenario("refund", after(enter, then=post(f"{ORDERS_PATH}/refunds", refund_id="r1", amount="2.50"))),
    Scenario("cancellation", after(allocate, then=post(f"{ORDERS_PATH}/cancellations", cancellation_id="c1"))),
    Scenario("substitution", after(enter, then=post(f"{ORDERS_PATH}/substitutions", line_id="1", sku="CUP"))),
    Scenario(
        "payout",
        lambda _: post(
            "/api/payouts",
            channel=CHANNEL,
            payout_id="po",
            currency="EUR",
            paid_ms=1,
            lines=[{"line_id": str(n), "order_id": f"shop:{n}", "kind": "sale", "amount": "1.00"} for n in range(12)],
        ),
    ),
    Scenario("stock receipt", lambda _: post("/api/stock/receipts", movement_id="r1", sku="MUG", units=4)),
    *(
        Scenario(f"stock {movement['kind']}", after(then=post("/api/stock/movements", movements=[movement])))
        for movement in MOVEMENTS
    ),
    Scenario("new kit", lambda _: put("/api/skus/PAIR", title="Pair", components=[{"sku": "MUG", "units": 2}])),
    Scenario(
        "listing that changes its SKU",
        lambda _: post("/api/listings", channel="shop", channel_sku="MUG", sku="CUP"),
    ),
    Scenario("new listing", lambda _: post("/api/listings", channel="shop", channel_sku="M2", sku="MUG")),
    Scenario("rule of a listing", lambda _: put("/api/listings/rule", channel="shop", channel_sku="MUG", buffer=2)),
    Scenario("rule of a channel", lambda _: put("/api/listings/rule", channel="shop", share_percent=50)),
    Scenario("one order read", after(allocate, then=("GET", ORDERS_PATH))),
    Scenario("money of an order", after(settle, then=("GET", f"{ORDERS_PATH}/money"))),
    Scenario("all channels", after(only_the_shop, sent("show_accounts", None), then=("GET", "/api/channels"))),
    Scenario("one channel", after(only_the_shop, sent("show_accounts", None), then=("GET", "/api/channels/shop"))),
    Scenario("stock explained", after(only_the_shop, allocate, then=("GET", "/api/stock/MUG/explain"))),
]


# --- channels -------------------------------------------------------------------------------------------


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


FUNDING = [
    Scenario("refunds seen", after(enter, then=ask("refunds_seen", total_minor=250))),
    Scenario("more refunds seen than was paid", after(enter, then=ask("refunds_seen", total_minor=5000))),
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


def later(**duration: float) -> Callable[[Sandbox], Any]:
    return lambda box: box.pass_time(**duration)


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
    Scenario("nothing to find", after(only_the_shop, allocate, later(minutes=20), then=None)),
]

# --- what is read of accounts beside their orders: the account is a list, every call of ours is real ---------------


def reading(account: Account, *steps: Callable[[Sandbox], Any]) -> Prepare:
    """The only account, `shop`, is a marketplace that answers from lists."""

    def prepare(box: Sandbox) -> Event:
        only_the_shop(box)
        for step in steps:
            step(box)
        for kinds in ("MARKETPLACES", "TAKERS_BACK", "PAYERS", "DISPUTED"):
            box.patch.setattr(accounts, kinds, ("shop",))
        box.patch.setattr(accounts, "client_for", lambda channel, runtime: account)
        return None

    return prepare


def booked(name: str, kind: str, amount_minor: int, order: str = NUMBER) -> LedgerFact:
    return LedgerFact(name, kind, amount_minor, "EUR", 1, order)


SOLD = (booked("s", "sale", 1000), booked("f", "fee", -120), booked("r", "refund", -250), booked("m", "fee", -39, ""))
RETURNS = [
    ChannelReturn("r1", NUMBER, "approve", (("1", 1),), "", 5),
    ChannelReturn("r2", "old", "request", (("1", 1),), "", 5),
]
DISPUTES = [ChannelDispute(f"d{order}", order, 400, "EUR", "open", 9) for order in (NUMBER, "old")]
METRICS = [Metric("late", "3.1", "3", is_good=False), Metric("defects", "0", "2", is_good=True)]
LISTED = [ListedItem("MUG", {}, quantity=99), ListedItem("SET", {}, quantity=0), ListedItem("OTHER", {}, "Other")]


def acknowledged(box: Sandbox) -> None:
    box.deliver("sync_shop", [{"sku": "MUG"}, {"sku": "CUP"}])
    box.pass_time(minutes=20)


STARTED_MS = round(START.timestamp() * 1000)


def tells_a_webhook(box: Sandbox) -> None:
    tables = box.ports().tables
    add_account(tables, CHANNEL, {**read_account(tables, CHANNEL), "webhook_url": "https://oms.example/webhooks/shop"})


UNHEARD_OF = [(str(number), b'{"id": "%d"}' % number, STARTED_MS) for number in range(12)]  # more than a batch


ACCOUNTS = {
    "poll_money": [
        Scenario("transactions, one a refund", reading(Account(facts=list(SOLD)), ship)),
        Scenario("a payout", reading(Account(paid=[Payout("po", "EUR", 5, 591, SOLD)]), ship)),
        Scenario(
            "transactions that are paid out, to a sum that is wrong",
            reading(Account(facts=list(SOLD), paid=[Payout("po", "EUR", 5, 1, SOLD)]), ship),
        ),
        Scenario("a dispute of a known and of an unknown order", reading(Account(disputed=DISPUTES), ship)),
    ],
    "poll_returns": [Scenario("one known and one unknown", reading(Account(sent_back=RETURNS), ship))],
    "check_accounts": [
        Scenario("a bad measure", reading(Account(metrics=METRICS))),
        Scenario("webhooks that are made", reading(Account(webhooks={"order": "created"}), tells_a_webhook)),
    ],
    "check_listings": [Scenario("one wrong, one unlinked", reading(Account(items=LISTED), acknowledged))],
    "check_orders": [
        Scenario(
            "orders that slipped through, and one that has changed since",
            reading(Account(orders=[*UNHEARD_OF, (NUMBER, b"{}", STARTED_MS)]), enter, later(hours=2)),
        ),
    ],
    "show_accounts": [
        Scenario("all accounts", lambda _: None),
        Scenario("a paused account", after(only_the_shop, lambda box: pause(CHANNEL, "why", box.ports()), then=None)),
    ],
}


def referred(box: Sandbox) -> Event:
    visit = {"landing_url": "https://shop.example/?fbclid=IwAbC", "user_agent": "Browser", "consent": True}
    enter(box, attribution=visit, placed_at=box.now.isoformat())
    box.deliver("funding", look())
    return look()


BOX = {"weight_g": 500, "length_mm": 250, "width_mm": 150, "height_mm": 100}
WISH = {"location": "main", "lines": [{"line_id": "1", "units": 2}], "package": BOX, "ship": True}
LABEL = [{"order": ORDER, "label": "L1", "account": "easypost", "wish": WISH}]
ADDRESS = {"name": "A Buyer", "line1": "2 Elm Street", "city": "Dayton", "postcode": "45402", "country": "US"}


def addressed(postcode: str = "45402") -> Callable[[Sandbox], Any]:
    """An order that may ship, with a buyer who lives somewhere."""
    contact = Contact(name="A Buyer", buyer_ref="buyer-7", address={**ADDRESS, "postcode": postcode})

    def prepare(box: Sandbox) -> None:
        allocate(box)
        box.deliver("funding", look())
        box.deliver("allocation", look())
        box.ports().tables.write(contact_write(ORDER, contact, box.now_ms))

    return prepare


def labelled(box: Sandbox) -> None:
    addressed()(box)
    box.deliver("buy_labels", LABEL)
    lines = WISH["lines"]
    parcel_of_label = {"shipment_id": "L1", "tracking_number": number_of(box), "lines": lines}
    box.deliver("shipping", parcel(**parcel_of_label))


def called_off(box: Sandbox) -> None:
    addressed()(box)
    box.deliver("shipping", parcel(1, shipment_id="own"))


def number_of(box: Sandbox) -> str:
    return next(each.tracking_number for each in box.carrier.state.shipments.values() if each.tracking_number)


def tracked(status: str) -> Callable[[Sandbox], Event]:
    return lambda box: [{"tracking_number": number_of(box), "status": status, "at_ms": box.now_ms}]


LABELS = [
    Scenario("a label, bought and filed", after(addressed(), then=LABEL)),
    Scenario("an address that nobody delivers to", after(addressed(UNKNOWN_POSTCODE), then=LABEL)),
    Scenario("a label for units that are gone", after(called_off, then=LABEL)),
    Scenario("a label given back", after(labelled, then=[{"order": ORDER, "void": "L1"}])),
]
TRACKING = [
    Scenario("under way", after(labelled, then=tracked("in_transit"))),
    Scenario("delivered", after(labelled, then=tracked("delivered"))),
]

SCENARIOS: dict[str, list[Scenario]] = {
    "buy_labels": LABELS,
    "tracking": TRACKING,
    "poll_tracking": [Scenario("a parcel unheard of", after(labelled, later(hours=40), then=None))],
    "api_handler": API,
    "amazon_notifications": [Scenario("two orders", notified)],
    "ebay_notifications": [
        Scenario("two orders", told_by_ebay("ORDER_CONFIRMATION", "1", "2")),
        Scenario("consent is gone", told_by_ebay("AUTHORIZATION_REVOCATION")),
    ],
    "erase": [Scenario("a buyer with two orders", erased)],
    "fetch": [
        *(Scenario(f"hint of {channel}", hinted(channel)) for channel in ("shop", *SOLD_AT)),
        Scenario("an app that was uninstalled", lambda _: [{"channel": "shopify", "uninstalled": True}]),
    ],
    "entry": ENTRY,
    "funding": FUNDING,
    "allocation": ALLOCATION,
    "shipping": SHIPPING,
    "settlement": SETTLEMENT,
    "relay": RELAY,
    "feed_catalogue": [
        Scenario("what was sent is asked after", after(lambda box: box.deliver("feed_catalogue", None), then=None))
    ],
    "tell_meta": [Scenario("a purchase", referred)],
    "sync_shop": SHOP,
    **{f"sync_{channel}": marketplace(channel) for channel in SOLD_AT},
    **{f"poll_{channel}": [Scenario("new orders", sold(channel))] for channel in ("shop", *SOLD_AT)},
    "sweep": SWEEP,
    "reconcile": RECONCILE,
    **ACCOUNTS,
}
