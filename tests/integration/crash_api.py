"""What the API is asked before it crashes."""

from __future__ import annotations

import base64
import hashlib
import hmac

from local.marketplaces.ebay_notifications import message, signed
from local.marketplaces.shelf import Change
from tests.integration.crash_sandbox import Sandbox
from tests.integration.crash_steps import (
    CHANNEL,
    LINES,
    ORDERS_PATH,
    Event,
    Prepare,
    Scenario,
    after,
    allocate,
    document,
    enter,
    large_document,
    only_the_shop,
    post,
    put,
    sent,
    settle,
    ship,
)


def signed_webhook(box: Sandbox) -> Event:
    order_id = box.markets.sell("shopify", 1)[0]
    box.markets.notify()
    delivery = box.markets.outbox[0]
    assert order_id
    digest = hmac.digest(box.markets.shopify.client_secret.encode(), delivery.body, hashlib.sha256)
    signature = {"X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(), "X-Shopify-Topic": "orders/create"}
    return "POST", "/webhooks/shopify", delivery.body, signature


def small_document(box: Sandbox) -> Event:
    return "POST", f"/channels/{CHANNEL}/orders", document(box)[0]["raw"].encode()


MOVEMENTS = (
    {"kind": "receipt", "movement_id": "m1", "sku": "NEW", "units": 7},
    {"kind": "count", "movement_id": "m1", "sku": "CUP", "units": 3},
    {"kind": "transfer", "movement_id": "m1", "sku": "MUG", "units": 2, "to": "east"},
    {"kind": "expected", "movement_id": "m1", "sku": "MUG", "units": 5},
    {"kind": "safety_stock", "movement_id": "m1", "sku": "MUG", "units": 1},
)


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
