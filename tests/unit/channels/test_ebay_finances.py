"""eBay's transactions become amounts that add up to what was booked."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.ebay.finances import facts_of, payout_of
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.settlement import MONEY_KINDS, LedgerFact


def money(value: str, currency: str = "EUR") -> dict[str, str]:
    return {"value": value, "currency": currency}


def row(**changes: Any) -> Node:
    fields = {
        "transactionId": "12-1",
        "orderId": "12-1",
        "transactionType": "SALE",
        "amount": money("80.0"),
        "bookingEntry": "CREDIT",
        "transactionDate": "2026-05-04T12:00:00.000Z",
        "transactionStatus": "FUNDS_PROCESSING",
        **changes,
    }
    return Node({name: value for name, value in fields.items() if value is not None})


def fees(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    """Each fee on a line of its own."""
    return [{"marketplaceFees": [{"feeType": name, "amount": money(value)}]} for name, value in pairs]


def amounts(node: Node) -> dict[str, int]:
    return {fact.fact_id: fact.amount_minor for fact in facts_of(node)}


def test_a_sale_is_shown_gross_with_each_kind_of_fee_once() -> None:
    lines = fees(("FINAL_VALUE_FEE", "12.50"), ("FINAL_VALUE_FEE", "6.00"), ("FIXED", "1.50"))
    sale = row(totalFeeAmount=money("20"), orderLineItems=lines)
    expected = {"SALE/12-1": 10000, "SALE/12-1/FINAL_VALUE_FEE": -1850, "SALE/12-1/FIXED": -150}
    assert amounts(sale) == expected
    assert [fact.kind for fact in facts_of(sale)] == ["sale", "fee", "fee"]
    assert {fact.external_id for fact in facts_of(sale)} == {"12-1"}


def test_a_refund_brings_fees_back() -> None:
    refund = row(transactionType="REFUND", bookingEntry="DEBIT", totalFeeAmount=money("20"), orderLineItems=[])
    assert amounts(refund) == {"REFUND/12-1": -10000, "REFUND/12-1/OTHER_FEES": 2000}


def test_what_the_lines_do_not_explain_of_the_fees_is_a_fee_all_the_same() -> None:
    sale = row(totalFeeAmount=money("20"), orderLineItems=fees(("FINAL_VALUE_FEE", "19.99")))
    assert amounts(sale) == {"SALE/12-1": 10000, "SALE/12-1/FINAL_VALUE_FEE": -1999, "SALE/12-1/OTHER_FEES": -1}
    given = [{"donations": [{"feeType": "CHARITY", "amount": money("20")}]}]
    assert amounts(row(totalFeeAmount=money("20"), orderLineItems=given)) == {
        "SALE/12-1": 10000,
        "SALE/12-1/CHARITY": -2000,
    }
    unnamed = row(totalFeeAmount=None, orderLineItems=fees(("FINAL_VALUE_FEE", "5")))
    assert amounts(unnamed) == {"SALE/12-1": 8500, "SALE/12-1/FINAL_VALUE_FEE": -500}


@pytest.mark.parametrize("name", ["ebayCollectedTaxAmount", "eBayCollectedTaxAmount"])
def test_tax_counts_only_where_the_amounts_hold_it(name: str) -> None:
    beside = row(totalFeeAmount=money("20"), totalFeeBasisAmount=money("107"), **{name: money("7")})
    assert amounts(beside) == {"SALE/12-1": 10000, "SALE/12-1/OTHER_FEES": -2000}
    inside = row(totalFeeAmount=money("20"), totalFeeBasisAmount=money("93"), **{name: money("7")})
    assert amounts(inside) == {"SALE/12-1": 9300, "SALE/12-1/OTHER_FEES": -2000, "SALE/12-1/tax": 700}


@pytest.mark.parametrize(
    ("kind", "entry", "expected"),
    [
        ("DISPUTE", "DEBIT", ("dispute", -8000)),
        ("DISPUTE", "CREDIT", ("dispute", 8000)),
        ("SHIPPING_LABEL", "DEBIT", ("shipping_label", -8000)),
        ("SHIPPING_LABEL", "CREDIT", ("shipping_label", 8000)),
        ("NON_SALE_CHARGE", "DEBIT", ("fee", -8000)),
        ("NON_SALE_CHARGE", "CREDIT", ("fee", 8000)),
        ("TRANSFER", "CREDIT", ("transfer", 8000)),
        ("WITHDRAWAL", "DEBIT", ("transfer", -8000)),
        ("ADJUSTMENT", "DEBIT", ("adjustment", -8000)),
        ("CREDIT", "CREDIT", ("adjustment", 8000)),
        ("LOAN_REPAYMENT", "DEBIT", ("other", -8000)),
        ("SOMETHING_NEW", "CREDIT", ("other", 8000)),
    ],
)
def test_each_type_has_its_kind_and_the_sign_of_its_entry(kind: str, entry: str, expected: tuple[str, int]) -> None:
    (fact,) = facts_of(row(transactionType=kind, bookingEntry=entry))
    assert (fact.kind, fact.amount_minor) == expected
    assert fact.kind in MONEY_KINDS
    assert fact.fact_id == f"{kind}/12-1"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("FUNDS_ON_HOLD", "held"),
        ("FUNDS_AVAILABLE_FOR_PAYOUT", "released"),
        ("PAYOUT", "paid"),
        ("FUNDS_PROCESSING", "open"),
        ("COMPLETED", "open"),
        ("SOMETHING_NEW", "open"),
    ],
)
def test_the_status_says_where_the_money_is(status: str, expected: str) -> None:
    (fact,) = facts_of(row(transactionStatus=status, payoutId="P1"))
    assert (fact.status, fact.payout_id) == (expected, "P1")


def test_a_transfer_that_failed_has_moved_nothing() -> None:
    """It keeps its id: what was booked under it before is corrected."""
    assert amounts(row(transactionType="TRANSFER", transactionStatus="FAILED")) == {"TRANSFER/12-1": 0}
    assert amounts(row(transactionType="TRANSFER", bookingEntry="DEBIT")) == {"TRANSFER/12-1": -8000}


def test_a_charge_names_its_order_among_its_references() -> None:
    references = [
        {"referenceId": "1", "referenceType": "ITEM_ID"},
        {"referenceId": "12-9", "referenceType": "ORDER_ID"},
    ]
    charge = row(transactionType="NON_SALE_CHARGE", orderId=None, feeType="AD_FEE", references=references)
    (fact,) = facts_of(charge)
    assert (fact.external_id, fact.what) == ("12-9", "NON_SALE_CHARGE AD_FEE")
    (nobodys,) = facts_of(row(transactionType="NON_SALE_CHARGE", orderId=None, transactionMemo="x" * 500))
    assert (nobodys.external_id, len(nobodys.what)) == ("", 120)


def test_an_amount_in_a_foreign_currency_beside_the_sum_changes_no_sum() -> None:
    lines = [{"marketplaceFees": [{"feeType": "FEE", "amount": money("5", "GBP")}]}]
    sale = row(totalFeeAmount=money("20"), orderLineItems=lines)
    assert sum(amounts(sale).values()) == 8000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transactionId": None}, "transactionId"),
        ({"transactionType": None}, "transactionType"),
        ({"amount": None}, "amount.currency"),
        ({"amount": {"currency": "EUR"}}, "amount.value"),
        ({"transactionDate": None}, "transactionDate"),
        ({"orderLineItems": {}}, "orderLineItems"),
    ],
)
def test_a_row_that_lacks_what_counts_is_unreadable(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable, match=field):
        facts_of(row(**changes))


def test_a_payout_holds_what_it_cost_to_be_paid_at_once() -> None:
    inside = [LedgerFact("SALE/1", "sale", 8000, "EUR", 1, payout_id="P1")]
    stated = {"payoutId": "P1", "amount": money("78.50"), "payoutDate": "2026-05-04T12:00:00Z"}
    payout = payout_of(Node({**stated, "totalFee": money("1.50")}), inside)
    assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor == 7850
    assert payout_of(Node(stated), inside).facts == tuple(inside)


TYPES = ["SALE", "REFUND", "CREDIT", "DISPUTE", "SHIPPING_LABEL", "TRANSFER", "NON_SALE_CHARGE", "ADJUSTMENT"]
TYPES += ["WITHDRAWAL", "LOAN_REPAYMENT", "PURCHASE", "NEW_ONE"]
STATUSES = ["FUNDS_ON_HOLD", "FUNDS_PROCESSING", "FUNDS_AVAILABLE_FOR_PAYOUT", "PAYOUT", "COMPLETED", "NEW_ONE"]
SHAPES: list[dict[str, Any]] = [
    {},
    {"totalFeeAmount": money("20"), "orderLineItems": fees(("FINAL_VALUE_FEE", "15"), ("FIXED", "5"))},
    {"totalFeeAmount": money("0"), "orderLineItems": fees(("FINAL_VALUE_FEE", "15"))},
    {"orderLineItems": [{"lineItemId": "1"}], "totalFeeBasisAmount": money("100")},
    {"totalFeeAmount": money("20"), "totalFeeBasisAmount": money("93"), "ebayCollectedTaxAmount": money("7")},
    {"totalFeeBasisAmount": money("73"), "eBayCollectedTaxAmount": money("7"), "feeType": "AD_FEE"},
    {"totalFeeAmount": money("20", "USD"), "orderLineItems": fees(("FIXED", "5"))},
    {"amount": money("0")},
    {"amount": money("-80.0"), "totalFeeAmount": money("-2")},
]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("entry", ["CREDIT", "DEBIT"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_facts_of_any_row_add_up_and_keep_their_ids(kind: str, entry: str, shape: dict[str, Any]) -> None:
    ids = set()
    for status in STATUSES:
        found = facts_of(row(transactionType=kind, bookingEntry=entry, transactionStatus=status, **shape))
        signed = (-1 if entry == "DEBIT" else 1) * round(float(shape.get("amount", money("80.0"))["value"]) * 100)
        assert sum(fact.amount_minor for fact in found) == signed
        assert len({fact.fact_id for fact in found}) == len(found)
        assert {fact.kind for fact in found} <= set(MONEY_KINDS)
        ids.add(tuple(fact.fact_id for fact in found))
    assert len(ids) == 1


@pytest.mark.parametrize("kind", ["REFUND", "DISPUTE", "SHIPPING_LABEL", "NON_SALE_CHARGE"])
def test_what_is_told_without_its_side_is_on_the_side_where_it_mostly_is(kind: str) -> None:
    assert sum(amounts(row(transactionType=kind, bookingEntry=None)).values()) == -8000
    assert sum(amounts(row(transactionType="SALE", bookingEntry=None)).values()) == 8000
    assert sum(amounts(row(transactionType=kind, bookingEntry="CREDIT")).values()) == 8000


def test_a_fee_named_like_our_own_word_is_no_tax() -> None:
    sale = row(
        totalFeeAmount=money("20"),
        totalFeeBasisAmount=money("93"),
        ebayCollectedTaxAmount=money("7"),
        orderLineItems=fees(("tax", "20")),
    )
    assert len({fact.fact_id for fact in facts_of(sale)}) == len(facts_of(sale)) == 3


def test_fees_of_a_sale_abroad_count_where_they_are_told_in_the_payouts_currency() -> None:
    fee = {"value": "25", "currency": "USD", "convertedFromValue": "20", "convertedFromCurrency": "EUR"}
    assert amounts(row(totalFeeAmount=fee)) == {"SALE/12-1": 10000, "SALE/12-1/OTHER_FEES": -2000}
