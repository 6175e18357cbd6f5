"""The WooCommerce client against its stand-in: what it asks for, and what becomes of trouble."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.port import Availability, CancellationRequest, Price, RefundRequest, ShipmentConfirmation
from chalicelib.channels.transport import HttpResponse
from chalicelib.channels.woocommerce.client import WooClient
from chalicelib.channels.woocommerce.wire import safe_url
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised
from local.marketplaces.woocommerce import product_id
from tests.contract.woo_seller import Seller
from tests.factories import T0_MS

MUG = "MUG-STONE-350"


def show(sku: str, quantity: int, **refs: str) -> Availability:
    return Availability(sku, refs or {"product_id": str(product_id(sku))}, quantity, 1)


def refund(amount_minor: int = 500, refund_id: str = "r/1") -> RefundRequest:
    return RefundRequest(refund_id, amount_minor, "USD", "broken")


def parcel_of(on: Seller, order_id: str, shipment_id: str = "p1", number: str = "1Z") -> ShipmentConfirmation:
    items = tuple((line.line_id, line.quantity) for line in on.shop.shelf.sales[order_id].lines)
    return ShipmentConfirmation(shipment_id, 1, "UPS", number, T0_MS, items)


@pytest.fixture
def on() -> Seller:
    return Seller()


def test_changes_are_read_page_by_page_and_one_that_moves_hides_no_other(on: Seller) -> None:
    ids = []
    for _ in range(250):
        on.now_ms += 1000
        ids.append(on.sell("NOTE-A5-GRID"))
        on.shop.shelf.listings["NOTE-A5-GRID"].quantity = 200
    found: list[str] = []
    for raw, _ in on.client.changed_orders(0):
        if not found:
            on.now_ms += 1000
            on.shop.shelf.sales[ids[0]].touch(on.now)
        found.append(str(json.loads(raw)["id"]))
    assert sorted(set(found)) == sorted(ids)
    assert found[-1] == ids[0]


def test_more_orders_than_a_page_in_one_second_are_all_read(on: Seller) -> None:
    ids = []
    for _ in range(130):
        ids.append(on.sell("NOTE-A5-GRID"))
        on.shop.shelf.listings["NOTE-A5-GRID"].quantity = 200
    assert sorted(str(json.loads(raw)["id"]) for raw, _ in on.client.changed_orders(T0_MS)) == sorted(ids)


def test_a_reading_goes_on_where_it_broke_off(on: Seller) -> None:
    for _ in range(150):
        on.now_ms += 1000
        on.sell("NOTE-A5-GRID")
        on.shop.shelf.listings["NOTE-A5-GRID"].quantity = 200
    first = on.client
    reading = first.changed_orders(0)
    begun = [next(reading)[1] for _ in range(101)]
    assert first.position
    rest = [changed_ms for _, changed_ms in on.client.changed_orders(0, position=first.position)]
    assert sorted({*begun, *rest}) == [T0_MS + 1000 * (n + 1) for n in range(150)]
    assert len(rest) < 60


def test_quantities_are_judged_one_by_one(on: Seller) -> None:
    done, unknown, unlinked = on.client.push_availability(
        [show(MUG, 7), show("VASE", 1, product_id="99"), Availability("X", {}, 1, 1)]
    )
    assert done is None
    assert isinstance(unknown, Refused)
    assert isinstance(unlinked, Refused)
    assert on.shop.shelf.listings[MUG].quantity == 7
    assert len(on.sent) == 1


def test_more_than_a_hundred_go_out_in_several_batches(on: Seller) -> None:
    outcome = on.client.push_availability([show(f"S{n}", 1, product_id=str(n + 1)) for n in range(101)])
    assert len(outcome) == 101
    assert [len(json.loads(request.body)["update"]) for request in on.sent] == [100, 1]


def test_a_variation_whose_product_manages_its_stock_is_shown_by_the_product(on: Seller) -> None:
    mug = product_id(MUG)
    variations = [{"id": 5, "manage_stock": "parent"}, {"id": 6, "manage_stock": True}]
    own = {"update": [{"id": 6, "stock_quantity": 4}]}
    parents = {"update": [{"id": mug, "stock_quantity": 3}]}
    on.instead = [HttpResponse(200, {}, json.dumps(body).encode()) for body in (variations, parents, own)]
    wanted = [show(f"V{n}", n - 2, product_id=str(mug), variation_id=str(n)) for n in (5, 6)]
    assert on.client.push_availability(wanted) == [None, None]
    assert [request.url.rpartition("/v3")[2] for request in on.sent[1:]] == [
        "/products/batch",
        f"/products/{mug}/variations/batch",
    ]


def test_what_the_shop_shows_otherwise_is_looked_at_again(on: Seller) -> None:
    body = {"update": [{"id": product_id(MUG), "stock_quantity": 6}]}
    on.instead = [HttpResponse(200, {}, json.dumps(body).encode())]
    (outcome,) = on.client.push_availability([show(MUG, 7)])
    assert isinstance(outcome, Busy)


def test_a_price_is_told_in_decimals_and_never_in_another_currency(on: Seller) -> None:
    refs = {"product_id": str(product_id(MUG))}
    done, foreign = on.client.push_prices([Price(MUG, refs, 1999, "USD", 1), Price(MUG, refs, 5, "EUR", 1)])
    assert done is None
    assert isinstance(foreign, Refused)
    assert on.shop.shelf.listings[MUG].price_minor == 1999
    assert json.loads(on.sent[0].body)["update"][0]["regular_price"] == "19.99"


def test_listings_tell_what_is_on_offer(on: Seller) -> None:
    found = {each.channel_sku: each for each in on.client.listings()}
    assert found.keys() == on.shop.shelf.listings.keys()
    mug = found[MUG]
    assert (mug.refs, mug.quantity, mug.price_minor) == ({"product_id": str(product_id(MUG))}, 120, 1450)


@pytest.mark.parametrize("has_tracking", [True, False])
def test_a_parcel_whose_answer_is_lost_is_told_once_and_completes_the_order(has_tracking: bool) -> None:
    on = Seller(has_tracking=has_tracking)
    order_id = on.sell()
    on.lose = "POST shipment-trackings" if has_tracking else "POST notes"
    with pytest.raises(Busy):
        on.client.confirm_shipment(order_id, parcel_of(on, order_id))
    for _ in range(2):
        on.client.confirm_shipment(order_id, parcel_of(on, order_id))
    told = on.shop.trackings if has_tracking else on.shop.notes
    assert len(told[order_id]) == 1
    assert on.shop.status(on.shop.shelf.sales[order_id]) == "completed"
    assert ("tracking" in on.jobs.jobs) is not has_tracking


def test_an_order_is_not_completed_by_a_part_of_it(on: Seller) -> None:
    order_id = on.sell()
    line_id = on.shop.shelf.sales[order_id].lines[0].line_id
    on.client.confirm_shipment(order_id, ShipmentConfirmation("p0", 1, "UPS", "1Z", T0_MS, ((line_id, 0),)))
    assert on.shop.status(on.shop.shelf.sales[order_id]) == "processing"


def test_a_refund_whose_answer_is_lost_moves_its_money_once(on: Seller) -> None:
    order_id = on.sell()
    on.lose = "POST refunds"
    with pytest.raises(Busy):
        on.client.refund(order_id, refund())
    for _ in range(2):
        assert on.client.refund(order_id, refund()) is True
    assert [each["amount"] for each in on.shop.refunds[order_id]] == ["5.00"]


def test_a_refund_that_may_be_on_its_way_is_not_asked_for_again_at_once(on: Seller) -> None:
    order_id = on.sell()
    order = on.shop.order(on.shop.shelf.sales[order_id])
    on.instead = [HttpResponse(200, {}, json.dumps(order).encode()), HttpResponse(504, {}, b"<html>")]
    with pytest.raises(Busy):
        on.client.refund(order_id, refund())
    with pytest.raises(Busy):
        on.client.refund(order_id, refund())
    assert order_id not in on.shop.refunds
    on.now_ms += 121_000
    assert on.client.refund(order_id, refund())
    assert len(on.shop.refunds[order_id]) == 1


def test_a_refund_that_the_gateway_refuses_is_never_tried_again(on: Seller) -> None:
    order_id = on.sell()
    on.shop.gateway_refuses = True
    with pytest.raises(Refused, match="refund_failed"):
        on.client.refund(order_id, refund())
    on.shop.gateway_refuses = False
    with pytest.raises(Refused, match="refund_failed"):
        on.client.refund(order_id, refund())
    assert not on.shop.refunds.get(order_id)


def test_a_refund_that_only_is_noted_is_not_taken_for_paid(on: Seller) -> None:
    order_id = on.sell()
    on.client.refund(order_id, refund())
    on.shop.refunds[order_id][0]["refunded_payment"] = False
    with pytest.raises(Busy):
        on.client.refund(order_id, refund())
    on.now_ms += 1_000_000
    with pytest.raises(Refused, match="refund_unclear"):
        on.client.refund(order_id, refund())


def test_a_whole_order_is_called_off_and_a_part_is_noted_and_refused(on: Seller) -> None:
    order_id = on.sell()
    whole = parcel_of(on, order_id).items
    for _ in range(2):
        with pytest.raises(Refused, match="partial_cancel"):
            on.client.cancel(order_id, CancellationRequest("c0", ((whole[0][0], 0),)))
    assert [note["customer_note"] for note in on.shop.notes[order_id]] == [False]
    for _ in range(2):
        on.client.cancel(order_id, CancellationRequest("c1", whole))
    assert on.shop.status(on.shop.shelf.sales[order_id]) == "cancelled"
    assert sum(request.method == "PUT" for request in on.sent) == 1


def test_webhooks_are_made_once_and_enabled_again(on: Seller) -> None:
    url = "https://oms.example/webhooks/woocommerce"
    assert set(on.client.ensure_webhooks(url, "s").values()) == {"created"}
    next(iter(on.shop.hooks.values()))["status"] = "disabled"
    assert sorted(on.client.ensure_webhooks(url, "s").values()) == ["enabled", "kept", "kept", "kept"]
    assert {hook["status"] for hook in on.shop.hooks.values()} == {"active"}


CALLS: dict[str, Callable[[WooClient], Any]] = {
    "order": lambda client: client.get_order("1003"),
    "orders": lambda client: list(client.changed_orders(0)),
    "availability": lambda client: raised(client.push_availability([show(MUG, 1)])),
    "listings": lambda client: list(client.listings()),
    "shipment": lambda client: client.confirm_shipment("1003", ShipmentConfirmation("p", 1, "UPS", "1", 1, ())),
    "refund": lambda client: client.refund("1003", refund()),
    "cancel": lambda client: client.cancel("1003", CancellationRequest("c", ())),
}
PASSING = [
    HttpResponse(403, {"content-type": "text/html"}, b"<html>Checking your browser</html>"),
    HttpResponse(403, {}, b'{"code": "blocked_by_firewall"}'),
    HttpResponse(401, {}, b"<html>who are you</html>"),
    HttpResponse(404, {}, b"<html>no such page</html>"),
    HttpResponse(500, {}, b'{"code": "internal_server_error"}'),
    HttpResponse(503, {}, b"<html>maintenance</html>"),
    HttpResponse(302, {"location": "/"}, b""),
    HttpResponse(200, {}, b""),
    HttpResponse(200, {}, b"<br />Notice: undefined index"),
    HttpResponse(200, {}, b'"x"'),
]


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


@pytest.mark.parametrize("answer", PASSING, ids=range(len(PASSING)))
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_not_woocommerces_own_word_is_busy(
    on: Seller, call: Callable[[WooClient], Any], answer: HttpResponse
) -> None:
    on.instead.append(answer)
    with pytest.raises(Busy):
        call(on.client)
    assert on.tokens.why_lost == ""


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_key_that_is_not_taken_pauses_the_account(on: Seller, call: Callable[[WooClient], Any]) -> None:
    on.instead.append(HttpResponse(401, {}, b'{"code": "woocommerce_rest_cannot_view"}'))
    with pytest.raises(Unauthorised):
        call(on.client)
    assert "consumer_key" in on.tokens.why_lost
    assert len(on.sent) == 1


@pytest.mark.parametrize(
    "base_url",
    [
        "http://shop.example.com",
        "https://127.0.0.1",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://2130706433",
        "https://0x7f.0x1",
        "https://localhost",
        "https://db.internal",
        "https://printer",
        "https://user:pw@shop.example.com",
        "https://shop.example.com?x=",
        "",
    ],
)
def test_an_address_that_is_not_a_public_https_one_is_refused(base_url: str) -> None:
    with pytest.raises(Refused):
        safe_url(base_url)


def test_only_this_machine_is_admitted_for_a_stand_in() -> None:
    assert safe_url("http://127.0.0.1:80/woo/", allow_private=True) == "http://127.0.0.1:80/woo"
    with pytest.raises(Refused):
        safe_url("https://10.0.0.1", allow_private=True)


def test_a_name_that_leads_into_a_private_network_is_refused_before_anything_is_sent(on: Seller) -> None:
    keys = {"consumer_key": "k", "consumer_secret": "s"}
    client = WooClient(Access(on.send, on.account, keys, on.tokens, T0_MS), lambda _: ["93.184.215.14", "10.1.2.3"])
    with pytest.raises(Refused):
        client.get_order("1003")
    assert on.sent == []


@pytest.mark.parametrize("order_id", ["../customers", "1/notes", "", "x"])
def test_an_order_id_cannot_lead_elsewhere(on: Seller, order_id: str) -> None:
    with pytest.raises(Refused):
        on.client.get_order(order_id)
    assert on.sent == []
