"""The Amazon room against the official models, Amazon's own sample orders, and the stand-in marketplace."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.channels.amazon.client import USER_AGENT, AmazonClient
from chalicelib.channels.amazon.notifications import hint_of
from chalicelib.channels.amazon.reader import read_orders
from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unreadable
from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.shelf import Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response
from tests.contract.marketplaces_calls import START, Time, first, opened, populated
from tests.contract.marketplaces_models import amazon_request_body, errors
from tests.shared_data import shared

BASE = "https://sp.example/amazon"
START_MS = int(START.timestamp() * 1000)
ORDERS = "/orders/2026-01-01/orders"
MODELS = {
    ("GET", ORDERS): "orders_2026-01-01.json",
    ("GET", f"{ORDERS}/{{orderId}}"): "orders_2026-01-01.json",
    ("POST", "/orders/v0/orders/{orderId}/shipmentConfirmation"): "ordersV0.json",
    ("PATCH", "/listings/2021-08-01/items/{sellerId}/{sku}"): "listingsItems_2021-08-01.json",
}
QUOTA = HttpResponse(429, {}, b'{"errors":[{"code":"QuotaExceeded","message":"x","details":""}]}')
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, GATEWAY_PAGE.body)


# --- samples ------------------------------------------------------------------------------------------


class Read(NamedTuple):
    """What one sample order must become."""

    currency: str
    total_minor: int
    units: tuple[int, ...]
    fulfilled: tuple[int, ...]
    country: str
    problems: tuple[str, ...] = ()


V0 = "orders_v0_not_supported"
SAMPLES: dict[str, Read | str] = {
    "order.2026-01-01.getOrder.mfn-shipped-tax.json": Read("TRY", 12500, (2,), (2,), "TR"),
    "order.2026-01-01.getOrder.mfn-shipped-uk.json": Read("GBP", 10397, (3,), (3,), "GB"),
    "order.2026-01-01.getOrder.mfn-unshipped-br.json": Read("BRL", 29990, (1,), (0,), "BR"),
    "order.2026-01-01.getOrder.mfn-unshipped-us.json": Read("USD", 4999, (1,), (0,), "US"),
    "order.2026-01-01.searchOrders.afn-shipped-mx.json": Read("JPY", 19940, (1, 2), (1, 2), "JP"),
    "order.2026-01-01.searchOrders.mfn-shipped-two-items.json": Read("USD", 15499, (2, 1), (2, 1), "US"),
    "order.2026-01-01.searchOrders.mfn-shipped-uk.json": Read("GBP", 3499, (1,), (1,), "GB"),
    "order.2026-01-01.searchOrders.mfn-unshipped-br.json": Read("BRL", 159990, (1,), (0,), "BR"),
    "order-items.v0.getOrderItems.buyer-requested-cancel.json": V0,
    "order-items.v0.getOrderItemsBuyerInfo.json": V0,
    "order.v0.getOrder.business-mfn-unshipped.json": V0,
    "order.v0.getOrder.iba.json": V0,
    "order.v0.getOrder.mfn-unshipped.json": V0,
    "order.v0.getOrderAddress.commercial.json": V0,
    "order.v0.getOrderAddress.json": V0,
    "order.v0.getOrderBuyerInfo.business.json": V0,
    "order.v0.getOrderBuyerInfo.json": V0,
    "order.v0.getOrders.page-with-NextToken.json": V0,
    "order.v0.getOrders.page-without-token.json": V0,
}
READABLE = sorted(name for name, expected in SAMPLES.items() if isinstance(expected, Read))


def sample(name: str) -> bytes:
    return shared(f"samples/amazon/{name}").read_bytes()


def test_every_sample_order_is_in_the_table() -> None:
    assert {path.name for path in shared("samples/amazon").glob("order*.json")} == set(SAMPLES)


@pytest.mark.parametrize("name", READABLE)
def test_a_sample_order_is_read_and_adds_up(name: str) -> None:
    (order,) = read_orders(sample(name), "amazon")
    read = Read(
        order.currency,
        order.total_minor,
        tuple(line.quantity for line in order.lines),
        tuple(line.fulfilled for line in order.lines),
        order.country,
        tuple(problem.reason for problem in order.problems),
    )
    assert read == SAMPLES[name]
    assert order.stated_minor() == order.total_minor
    assert order.payment.vouched
    assert not order.cancelled
    assert order.placed_ms < order.version_ms
    assert all(line.channel_sku and line.listing_ref and not line.cancelled for line in order.lines)


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - set(READABLE)))
def test_a_sample_of_orders_v0_is_refused_with_its_remedy(name: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read_orders(sample(name), "amazon")
    assert refusal.value.reason == SAMPLES[name]
    assert refusal.value.detail


def test_the_sample_notifications_point_at_an_order_only_when_one_has_changed() -> None:
    folder = shared("samples/amazon")
    hints = {path.name: hint_of(path.read_bytes()) for path in folder.glob("notification.*.json")}
    pointing = {name: hint for name, hint in hints.items() if hint.order_ids}
    change = json.loads(sample("notification.ORDER_CHANGE.sqs-body.json"))["Payload"]["OrderChangeNotification"]
    (hint,) = pointing.values()
    assert list(pointing) == ["notification.ORDER_CHANGE.sqs-body.json"]
    assert (hint.seller_id, hint.order_ids) == (change["SellerId"], (change["AmazonOrderId"],))
    assert len(hints) > 5


@functools.cache
def parsed(name: str) -> Any:
    return json.loads(sample(name))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**70,
        1e308,
        0.5,
        "",
        "-1",
        "NaN",
        "1e999999",
        "\ud800",
        "x" * 5000,
        [],
        {},
        [None],
        [[]],
        {"a": 1},
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(READABLE), st.data())
def test_a_sample_order_changed_at_random_is_an_order_or_unreadable(name: str, data: st.DataObject) -> None:
    body = copy.deepcopy(parsed(name))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, key = data.draw(st.sampled_from(list(places(body)) or [("orders",)]))
        holder = functools.reduce(lambda here, step: here[step], way, body)
        if data.draw(st.booleans()):
            holder[key] = data.draw(JUNK)
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder.pop(key, None)
    try:
        orders = read_orders(json.dumps(body), "amazon")
    except Unreadable:
        return
    for order in orders:
        json.dumps([order.order_id, *(line.title for line in order.lines)], ensure_ascii=False).encode()
        assert all(0 <= line.cancelled + line.fulfilled <= line.quantity for line in order.lines)


# --- requests -----------------------------------------------------------------------------------------


def checked_request(request: HttpRequest) -> str:
    """The operation's path in its official model, which the whole request must fit; `token` for Login with Amazon."""
    assert request.headers["user-agent"] == USER_AGENT
    url = urlsplit(request.url)
    path = url.path.removeprefix("/amazon")
    if path == "/auth/o2/token":
        assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
        form = parse_qs(request.body.decode(), strict_parsing=True)
        assert set(form) == {"grant_type", "refresh_token", "client_id", "client_secret"}
        return "token"
    assert request.headers["x-amz-access-token"]
    assert re.fullmatch(r"\d{8}T\d{6}Z", request.headers["x-amz-date"])
    template, spec = next(
        (template, spec)
        for (method, template), spec in MODELS.items()
        if method == request.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    )
    method = request.method.lower()
    document = json.loads(shared(f"specs/amazon/{spec}").read_text(encoding="utf-8"))
    parameters = document["paths"][template][method]["parameters"]
    check_query(dict(parse_qsl(url.query, strict_parsing=True) if url.query else []), parameters)
    if any(parameter["in"] == "body" for parameter in parameters):
        assert request.headers["content-type"] == "application/json"
        assert errors(amazon_request_body(spec, template, method), json.loads(request.body)) == []
    else:
        assert request.body == b""
    return template


