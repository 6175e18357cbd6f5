"""The API of stock, catalogue and listings: what there is, why, what moved, and what each channel may show of it.

Each write is a fact under an id of the caller's, or states something in full, so that a repeat changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import unquote

from chalice import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from chalicelib.channels.registry import kind_of
from chalicelib.domain.availability import AvailabilityRule
from chalicelib.domain.catalogue import Sku, check_kit
from chalicelib.domain.errors import Refused
from chalicelib.inbound.guard import Model, answer, body_as, checked_size, guarded, page_limit
from chalicelib.inbound.movements import Id, MovementBody, Movements
from chalicelib.inbound.views import explanation_view, stock_row, stock_view
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.explain import explain
from chalicelib.store.listings import (
    Entry,
    Listing,
    channel_rule_write,
    kit_writes,
    link_key,
    list_skus,
    listing_rule_write,
    listing_writes,
    read_entry,
    read_rules,
    read_skus,
    sku_writes,
    unlink_write,
)
from chalicelib.store.places import listing_changed_writes, write_all
from chalicelib.store.stock import read_places, read_stock
from chalicelib.store.tables import Write

blueprint = Blueprint(__name__)

_MOST_MOVEMENTS = 100
_LATEST_MS = 4_102_444_800_000  # the year 2100


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class MovementsBody(_Body):
    """Movements, each answered by itself. A dry run says what they would do."""

    dry_run: bool = False
    movements: list[dict[str, Any]] = Field(min_length=1, max_length=_MOST_MOVEMENTS)


class ReceiptBody(_Body):
    """Units that arrived (or, negative, were written off) at a location, under the caller's movement id."""

    movement_id: Id
    sku: Id
    location: Id = "main"
    units: int = Field(ge=-1_000_000, le=1_000_000)


class PartBody(_Body):
    """A component of a kit: so many units in one kit."""

    sku: Id
    units: int = Field(default=1, gt=0, le=100_000)


class SkuBody(_Body):
    """A SKU in full: without components it is no kit. An empty title leaves the one that is known."""

    title: str = Field(default="", max_length=300)
    components: list[PartBody] = Field(default=[], max_length=20)
    release_ms: int = Field(default=0, ge=0, le=_LATEST_MS)


class ListingBody(_Body):
    """A channel's item and the SKU it is. `refs`: the channel's own ids, see docs/channels.md."""

    channel: Id
    channel_sku: str = Field(min_length=1, max_length=200)
    sku: Id
    title: str = Field(default="", max_length=300)
    refs: dict[Id, Annotated[str, Field(max_length=200)]] = Field(default={}, max_length=20)


class RuleBody(_Body):
    """How much a channel may show: of one item, or (no `channel_sku`) of all that have no rule of their own.

    `inherit` takes an item's own rule away.
    """

    channel: Id
    channel_sku: str = Field(default="", max_length=200)
    inherit: bool = False
    share_percent: int = Field(default=100, ge=0, le=100)
    buffer: int = Field(default=0, ge=0, le=1_000_000)
    cap: int | None = Field(default=None, ge=0, le=1_000_000)
    floor: int = Field(default=0, ge=0, le=1_000_000)

    @property
    def rule(self) -> AvailabilityRule:
        return AvailabilityRule(self.share_percent, self.buffer, self.cap, self.floor)


@blueprint.route("/api/stock", methods=["GET"])
@guarded
def all_stock() -> Response:
    """A page of SKUs by name, each with its sums over all locations. Query: limit (1 to 100, default 25), cursor."""
    query: Any = blueprint.current_request.query_params or {}
    ports = runtime()
    names, cursor = list_skus(ports.tables, page_limit(query.get("limit", "25")), query.get("cursor", ""))
    skus = read_skus(ports.tables, names)
    parts = {part for sku in skus.values() for part, _ in sku.parts}
    stock = read_stock(ports.tables, sorted({*names, *parts}), read_locations(ports.tables))
    return answer({"skus": [stock_row(skus.get(name, Sku(name)), stock) for name in names], "cursor": cursor or None})


@blueprint.route("/api/stock/{sku}", methods=["GET"])
@guarded
def stock(sku: str) -> Response:
    """One SKU: its units by location, what a kit is made of, and what each channel may show and shows of it."""
    ports = runtime()
    name = unquote(sku)
    entry = read_entry(ports.tables, name)
    found = read_stock(ports.tables, [name, *(part for part, _ in entry.sku.parts)], read_locations(ports.tables))
    if not found[name] and not read_skus(ports.tables, [name]):
        raise Refused("unknown_sku", f"no stock of {name!r}")
    rules = read_rules(ports.tables, [listing.channel for listing in entry.listings])
    return answer(stock_view(entry, found, rules))


@blueprint.route("/api/stock/{sku}/explain", methods=["GET"])
@guarded
def explain_stock(sku: str) -> Response:
    """Why the numbers are what they are: movements folded, and who holds what is promised; whether that is all."""
    found = explain(runtime().tables, unquote(sku))
    if not found.places and not found.movements:
        raise Refused("unknown_sku", f"no stock of {unquote(sku)!r}")
    return answer(explanation_view(found))


