"""What both stand-ins share: shipments, the faults of their answers, parcels that move on, and webhooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from local.carriers.label_files import pdf, png
from local.marketplaces.faults import FaultDie
from local.marketplaces.wire import GATEWAY_PAGE, RefusalError, Request, Response
from local.marketplaces.world import Delivery

Clock = Callable[[], datetime]

# (carrier, service, cents, days): what a parcel of any size costs.
OFFERS = (("USPS", "Ground", 820, 5), ("USPS", "Express", 5120, 1), ("UPS", "Saver", 1101, 2))
# How a parcel goes on after its label was bought, in hours.
MOVES = (("label_created", 0), ("in_transit", 2), ("out_for_delivery", 30), ("delivered", 36))
REFUND_H = 24
UNION = {"AT", "DE", "FR", "IT", "NL"}
UNKNOWN_POSTCODE = "00001"  # no address with it is found


@dataclass
class Move:
    """One report of a parcel, by our neutral word."""

    status: str
    at: datetime


@dataclass
class Shipment:
    """A parcel, and its label when it was bought. `asked`: what it was made of, as the client sent it."""

    shipment_id: str
    reference: str
    asked: dict[str, Any]
    made_at: datetime
    offer: int | None = None
    label_id: str = ""
    file_format: str = "PDF"
    tracking_number: str = ""
    bought_at: datetime | None = None
    refund_at: datetime | None = None
    refund: str = ""  # submitted, refunded or rejected
    moves: list[Move] = field(default_factory=list)


@dataclass
class DeskState:
    """What survives a restart."""

    shipments: dict[str, Shipment] = field(default_factory=dict)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)  # webhooks by id, as they were asked for
    labels: list[str] = field(default_factory=list)  # the shipment of every label that was ever sold
    outbox: list[Delivery] = field(default_factory=list)
    count: int = 0


_STATE = TypeAdapter(DeskState)


class Desk:
    """One account of a service. `secret` signs its webhooks or is their token; `webhook_url`: where they go; `speed`:
    how many hours of a parcel go by in one."""

    name = ""

    def __init__(
        self,
        die: FaultDie | None = None,
        *,
        base_url: str,
        api_key: str = "key-of-the-stand-in",
        secret: str = "sécret-of-the-stand-in",  # noqa: S107
        webhook_url: str = "https://oms.example/carriers",
        start: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC),
        speed: float = 1.0,
    ) -> None:
        self.die = die or FaultDie()
        self.base_url, self.api_key, self.secret, self.webhook_url = base_url, api_key, secret, webhook_url
        self.carriers = ["USPS", "UPS"]
        self.now, self.speed = start, speed
        self.state = DeskState()

    def handle(self, request: Request) -> Response:
        """An API call, or the fetching of a label's file; what goes wrong is what the die says."""
        faults = self.die.faults
        if self.die.hits(faults.throttled):
            return Response(429, {"Retry-After": "1"})
        if self.die.hits(faults.unavailable):
            return GATEWAY_PAGE
        try:
            response = self._file(request) if request.path.startswith("/files/") else self._answer(request)
        except RefusalError as refusal:
            response = refusal.response
        return GATEWAY_PAGE if self.die.hits(faults.answer_lost) else response

    def tick(self, now: datetime) -> list[Delivery]:
        """Moves parcels and refunds on until then; the webhooks that are due, oldest first."""
        self.now = max(self.now, now)
        for shipment in self.state.shipments.values():
            self._move(shipment)
        due = sorted((each for each in self.state.outbox if each.due_at <= self.now), key=lambda each: each.due_at)
        self.state.outbox = [each for each in self.state.outbox if each.due_at > self.now]
        return due

    def save(self, path: Path) -> None:
        """Writes the state as JSON."""
        path.write_bytes(_STATE.dump_json(self.state))

    def load(self, path: Path) -> None:
        """Goes on from a saved state."""
        self.state = _STATE.validate_json(path.read_bytes())

    # --- what each service says in its own words -----------------------------------------------------

    def _answer(self, request: Request) -> Response:
        raise NotImplementedError

    def _webhook(self, shipment: Shipment, previous: str) -> Delivery:
        raise NotImplementedError

    def _refuse(self, status: int, code: str) -> RefusalError:
        raise NotImplementedError

    # --- shipments ----------------------------------------------------------------------------------

    def _new_id(self, prefix: str) -> str:
        self.state.count += 1
        return f"{prefix}{self.state.count:032x}"

    def _make(self, reference: str, asked: dict[str, Any], file_format: str = "PDF") -> Shipment:
        shipment = Shipment(self._new_id("shp_"), reference, asked, self.now, file_format=file_format)
        self.state.shipments[shipment.shipment_id] = shipment
        return shipment

    def _check_declared(self, sender: dict[str, Any], recipient: dict[str, Any], items: list[dict[str, Any]]) -> None:
        """A parcel that leaves its country is declared, item by item; within the union of these few it is not."""
        ends = {sender["country"], recipient["country"]}
        if len(ends) == 1 or ends <= UNION:
            return
        if not items or not all(
            item.get("description") and item.get("origin_country") and float(value) > 0 and item["quantity"] > 0
            for item in items
            for value in (item.get("value", item.get("value_amount", 0)), item.get("weight", item.get("net_weight", 0)))
        ):
            raise self._refuse(422, "CUSTOMS.MISSING")

    def _shipment(self, shipment_id: str) -> Shipment:
        if shipment_id not in self.state.shipments:
            raise self._refuse(404, "NOT_FOUND")
        return self.state.shipments[shipment_id]

    def _sell(self, shipment: Shipment, offer: int) -> None:
        """Sells a label, whether or not the shipment has one: the stand-in of a service that asks says no before."""
        shipment.label_id, shipment.offer, shipment.bought_at = self._new_id("lbl_"), offer, self.now
        shipment.tracking_number = f"94{self.state.count:020d}"
        self.state.labels.append(shipment.shipment_id)

    def _by_number(self, tracking_number: str) -> Shipment | None:
        return next((each for each in self.state.shipments.values() if each.tracking_number == tracking_number), None)

    def _ask_refund(self, shipment: Shipment) -> None:
        """A parcel that is under way is not refunded."""
        under_way = any(move.status != "label_created" for move in shipment.moves)
        shipment.refund, shipment.refund_at = ("rejected" if under_way else "submitted"), self.now

    def _move(self, shipment: Shipment) -> None:
        if shipment.refund == "submitted" and self.now - (shipment.refund_at or self.now) >= self._after(REFUND_H):
            shipment.refund = "refunded"
        if not shipment.bought_at or shipment.refund in ("submitted", "refunded"):
            return
        for status, after_h in MOVES[len(shipment.moves) :]:
            at = shipment.bought_at + self._after(after_h)
            if at > self.now:
                return
            previous = shipment.moves[-1].status if shipment.moves else "unknown"
            shipment.moves.append(Move(status, at))
            self._send(shipment, previous, at)

    def _after(self, hours: float) -> timedelta:
        return timedelta(hours=hours) / self.speed

    def _send(self, shipment: Shipment, previous: str, at: datetime) -> None:
        """Puts a webhook into the outbox once, twice, late or not at all."""
        faults = self.die.faults
        if self.die.hits(faults.lost):
            return
        delivery = self._webhook(shipment, previous)
        late_s = self.die.rng.uniform(*faults.late_by_s) if self.die.hits(faults.late) else 0.0
        delivery.due_at = at + timedelta(seconds=late_s)
        self.state.outbox += [delivery] * (2 if self.die.hits(faults.duplicated) else 1)

    def _file_url(self, shipment: Shipment) -> str:
        return f"{self.base_url}/files/{shipment.shipment_id}.{shipment.file_format.lower()}"

    def _file(self, request: Request) -> Response:
        shipment_id, _, ending = request.path.removeprefix("/files/").partition(".")
        shipment = self.state.shipments.get(shipment_id)
        if not shipment or not shipment.label_id or ending != shipment.file_format.lower():
            return Response(404)
        made, kind = (png, "image/png") if ending == "png" else (pdf, "application/pdf")
        return Response(200, {"Content-Type": kind}, made(shipment.tracking_number))


def iso(at: datetime) -> str:
    """2026-01-05T09:00:00Z"""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
