"""Applies one movement of stock that the merchant or the warehouse reports: once, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Busy, Refused, Stale
from chalicelib.domain.stock import Movement, Place, Stock, decide_movement, moved_by
from chalicelib.inbound.views import stock_units
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import read_skus, sku_writes
from chalicelib.store.places import open_places
from chalicelib.store.stock import is_known, movement_writes, read_stock, still_expected

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^#/\s]+$")]

_ATTEMPTS = 8  # a count is decided on a version of its record; a SKU that sells fast changes it in between


class MovementBody(BaseModel):
    """One movement under the caller's id.

    units    of a count and a safety stock the new number; of a transfer and an expected delivery how many; of a
             receipt and an adjustment the change
    to       of a transfer: the other location
    expected_id   of a receipt: the expected delivery that it fulfils
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    kind: Literal["receipt", "count", "adjustment", "transfer", "expected", "safety_stock"]
    movement_id: Id
    sku: Id
    location: Id = "main"
    units: int = Field(ge=-1_000_000, le=1_000_000)
    to: Id | None = None
    expected_id: Id | None = None
    note: str = Field(default="", max_length=300)

    @property
    def locations(self) -> list[str]:
        return [self.location, *([self.to] if self.to else [])]


class Movements:
    """The movements of one request, in order. A dry run writes nothing; each movement is then judged on what the ones
    before it would have left."""

    def __init__(self, ports: Runtime, *, dry_run: bool = False) -> None:
        self._ports = ports
        self._dry_run = dry_run
        self._imagined: dict[Place, Stock] = {}
        self._locations = read_locations(ports.tables)

    def record(self, body: MovementBody) -> dict[str, Any]:
        """Whether it was applied now (`applied`) and the numbers of its location before and after. Raises `Refused`
        when it cannot be, `Busy` when others kept changing the record."""
        self._check(body)
        tables = self._ports.tables
        sku = read_skus(tables, [body.sku]).get(body.sku)
        if sku and sku.components:
            raise Refused("bad_request", f"{body.sku} is a kit and has no stock: move its components")
        named = {"movement_id": body.movement_id, "kind": body.kind, "sku": body.sku, "location": body.location}
        if is_known(tables, Movement(body.kind, body.movement_id, body.sku, body.location, 0, 0)):
            return named | {"applied": False, "known": True}
        before, after = self._imagine(body) if self._dry_run else self._apply(body, is_new=sku is None)
        outcome = {"applied": not self._dry_run, "known": False, "new_sku": sku is None}
        if before is None or after is None:
            return named | {"applied": False, "known": True}
        return named | outcome | {"before": stock_units(before), "after": stock_units(after)}

    def _check(self, body: MovementBody) -> None:
        for location in body.locations:
            if location not in self._locations:
                raise Refused("bad_request", f"location must be one of {', '.join(self._locations)}, not {location!r}")
        if (body.kind == "transfer") != (body.to is not None) or body.to == body.location:
            raise Refused("bad_request", "to: a transfer, and nothing else, names another location that it goes to")
        if body.expected_id and body.kind != "receipt":
            raise Refused("bad_request", "expected_id: only a receipt fulfils an expected delivery")

    def _imagine(self, body: MovementBody) -> tuple[Stock, Stock]:
        places = self._places(body)
        movements = self._decided(body, places)
        for movement in movements:
            place = (movement.sku, movement.location)
            self._imagined[place] = moved_by(places[place], movement.move)
        place = (body.sku, body.location)
        return places[place], self._imagined[place]

    def _apply(self, body: MovementBody, *, is_new: bool) -> tuple[Stock | None, Stock | None]:
        """The record before and after; None twice when the movement turns out to be known."""
        tables, now_ms = self._ports.tables, self._ports.clock()
        if is_new:
            tables.write(*sku_writes(body.sku))
        for _ in range(_ATTEMPTS):
            places = self._places(body)
            if not all(stock.version for stock in places.values()):
                open_places(tables, [body.sku], body.locations, SYNC_QUEUES, now_ms)
                continue
            movements = self._decided(body, places)
            first = movements[0]
            place = (body.sku, body.location)
            must_stay = body.kind in ("count", "safety_stock") or first.units < 0
            versions = {place: places[place].version} if must_stay else {}
            try:
                tables.write(*movement_writes(movements, now_ms, versions))
            except Stale:
                if is_known(tables, first):
                    return None, None
                continue
            return places[place], moved_by(places[place], first.move)
        raise Busy(f"the stock of {body.sku} at {body.location} keeps changing", after_s=1)

    def _places(self, body: MovementBody) -> dict[Place, Stock]:
        found = read_stock(self._ports.tables, [body.sku], body.locations)[body.sku]
        stored = {(stock.sku, stock.location): stock for stock in found}
        wanted = [(body.sku, location) for location in body.locations]
        return {place: self._imagined.get(place) or stored.get(place) or Stock(*place) for place in wanted}

    def _decided(self, body: MovementBody, places: dict[Place, Stock]) -> list[Movement]:
        units = decide_movement(places[body.sku, body.location], body.kind, body.units)
        movement = Movement(
            body.kind, body.movement_id, body.sku, body.location, units, self._ports.clock(), cause=body.note
        )
        if body.to:
            return [movement, replace(movement, location=body.to, units=-units)]
        if body.expected_id:
            left = still_expected(self._ports.tables, body.sku, body.location, body.expected_id)
            if left is None:
                raise Refused("bad_request", f"expected_id: nothing is expected at {body.location} under this id")
            return [replace(movement, expected_id=body.expected_id, arrived=min(left, max(units, 0)))]
        return [movement]
