"""The carrier's service of the simulation: a stand-in that answers badly, refuses purchases, and carries on only what
it was handed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from local.carriers.desk import OFFERS, Desk, Shipment
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces.faults import CALM, FaultDie, Faults
from local.marketplaces.wire import Request
from local.marketplaces.world import Delivery

HOST = "parcels.example"
SENDER = {"name": "Store", "line1": "1 Dock Road", "city": "Bath", "postcode": "BA1 1AA", "country": "GB"}
_TROUBLE = Faults(throttled=0.03, unavailable=0.02, answer_lost=0.05, duplicated=0.2, late=0.2, late_by_s=(60, 90_000))
_REFUSES = 0.1  # of all purchases
_SHOWS_AFTER = timedelta(seconds=30)


class _Counter(Desk):
    """`collected`: the tracking numbers of parcels that were handed over; `refuses`: share of purchases."""

    collected: frozenset[str] = frozenset()
    refuses = 0.0

    def _move(self, shipment: Shipment) -> None:
        if shipment.refund or shipment.tracking_number in self.collected:
            super()._move(shipment)


class _EasypostCounter(_Counter, Easypost):
    def _sell(self, shipment: Shipment, offer: int) -> None:
        if self.die.hits(self.refuses):
            raise self._refuse(422, "SHIPMENT.POSTAGE.FAILURE")
        super()._sell(shipment, offer)


class _ShippoCounter(_Counter, Shippo):
    def _sold(self) -> list[Shipment]:
        """A purchase shows late."""
        return [each for each in super()._sold() if self.now - each.made_at > _SHOWS_AFTER]

    def _bought(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.failing += self.die.hits(self.refuses)
        self.queued += self.die.hits(self.refuses)
        return super()._bought(asked)


_COUNTERS: dict[str, type[_Counter]] = {"easypost": _EasypostCounter, "shippo": _ShippoCounter}


class Carrier:
    """One account, called by its kind. `clock`: Unix ms."""

    def __init__(self, chance: Random, clock: Callable[[], int]) -> None:
        self.account = chance.choice(sorted(_COUNTERS))
        self._clock = clock
        self._start = datetime(2023, 1, 1, tzinfo=UTC)
        die = FaultDie(_TROUBLE if chance.random() < 0.7 else CALM, Random(chance.random()))
        self.desk = _COUNTERS[self.account](die, base_url=f"https://{HOST}", start=self._start)
        self.desk.refuses = _REFUSES

    @property
    def settings(self) -> dict[str, Any]:
        """What our account of it says."""
        return {"base_url": f"https://{HOST}", "sender": SENDER}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.desk.now = self._now()
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        answer = self.desk.handle(Request(request.method, url.path, query, request.headers, request.body))
        return HttpResponse(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.body)

    def collect(self, tracking_numbers: set[str]) -> None:
        """These parcels are handed over."""
        self.desk.collected |= tracking_numbers

    def get_on(self) -> list[Delivery]:
        """Time passes for parcels and refunds; the webhooks that come of it."""
        return self.desk.tick(self._now())

    def settle(self) -> None:
        """No more faults or refusals."""
        self.desk.die.faults, self.desk.refuses = CALM, 0.0
        for trouble in ("failing", "queued"):
            if hasattr(self.desk, trouble):
                setattr(self.desk, trouble, 0)

    def sold(self) -> list[Shipment]:
        """Each label that was ever paid for."""
        return [self.desk.state.shipments[shipment_id] for shipment_id in self.desk.state.labels]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)


def postage_minor(sold: Shipment) -> int:
    """What was paid for a label, in cents."""
    assert sold.offer is not None
    return OFFERS[sold.offer][2]


def label_of(sold: Shipment) -> str:
    """The label's id that it was bought for."""
    return sold.reference.partition("~")[0]
