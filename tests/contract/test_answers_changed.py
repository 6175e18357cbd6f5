"""Whatever a shop or a service answers or sends, with any one field missing or of another kind: it is read, or refused
in words of our own that name the field. Nothing crashes, and nothing is asked without an end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.budgets import Unlimited
from chalicelib.channels.carriers import carrier_class, tracking_reader
from chalicelib.channels.fields import parse
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.meta.catalogue import CatalogueClient, CatalogueItem
from chalicelib.channels.meta.conversions import ConversionsClient
from chalicelib.channels.port import CancellationRequest, CaptureRequest, Price, RefundRequest
from chalicelib.channels.registry import reader_for
from chalicelib.channels.shippo.notifications import track_events
from chalicelib.channels.shopify.client import ShopifyClient
from chalicelib.channels.shopify.webhooks import told_of
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.stripe.events import read_event
from chalicelib.channels.transport import HttpResponse, Transport
from chalicelib.channels.woocommerce.client import WooClient
from chalicelib.domain.errors import HeadraceError
from local.marketplaces.catalogue import CATALOGUE, listing_ids
from local.marketplaces.shopify_balance import pay_out
from local.marketplaces.shopify_disputes import open_dispute
from local.marketplaces.shopify_payments import authorise
from local.marketplaces.woocommerce import product_id
from local.processors.stripe import Stripe
from tests.contract import shopify_seller, test_channel_woo, woo_seller
from tests.contract.answers_taped import attempt, passed_to, played, taped, variants
from tests.contract.carrier_desks import BASE, KINDS, RECIPIENT, WISH, counter
from tests.contract.shopify_seller import account, availability, confirmation, secret
from tests.contract.stripe_account import Account
from tests.contract.test_channel_shopify_returns import Shop
from tests.contract.test_stripe_settlement import troubled
from tests.shared_data import shared
from tests.tokens import Tokens

Work = Callable[[Transport], Any]
MUG = CATALOGUE[0].sku


def read(kind: str, raw: bytes) -> Any:
    return reader_for(kind)(raw, kind, hint={})


def failing(work: Callable[[], Any]) -> None:
    """Work that ends in an outcome for each thing: an error in it is one of ours."""
    assert all(each is None or isinstance(each, HeadraceError) for each in work())


# --- what each client does ----------------------------------------------------------------------------


def shopify() -> tuple[Transport, list[Work]]:
    """A sale that was shipped in part and asked back, one that is authorised, and all that is read of the account."""
    shop = Shop()
    on, sale, back = shop.on, shop.sale, shop.opened(2, 1)
    on.market.points.burst = on.market.points.tokens = 1e9
    held = on.market.sell(shopify_seller.Random(5), on.time.pass_(minutes=1))
    assert held
    authorise(on.market, held, on.time.now + timedelta(days=7), multiple=True)
    open_dispute(on.market, sale, 1250)
    pay_out(on.market, on.time.pass_(days=1))
    now_ms = int(on.time.now.timestamp() * 1000)
    whole = tuple((line.line_id, line.quantity) for line in held.lines)
    prices = [Price(MUG, listing_ids(MUG)["shopify"], 1999, "USD", 1)]
    quantities = [availability(on, item.sku, 7, 3) for item in CATALOGUE[:2]]

    def client(transport: Transport) -> ShopifyClient:
        return ShopifyClient(Access(transport, account(), secret(on.market), Tokens(), now_ms, jobs=JobsInMemory()))

    works: list[Work] = [
        lambda t: list(client(t).changed_orders(0, lambda *_: True)),
        lambda t: read("shopify", client(t).get_order(sale.order_id)),
        lambda t: read("shopify", client(t).get_order(held.order_id)),
        lambda t: client(t).confirm_shipment(sale.order_id, confirmation(sale, (1, 1), sequence=4)),
        lambda t: client(t).refund(sale.order_id, RefundRequest("R-1", 100, "USD", "damaged")),
        lambda t: client(t).answer_return(sale.order_id, str(back.number), "received"),
        lambda t: client(t).capture(held.order_id, CaptureRequest("C-1", 1, "USD", final=False)),
        lambda t: client(t).void(held.order_id),
        lambda t: client(t).cancel(held.order_id, CancellationRequest("X-1", whole, "buyer")),
        lambda t: failing(lambda: client(t).push_availability(quantities)),
        lambda t: failing(lambda: client(t).push_availability(quantities[:1])),
        lambda t: failing(lambda: client(t).push_prices(prices)),
        lambda t: [list(client(t).listings()), list(client(t).disputes(0)), list(client(t).returns(0))],
        lambda t: [list(client(t).transactions(0)), list(client(t).payouts(0))],
        lambda t: [client(t).installation(), client(t).locations(), client(t).has_payments()],
        lambda t: client(t).ensure_webhooks("https://new.example/webhooks/shopify", ""),
    ]
    return passed_to(on.market.handle, "/shopify"), works


def woocommerce() -> tuple[Transport, list[Work]]:
    """An order that was given back in part, and one to ship, call off and give back."""
    on = woo_seller.Seller(has_tracking=True)
    order_id, refunded, off = on.sell(), on.sell(), on.sell()
    on.client.refund(refunded, test_channel_woo.refund())
    parcel = test_channel_woo.parcel_of(on, order_id)
    keys = {"consumer_key": on.shop.consumer_key, "consumer_secret": on.shop.consumer_secret}
    refs = {"product_id": str(product_id(MUG))}
    varied = test_channel_woo.show("X", 3, product_id="9", variation_id="2051")
    whole = tuple((line.line_id, line.quantity) for line in on.shop.shelf.sales[off].lines)

    def client(transport: Transport) -> WooClient:
        access = Access(transport, on.account, keys, Tokens(), on.now_ms, jobs=JobsInMemory())
        return WooClient(access, lambda _: ["93.184.215.14"])

    works: list[Work] = [
        lambda t: [read("woocommerce", raw) for raw, _ in client(t).changed_orders(0)],
        lambda t: client(t).confirm_shipment(order_id, parcel),
        lambda t: client(t).refund(refunded, test_channel_woo.refund(refund_id="r/2")),
        lambda t: client(t).refund(refunded, test_channel_woo.refund()),
        lambda t: client(t).cancel(off, CancellationRequest("c1", whole, "buyer")),
        lambda t: failing(lambda: client(t).push_availability([test_channel_woo.show(MUG, 3), varied])),
        lambda t: failing(lambda: client(t).push_prices([Price(MUG, refs, 1999, "USD", 1)])),
        lambda t: list(client(t).listings()),
        lambda t: [client(t).shop_currency(), client(t).version(), client(t).may_write(), client(t).has_tracking()],
        lambda t: client(t).ensure_webhooks("https://x.example/webhooks/woocommerce", "s"),
    ]
    return passed_to(on.shop.answer), works


def stripe() -> tuple[Transport, list[Work]]:
    """A payment with a bit of everything, and one that is authorised."""
    on = Account(Stripe(payout_every_s=3600))
    paid, held = troubled(on), on.stripe.authorise(900, "EUR", "storefront:1002")
    on.later(hours=1)
    things = [paid, *on.stripe.books.refunds, *on.stripe.books.disputes]
    url = "https://x.example/webhooks/stripe"

    def client(transport: Transport) -> StripeClient:
        return StripeClient(transport, {}, {"api_key": on.stripe.api_key}, 0)

    works: list[Work] = [
        lambda t: [client(t).seen(each) for each in things],
        lambda t: client(t).payment(held),
        lambda t: client(t).refund(paid, "r9", 1, "EUR", ""),
        lambda t: [list(client(t).transactions(0)), list(client(t).payouts(0))],
        lambda t: [client(t).make_endpoint(url, "k"), client(t).endpoint(url)],
        lambda t: client(t).capture(held, CaptureRequest("c1", 700, "EUR")),
    ]
    return passed_to(on.stripe.handle), works


def carrier(kind: str) -> tuple[Transport, list[Work]]:
    """A label that was bought and is under way, one whose shipment was lost, and one to buy."""
    at = counter(kind)
    label = at.bought()
    now_ms = int(at.desk.now.timestamp() * 1000)

    def client(transport: Transport, **jobs: Any) -> Any:
        memory = JobsInMemory()
        for name, job in jobs.items():
            memory.put(name.replace("_", "-"), job)
        keys = {"api_key": at.desk.api_key}
        return carrier_class(kind)(transport, {"base_url": BASE}, keys, memory, now_ms, Unlimited())

    def buy(transport: Transport) -> Any:
        ours = client(transport)
        return [ours.buy(WISH, rate) for rate in ours.rates(WISH)[:1]]

    works: list[Work] = [
        buy,
        lambda t: client(t, label_label_1={"asked_ms": now_ms}).rates(WISH),
        lambda t: client(t).track(label.tracking_number, label.carrier),
        lambda t: client(t).check_address(RECIPIENT),
        lambda t: [client(t).carriers(), client(t).ensure_webhook("https://x.example/w", "s")],
        lambda t: client(t).void(label),
    ]
    return passed_to(at.desk.handle), works


def meta() -> tuple[Transport, list[Work]]:
    """Answers as Meta documents them; the stand-in knows no item that is wrong."""
    answers: dict[str, Any] = {
        "events": {"error": {"code": 100, "error_subcode": 3, "is_transient": False, "fbtrace_id": "b"}},
        "items_batch": {"handles": ["h"], "validation_status": [{"retailer_id": "A", "errors": [{"message": "bad"}]}]},
        "check_batch_request_status": {
            "data": [{"status": "finished", "errors": [{"id": "A", "message": "x"}], "ids_of_invalid_requests": ["B"]}]
        },
    }
    keys = {"access_token": "t"}

    def send(request: Any) -> HttpResponse:
        name = request.url.partition("?")[0].rpartition("/")[2]
        return HttpResponse(200, {}, json.dumps(answers[name]).encode())

    works: list[Work] = [
        lambda t: failing(lambda: ConversionsClient(t, {"dataset_id": "1"}, keys, 1_000_000).send([{"event_time": 9}])),
        lambda t: CatalogueClient(t, {"catalogue_id": "1"}, keys).send([CatalogueItem("A", 1)]),
        lambda t: CatalogueClient(t, {"catalogue_id": "1"}, keys).check("h"),
    ]
    return send, works


CLIENTS: dict[str, Callable[[], tuple[Transport, list[Work]]]] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "stripe": stripe,
    **{kind: lambda kind=kind: carrier(kind) for kind in KINDS},
    "meta": meta,
}


@pytest.mark.parametrize("kind", CLIENTS)
def test_an_answer_with_one_field_changed_is_read_or_refused_by_its_name(kind: str) -> None:
    transport, works = CLIENTS[kind]()
    for work in works:
        known: dict[str, set[str]] = {}
        tape = taped(transport, work)
        assert tape
        for place, (call, answer) in enumerate(tape):
            for way, wrong, changed in variants(json.loads(answer.body), known.setdefault(call, set())):
                attempt(lambda: work(played(tape, place, changed)), f"{kind}: {call} {way}: {wrong!r}")  # noqa: B023


# --- what they send -----------------------------------------------------------------------------------


def _told(topic: str) -> Callable[[bytes], Any]:
    return lambda raw: told_of(topic, raw)


NAMING = ("refunds/create", "fulfillments/create", "fulfillment_orders/moved", "fulfillment_orders/merged")
# file below samples -> its reader
SENT: dict[str, Callable[[bytes], Any]] = {
    **{f"shopify/webhooks-2024-10/{topic.replace('/', '.')}.json": _told(topic) for topic in NAMING},
    "shopify/webhooks-2024-10/returns.request.json": _told("returns/request"),
    "shopify/webhooks-2024-10/disputes.create.json": _told("disputes/create"),
    "shopify/webhooks-2024-10/orders.updated.json": lambda raw: [_told("orders/updated")(raw), read("shopify", raw)],
    "woocommerce/order-details-partially-refunded.json": lambda raw: read("woocommerce", raw),
    "stripe/events/charge.refunded.json": read_event,
    "stripe/events/payment_intent.succeeded.json": read_event,
    "carriers/easypost/tracking_webhook_response.json": tracking_reader("easypost"),
    "carriers/shippo/track_status.json": lambda raw: track_events(parse(raw)),
}


@pytest.mark.parametrize("file", SENT)
def test_a_delivery_with_one_field_changed_is_read_or_refused_by_its_name(file: str) -> None:
    document = json.loads(shared(f"samples/{file}").read_text())
    document = document[0]["response"] if isinstance(document, list) else document  # a call that was recorded whole
    for way, wrong, changed in variants(document, set()):
        attempt(lambda: SENT[file](json.dumps(changed).encode()), f"{file} {way}: {wrong!r}")  # noqa: B023
