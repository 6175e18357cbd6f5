"""Money back at eBay: once, whatever becomes of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.refunds import reason_of
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, Refused, Stale
from chalicelib.store.jobs import StoredJobs
from local.marketplaces.shelf import Sale
from local.memory.tables import MemoryTables
from tests.contract.ebay_after_sale import arrived, on_fixture, refunds, sale_fixture, wish  # noqa: F401
from tests.contract.ebay_seller import BASE, GATEWAY, START_MS, Seller, answer, problem, secret_of, seller
from tests.contract.marketplaces_calls import populated


def test_a_refund_is_pending_until_the_buyer_has_it_and_pays_once(on: Seller, sale: Sale) -> None:
    assert on.later().refund(sale.order_id, wish()) is False
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(sale.order_id, wish()) is True
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]
    (body,) = on.wire.bodies("issue_refund")
    amount = {"value": "1.00", "currency": "USD"}
    assert body == {"reasonForRefund": "OTHER_ADJUSTMENT", "orderLevelRefundAmount": amount}


def test_a_refund_whose_answer_was_lost_is_found_and_not_repeated(on: Seller, sale: Sale) -> None:
    on.later().get_order(sale.order_id)
    on.wire.lost = 1
    with pytest.raises(Busy):
        on.later().refund(sale.order_id, wish())
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]


def test_a_refund_that_never_reached_ebay_is_asked_for_again_when_it_had_time_to_show(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    with pytest.raises(Busy) as busy:
        on.later().refund(sale.order_id, wish())
    assert 0 < busy.value.after_s <= 121
    assert refunds(on) == []
    on.time.pass_(seconds=busy.value.after_s)
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


def test_a_lost_answer_beside_another_refund_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish(100))
    assert on.later().refund(sale.order_id, wish(250, "r2")) is False
    on.time.pass_(hours=1)
    with pytest.raises(Refused) as refused:
        on.later().refund(sale.order_id, wish(100))
    assert refused.value.reason == "refund_unclear"
    assert refunds(on) == [250]


def test_two_refunds_of_the_same_amount_are_two(on: Seller, sale: Sale) -> None:
    for refund_id in ("r1", "r2"):
        assert on.later().refund(sale.order_id, wish(refund_id=refund_id)) is False
        arrived(on)
        assert on.later().refund(sale.order_id, wish(refund_id=refund_id)) is True
    assert refunds(on) == [100, 100]


def test_a_refund_that_is_done_is_not_looked_for_any_more(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    arrived(on)
    on.later().refund(sale.order_id, wish())
    asked = len(on.wire.sent)
    assert on.later().refund(sale.order_id, wish()) is True
    assert len(on.wire.sent) == asked


def test_an_earlier_refund_of_the_same_amount_is_not_taken_for_ours(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    arrived(on)
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, GATEWAY]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish(refund_id="r2"))
    on.time.pass_(minutes=3)
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_refund_waits_for_the_one_before_it(on: Seller, sale: Sale) -> None:
    on.later().refund(sale.order_id, wish())
    with pytest.raises(Busy, match="34922"):
        on.later().refund(sale.order_id, wish(refund_id="r2"))
    arrived(on)
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_call_that_was_not_made_is_made_later(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, HttpResponse(429, {}, b"")]
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


def test_more_than_the_order_is_refused_with_ebays_id(on: Seller, sale: Sale) -> None:
    with pytest.raises(Refused, match="34915"):
        on.later().refund(sale.order_id, wish(10**9))
    with pytest.raises(Refused, match="32100"):
        on.later().refund("12-0", wish())


def test_an_order_refunded_by_somebody_else_is_refused_and_by_us_is_done(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = json.loads(client.get_order(sale.order_id))
    on.wire.instead = [answer(shown), problem(34917), answer(shown)]
    with pytest.raises(Refused, match="34917"):
        client.refund(sale.order_id, wish())
    ours = {"refundId": "9", "refundStatus": "REFUNDED", "amount": {"value": "1.0", "currency": "USD"}}
    on.wire.instead = [
        answer(shown),
        problem(34917),
        answer({**shown, "paymentSummary": {"refunds": [ours]}}),
    ]
    assert client.refund(sale.order_id, wish(refund_id="r2")) is True


def test_the_line_tells_what_the_buyer_got_where_the_order_tells_what_it_cost() -> None:
    """A recorded refund: 143.98 reached the buyer, 122.31 left the seller."""
    on = seller()
    on.tokens.put("t", START_MS)
    order: dict[str, Any] = {"orderId": "12-1", "paymentSummary": {"refunds": []}, "lineItems": []}
    on.wire.instead = [answer(order), GATEWAY]
    with pytest.raises(Busy):
        on.client.refund("12-1", wish(14398))
    net = {"refundId": "9", "refundStatus": "REFUNDED", "amount": {"value": "122.31", "currency": "USD"}}
    gross = [{"refundId": "9", "amount": {"value": value, "currency": "USD"}} for value in ("43.90", "100.08")]
    lines = [{"refunds": [each]} for each in gross]
    on.wire.instead = [answer({**order, "paymentSummary": {"refunds": [net]}, "lineItems": lines})]
    assert on.client.refund("12-1", wish(14398)) is True


def test_a_refund_that_failed_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    on.market.refunds_fail = True
    assert on.later().refund(sale.order_id, wish()) is False
    arrived(on)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            on.later().refund(sale.order_id, wish())
        assert refused.value.reason == "refund_failed"
    assert refunds(on) == [100]
    on.market.refunds_fail = False
    assert on.later().refund(sale.order_id, wish(refund_id="r2")) is False
    assert refunds(on) == [100, 100]


def test_a_refund_that_failed_at_once_is_left_to_a_person(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, answer({"refundStatus": "FAILED"})]
    with pytest.raises(Refused) as refused:
        client.refund(sale.order_id, wish())
    assert refused.value.reason == "refund_failed"


def test_a_seller_who_cannot_pay_may_ask_again_once_he_can(on: Seller, sale: Sale) -> None:
    on.market.refund_refusal = 34925
    with pytest.raises(Refused, match="34925"):
        on.later().refund(sale.order_id, wish())
    on.market.refund_refusal = 0
    assert on.later().refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "OTHER_ADJUSTMENT"),
        ("goodwill", "OTHER_ADJUSTMENT"),
        ("return R-7", "BUYER_RETURN"),
        ("cancelled", "SELLER_CANCEL"),
        ("parcel lost", "ITEM_NOT_RECEIVED"),
        ("item not as described", "ITEM_NOT_AS_DESCRIBED"),
        ("BUYER_CANCEL", "BUYER_CANCEL"),
    ],
)
def test_a_reason_is_said_in_ebays_words(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_a_refund_is_signed_where_ebay_demands_it(on: Seller, sale: Sale) -> None:
    on.market.requires_signature = True
    with pytest.raises(Refused) as refused:
        on.later().refund(sale.order_id, wish())
    assert refused.value.reason == "signing_key_expired"
    key = on.later().create_signing_key()
    assert on.later(signing_key=key).refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]


def test_a_conflict_after_a_lost_answer_is_no_proof_that_nothing_was_done(on: Seller, sale: Sale) -> None:
    """The refund in process that eBay speaks of is ours: whoever forgets what was known before pays twice."""
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.lost = 1
    with pytest.raises(Busy):
        client.refund(sale.order_id, wish())
    on.time.pass_(minutes=3)
    on.wire.instead = [shown, problem(34922, 409)]
    with pytest.raises(Busy):
        on.later().refund(sale.order_id, wish())
    on.market.advance(on.time.pass_(minutes=10))
    assert on.later().refund(sale.order_id, wish()) is True
    assert refunds(on) == [100]


@pytest.mark.parametrize("made", [{"refundStatus": "PENDING"}, {"refundId": "77"}, {"refundStatus": "NEW_ONE"}])
def test_a_refund_that_ebay_has_taken_is_not_asked_for_again(on: Seller, sale: Sale, made: dict[str, str]) -> None:
    """Either field may be missing, and the order may show the refund late."""
    shown = json.loads(on.later().get_order(sale.order_id))
    on.wire.instead = [answer(shown), answer(made)]
    assert on.later().refund(sale.order_id, wish()) is False
    for _ in range(2):
        on.time.pass_(hours=1)
        on.wire.instead = [answer(shown)]
        assert on.later().refund(sale.order_id, wish()) is False
    ours = {"refundId": "77", "refundStatus": "REFUNDED", "amount": {"value": "1.00", "currency": "USD"}}
    on.wire.instead = [answer({**shown, "paymentSummary": {"refunds": [ours]}})]
    assert on.later().refund(sale.order_id, wish()) is True
    assert len(on.wire.bodies("issue_refund")) == 1


def test_the_same_id_in_two_orders_is_two_refunds(on: Seller) -> None:
    """Whoever asks for a refund names it, and only within its order: the second buyer must not be told that he has
    what the first one got."""
    one, other = [sale for sale in populated(on.market, on.time, 8) if sale.paid and not sale.cancelled_at][:2]
    assert on.later().refund(one.order_id, wish()) is False
    arrived(on)
    assert on.later().refund(one.order_id, wish()) is True
    assert on.later().refund(other.order_id, wish()) is False
    assert refunds(on) == [100, 100]


def test_a_refund_that_failed_without_an_id_is_never_asked_for_again(on: Seller, sale: Sale) -> None:
    client = on.later()
    shown = answer(json.loads(client.get_order(sale.order_id)))
    on.wire.instead = [shown, answer({"refundStatus": "FAILED"})]
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            client.refund(sale.order_id, wish())
        assert refused.value.reason == "refund_failed"
    on.time.pass_(minutes=10)
    with pytest.raises(Refused):
        on.later().refund(sale.order_id, wish())
    assert refunds(on) == []


def test_of_two_workers_that_begin_the_same_refund_one_asks(on: Seller, sale: Sale) -> None:
    """The second has read that there is no such job when the first asks."""
    tables, meanwhile = MemoryTables(), [True]

    def worker(transport: Any) -> EbayClient:
        account = {"base_url": BASE, "marketplace_id": on.market.site}
        jobs = StoredJobs(tables, "ebay")
        return EbayClient(Access(transport, account, secret_of(on.market), on.tokens, on.now_ms, on.budget, jobs))

    def slow(request: HttpRequest) -> HttpResponse:
        if "/order/" in request.url and meanwhile:
            meanwhile.clear()
            assert worker(on.wire).refund(sale.order_id, wish()) is False
        return on.wire(request)

    second = worker(slow)
    with pytest.raises(Stale):
        second.refund(sale.order_id, wish())
    assert second.refund(sale.order_id, wish()) is False
    assert refunds(on) == [100]
