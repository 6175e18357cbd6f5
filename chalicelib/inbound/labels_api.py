"""The API of labels: ask for one, see them, fetch the file, give one back.

A label is a wish under an id: asking twice is one label. It is bought by a worker; the API speaks to no carrier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from chalice import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib.channels.carriers import CARRIER_KINDS
from chalicelib.channels.registry import kind_of
from chalicelib.domain.commands import items_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.money import currency_code, to_minor, to_text
from chalicelib.domain.orders import Order
from chalicelib.domain.parcels import is_taken
from chalicelib.domain.shipping import has_parcel, may_be_labelled
from chalicelib.inbound.api import known_order
from chalicelib.inbound.guard import answer, body_as, checked_size, guarded
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import channels, read_locations
from chalicelib.store.labels import StoredLabel, find_label, labels_of, read_label

blueprint = Blueprint(__name__)

# Shippo keeps 100 characters of a name, and the worker adds nine.
LabelId = Annotated[str, Field(max_length=90, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Side = Annotated[int, Field(ge=0, le=10_000)]
_FILES = {"pdf": "application/pdf", "png": "image/png"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class LineBody(_Body):
    """Whole units of one order line."""

    line_id: str = Field(min_length=1, max_length=200)
    units: int = Field(gt=0, le=1_000_000_000)


class PackageBody(_Body):
    """One box: grams and millimetres (0: not known)."""

    weight_g: int = Field(gt=0, le=1_000_000)
    length_mm: Side = 0
    width_mm: Side = 0
    height_mm: Side = 0


class CustomsLineBody(_Body):
    """What customs are told of one unit of a line."""

    line_id: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1, max_length=100)
    hs_code: str = Field(default="", pattern=r"^(\d{4}(\.?\d{2}){1,4})?$")
    origin_country: str = Field(pattern=r"^[A-Z]{2}$")
    weight_g: int = Field(gt=0, le=1_000_000)


class CustomsBody(_Body):
    """What is declared of a parcel that crosses a border. `signer` answers for it; `eel_pfc` is for exports from the US
    beyond 2,500 USD."""

    contents: Literal["merchandise", "gift", "documents", "returned_goods", "sample"] = "merchandise"
    signer: str = Field(min_length=1, max_length=100)
    non_delivery: Literal["return", "abandon"] = "return"
    eel_pfc: str = Field(default="", pattern=r"^(NOEEI 30\.36|NOEEI 30\.37\([afh]\)|AES [A-Z]\d{14})?$")
    lines: Annotated[list[CustomsLineBody], Field(min_length=1, max_length=1000)]


class LabelBody(_Body):
    """A label that is wanted. `lines`: what goes into the box, by default all that is allocated at the location.
    `ship`: record the parcel once its label is there."""

    label_id: LabelId | None = None
    location: str = Field(default="main", min_length=1, max_length=128)
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=1000)] | None = None
    package: PackageBody
    carrier_account: str = Field(default="", max_length=128)
    prefer: Literal["cheapest", "fastest"] = "cheapest"
    services: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] = []
    latest_days: int | None = Field(default=None, ge=0, le=365)
    most_amount: str | None = Field(default=None, max_length=40)
    currency: str = Field(default="", max_length=3)
    format: Literal["pdf", "png"] = "pdf"
    ship: bool = True
    customs: CustomsBody | None = None


@blueprint.route("/api/orders/{order_id}/labels", methods=["GET", "POST"])
@guarded
def labels(order_id: str) -> Response:
    """GET: the order's labels. POST: ask for one: 202; 200 when there is nothing left to do; 409 when it may not ship,
    the units are not allocated there, or the id is taken by another wish."""
    ports = runtime()
    order = known_order(order_id, ports)
    if blueprint.current_request.method == "GET":
        return answer({"labels": [label_view(label) for label in labels_of(ports.tables, order.order_id)]})
    return ask(order, body_as(LabelBody, checked_size(blueprint.current_request.raw_body)), ports)


def ask(order: Order, body: LabelBody, ports: Runtime) -> Response:
    """What is answered to the wish of a label, which goes to the worker where anything is left to do."""
    account = _account(body.carrier_account, ports)
    if kind_of(account) == "shippo" and not all(
        (body.package.length_mm, body.package.width_mm, body.package.height_mm)
    ):
        raise Refused("bad_request", "package: Shippo needs length_mm, width_mm and height_mm")
    _check_location(body.location, ports)
    label_id = body.label_id or _next_id(order, body.location, ports)
    known = find_label(ports.tables, label_id)
    if known and known.order_id != order.order_id:
        raise Refused("label_id_taken", f"label_id {label_id!r} is a label of another order")
    if known and known.status != "wanted":
        is_left = known.status == "bought" and known.wish.get("ship", True) and not _is_shipped(order, known)
        return _taken(known.order_id, known.account, known.wish, label_id, ports, is_left=is_left)
    wish = _wish(body, order)
    _check_may_ship(order)
    return _taken(order.order_id, account, wish, label_id, ports, is_left=True)


@blueprint.route("/api/orders/{order_id}/labels/{label_id}/void", methods=["POST"], content_types=["application/json"])
@guarded
def void(order_id: str, label_id: str) -> Response:
    """Give a label back: 202; 200 when that has been asked; 409 once the carrier has the parcel. What was told of the
    parcel stays told."""
    ports = runtime()
    return give_back(known_order(order_id, ports), unquote(label_id), ports)


def give_back(order: Order, label_id: str, ports: Runtime) -> Response:
    """What is answered to the wish to have a label given back."""
    label = read_label(ports.tables, order.order_id, label_id)
    if label is None:
        raise Refused("unknown_label", f"{order.order_id} has no label {label_id!r}")
    if label.status in ("voiding", "voided"):
        return answer({"order": order.order_id, "label_id": label.label_id, "applied": False})
    if is_taken(label.tracking):
        raise Refused("already_taken", f"the carrier has {label.label_id}: {label.tracking}")
    ports.queues.send("labels", [{"order": order.order_id, "void": label.label_id}])
    return answer({"order": order.order_id, "label_id": label.label_id, "applied": True}, 202)


@blueprint.route("/api/labels/{label_id}/file", methods=["GET"])
@guarded
def file(label_id: str) -> Response:
    """The label for the printer, PDF or PNG; send that type as Accept. 404 until it is bought and filed."""
    ports = runtime()
    label = find_label(ports.tables, unquote(label_id))
    if label is None or not label.file_key:
        raise Refused("unknown_label", f"no file of a label {unquote(label_id)!r} (yet)")
    kind = _FILES[label.wish.get("format", "pdf")]
    headers: dict[str, str | list[str]] = {"Content-Type": kind, "Cache-Control": "no-store"}
    return Response(body=ports.bodies.get(label.file_key), status_code=200, headers=headers)


def label_view(label: StoredLabel) -> dict[str, Any]:
    """A label as readers see it: no ids of the carrier's service, no address."""
    bought = label.bought
    cost = None
    if bought:
        amount = to_text(bought["amount_minor"], bought["currency"])
        cost = {"amount": amount, "amount_minor": bought["amount_minor"], "currency": bought["currency"]}
    return {
        "label_id": label.label_id,
        "location": label.wish["location"],
        "lines": label.wish["lines"],
        "package": label.wish["package"],
        "carrier_account": label.account,
        "status": label.status,
        "why": label.why,
        "carrier": bought.get("carrier", ""),
        "service": bought.get("service", ""),
        "tracking_number": bought.get("tracking_number", ""),
        "tracking": label.tracking,
        "cost": cost,
        "bought_ms": label.bought_ms or None,
        "format": label.wish.get("format", "pdf"),
        "has_file": bool(label.file_key),
    }


