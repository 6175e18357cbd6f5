"""Every recorded payload of WooCommerce is used by a test that is named here."""

from __future__ import annotations

import base64
import html
import json
from typing import Any

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.registry import reader_for
from chalicelib.channels.signatures import verify_woocommerce
from chalicelib.channels.transport import HttpResponse
from chalicelib.channels.woocommerce.reader import refund_lines
from chalicelib.channels.woocommerce.webhooks import TOPICS, is_ping, told_of
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.errors import Forged, Unreadable
from local.marketplaces.shopify_webhooks import sign
from tests.contract.test_channel_woo import parcel_of, show
from tests.contract.woo_seller import Seller
from tests.shared_data import shared

# file -> for each order: total, what lines and charges add up to, captured, refunded, problems
ORDERS: dict[str, list[tuple[int, int, int, int, tuple[str, ...]]]] = {
    "docs.order.create.json": [(2935, 2935, 2935, 0, ())],
    "docs.order.delete.json": [(2935, 2935, 2935, 0, ())],
    "docs.orders.list.json": [(2935, 2935, 2935, 0, ()), (3900, 3900, 0, 0, ())],
    "order-details-partially-refunded.json": [(30445, 30445, 30445, 2430, ())],
    "order-with-attribution-info.json": [(400, 400, 400, 0, ())],
    "order-with-composite-product.json": [(230000, 230000, 230000, 0, ())],
    "order-with-special-character-currency.json": [(3120, 15670, 3120, 0, ("quantity_not_whole",))],  # made up upstream
    "orders-load-all-without-data.json": [(3120, 3120, 3120, 0, ())],
    "wc-order-update-response-success.json": [(1500, 1500, 1500, 1500, ())],
    "wc-orders-response-success.json": [
        (4400, 6600, 4400, 0, ()),  # made up upstream
        (6400, 6400, 0, 0, ()),
        (9200, 9200, 9200, 9200, ()),
        (759, 759, 0, 0, ()),
    ],
}
OTHERS = {
    "docs.refund.1.json": "test_refunds_name_the_lines_of_the_order",
    "docs.refund.3.json": "test_refunds_name_the_lines_of_the_order",
    "refunds-all-without-data.json": "test_refunds_name_the_lines_of_the_order",
    "docs.webhook.1.json": "test_a_recorded_subscription_is_understood",
    "docs.webhook.3.json": "test_a_recorded_subscription_is_understood",
    "order-notes.json": "test_recorded_notes_and_trackings_are_looked_through",
    "shipment_tracking_multiple.json": "test_recorded_notes_and_trackings_are_looked_through",
    "product-stock.json": "test_who_manages_the_stock_is_read_off_recorded_answers",
    "product-stock-parent-manage-stock.json": "test_who_manages_the_stock_is_read_off_recorded_answers",
    "product-variations-bulk-update.json": "test_a_recorded_batch_answer_is_judged_by_object",
    "docs.product.batch.json": "test_a_recorded_batch_answer_is_judged_by_object",
    "webhook.product.updated.json": "test_a_recorded_delivery_of_another_topic_is_no_order",
}

# test -> files below samples/woocommerce/
USES = {"test_recorded_orders_add_up": list(ORDERS)} | {
    test: [name for name, named in OTHERS.items() if named == test] for test in OTHERS.values()
}


def sample(name: str) -> Any:
    return json.loads(shared(f"samples/woocommerce/{name}").read_text())


def all_of(name: str) -> list[Any]:
    found = sample(name)
    return found if isinstance(found, list) else [found]


def read(document: Any) -> ChannelOrder:
    (order,) = reader_for("woocommerce")(json.dumps(document).encode(), "woocommerce-de")
    return order


@pytest.mark.parametrize("name", ORDERS)
def test_recorded_orders_add_up(name: str) -> None:
    found = []
    for order in map(read, all_of(name)):
        money, problems = order.payment, tuple(problem.reason for problem in order.problems)
        total = (order.total_minor, order.stated_minor())
        found.append((*total, money.captured_minor, money.refunded_minor, problems))
    assert found == ORDERS[name]


