"""What the API takes to move an order: once, again, only to see, when it is not possible, when it is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.api
import chalicelib.inbound.commands
import chalicelib.inbound.guard
from app import app
from chalicelib.domain.sourcing import Sourcing
from chalicelib.inbound.commands import BODIES
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import sku_writes
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.integration.test_api import TOKEN, call, queued
from tests.integration.test_lifecycle import books, document, send

ORDER = "/api/orders/storefront:1001"
ONE, TWO = [{"line_id": "1", "units": 1}], [{"line_id": "1", "units": 2}]
PARCEL = {"shipment_id": "p1", "carrier": "DHL", "tracking_number": "1", "lines": TWO}
SALE = {"line_id": "s1", "order_id": "storefront:1001", "kind": "sale", "amount": "10.00"}
PAYOUT = {"channel": "storefront", "payout_id": "po1", "currency": "EUR", "paid_ms": 1, "lines": [SALE]}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Ten mugs, no cups, a token."""
    world = World()
    world.secrets.kept = {"api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"}}
    add_account(world.tables, "storefront", {})
    set_sourcing(world.tables, Sourcing(("main", "spare")))
    for sku in ("MUG", "CUP"):
        world.tables.write(*sku_writes(sku, sku.title()))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 10, 0))
    for module in (chalicelib.inbound.api, chalicelib.inbound.commands, chalicelib.inbound.guard):
        monkeypatch.setattr(module, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def post(world: World, client: Client, what: str, body: Mapping[str, Any]) -> None:
    path = what if what.startswith("/") else f"{ORDER}/{what}"
    status, answer = call(client, "POST", path, body)
    assert status == 202, answer
    world.run()


def shown(client: Client) -> dict[str, Any]:
    status, order = call(client, "GET", ORDER)
    assert status == 200
    return dict(order)


# How an order comes to where a command makes sense: the document, then what is posted.
REACHED: dict[str, tuple[dict[str, Any], list[tuple[str, Mapping[str, Any]]]]] = {
    "allocated": (document(), []),
    "backordered": (document(sku="CUP"), []),
    "held": (document(), [("holds", {"reason": "fraud"})]),
    "shipped": (document(), [("shipments", PARCEL)]),
    "settled": (document(), [("shipments", PARCEL), ("/api/payouts", PAYOUT)]),
    "requested": (
        document(),
        [("shipments", PARCEL), ("returns", {"return_id": "r1", "step": "request", "lines": TWO})],
    ),
    "received": (
        document(),
        [("shipments", PARCEL), ("returns", {"return_id": "r1", "step": "receive", "lines": TWO})],
    ),
    "refunding": (document(), [("refunds", {"refund_id": "f1", "amount": "3.00"})]),
    "labelled": (document(), [("fulfilments", {"location": "main", "answer": "label"})]),
    "called off": (
        document(),
        [("fulfilments", {"location": "main", "answer": "label"}), ("cancellations", {"cancellation_id": "c1"})],
    ),
}


def reach(world: World, client: Client, state: str) -> None:
    first, steps = REACHED[state]
    send(world, first)
    for what, body in steps:
        post(world, client, what, body)


Check = Callable[[dict[str, Any]], bool]
POSSIBLE: list[tuple[str, str, dict[str, Any], Check]] = [
    ("allocated", "shipments", PARCEL, lambda o: o["status"] == "shipped" and o["shipments"][0]["carrier"] == "DHL"),
    ("allocated", "holds", {"reason": "fraud", "detail": "odd"}, lambda o: o["hold_details"][0]["detail"] == "odd"),
    ("held", "rejections", {"reason": "fraud"}, lambda o: o["holds"] == [] and o["lines"][0]["units"]["open"] == 0),
    (
        "allocated",
        "fulfilments",
        {"location": "main", "answer": "accept"},
        lambda o: o["fulfilment"] == {"main": "accepted"},
    ),
    ("labelled", "fulfilments", {"location": "main", "answer": "reopen"}, lambda o: o["fulfilment"] == {}),
    (
        "labelled",
        "fulfilments",
        {"location": "main", "answer": "reroute"},
        lambda o: o["fulfilment"] == {"main": "rejected"},
    ),
    ("called off", "fulfilments", {"location": "main", "answer": "yield"}, lambda o: o["units"]["cancelled"] == 2),
    (
        "called off",
        "fulfilments",
        {"location": "main", "answer": "refuse_cancel"},
        lambda o: o["lines"][0]["to_cancel"] == 0,
    ),
    (
        "labelled",
        "cancellations",
        {"cancellation_id": "c1", "lines": ONE, "reason": "changed mind"},
        lambda o: o["lines"][0]["to_cancel"] == 1 and o["cancellations"]["c1"]["lines"] == ONE,
    ),
    ("backordered", "substitutions", {"line_id": "1", "sku": "MUG"}, lambda o: o["lines"][0]["sku"] == "MUG"),
    (
        "shipped",
        "returns",
        {"return_id": "r1", "step": "request", "lines": ONE},
        lambda o: o["returns"]["r1"]["status"] == "requested",
    ),
    (
        "requested",
        "returns",
        {"return_id": "r1", "step": "approve"},
        lambda o: o["returns"]["r1"]["status"] == "approved",
    ),
    (
        "requested",
        "returns",
        {"return_id": "r1", "step": "decline"},
        lambda o: o["returns"]["r1"]["status"] == "declined",
    ),
    ("requested", "returns", {"return_id": "r1", "step": "receive"}, lambda o: o["units"]["returned"] == 2),
    (
        "received",
        "returns",
        {"return_id": "r1", "restock": ONE},
        lambda o: o["status"] == "returned" and o["returns"]["r1"]["restocked"] == ONE,
    ),
    ("shipped", "returns", {"return_id": "r1", "lines": TWO}, lambda o: o["returns"]["r1"]["restocked"] == TWO),
    (
        "requested",
        "exchanges",
        {"return_id": "r1", "lines": [{"sku": "CUP", "units": 1}]},
        lambda o: o["returns"]["r1"]["exchange"] == "storefront:1001~r1",
    ),
    (
        "allocated",
        "refunds",
        {"refund_id": "f1", "amount": "3.00", "reason": "goodwill"},
        lambda o: o["refunds"]["f1"] == {"amount": "3.00", "reason": "goodwill", "status": "created", "detail": ""},
    ),
    ("refunding", "refund-outcomes", {"refund_id": "f1"}, lambda o: o["money"]["refunded"] == "3.00"),
    (
        "refunding",
        "refund-outcomes",
        {"refund_id": "f1", "failure": "no"},
        lambda o: o["refunds"]["f1"]["detail"] == "no",
    ),
    (
        "settled",
        "disputes",
        {"dispute_id": "d1", "amount": "10.00", "due_ms": 2_000_000_000_000},
        lambda o: o["stage"] == "settlement" and o["disputes"]["d1"]["status"] == "open",
    ),
    ("settled", "archive", {}, lambda o: o["archived"]),
]


def test_every_command_is_tried() -> None:
    assert {what for _, what, _, _ in POSSIBLE} == set(BODIES)


@pytest.mark.parametrize(("state", "what", "body", "done"), POSSIBLE)
def test_a_command_is_taken_once_and_its_repeat_changes_nothing(
    world: World, client: Client, state: str, what: str, body: dict[str, Any], done: Check
) -> None:
    reach(world, client, state)
    before = shown(client)
    assert call(client, "POST", f"{ORDER}/{what}", body)[0] == 202
    world.run()
    after = shown(client)
    assert after["version"] > before["version"]
    assert done(after)
    status, answer = call(client, "POST", f"{ORDER}/{what}", body)
    assert (status, answer["applied"], queued(world)) == (200, False, 0)
    assert shown(client) == after
    books(world)


@pytest.mark.parametrize(("state", "what", "body", "done"), POSSIBLE)
def test_a_dry_run_shows_the_order_as_it_would_be_and_writes_nothing(
    world: World, client: Client, state: str, what: str, body: dict[str, Any], done: Check
) -> None:
    reach(world, client, state)
    before = dict(world.tables.items)
    status, answer = call(client, "POST", f"{ORDER}/{what}?dry_run=1", body)
    assert (status, answer["applied"], answer["would_apply"]) == (200, False, True)
    assert done(answer["order"])
    assert world.tables.items == before
    assert queued(world) == 0


@pytest.mark.parametrize(
    ("state", "what", "body", "reason", "named"),
    [
        ("allocated", "shipments", {**PARCEL, "lines": [{"line_id": "1", "units": 3}]}, "not_allocated", "line 1"),
        ("allocated", "shipments", {**PARCEL, "location": "spare"}, "not_allocated", "'spare'"),
        ("allocated", "returns", {"return_id": "r1", "lines": ONE}, "not_shipped", "line 1"),
        ("shipped", "returns", {"return_id": "r1"}, "not_shipped", "lines"),
        ("shipped", "returns", {"return_id": "r1", "step": "approve", "lines": ONE}, "bad_step", "'r1'"),
        (
            "received",
            "returns",
            {"return_id": "r1", "restock": [{"line_id": "1", "units": 3}]},
            "not_returned",
            "restock",
        ),
        ("held", "fulfilments", {"location": "main", "answer": "accept"}, "on_hold", "1001"),
        ("allocated", "fulfilments", {"location": "spare", "answer": "accept"}, "not_allocated", "'spare'"),
        ("shipped", "cancellations", {"cancellation_id": "c1"}, "nothing_left", "1001"),
        (
            "allocated",
            "cancellations",
            {"cancellation_id": "c1", "lines": [{"line_id": "1", "units": 3}]},
            "nothing_left",
            "'1'",
        ),
        ("allocated", "substitutions", {"line_id": "1", "sku": "CUP"}, "already_promised", "'1'"),
        ("allocated", "refunds", {"refund_id": "f1", "amount": "10.01"}, "over_refund", "amount"),
        ("refunding", "refunds", {"refund_id": "f2", "amount": "7.01"}, "over_refund", "amount"),
        ("allocated", "archive", {}, "still_open", "shipping"),
    ],
)
def test_what_is_not_possible_gets_409_and_names_what_is_in_the_way(
    world: World, client: Client, state: str, what: str, body: dict[str, Any], reason: str, named: str
) -> None:
    reach(world, client, state)
    status, answer = call(client, "POST", f"{ORDER}/{what}", body)
    assert (status, answer["error"]["reason"]) == (409, reason)
    assert named in answer["error"]["detail"]
    assert queued(world) == 0


@pytest.mark.parametrize(
    ("what", "body", "named"),
    [
        ("shipments", {**PARCEL, "lines": []}, "lines"),
        ("shipments", {**PARCEL, "shipment_id": "a/b"}, "shipment_id"),
        ("shipments", {**PARCEL, "location": "moon"}, "location"),
        ("shipments", {**PARCEL, "lines": [{"line_id": "9", "units": 1}]}, "'9'"),
        ("shipments", {**PARCEL, "lines": [{"line_id": "1", "units": 0}]}, "lines.0.units"),
        ("returns", {"return_id": "r1", "step": "lose"}, "step"),
        ("fulfilments", {"location": "main", "answer": "perhaps"}, "answer"),
        ("holds", {"reason": "Fraud!"}, "reason"),
        ("rejections", {}, "reason"),
        ("cancellations", {"lines": ONE}, "cancellation_id"),
        ("substitutions", {"line_id": "1", "sku": "NONE"}, "sku"),
        ("exchanges", {"return_id": "r1", "lines": [{"sku": "NONE", "units": 1}]}, "lines[0].sku"),
        ("refunds", {"refund_id": "f1", "amount": "much"}, "amount"),
        ("refund-outcomes", {"refund_id": "f1", "failure": 7}, "failure"),
        ("disputes", {"dispute_id": "d1", "amount": "10.00", "status": "draw"}, "status"),
        ("disputes", {"dispute_id": "d1", "amount": "-10.00"}, "amount"),
        ("archive", {"why": "old"}, "why"),
    ],
)
def test_a_wrong_body_gets_400_and_names_the_field(
    world: World, client: Client, what: str, body: dict[str, Any], named: str
) -> None:
    reach(world, client, "allocated")
    status, answer = call(client, "POST", f"{ORDER}/{what}", body)
    assert status == 400, answer
    assert named in answer["error"]["detail"]
    assert queued(world) == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/orders/storefront:none/holds", {"reason": "fraud"}),
        ("POST", f"{ORDER}/wishes", {}),
        ("POST", f"{ORDER}/exchanges", {"return_id": "none", "lines": [{"sku": "CUP", "units": 1}]}),
        ("DELETE", f"{ORDER}/holds/fraud", None),
        ("DELETE", f"{ORDER}/cancellations/none", None),
    ],
)
def test_what_is_not_there_gets_404(world: World, client: Client, method: str, path: str, body: Any) -> None:
    reach(world, client, "allocated")
    assert call(client, method, path, body)[0] == 404
    assert queued(world) == 0