def check_query(query: dict[str, str], parameters: list[dict[str, Any]]) -> None:
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    assert set(query) <= set(known)
    assert {name for name, parameter in known.items() if parameter.get("required")} <= set(query)
    for name, text in query.items():
        parameter = known[name]
        values = text.split(",") if parameter["type"] == "array" else [text]
        allowed = parameter.get("items", parameter).get("enum")
        assert allowed is None or set(values) <= set(allowed), name
        if parameter["type"] == "integer":
            assert parameter.get("minimum", 1) <= int(text) <= parameter.get("maximum", 100), name


class Wire:
    """A transport that checks each request against its model and gives it to the stand-in.

    `instead`: what to answer to the next calls in its place. `lost`: calls that are carried out and answered by a 503.
    """

    def __init__(self, market: Amazon) -> None:
        self.market = market
        self.sent: list[HttpRequest] = []
        self.operations: list[str] = []
        self.instead: list[HttpResponse] = []
        self.lost = 0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        self.operations.append(checked_request(request))
        if self.instead:
            return self.instead.pop(0)
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        path = url.path.removeprefix("/amazon")
        answer: Response = self.market.handle(Request(request.method, path, query, request.headers, request.body))
        if self.lost:
            self.lost -= 1
            return GATEWAY
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)


class Tokens:
    """A token store in memory."""

    def __init__(self) -> None:
        self.token, self.expires_ms = "", 0

    def get(self) -> str:
        return self.token

    def put(self, token: str, expires_ms: int) -> None:
        self.token, self.expires_ms = token, expires_ms


