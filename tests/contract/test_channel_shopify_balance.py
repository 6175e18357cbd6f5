"""What Shopify Payments has booked and paid out, read from the stand-in shop under the official schema."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.facts import Payout
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.shopify.balance import kind_of
from chalicelib.channels.shopify.client import ShopifyClient
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.settlement import MONEY_KINDS, LedgerFact
from local.marketplaces.shelf import Sale
from local.marketplaces.shopify_back_office import Payment
from local.marketplaces.shopify_balance import book, bookings, pay_out
from local.marketplaces.shopify_nodes import total_minor
from tests.contract.marketplaces_models import shopify_schema
from tests.contract.shopify_seller import GATEWAY, START_MS, account, answer, secret, sold

DENIED = {"data": {"shopifyPaymentsAccount": None}, "errors": [{"extensions": {"code": "ACCESS_DENIED"}}]}


class Account:
    """A shop that has sold something, and the client of each later Lambda call: what was remembered stays."""

    def __init__(self) -> None:
        self.on, self.sale = sold()
        self.jobs = JobsInMemory()

    @property
    def client(self) -> ShopifyClient:
        now_ms = int(self.on.time.now.timestamp() * 1000)
        return ShopifyClient(
            Access(self.on.wire, account(), secret(self.on.market), self.on.tokens, now_ms, jobs=self.jobs)
        )

    def facts(self, since_ms: int = 0) -> list[LedgerFact]:
        return list(self.client.transactions(since_ms))

    def payouts(self, since_ms: int = 0) -> list[Payout]:
        return list(self.client.payouts(since_ms))


def about(facts: list[LedgerFact], sale: Sale) -> list[tuple[str, str, int]]:
    return [
        (each.fact_id.partition("/")[2], each.kind, each.amount_minor)
        for each in facts
        if each.external_id == sale.order_id
    ]


def test_a_charge_is_a_sale_and_its_fee_a_fact_of_its_own() -> None:
    shop = Account()
    facts = shop.facts()
    total = total_minor(shop.sale)
    assert about(facts, shop.sale) == [("", "sale", total), ("fee", "fee", -30 - total * 29 // 1000)]
    assert sum(each.amount_minor for each in facts) == sum(
        b.amount_minor - b.fee_minor for b in bookings(shop.on.market)
    )
    assert {(each.status, each.payout_id, each.currency) for each in facts} == {("open", "", "USD")}
    assert len({each.fact_id for each in facts}) == len(facts) > 100  # several pages
    assert [each.at_ms for each in facts] == sorted(each.at_ms for each in facts)


def test_what_was_booked_before_is_not_read() -> None:
    shop = Account()
    shop.on.time.pass_(minutes=10)
    fee = book(shop.on.market, "CHARGEBACK_FEE", 0, 1500, shop.sale.order_id)
    (fact,) = shop.facts(int(fee.at.timestamp() * 1000))
    assert (fact.fact_id, fact.kind, fact.amount_minor) == (f"{fee.number}/fee", "fee", -1500)


def test_a_payout_carries_everything_but_itself_and_adds_up() -> None:
    shop = Account()
    book(shop.on.market, "DISPUTE_WITHDRAWAL", -500, 0, shop.sale.order_id)
    made = pay_out(shop.on.market, shop.on.time.now)
    assert made
    (payout,) = shop.payouts()
    assert (payout.payout_id, payout.amount_minor, payout.currency) == (str(made.number), made.amount_minor, "USD")
    assert sum(each.amount_minor for each in payout.facts) == made.amount_minor
    assert ("", "dispute", -500) in about(list(payout.facts), shop.sale)
    assert {each.status for each in payout.facts} == {"paid"}
    (itself,) = [each for each in shop.facts() if each.kind == "transfer"]
    assert (itself.amount_minor, itself.external_id, itself.payout_id) == (-made.amount_minor, "", str(made.number))
    assert not shop.payouts(int(shop.on.time.now.timestamp() * 1000) + 1000)


def test_a_payout_that_is_on_its_way_is_told_once_it_is_paid_however_late() -> None:
    shop = Account()
    made = pay_out(shop.on.market, shop.on.time.now, "IN_TRANSIT")
    assert made
    assert shop.payouts() == []
    assert {each.status for each in shop.facts()} == {"released"}
    shop.on.time.now += timedelta(days=20)
    made.status = "PAID"
    since_ms = int(shop.on.time.now.timestamp() * 1000)
    assert [each.payout_id for each in shop.payouts(since_ms)] == [str(made.number)]
    assert shop.payouts(since_ms) == []


def test_a_payout_on_its_way_is_not_forgotten_when_a_reading_breaks_off() -> None:
    shop = Account()
    made = pay_out(shop.on.market, shop.on.time.now, "IN_TRANSIT")
    assert made
    shop.on.time.pass_(minutes=1)
    book(shop.on.market, "ADJUSTMENT", 100)
    pay_out(shop.on.market, shop.on.time.now)
    shop.on.wire.instead["Balance"] = [GATEWAY]
    with pytest.raises(Busy):
        shop.payouts()
    shop.on.time.pass_(minutes=1)
    made.status = "PAID"
    since_ms = int(shop.on.time.now.timestamp() * 1000)
    assert [each.payout_id for each in shop.payouts(since_ms)] == [str(made.number)]


def test_what_is_paid_out_in_another_currency_is_told_in_both_and_each_adds_up() -> None:
    shop = Account()
    shop.on.market.settles_in = ("CAD", "1.3691")
    transfers(shop)
    made = pay_out(shop.on.market, shop.on.time.now)
    assert made
    (payout,) = shop.payouts()
    assert (payout.currency, {each.currency for each in payout.facts}) == ("CAD", {"CAD"})
    assert sum(each.amount_minor for each in payout.facts) == payout.amount_minor == made.amount_minor
    gross = [each for each in payout.facts if each.external_id == shop.sale.order_id and each.kind != "fee"]
    total = total_minor(shop.sale)
    assert [(each.kind, each.sold_minor, each.sold_currency) for each in gross] == [
        ("sale", total, "USD"),
        ("refund", -200, "USD"),
    ]
    (fee,) = [each for each in payout.facts if each.external_id == shop.sale.order_id and each.kind == "fee"]
    assert abs(fee.sold_minor + 30 + total * 29 // 1000) <= 1
    assert {each.rate for each in payout.facts} == {"1.3691"}
    told = {each.fact_id: each.sold_minor for each in shop.facts() if each.kind != "transfer"}
    assert told == {each.fact_id: each.sold_minor for each in payout.facts}


def transfers(shop: Account) -> None:
    """Some of the sale goes back."""
    office, number = shop.on.market.office, 8_200_000_900_000
    back = Payment(number, "REFUND", 200, shop.on.time.now)
    office.payments.setdefault(shop.sale.order_id, []).append(back)


@pytest.mark.parametrize(
    "lacking",
    [
        {"settlementCurrencyRate": None},
        {"settlementCurrencyRate": "1.2"},
        {"settlementCurrency": "EUR"},
        {"settlementCurrency": None},
        None,
    ],
)
def test_what_no_rate_confirms_is_told_in_the_payouts_currency_alone(lacking: dict[str, object] | None) -> None:
    bag = {"shopMoney": {"amount": "10.0", "currencyCode": "USD"}}
    bag["presentmentMoney"] = {"amount": "9.0", "currencyCode": "EUR"}
    source = {"id": "gid://shopify/OrderTransaction/7", "amountSet": bag, "settlementCurrency": "CAD"}
    source["settlementCurrencyRate"] = "1.5"
    shop = Account()
    row = {"id": "gid://shopify/ShopifyPaymentsBalanceTransaction/1", "type": "CHARGE", "sourceOrderTransactionId": "7"}
    row |= {"transactionDate": "2026-05-04T12:00:00Z", "amount": {"amount": "13.5", "currencyCode": "CAD"}}
    row |= {"net": row["amount"], "associatedOrder": None, "associatedPayout": {"id": None, "status": None}}
    page = {"nodes": [row], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    balance = answer({"data": {"shopifyPaymentsAccount": {"balanceTransactions": page}}})
    shop.on.wire.instead = {"Balance": [balance], "Converted": [answer({"data": {"nodes": [source]}})]}
    (fact,) = shop.facts()
    assert (fact.amount_minor, fact.sold_minor, fact.sold_currency) == (1350, 1000, "USD")  # by what the buyer paid
    found = [{**source, **lacking} if lacking else None]
    shop.on.wire.instead = {"Balance": [balance], "Converted": [answer({"data": {"nodes": found}})]}
    (fact,) = shop.facts()
    assert (fact.amount_minor, fact.currency, fact.sold_currency) == (1350, "CAD", "")


@pytest.mark.parametrize("told", [DENIED, {"data": {"shopifyPaymentsAccount": None}}])
def test_without_shopify_payments_nothing_is_booked(told: object) -> None:
    shop = Account()
    shop.on.wire.instead = {"Balance": [answer(told)], "Payouts": [answer(told)]}
    assert (shop.facts(), shop.payouts()) == ([], [])


def test_another_refusal_is_not_taken_for_an_empty_account() -> None:
    shop = Account()
    shop.on.wire.instead["Balance"] = [answer({"errors": [{"extensions": {"code": "UNDEFINED_FIELD"}}]})]
    with pytest.raises(Refused):
        shop.facts()


def test_every_type_of_the_schema_has_a_kind_and_reversals_that_of_what_they_reverse() -> None:
    types = shopify_schema().get_type("ShopifyPaymentsTransactionType").values  # type: ignore[union-attr]
    assert {kind_of(each) for each in types} <= set(MONEY_KINDS)
    for each in types:
        if each.endswith("_REVERSAL") and each.removesuffix("_REVERSAL") in types:
            assert kind_of(each) == kind_of(each.removesuffix("_REVERSAL"))
    named = {"CHARGE": "sale", "REFUND": "refund", "REFUND_FAILURE": "refund", "CHARGEBACK_HOLD": "dispute"}
    named |= {"CHARGEBACK_FEE_REFUND": "fee", "TRANSFER": "transfer", "SHIPPING_LABEL_ADJUSTMENT": "shipping_label"}
    assert {each: kind_of(each) for each in named} == named
    assert kind_of("NEW_IN_2027") == "other"


def test_a_payout_that_took_money_from_the_seller_is_less_than_nothing() -> None:
    shop = Account()
    row = {"id": "gid://shopify/ShopifyPaymentsPayout/7", "issuedAt": "2026-05-04T12:00:00Z", "status": "PAID"}
    row |= {"transactionType": "WITHDRAWAL", "net": {"amount": "12.5", "currencyCode": "USD"}}  # type: ignore[dict-item]
    page = {"nodes": [row], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    shop.on.wire.instead["Payouts"] = [answer({"data": {"shopifyPaymentsAccount": {"payouts": page}}})]
    assert [each.amount_minor for each in shop.payouts(START_MS - 1)] == [-1250]
