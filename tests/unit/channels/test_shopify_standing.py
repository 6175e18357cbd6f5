"""What a fulfilment order's own words say of whether it may be shipped from here."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.shopify.standing import Standing, obstacle, standing_of
from chalicelib.domain.channel_order import Problem


def node(status: str = "OPEN", **more: Any) -> dict[str, Any]:
    return {
        "id": "gid://shopify/FulfillmentOrder/7",
        "status": status,
        "requestStatus": "UNSUBMITTED",
        "updatedAt": "2026-05-04T12:00:05Z",
        "assignedLocation": {"name": "Parcel people"},
        "fulfillmentHolds": [],
        "supportedActions": [{"action": "CREATE_FULFILLMENT"}],
        **more,
    }


def reason(found: dict[str, Any]) -> str:
    problem = obstacle(Node(found))
    return problem.reason if problem else ""


@pytest.mark.parametrize("status", ["OPEN", "IN_PROGRESS", "INCOMPLETE", "CLOSED", "CANCELLED", "A_NEW_ONE"])
def test_what_is_ours_or_over_is_no_obstacle(status: str) -> None:
    assert reason(node(status)) == ""


def test_a_hold_of_an_unknown_reason_or_of_none_is_a_hold() -> None:
    assert obstacle(Node(node("ON_HOLD", fulfillmentHolds=[{"reason": "A_NEW_ONE"}]))) == Problem(
        "held_at_channel", "fulfilment order 7 is on hold (a new one): release it in Shopify"
    )
    assert "no reason told" in str(obstacle(Node(node("ON_HOLD"))))


@pytest.mark.parametrize(
    "more",
    [
        {"supportedActions": [{"action": "REQUEST_FULFILLMENT"}]},
        {"requestStatus": "SUBMITTED"},
        {"requestStatus": "ACCEPTED"},
        {"requestStatus": "A_NEW_ONE"},
    ],
)
def test_what_can_be_requested_is_a_services_while_it_is_open(more: dict[str, Any]) -> None:
    assert reason(node(**more)) == "other_fulfilment_service"
    assert reason(node("SCHEDULED", **more)) == "other_fulfilment_service"
    assert reason(node("ON_HOLD", **more)) == "held_at_channel"
    assert reason(node("CLOSED", **more)) == ""


def test_one_for_a_later_day_names_it() -> None:
    told = obstacle(Node(node("SCHEDULED", fulfillAt="2026-06-03T12:00:00Z")))
    assert told == Problem(
        "scheduled_at_channel", "fulfilment order 7 is not to be shipped before 2026-06-03: open it in Shopify"
    )
    assert reason(node("SCHEDULED", fulfillAt=None)) == "scheduled_at_channel"


def test_several_are_one_problem_for_each_reason_whatever_their_order() -> None:
    nodes = [node("ON_HOLD"), node("ON_HOLD", id="gid://shopify/FulfillmentOrder/8"), node("SCHEDULED"), node()]
    ways = [standing_of(Node({"fulfillment_orders": each}), 5) for each in (nodes, nodes[::-1])]
    assert ways[0] == ways[1]
    assert [problem.reason for problem in ways[0].problems] == ["held_at_channel", "scheduled_at_channel"]
    assert ways[0].problems[0].detail.count("is on hold") == 2


def test_the_newest_time_counts_and_a_body_without_them_tells_nothing() -> None:
    told = standing_of(Node({"fulfillment_orders": [node()]}), 5)
    assert (told.told_ms, told.untold) == (1_777_896_005_000, ())
    assert standing_of(Node({"fulfillment_orders": []}), 5) == Standing(told_ms=5, untold=())
    assert standing_of(Node({}), 5).told_ms == 0
    assert len(standing_of(Node({}), 5).untold) == 3
