"""The Shopify client against the stand-in shop and the official schema: captures, voids, refunds, cancellations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.port import CancellationRequest, CaptureRequest, RefundRequest
from chalicelib.channels.shopify.client import ShopifyClient
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.errors import Busy, Refused
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.shopify_nodes import total_minor
from local.marketplaces.shopify_payments import authorise, payments
from tests.contract.shopify_seller import GATEWAY, START, Seller, account, secret, sold


class Later:
    """The client of each later Lambda call: what was remembered stays."""

    def __init__(self, on: Seller) -> None:
        self.on = on
        self.jobs = JobsInMemory()

    def __call__(self, seconds: float = 0) -> ShopifyClient:
        self.on.time.pass_(seconds=seconds)
        now_ms = int(self.on.time.now.timestamp() * 1000)
        return ShopifyClient(
            Access(self.on.wire, account(), secret(self.on.market), self.on.tokens, now_ms, jobs=self.jobs)
        )


def authorised(**options: Any) -> tuple[Seller, Sale, Later]:
    on, sale = sold(units=2)
    authorise(on.market, sale, on.time.now + timedelta(days=7), **options)
    return on, sale, Later(on)


def of_kind(on: Seller, sale: Sale, kind: str) -> list[int]:
    return [each.amount_minor for each in payments(on.market, sale) if each.kind == kind and each.status == "SUCCESS"]


def capture(amount_minor: int, name: str = "C-1", *, final: bool = True) -> CaptureRequest:
    return CaptureRequest(name, amount_minor, "USD", final)


def refund(amount_minor: int, name: str = "R-1") -> RefundRequest:
    return RefundRequest(name, amount_minor, "USD", "damaged")


# --- capture and void ---------------------------------------------------------------------------------


def test_a_capture_takes_what_was_authorised_and_the_same_wish_takes_it_once() -> None:
    on, sale, client = authorised()
    for _ in range(2):
        assert client().capture(sale.order_id, capture(total_minor(sale))) == total_minor(sale)
    assert of_kind(on, sale, "CAPTURE") == [total_minor(sale)]


@pytest.mark.parametrize("is_multiple", [True, False])
def test_a_capture_whose_answer_was_lost_is_found_and_not_made_again(is_multiple: bool) -> None:
    on, sale, client = authorised(multiple=is_multiple)
    on.wire.lost = ["Capture"]
    with pytest.raises(Busy):
        client().capture(sale.order_id, capture(700, final=False))
    assert client(5).capture(sale.order_id, capture(700, final=False)) == 700
    assert of_kind(on, sale, "CAPTURE") == [700]


def test_a_capture_that_never_arrived_is_asked_for_again_when_it_could_have_shown() -> None:
    on, sale, client = authorised()
    on.wire.instead["Capture"] = [GATEWAY]
    with pytest.raises(Busy):
        client().capture(sale.order_id, capture(700))
    with pytest.raises(Busy, match="may still show"):
        client(5).capture(sale.order_id, capture(700))
    assert client(120).capture(sale.order_id, capture(700)) == 700
    assert of_kind(on, sale, "CAPTURE") == [700]


def test_no_more_is_taken_than_is_authorised() -> None:
    _on, sale, client = authorised()
    assert client().capture(sale.order_id, capture(total_minor(sale) + 1)) == total_minor(sale)
    with pytest.raises(Refused) as refusal:
        client().capture(sale.order_id, capture(1, "C-2"))
    assert refusal.value.reason == "nothing_authorised"


def test_two_wishes_share_an_authorisation_that_allows_it_and_the_final_one_gives_the_rest_free() -> None:
    on, sale, client = authorised(multiple=True)
    assert client().capture(sale.order_id, capture(300, final=False)) == 300
    assert client().capture(sale.order_id, capture(200, "C-2")) == 200
    assert of_kind(on, sale, "CAPTURE") == [300, 200]
    with pytest.raises(Refused, match="nothing_authorised"):
        client().capture(sale.order_id, capture(100, "C-3"))


def test_an_expired_authorisation_is_not_captured() -> None:
    on, sale, client = authorised()
    with pytest.raises(Refused, match="nothing_authorised"):
        client(8 * 86_400).capture(sale.order_id, capture(100))
    assert "Capture" not in on.wire.operations


def test_a_void_gives_an_authorisation_free_and_again_is_no_error() -> None:
    on, sale, client = authorised()
    for _ in range(2):
        client().void(sale.order_id)
    assert of_kind(on, sale, "VOID") == [total_minor(sale)]
    (order,) = read_orders(client().get_order(sale.order_id), "shopify")
    assert order.payment.lapsed


def test_a_void_whose_answer_was_lost_is_not_repeated() -> None:
    on, sale, client = authorised()
    on.wire.lost = ["Void"]
    with pytest.raises(Busy):
        client().void(sale.order_id)
    client(5).void(sale.order_id)
    assert on.wire.operations.count("Void") == 1


# --- refunds ------------------------------------------------------------------------------------------


def test_a_refund_goes_back_over_the_payment_and_once() -> None:
    on, sale = sold()
    client = Later(on)
    assert [client().refund(sale.order_id, refund(500)) for _ in range(2)] == [True, True]
    assert of_kind(on, sale, "REFUND") == [500]
    (order,) = read_orders(client().get_order(sale.order_id), "shopify")
    assert order.payment.refunded_minor == 500


@pytest.mark.parametrize("remembers", [True, False])
def test_a_refund_whose_answer_was_lost_is_found_again_by_its_note(remembers: bool) -> None:
    on, sale = sold()
    client = Later(on)
    on.wire.lost = ["Refund"]
    with pytest.raises(Busy):
        client().refund(sale.order_id, refund(500))
    if not remembers:
        client = Later(on)
    on.market.shelf.replays.clear()  # Shopify has forgotten the key
    assert client(5).refund(sale.order_id, refund(500)) is True
    assert of_kind(on, sale, "REFUND") == [500]


def test_a_refund_on_its_way_is_not_done_until_it_is() -> None:
    on, sale = sold()
    client = Later(on)
    on.market.office.refund_status = "PENDING"
    assert client().refund(sale.order_id, refund(500)) is False
    assert client(60).refund(sale.order_id, refund(500)) is False
    on.market.office.payments[sale.order_id][-1].status = "SUCCESS"
    assert client(60).refund(sale.order_id, refund(500)) is True
    assert on.wire.operations.count("Refund") == 1


def test_a_refund_that_the_gateway_refuses_is_refused() -> None:
    on, sale = sold()
    on.market.office.refund_status = "FAILURE"
    with pytest.raises(Refused, match="refund_failed"):
        Later(on)().refund(sale.order_id, refund(500))


def test_two_wishes_of_the_same_amount_are_two_refunds_and_no_more_goes_back_than_was_paid() -> None:
    on, sale = sold()
    client = Later(on)
    assert all(client().refund(sale.order_id, refund(500, name)) for name in ("R-1", "R-2"))
    assert of_kind(on, sale, "REFUND") == [500, 500]
    with pytest.raises(Refused, match="more_than_paid"):
        client().refund(sale.order_id, refund(total_minor(sale) - 999, "R-3"))


# --- cancellations ------------------------------------------------------------------------------------


def whole(sale: Sale) -> CancellationRequest:
    return CancellationRequest("X-1", tuple((line.line_id, line.quantity) for line in sale.lines), "out of stock")


def test_a_whole_order_is_called_off_by_a_job_and_nothing_goes_back_on_offer() -> None:
    on, sale = sold()
    client = Later(on)
    before = {line.sku: on.shown(line.sku) for line in sale.lines}
    for _ in range(2):
        with pytest.raises(Busy):
            client().cancel(sale.order_id, whole(sale))
    client(10).cancel(sale.order_id, whole(sale))
    assert sale.cancelled_at
    assert {line.sku: on.shown(line.sku) for line in sale.lines} == before
    assert on.wire.operations.count("Cancel") == 1
    assert of_kind(on, sale, "REFUND") == []
    (asked,) = on.wire.variables("Cancel")
    assert (asked["reason"], asked["refund"]) == ("INVENTORY", {"originalPaymentMethodsRefund": False})


def test_a_cancellation_whose_answer_was_lost_is_looked_for() -> None:
    on, sale = sold()
    client = Later(on)
    on.wire.lost = ["Cancel"]
    for _ in range(2):
        with pytest.raises(Busy):
            client(1).cancel(sale.order_id, whole(sale))
    client(10).cancel(sale.order_id, whole(sale))
    assert on.wire.operations.count("Cancel") == 1


def test_a_part_is_called_off_once_and_no_money_moves() -> None:
    on, sale = sold(units=2)
    client = Later(on)
    line = sale.lines[0]
    wish = CancellationRequest("X-2", ((line.line_id, 1),))
    on.wire.lost = ["Refund"]
    with pytest.raises(Busy):
        client().cancel(sale.order_id, wish)
    client(5).cancel(sale.order_id, wish)
    assert (sale.open_units(line.line_id), of_kind(on, sale, "REFUND")) == (line.quantity - 1, [])
    (order,) = read_orders(client().get_order(sale.order_id), "shopify")
    assert next(each for each in order.lines if each.line_id == line.line_id).cancelled == 1


def test_units_that_have_left_cannot_be_called_off() -> None:
    on, sale = sold()
    on.market.ship(sale, _all_of(sale))
    with pytest.raises(Refused):
        Later(on)().cancel(sale.order_id, whole(sale))
    assert sale.cancelled_at is None


def _all_of(sale: Sale) -> Parcel:
    return Parcel("1", "UPS", "1Z1", START, START, {line.line_id: line.quantity for line in sale.lines})
