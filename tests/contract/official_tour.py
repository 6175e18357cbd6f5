"""A tour of both clients over the stand-ins: every public method once, every call held to its official model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from chalicelib.channels.ebay.notifications import DELETED, challenge_response, key_id_of
from chalicelib.channels.port import CancellationRequest, Price, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from local.marketplaces.amazon_settlement import close_settlement
from local.marketplaces.catalogue import CATALOGUE, Listing, ebay_offer_id
from local.marketplaces.shelf import Parcel, Sale
from local.marketplaces.wire import Request, to_json
from tests.contract import amazon_seller, ebay_seller
from tests.contract.amazon_seller import GATEWAY
from tests.contract.marketplaces_calls import populated
from tests.contract.official_models import Recorder

BULK = tuple(Listing(f"BULK-{number:02}", f"Thing {number}", 1000 + number, quantity=1) for number in range(30))
DAY_MS = 86_400_000
ENDPOINT = "https://api.shop.example/stage/notifications/ebay"
TOKEN = "a-token-of-at-least-32-characters-"
SKU = CATALOGUE[0].sku


class Noted:
    """A client whose methods are noted by name when they are taken."""

    def __init__(self, client: Any, methods: set[str]) -> None:
        self._client, self._methods = client, methods

    def __getattr__(self, name: str) -> Any:
        self._methods.add(name)
        return getattr(self._client, name)


class Tour:
    """A recorder between a seller's clients and a stand-in. `lost`: the ending of a path whose next success is lost."""

    def __init__(self, on: Any, prefix: str) -> None:
        self.recorder = Recorder(self._carry_out, prefix)
        self.on = on._replace(wire=self.recorder)
        self.methods: set[str] = set()
        self.lost = ""
        self._prefix = prefix

    def client(self, **units: float) -> Any:
        """A client at the present time, or at one that is later by these units."""
        if units:
            self.on.market.advance(self.on.time.pass_(**units))
        return Noted(self.on.later(), self.methods)

    def _carry_out(self, request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        path = url.path.removeprefix(self._prefix)
        sent = Request(request.method, path, dict(parse_qsl(url.query)), request.headers, request.body)
        answer = self.on.market.handle(sent)
        if self.lost and request.method == "POST" and path.endswith(self.lost):
            self.lost = ""
            return GATEWAY
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)


def busy(work: Callable[[], Any]) -> None:
    """Work that the marketplace has to finish first."""
    with pytest.raises(Busy):
        work()


def whole(sale: Sale) -> CancellationRequest:
    return CancellationRequest(f"C-{sale.order_id}", tuple((line.line_id, line.quantity) for line in sale.lines))


def unshipped(sales: Iterable[Sale]) -> list[Sale]:
    return [sale for sale in sales if sale.paid and not sale.cancelled_at and not sale.parcels]


# --- Amazon -------------------------------------------------------------------------------------------


def amazon_tour() -> Tour:
    """Everything that `AmazonClient` can do."""
    tour = Tour(amazon_seller.seller(catalogue=(*CATALOGUE, *BULK)), "/amazon")
    market, time = tour.on.market, tour.on.time
    sales = unshipped(populated(market, time, 40))
    set_up(tour)
    show(tour)
    client = tour.client()
    assert list(client.changed_orders(amazon_seller.START_MS))
    assert client.get_order(sales[0].order_id)
    client.confirm_shipment(sales[0].order_id, amazon_seller.confirmation(sales[0]))
    busy(lambda: client.cancel(sales[1].order_id, whole(sales[1])))
    units = {line.line_id: line.quantity for line in sales[2].lines}
    market.ship(sales[2], Parcel("1", "UPS", "1Z9", time.now, time.now, units))
    refund = RefundRequest("R1", 100, sales[2].currency)
    assert client.refund(sales[2].order_id, refund) is False
    assert tour.client(minutes=1).refund(sales[2].order_id, refund) is True
    market.open_return(sales[2], sales[2].lines[0].line_id, 1, time.now)
    look_back(tour)
    return tour


def set_up(tour: Tour) -> None:
    client = tour.client()
    assert client.participations()
    destination = client.ensure_destination("arn:aws:sqs:eu-central-1:111122223333:inbound", "headrace")
    assert client.ensure_subscription("ORDER_CHANGE", destination)


def show(tour: Tour) -> None:
    """One quantity by a patch, a price, and a bulk by a feed whose answer is lost and which is looked for."""
    client = tour.client()
    assert client.push_availability([amazon_seller.availability(SKU, 3)]) == [None]
    assert client.push_prices([Price(SKU, {}, 4321, "USD", 1)]) == [None]
    tour.lost = "/feeds"
    many = [amazon_seller.availability(listing.sku, 9) for listing in BULK]
    busy_all = tour.client().push_availability(many)
    assert all(isinstance(each, Busy) for each in busy_all)
    assert tour.client(minutes=1).push_availability(many) == [None] * len(many)
    assert list(tour.client().listings())