@blueprint.route("/api/stock/movements", methods=["POST"])
@guarded
def move_stock() -> Response:
    """Receipts, counts, adjustments, transfers, expected deliveries and safety stocks: 200 and one answer for each, in
    order: what it changed, or why it could not."""
    body = _body(MovementsBody)
    movements = Movements(runtime(), dry_run=body.dry_run)
    return answer({"dry_run": body.dry_run, "movements": [_recorded(raw, movements) for raw in body.movements]})


def _recorded(raw: dict[str, Any], movements: Movements) -> dict[str, Any]:
    try:
        return movements.record(body_as(MovementBody, raw))
    except Refused as refused:
        return {"movement_id": raw.get("movement_id"), "error": {"reason": refused.reason, "detail": refused.detail}}


@blueprint.route("/api/stock/receipts", methods=["POST"])
@guarded
def receive() -> Response:
    """Units arrive: 200, applied or known already; 409 when more would be written off than is free."""
    body = _body(ReceiptBody)
    outcome = Movements(runtime()).record(MovementBody(kind="receipt", **body.model_dump()))
    return answer({"movement_id": body.movement_id, "applied": outcome["applied"]})


@blueprint.route("/api/skus/{sku}", methods=["PUT"])
@guarded
def put_sku(sku: str) -> Response:
    """Make a SKU known, or change it: its title, the components of a kit, the release of a pre-order."""
    body = _body(SkuBody)
    name = body_as(_Named, {"sku": unquote(sku)}).sku
    ports = runtime()
    entry = read_entry(ports.tables, name)
    components = tuple((part.sku, part.units) for part in body.components)
    known = read_skus(ports.tables, [component for component, _ in components])
    on_hand = sum(place.on_hand for place in read_places(ports.tables, name)) if components else 0
    check_kit(name, components, known, entry.kits, on_hand)
    ports.tables.write(*sku_writes(name, body.title))
    writes = kit_writes(entry.sku, components, body.release_ms)
    if components != entry.sku.components:
        writes += _told(ports, [part for part, _ in components] or [name], entry.kinds)
    write_all(ports.tables, writes)
    return answer({"sku": name, "components": [part.model_dump() for part in body.components]})


class _Named(_Body):
    sku: Id


@blueprint.route("/api/listings", methods=["POST"])
@guarded
def link_listing() -> Response:
    """Say which SKU a channel's item is. An item that was linked to another SKU before leaves it."""
    body = _body(ListingBody)
    ports = runtime()
    listing = Listing(body.channel, body.channel_sku, body.sku, body.refs)
    link = ports.tables.get(link_key(body.channel, body.channel_sku))
    sku = read_skus(ports.tables, [body.sku]).get(body.sku, Sku(body.sku))
    writes = [
        *sku_writes(body.sku, body.title),
        *listing_writes(listing),
        *unlink_write(listing, link["sku"] if link else ""),
        *_told(ports, [part for part, _ in sku.parts], [kind_of(body.channel)]),
    ]
    write_all(ports.tables, writes)
    return answer({"channel": body.channel, "channel_sku": body.channel_sku, "sku": body.sku})


@blueprint.route("/api/listings/rule", methods=["PUT"])
@guarded
def put_rule() -> Response:
    """Say how much a channel may show: 200; 404 for an item that is not linked."""
    body = _body(RuleBody)
    ports = runtime()
    if body.channel_sku:
        entry, listing = _linked(body, ports)
        rule = None if body.inherit else body.rule
        parts = [part for part, _ in entry.sku.parts]
        write_all(ports.tables, [listing_rule_write(listing, rule), *_told(ports, parts, entry.kinds)])
    elif body.inherit:
        raise Refused("bad_request", "inherit: name the channel_sku whose own rule is to go")
    else:
        ports.tables.write(channel_rule_write(body.channel, body.rule))
        if queue := SYNC_QUEUES.get(kind_of(body.channel)):
            ports.queues.send(queue, [{"rule_of": body.channel}])
    return answer(body.model_dump())


def _linked(body: RuleBody, ports: Runtime) -> tuple[Entry, Listing]:
    link = ports.tables.get(link_key(body.channel, body.channel_sku))
    entry = read_entry(ports.tables, link["sku"]) if link else None
    for listing in entry.listings if entry else ():
        if (listing.channel, listing.channel_sku) == (body.channel, body.channel_sku):
            assert entry
            return entry, listing
    raise Refused(
        "unknown_listing", f"{body.channel} has no linked item {body.channel_sku!r}: POST /api/listings first"
    )


def _told(ports: Runtime, skus: Iterable[str], kinds: Iterable[str]) -> list[Write]:
    return listing_changed_writes(ports.tables, skus, kinds, read_locations(ports.tables), SYNC_QUEUES, ports.clock())


def _body(model: type[Model]) -> Model:
    return body_as(model, checked_size(blueprint.current_request.raw_body))
