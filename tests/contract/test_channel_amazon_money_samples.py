"""Amazon's own samples of settlements and finances, read as the client reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.amazon.settlement import read_settlement, settled_kind
from chalicelib.channels.fields import parse
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy
from chalicelib.domain.settlement import MONEY_KINDS
from tests.contract.amazon_samples import answered, sample
from tests.unit.channels.amazon_desk import Desk

# --- settlement ---------------------------------------------------------------------------------------


def test_the_sample_settlement_adds_up_to_its_total() -> None:
    payout = read_settlement(sample("settlement.flat-file-v2.sample.txt"))
    assert (payout.payout_id, payout.currency, payout.amount_minor) == ("28471003921", "USD", 58289)
    assert payout.paid_ms == 1_782_950_400_000
    by_kind: dict[str, int] = {}
    for fact in payout.facts:
        by_kind[fact.kind] = by_kind.get(fact.kind, 0) + fact.amount_minor
    assert by_kind == {
        "sale": 12999 + 1040 + 8900 + 799 + 4550 + 21000,
        "fee": -1950 - 475 - 1335 - 799 - 683 - 500 + 1950 - 3150 - 6428 - 3999 - 1260 - 250,
        "tax": -1040,
        "refund": -12999,
        "adjustment": 1875,
        "reserve": 82044 - 42000,
    }
    assert len({fact.fact_id for fact in payout.facts}) == len(payout.facts) == 23
    assert payout.facts[0].external_id == "114-8829371-4410258"
    assert {fact.payout_id for fact in payout.facts} == {"28471003921"}
    assert {fact.status for fact in payout.facts} == {"paid"}


def test_a_settlement_of_the_documented_columns_alone_is_read() -> None:
    columns = json.loads(sample("settlement.flat-file-v2.official-columns.json"))
    whole = sample("settlement.flat-file-v2.sample.txt").decode().splitlines()
    assert whole[0].split("\t") == [*columns, "promotion-id"]
    narrow = "\n".join("\t".join(line.split("\t")[: len(columns)]) for line in whole)
    assert read_settlement(narrow).facts == read_settlement("\n".join(whole)).facts


def test_every_observed_fee_code_has_a_kind() -> None:
    codes = json.loads(sample("settlement.flat-file-v2.fee-codes.json"))["entries"]
    assert len(codes) > 60
    unknown = set()
    for code in codes:
        for amount_type in code["amount_types"] or ["other-transaction"]:
            kind = settled_kind("Order", amount_type, code["description"])
            assert kind in MONEY_KINDS
            if kind == "other":
                unknown.add(code["description"])
    assert unknown == {"Additional Other Expenses", "Amazon Capital Services", "Merchant Bad Debt"}


# --- finances -----------------------------------------------------------------------------------------


def test_the_sample_transaction_with_breakdowns_is_told_part_by_part() -> None:
    (node,) = (
        parse(sample("finances.2024-06-19.listTransactions.shipment-with-breakdowns-sek.json"))
        .at("payload")
        .each("transactions")
    )
    facts = list(facts_of(node))
    assert [(fact.kind, fact.amount_minor, fact.currency) for fact in facts] == [
        ("sale", 25599, "SEK"),
        ("sale", 6400, "SEK"),
        ("fee", -9680, "SEK"),
    ]
    assert {(fact.external_id, fact.status) for fact in facts} == {("ORDER-1", "released")}


def test_the_models_sample_transaction_without_breakdowns_is_one_amount() -> None:
    desk = Desk()
    last = {"payload": {"transactions": [], "nextToken": None}}
    body = sample("finances.2024-06-19.listTransactions.json")
    desk.instead["listTransactions"] = [HttpResponse(200, {}, body), HttpResponse(200, {}, json.dumps(last).encode())]
    (fact,) = desk.client().transactions(desk.now_ms - 86_400_000)
    assert (fact.amount_minor, fact.currency, fact.external_id, fact.status) == (1000, "USD", "8129762527551", "open")
    assert "nextToken=Next+token+value" in desk.sent[-1].url


@pytest.mark.parametrize(
    "name",
    [
        "finances.2024-06-19.listBalances.json",
        "finances.2024-06-19.listBalances.1.json",
        "finances.2024-06-19.listSummary.json",
        "finances.v0.listFinancialEventGroups.json",
        "finances.v0.listFinancialEvents.json",
        "finances.v0.listFinancialEventsByOrderId.json",
        "finances.v0.financialEvents.shipment-refund-fees-gbp.json",
    ],
)
def test_the_answers_of_other_operations_are_never_read_as_transactions(name: str) -> None:
    """Balances and summaries are sums of what we read, and Amazon removes Finances v0."""
    desk = Desk()
    answered(desk, "listTransactions", name)
    try:
        assert list(desk.client().transactions(desk.now_ms - 86_400_000)) == []
    except Busy:
        assert b'"payload"' not in sample(name)


def test_every_charge_of_the_old_finances_sample_has_a_kind() -> None:
    events = json.loads(sample("finances.v0.financialEvents.shipment-refund-fees-gbp.json"))
    kinds: dict[str, str] = {}
    for fee in set(_texts(events, "FeeType")):
        kinds[fee] = settled_kind("Order", "ItemFees", fee)
    assert set(kinds.values()) == {"fee"}
    assert {settled_kind("Refund", "ItemPrice", charge) for charge in _texts(events, "ChargeType")} == {"refund"}
    assert settled_kind("other-transaction", "other-transaction", "WAREHOUSE_DAMAGE") == "adjustment"
    assert settled_kind("other-transaction", "other-transaction", "PostageBilling_Postage") == "shipping_label"


def _texts(value: Any, name: str) -> list[str]:
    if isinstance(value, list):
        return [text for each in value for text in _texts(each, name)]
    if not isinstance(value, dict):
        return []
    found = [value[name]] if isinstance(value.get(name), str) else []
    return found + [text for each in value.values() for text in _texts(each, name)]