class Seller(NamedTuple):
    """A seller's client, connected to a stand-in."""

    market: Amazon
    time: Time
    wire: Wire
    tokens: Tokens
    client: AmazonClient


def seller(*, catalogue: tuple[Listing, ...] = CATALOGUE, account: Any = None, credentials: Any = None) -> Seller:
    market, time = opened(Amazon, catalogue)
    wire, tokens = Wire(market), Tokens()
    settings = {"base_url": BASE, "seller_id": market.seller_id, "marketplace_id": market.marketplace_id}
    secret = {
        "client_id": market.client_id,
        "client_secret": market.client_secret,
        "refresh_token": market.refresh_token,
    }
    client = AmazonClient(wire, {**settings, **(account or {})}, {**secret, **(credentials or {})}, tokens, START_MS)
    return Seller(market, time, wire, tokens, client)


def availability(sku: str, quantity: int) -> Availability:
    return Availability(sku, {}, quantity, version=1)


def confirmation(sale: Sale, sequence: int = 1, **changes: Any) -> ShipmentConfirmation:
    fields = {
        "shipment_id": f"S-{sequence}",
        "sequence": sequence,
        "carrier": "ups",
        "tracking_number": "1Z0000000000000001",
        "shipped_ms": START_MS,
        "items": ((sale.lines[0].line_id, 1),),
        **changes,
    }
    return ShipmentConfirmation(**fields)


def test_an_order_is_fetched_as_the_reader_takes_it() -> None:
    on = seller()
    paid = [sale for sale in populated(on.market, on.time, 20) if sale.paid and not sale.cancelled_at]
    for sale in paid:
        (order,) = read_orders(on.client.get_order(sale.order_id), "amazon")
        assert order.external_id == sale.order_id
        assert [line.quantity for line in order.lines] == [line.quantity for line in sale.lines]
        assert order.stated_minor() == order.total_minor > 0
        assert order.payment.vouched
        assert order.contact is not None
        assert order.problems == ()
    assert len(paid) > 5


def test_an_order_that_amazon_does_not_know_is_refused() -> None:
    on = seller()
    with pytest.raises(Refused, match="404: NotFound"):
        on.client.get_order("114-0/../x?y")
    assert on.wire.sent[-1].url.startswith(f"{BASE}{ORDERS}/114-0%2F..%2Fx%3Fy?")


def test_changed_orders_follows_every_page_and_asks_for_a_page_only_when_it_is_read() -> None:
    on = seller()
    sales = populated(on.market, on.time, 150)
    on.time.pass_(minutes=5)
    pages = on.client.changed_orders(START_MS)
    found = [next(pages)]
    assert on.wire.operations == ["token", ORDERS]
    found += pages
    assert on.wire.operations == ["token", ORDERS, ORDERS]
    orders = [read_orders(raw, "amazon")[0] for raw, _ in found]
    assert {order.external_id for order in orders} == {sale.order_id for sale in sales}
    assert [changed_ms for _, changed_ms in found] == [order.version_ms for order in orders]
    assert len(found) == len(sales) > 100
    assert {reason for order in orders for reason in order.problems} == set()


def test_changed_orders_begins_with_the_orders_changed_at_the_time_asked_for() -> None:
    on = seller()
    sales = populated(on.market, on.time, 20)
    on.time.pass_(minutes=5)
    since = sorted(sale.updated_at for sale in sales)[10]
    found = on.client.changed_orders(int(since.timestamp() * 1000))
    read = {read_orders(raw, "amazon")[0].external_id for raw, _ in found}
    assert read == {sale.order_id for sale in sales if sale.updated_at >= since.replace(microsecond=0)}


