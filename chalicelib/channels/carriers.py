"""Which room speaks for a carrier's service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from chalicelib.channels.budgets import Plan
from chalicelib.channels.carrier_port import CarrierClient, TrackingEvent
from chalicelib.domain.errors import Refused

_CLIENTS = {"easypost": "EasypostClient", "shippo": "ShippoClient"}

CARRIER_KINDS = tuple(_CLIENTS)

TrackingReader = Callable[[bytes], tuple[TrackingEvent, ...]]


def carrier_class(kind: str) -> Callable[..., CarrierClient]:
    """Makes the client of one kind: `(transport, account, credentials, jobs, now_ms, budget)`.

    Only the room that is asked for is imported. Raises `Refused` for a kind that nobody speaks.
    """
    room = _room(kind)
    found: Callable[..., CarrierClient] = getattr(import_module(f"{room}.client"), _CLIENTS[kind])
    return found


def carrier_plans(kind: str) -> Mapping[str, Plan]:
    """What one kind allows: calls to list, to get and to post. Raises `Refused` for a kind that nobody speaks."""
    plans: Mapping[str, Plan] = import_module(f"{_room(kind)}.limits").PLANS
    return plans


def tracking_reader(kind: str) -> TrackingReader:
    """The pure reader of one kind's webhooks: `read_tracking(body)`. Raises `Refused` for a kind that nobody speaks."""
    reader: TrackingReader = import_module(f"{_room(kind)}.notifications").read_tracking
    return reader


def _room(kind: str) -> str:
    if kind not in _CLIENTS:
        raise Refused("unknown_carrier", f"{kind!r} is none of {', '.join(CARRIER_KINDS)}")
    return f"chalicelib.channels.{kind}"
