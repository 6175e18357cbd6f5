"""The API's writes to orders: the warehouse says what left and came in, people decide, the bank says what was paid.

Each is a fact under an id of the caller's, so that a repeat changes nothing. `?dry_run=1` shows what it would do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import unquote

from chalice import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.commands import COMMANDS, Fact, parts_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import is_funded
from chalicelib.domain.money import currency_code, to_minor
from chalicelib.domain.orders import Order
from chalicelib.inbound.api import known_order
from chalicelib.inbound.guard import Model, answer, body_as, checked_size, guarded
from chalicelib.inbound.views import order_detail
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import read_skus
from chalicelib.store.orders import read_orders
from chalicelib.store.tables import MAX_ACTIONS

blueprint = Blueprint(__name__)

LATEST_MS = 4_102_444_800_000  # the year 2100
# No "/": a parcel too large for one transaction is kept in numbered parts.
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^#/\s]+$")]
Words = Annotated[str, Field(max_length=300)]
_ITEMS_BESIDE_STOCK = 2


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class _Command(_Body):
    """A command to one order. `fact` is what stands in the message: no amounts in text, no names to be looked up."""

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002 some need them
        return self.model_dump(exclude_defaults=True)


class UnitsOfLine(_Body):
    """Whole units of one order line."""

    line_id: str = Field(min_length=1, max_length=200)
    units: int = Field(gt=0, le=1_000_000_000)


Lines = Annotated[list[UnitsOfLine], Field(max_length=1000)]


class ShipmentBody(_Command):
    """What left a location in one parcel. `shipped_ms` (Unix ms) defaults to now. A parcel of an order that may not
    ship is only taken with `already_left`: it is a fact then, and for a person to see."""

    shipment_id: Id
    location: Id = "main"
    carrier: str = Field(default="", max_length=100)
    tracking_number: str = Field(default="", max_length=100)
    shipped_ms: int = Field(default=0, ge=0, le=LATEST_MS)
    lines: list[UnitsOfLine] = Field(min_length=1, max_length=1000)
    already_left: bool = False

    def fact(self, order: Order, ports: Runtime) -> Fact:
        _known_location(self.location, ports)
        known = any(parcel.shipment_id.partition("/")[0] == self.shipment_id for parcel in order.state.shipments)
        if not (known or self.already_left) and (order.state.holds or not is_funded(order.state)):
            why = ", ".join(hold.reason for hold in order.state.holds) or "it is not paid"
            raise Refused("on_hold", f"{order.order_id} may not ship ({why}); set already_left if the parcel is gone")
        return {**self.model_dump(exclude={"already_left"}), "shipped_ms": self.shipped_ms or ports.clock()}


class ParcelBody(ShipmentBody):
    """A parcel of one of many orders."""

    order_id: str = Field(min_length=3, max_length=400)

    def fact(self, order: Order, ports: Runtime) -> Fact:
        fact = dict(super().fact(order, ports))
        del fact["order_id"]
        return fact


class ParcelsBody(_Body):
    """Parcels that left together."""

    shipments: list[ParcelBody] = Field(min_length=1, max_length=50)


class ReturnBody(_Command):
    """A step of a return. Without a step: goods have come back and are good to sell, but for what `restock` leaves out.

    Steps: request, approve, decline, receive, inspect (`restock`: of the lines that came, what is good; default all).
    """

    return_id: Id
    location: Id = "main"
    step: Literal["request", "approve", "decline", "receive", "inspect"] = "inspect"
    lines: Lines = []
    restock: Lines | None = None

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002
        _known_location(self.location, ports)
        return self.model_dump()


class FulfilmentBody(_Command):
    """A location's word on its part. `yield`: it gives called-off units back; `reroute`: it cannot, ask another."""

    location: Id
    answer: Literal["accept", "label", "reopen", "yield", "refuse_cancel", "reroute"]


class HoldBody(_Command):
    """Hold the order. `reason`: fraud, address, payment_review, channel, manual or a word of yours."""

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,39}$")]
    detail: Words = ""


class RejectBody(_Command):
    """Decide against a held order: all that has not left is called off."""

    reason: Annotated[str, Field(min_length=1, max_length=80)]


class CancellationBody(_Command):
    """Call units off; all that have not left when no line is named."""

    cancellation_id: Id
    lines: Lines = []
    reason: Words = ""


class SubstitutionBody(_Command):
    """Send another SKU for a line of which nothing is promised or gone."""

    line_id: str = Field(min_length=1, max_length=200)
    sku: Id

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002
        return {"line_id": self.line_id, "sku": _sku(self.sku, "sku", ports)}


