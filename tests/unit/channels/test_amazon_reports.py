"""Reports over several calls, buyers' returns, health, and the setting up of an account."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.channels.amazon.returns import REACH_MS, RETURNS, read_returns, step_of
from chalicelib.channels.amazon.subscriptions import NOTIFICATION_TYPES
from chalicelib.channels.facts import ChannelReturn, Metric
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unreadable
from tests.unit.channels.amazon_desk import DESK, GATEWAY, US, Desk, order_body

PERFORMANCE = "GET_V2_SELLER_PERFORMANCE_REPORT"
LATE = {"status": "GOOD", "rate": 0.01, "targetValue": 0.04}
HEALTHY = json.dumps({"performanceMetrics": [{"marketplaceId": US, "lateShipmentRate": LATE}]}).encode()
DAY_MS = 86_400_000


def pending(desk: Desk) -> None:
    with pytest.raises(Busy, match="is being made") as busy:
        desk.client().health()
    assert busy.value.after_s == 60


# --- reports ------------------------------------------------------------------------------------------


def test_a_report_is_asked_for_once_and_fetched_when_it_is_made() -> None:
    desk = Desk()
    pending(desk)
    pending(desk)
    desk.made("R1", HEALTHY)
    assert desk.client().health() == [Metric("lateShipmentRate", "0.01", "0.04", is_good=True)]
    assert list(desk.reports_made) == ["R1"]
    assert desk.shelf == {}
    pending(desk)
    assert list(desk.reports_made) == ["R1", "R2"]


def test_a_report_whose_answer_was_lost_is_found() -> None:
    desk = Desk()
    desk.lost = ["createReport"]
    with pytest.raises(Busy):
        desk.client().health()
    desk.made("R1", HEALTHY)
    assert len(desk.client().health()) == 1
    assert list(desk.reports_made) == ["R1"]


def test_a_report_that_was_never_asked_for_is_asked_for_again() -> None:
    desk = Desk()
    desk.instead["createReport"] = [GATEWAY]
    with pytest.raises(Busy):
        desk.client().health()
    pending(desk)
    assert list(desk.reports_made) == ["R1"]


def test_a_report_that_may_not_be_asked_for_leaves_no_job() -> None:
    desk = Desk()
    desk.budget.used_up = {"createReport"}
    with pytest.raises(OverBudget):
        desk.client().health()
    assert desk.shelf == {}


def test_a_report_without_data_is_empty_and_a_failed_one_waits() -> None:
    desk = Desk()
    pending(desk)
    desk.reports_made["R1"]["processingStatus"] = "CANCELLED"
    assert desk.client().health() == []
    pending(desk)
    desk.reports_made["R2"]["processingStatus"] = "FATAL"
    with pytest.raises(Busy) as failed:
        desk.client().health()
    assert failed.value.after_s == 900
    assert desk.shelf == {}


def test_an_unknown_status_is_still_being_worked_at() -> None:
    desk = Desk()
    pending(desk)
    desk.reports_made["R1"]["processingStatus"] = "POLISHING"
    pending(desk)


def test_health_is_that_of_our_store_and_unknown_measures_are_kept() -> None:
    desk = Desk()
    pending(desk)
    stores = [
        {"marketplaceId": "ELSEWHERE", "lateShipmentRate": {"rate": 0.5}},
        {"marketplaceId": US, "newRate": {"status": "ODD", "rate": "0.2"}, "flag": True, "list": [1]},
    ]
    desk.made("R1", json.dumps({"performanceMetrics": stores}).encode())
    assert desk.client().health() == [Metric("newRate", "0.2")]


def test_a_performance_report_that_is_no_json_is_unreadable() -> None:
    desk = Desk()
    pending(desk)
    desk.made("R1", b"<html>")
    with pytest.raises(Unreadable):
        desk.client().health()


# --- returns ------------------------------------------------------------------------------------------

HEAD = (
    "Order ID\tReturn request date\tReturn request status\tAmazon RMA ID\t"
    "Merchant SKU\tReturn quantity\tReturn Reason\tReturn delivery date"
)


def returned(*rows: str, head: str = HEAD) -> list[ChannelReturn]:
    return list(read_returns("\n".join((head, *rows)) + "\n"))


def test_rows_of_one_return_are_one_return() -> None:
    assert returned(
        "114-1\t14-Jul-2026\tApproved\tRMA1\tA\t2\tTOO_SMALL\t",
        "114-1\t14-Jul-2026\tApproved\tRMA1\tB\t1\tTOO_SMALL\t16-Jul-2026",
        "114-2\t2026-07-15\tPending\tRMA2\tA\t\tDEFECT\t",
    ) == [
        ChannelReturn("RMA1", "114-1", "approve", (("A", 2), ("B", 1)), "TOO_SMALL", 1_784_160_000_000),
        ChannelReturn("RMA2", "114-2", "request", (("A", 1),), "DEFECT", 1_784_073_600_000),
    ]


def test_an_item_is_named_by_its_id_where_the_file_tells_it() -> None:
    (found,) = returned("114-1\t14-Jul-2026\tCompleted\tRMA1\tA\t2\tX\t\t600", head=f"{HEAD}\tOrder Item ID")
    assert found.items == (("600", 2),)
    assert found.step == "receive"


def test_columns_may_be_missing_moved_and_written_otherwise() -> None:
    (found,) = returned("Denied\t114-1", head="RETURN REQUEST STATUS\torder id")
    assert found == ChannelReturn("114-1/", "114-1", "decline", ())
    assert returned("x", "\t\t") == [ChannelReturn("x/", "x", "request", ())]


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("Approved", "approve"),
        ("Authorized", "approve"),
        ("Denied", "decline"),
        ("Closed", "decline"),
        ("Completed", "receive"),
        ("Pending", "request"),
        ("Whatever", "request"),
        ("", "request"),
    ],
)
def test_a_status_is_a_step(status: str, step: str) -> None:
    assert step_of(status) == step


def test_returns_of_sixty_days_are_asked_for_and_read() -> None:
    desk = Desk()
    with pytest.raises(Busy):
        list(desk.client().returns(DESK - DAY_MS))
    (asked,) = desk.reports_made.values()
    assert asked["reportType"] == RETURNS
    assert "T00:00:00Z" in asked["dataStartTime"]
    desk.now_ms += 3 * 3_600_000
    with pytest.raises(Busy):  # a few hours later the same report still serves
        list(desk.client().returns(DESK - DAY_MS))
    assert len(desk.reports_made) == 1
    desk.file_headers = {"content-type": "text/plain; charset=Cp1252"}
    desk.made("R1", f"{HEAD}\n114-1\t14-Jul-2026\tApproved\tRMA1\tGröße\t1\tX\t\n".encode("cp1252"))
    (found,) = desk.client().returns(DESK - DAY_MS)
    assert found.items == (("Größe", 1),)
    assert REACH_MS == 60 * DAY_MS


def returning() -> Desk:
    desk = Desk()
    with pytest.raises(Busy):
        list(desk.client().returns(DESK))
    for name in ("114-1", "114-2"):
        desk.orders[name] = order_body(name, L1=(1, "1.00"), L2=(1, "2.00"))
    rows = [f"{name}\t14-Jul-2026\tApproved\tR{name}\tSKU-L2\t1\tX\t" for name in ("114-1", "114-2", "114-3")]
    desk.made("R1", "\n".join((HEAD, *rows)).encode())
    return desk


def items_of(desk: Desk) -> list[tuple[tuple[str, int], ...]]:
    return [found.items for found in desk.client().returns(DESK)]


def test_an_item_that_the_file_does_not_name_is_found_in_its_order() -> None:
    desk = returning()
    assert items_of(desk) == [(("L2", 1),), (("L2", 1),), (("SKU-L2", 1),)]  # Amazon does not know the third
    assert desk.operations.count("getOrder") == 3
    with pytest.raises(Busy):
        items_of(desk)
    desk.made("R2", desk.files["https://sp.example/files/doc-R1"])
    assert items_of(desk)[0] == (("L2", 1),)
    assert desk.operations.count("getOrder") == 3  # each order is read once


def test_while_no_order_may_be_read_the_sku_stands_for_the_item() -> None:
    desk = returning()
    desk.budget.used_up = {"getOrder"}
    assert items_of(desk) == [(("SKU-L2", 1),)] * 3
    desk.budget.used_up = set()
    with pytest.raises(Busy):
        items_of(desk)
    desk.made("R2", desk.files["https://sp.example/files/doc-R1"])
    assert items_of(desk)[1] == (("L2", 1),)


# --- setting up ---------------------------------------------------------------------------------------

ARN = "arn:aws:sqs:eu-central-1:1:q"


def test_a_destination_is_made_once() -> None:
    desk = Desk()
    first = desk.client().ensure_destination(ARN, "headrace")
    assert desk.client().ensure_destination(ARN, "headrace") == first
    assert desk.operations.count("createDestination") == 1
    assert desk.destinations[0]["resource"] == {"sqs": {"arn": ARN}}


def test_a_destination_that_another_worker_made_is_taken() -> None:
    desk = Desk()
    made = {"destinationId": "D9", "name": "x", "resource": {"sqs": {"arn": ARN}}}
    desk.instead["createDestination"] = [HttpResponse(409, {}, b'{"errors":[{"code":"Conflict"}]}')]
    desk.instead["getDestinations"] = [
        HttpResponse(200, {}, json.dumps({"payload": listed}).encode())
        for listed in ([{"destinationId": "E", "resource": {"eventBridge": {}}}, "odd"], [made])
    ]
    assert desk.client().ensure_destination(ARN, "headrace") == "D9"
    desk.instead["createDestination"] = [HttpResponse(409, {}, b'{"errors":[{"code":"Conflict"}]}')]
    with pytest.raises(Refused, match="Conflict"):
        desk.client().ensure_destination(f"{ARN}2", "headrace")


def subscription_body(desk: Desk) -> Any:
    return json.loads(next(r.body for r in desk.sent if r.method == "POST" and "/subscriptions/" in r.url))


def test_a_subscription_is_made_once_for_our_store() -> None:
    desk = Desk()
    first = desk.client().ensure_subscription("ORDER_CHANGE", "D1")
    assert desk.client().ensure_subscription("ORDER_CHANGE", "D1") == first
    assert desk.operations.count("createSubscription") == 1
    assert subscription_body(desk) == {
        "payloadVersion": "1.0",
        "destinationId": "D1",
        "processingDirective": {"eventFilter": {"eventFilterType": "ORDER_CHANGE", "marketplaceIds": [US]}},
    }


@pytest.mark.parametrize("kind", NOTIFICATION_TYPES[1:])
def test_types_that_cannot_be_filtered_are_taken_whole(kind: str) -> None:
    desk = Desk()
    desk.client().ensure_subscription(kind, "D1")
    body = subscription_body(desk)
    assert body == {"payloadVersion": body["payloadVersion"], "destinationId": "D1"}
    assert body["payloadVersion"] == ("2020-09-04" if "PROCESSING" in kind else "1.0")


def test_a_subscription_to_another_place_is_left_alone() -> None:
    desk = Desk()
    desk.client().ensure_subscription("ORDER_CHANGE", "D1")
    with pytest.raises(Refused, match="subscribed_elsewhere"):
        desk.client().ensure_subscription("ORDER_CHANGE", "D2")


def test_a_subscription_that_another_worker_made_is_taken() -> None:
    desk = Desk()
    desk.client().ensure_subscription("TRANSACTION_UPDATE", "D1")
    desk.instead["getSubscription"] = [HttpResponse(404, {}, b"{}")]
    desk.instead["createSubscription"] = [HttpResponse(409, {}, b'{"errors":[{"code":"Conflict"}]}')]
    assert desk.client().ensure_subscription("TRANSACTION_UPDATE", "D1") == "sub-TRANSACTION_UPDATE"


def test_stores_are_told_as_amazon_tells_them() -> None:
    desk = Desk()
    store = {"marketplace": {"id": US}, "participation": {"isParticipating": True}}
    desk.instead["getMarketplaceParticipations"] = [
        HttpResponse(200, {}, json.dumps({"payload": [store, None]}).encode())
    ]
    assert desk.client().participations() == [store]
    assert urlsplit(desk.sent[-1].url).path == "/sellers/v1/marketplaceParticipations"