def _taken(
    order_id: str, account: str, wish: Mapping[str, Any], label_id: str, ports: Runtime, *, is_left: bool
) -> Response:
    told = {"order": order_id, "label_id": label_id, "applied": is_left}
    if not is_left:
        return answer(told)
    ports.queues.send("labels", [{"order": order_id, "label": label_id, "account": account, "wish": wish}])
    return answer(told, 202)


def _wish(body: LabelBody, order: Order) -> dict[str, Any]:
    """The wish as it stands in the message: no amounts in text, every line named."""
    promised = {i: n for i, each in enumerate(order.state.quantities) if (n := each.allocations.get(body.location, 0))}
    lines = [line.model_dump() for line in body.lines or ()]
    wanted = items_of(order, lines) if lines else promised
    for index, units in wanted.items():
        if units > promised.get(index, 0):
            where = f"line {order.lines[index].line_id} at {body.location!r}"
            raise Refused("not_allocated", f"{where}: {units} units wanted, {promised.get(index, 0)} allocated")
    if not wanted:
        raise Refused("not_allocated", f"nothing of {order.order_id} is allocated at {body.location!r}")
    wish: dict[str, Any] = {
        "location": body.location,
        "lines": [{"line_id": order.lines[index].line_id, "units": units} for index, units in wanted.items()],
        "package": body.package.model_dump(),
        "prefer": body.prefer,
        "services": body.services,
        "format": body.format,
        "ship": body.ship,
    }
    if body.currency:
        wish["currency"] = currency_code(body.currency, "currency")
    if body.latest_days is not None:
        wish["latest_days"] = body.latest_days
    if body.customs:
        wish["customs"] = _customs(body.customs, wish["lines"], body.package.weight_g)
    if body.most_amount is not None:
        if not body.currency:
            raise Refused("bad_request", "currency: name the one of most_amount")
        wish["most_amount_minor"] = to_minor(body.most_amount, wish["currency"], "most_amount")
    return wish


