"""The API's writes about orders: the warehouse says what left and what came back, the bank what was paid.

Each is a fact under an id of the caller's, so that a repeat changes nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from chalice import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Refused
from chalicelib.domain.money import currency_code, to_minor
from chalicelib.inbound.api import known_order
from chalicelib.inbound.guard import Model, answer, body_as, checked_size, guarded
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import read_locations

blueprint = Blueprint(__name__)

LATEST_MS = 4_102_444_800_000  # the year 2100
# No "/": a parcel too large for one transaction is kept in numbered parts.
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^#/\s]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class UnitsOfLine(_Body):
    """Whole units of one order line."""

    line_id: str = Field(min_length=1, max_length=200)
    units: int = Field(gt=0, le=1_000_000_000)


class ShipmentBody(_Body):
    """What left a location in one parcel. `shipped_ms` (Unix ms) defaults to now."""

    shipment_id: Id
    location: Id = "main"
    carrier: str = Field(default="", max_length=100)
    tracking_number: str = Field(default="", max_length=100)
    shipped_ms: int = Field(default=0, ge=0, le=LATEST_MS)
    lines: list[UnitsOfLine] = Field(min_length=1, max_length=1000)


class ReturnBody(_Body):
    """What came back to a location and is good to sell again."""

    return_id: Id
    location: Id = "main"
    lines: list[UnitsOfLine] = Field(min_length=1, max_length=1000)


class PayoutLineBody(_Body):
    """One amount of a payout, signed from the seller's side: sale +, refund -, fee -."""

    line_id: Id
    order_id: str = Field(min_length=3, max_length=400)
    kind: Literal["sale", "refund", "fee"]
    amount: str = Field(max_length=40)


class PayoutBody(_Body):
    """A payout statement of one channel."""

    channel: Id
    payout_id: Id
    currency: str
    paid_ms: int = Field(ge=0, le=LATEST_MS)
    lines: list[PayoutLineBody] = Field(min_length=1, max_length=1000)


@blueprint.route("/api/orders/{order_id}/shipments", methods=["POST"])
@guarded
def ship(order_id: str) -> Response:
    """Record a shipment: 202, or 409 when its units are not allocated at that location."""
    body = _body(ShipmentBody)
    ports = runtime()
    order = known_order(order_id, ports)
    known = any(s.shipment_id.split("/")[0] == body.shipment_id for s in order.state.shipments)
    promised = {
        line.line_id: units.allocations.get(body.location, 0)
        for line, units in zip(order.lines, order.state.quantities, strict=True)
    }
    for line_id, units in _summed(body.lines).items():
        if not known and units > promised.get(line_id, 0):
            raise Refused(
                "not_allocated",
                f"line {line_id!r}: {promised.get(line_id, 0)} units are allocated at {body.location!r}",
            )
    fact = {**body.model_dump(), "order": order.order_id, "shipped_ms": body.shipped_ms or ports.clock()}
    ports.queues.send("shipping", [{"shipment": fact}])
    return answer({"order": order.order_id, "shipment_id": body.shipment_id}, 202)


@blueprint.route("/api/orders/{order_id}/returns", methods=["POST"])
@guarded
def take_back(order_id: str) -> Response:
    """Record a return: 202, or 409 when more comes back than is out."""
    body = _body(ReturnBody)
    ports = runtime()
    order = known_order(order_id, ports)
    out = {
        line.line_id: units.shipped - units.returned
        for line, units in zip(order.lines, order.state.quantities, strict=True)
    }
    _known_location(body.location, ports)
    known = any(name.split("/")[0] == body.return_id for name in order.state.returns)
    for line_id, units in _summed(body.lines).items():
        if not known and units > out.get(line_id, 0):
            raise Refused("not_shipped", f"line {line_id!r}: {out.get(line_id, 0)} units are still out")
    ports.queues.send("shipping", [{"return": {**body.model_dump(), "order": order.order_id}}])
    return answer({"order": order.order_id, "return_id": body.return_id}, 202)


@blueprint.route("/api/orders/{order_id}/holds/{reason}", methods=["DELETE"])
@guarded
def release_hold(order_id: str, reason: str) -> Response:
    """Resolve a hold: 202, or 404 when the order is not held for that. A cause that is still there holds it again."""
    ports = runtime()
    order = known_order(order_id, ports)
    if reason in ("unknown_sku", "unreadable"):
        raise Refused(
            "bad_request", f"{reason} cannot be waved through: link the listing, or let the channel restate it"
        )
    if not any(hold.reason == reason for hold in order.state.holds):
        raise Refused("unknown_hold", f"{order.order_id} is not held for {reason!r}")
    ports.queues.send("entry", [{"order": order.order_id, "resolved": reason}])
    return answer({"order": order.order_id, "resolved": reason}, 202)


@blueprint.route("/api/payouts", methods=["POST"])
@guarded
def payout() -> Response:
    """Record a payout statement; every line is booked once under (channel, payout, line)."""
    body = _body(PayoutBody)
    currency = currency_code(body.currency, "currency")
    messages = [
        {
            "payout_line": {
                "channel": body.channel,
                "payout_id": body.payout_id,
                "line_id": line.line_id,
                "order_id": line.order_id,
                "kind": line.kind,
                "amount_minor": to_minor(line.amount, currency, f"lines[{index}].amount"),
                "currency": currency,
                "paid_ms": body.paid_ms,
            }
        }
        for index, line in enumerate(body.lines)
    ]
    runtime().queues.send("settlement", messages)
    return answer({"payout_id": body.payout_id, "lines": len(messages)}, 202)


def _summed(lines: list[UnitsOfLine]) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in lines:
        units[line.line_id] += line.units
    return units


def _known_location(location: str, ports: Runtime) -> None:
    locations = read_locations(ports.tables)
    if location not in locations:
        raise Refused("bad_request", f"location must be one of {', '.join(locations)}, not {location!r}")


def _body(model: type[Model]) -> Model:
    return body_as(model, checked_size(blueprint.current_request.raw_body))