@pytest.mark.parametrize("name", ORDERS)
def test_a_recorded_order_without_one_of_its_fields_is_read_or_refused(name: str) -> None:
    for document in all_of(name):
        for field in document:
            for instead in (None, [], {}, "x", 7, True, "NaN"):
                try:
                    read({**document, field: instead})
                except Unreadable:
                    continue


def test_a_recorded_order_tells_how_its_buyer_came() -> None:
    found = read(sample("order-with-attribution-info.json")).attribution
    assert found
    referral = found.referral
    told = (referral.source, referral.medium, referral.campaign, referral.evidence, referral.consent)
    assert told == ("woocommerce.com", "organic", "sale", "utm_source", False)
    assert found.last
    assert (found.last.host, found.last.path, found.last.referrer_host) == ("ddev.site", "/shop/", "woocommerce.com")
    assert found.user_agent.startswith("Mozilla/5.0 (Macintosh")


def test_a_click_counts_as_seen_when_its_session_began_and_odd_meta_data_says_nothing() -> None:
    document = sample("docs.orders.list.json")[0]
    assert read(document).attribution is None
    entry = "https://shop.example/?fbclid=IwAbC" + "d" * 400
    meta = {"_wc_order_attribution_session_entry": entry, "_meta_consent": "yes", "_fbp": ["fb.1.2.3"], "x": {"a": 1}}
    listed = [{"id": 1, "key": key, "value": value} for key, value in meta.items()]
    began = {"key": "_wc_order_attribution_session_start_time", "value": "2026-01-18 10:00:00"}
    for more, seen_ms in (([], "1490210882000"), ([began, None, {"key": 3, "value": "x"}], "1768730400000")):
        found = read({**document, "meta_data": listed + more}).attribution
        assert found
        assert found.fbc == f"fb.1.{seen_ms}.IwAbC" + "d" * 400
        assert (found.fbp, found.referral.consent, found.referral.source) == ("", True, "facebook")
    assert read({**document, "meta_data": {"_fbc": "fb.1.2.x"}}).attribution is None


def test_refunds_name_the_lines_of_the_order() -> None:
    units = {
        refund["id"]: dict(refund_lines(Node(refund)))
        for name, test in OTHERS.items()
        if test == "test_refunds_name_the_lines_of_the_order"
        for refund in all_of(name)
    }
    assert units[726] == {}
    assert units[724] == {"311": 1}
    assert units[590] == {"60": 1}


def test_units_of_whole_refunds_are_called_off_unless_they_had_left() -> None:
    document = sample("docs.orders.list.json")[1]
    document = {**document, "refunds": sample("docs.refund.3.json"), "date_completed_gmt": None}
    line = {line.line_id: line for line in read({**document, "status": "processing"}).lines}["311"]
    assert (line.quantity, line.cancelled) == (1, 1)
    late = {**document, "status": "completed", "date_completed_gmt": "2017-03-21T18:00:00"}
    line = {line.line_id: line for line in read(late).lines}["311"]
    assert (line.cancelled, line.fulfilled) == (0, 1)


def test_a_recorded_subscription_is_understood() -> None:
    on = Seller()
    hooks = all_of("docs.webhook.1.json") + all_of("docs.webhook.3.json")
    on.instead = [HttpResponse(200, {}, json.dumps(hooks).encode())]
    told = on.client.ensure_webhooks("http://requestb.in/1g0sxmo1", "s")
    assert told == {topic: "kept" if topic == "order.updated" else "created" for topic in TOPICS} | {
        topic: "kept" for topic in TOPICS if any(hook["topic"] == topic for hook in hooks)
    }


def test_recorded_notes_and_trackings_are_looked_through() -> None:
    on = Seller(has_tracking=True)
    order_id = on.sell()
    on.shop.notes[order_id] = sample("order-notes.json")
    on.shop.trackings[order_id] = sample("shipment_tracking_multiple.json")
    on.client.confirm_shipment(order_id, parcel_of(on, order_id, number="5673 4563456"))  # of the recorded ones
    assert len(on.shop.trackings[order_id]) == len(sample("shipment_tracking_multiple.json"))