class UnitsOfSku(_Body):
    """Whole units of one SKU."""

    sku: Id
    units: int = Field(gt=0, le=1_000_000)


class ExchangeBody(_Command):
    """Other goods for a return, at no charge, sent when it is here or at once (`in_advance`)."""

    return_id: Id
    lines: list[UnitsOfSku] = Field(min_length=1, max_length=40)
    in_advance: bool = False

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002
        lines = [
            {"sku": _sku(line.sku, f"lines[{n}].sku", ports), "units": line.units} for n, line in enumerate(self.lines)
        ]
        return {"return_id": self.return_id, "lines": lines, "in_advance": self.in_advance}


class RefundBody(_Command):
    """Give money back, with or without a return (`reason`: return, claim, cancellation, goodwill …)."""

    refund_id: Id
    amount: str = Field(max_length=40)
    reason: Words = ""

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002
        return {"refund_id": self.refund_id, "amount_minor": _minor(self.amount, order), "reason": self.reason}


class RefundOutcomeBody(_Command):
    """Whoever moves the money says that it has been paid back, or why not (`failure`)."""

    refund_id: Id
    failure: Words = ""


class DisputeBody(_Command):
    """The buyer challenges a payment through channel or bank; later: won or lost."""

    dispute_id: Id
    amount: str = Field(max_length=40)
    status: Literal["open", "won", "lost"] = "open"
    due_ms: int = Field(default=0, ge=0, le=LATEST_MS)

    def fact(self, order: Order, ports: Runtime) -> Fact:  # noqa: ARG002
        amount_minor = _minor(self.amount, order)
        return {
            "dispute_id": self.dispute_id,
            "amount_minor": amount_minor,
            "status": self.status,
            "due_ms": self.due_ms,
        }


class ArchiveBody(_Command):
    """Put a closed order away before its time."""


BODIES: dict[str, tuple[str, type[_Command]]] = {
    "shipments": ("ship", ShipmentBody),
    "returns": ("return", ReturnBody),
    "fulfilments": ("fulfilment", FulfilmentBody),
    "holds": ("hold", HoldBody),
    "rejections": ("reject", RejectBody),
    "cancellations": ("cancel", CancellationBody),
    "substitutions": ("substitute", SubstitutionBody),
    "exchanges": ("exchange", ExchangeBody),
    "refunds": ("refund", RefundBody),
    "refund-outcomes": ("refund_outcome", RefundOutcomeBody),
    "disputes": ("dispute", DisputeBody),
    "archive": ("archive", ArchiveBody),
}


class PayoutLineBody(_Body):
    """One amount of a payout, signed from the seller's side: sale +, refund -, dispute -, fee -."""

    line_id: Id
    order_id: str = Field(min_length=3, max_length=400)
    kind: Literal["sale", "refund", "dispute", "fee"]
    amount: str = Field(max_length=40)


class PayoutBody(_Body):
    """A payout statement of one channel."""

    channel: Id
    payout_id: Id
    currency: str
    paid_ms: int = Field(ge=0, le=LATEST_MS)
    lines: list[PayoutLineBody] = Field(min_length=1, max_length=1000)


@blueprint.route("/api/orders/{order_id}/{what}", methods=["POST"])
@guarded
def command(order_id: str, what: str) -> Response:
    """Ask something of an order: 202; 200 when it has been done before; 409 when it is not possible."""
    if what not in BODIES:
        raise Refused("not_found", f"an order takes {', '.join(sorted(BODIES))}, not {what!r}")
    ports = runtime()
    do, model = BODIES[what]
    body = _body(model)
    order = known_order(order_id, ports)
    return _asked(order, do, body.fact(order, ports), ports)


@blueprint.route("/api/shipments", methods=["POST"])
@guarded
def shipments() -> Response:
    """Record many parcels at once: 202 with one answer for each, in order; a parcel that is refused stops no other."""
    ports = runtime()
    parcels = _body(ParcelsBody).shipments
    orders = read_orders(ports.tables, [parcel.order_id for parcel in parcels], content=True)
    answers: list[dict[str, Any]] = []
    messages = []
    for parcel in parcels:
        try:
            order = orders.get(parcel.order_id)
            if order is None:
                raise Refused("unknown_order", f"no order {parcel.order_id!r}; ids read channel:external-id")
            fact = parcel.fact(order, ports)
            is_new = _decided(order, "ship", fact, ports) is not order
        except Refused as refused:
            answers.append({"order": parcel.order_id, "error": refused.reason, "detail": refused.detail})
            continue
        answers.append({"order": parcel.order_id, "applied": is_new})
        if is_new:
            messages.append({"order": parcel.order_id, "do": "ship", "fact": fact, "actor": "api"})
    if messages:
        ports.queues.send("shipping", messages)
    return answer({"shipments": answers}, 202)


