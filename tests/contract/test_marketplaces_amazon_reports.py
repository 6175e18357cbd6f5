"""The stand-in Amazon's reports that can be asked for: returns, and the seller's standing."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.amazon_report_types import RETURN_COLUMNS
from local.marketplaces.shelf import Sale
from tests.contract.marketplaces_amazon_office import (
    HEALTH,
    REFUNDS,
    REPORTS,
    RETURNS,
    SETTLEMENT,
    ago,
    ask,
    call,
    finished_feed,
    finished_report,
    paid_sale,
    report,
    shipped,
    tabbed,
    table,
)
from tests.contract.marketplaces_calls import Time, opened
from tests.contract.marketplaces_models import amazon_file, errors


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def sent_back(market: Amazon, time: Time, units: int = 1, seed: int = 1) -> Sale:
    sale = paid_sale(market, time, seed=seed)
    shipped(market, sale, time)
    market.open_return(sale, sale.lines[0].line_id, units, time.pass_(days=3))
    return sale


# --- a report's life ----------------------------------------------------------------------------------


def test_a_report_waits_runs_and_ends(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.queue_s, market.processing_s = 30, 60
    report_id = ask(market, HEALTH)
    states = []
    for seconds in (0, 30, 60):
        time.pass_(seconds=seconds)
        states.append(report(market, report_id)["processingStatus"])
    assert states == ["IN_QUEUE", "IN_PROGRESS", "DONE"]


def test_a_settlement_cannot_be_asked_for_nor_an_unknown_report(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    places = {"marketplaceIds": [market.marketplace_id]}
    for kind in (SETTLEMENT, "GET_NO_SUCH_REPORT"):
        call(market, "POST", f"{REPORTS}/reports", 400, body={"reportType": kind, **places})
    dates = {"dataStartTime": time.now.isoformat(), "dataEndTime": ago(time, days=1)}
    call(market, "POST", f"{REPORTS}/reports", 400, body={"reportType": RETURNS, **places, **dates})
    call(market, "GET", f"{REPORTS}/reports/{{reportId}}", 404, names={"reportId": "1"})
    call(market, "GET", f"{REPORTS}/documents/{{reportDocumentId}}", 404, names={"reportDocumentId": "1"})


def test_reports_are_listed_by_type_over_pages(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    ids = []
    for _ in range(3):
        ids.append(ask(market, HEALTH))
        time.pass_(minutes=2)
    query = {"reportTypes": HEALTH, "pageSize": "2", "createdSince": ago(time, hours=1)}
    listed = call(market, "GET", f"{REPORTS}/reports", 200, query=query)
    rest = call(market, "GET", f"{REPORTS}/reports", 200, query={"nextToken": listed["nextToken"]})
    assert [each["reportId"] for each in listed["reports"] + rest["reports"]] == ids[::-1]
    assert call(market, "GET", f"{REPORTS}/reports", 200, query={"reportTypes": RETURNS})["reports"] == []
    call(market, "GET", f"{REPORTS}/reports", 400, query={})
    call(market, "GET", "/feeds/2021-06-30/feeds", 400, query={"nextToken": listed["nextToken"]})


# --- returns ------------------------------------------------------------------------------------------


def test_a_return_shows_in_the_report_of_its_day_with_what_was_refunded(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = sent_back(market, time)
    row = {
        "order-id": sale.order_id,
        "order-item-id": sale.lines[0].line_id,
        "adjustment-reason-code": "CustomerReturn",
        "currency": "USD",
        "item-price-adj": "3.21",
    }
    finished_feed(market, time, REFUNDS, tabbed(row))
    content = finished_report(market, time, RETURNS, dataStartTime=ago(time, days=1))
    (found,) = table(content)
    assert tuple(found) == RETURN_COLUMNS
    line = sale.lines[0]
    assert (found["Order ID"], found["Merchant SKU"], found["Return quantity"]) == (sale.order_id, line.sku, "1")
    assert (found["Order quantity"], found["Refunded Amount"]) == (str(line.quantity), "3.21")
    assert found["Return request date"] == "07-May-2026"


def test_no_returns_cancel_the_report_and_too_many_days_are_fatal(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sent_back(market, time)
    time.pass_(days=2)
    quiet = ask(market, RETURNS, dataStartTime=ago(time, days=1))
    wide = ask(market, RETURNS, dataStartTime=ago(time, days=61))
    time.pass_(seconds=10)
    for report_id, status in ((quiet, "CANCELLED"), (wide, "FATAL")):
        ended = report(market, report_id)
        assert ended["processingStatus"] == status
        assert "reportDocumentId" not in ended


def test_no_more_units_come_back_than_left(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = sent_back(market, time)
    line = sale.lines[0]
    with pytest.raises(ValueError, match=line.line_id):
        market.open_return(sale, line.line_id, line.quantity, time.now)
    waiting = paid_sale(market, time, seed=5)
    with pytest.raises(ValueError, match="0 units"):
        market.open_return(waiting, waiting.lines[0].line_id, 1, time.now)


# --- the seller's standing ----------------------------------------------------------------------------


def standing(market: Amazon, time: Time) -> Any:
    content = json.loads(finished_report(market, time, HEALTH))
    assert errors(amazon_file("reports/accountHealthReport-2020-11-18"), content) == []
    return content


def test_the_standing_follows_its_schema_and_is_good_for_a_new_seller(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.account_status = "AT_RISK"
    content = standing(market, time)
    assert content["accountStatuses"] == [{"marketplaceId": market.marketplace_id, "status": "AT_RISK"}]
    (metrics,) = content["performanceMetrics"]
    assert {each["status"] for name, each in metrics.items() if name.endswith("Rate") and "status" in each} == {"GOOD"}


def test_late_parcels_and_the_sellers_own_cancels_count_against_him(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    on_time, late, dropped, wished, buyers = (paid_sale(market, time, seed=seed) for seed in (1, 2, 3, 4, 5))
    shipped(market, on_time, time)
    assert market.request_cancel(wished, time.now)
    rows = [
        {"order-id": sale.order_id, "cancellation-reason-code": reason, "amazon-order-item-code": ""}
        for sale, reason in ((dropped, "NoInventory"), (wished, "BuyerCanceled"))
    ]
    finished_feed(market, time, "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA", tabbed(*rows))
    market.cancel(buyers, time.now)
    time.pass_(days=2, seconds=60)
    shipped(market, late, time)
    total = len(market.shelf.sales)
    (metrics,) = standing(market, time)["performanceMetrics"]
    assert (metrics["lateShipmentRate"]["lateShipmentCount"], metrics["lateShipmentRate"]["orderCount"]) == (1, 2)
    assert metrics["lateShipmentRate"]["status"] == "BAD"
    cancelled = metrics["preFulfillmentCancellationRate"]
    assert (cancelled["cancellationCount"], cancelled["orderCount"]) == (1, total)


def test_orders_that_amazon_ships_are_not_the_sellers_concern(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    assert market.sell_fba(Random(1), time.now)
    time.now += timedelta(minutes=1)
    (metrics,) = standing(market, time)["performanceMetrics"]
    assert metrics["preFulfillmentCancellationRate"]["orderCount"] == 0
