"""Planted bugs about money that is only authorised."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from chalicelib.domain import capture, lifecycle, moves, orders
from chalicelib.domain.authorisation import open_authorisation_minor
from chalicelib.domain.orders import State, total_units
from chalicelib.outbound import relay, tell
from chalicelib.stages import funding as funding_stage
from local.simulation.planting import Plant, planted


def _decided(name: str, rule: Any) -> list[tuple[Any, str, Any]]:
    """A rule as all know it who decide by it."""
    return [(module, name, rule) for module in (capture, lifecycle, funding_stage)]


def capture_without_key() -> Any:
    """A capture that is tried again is another capture."""
    numbers = itertools.count()
    request = tell.CaptureRequest

    def keyless(capture_id: str, *args: Any) -> Any:
        return request(f"{capture_id}-{next(numbers)}", *args)

    return planted((tell, "CaptureRequest", keyless))


def capture_at_allocation() -> Any:
    """Money is taken as soon as stock is promised."""

    def early(state: State) -> bool:
        asks = bool(state.payment.captor) and not state.captures and total_units(state.quantities)["allocated"] > 0
        return asks and open_authorisation_minor(state) > 0

    unguarded = replace(moves.MOVES["capture"], may=lambda state: True)
    return planted(
        *_decided("wants_capture", early),
        (orders, "_capture_violations", lambda state: []),
        (moves, "MOVES", {**moves.MOVES, "capture": unguarded}),
    )


def void_after_shipment() -> Any:
    """Money is given free when all that is left is called off, whatever has gone before."""

    def careless(state: State) -> bool:
        units = total_units(state.quantities)
        over = units["cancelled"] > 0 and units["cancelled"] + units["shipped"] == units["ordered"]
        asks = bool(state.payment.captor) and not state.void and not state.captures and over
        return asks and open_authorisation_minor(state) > 0

    return planted(*_decided("wants_void", careless))


def capture_forgotten() -> Any:
    """Nobody is asked for the money when goods have left."""
    return planted(*_decided("wants_capture", lambda state: False))


def end_of_the_money_unasked() -> Any:
    """An authorisation of which the shop says no end has none."""
    return planted((relay, "asks_expiry", lambda state: False))


TILL_PLANTS: tuple[Plant, ...] = (
    capture_without_key,
    capture_at_allocation,
    void_after_shipment,
    capture_forgotten,
    end_of_the_money_unasked,
)
