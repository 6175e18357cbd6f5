"""A client of a carrier's service, connected to its stand-in over a wire that keeps what was sent and loses answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.budgets import Budget, Unlimited
from chalicelib.channels.carrier_port import Address, CarrierClient, Label, LabelRequest, Package
from chalicelib.channels.carriers import carrier_class
from chalicelib.channels.memory import JobsInMemory
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy
from local.carriers.desk import Desk
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces.wire import Request
from tests.contract.official_counts import COUNTS

KINDS = ("easypost", "shippo")
BASE = "https://carriers.example"
SENDER = Address("Store", "1 Dock Road", "Springfield", "62701", "US", company="Store Inc", region="IL")
RECIPIENT = Address("A Buyer", "2 Elm Street", "Dayton", "45402", "US", line2="Flat 3", region="OH", phone="5550100")
WISH = LabelRequest("label-1", SENDER, RECIPIENT, Package(500, 250, 150, 100))
PURCHASES = {"easypost": "/buy", "shippo": "/transactions/"}


@dataclass
class Counter:
    """`lose`: says of a request whether its answer is lost, once for each that it says so of."""

    kind: str
    desk: Desk
    jobs: JobsInMemory = field(default_factory=JobsInMemory)
    budget: Budget = field(default_factory=Unlimited)
    sent: list[HttpRequest] = field(default_factory=list)
    lose: Callable[[HttpRequest], bool] = lambda _request: False

    def client(self) -> CarrierClient:
        """A client as a new invocation makes it: nothing is left but the jobs."""
        credentials = {"api_key": self.desk.api_key}
        now_ms = int(self.desk.now.timestamp() * 1000)
        return carrier_class(self.kind)(self.wire, {"base_url": BASE}, credentials, self.jobs, now_ms, self.budget)

    def wire(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        COUNTS.unmodelled[self.kind] += 1
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        answer = self.desk.handle(Request(request.method, url.path, query, request.headers, request.body))
        if self.lose(request):
            self.lose = lambda _request: False
            raise Busy("no answer: ReadTimeoutError", after_s=5)
        return HttpResponse(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def later(self, **by: float) -> None:
        self.desk.tick(self.desk.now + timedelta(**by))

    def bought(self, wish: LabelRequest = WISH) -> Label:
        client = self.client()
        return client.buy(wish, client.rates(wish)[0])


def counter(kind: str) -> Counter:
    desk = {"easypost": Easypost, "shippo": Shippo}[kind](base_url=BASE, start=datetime.fromisoformat("2026-01-05T09Z"))
    return Counter(kind, desk)