def look_back(tour: Tour) -> None:
    """Returns, money and standing, days later."""
    busy(lambda: list(tour.client(hours=1).returns(0)))
    assert list(tour.client(minutes=1).returns(0))
    busy(tour.client().health)
    assert tour.client(minutes=1).health()
    assert list(tour.client(days=20).transactions(amazon_seller.START_MS))
    close_settlement(tour.on.market, tour.on.time.now)
    assert list(tour.client(days=1).payouts(amazon_seller.START_MS))


# --- eBay ---------------------------------------------------------------------------------------------


def ebay_tour() -> Tour:
    """Everything that `EbayClient` can do."""
    tour = Tour(ebay_seller.seller(), "/ebay")
    market, time = tour.on.market, tour.on.time
    sales = unshipped(populated(market, time, 40))
    connect(tour)
    list_and_show(tour)
    client = tour.client()
    market.request_cancel(sales[0], time.now)
    assert list(client.changed_orders(ebay_seller.START_MS))
    market.request_cancel(sales[1], time.now)
    client.cancel(sales[1].order_id, whole(sales[1]))
    client.cancel(sales[2].order_id, whole(sales[2]))
    assert client.get_order(sales[3].order_id)
    for sale in sales[3:6]:
        client.confirm_shipment(sale.order_id, ebay_seller.confirmation(sale))
    assert client.refund(sales[3].order_id, RefundRequest("R1", 100, sales[3].currency)) is False
    take_back(tour, sales[4], sales[5])
    market.pay_out(time.pass_(days=3))
    client = tour.client(hours=1)
    assert list(client.transactions(0))
    assert list(client.payouts(ebay_seller.START_MS))
    assert client.health()
    assert client.rate_limits()
    return tour


def connect(tour: Tour) -> None:
    """Programme, address for alarms, destination and subscription, each once more where it must be mended; keys."""
    market, client = tour.on.market, tour.client()
    market.challenge = _challenged
    market.out_of_stock_control = False
    assert "OUT_OF_STOCK_CONTROL" not in client.opted_in_programs()
    client.ensure_config("alerts@shop.example")
    subscribe(client)
    market.shelf.ebay.destinations[0].status = "DISABLED"
    for subscription in market.shelf.ebay.subscriptions:
        subscription.status = "DISABLED"
    subscribe(client)
    assert client.create_signing_key()["private_key"]
    market.delete_buyer("gone", tour.on.time.now)
    notice = next(notice for change in market.shelf.changes for notice in market.notices(change))
    assert client.public_key(key_id_of(notice.headers["x-ebay-signature"]))["key"]


def subscribe(client: Any) -> None:
    destination = client.ensure_destination(ENDPOINT, TOKEN, "headrace")
    for topic in (DELETED, "ORDER_CONFIRMATION"):
        assert client.ensure_subscription(topic, destination)


def _challenged(url: str) -> tuple[int, bytes]:
    code = parse_qs(urlsplit(url).query)["challenge_code"][0]
    return 200, to_json({"challengeResponse": challenge_response(code, TOKEN, ENDPOINT)})


def list_and_show(tour: Tour) -> None:
    """Quantities and prices; an offer that leaves the site at 0 and comes back; then the programme against that."""
    client = tour.client()
    assert client.push_availability([ebay_seller.availability(SKU, 0)]) == [None]
    again = dataclasses.replace(ebay_seller.availability(SKU, 7), shown=0)
    assert tour.client().push_availability([again]) == [None]
    client.opt_in("OUT_OF_STOCK_CONTROL")
    assert client.push_prices([Price(SKU, {"offer_id": ebay_offer_id(SKU)}, 4321, "USD", 1)]) == [None]
    assert list(client.listings())


def take_back(tour: Tour, paid: Sale, answered: Sale) -> None:
    """A return whose refund approves it, and one that is answered, sent and received."""
    market, time, client = tour.on.market, tour.on.time, tour.client(days=1)
    market.open_return(paid, paid.lines[0].line_id, 1, time.now)
    opened = market.open_return(answered, answered.lines[0].line_id, 1, time.now)
    assert list(client.returns(0))
    assert client.refund(paid.order_id, RefundRequest("R2", 100, paid.currency, "return")) is False
    client.answer_return(answered.order_id, opened.return_id, "approved")
    market.ship_return(opened, time.now)
    client.answer_return(answered.order_id, opened.return_id, "received")