def test_who_manages_the_stock_is_read_off_recorded_answers() -> None:
    paths = []
    for name in ("product-stock.json", "product-stock-parent-manage-stock.json"):
        on = Seller()
        on.instead = [HttpResponse(200, {}, json.dumps(sample(name)).encode()), HttpResponse(503, {}, b"")]
        on.client.push_availability([show("X", 3, product_id="9", variation_id="2051")])
        paths.append(on.sent[1].url.rpartition("/v3")[2])
    assert paths == ["/products/9/variations/batch", "/products/batch"]


@pytest.mark.parametrize("name", ["product-variations-bulk-update.json", "docs.product.batch.json"])
def test_a_recorded_batch_answer_is_judged_by_object(name: str) -> None:
    (object_id, found) = next((each["id"], each) for each in sample(name)["update"])
    on = Seller()
    on.instead = [HttpResponse(200, {}, json.dumps(sample(name)).encode())]
    wanted = [show("A", found["stock_quantity"] or 0, product_id=str(object_id)), show("B", 1, product_id="1")]
    shown, missing = on.client.push_availability(wanted)
    assert (shown is None) is (found["stock_quantity"] is not None)
    assert missing is not None


def test_a_secret_is_decoded_before_it_signs() -> None:
    verify_woocommerce(b"{}", sign("a&b", b"{}"), [html.escape("a&b")])
    for secrets in ([], [""]):
        with pytest.raises(Forged, match="no_secret"):
            verify_woocommerce(b"{}", base64.b64encode(b"x").decode(), secrets)


def test_a_recorded_delivery_of_another_topic_is_no_order() -> None:
    delivery = sample("webhook.product.updated.json")
    assert delivery["headers"]["x-wc-webhook-topic"] not in TOPICS
    assert told_of(json.dumps(delivery["body"]).encode()) == ("18", False)
    with pytest.raises(Unreadable, match="not_an_order"):
        read(delivery["body"])


@pytest.mark.parametrize(
    ("raw", "content_type", "is_one"),
    [
        (b"webhook_id=12", "application/x-www-form-urlencoded; charset=utf-8", True),
        (b"webhook_id=12", "application/json", False),
        (b"webhook_id=12&id=5", "application/x-www-form-urlencoded", False),
        (b'{"id": 5}', "application/x-www-form-urlencoded", False),
    ],
)
def test_a_ping_is_that_form_and_nothing_else(raw: bytes, content_type: str, is_one: bool) -> None:
    assert is_ping(raw, content_type) is is_one


STATUSES = {
    "pending": (True, False, False, False),
    "on-hold": (True, False, False, False),
    "checkout-draft": (True, False, False, False),
    "failed": (False, True, False, False),
    "cancelled": (False, True, True, False),
    "trash": (False, True, True, False),
    "wc-processing": (False, False, False, False),
    "in-production": (False, False, False, True),
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_meaning_and_a_foreign_one_is_a_hold(status: str) -> None:
    document = {**sample("docs.order.create.json"), "status": status, "date_paid_gmt": None}
    order = read(document)
    money, problems = order.payment, bool(order.problems)
    assert (money.awaited, money.lapsed, order.cancelled, problems) == STATUSES[status]
    assert money.captured_minor == 0


def test_a_product_that_is_gone_has_no_name_and_fees_may_be_negative() -> None:
    document = sample("docs.order.create.json")
    gone = {**document["line_items"][0], "product_id": 0, "variation_id": 0, "sku": None}
    fee = {"id": 9, "name": "Discount for cash", "total": "-1.50", "total_tax": "0.00"}
    order = read({**document, "line_items": [gone], "fee_lines": [fee], "total": "14.85", "needs_processing": False})
    assert [(line.channel_sku, line.listing_ref, line.ships) for line in order.lines] == [("", "", True)]
    assert ("fee", -150) in [(charge.kind, charge.amount_minor) for charge in order.charges]
