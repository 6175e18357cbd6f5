"""Transactions and payouts: recorded rows, and what the stand-in books."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.channels.ebay.finances import facts_of
from chalicelib.channels.ebay.reader import read_orders
from chalicelib.channels.fields import Node, parse
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.settlement import LedgerFact
from local.marketplaces.ebay_finances import transactions
from tests.contract.ebay_seller import GATEWAY, START_MS, Seller, answer, seller
from tests.contract.marketplaces_calls import populated
from tests.shared_data import shared

DAY_MS = 86_400_000
ROWS = "samples/ebay/finances/getTransactions.sales-adfees-transfers.json"


@pytest.fixture
def on() -> Seller:
    return seller()


def recorded() -> list[Node]:
    return parse(shared(ROWS).read_bytes()).each("transactions")


# --- recorded rows ------------------------------------------------------------------------------------


def test_the_facts_of_each_recorded_row_add_up_to_what_was_booked() -> None:
    for row in recorded():
        facts = facts_of(row)
        sign = -1 if row.text("bookingEntry") == "DEBIT" else 1
        assert sum(fact.amount_minor for fact in facts) == sign * int(Decimal(row.at("amount").text("value")) * 100)
        assert {(fact.status, fact.payout_id) for fact in facts} == {("paid", row.text("payoutId"))}
    ids = [fact.fact_id for row in recorded() for fact in facts_of(row)]
    assert len(set(ids)) == len(ids)


def test_recorded_sales_are_gross_and_without_the_tax_that_ebay_kept() -> None:
    sales = [fact for row in recorded() for fact in facts_of(row) if fact.kind == "sale"]
    assert [fact.amount_minor for fact in sales] == [22054, 6973, 14398]
    assert not [fact for row in recorded() for fact in facts_of(row) if fact.kind == "tax"]
    (order,) = read_orders(shared("samples/ebay/orders/getOrders.order.fulfilled-paid.json").read_bytes(), "ebay")
    assert {fact.external_id: fact.amount_minor for fact in sales}[order.external_id] == order.total_minor


def test_recorded_charges_name_their_orders_and_transfers_none() -> None:
    facts = [fact for row in recorded() for fact in facts_of(row)]
    ads = [fact for fact in facts if "AD_FEE" in fact.what]
    assert [fact.external_id for fact in ads] == ["04-12087-00008", "23-11818-00007", "05-11779-00004"]
    assert {fact.external_id for fact in facts if fact.kind == "transfer"} == {""}
    assert Counter(fact.kind for fact in facts) == Counter(fee=14, sale=3, transfer=3)


# --- the stand-in -------------------------------------------------------------------------------------


def traded(on: Seller) -> None:
    """A week of trade with a refund and a cancellation in it, paid out once."""
    sales = populated(on.market, on.time, 40)
    paid = [sale for sale in sales if sale.paid and not sale.cancelled_at and not sale.parcels]
    on.market.cancel(paid[0], on.time.pass_(hours=1))
    on.market.hold_funds(paid[1], on.time.now)
    on.market.pay_out(on.time.pass_(days=3))
    populated(on.market, on.time, 10)


def by_row(facts: list[LedgerFact]) -> dict[str, int]:
    """Type/id of a transaction -> the sum of its facts."""
    sums: dict[str, int] = {}
    for fact in facts:
        key = "/".join(fact.fact_id.split("/")[:2])
        sums[key] = sums.get(key, 0) + fact.amount_minor
    return sums


def test_every_transaction_comes_with_the_sum_that_was_booked(on: Seller) -> None:
    traded(on)
    facts = list(on.later().transactions(0))
    booked = {each.key: each.signed_minor for each in transactions(on.market, on.time.now)}
    assert by_row(facts) == booked
    assert {fact.status for fact in facts} == {"paid", "held", "open"}
    assert {"sale", "refund", "fee"} <= {fact.kind for fact in facts}


def test_only_what_was_booked_since_then_comes(on: Seller) -> None:
    traded(on)
    since_ms = on.now_ms - 5 * 60_000
    booked = [each for each in transactions(on.market, on.time.now) if each.at.timestamp() * 1000 >= since_ms]
    assert by_row(list(on.later().transactions(since_ms))).keys() == {each.key for each in booked}
    assert booked


def test_an_account_without_transactions_has_none(on: Seller) -> None:
    assert list(on.client.transactions(START_MS)) == []
    assert list(on.client.payouts(START_MS)) == []


def test_a_payout_comes_whole_and_adds_up(on: Seller) -> None:
    traded(on)
    (paid,) = on.market.shelf.ebay.payouts
    (payout,) = on.later().payouts(START_MS)
    assert (payout.payout_id, payout.amount_minor) == (paid.payout_id, paid.amount_minor)
    assert sum(fact.amount_minor for fact in payout.facts) == paid.amount_minor
    assert len(by_row(list(payout.facts))) == paid.transactions
    assert {fact.payout_id for fact in payout.facts} == {paid.payout_id}
    assert list(on.later().payouts(on.now_ms)) == []


def rows(first: int, count: int, *, same_time: bool = False) -> list[dict[str, object]]:
    return [
        {
            "transactionId": str(number),
            "transactionType": "TRANSFER",
            "amount": {"value": "1.00", "currency": "USD"},
            "bookingEntry": "CREDIT",
            "transactionDate": f"2026-04-0{1 + (0 if same_time else number // 5000)}T00:00:00.000Z",
        }
        for number in range(first, first + count)
    ]


def test_more_rows_than_offsets_reach_are_sliced_by_date(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    pages = [rows(page * 1000, 1000) for page in range(5)]
    pages[4][-1]["transactionDate"] = "2026-04-02T00:00:00.000Z"
    on.wire.instead = [answer({"transactions": page, "next": "https://x"}) for page in pages]
    on.wire.instead.append(answer({"transactions": rows(4999, 3)}))
    facts = list(on.client.transactions(START_MS - 40 * DAY_MS))
    assert {fact.fact_id for fact in facts} == {f"TRANSFER/{number}" for number in range(5002)}
    queries = [parse_qs(urlsplit(request.url).query) for request in on.wire.sent]
    assert [query["offset"] for query in queries] == [["0"], ["1000"], ["2000"], ["3000"], ["4000"], ["0"]]
    assert queries[-1]["filter"][0].startswith("transactionDate:[2026-04-02T00:00:00.000Z..")


def test_rows_that_no_date_can_slice_are_refused(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    pages = [answer({"transactions": rows(page * 1000, 1000, same_time=True), "next": "x"}) for page in range(10)]
    on.wire.instead = pages
    with pytest.raises(Refused, match="bad_page"):
        list(on.client.transactions(START_MS - 40 * DAY_MS))


def test_a_reading_of_many_years_asks_for_no_range_that_ebay_refuses(on: Seller) -> None:
    list(on.client.transactions(0))
    filters = [parse_qs(urlsplit(request.url).query)["filter"][0] for request in on.wire.sent[1:]]
    assert len(filters) == 2


def payouts(*pairs: tuple[str, str]) -> HttpResponse:
    shown = [
        {
            "payoutId": payout_id,
            "payoutStatus": status,
            "amount": {"value": "0.00", "currency": "USD"},
            "payoutDate": "2026-05-01T00:00:00.000Z",
        }
        for payout_id, status in pairs
    ]
    return answer({"payouts": shown})


def test_a_payout_that_succeeds_late_is_not_missed(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [payouts(("A", "INITIATED"), ("B", "TERMINAL_FAILED"))]
    assert list(on.client.payouts(START_MS - 4 * DAY_MS)) == []
    on.wire.instead = [payouts(("A", "SUCCEEDED"), ("C", "SUCCEEDED")), HttpResponse(204, {}, b"")]
    assert [payout.payout_id for payout in on.client.payouts(START_MS)] == ["A"]
    assert on.jobs.get("payouts") == {}
    on.wire.instead = [HttpResponse(204, {}, b"")]
    assert list(on.client.payouts(START_MS)) == []


@pytest.mark.parametrize("status", ["INITIATED", "RETRYABLE_FAILED", "REVERSED"])
def test_a_payout_on_its_way_is_remembered_though_the_reading_breaks_off(on: Seller, status: str) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [payouts(("A", status), ("B", "SUCCEEDED")), GATEWAY]
    with pytest.raises(Busy):
        list(on.client.payouts(START_MS - 4 * DAY_MS))
    assert set(on.jobs.get("payouts") or ()) == {"A"}


def test_a_payout_on_its_way_is_remembered_though_the_reader_stops(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.jobs.put("payouts", {"Z": START_MS - DAY_MS})
    on.wire.instead = [payouts(("A", "INITIATED"), ("B", "SUCCEEDED")), HttpResponse(204, {}, b"")]
    reading = on.client.payouts(START_MS - 4 * DAY_MS)
    assert next(iter(reading)).payout_id == "B"
    reading.close()  # type: ignore[attr-defined]
    assert set(on.jobs.get("payouts") or ()) == {"A", "Z"}


def test_a_payout_that_never_succeeds_is_forgotten(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [payouts(("A", "REVERSED"))]
    assert list(on.client.payouts(START_MS - 4 * DAY_MS)) == []
    on.time.pass_(days=100)
    on.wire.instead = [payouts(("A", "REVERSED"))]
    on.tokens.put("t", on.now_ms + DAY_MS)
    assert list(on.later().payouts(on.now_ms)) == []
    assert on.jobs.get("payouts") == {}


def test_a_payout_of_many_transactions_is_read_over_all_its_pages(on: Seller) -> None:
    on.tokens.put("t", START_MS)
    pages = [rows(page * 1000, 1000, same_time=True) for page in range(6)]
    on.wire.instead = [payouts(("A", "SUCCEEDED"), ("A", "SUCCEEDED"))]
    on.wire.instead += [answer({"transactions": page, "total": 6000}) for page in pages]
    (payout,) = on.client.payouts(START_MS - 4 * DAY_MS)
    assert len({fact.fact_id for fact in payout.facts}) == 6000
    queries = [parse_qs(urlsplit(request.url).query) for request in on.wire.sent[1:]]
    assert {query["filter"][0] for query in queries} == {"payoutId:{A}"}
    assert [query["offset"][0] for query in queries] == [str(page * 1000) for page in range(6)]


def test_every_call_to_finances_is_signed_where_ebay_demands_it(on: Seller) -> None:
    traded(on)
    on.market.requires_signature = True
    with pytest.raises(Refused) as refused:
        list(on.later().transactions(0))
    assert refused.value.reason == "signing_key_expired"
    key = on.later().create_signing_key()
    assert set(key) == {"jwe", "private_key", "expires_ms"}
    assert list(on.later(signing_key=key).transactions(0))
    assert list(on.later(signing_key=json.dumps(key)).payouts(START_MS))
    on.time.now += timedelta(milliseconds=key["expires_ms"] - on.now_ms)
    with pytest.raises(Refused) as refused:
        list(on.later(signing_key=key).payouts(START_MS))
    assert refused.value.reason == "signing_key_expired"
    assert on.tokens.why_lost == ""  # the rest of the account goes on


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b"<html>"])
def test_an_answer_that_is_no_list_does_not_say_that_nothing_was_booked(on: Seller, body: bytes) -> None:
    on.tokens.put("t", START_MS)
    on.wire.instead = [HttpResponse(200, {}, body)] * 2
    with pytest.raises(Busy):
        list(on.client.transactions(START_MS))
    with pytest.raises(Busy):
        list(on.client.payouts(START_MS))
