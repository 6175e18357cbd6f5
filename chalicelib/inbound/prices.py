"""The API of prices: what a listing should cost, which its channel is told until it shows it; what goods cost us."""

from __future__ import annotations

from typing import Any

from chalice import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.money import currency_code, to_minor
from chalicelib.inbound.guard import answer, body_as, checked_size, guarded
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.runtime.wiring import runtime
from chalicelib.store.listings import Listing, cost_write, link_key, price_write, read_entry, read_skus

blueprint = Blueprint(__name__)


class PriceBody(BaseModel):
    """What an item should cost on a channel: one item by its `channel_sku`, or all of a `sku` (on one `channel`, or on
    every channel when none is named). `amount` is a decimal text in `currency` (ISO 4217)."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    sku: str = Field(default="", max_length=200)
    channel: str = Field(default="", max_length=100)
    channel_sku: str = Field(default="", max_length=200)
    amount: str = Field(max_length=40)
    currency: str

    @model_validator(mode="after")
    def names_something(self) -> PriceBody:
        """One way to say which items are meant."""
        if bool(self.sku) == bool(self.channel_sku) or (self.channel_sku and not self.channel):
            raise ValueError("name a sku, or a channel and its channel_sku")
        return self


@blueprint.route("/api/listings/price", methods=["PUT"])
@guarded
def put_price() -> Response:
    """Say what listings should cost: 200 with each; 404 when none is meant. `?dry_run=1` changes nothing."""
    body = body_as(PriceBody, checked_size(blueprint.current_request.raw_body))
    currency = currency_code(body.currency, "currency")
    price_minor = to_minor(body.amount, currency, "amount")
    if price_minor <= 0:
        raise Refused("bad_request", f"amount must be more than nothing, not {body.amount}")
    ports = runtime()
    query: Any = blueprint.current_request.query_params or {}
    dry_run = query.get("dry_run") in ("1", "true")
    listings = _meant(body)
    if not dry_run:
        for listing in listings:
            ports.tables.write(price_write(listing, price_minor, currency))
        for queue in sorted({SYNC_QUEUES[kind_of(listing.channel)] for listing in listings}):
            ports.queues.send(queue, [{"sku": sku} for sku in sorted({listing.sku for listing in listings})])
    told = [
        {"channel": x.channel, "channel_sku": x.channel_sku, "sku": x.sku, "was_minor": x.price_minor} for x in listings
    ]
    return answer({"dry_run": dry_run, "price_minor": price_minor, "currency": currency, "listings": told})


def _meant(body: PriceBody) -> list[Listing]:
    ports = runtime()
    sku = body.sku
    if body.channel_sku:
        link = ports.tables.get(link_key(body.channel, body.channel_sku))
        sku = link["sku"] if link else ""
    found = [
        listing
        for listing in (read_entry(ports.tables, sku).listings if sku else ())
        if body.channel in ("", listing.channel)
        and body.channel_sku in ("", listing.channel_sku)
        and kind_of(listing.channel) in SYNC_QUEUES
    ]
    if not found:
        raise Refused("unknown_listing", "no linked item is meant: POST /api/listings first")
    return found


class CostBody(BaseModel):
    """What a unit of a SKU costs the merchant; without an `amount` that is not known any more."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    sku: str = Field(min_length=1, max_length=200)
    amount: str | None = Field(max_length=40)
    currency: str = ""


class CostsBody(BaseModel):
    """Costs of up to 100 SKUs; `dry_run` changes nothing."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False
    costs: list[dict[str, Any]] = Field(min_length=1, max_length=100)


@blueprint.route("/api/costs", methods=["POST"])
@guarded
def post_costs() -> Response:
    """Say what goods cost: 200 and one answer for each, in order: what it was, or why it could not be."""
    body = body_as(CostsBody, checked_size(blueprint.current_request.raw_body))
    return answer({"dry_run": body.dry_run, "costs": [_costed(raw, dry_run=body.dry_run) for raw in body.costs]})


def _costed(raw: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    try:
        return _cost(body_as(CostBody, raw), dry_run=dry_run)
    except Refused as refused:
        return {"sku": raw.get("sku"), "error": {"reason": refused.reason, "detail": refused.detail}}


def _cost(body: CostBody, *, dry_run: bool) -> dict[str, Any]:
    currency = currency_code(body.currency, "currency") if body.amount is not None else ""
    cost_minor = to_minor(body.amount, currency, "amount") if body.amount is not None else None
    if cost_minor is not None and cost_minor < 0:
        raise Refused("bad_request", f"amount must be nothing or more, not {body.amount}")
    tables = runtime().tables
    known = read_skus(tables, [body.sku]).get(body.sku)
    if known is None:
        raise Refused("unknown_sku", f"no SKU {body.sku!r}: PUT /api/skus/{body.sku} makes it known")
    if known.components:
        raise Refused("bad_request", f"{body.sku} is a kit: give its components a cost")
    if not dry_run:
        tables.write(cost_write(body.sku, cost_minor, currency))
    was = {"was_minor": known.cost_minor, "was_currency": known.cost_currency}
    return {"sku": body.sku, "cost_minor": cost_minor, "currency": currency, **was}