def test_a_throttled_page_breaks_the_poll_off() -> None:
    on = seller()
    populated(on.market, on.time, 150)
    on.time.pass_(minutes=5)
    pages = on.client.changed_orders(START_MS)
    next(pages)
    on.wire.instead = [QUOTA]
    with pytest.raises(Busy, match="429"):
        list(pages)


def test_one_order_that_cannot_be_read_does_not_stop_the_others() -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    good = {"orderId": "2", "lastUpdatedTime": "2026-05-04T13:00:00Z"}
    on.wire.instead = [HttpResponse(200, {}, json.dumps({"orders": [{"orderId": "1"}, good]}).encode())]
    (bad_raw, bad_ms), (_, good_ms) = on.client.changed_orders(START_MS)
    assert (bad_ms, good_ms) == (START_MS, START_MS + 3_600_000)
    with pytest.raises(Unreadable):
        read_orders(bad_raw, "amazon")


def test_quantities_are_absolute_and_each_listing_is_judged_alone() -> None:
    on = seller()
    known, other = CATALOGUE[0].sku, CATALOGUE[1].sku
    outcome = on.client.push_availability([availability(known, 7), availability("NOBODY", 1), availability(other, 0)])
    assert [type(each) for each in outcome] == [type(None), Refused, type(None)]
    assert str(outcome[1]) == "listing_refused: INVALID: 8560"
    assert [on.market.shelf.listings[sku].available for sku in (known, other)] == [7, 0]
    assert on.client.push_availability([]) == []


def test_a_sku_may_hold_any_character() -> None:
    sku = "MUG/5 % ü?#&"
    on = seller(catalogue=(Listing(sku, "Mug", 1000, quantity=1),))
    assert on.client.push_availability([availability(sku, 4)]) == [None]
    assert on.market.shelf.listings[sku].available == 4


def test_after_a_throttle_the_rest_waits_without_being_sent() -> None:
    on = seller()
    outcome = on.client.push_availability([availability(CATALOGUE[0].sku, number) for number in range(9)])
    assert outcome[:5] == [None] * 5
    assert all(isinstance(each, Busy) and each.after_s > 0 for each in outcome[5:])
    assert len(outcome) == 9
    assert len(on.wire.operations) == len(["token"]) + 6


def test_an_html_page_of_the_gateway_is_busy_and_its_listing_can_be_sent_again() -> None:
    on = seller()
    on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    on.wire.instead = [GATEWAY]
    (outcome,) = on.client.push_availability([availability(CATALOGUE[0].sku, 2)])
    assert isinstance(outcome, Busy)
    assert on.client.push_availability([availability(CATALOGUE[0].sku, 2)]) == [None]


def test_a_listing_of_another_seller_is_not_ours_to_set() -> None:
    on = seller(account={"seller_id": "SOMEBODY"})
    (outcome,) = on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    assert isinstance(outcome, Refused)
    assert outcome.reason == "not_authorised"


def test_a_parcel_that_is_confirmed_again_is_the_same_parcel() -> None:
    on = seller()
    sale = first(populated(on.market, on.time), units=2)
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale, 2))
    assert [(parcel.reference, parcel.units) for parcel in sale.parcels] == [
        ("1", {sale.lines[0].line_id: 1}),
        ("2", {sale.lines[0].line_id: 1}),
    ]
    (order,) = read_orders(on.client.get_order(sale.order_id), "amazon")
    assert order.lines[0].fulfilled == 2


def test_a_confirmation_whose_answer_was_lost_can_be_sent_again() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    on.client.get_order(sale.order_id)
    on.wire.lost = 1
    with pytest.raises(Busy):
        on.client.confirm_shipment(sale.order_id, confirmation(sale))
    on.client.confirm_shipment(sale.order_id, confirmation(sale))
    assert len(sale.parcels) == 1


def test_more_units_than_were_ordered_are_refused() -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    with pytest.raises(Refused, match="400: InvalidInput"):
        on.client.confirm_shipment(sale.order_id, confirmation(sale, items=((sale.lines[0].line_id, 999),)))
    assert sale.parcels == []


