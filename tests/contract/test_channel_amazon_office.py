"""What the Amazon client does to the stand-in's back office: feeds, money, reports, and the setting up of accounts."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from chalicelib.channels.amazon.notifications import told_of
from chalicelib.channels.amazon.subscriptions import NOTIFICATION_TYPES
from chalicelib.channels.port import CancellationRequest, Price, RefundRequest
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.amazon_settlement import close_settlement
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.shelf import Parcel, Sale
from tests.contract.amazon_seller import START_MS, Seller, availability, seller
from tests.contract.marketplaces_calls import first, populated

MANY = tuple(Listing(f"BULK-{number:02}", f"Thing {number}", 1000 + number, quantity=1) for number in range(45))


def shipped(on: Seller, sale: Sale) -> None:
    units = {line.line_id: line.quantity for line in sale.lines}
    on.market.ship(sale, Parcel("1", "UPS", "1Z9", on.time.now, on.time.now, units))


# --- listings -----------------------------------------------------------------------------------------


def test_a_bulk_of_quantities_goes_live_by_one_feed() -> None:
    on = seller(catalogue=MANY)
    wanted = [availability(listing.sku, 0 if number in (3, 9) else number) for number, listing in enumerate(MANY)]
    outcome = on.client.push_availability(wanted)
    assert [number for number, each in enumerate(outcome) if each is None] == [0, 3, 9]
    rest = [item for item in wanted if item.quantity]
    assert all(isinstance(each, Busy) for each in on.later(seconds=1).push_availability(rest))
    assert on.later(seconds=30).push_availability(rest) == [None] * len(rest)
    assert {sku: listing.available for sku, listing in on.market.shelf.listings.items()} == {
        item.channel_sku: item.quantity for item in wanted
    }
    assert len(on.market.office.feeds) == 1
    assert on.jobs.jobs.keys() == {"road/JSON_LISTINGS_FEED"}


def test_a_listing_that_amazon_does_not_know_is_refused_and_the_rest_of_the_feed_is_not() -> None:
    on = seller(catalogue=MANY)
    wanted = [availability(sku, 9) for sku in (*(listing.sku for listing in MANY), "NOBODY")]
    assert all(isinstance(each, Busy) for each in on.client.push_availability(wanted))
    outcome = on.later(seconds=30).push_availability(wanted)
    assert outcome[:-1] == [None] * len(MANY)
    assert isinstance(outcome[-1], Refused)
    assert outcome[-1].reason == "listing_refused"


def test_a_lost_answer_to_a_feed_moves_nothing_twice() -> None:
    on = seller(catalogue=MANY)
    wanted = [availability(listing.sku, 9) for listing in MANY]
    with pytest.raises(Refused):
        on.client.get_order("114-0000000-0000000")  # the token is there
    lose(on, "/feeds/2021-06-30/feeds")
    assert all(isinstance(each, Busy) for each in on.client.push_availability(wanted))
    assert on.later(seconds=30).push_availability(wanted) == [None] * len(MANY)
    assert len(on.market.office.feeds) == 1


def lose(on: Seller, template: str) -> None:
    """The next call of this path is carried out, and its answer lost."""
    wire, send = on.wire, on.wire.market.handle

    def handle(request):  # type: ignore[no-untyped-def]
        if request.path == template and request.method == "POST":
            wire.lost = 1
            on.market.handle = send  # type: ignore[method-assign]
        return send(request)

    on.market.handle = handle  # type: ignore[method-assign]


def test_prices_are_set_and_read_back() -> None:
    on = seller()
    sku = CATALOGUE[0].sku
    assert on.client.push_prices([Price(sku, {}, 4321, "USD", 1)]) == [None]
    items = {item.channel_sku: item for item in on.client.listings()}
    assert set(items) == {listing.sku for listing in CATALOGUE}
    assert (items[sku].price_minor, items[sku].currency) == (4321, "USD")
    for listed in on.market.shelf.listings.values():
        assert items[listed.sku].quantity == listed.available
        assert items[listed.sku].live == (listed.available > 0)
        assert items[listed.sku].title == listed.title
        assert items[listed.sku].refs["asin"]


# --- cancel and refund --------------------------------------------------------------------------------


def test_a_line_is_called_off_once() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    wish = CancellationRequest("C1", tuple((line.line_id, line.quantity) for line in sale.lines), "cancel_requested")
    with pytest.raises(Busy):
        on.later().cancel(sale.order_id, wish)
    on.later(seconds=30).cancel(sale.order_id, wish)
    on.later(seconds=30).cancel(sale.order_id, wish)
    note = on.market.office.notes[sale.order_id]
    assert set(note.cancelled.values()) == {("MERCHANT", "BUYER_CANCELED")}
    assert sale.cancelled_at
    assert len(on.market.office.feeds) == 1


def test_a_cancellation_that_came_too_late_is_refused() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    wish = CancellationRequest("C1", tuple((line.line_id, line.quantity) for line in sale.lines))
    with pytest.raises(Busy):
        on.later().cancel(sale.order_id, wish)
    shipped(on, sale)
    with pytest.raises(Refused, match="cancel_refused"):
        on.later(seconds=30).cancel(sale.order_id, wish)


@pytest.mark.parametrize("lost", [False, True])
def test_money_is_given_back_once(lost: bool) -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    shipped(on, sale)
    paid_minor = sum(line.net_minor for line in sale.lines)
    wish = RefundRequest("R1", paid_minor, sale.currency, "returned")
    client = on.later()
    if lost:
        client.get_order(sale.order_id)
        lose(on, "/feeds/2021-06-30/feeds")
        with pytest.raises(Busy):
            client.refund(sale.order_id, wish)
    assert on.later().refund(sale.order_id, wish) is False
    assert on.later(seconds=30).refund(sale.order_id, wish) is True
    assert on.later(seconds=30).refund(sale.order_id, wish) is True
    assert sum(each.principal_minor for each in on.market.office.refunds) == paid_minor
    assert {each.reason for each in on.market.office.refunds} == {"CustomerReturn"}
    assert len(on.market.office.feeds) == 1


def test_all_that_was_paid_can_be_given_back_and_no_more() -> None:
    on = seller()
    sales = [sale for sale in populated(on.market, on.time, 80) if sale.paid and not sale.cancelled_at]
    sale = max(sales, key=lambda each: (each.shipping_minor > 0, each.tax_minor, len(each.lines)))
    shipped(on, sale)
    whole_minor = sale.before_tax_minor + sale.tax_minor
    with pytest.raises(Refused, match="refund_too_large"):
        on.later().refund(sale.order_id, RefundRequest("R0", whole_minor + 1, sale.currency))
    for name, part_minor in (("R1", whole_minor // 3), ("R2", whole_minor - whole_minor // 3)):
        wish = RefundRequest(name, part_minor, sale.currency)
        assert on.later().refund(sale.order_id, wish) is False
        assert on.later(seconds=30).refund(sale.order_id, wish) is True
    refunds = on.market.office.refunds
    given = sum(each.principal_minor + each.tax_minor + each.shipping_minor for each in refunds)
    assert given == whole_minor
    with pytest.raises(Refused, match="refund_too_large"):
        on.later().refund(sale.order_id, RefundRequest("R3", 1, sale.currency))


def test_refunds_of_two_orders_under_one_name_are_two() -> None:
    on = seller()
    one, two = [sale for sale in populated(on.market, on.time, 80) if sale.paid and not sale.cancelled_at][:2]
    for sale in (one, two):
        shipped(on, sale)
        wish = RefundRequest("return-1", 100, sale.currency)
        assert on.later().refund(sale.order_id, wish) is False
        assert on.later(seconds=30).refund(sale.order_id, wish) is True
    assert {each.order_id for each in on.market.office.refunds} == {one.order_id, two.order_id}


def test_a_refund_of_what_has_not_left_is_refused_by_its_code() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    wish = RefundRequest("R1", 100, sale.currency)
    assert on.later().refund(sale.order_id, wish) is False
    with pytest.raises(Refused, match="0 of 1 taken: record 1: 18028"):
        on.later(seconds=30).refund(sale.order_id, wish)


# --- money --------------------------------------------------------------------------------------------


def traded(on: Seller) -> list[Sale]:
    """Orders of several days, all shipped; the money of most is still held back."""
    rng, sales = Random(3), []
    for _ in range(12):
        sale = on.market.sell(rng, on.time.pass_(hours=20))
        assert sale
        sale.paid = True
        on.market.shelf.due.clear()
        on.market.advance(on.time.now)
        shipped(on, sale)
        sales.append(sale)
    return sales


def test_every_amount_is_told_once_through_its_hold_and_release() -> None:
    on = seller()
    sales = traded(on)
    held = {fact.fact_id: fact for fact in on.later(minutes=5).transactions(START_MS)}
    assert {fact.status for fact in held.values()} == {"held", "released"}
    facts = dict(held)
    for fact in on.later(days=20).transactions(START_MS):
        facts[fact.fact_id] = fact
    assert set(facts) == set(held)
    assert {fact.status for fact in facts.values()} == {"released"}
    transactions = on.market.office.transactions.values()
    counted = [each for each in transactions if not each.deferred_id]
    assert len(counted) < len(transactions)
    assert sum(fact.amount_minor for fact in facts.values()) == sum(each.total_minor for each in counted)
    assert {fact.external_id for fact in facts.values()} == {sale.order_id for sale in sales}
    assert {fact.kind for fact in facts.values()} <= {"sale", "fee", "tax"}
    gross = sum(fact.amount_minor for fact in facts.values() if fact.kind == "sale")
    assert gross == sum(sale.before_tax_minor + sale.tax_minor for sale in sales)


@pytest.mark.parametrize("european", [False, True])
def test_settlements_are_read_whole_and_the_same_again(european: bool) -> None:
    on = seller()
    traded(on)
    on.later(days=20)
    close_settlement(on.market, on.time.now, european=european, unknown_row=True)
    (payout,) = on.later(days=1).payouts(START_MS)
    assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor > 0
    kinds = Counter(fact.kind for fact in payout.facts)
    assert {"sale", "fee", "tax"} <= set(kinds)
    (unknown,) = [fact for fact in payout.facts if "Sluice Credit" in fact.what]
    assert unknown.amount_minor == 137
    assert list(on.later(days=1).payouts(START_MS)) == [], "what was worked off is not fetched again"
    on.jobs.jobs.clear()
    assert [again.facts for again in on.later(days=1).payouts(START_MS)] == [payout.facts]


def test_a_settlement_that_was_not_worked_off_is_given_again() -> None:
    on = seller()
    traded(on)
    on.later(days=20)
    close_settlement(on.market, on.time.now)
    given = next(iter(on.later(days=1).payouts(START_MS)))  # whoever has it dies
    assert [again.payout_id for again in on.later(days=1).payouts(START_MS)] == [given.payout_id]


# --- reports and notifications ------------------------------------------------------------------------


def test_returns_of_buyers_are_read() -> None:
    on = seller()
    sale = first(populated(on.market, on.time), units=2)
    shipped(on, sale)
    line = sale.lines[0]
    request = on.market.open_return(sale, line.line_id, 2, on.time.now)
    with pytest.raises(Busy):
        list(on.later(hours=1).returns(START_MS))
    (found,) = on.later(seconds=30).returns(START_MS)
    assert (found.return_id, found.external_id, found.step) == (request.rma_id, sale.order_id, "approve")
    assert found.items == ((line.line_id, 2),)
    assert found.reason == "CR-UNWANTED_ITEM"


def test_no_returns_are_none() -> None:
    on = seller()
    with pytest.raises(Busy):
        list(on.later().returns(START_MS))
    assert list(on.later(seconds=30).returns(START_MS)) == []


def test_the_sellers_health_is_read() -> None:
    on = seller()
    with pytest.raises(Busy):
        on.later().health()
    metrics = {metric.name: metric for metric in on.later(seconds=30).health()}
    assert metrics["accountStatus"].value == "NORMAL"
    rates = {"lateShipmentRate", "preFulfillmentCancellationRate", "validTrackingRate", "orderDefectRate.mfn"}
    assert rates <= set(metrics)
    assert metrics["lateShipmentRate"].limit


def test_an_account_is_set_up_and_its_notifications_are_understood() -> None:
    on = seller(catalogue=MANY)
    (store,) = on.client.participations()
    assert store["marketplace"]["id"] == on.market.marketplace_id
    arn = "arn:aws:sqs:eu-central-1:111122223333:inbound"
    destination = on.client.ensure_destination(arn, "headrace")
    assert on.client.ensure_destination(arn, "headrace") == destination
    for kind in NOTIFICATION_TYPES:
        made = on.later(seconds=5).ensure_subscription(kind, destination)
        assert on.client.ensure_subscription(kind, destination) == made
    on.market.drain_changes()
    on.client.push_availability([availability(listing.sku, 5) for listing in MANY])
    on.later(seconds=30)
    told = [told_of(on.market.notification(change)) for change in on.market.drain_changes()]
    assert {each.kind for each in told} == {"LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "FEED_PROCESSING_FINISHED"}
    assert {each.seller_id for each in told} == {on.market.seller_id}
    assert {sku for each in told for sku in each.skus} == {(listing.sku, 5) for listing in MANY}
    (feed,) = [each for each in told if each.work_id]
    assert (feed.work_type, feed.status, feed.work_id) == ("JSON_LISTINGS_FEED", "DONE", *on.market.office.feeds)


def test_consent_that_is_taken_back_pauses_the_account() -> None:
    on = seller()
    on.client.participations()
    on.market.consented = False
    on.tokens.token = ""
    with pytest.raises(Refused) as lost:
        on.client.participations()
    assert lost.value.reason == "not_authorised"
    assert on.tokens.why_lost
