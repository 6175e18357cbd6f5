"""The stand-in Amazon's money: transactions as they happen, and the settlement report that adds them up."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.amazon_settlement import COLUMNS
from local.marketplaces.catalogue import Listing
from local.marketplaces.shelf import Sale
from tests.contract.marketplaces_amazon_office import (
    REFUNDS,
    REPORTS,
    SETTLEMENT,
    ago,
    call,
    downloaded,
    finished_feed,
    paid_sale,
    shipped,
    tabbed,
    table,
    transactions,
)
from tests.contract.marketplaces_calls import Time, amazon_token, opened
from tests.shared_data import shared

TRANSACTIONS = "/finances/2024-06-19/transactions"


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


def refunded(market: Amazon, time: Time, sale: Sale, amount: str) -> None:
    row = {
        "order-id": sale.order_id,
        "order-item-id": sale.lines[0].line_id,
        "adjustment-reason-code": "GeneralAdjustment",
        "currency": "USD",
        "item-price-adj": amount,
    }
    assert b"successful\t\t1" in finished_feed(market, time, REFUNDS, tabbed(row))


def amount(currency: dict[str, Any]) -> Decimal:
    return Decimal(str(currency["currencyAmount"]))


def by_type(breakdowns: list[Any]) -> dict[str, Decimal]:
    """The innermost parts; every whole is the sum of its parts."""
    found: dict[str, Decimal] = {}
    for each in breakdowns:
        if each["breakdowns"]:
            inner = by_type(each["breakdowns"])
            assert sum(inner.values()) == amount(each["breakdownAmount"])
            found |= inner
        else:
            found[each["breakdownType"]] = amount(each["breakdownAmount"])
    return found


def related(transaction: Any) -> dict[str, str]:
    return {each["relatedIdentifierName"]: each["relatedIdentifierValue"] for each in transaction["relatedIdentifiers"]}


# --- transactions -------------------------------------------------------------------------------------


def test_a_shipment_brings_what_the_buyer_paid_less_tax_and_commission(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time, shipping_minor=True, tax_minor=True, discount_minor=True)
    shipped(market, sale, time)
    time.pass_(minutes=3)
    (shipment,) = transactions(market, postedAfter=ago(time, hours=1))
    parts = by_type(shipment["items"][0]["breakdowns"])
    cent = Decimal("0.01")
    assert parts["OurPricePrincipal"] == sale.subtotal_minor * cent
    assert parts["OurPriceDiscount"] == -sale.discount_minor * cent
    assert parts["ShippingPrincipal"] == sale.shipping_minor * cent
    assert parts["OurPriceTax"] == sale.tax_minor * cent == -parts["MarketplaceFacilitatorTax-Principal"]
    assert parts["Commission"] == -(sale.before_tax_minor * 15 // 100) * cent
    assert sum(parts.values()) == amount(shipment["totalAmount"]) == amount(shipment["items"][0]["totalAmount"])
    assert sum(by_type(shipment["breakdowns"]).values()) == amount(shipment["totalAmount"])
    assert related(shipment)["ORDER_ID"] == sale.order_id


def test_parcels_bring_together_what_one_would_have_brought(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = next(sale for seed in range(99) if (sale := paid_sale(market, time, seed=seed)).lines[0].quantity == 3)
    for reference in ("1", "2"):
        shipped(market, sale, time, reference, l0=1)
    shipped(market, sale, time, "2", l0=2)
    time.pass_(minutes=3)
    booked = transactions(market, relatedIdentifierName="ORDER_ID", relatedIdentifierValue=sale.order_id)
    assert [each["items"][0]["contexts"][0]["quantityShipped"] for each in booked] == [1, 1, 1]
    principal = sum(by_type(each["items"][0]["breakdowns"])["OurPricePrincipal"] for each in booked)
    assert principal == sale.subtotal_minor * Decimal("0.01")


def test_held_money_is_released_as_a_second_entry(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    shipped(market, sale, time)
    time.pass_(minutes=3)
    (held,) = transactions(market, postedAfter=ago(time, days=1))
    assert held["transactionStatus"] == "DEFERRED"
    assert held["contexts"][0]["contextType"] == "DeferredContext"
    assert "FINANCIAL_EVENT_GROUP_ID" not in related(held)
    time.pass_(days=7)
    old, freed = transactions(market, postedAfter=ago(time, days=10))
    assert (old["transactionStatus"], freed["transactionStatus"]) == ("DEFERRED_RELEASED", "RELEASED")
    assert old["transactionId"] == held["transactionId"] == related(freed)["DEFERRED_TRANSACTION_ID"]
    assert related(old)["RELEASE_TRANSACTION_ID"] == freed["transactionId"]
    assert old["totalAmount"] == freed["totalAmount"] == held["totalAmount"]
    assert transactions(market, postedAfter=ago(time, days=10), transactionStatus="RELEASED") == [freed]


def test_money_that_is_not_held_is_released_at_once(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.deferred_days = 0
    shipped(market, paid_sale(market, time), time)
    time.pass_(minutes=3)
    (shipment,) = transactions(market, postedAfter=ago(time, days=1))
    assert (shipment["transactionStatus"], shipment["contexts"]) == ("RELEASED", [])


def test_a_refund_takes_back_the_commission_but_for_a_part(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    shipped(market, sale, time)
    refunded(market, time, sale, "10.00")
    time.pass_(minutes=3)
    refund = next(
        each for each in transactions(market, postedAfter=ago(time, days=1)) if each["description"] == "Refund Order"
    )
    parts = by_type(refund["items"][0]["breakdowns"])
    assert parts == {
        "OurPricePrincipal": Decimal(-10),
        "Commission": Decimal("1.5"),
        "RefundCommission": Decimal("-0.3"),
    }
    assert (refund["transactionType"], amount(refund["totalAmount"])) == ("Refund", Decimal("-8.8"))


def test_pages_may_be_empty_and_end_with_the_token(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.transactions_per_page = 2
    for number in range(5):
        market.charge_fee(f"Fee {number}", 100, time.now)
    time.pass_(minutes=3)
    sizes, query, token = [], {"postedAfter": ago(time, hours=1)}, amazon_token(market)
    while True:
        payload = call(market, "GET", TRANSACTIONS, 200, query=query, token=token)["payload"]
        sizes.append(len(payload["transactions"]))
        if "nextToken" not in payload:
            break
        query = {**query, "nextToken": payload["nextToken"]}
    assert sizes == [2, 0, 2, 1]
    call(market, "GET", TRANSACTIONS, 400, query={**query, "postedAfter": ago(time, hours=2)})


def test_a_marketplace_id_hides_the_sellers_own_shipments(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    shipped(market, paid_sale(market, time), time)
    market.charge_fee("Subscription Fee", 3999, time.now)
    time.pass_(minutes=3)
    query = {"postedAfter": ago(time, hours=1)}
    assert len(transactions(market, **query)) == 2
    (fee,) = transactions(market, **query, marketplaceId=market.marketplace_id)
    assert amount(fee["totalAmount"]) == Decimal("-39.99")


def test_a_window_is_two_minutes_old_and_half_a_year_wide_at_most(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    market.charge_fee("Subscription Fee", 3999, time.now)
    assert transactions(market, postedAfter=ago(time, days=1)) == []
    time.pass_(minutes=3)
    assert transactions(market, postedAfter=ago(time, days=181)) == []
    assert len(transactions(market, postedAfter=ago(time, days=179))) == 1
    for query in (
        {},
        {"postedAfter": ago(time, minutes=1)},
        {"postedAfter": "yesterday"},
        {"postedAfter": ago(time, days=1), "postedBefore": ago(time, days=2)},
        {"relatedIdentifierName": "SHIPMENT_ID", "relatedIdentifierValue": "1"},
        {"relatedIdentifierName": "ORDER_ID"},
    ):
        call(market, "GET", TRANSACTIONS, 400, query=query)


# --- settlement ---------------------------------------------------------------------------------------


def busy(market: Amazon, time: Time) -> Sale:
    """Shipments that are released, one that is not, a refund and a fee."""
    sales = [paid_sale(market, time, seed=seed, discount_minor=seed == 2) for seed in (1, 2, 3)]
    for sale in sales:
        shipped(market, sale, time)
    time.pass_(days=8)
    refunded(market, time, sales[0], "5.00")
    market.charge_fee("Subscription Fee", 3999, time.now)
    shipped(market, paid_sale(market, time, seed=4), time)
    return sales[1]


def settlements(market: Amazon) -> list[Any]:
    found: list[Any] = call(market, "GET", f"{REPORTS}/reports", 200, query={"reportTypes": SETTLEMENT})["reports"]
    return found


def settled(market: Amazon) -> list[dict[str, str]]:
    """The rows of the last settlement."""
    return table(downloaded(market, settlements(market)[0]["reportDocumentId"], "report"))


def test_the_columns_are_the_recorded_ones(amazon: tuple[Amazon, Time]) -> None:
    sample = shared("samples/amazon/settlement.flat-file-v2.sample.txt").read_text(encoding="utf-8")
    assert tuple(sample.splitlines()[0].split("\t")) == COLUMNS
    market, time = amazon
    market.close_settlement(time.now)
    assert tuple(settled(market)[0]) == COLUMNS


def test_a_settlement_is_found_adds_up_and_agrees_with_the_transactions(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    discounted = busy(market, time)
    assert settlements(market) == []
    market.close_settlement(time.pass_(minutes=10))
    summary, *rows = settled(market)
    assert (summary["transaction-type"], summary["amount"], summary["currency"]) == ("", "", "USD")
    assert summary["deposit-date"]
    total = Decimal(summary["total-amount"])
    assert sum(Decimal(row["amount"]) for row in rows) == total
    assert {row["settlement-id"] for row in rows} == {summary["settlement-id"]}
    assert {row["transaction-type"] for row in rows} == {"Order", "Refund", "ServiceFee"}
    time.pass_(minutes=3)
    group = next(
        related(each)["FINANCIAL_EVENT_GROUP_ID"]
        for each in transactions(market, postedAfter=ago(time, days=30))
        if related(each).get("SETTLEMENT_ID") == summary["settlement-id"]
    )
    counted = transactions(market, relatedIdentifierName="FINANCIAL_EVENT_GROUP_ID", relatedIdentifierValue=group)
    assert sum(amount(each["totalAmount"]) for each in counted) == total
    promotions = [row for row in rows if row["promotion-id"]]
    assert [row["order-id"] for row in promotions] == [discounted.order_id]
    assert promotions[0]["amount-type"] == "Promotion"


def test_what_is_held_waits_for_the_next_settlement_and_nothing_is_settled_twice(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    busy(market, time)
    market.close_settlement(time.now)
    first = settled(market)
    time.pass_(days=14)
    market.close_settlement(time.now)
    second = settled(market)
    assert second[0]["settlement-start-date"] == first[0]["settlement-end-date"]
    assert second[0]["settlement-id"] != first[0]["settlement-id"]
    assert len({row["order-id"] for row in second[1:]}) == 1
    assert not {row["order-id"] for row in second[1:]} & {row["order-id"] for row in first[1:]}


def test_a_row_of_an_unknown_kind_comes_with_every_third_settlement_or_on_demand(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    kinds = []
    for wanted in (None, None, None, True):
        market.close_settlement(time.pass_(days=14), unknown_row=wanted)
        summary, *rows = settled(market)
        kinds.append([row["transaction-type"] for row in rows])
        assert sum(Decimal(row["amount"]) for row in rows) == Decimal(summary["total-amount"])
    assert kinds == [[], [], ["Sluice Credit"], ["Sluice Credit"]]


def test_a_european_file_has_decimal_commas_and_its_own_dates() -> None:
    market, time = opened(Amazon, (Listing("MUG", "Mug", 1450, "EUR", 50),))
    market.deferred_days = 0
    sale = market.sell(Random(1), time.now)
    assert sale
    shipped(market, sale, time)
    market.close_settlement(time.pass_(days=1), european=True)
    summary, *rows = settled(market)
    assert summary["settlement-end-date"] == "05.05.2026 12:00:00 UTC"
    assert all("," in row["amount"] and "." not in row["amount"] for row in rows)
    total = sum(Decimal(row["amount"].replace(",", ".")) for row in rows)
    assert total == Decimal(summary["total-amount"].replace(",", "."))
