"""Transactions, settlements and what their words mean."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from chalicelib.channels.amazon.dates import time_ms
from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.amazon.money_kinds import kind_of
from chalicelib.channels.amazon.settlement import SETTLEMENTS, read_settlement, settled_kind
from chalicelib.channels.amazon.wire import iso
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Refused, Unreadable
from chalicelib.domain.settlement import LedgerFact
from tests.unit.channels.amazon_desk import DESK, Desk

DAY_MS = 86_400_000


def money(amount: float) -> dict[str, Any]:
    return {"currencyAmount": amount, "currencyCode": "USD"}


def part(name: str, amount: float, *below: dict[str, Any]) -> dict[str, Any]:
    return {"breakdownType": name, "breakdownAmount": money(amount), "breakdowns": list(below)}


def transaction(
    name: str, status: str, *items: dict[str, Any], total: float | None = None, **related: str
) -> dict[str, Any]:
    return {
        "transactionId": name,
        "transactionType": "Shipment",
        "transactionStatus": status,
        "postedDate": iso(DESK - DAY_MS),
        "relatedIdentifiers": [
            {"relatedIdentifierName": key, "relatedIdentifierValue": value} for key, value in related.items()
        ],
        "items": list(items),
        **({} if total is None else {"totalAmount": money(total)}),
    }


def item(sku: str, total: float, *breakdowns: dict[str, Any]) -> dict[str, Any]:
    return {"totalAmount": money(total), "breakdowns": list(breakdowns), "contexts": [{"sku": sku}]}


SHIRT = item(
    "SHIRT",
    16.0,
    part("ProductCharges", 20.0, part("OurPricePrincipal", 20.0)),
    part("Tax", 1.6, part("OurPriceTax", 1.6)),
    part("AmazonFees", -4.0, part("Commission", -3.0, part("Base", -2.5), part("Tax", -0.5))),
    part("MarketplaceFacilitatorTax-Principal", -1.6),
)


def told(facts: list[LedgerFact]) -> list[tuple[str, int]]:
    return [(fact.kind, fact.amount_minor) for fact in facts]


def test_the_smallest_parts_are_told_and_what_is_left_of_a_group_too() -> None:
    facts = list(facts_of(Node(transaction("T", "RELEASED", SHIRT, total=16.5, ORDER_ID="114-1"))))
    assert told(facts) == [
        ("sale", 2000),
        ("sale", 160),
        ("fee", -250),
        ("fee", -50),
        ("fee", -100),  # AmazonFees says 4.00, its parts 3.00
        ("tax", -160),
        ("other", 50),  # the order as a whole
    ]
    assert sum(fact.amount_minor for fact in facts) == 1650
    assert len({fact.fact_id for fact in facts}) == len(facts)
    assert {fact.external_id for fact in facts} == {"114-1"}


def test_what_the_items_do_not_tell_is_never_dropped() -> None:
    bare = transaction("T", "RELEASED", total=-39.99) | {"transactionType": "ServiceFee"}
    (fact,) = facts_of(Node(bare))
    assert (fact.kind, fact.amount_minor, fact.what) == ("fee", -3999, "ServiceFee")
    tree = bare | {"breakdowns": {"breakdowns": [part("Sales", 0.0), part("Expenses", -39.99, part("X", -30.0))]}}
    assert told(list(facts_of(Node(tree)))) == [("fee", -3000), ("fee", -999)]


def test_a_hold_and_its_release_are_one_amount() -> None:
    held = transaction("H", "DEFERRED", SHIRT, total=16.0)
    ended = transaction("H", "DEFERRED_RELEASED", SHIRT, total=16.0, RELEASE_TRANSACTION_ID="R")
    release = transaction("R", "RELEASED", SHIRT, total=16.0, DEFERRED_TRANSACTION_ID="H", SETTLEMENT_ID="S1")
    ids = [[fact.fact_id for fact in facts_of(Node(each))] for each in (held, ended, release)]
    assert ids[0] == ids[1] == ids[2]
    statuses = [{fact.status for fact in facts_of(Node(each))} for each in (held, ended, release)]
    assert statuses == [{"held"}, {"released"}, {"released"}]
    assert {fact.payout_id for fact in facts_of(Node(release))} == {"S1"}


def test_a_release_that_names_no_hold_is_known_by_the_hold() -> None:
    desk = Desk()
    desk.transactions = [
        transaction("H", "DEFERRED_RELEASED", SHIRT, total=16.0, RELEASE_TRANSACTION_ID="R"),
        transaction("R", "RELEASED", SHIRT, total=16.0),
    ]
    facts = list(desk.client().transactions(DESK - 2 * DAY_MS))
    assert len({fact.fact_id for fact in facts}) * 2 == len(facts)


def test_one_transaction_that_cannot_be_read_is_told_after_the_others() -> None:
    desk = Desk()
    bad = transaction("B", "RELEASED", total=1.0) | {"totalAmount": {"currencyAmount": "x", "currencyCode": "USD"}}
    desk.transactions = [bad, transaction("T", "RELEASED", total=2.0)]
    facts = desk.client().transactions(DESK - 2 * DAY_MS)
    assert next(facts).amount_minor == 200
    with pytest.raises(Unreadable, match="currencyAmount"):
        next(facts)


def test_the_order_of_items_changes_no_id() -> None:
    hat = item("HAT", 1.0, part("ProductCharges", 1.0))
    one = {f.fact_id: f.amount_minor for f in facts_of(Node(transaction("T", "RELEASED", SHIRT, hat)))}
    two = {f.fact_id: f.amount_minor for f in facts_of(Node(transaction("T", "RELEASED", hat, SHIRT)))}
    assert one == two


def test_a_transaction_without_an_id_is_known_by_what_it_says() -> None:
    bare = transaction("", "RELEASED", total=1.0)
    (first,), (again,) = facts_of(Node(bare)), facts_of(Node(dict(bare)))
    (other,) = facts_of(Node(bare | {"postedDate": iso(DESK)}))
    assert first.fact_id == again.fact_id != other.fact_id


def test_transactions_are_read_through_empty_pages_in_spans_of_less_than_180_days() -> None:
    desk = Desk()
    desk.transactions = [transaction(f"T{n}", "RELEASED", total=1.0 + n) for n in range(3)]
    assert len(list(desk.client().transactions(DESK - 400 * DAY_MS))) == 3
    queries = [dict(parse_qsl(urlsplit(request.url).query)) for request in desk.sent if "transactions" in request.url]
    spans = sorted({(query["postedAfter"], query["postedBefore"]) for query in queries})
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert all(time_ms(end) - time_ms(start) <= 180 * DAY_MS for start, end in spans)
    assert time_ms(spans[-1][1]) <= DESK - 120_000
    assert time_ms(spans[0][0]) == DESK - 400 * DAY_MS
    assert all("marketplaceId" not in query for query in queries)


def test_a_store_outside_the_us_is_named() -> None:
    desk = Desk()
    list(desk.client(marketplace_id="A1PA6795UKMFR9").transactions(DESK - DAY_MS))
    assert "marketplaceId=A1PA6795UKMFR9" in desk.sent[-1].url


@pytest.mark.parametrize(
    ("transaction_type", "words", "kind"),
    [
        ("Refund", ("ProductCharges", "OurPricePrincipal"), "refund"),
        ("Refund", ("AmazonFees", "RefundCommission"), "fee"),
        ("Refund", ("RestockingDeductionPrincipal",), "refund"),
        ("Shipment", ("Shipping", "ShippingPrincipal"), "sale"),
        ("Shipment", ("ShippingChargeback",), "fee"),
        ("Shipment", ("PromoRebates", "OurPriceDiscount"), "sale"),
        ("Shipment", ("LowValueGoodsTax-Principal",), "tax"),
        ("Chargeback", ("ProductCharges", "OurPricePrincipal"), "dispute"),
        ("GuaranteeClaim", ("OurPricePrincipal",), "dispute"),
        ("ProductAdsPayment", ("AdvertisingFee",), "fee"),
        ("ServiceFee", ("FBAStorageFee",), "fee"),
        ("Transfer", ("FundTransfer",), "transfer"),
        ("Adjustment", ("ReserveCredit",), "reserve"),
        ("FBAInventoryReimbursement", ("FBAInventoryReimbursement",), "adjustment"),
        ("Surprise", ("Novelty",), "other"),
        ("", (), "other"),
    ],
)
def test_words_of_amazons_have_a_kind(transaction_type: str, words: tuple[str, ...], kind: str) -> None:
    assert kind_of(transaction_type, *words) == kind


# --- settlements --------------------------------------------------------------------------------------

COLUMNS = "\t".join(
    (
        "settlement-id",
        "deposit-date",
        "total-amount",
        "currency",
        "transaction-type",
        "order-id",
        "amount-type",
        "amount-description",
        "amount",
        "posted-date-time",
    )
)


def settlement(*rows: str, total: str = "8,50", currency: str = "EUR", deposit: str = "02.07.2026 00:00:00 UTC") -> str:
    head = f"77\t{deposit}\t{total}\t{currency}"
    return "\n".join([COLUMNS, head, *(f"77\t\t\t{currency}\t{row}" for row in rows)]) + "\n"


SOLD = "Order\t302-1\tItemPrice\tPrincipal\t1.010,00\t17.06.2026 08:14:22 UTC"
FEE = "Order\t302-1\tItemFees\tCommission\t-1.001,50\t17.06.2026 08:14:22 UTC"


def test_a_settlement_of_the_eu_is_read_with_commas_and_the_day_first() -> None:
    payout = read_settlement(settlement(SOLD, FEE).encode("cp1252"))
    assert (payout.payout_id, payout.currency, payout.amount_minor) == ("77", "EUR", 850)
    assert payout.paid_ms == time_ms("2026-07-02T00:00:00Z")
    assert [(f.kind, f.amount_minor, f.at_ms) for f in payout.facts] == [
        ("sale", 101_000, time_ms("2026-06-17T08:14:22Z")),
        ("fee", -100_150, time_ms("2026-06-17T08:14:22Z")),
    ]


def test_a_fact_has_the_same_id_whatever_the_order_of_the_rows() -> None:
    one, two = read_settlement(settlement(SOLD, FEE)), read_settlement(settlement(FEE, SOLD))
    assert {fact.fact_id for fact in one.facts} == {fact.fact_id for fact in two.facts}


def test_rows_that_say_the_same_are_two_amounts() -> None:
    row = "Order\t302-1\tItemFees\tCommission\t1,00\t17.06.2026 08:14:22 UTC"
    payout = read_settlement(settlement(row, row, total="2,00"))
    assert len({fact.fact_id for fact in payout.facts}) == 2


def test_unknown_words_are_kept_and_counted() -> None:
    payout = read_settlement(settlement(SOLD, "Whim\t\tnovelty\tSurprise\t-1.001,50\t"))
    assert payout.facts[1].kind == "other"
    assert payout.facts[1].what == "Whim / novelty / Surprise"
    assert payout.facts[1].at_ms == payout.paid_ms


def test_a_settlement_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(Refused, match="settlement_unbalanced") as refused:
        read_settlement(settlement(SOLD, FEE, total="8.51"))
    assert "8.50, total-amount is 8.51 EUR" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", COLUMNS, "a\tb\n1\t2\n", settlement(SOLD).replace("77", ""), settlement(SOLD, total="x")]
)
def test_what_is_no_settlement_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_settlement(text)


def test_a_yen_has_no_decimals() -> None:
    assert (
        read_settlement(settlement("Order\t\tItemPrice\tPrincipal\t500\t", total="500", currency="JPY")).amount_minor
        == 500
    )


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("Refund", "ItemPrice", "RestockingFee"), "refund"),
        (("Refund", "ItemFees", "Goodwill"), "fee"),
        (("Order", "Promotion", "Shipping"), "sale"),
        (("other-transaction", "other-transaction", "Shipping label purchase"), "shipping_label"),
        (("Chargeback Refund", "ItemPrice", "Principal"), "dispute"),
        (("other-transaction", "other-transaction", "Tax"), "tax"),
    ],
)
def test_the_group_of_a_row_says_what_its_name_leaves_open(words: tuple[str, str, str], kind: str) -> None:
    assert settled_kind(*words) == kind


def test_settlements_are_found_and_never_asked_for() -> None:
    desk = Desk()
    desk.made("R1", settlement(SOLD, FEE).encode(), SETTLEMENTS)
    desk.made("R2", settlement(SOLD, FEE, total="1").encode(), SETTLEMENTS)
    desk.made("R3", settlement(SOLD, FEE).replace("77", "78").encode(), SETTLEMENTS)
    desk.made("R4", b"", SETTLEMENTS, status="IN_PROGRESS")
    desk.reports_made["R3"]["createdTime"] = iso(DESK - 3 * DAY_MS)  # made before the bank was paid
    payouts = desk.client().payouts(DESK - DAY_MS)
    assert [next(payouts).payout_id, next(payouts).payout_id] == ["78", "77"]
    with pytest.raises(Refused, match="settlement_unbalanced"):
        next(payouts)
    assert "createReport" not in desk.operations


@pytest.mark.parametrize(
    ("text", "iso_time"),
    [
        ("2026-06-17 08:14:22 UTC", "2026-06-17T08:14:22+00:00"),
        ("17.06.2026 08:14:22 UTC", "2026-06-17T08:14:22+00:00"),
        ("17/06/2026", "2026-06-17T00:00:00+00:00"),
        ("17-Jun-2026", "2026-06-17T00:00:00+00:00"),
        ("2026-06-17T10:14:22+02:00", "2026-06-17T08:14:22+00:00"),
    ],
)
def test_dates_of_every_store_are_read(text: str, iso_time: str) -> None:
    assert time_ms(text) == time_ms(iso_time) > 0
    assert time_ms("tomorrow") == time_ms("") == time_ms("0001-01-01") == 0