def _customs(body: CustomsBody, wanted: list[dict[str, Any]], weight_g: int) -> dict[str, Any]:
    """The declaration as it stands in the message: of every line that goes into the box, its code as digits."""
    told = {line.line_id: line for line in body.lines}
    missing = [line["line_id"] for line in wanted if line["line_id"] not in told]
    if missing:
        raise Refused("bad_request", f"customs.lines: nothing is said of line {missing[0]!r}")
    for line in body.lines:
        if not line.hs_code and body.contents not in ("gift", "documents"):
            raise Refused("bad_request", f"customs.lines: name the hs_code of line {line.line_id!r}")
    net_g = sum(told[line["line_id"]].weight_g * line["units"] for line in wanted)
    if net_g > weight_g:
        raise Refused("bad_request", f"customs.lines: they weigh {net_g} g, package.weight_g is {weight_g}")
    lines = [{**line.model_dump(), "hs_code": line.hs_code.replace(".", "")} for line in body.lines]
    return {**body.model_dump(exclude={"lines"}), "lines": lines}


def _check_may_ship(order: Order) -> None:
    if not may_be_labelled(order):
        why = ", ".join(hold.reason for hold in order.state.holds) or "it is not paid"
        raise Refused("on_hold", f"{order.order_id} may not ship ({why})")


def _check_location(location: str, ports: Runtime) -> None:
    locations = ports.settled("locations", lambda: read_locations(ports.tables))
    if location not in locations:
        raise Refused("bad_request", f"location must be one of {', '.join(locations)}, not {location!r}")


def _account(wanted: str, ports: Runtime) -> str:
    """The account that was named, or the only one."""
    known = [name for name in channels(ports.tables) if kind_of(name) in CARRIER_KINDS]
    if wanted in known or (not wanted and len(known) == 1):
        return wanted or known[0]
    if not known:
        raise Refused("bad_request", "carrier_account: there is none; add an account of easypost or shippo")
    raise Refused("bad_request", f"carrier_account must be one of {', '.join(known)}, not {wanted!r}")


def _next_id(order: Order, location: str, ports: Runtime) -> str:
    """<order>-<location>-<n>: the same until that label's parcel is recorded or the label is given back."""
    found = [each for each in labels_of(ports.tables, order.order_id) if each.wish["location"] == location]
    done = sum(each.status in ("voiding", "voided") or _is_shipped(order, each) for each in found)
    stem = re.sub(r"[^A-Za-z0-9_.:-]", "-", f"{order.order_id}-{location}")
    label_id = f"{stem}-{done + 1}"
    if len(label_id) > 90:
        raise Refused("bad_request", "label_id: give one, the order's own is too long")
    return label_id


def _is_shipped(order: Order, label: StoredLabel) -> bool:
    return has_parcel(order, label.label_id, label.bought.get("tracking_number", ""))
