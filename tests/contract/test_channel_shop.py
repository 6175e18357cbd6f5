"""The client of an own shop against the stand-in that serves its API: what it asks for, and what becomes of trouble."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.port import Availability, CancellationRequest, RefundRequest, ShipmentConfirmation
from chalicelib.channels.storefront.client import MOST_ITEMS, ShopClient
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unanswered
from local.marketplaces.shop import ShopStandIn, Shown
from tests.factories import T0_MS
from tests.tokens import Tokens


class Seller:
    """A shop, its client, and the wire between them."""

    def __init__(self, **settings: Any) -> None:
        self.now_ms = T0_MS
        self.sent: list[HttpRequest] = []
        self.shop = ShopStandIn(["MUG", "CUP"], lambda: self.now_ms, **settings)
        self.client = self.client_with(self.shop.secret)

    def client_with(self, secret: dict[str, Any], **account: Any) -> ShopClient:
        return ShopClient(Access(self._send, {**self.shop.account, **account}, secret, Tokens(), self.now_ms))

    def _send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return self.shop.send(request)


@pytest.fixture
def on() -> Seller:
    seller = Seller()
    seller.shop.place(document())
    return seller


def document(number: str = "A/1", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "updated_at": "2023-11-14T22:13:20Z",
        "currency": "EUR",
        "total": "15.00",
        "lines": [{"id": "1", "sku": "MUG", "quantity": 3, "unit_price": "5.00"}],
        "payment": {"status": "paid"},
        **more,
    }


def show(sku: str, quantity: int, version: int) -> Availability:
    return Availability(sku, {}, quantity, version)


def parcel(shipment_id: str = "p/1", units: int = 1) -> ShipmentConfirmation:
    return ShipmentConfirmation(shipment_id, 1, "UPS", "1Z", T0_MS, (("1", units),))


def refund(refund_id: str = "r/1", amount_minor: int = 500, currency: str = "EUR") -> RefundRequest:
    return RefundRequest(refund_id, amount_minor, currency, "broken")


def cancellation(units: int = 1, cancellation_id: str = "c/1") -> CancellationRequest:
    return CancellationRequest(cancellation_id, (("1", units),), "out_of_stock")


def test_an_order_is_read_by_its_id(on: Seller) -> None:
    assert json.loads(on.client.get_order("A/1")) == document()
    with pytest.raises(Refused, match="404: unknown_order"):
        on.client.get_order("B")


def test_all_pages_of_changed_orders_are_read_oldest_change_first() -> None:
    on = Seller(page_size=2)
    for minute in (3, 1, 4, 0, 2):
        on.shop.place(document(f"{minute}", updated_at=f"2023-11-14T22:1{minute}:00.250Z"))
    found = list(on.client.changed_orders(T0_MS - 140_000))  # 22:11:00
    assert [json.loads(raw)["id"] for raw, _ in found] == ["1", "2", "3", "4"]
    assert [changed_ms - T0_MS for _, changed_ms in found] == [-139_750, -79_750, -19_750, 40_250]
    assert len(on.sent) == 2


def test_an_order_that_changes_between_two_pages_hides_no_other() -> None:
    on = Seller(page_size=1)
    for number in "123":
        on.shop.place(document(number, updated_at=f"2023-11-14T22:1{number}:00Z"))
    found = []
    for raw, _ in on.client.changed_orders(0):
        if not found:
            on.shop.place(document("1", updated_at="2023-11-14T22:30:00Z"))
        found.append(json.loads(raw)["id"])
    assert found == ["1", "2", "3", "1"]


def test_a_reading_that_broke_off_goes_on_by_time_whatever_has_moved_since() -> None:
    on = Seller(page_size=2)
    for number in range(6):
        on.shop.place(document(f"{number}", updated_at=f"2023-11-14T22:1{number}:00Z"))
    begun = on.client
    reading = begun.changed_orders(0)
    found = [json.loads(next(reading)[0])["id"] for _ in range(3)]
    on.shop.place(document("0", updated_at="2023-11-14T22:30:00Z"))
    found += [json.loads(raw)["id"] for raw, _ in on.client.changed_orders(0, position=begun.position)]
    assert found == ["0", "1", "2", "1", "2", "3", "4", "5", "0"]


def test_a_document_without_a_readable_time_stops_no_other(on: Seller) -> None:
    orders = [{"id": "1"}, "nonsense", document("2")]
    on.shop.instead.append(HttpResponse(200, {}, json.dumps({"orders": orders, "cursor": None}).encode()))
    found = list(on.client.changed_orders(7))
    assert [changed_ms for _, changed_ms in found] == [7, 7, T0_MS]


def test_a_cursor_that_goes_in_a_circle_is_refused(on: Seller) -> None:
    page = HttpResponse(200, {}, b'{"orders": [], "cursor": "same"}')
    on.shop.instead.extend([page, page])
    with pytest.raises(Refused, match="bad_page"):
        list(on.client.changed_orders(0))


def test_availability_is_absolute_and_judged_one_by_one(on: Seller) -> None:
    ok, unknown = on.client.push_availability([show("MUG", 5, 1), show("VASE", 1, 1)])
    assert ok is None
    assert isinstance(unknown, Refused)
    assert on.shop.availability["MUG"] == Shown(5, 1)


def test_an_older_version_changes_nothing_and_counts_as_acknowledged(on: Seller) -> None:
    assert on.client.push_availability([show("MUG", 5, 9)]) == [None]
    assert on.client.push_availability([show("MUG", 8, 8), show("CUP", 2, 1)]) == [None, None]
    assert on.shop.availability == {"MUG": Shown(5, 9), "CUP": Shown(2, 1)}


def test_many_listings_go_out_in_bounded_requests(on: Seller) -> None:
    skus = [f"S{number}" for number in range(MOST_ITEMS + 1)]
    on.shop.availability |= {sku: Shown(0, -1) for sku in skus}
    assert on.client.push_availability([show(sku, 1, 1) for sku in skus]) == [None] * len(skus)
    assert on.shop.calls["PUT availability"] == 2


def test_a_listing_that_the_answer_leaves_out_is_not_acknowledged(on: Seller) -> None:
    results = {"results": [{"sku": "MUG", "status": "ok"}, {"sku": "CUP", "status": "hm"}, None]}
    on.shop.instead.append(HttpResponse(200, {}, json.dumps(results).encode()))
    done, odd, missing = on.client.push_availability([show("MUG", 1, 1), show("CUP", 1, 1), show("VASE", 1, 1)])
    assert done is None
    assert isinstance(odd, Busy)
    assert isinstance(missing, Busy)


def test_a_parcel_is_told_once_however_often_it_is_sent(on: Seller) -> None:
    on.shop.lost = 1
    with pytest.raises(Busy):
        on.client.confirm_shipment("A/1", parcel(units=2))
    on.client.confirm_shipment("A/1", parcel(units=2))
    assert on.shop.effects == [("shipment", "A/1", "p/1")]
    assert on.shop.orders["A/1"]["lines"][0]["fulfilled"] == 2
    assert on.shop.shipments["A/1", "p/1"] == {
        "carrier": "UPS",
        "tracking_number": "1Z",
        "shipped_at": "2023-11-14T22:13:20Z",
        "lines": [{"id": "1", "units": 2}],
    }


def test_a_refund_whose_answer_is_lost_moves_its_money_once(on: Seller) -> None:
    on.shop.lost = 1
    with pytest.raises(Busy):
        on.client.refund("A/1", refund())
    assert on.client.refund("A/1", refund()) is True
    assert on.shop.refunds["A/1", "r/1"].moves == 1
    assert on.shop.refunded_minor("A/1") == 500
    assert on.shop.orders["A/1"]["payment"]["refunded"] == "5.00"


def test_a_refund_doubled_under_a_new_key_shows(on: Seller) -> None:
    assert on.client.refund("A/1", refund("r1"))
    assert on.client.refund("A/1", refund("r2"))
    assert on.shop.refunded_minor("A/1") == 1000


def test_a_pending_refund_is_done_once_the_bank_has_paid(on: Seller) -> None:
    on.shop.slow_refunds = True
    assert on.client.refund("A/1", refund()) is False
    assert on.client.refund("A/1", refund()) is False
    assert on.shop.refunded_minor("A/1") == 0
    on.shop.settle_refunds()
    assert on.client.refund("A/1", refund()) is True
    assert on.shop.refunded_minor("A/1") == 500


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (refund("r2", 1100), "exceeds_captured"),
        (refund("r2", 100, "USD"), "currency_mismatch"),
        (refund("r/1", 400), "refund_id_reused"),
    ],
)
def test_a_refund_that_the_shop_refuses_is_refused_with_its_code(on: Seller, wish: RefundRequest, code: str) -> None:
    on.client.refund("A/1", refund())
    with pytest.raises(Refused, match=f"409: {code}"):
        on.client.refund("A/1", wish)
    assert on.shop.refunded_minor("A/1") == 500


def test_pending_refunds_count_against_what_was_captured(on: Seller) -> None:
    on.shop.slow_refunds = True
    on.client.refund("A/1", refund("r1", 1500))
    with pytest.raises(Refused):
        on.client.refund("A/1", refund("r2", 1))


def test_an_amount_is_told_in_the_decimals_of_its_currency(on: Seller) -> None:
    on.shop.place(document("J", currency="JPY", total="1500"))
    on.client.refund("J", refund("r", 700, "JPY"))
    assert json.loads(on.sent[-1].body)["amount"] == "700"
    assert on.shop.refunded_minor("J") == 700


def test_units_are_called_off_once_and_never_after_they_have_shipped(on: Seller) -> None:
    for _ in range(2):
        on.client.cancel("A/1", cancellation(units=1))
    on.client.confirm_shipment("A/1", parcel(units=2))
    assert on.shop.orders["A/1"]["lines"][0] | {"cancelled": 1, "fulfilled": 2} == on.shop.orders["A/1"]["lines"][0]
    with pytest.raises(Refused, match="409: units_not_open"):
        on.client.cancel("A/1", cancellation(1, "c2"))


def test_each_change_of_an_order_is_found_by_the_next_poll(on: Seller) -> None:
    on.now_ms += 1000
    on.client.refund("A/1", refund())
    ((raw, changed_ms),) = on.client.changed_orders(on.now_ms)
    assert json.loads(raw)["payment"] == {"status": "paid", "refunded": "5.00"}
    assert changed_ms == on.now_ms


CALLS: dict[str, Callable[[ShopClient], Any]] = {
    "order": lambda client: client.get_order("A/1"),
    "orders": lambda client: list(client.changed_orders(0)),
    "availability": lambda client: raised(client.push_availability([show("MUG", 1, 1)])),
    "shipment": lambda client: client.confirm_shipment("A/1", parcel()),
    "refund": lambda client: client.refund("A/1", refund()),
    "cancellation": lambda client: client.cancel("A/1", cancellation()),
}
ANSWERED_BY_CONTENT = [name for name in CALLS if name not in ("shipment", "cancellation")]
GATEWAY = HttpResponse(503, {"content-type": "text/html"}, b"<html>down</html>")
PASSING = [
    GATEWAY,
    HttpResponse(500, {}, b""),
    HttpResponse(200, {}, b"<html>welcome</html>"),
    HttpResponse(429, {"retry-after": "7"}, b"{}"),
]


def raised(outcome: list[HeadraceError | None]) -> None:
    for error in outcome:
        if error:
            raise error


@pytest.mark.parametrize("answer", PASSING)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_that_the_shop_cannot_take_now_is_busy(
    on: Seller, call: Callable[[ShopClient], Any], answer: HttpResponse
) -> None:
    on.shop.instead.append(answer)
    with pytest.raises(Busy) as busy:
        call(on.client)
    assert busy.value.after_s == int(answer.headers.get("retry-after", busy.value.after_s)) > 0
    assert on.shop.effects == []


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'"x"', b'{"status": "perhaps"}'])
@pytest.mark.parametrize("name", ANSWERED_BY_CONTENT)
def test_a_success_without_its_content_is_no_success(on: Seller, name: str, body: bytes) -> None:
    on.shop.instead.append(HttpResponse(200, {}, body))
    with pytest.raises(Busy):
        CALLS[name](on.client)


@pytest.mark.parametrize("name", ["shipment", "cancellation"])
def test_a_success_may_be_empty_where_nothing_is_to_be_told(on: Seller, name: str) -> None:
    on.shop.instead.append(HttpResponse(204, {}, b""))
    CALLS[name](on.client)


def test_a_shop_that_cannot_be_reached_is_busy_for_every_listing() -> None:
    def unreachable(_: HttpRequest) -> HttpResponse:
        raise Unanswered("no answer: ConnectTimeoutError", after_s=5)

    client = ShopClient(Access(unreachable, {"base_url": "https://shop.example"}, {"token": "t"}, Tokens(), T0_MS))
    outcome = client.push_availability([show("MUG", 1, 1), show("CUP", 1, 1)])
    assert [type(error) for error in outcome] == [Unanswered, Unanswered]
    with pytest.raises(Busy):
        client.refund("A/1", refund())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_token_that_is_not_taken_is_not_authorised_and_never_repeated(
    on: Seller, call: Callable[[ShopClient], Any]
) -> None:
    with pytest.raises(Refused) as refusal:
        call(on.client_with({"token": "rolled-away"}))
    assert refusal.value.reason == "not_authorised"
    assert "rolled-away" not in str(refusal.value)
    assert len(on.sent) == 1


@pytest.mark.parametrize("base_url", ["http://shop.example", "", "ftp://shop.example", "shop.example"])
def test_a_token_is_never_sent_in_the_clear(on: Seller, base_url: str) -> None:
    with pytest.raises(Refused, match="https"):
        on.client_with(on.shop.secret, base_url=base_url)
    assert on.sent == []
