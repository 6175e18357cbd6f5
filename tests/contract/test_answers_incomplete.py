"""What is not told is not nothing: an answer without its list or its amount comes again or is refused. What need not be
told holds up nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.shopify.reader import read_orders
from chalicelib.channels.stripe.naming import Naming
from chalicelib.channels.stripe.settlement import facts_of
from chalicelib.channels.transport import HttpResponse
from chalicelib.channels.woocommerce.reader import read_orders as read_woo
from chalicelib.domain.errors import Busy, Unanswered, Unreadable
from tests.contract import woo_seller
from tests.contract.carrier_desks import KINDS, WISH, counter
from tests.contract.shopify_seller import answer, confirmation, sold
from tests.contract.stripe_account import answering


def test_a_parcel_that_does_not_say_how_many_units_it_holds_has_left_all_the_same() -> None:
    on, sale = sold(units=2)
    on.client.confirm_shipment(sale.order_id, confirmation(sale, (0, 2)))
    order = json.loads(on.client.get_order(sale.order_id))
    (parcel,) = order["order"]["fulfillments"]
    parcel["fulfillmentLineItems"]["nodes"][0]["quantity"] = None
    parcel["fulfillmentLineItems"]["pageInfo"] = {"hasNextPage": False}
    (read,) = read_orders(json.dumps(order), "shopify")
    assert [(line.quantity, line.fulfilled) for line in read.lines] == [(2, 2)]
    on.wire.instead["Parcels"] = [answer({"data": {"order": {"fulfillments": [parcel]}}})]
    on.client.confirm_shipment(sale.order_id, confirmation(sale, (0, 2)))
    assert on.wire.operations.count("Fulfil") == 1, "it is told already"


def test_an_order_whose_answer_cannot_be_read_stops_no_other() -> None:
    on, _ = sold()
    since_ms = int(on.time.now.timestamp() * 1000) - 300_000
    names = [json.loads(raw)["order"]["id"] for raw, _ in on.client.changed_orders(since_ms)]
    on.wire.instead["Order"] = [answer({"data": {"order": {"id": names[0], "lineItems": None}}})]
    first, *others = (raw for raw, _ in on.client.changed_orders(since_ms))
    with pytest.raises(Unreadable, match="not_an_order"):
        read_orders(first, "shopify")
    assert [json.loads(raw)["order"]["id"] for raw in (first, *others)] == names
    assert others
    assert all(read_orders(raw, "shopify") for raw in others)


def test_times_are_read_as_rfc_3339_permits_them() -> None:
    same = (
        "2026-03-01T10:00:00Z",
        "2026-03-01t10:00:00z",
        " 2026-03-01T11:00:00.000000000+01:00",
        "2026-03-01T05:00-0500",
    )
    assert {Node({"at": text}).time_ms("at") for text in same} == {1_772_359_200_000}


def test_a_visit_that_cannot_be_read_holds_up_no_order() -> None:
    on, sale = sold()
    order = json.loads(on.client.get_order(sale.order_id))
    order["order"]["customerJourneySummary"] = {"ready": True, "firstVisit": {"utmParameters": "x"}, "lastVisit": None}
    (read,) = read_orders(json.dumps(order), "shopify")
    assert (read.external_id, read.attribution) == (sale.order_id, None)


@pytest.mark.parametrize("payload", [None, {"userErrors": "x"}, {"userErrors": [None]}])
def test_a_change_of_which_shopify_does_not_say_what_became_may_have_been_made(payload: Any) -> None:
    on, sale = sold()
    on.wire.instead["Fulfil"] = [answer({"data": {"fulfillmentCreate": payload}})]
    with pytest.raises(Unanswered):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))


def test_pages_that_do_not_lead_on_are_not_read_for_ever() -> None:
    on, _ = sold()
    page = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}
    on.wire.instead["Disputes"] = [answer({"data": {"disputes": page}})] * 9
    with pytest.raises(Busy, match="does not show it"):
        list(on.client.disputes(0))
    assert on.wire.operations.count("Disputes") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_label_is_not_made_again_because_a_list_is_missing(kind: str) -> None:
    at = counter(kind)
    at.lose = lambda request: request.method == "POST"
    with pytest.raises(Busy):
        at.client().rates(WISH)
    client = at.client()
    client._wire._transport = lambda _: HttpResponse(200, {}, b"{}")  # type: ignore[attr-defined]
    with pytest.raises(Busy, match="without"):
        client.rates(WISH)


def test_a_refund_at_stripe_is_not_asked_for_again_because_a_list_is_missing() -> None:
    with pytest.raises(Busy, match="without a list"):
        answering(200, {"object": "list"}).refund("pi_1", "r1", 100, "EUR", "")


@pytest.mark.parametrize("name", ["amount", "net", "created"])
def test_an_amount_that_stripe_does_not_tell_is_not_nothing(name: str) -> None:
    row: dict[str, Any] = {"id": "txn_1", "amount": 100, "net": 100, "created": 1, "currency": "eur"}
    with pytest.raises(Unreadable, match=name):
        facts_of(Node({**row, name: None}), Naming())
    intent = {"id": "pi_1", "status": "requires_capture", "currency": "eur"}
    with pytest.raises(Unreadable, match="amount_capturable"):
        answering(200, intent).capture("pi_1", CaptureRequest("c", 1, "EUR"))


def test_a_stock_by_weight_and_a_price_that_is_none_stop_no_other_product() -> None:
    on = woo_seller.Seller()
    odd = {"id": 1, "sku": "BY-WEIGHT", "manage_stock": True, "stock_quantity": 2.5, "regular_price": "on request"}
    plain = {"id": 2, "sku": "MUG", "manage_stock": True, "stock_quantity": 3, "regular_price": "9.00"}
    on.instead = [HttpResponse(200, {}, json.dumps([odd, plain]).encode())]
    found: list[ListedItem] = list(on.client.listings())
    assert [(item.channel_sku, item.quantity, item.price_minor) for item in found] == [
        ("BY-WEIGHT", None, None),
        ("MUG", 3, 900),
    ]


def test_a_refund_without_an_amount_is_refused_and_a_line_without_a_subtotal_costs_its_total() -> None:
    line = {"id": 1, "quantity": 1, "total": "5.00", "total_tax": "0", "sku": "A"}
    order = {"id": 9, "status": "processing", "currency": "EUR", "total": "5.00", "line_items": [line]}
    order |= {"date_modified_gmt": "2026-01-01T00:00:00"}
    (read,) = read_woo(json.dumps(order), "woocommerce")
    assert [(each.price_minor, each.discount_minor) for each in read.lines] == [(500, 0)]
    with pytest.raises(Unreadable, match=r"refunds\[0\].amount"):
        read_woo(json.dumps({**order, "refunds": [{"id": 1}]}), "woocommerce")
