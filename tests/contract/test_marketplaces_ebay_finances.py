"""The stand-in eBay's transactions and payouts: they add up, with the orders and with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.ebay import Ebay
from local.marketplaces.ebay_errors import stamp
from local.marketplaces.wire import Response
from local.marketplaces.world import Marketplaces
from tests.contract.marketplaces_calls import START, Time, first, opened, populated
from tests.contract.marketplaces_ebay_seller import (
    FINANCES,
    FULFILLMENT,
    MONEY,
    ORDER,
    assert_error,
    assert_model,
    call,
    cents,
)

TRANSACTIONS = (FINANCES, "/transaction", "get")
PAYOUTS, PAYOUT = (FINANCES, "/payout", "get"), (FINANCES, "/payout/{payout_Id}", "get")


@pytest.fixture
def ebay() -> tuple[Ebay, Time]:
    return opened(Ebay)


def page(market: Ebay, name: str = "transaction", **query: str) -> Response:
    return call(market, "GET", f"{MONEY}/{name}", query)


def rows(market: Ebay, **query: str) -> list[dict[str, Any]]:
    answer = page(market, **{"limit": "1000", **query})
    if answer.status == 204:
        assert answer.body == b""
        return []
    found: list[dict[str, Any]] = assert_model(TRANSACTIONS, answer, 200)["transactions"]
    return found


def signed(row: dict[str, Any]) -> int:
    return cents(row["amount"]) * (1 if row["bookingEntry"] == "CREDIT" else -1)


def traded(market: Ebay, time: Time) -> None:
    """Sixty orders, a refund and a transfer, all of it done."""
    sale = first(populated(market, time))
    body = {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": {"value": "1.00", "currency": "USD"}}
    assert call(market, "POST", f"{ORDER}/{sale.order_id}/issue_refund", body=body).status == 200
    market.advance(time.pass_(minutes=2))
    market.transfer(-250, time.now)


def test_nothing_sold_is_an_answer_without_a_body(ebay: tuple[Ebay, Time]) -> None:
    assert rows(ebay[0]) == []
    assert page(ebay[0], "payout").status == 204


def test_the_rows_of_an_order_add_up_to_what_is_due_to_the_seller(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    traded(market, time)
    kinds = set()
    for sale in market.shelf.sales.values():
        order = call(market, "GET", f"{ORDER}/{sale.order_id}").json()
        found = rows(market, filter=f"orderId:{{{sale.order_id}}}")
        kinds |= {row["transactionType"] for row in found}
        assert sum(signed(row) for row in found) == cents(order["paymentSummary"]["totalDueSeller"])
    assert kinds == {"SALE", "REFUND"}


def test_a_sale_is_net_of_the_fees_that_its_lines_list(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time)
    sales = rows(market, filter="transactionType:{SALE}")
    assert any("ebayCollectedTaxAmount" in row and len(row["orderLineItems"]) > 1 for row in sales)
    for row in sales:
        fees = [fee for line in row["orderLineItems"] for fee in line["marketplaceFees"]]
        assert sum(cents(fee["amount"]) for fee in fees) == cents(row["totalFeeAmount"])
        basis = sum(cents(line["feeBasisAmount"]) for line in row["orderLineItems"])
        assert basis == cents(row["totalFeeBasisAmount"])
        tax = cents(row["ebayCollectedTaxAmount"]) if "ebayCollectedTaxAmount" in row else 0
        assert cents(row["amount"]) == basis - tax - cents(row["totalFeeAmount"])
        assert (row["transactionId"], row["bookingEntry"]) == (row["orderId"], "CREDIT")


def test_an_advertising_fee_names_its_order_only_among_the_references(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time)
    assert len(rows(market, filter="transactionType:{NON_SALE_CHARGE}")) == 11  # the newest is not booked yet
    time.pass_(hours=1)
    fees = rows(market, filter="transactionType:{NON_SALE_CHARGE}")
    assert len(fees) == 12
    for row in fees:
        assert "orderId" not in row
        references = {each["referenceType"]: each["referenceId"] for each in row["references"]}
        assert references["ORDER_ID"] in market.shelf.sales
        assert (row["feeType"], row["bookingEntry"]) == ("AD_FEE", "DEBIT")


def test_funds_are_processed_then_available_then_paid_out(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    traded(market, time)
    assert {row["transactionStatus"] for row in rows(market)} == {"FUNDS_PROCESSING"}
    assert market.pay_out(time.now) is None
    held = first(list(market.shelf.sales.values()))
    market.hold_funds(held, time.pass_(days=3))
    before = rows(market)
    assert {row["transactionStatus"] for row in before} == {"FUNDS_AVAILABLE_FOR_PAYOUT", "FUNDS_ON_HOLD"}
    payout = market.pay_out(time.now)
    assert payout is not None
    paid = rows(market, filter=f"payoutId:{{{payout.payout_id}}}")
    assert {row["transactionStatus"] for row in paid} == {"PAYOUT"}
    assert {row["transactionType"] for row in paid} == {"SALE", "REFUND", "NON_SALE_CHARGE", "TRANSFER"}
    read = assert_model(PAYOUT, page(market, f"payout/{payout.payout_id}"), 200)
    assert (cents(read["amount"]), read["transactionCount"]) == (sum(signed(row) for row in paid), len(paid))
    assert read["payoutStatus"] == "SUCCEEDED"
    assert [row["orderId"] for row in rows(market, filter="transactionStatus:{FUNDS_ON_HOLD}")] == [held.order_id]
    assert market.pay_out(time.now) is None
    market.release_funds(held, time.now)
    second = market.pay_out(time.now)
    assert second is not None
    assert second.transactions == 1
    listed = assert_model(PAYOUTS, page(market, "payout"), 200)
    assert [each["payoutId"] for each in listed["payouts"]] == [second.payout_id, payout.payout_id]
    summary = assert_model((FINANCES, "/payout_summary", "get"), page(market, "payout_summary"), 200)
    assert (summary["payoutCount"], cents(summary["amount"])) == (2, payout.amount_minor + second.amount_minor)


def test_a_refund_after_the_payout_is_taken_from_the_next(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    sale = first(populated(market, time))
    market.pay_out(time.pass_(days=3))
    body = {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": {"value": "1.00", "currency": "USD"}}
    call(market, "POST", f"{ORDER}/{sale.order_id}/issue_refund", body=body)
    assert rows(market, filter=f"orderId:{{{sale.order_id}}},transactionType:{{REFUND}}") == []
    market.advance(time.pass_(minutes=2))
    (refund,) = rows(market, filter=f"orderId:{{{sale.order_id}}},transactionType:{{REFUND}}")
    assert (refund["bookingEntry"], refund["transactionStatus"]) == ("DEBIT", "FUNDS_PROCESSING")
    assert market.pay_out(time.pass_(days=3)) is None  # one cannot be paid less than nothing


def test_rows_come_newest_first_and_links_lead_over_all_pages(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time)
    everything = [row["transactionId"] for row in rows(market)]
    first_page = assert_model(TRANSACTIONS, page(market, limit="50"), 200)
    assert "prev" not in first_page
    assert "offset=50" in first_page["next"]
    last = assert_model(TRANSACTIONS, page(market, limit="50", offset="50"), 200)
    assert ("next" in last, "prev" in last, last["total"]) == (False, True, len(everything))
    both = [row["transactionId"] for each in (first_page, last) for row in each["transactions"]]
    assert both == everything
    assert [row["transactionId"] for row in rows(market, sort="transactionDate")] == everything[::-1]
    dates = [row["transactionDate"] for row in rows(market)]
    assert dates == sorted(dates, reverse=True)


def test_a_range_of_dates_is_kept(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time)
    start, end = stamp(time.pass_(minutes=-30)), stamp(time.pass_(minutes=10))
    time.pass_(hours=1)
    found = rows(market, filter=f"transactionDate:[{start}..{end}]")
    assert 10 <= len(found) < len(rows(market))
    assert all(start <= row["transactionDate"] <= end for row in found)


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("transaction", {"limit": "1001"}, 135003),
        ("transaction", {"offset": "-1"}, 135003),
        ("transaction", {"filter": "transactionType:{GIFT}"}, 135006),
        ("transaction", {"filter": "transactionStatus:{LOST}"}, 135007),
        ("transaction", {"filter": "transactionDate:[yesterday..]"}, 135008),
        ("transaction", {"filter": "transactionId:{1}"}, 135009),
        ("transaction", {"filter": "transactionDate:[2020-01-01T00:00:00.000Z..2020-02-01T00:00:00.000Z]"}, 135015),
        ("transaction", {"filter": "transactionDate:[2022-01-01T00:00:00.000Z..2026-01-01T00:00:00.000Z]"}, 135016),
        ("payout", {"limit": "201"}, 135003),
        ("payout", {"filter": "payoutStatus:{LOST}"}, 135002),
        ("payout", {"filter": "payoutDate:[yesterday..]"}, 135004),
    ],
)
def test_a_query_that_the_model_forbids_gets_its_error(
    ebay: tuple[Ebay, Time], name: str, query: dict[str, str], expected: int
) -> None:
    assert_error((FINANCES, f"/{name}", "get"), page(ebay[0], name, **query), 400, expected)


def test_an_unknown_payout_gets_404(ebay: tuple[Ebay, Time]) -> None:
    assert_error(PAYOUT, page(ebay[0], "payout/1"), 404, 135001)


def test_another_site_has_no_money_of_this_one(ebay: tuple[Ebay, Time]) -> None:
    market, time = ebay
    populated(market, time, 3)
    path = f"{MONEY}/transaction"
    assert call(market, "GET", path, headers={"X-EBAY-C-MARKETPLACE-ID": "EBAY_US"}).status == 200
    assert call(market, "GET", path, headers={"X-EBAY-C-MARKETPLACE-ID": "EBAY_DE"}).status == 204


def test_money_survives_a_restart(tmp_path: Path) -> None:
    world = Marketplaces(7, CATALOGUE, rate_per_s=0, start=START)
    (order_id,) = world.sell("ebay")
    sale = world.ebay.shelf.sales[order_id]
    world.ebay.refund_takes_s = 0
    body = {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": {"value": "1.00", "currency": "USD"}}
    assert call(world.ebay, "POST", f"{ORDER}/{order_id}/issue_refund", body=body).status == 200
    world.tick(START)
    world.ebay.funds_take_s = 0
    payout = world.ebay.pay_out(START)
    assert payout is not None
    world.ebay.over_budget["sell.finances"] += 1
    world.save(tmp_path / "state.json")
    again = Marketplaces(7, CATALOGUE, rate_per_s=0, start=START)
    again.load(tmp_path / "state.json")
    assert again.ebay.over_budget == {"sell.finances": 1}
    assert rows(again.ebay) == rows(world.ebay)
    order = call(again.ebay, "GET", f"{ORDER}/{sale.order_id}")
    refunds = assert_model((FULFILLMENT, "/order/{orderId}", "get"), order, 200)["paymentSummary"]["refunds"]
    assert [each["refundStatus"] for each in refunds] == ["REFUNDED"]
