"""The stand-in Amazon's feeds by which a seller calls off and gives money back, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from local.marketplaces.amazon import Amazon
from local.marketplaces.shelf import Sale
from tests.contract.marketplaces_amazon_office import (
    CANCELS,
    REFUNDS,
    call,
    finished_feed,
    paid_sale,
    shipped,
    tabbed,
    transactions,
)
from tests.contract.marketplaces_calls import Time, opened


@pytest.fixture
def amazon() -> tuple[Amazon, Time]:
    return opened(Amazon)


# --- the seller's cancel ------------------------------------------------------------------------------


def cancel(market: Amazon, time: Time, *rows: tuple[Sale | str, str, str]) -> str:
    body = tabbed(
        *(
            {
                "order-id": sale if isinstance(sale, str) else sale.order_id,
                "cancellation-reason-code": reason,
                "amazon-order-item-code": line_id,
            }
            for sale, line_id, reason in rows
        )
    )
    return finished_feed(market, time, CANCELS, b"TemplateType=OrderCancellation\tVersion=1.0/1.0.3\n" + body).decode()


def order(market: Amazon, sale: Sale) -> Any:
    query = {"includedData": "CANCELLATION,FULFILLMENT"}
    names = {"orderId": sale.order_id}
    return call(market, "GET", "/orders/2026-01-01/orders/{orderId}", 200, names=names, query=query)["order"]


def test_an_order_is_cancelled_by_the_seller_and_says_so(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time, lines=2)
    before = {line.sku: market.shelf.listings[line.sku].quantity for line in sale.lines}
    market.drain_changes()
    result = cancel(market, time, (sale, "", "BuyerCanceled"))
    assert "Number of records successful\t\t1" in result
    body = order(market, sale)
    assert body["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    executed = {"cancelledBy": "MERCHANT", "cancelReason": "BUYER_CANCELED"}
    assert [item["cancellation"] for item in body["orderItems"]] == [{"cancellationExecution": executed}] * 2
    for line in sale.lines:
        assert market.shelf.listings[line.sku].quantity == before[line.sku] + line.quantity
    assert [change.kind for change in market.drain_changes()] == ["cancelled"]


def test_a_line_without_stock_is_cancelled_and_stays_off_the_shelf(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time, lines=2)
    gone, kept = sale.lines
    before = market.shelf.listings[gone.sku].quantity
    cancel(market, time, (sale, gone.line_id, "NoInventory"))
    body = order(market, sale)
    assert body["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    assert [item["fulfillment"]["quantityUnfulfilled"] for item in body["orderItems"]] == [0, kept.quantity]
    assert ["cancellation" in item for item in body["orderItems"]] == [True, False]
    assert market.shelf.listings[gone.sku].quantity == before
    shipped(market, sale, time, l1=kept.quantity)
    assert order(market, sale)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"


def test_rows_that_cannot_be_cancelled_are_refused_one_by_one(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    good, gone, pending = (paid_sale(market, time, seed=seed) for seed in (1, 2, 3))
    shipped(market, gone, time)
    pending.paid = False
    result = cancel(
        market,
        time,
        ("114-0000000-0000000", "", "NoInventory"),
        (good, "1", "NoInventory"),
        (good, "", "Because"),
        (gone, "", "NoInventory"),
        (pending, "", "NoInventory"),
        (good, good.lines[0].line_id, "GeneralAdjustment"),
        (good, good.lines[0].line_id, "GeneralAdjustment"),
    )
    assert "Number of records processed\t\t7" in result
    assert "Number of records successful\t\t1" in result
    refused = result.split("error-message\n")[1].splitlines()
    assert [row.split("\t")[0] for row in refused] == ["1", "2", "3", "4", "5", "7"]
    assert good.cancelled_at
    assert not gone.cancelled_at


# --- the seller's refund ------------------------------------------------------------------------------


def refund_row(sale: Sale, amount: str, **changes: str) -> dict[str, str]:
    return {
        "order-id": sale.order_id,
        "order-item-id": sale.lines[0].line_id,
        "adjustment-reason-code": "CustomerReturn",
        "currency": "USD",
        "item-price-adj": amount,
        "item-tax-adj": "",
        "shipping-price-adj": "",
        **changes,
    }


def cents(amount_minor: int) -> str:
    return f"{amount_minor / 100:.2f}"


def test_a_refund_sent_twice_is_paid_twice_up_to_what_was_paid(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    shipped(market, sale, time)
    net_minor = sale.lines[0].net_minor
    half = tabbed(refund_row(sale, cents(net_minor // 2)))
    for paid in (1, 1, 0):
        result = finished_feed(market, time, REFUNDS, half).decode()
        assert f"Number of records successful\t\t{paid}" in result
    assert "more than the buyer has paid" in result
    assert sum(refund.principal_minor for refund in market.office.refunds) == net_minor // 2 * 2
    time.pass_(minutes=3)
    refunds = transactions(market, relatedIdentifierName="ORDER_ID", relatedIdentifierValue=sale.order_id)
    assert [each["transactionType"] for each in refunds] == ["Shipment", "Refund", "Refund"]


def test_tax_and_shipping_are_refunded_and_never_more_than_paid(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    sale = paid_sale(market, time, shipping_minor=True, tax_minor=True)
    shipped(market, sale, time)
    line = sale.lines[0]
    row = {"item-tax-adj": cents(line.tax_minor), "shipping-price-adj": cents(sale.shipping_minor)}
    all_of_it = refund_row(sale, cents(line.net_minor), **row)
    too_much = refund_row(sale, "0.00", **{"shipping-price-adj": cents(sale.shipping_minor + 1)})
    result = finished_feed(market, time, REFUNDS, tabbed(too_much, all_of_it)).decode()
    assert "Number of records successful\t\t1" in result
    (refund,) = market.office.refunds
    assert (refund.principal_minor, refund.tax_minor, refund.shipping_minor) == (
        line.net_minor,
        line.tax_minor,
        sale.shipping_minor,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"order-id": "114-0000000-0000000"},
        {"order-item-id": "1"},
        {"adjustment-reason-code": "Because"},
        {"currency": "EUR"},
        {"item-price-adj": "-1.00"},
        {"item-price-adj": "1,00"},
        {"item-price-adj": ""},
        {"item-promotion-adj": "0.50"},
    ],
)
def test_a_refund_that_makes_no_sense_is_an_error_row(amazon: tuple[Amazon, Time], changes: dict[str, str]) -> None:
    market, time = amazon
    sale = paid_sale(market, time)
    shipped(market, sale, time)
    result = finished_feed(market, time, REFUNDS, tabbed({**refund_row(sale, "1.00"), **changes})).decode()
    assert "Number of records successful\t\t0" in result
    assert market.office.refunds == []


def test_an_order_that_has_not_left_is_not_refunded(amazon: tuple[Amazon, Time]) -> None:
    market, time = amazon
    result = finished_feed(market, time, REFUNDS, tabbed(refund_row(paid_sale(market, time), "1.00"))).decode()
    assert "has not been shipped" in result