@blueprint.route("/api/orders/{order_id}/holds/{reason}", methods=["DELETE"])
@guarded
def resolve(order_id: str, reason: str) -> Response:
    """Resolve a hold: 202, or 404 when the order is not held for that. A new cause holds it again."""
    ports = runtime()
    order = known_order(order_id, ports)
    if not any(hold.reason == unquote(reason) for hold in order.state.holds):
        raise Refused("unknown_hold", f"{order.order_id} is not held for {unquote(reason)!r}")
    return _asked(order, "resolve", {"reason": unquote(reason)}, ports)


@blueprint.route("/api/orders/{order_id}/cancellations/{cancellation_id}", methods=["DELETE"])
@guarded
def uncancel(order_id: str, cancellation_id: str) -> Response:
    """Take a cancellation back: 202; 409 when the channel knows of it already."""
    ports = runtime()
    order = known_order(order_id, ports)
    if unquote(cancellation_id) not in order.state.cancellations:
        raise Refused("unknown_cancellation", f"{order.order_id} has no cancellation {unquote(cancellation_id)!r}")
    return _asked(order, "uncancel", {"cancellation_id": unquote(cancellation_id)}, ports)


def _asked(order: Order, do: str, fact: Fact, ports: Runtime) -> Response:
    """Decide on the order as it is now, to answer at once; the stage decides again on what it is then."""
    now = _decided(order, do, fact, ports)
    is_new = now is not order
    query: Any = blueprint.current_request.query_params or {}
    if query.get("dry_run") in ("1", "true"):
        return answer({"applied": False, "would_apply": is_new, "order": order_detail(now)})
    if not is_new:
        return answer({"order": order.order_id, "do": do, "applied": False})
    message = {"order": order.order_id, "do": do, "fact": fact, "actor": "api"}
    ports.queues.send(COMMANDS[do].stage, [message])
    return answer({"order": order.order_id, "do": do, "applied": True}, 202)


def _decided(order: Order, do: str, fact: Fact, ports: Runtime) -> Order:
    """The order as the command would leave it; the very same one when it has been done before."""
    now = order
    in_parts = COMMANDS[do].stage == "shipping"  # whose parcels and returns may not fit one transaction
    for part in parts_of(order, fact, MAX_ACTIONS - _ITEMS_BESIDE_STOCK) if in_parts else [fact]:
        outcome = COMMANDS[do].decide(now, part, "api", ports.clock())
        now = outcome.order if outcome else now
    return now


@blueprint.route("/api/payouts", methods=["POST"])
@guarded
def payout() -> Response:
    """Record a payout statement; every line is booked once under (channel, payout, order, line)."""
    body = _body(PayoutBody)
    currency = currency_code(body.currency, "currency")
    orders: dict[str, list[dict[str, Any]]] = {}
    for index, line in enumerate(body.lines):
        amount_minor = to_minor(line.amount, currency, f"lines[{index}].amount")
        booked = {"line_id": line.line_id, "kind": line.kind, "amount_minor": amount_minor}
        orders.setdefault(line.order_id, []).append(booked)
    shared = {"channel": body.channel, "payout_id": body.payout_id, "currency": currency, "paid_ms": body.paid_ms}
    messages = [{"payout": {**shared, "order_id": order_id, "lines": lines}} for order_id, lines in orders.items()]
    runtime().queues.send("settlement", messages)
    return answer({"payout_id": body.payout_id, "lines": len(body.lines)}, 202)


def _known_location(location: str, ports: Runtime) -> None:
    locations = ports.settled("locations", lambda: read_locations(ports.tables))
    if location not in locations:
        raise Refused("bad_request", f"location must be one of {', '.join(locations)}, not {location!r}")


def _sku(sku: str, field: str, ports: Runtime) -> dict[str, Any]:
    found = read_skus(ports.tables, [sku]).get(sku)
    if found is None:
        raise Refused("bad_request", f"{field}: no SKU {sku!r} in the catalogue")
    return {"sku": found.sku, "title": found.title, "components": found.components, "release_ms": found.release_ms}


def _minor(amount: str, order: Order) -> int:
    assert order.content
    return to_minor(amount, order.content.currency, "amount")


def _body(model: type[Model]) -> Model:
    return body_as(model, checked_size(blueprint.current_request.raw_body))
