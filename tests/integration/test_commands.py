"""The API's commands to orders: taken once, repeated harmlessly, refused by the name of what is wrong."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.store.accounts import add_account
from local.memory.world import World
from tests.integration.test_api import call, client, queued, world  # noqa: F401 fixtures
from tests.integration.test_lifecycle import document

ORDER = "/api/orders/storefront:1001"
ONE = [{"line_id": "1", "units": 1}]
PARCEL = {"shipment_id": "p1", "lines": [{"line_id": "1", "units": 2}]}

# what · its body · what has to be asked before
COMMANDS: list[tuple[str, dict[str, Any], list[tuple[str, dict[str, Any]]]]] = [
    ("shipments", PARCEL, []),
    ("returns", {"return_id": "r1", "step": "request", "lines": ONE}, [("shipments", PARCEL)]),
    ("fulfilments", {"location": "main", "answer": "accept"}, []),
    ("holds", {"reason": "fraud", "detail": "odd"}, []),
    ("cancellations", {"cancellation_id": "c1", "lines": ONE}, []),
    ("refunds", {"refund_id": "f1", "amount": "1.00", "reason": "claim"}, []),
    ("disputes", {"dispute_id": "d1", "amount": "10.00"}, []),
    ("rejections", {"reason": "fraud"}, [("holds", {"reason": "fraud"})]),
    ("refund-outcomes", {"refund_id": "f1"}, [("refunds", {"refund_id": "f1", "amount": "1.00"})]),
    (
        "exchanges",
        {"return_id": "r1", "lines": [{"sku": "MUG", "units": 1}]},
        [("shipments", PARCEL), ("returns", {"return_id": "r1", "step": "request", "lines": ONE})],
    ),
]


_STATUS = {"bad_request": 400, "unknown_line": 400, "unknown_return": 404}


@pytest.fixture
def entered(world: World, client: Client) -> World:  # noqa: F811
    """A paid order of two mugs, allocated."""
    add_account(world.tables, "storefront", {})
    assert call(client, "POST", "/channels/storefront/orders", document())[0] == 202
    world.run()
    return world


def ask(world: World, client: Client, what: str, body: dict[str, Any]) -> int:  # noqa: F811
    status, _ = call(client, "POST", f"{ORDER}/{what}", body)
    world.run()
    return status


@pytest.mark.parametrize(("what", "body", "before"), COMMANDS, ids=[each[0] for each in COMMANDS])
def test_a_command_is_taken_once_and_shown_beforehand(
    entered: World,
    client: Client,  # noqa: F811
    what: str,
    body: dict[str, Any],
    before: list[tuple[str, dict[str, Any]]],
) -> None:
    for earlier, earlier_body in before:
        assert ask(entered, client, earlier, earlier_body) == 202
    stored = deepcopy(entered.tables.items)
    status, shown = call(client, "POST", f"{ORDER}/{what}?dry_run=1", body)
    assert (status, shown["applied"], shown["would_apply"]) == (200, False, True)
    assert queued(entered) == 0
    assert entered.tables.items == stored
    assert ask(entered, client, what, body) == 202
    _, now = call(client, "GET", ORDER)
    position = len(shown["order"]["timeline"]) - 1  # stages may have gone further since
    assert now["timeline"][position]["after"] == shown["order"]["timeline"][position]["after"]
    assert ask(entered, client, what, body) == 200


@pytest.mark.parametrize(
    ("what", "body", "reason", "word"),
    [
        ("shipments", {"shipment_id": "p", "lines": [{"line_id": "1", "units": 3}]}, "not_allocated", "allocated"),
        ("shipments", {"shipment_id": "p", "lines": [{"line_id": "9", "units": 1}]}, "unknown_line", "9"),
        ("returns", {"return_id": "r", "lines": ONE}, "not_shipped", "line 1"),
        ("returns", {"return_id": "r", "step": "approve"}, "bad_step", "approved"),
        ("fulfilments", {"location": "east", "answer": "accept"}, "not_allocated", "east"),
        ("cancellations", {"cancellation_id": "c", "lines": [{"line_id": "1", "units": 3}]}, "nothing_left", "'1'"),
        ("refunds", {"refund_id": "f", "amount": "10.01"}, "over_refund", "amount"),
        ("exchanges", {"return_id": "r", "lines": [{"sku": "MUG", "units": 1}]}, "unknown_return", "'r'"),
        ("archive", {}, "still_open", "shipping"),
        ("substitutions", {"line_id": "1", "sku": "MUG2"}, "bad_request", "sku"),
    ],
)
def test_what_is_not_possible_is_refused_by_the_name_of_what_is_wrong(
    entered: World,
    client: Client,  # noqa: F811
    what: str,
    body: dict[str, Any],
    reason: str,
    word: str,
) -> None:
    status, answer = call(client, "POST", f"{ORDER}/{what}", body)
    assert (status, answer["error"]["reason"]) == (_STATUS.get(reason, 409), reason)
    assert word in answer["error"]["detail"]
    assert queued(entered) == 0


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("shipments", {"shipment_id": "a/b", "lines": ONE}, "shipment_id"),
        ("holds", {"reason": "Not A Word"}, "reason"),
        ("refunds", {"refund_id": "f", "amount": "one"}, "amount"),
        ("disputes", {"dispute_id": "d", "amount": "1", "status": "maybe"}, "status"),
        ("fulfilments", {"location": "main", "answer": "maybe"}, "answer"),
        ("cancellations", {"cancellation_id": "c", "lines": [{"line_id": "1", "units": 0}]}, "units"),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    entered: World,
    client: Client,  # noqa: F811
    what: str,
    body: dict[str, Any],
    field: str,
) -> None:
    status, answer = call(client, "POST", f"{ORDER}/{what}", body)
    assert status == 400
    assert field in answer["error"]["detail"]


def test_unknown_orders_and_commands_are_not_found(entered: World, client: Client) -> None:  # noqa: F811
    assert call(client, "POST", "/api/orders/storefront:none/holds", {"reason": "fraud"})[0] == 404
    assert call(client, "POST", f"{ORDER}/wishes", {})[0] == 404
    assert call(client, "DELETE", f"{ORDER}/cancellations/none")[0] == 404