@pytest.mark.parametrize(
    ("carrier", "code", "name"),
    [
        ("UPS", "UPS", None),
        ("fedex", "FedEx", None),
        ("royal mail", "Royal Mail", None),
        ("Uncle Joe", "Other", "Uncle Joe"),
        ("", "Other", "Other"),
    ],
)
def test_a_carrier_that_amazon_has_no_code_for_goes_by_its_name(carrier: str, code: str, name: str | None) -> None:
    on = seller()
    sale = first(populated(on.market, on.time))
    on.client.confirm_shipment(sale.order_id, confirmation(sale, carrier=carrier))
    detail = json.loads(on.wire.sent[-1].body)["packageDetail"]
    assert (detail["carrierCode"], detail.get("carrierName")) == (code, name)
    assert detail["shipDate"] == "2026-05-04T12:00:00Z"


# --- tokens and trouble -------------------------------------------------------------------------------


def test_a_token_is_fetched_once_and_shared() -> None:
    on = seller()
    for quantity in (1, 2):
        assert on.client.push_availability([availability(CATALOGUE[0].sku, quantity)]) == [None]
    assert on.wire.operations.count("token") == 1
    assert START_MS < on.tokens.expires_ms < START_MS + 3_600_000


def test_an_expired_token_is_replaced_once_and_the_call_goes_through() -> None:
    on = seller()
    on.client.push_availability([availability(CATALOGUE[0].sku, 1)])
    on.time.pass_(hours=2)
    assert on.client.push_availability([availability(CATALOGUE[0].sku, 2)]) == [None]
    assert on.wire.operations.count("token") == 2
    assert on.market.shelf.listings[CATALOGUE[0].sku].available == 2


@pytest.mark.parametrize("wrong", [{"refresh_token": "Atzr|gone"}, {"client_secret": "rolled over"}])
def test_consent_that_is_gone_is_refused_and_not_tried_again(wrong: dict[str, str]) -> None:
    on = seller(credentials=wrong)
    with pytest.raises(Refused) as refusal:
        on.client.get_order("114-1")
    assert refusal.value.reason == "not_authorised"
    assert not set(wrong.values()) & set(str(refusal.value).split())
    assert on.wire.operations == ["token"]
    assert on.tokens.token == ""


@pytest.mark.parametrize("answer", [QUOTA, GATEWAY, HttpResponse(200, {}, b"{}"), HttpResponse(200, {}, b"<html>")])
def test_trouble_of_the_token_service_passes(answer: HttpResponse) -> None:
    on = seller()
    on.wire.instead = [answer]
    with pytest.raises(Busy):
        on.client.get_order("114-1")


CALLS: dict[str, Callable[[AmazonClient], Any]] = {
    "getOrder": lambda client: client.get_order("114-1"),
    "searchOrders": lambda client: list(client.changed_orders(START_MS)),
    "patchListingsItem": lambda client: raised(client.push_availability([availability("MUG", 1)])),
}


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_that_amazon_cannot_take_now_is_busy(call: Callable[[AmazonClient], Any], status: int) -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    on.wire.instead = [HttpResponse(status, {}, b"<html>no</html>")]
    with pytest.raises(Busy):
        call(on.client)
    assert len(on.wire.sent) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'"x"', b"<html>"])
def test_a_success_without_its_content_is_no_success(call: Callable[[AmazonClient], Any], body: bytes) -> None:
    on = seller()
    on.tokens.put("Atza|x", START_MS)
    on.wire.instead = [HttpResponse(200, {}, body)]
    with pytest.raises(Busy):
        call(on.client)


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ({"base_url": "https://sellingpartnerapi-na.amazon.com"}, "https://api.amazon.com/auth/o2/token"),
        ({"base_url": "https://sandbox.sellingpartnerapi-eu.amazon.com/"}, "https://api.amazon.com/auth/o2/token"),
        ({"base_url": BASE}, f"{BASE}/auth/o2/token"),
        ({"base_url": BASE, "lwa_url": "https://lwa.example/auth/o2/token"}, "https://lwa.example/auth/o2/token"),
    ],
)
def test_tokens_come_from_login_with_amazon(account: dict[str, str], url: str) -> None:
    on = seller(account=account)
    on.wire.instead = [GATEWAY]
    with pytest.raises(Busy):
        on.client.get_order("114-1")
    assert [request.url for request in on.wire.sent] == [url]
