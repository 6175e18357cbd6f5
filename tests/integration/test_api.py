"""The API and the webhooks as Lambda gets them, over in-memory ports."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from chalice.test import Client

import chalicelib.inbound.api
import chalicelib.inbound.commands
import chalicelib.inbound.guard
import chalicelib.inbound.stock_api
import chalicelib.inbound.webhooks
from app import app
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import listings_of, sku_writes
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.integration.test_lifecycle import document

TOKEN = "a token for tests"
SHOPIFY_SECRET = "the app's client secret"
STOREFRONT_KEY = b"the storefront's key"
GUARDED_ELSEWHERE = {"/", "/webhooks/{channel}", "/channels/{channel}/orders", "/checkout/{channel}"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.secrets.kept = {
        "api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"},
        "shopify/webhook": {"secrets": ["", SHOPIFY_SECRET]},
        "storefront/webhook": {"secrets": ["whsec_" + base64.b64encode(STOREFRONT_KEY).decode()]},
    }
    add_account(world.tables, "storefront", {})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 10, 0))
    for module in (
        chalicelib.inbound.api,
        chalicelib.inbound.commands,
        chalicelib.inbound.guard,
        chalicelib.inbound.stock_api,
        chalicelib.inbound.webhooks,
    ):
        monkeypatch.setattr(module, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of a request with the API token, unless `headers` say otherwise."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.http.request(method, path, headers=sent, body=raw)
    return answer.status_code, answer.json_body


def queued(world: World) -> int:
    return sum(len(waiting) for waiting in world.queues.waiting.values())


def sign_shopify(body: bytes, secret: str = SHOPIFY_SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def sign_standard(body: bytes, at_s: int) -> dict[str, str]:
    digest = hmac.new(STOREFRONT_KEY, f"m1.{at_s}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook_id": "m1", "webhook_timestamp": str(at_s), "webhook_signature": signature}


def test_every_route_asks_for_a_token_or_a_signature() -> None:
    unguarded = {
        path
        for path, methods in app.routes.items()
        for entry in methods.values()
        if not getattr(entry.view_function, "guarded", False)
    }
    # `told` wraps `guarded`: look through the wrappers
    unguarded = {
        path
        for path in unguarded
        if not any(getattr(_unwrapped(e.view_function), "guarded", False) for e in app.routes[path].values())
    }
    assert unguarded == GUARDED_ELSEWHERE


def _unwrapped(function: Any) -> Any:
    while not getattr(function, "guarded", False) and hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", "Basic abc", TOKEN])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/stages"), ("POST", "/api/payouts"), ("POST", "/channels/storefront/orders")]
)
def test_without_a_known_token_nothing_is_answered_and_nothing_happens(
    world: World, client: Client, token: str, method: str, path: str
) -> None:
    status, answer = call(client, method, path, document(), Authorization=token)
    assert status == 401
    assert answer["error"]["reason"] in ("no_token", "bad_token")
    assert queued(world) == 0


def test_a_signed_shopify_delivery_is_queued_with_its_bytes(world: World, client: Client) -> None:
    body = '{"id": 1, "note": "Größe  \\u00e9"}'.encode()
    headers = {"X_Shopify_Hmac_Sha256": sign_shopify(body), "X_Shopify_Topic": "orders/create"}
    assert call(client, "POST", "/webhooks/shopify", body, **headers) == (200, {"accepted": True})
    ((_, message, _),) = world.queues.waiting["entry"]
    assert json.loads(message) == {"channel": "shopify", "hint": {"topic": "orders/create"}, "raw": body.decode()}


@pytest.mark.parametrize(
    "signature", ["", "AAAA", sign_shopify(b'{"id": 1}', "another secret"), sign_shopify(b'{"id": 1}', "")]
)
def test_a_forged_delivery_gets_401_and_leaves_no_trace(world: World, client: Client, signature: str) -> None:
    headers = {"X_Shopify_Hmac_Sha256": signature, "X_Shopify_Topic": "orders/create"}
    status, _ = call(client, "POST", "/webhooks/shopify", b'{"id": 1}', **headers)
    assert status == 401
    assert queued(world) == 0
    assert world.bodies.kept == {}


def test_an_altered_delivery_gets_401_and_leaves_no_trace(world: World, client: Client) -> None:
    body = json.dumps(document()).encode()
    shopify = {"X_Shopify_Hmac_Sha256": sign_shopify(body), "X_Shopify_Topic": "orders/create"}
    storefront = sign_standard(body, world.now_ms // 1000)
    for position in range(0, len(body), 7):
        altered = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        assert call(client, "POST", "/webhooks/shopify", altered, **shopify)[0] == 401
        assert call(client, "POST", "/channels/storefront/orders", altered, Authorization="", **storefront)[0] == 401
    assert queued(world) == 0


def test_a_topic_that_is_not_used_is_acknowledged_and_left_alone(world: World, client: Client) -> None:
    headers = {"X_Shopify_Hmac_Sha256": sign_shopify(b"{}"), "X_Shopify_Topic": "products/update"}
    assert call(client, "POST", "/webhooks/shopify", b"{}", **headers)[0] == 200
    assert queued(world) == 0


def test_a_body_larger_than_a_queue_message_goes_through_the_bucket(world: World, client: Client) -> None:
    lines = [{"id": str(n), "sku": "MUG", "title": "x" * 200, "quantity": 0, "total": "0"} for n in range(2000)]
    big = document(lines=[*lines, {"id": "last", "sku": "MUG", "quantity": 2, "total": "10.00"}])
    body = json.dumps(big).encode()
    assert len(body) > 300_000
    status, _ = call(client, "POST", "/channels/storefront/orders", body, **sign_standard(body, world.now_ms // 1000))
    assert status == 202
    ((_, message, _),) = world.queues.waiting["entry"]
    assert len(message) < 1000
    world.run()
    status, order = call(client, "GET", f"/api/orders/{quote('storefront:1001', safe='')}")
    assert (status, len(order["lines"])) == (200, 2001)


def test_an_own_order_is_taken_with_a_signature_or_a_token(world: World, client: Client) -> None:
    body = json.dumps(document()).encode()
    signed = sign_standard(body, world.now_ms // 1000)
    for headers in ({"Authorization": "", **signed}, {}):
        assert call(client, "POST", "/channels/storefront/orders", body, **headers) == (
            202,
            {"orders": ["storefront:1001"]},
        )
    world.run()
    status, order = call(client, "GET", "/api/orders/storefront:1001")
    assert (status, order["stage"], order["status"]) == (200, "shipping", "allocated")
    assert order["total"] == {"amount": "10.00", "currency": "EUR"}
    assert [h["after"] for h in order["timeline"]] == ["funding", "allocation", "shipping"]


def test_the_order_of_a_connected_shop_is_taken_at_the_same_door(world: World, client: Client) -> None:
    add_account(world.tables, "shop-de", {"base_url": "https://shop.example/api"})
    world.secrets.kept["shop-de/webhook"] = world.secrets.kept["storefront/webhook"]
    body = json.dumps(document()).encode()
    for headers in ({"Authorization": "", **sign_standard(body, world.now_ms // 1000)}, {}):
        answer = call(client, "POST", "/channels/shop-de/orders", body, **headers)
        assert answer == (202, {"orders": ["shop-de:1001"]})
    world.run()
    assert call(client, "GET", "/api/orders/shop-de:1001")[1]["status"] == "allocated"


@pytest.mark.parametrize("channel", ["shopify", "shopify-de", "amazon", "shopping", "etsy"])
def test_only_an_own_channel_is_taken_at_the_own_door(world: World, client: Client, channel: str) -> None:
    add_account(world.tables, channel, {})
    status, answer = call(client, "POST", f"/channels/{channel}/orders", document())
    assert (status, answer["error"]["reason"]) == (401, "wrong_door")
    assert queued(world) == 0


def test_a_wrong_order_is_refused_by_the_name_of_its_field(world: World, client: Client) -> None:
    status, answer = call(client, "POST", "/channels/storefront/orders", document(currency="EURO"))
    assert status == 400
    assert "currency" in answer["error"]["detail"]
    assert queued(world) == 0


def test_stages_are_counted_and_orders_listed_in_pages(world: World, client: Client) -> None:
    for number in range(7):
        at = f"2026-01-05T10:0{number}:00Z"
        call(client, "POST", "/channels/storefront/orders", document(f"{number}", at, placed_at=at))
    world.run()
    world.now_ms += 90_000
    _, stages = call(client, "GET", "/api/stages")
    assert stages["channels"]["storefront"]["shipping"] == 5
    assert stages["channels"]["storefront"]["allocation"] == 2
    assert stages["oldest_waiting_s"]["shipping"] == 90
    assert stages["on_hold"] == 0
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = call(client, "GET", f"/api/orders?limit=3&cursor={quote(cursor)}")
        found += [order["external_id"] for order in page["orders"]]
        cursor = page["cursor"]
    assert found == ["6", "5", "4", "3", "2", "1", "0"]
    _, page = call(client, "GET", "/api/orders?stage=allocation&channel=storefront")
    assert [order["external_id"] for order in page["orders"]] == ["5", "6"]


@pytest.mark.parametrize(
    ("path", "word"), [("/api/orders?limit=0", "limit"), ("/api/orders?stage=nowhere", "stage must be one of")]
)
def test_a_wrong_question_is_answered_with_the_remedy(world: World, client: Client, path: str, word: str) -> None:
    status, answer = call(client, "GET", path)
    assert status == 400
    assert word in answer["error"]["detail"]


def test_the_warehouse_ships_once_and_only_what_is_allocated(world: World, client: Client) -> None:
    call(client, "POST", "/channels/storefront/orders", document())
    world.run()
    path = f"/api/orders/{quote('storefront:1001', safe='')}/shipments"
    parcel = {"shipment_id": "p1", "carrier": "DHL", "tracking_number": "1", "lines": [{"line_id": "1", "units": 2}]}
    too_much = {**parcel, "lines": [{"line_id": "1", "units": 3}]}
    assert call(client, "POST", path, too_much)[0] == 409
    for expected, applied in ((202, True), (200, False)):
        told = {"order": "storefront:1001", "do": "ship", "applied": applied}
        assert call(client, "POST", path, parcel) == (expected, told)
        assert queued(world) == int(applied)
        world.run()
    _, stock = call(client, "GET", "/api/stock/MUG")
    assert stock["locations"] == [
        {"location": "main", "on_hand": 8, "allocated": 0, "available": 8, "safety_stock": 0, "incoming": 0}
    ]
    assert call(client, "POST", path, {**parcel, "colour": "red"})[1]["error"]["detail"].startswith("colour")
    assert call(client, "POST", "/api/orders/storefront:none/shipments", parcel)[0] == 404


def test_a_payout_settles_and_a_return_restocks(world: World, client: Client) -> None:
    call(client, "POST", "/channels/storefront/orders", document())
    world.run()
    order = "/api/orders/storefront:1001"
    call(client, "POST", f"{order}/shipments", {"shipment_id": "p1", "lines": [{"line_id": "1", "units": 2}]})
    world.run()
    sale = {"line_id": "s1", "order_id": "storefront:1001", "kind": "sale", "amount": "10.00"}
    payout = {"channel": "storefront", "payout_id": "po1", "currency": "EUR", "paid_ms": 1, "lines": [sale]}
    for _ in range(2):
        assert call(client, "POST", "/api/payouts", payout)[0] == 202
    call(client, "POST", f"{order}/returns", {"return_id": "r1", "lines": [{"line_id": "1", "units": 1}]})
    world.run()
    _, found = call(client, "GET", order)
    assert (found["stage"], found["money"]["settled"], found["units"]["returned"]) == ("settled", "10.00", 1)
    _, stock = call(client, "GET", "/api/stock/MUG")
    assert stock["available"] == 9


def test_a_receipt_is_applied_once_and_never_writes_off_what_is_promised(world: World, client: Client) -> None:
    receipt = {"movement_id": "d1", "sku": "MUG", "units": 5}
    assert call(client, "POST", "/api/stock/receipts", receipt)[1] == {"movement_id": "d1", "applied": True}
    assert call(client, "POST", "/api/stock/receipts", receipt)[1] == {"movement_id": "d1", "applied": False}
    assert call(client, "POST", "/api/stock/receipts", {**receipt, "movement_id": "d2", "units": -16})[0] == 409


def test_a_listing_links_a_channels_item_to_a_sku(world: World, client: Client) -> None:
    call(client, "POST", "/channels/storefront/orders", document(sku="MUG-BLUE"))
    world.run()
    assert call(client, "GET", "/api/orders/storefront:1001")[1]["holds"] == ["unknown_sku"]
    listing = {"channel": "storefront", "channel_sku": "MUG-BLUE", "sku": "MUG"}
    assert call(client, "POST", "/api/listings", listing)[0] == 200
    world.queues.send("entry", [{"order": "storefront:1001"}])
    world.run()
    assert call(client, "GET", "/api/orders/storefront:1001")[1]["lines"][0]["sku"] == "MUG"


def test_no_log_line_names_a_buyer_a_token_or_a_secret(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log, "sink", lines.append)
    call(
        client,
        "POST",
        "/channels/storefront/orders",
        document(customer={"name": "Ada Example", "email": "a@b.example"}),
    )
    call(client, "POST", "/webhooks/shopify", b'{"email": "a@b.example"}', X_Shopify_Hmac_Sha256="AAAA")
    call(client, "GET", "/api/stages", Authorization="Bearer guessed-token")
    world.queues.send(
        "entry", [{"channel": "storefront", "raw": '{"email": "a@b.example"}', "hint": {}}, {"broken": 1}]
    )
    world.run()
    assert lines
    for word in ("Ada", "a@b.example", TOKEN, SHOPIFY_SECRET, "guessed-token"):
        assert not [line for line in lines if word in line]


def test_a_hold_is_resolved_by_name(world: World, client: Client) -> None:
    call(client, "POST", "/channels/storefront/orders", document(total="11.00"))
    world.run()
    order = "/api/orders/storefront:1001"
    assert call(client, "GET", order)[1]["holds"] == ["total_mismatch"]
    assert call(client, "DELETE", f"{order}/holds/fraud")[0] == 404
    assert call(client, "DELETE", f"{order}/holds/total_mismatch")[0] == 202
    world.run()
    found = call(client, "GET", order)[1]
    assert (found["holds"], found["stage"]) == ([], "shipping")


def test_an_item_that_is_linked_anew_leaves_its_old_sku_and_every_link_is_pushed(world: World, client: Client) -> None:
    world.tables.write(*sku_writes("CUP", "Cup"))
    for sku in ("MUG", "CUP"):
        world.tables.stream.clear()
        assert call(client, "POST", "/api/listings", {"channel": "shopify", "channel_sku": "M", "sku": sku})[0] == 200
        assert world.tables.stream[-1].new is not None
        assert world.tables.stream[-1].new["listed_on"] == ["shopify"]
    assert [listing.sku for listing in listings_of(world.tables, ["MUG", "CUP"], "shopify")] == ["CUP"]
    call(client, "POST", "/api/listings", {"channel": "storefront", "channel_sku": "C", "sku": "CUP"})
    assert world.tables.stream[-1].new["listed_on"] == ["shopify"]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/api/stock/receipts", {"movement_id": "d1", "sku": "MUG", "location": "mian", "units": 1}, "location"),
        (
            "/api/payouts",
            {"channel": "x", "payout_id": "p", "currency": "EUR", "paid_ms": 10**40, "lines": []},
            "paid_ms",
        ),
        ("/api/listings", {"channel": "x", "channel_sku": "y" * 3000, "sku": "MUG"}, "channel_sku"),
    ],
)
def test_what_no_table_could_hold_is_refused_at_the_door(
    world: World, client: Client, path: str, body: Any, word: str
) -> None:
    status, answer = call(client, "POST", path, body)
    assert status == 400
    assert word in answer["error"]["detail"]


def test_an_order_of_an_unknown_storefront_is_refused(world: World, client: Client) -> None:
    assert call(client, "POST", "/channels/storefront-x/orders", document())[0] == 404
    assert queued(world) == 0


def test_a_hold_for_an_unknown_sku_cannot_be_waved_through(world: World, client: Client) -> None:
    call(client, "POST", "/channels/storefront/orders", document(sku="CUP"))
    world.run()
    assert call(client, "DELETE", "/api/orders/storefront:1001/holds/unknown_sku")[0] == 400