def test_a_cancellation_is_taken_back_by_its_id(world: World, client: Client) -> None:
    reach(world, client, "allocated")
    post(world, client, "cancellations", {"cancellation_id": "c1"})
    assert shown(client)["status"] == "cancelled"
    assert call(client, "DELETE", f"{ORDER}/cancellations/c1")[0] == 202
    world.run()
    assert (shown(client)["status"], shown(client)["cancellations"]) == ("allocated", {})
    books(world)


def test_a_hold_is_resolved_only_to_see(world: World, client: Client) -> None:
    reach(world, client, "held")
    status, answer = call(client, "DELETE", f"{ORDER}/holds/fraud?dry_run=1")
    assert (status, answer["order"]["holds"], shown(client)["holds"]) == (200, [], ["fraud"])


def test_the_moves_that_are_offered_are_possible(world: World, client: Client) -> None:
    """`open_moves` of the order's view: what a person may press."""
    reach(world, client, "allocated")
    assert set(shown(client)["open_moves"]) == {"hold", "cancel", "refund", "ship"}
    post(world, client, "shipments", PARCEL)
    assert set(shown(client)["open_moves"]) == {"hold", "refund", "return"}


def test_an_order_that_may_not_ship_ships_only_when_its_parcel_has_left_already(world: World, client: Client) -> None:
    reach(world, client, "held")
    status, answer = call(client, "POST", f"{ORDER}/shipments", PARCEL)
    assert (status, answer["error"]["reason"]) == (409, "on_hold")
    assert "fraud" in answer["error"]["detail"]
    post(world, client, "shipments", {**PARCEL, "already_left": True})
    assert shown(client)["units"]["shipped"] == 2
    assert call(client, "POST", f"{ORDER}/shipments", PARCEL)[0] == 200


def test_an_unpaid_order_whose_stock_is_only_reserved_may_not_ship(world: World, client: Client) -> None:
    send(world, {**document(), "payment": {"status": "pending"}})
    assert shown(client)["units"]["allocated"] == 2
    status, answer = call(client, "POST", f"{ORDER}/shipments", PARCEL)
    assert (status, answer["error"]["reason"]) == (409, "on_hold")
