"""Order <-> what is kept of it: compact JSON, compressed where that is smaller, so that a move costs one write unit.

`SCHEMA` stands on every item; `decode_*` reads every schema that was ever written.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from chalicelib.domain.channel_order import Charge, Payment
from chalicelib.domain.orders import Content, Happening, Hold, OrderLine, Quantities, Shipment, State

SCHEMA = 1
_ZLIB = b"\x78"  # first byte of every zlib stream; JSON never begins with it


def pack(data: Any) -> bytes:
    """JSON bytes, zlib-compressed where that saves."""
    plain = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    small = zlib.compress(plain, 9)
    return small if len(small) < len(plain) else plain


def unpack(body: bytes) -> Any:
    """What `pack` was given."""
    return json.loads(zlib.decompress(body) if body[:1] == _ZLIB else body)


def encode_state(state: State) -> bytes:
    """The state without the attributes that stand beside it (version, since, due)."""
    pay = state.payment
    return pack(
        {
            "total": state.total_minor,
            "units": [_encode_units(units) for units in state.quantities],
            "source": state.source,
            "pay": [
                int(pay.vouched),
                pay.authorised_minor,
                pay.captured_minor,
                pay.refunded_minor,
                int(pay.lapsed),
                int(pay.awaited),
            ],
            "secured": state.secured_minor,
            "settled": state.settled_minor,
            "fees": state.fees_minor,
            "placed": state.placed_ms,
            "holds": [[h.reason, h.detail, h.since_ms, h.owner] for h in state.holds],
            "shipments": [_encode_shipment(shipment) for shipment in state.shipments],
            "returns": {name: _items_out(items) for name, items in state.returns.items()},
            "timeline": [[h.at_ms, h.actor, h.what, h.before, h.after] for h in state.timeline],
        }
    )


def decode_state(body: bytes, *, version: int, since_ms: int, due_ms: int) -> State:
    """The state again; the attributes beside the body are given."""
    data = unpack(body)
    vouched, authorised, captured, refunded, lapsed, awaited = data["pay"]
    return State(
        total_minor=data["total"],
        quantities=tuple(_decode_units(units) for units in data["units"]),
        source=tuple(data["source"]),
        payment=Payment(bool(vouched), authorised, captured, refunded, bool(lapsed), bool(awaited)),
        secured_minor=data["secured"],
        settled_minor=data["settled"],
        fees_minor=data["fees"],
        holds=tuple(Hold(*hold) for hold in data["holds"]),
        shipments=tuple(_decode_shipment(shipment) for shipment in data["shipments"]),
        returns={name: _items_in(items) for name, items in data["returns"].items()},
        timeline=tuple(Happening(*happening) for happening in data["timeline"]),
        version=version,
        since_ms=since_ms,
        due_ms=due_ms,
        placed_ms=data["placed"],
    )


def encode_content(content: Content) -> bytes:
    """The content as kept beside the state."""
    return pack(
        {
            "label": content.label,
            "country": content.country,
            "placed": content.placed_ms,
            "currency": content.currency,
            "lines": [
                [
                    line.line_id,
                    line.sku,
                    line.channel_sku,
                    line.title,
                    line.price_minor,
                    line.discount_minor,
                    line.tax_minor,
                    line.ships,
                    line.listing_ref,
                ]
                for line in content.lines
            ],
            "charges": [[c.kind, c.amount_minor, c.label] for c in content.charges],
        }
    )


def decode_content(body: bytes) -> Content:
    """The content again."""
    data = unpack(body)
    return Content(
        label=data["label"],
        country=data["country"],
        placed_ms=data["placed"],
        currency=data["currency"],
        lines=tuple(OrderLine(*line) for line in data["lines"]),
        charges=tuple(Charge(*charge) for charge in data["charges"]),
    )


def _encode_units(units: Quantities) -> list[Any]:
    return [
        units.ordered,
        units.cancelled,
        units.backordered,
        units.shipped,
        units.returned,
        units.cancel_wanted,
        dict(units.allocations),
    ]


def _decode_units(data: list[Any]) -> Quantities:
    ordered, cancelled, backordered, shipped, returned, cancel_wanted, allocations = data
    return Quantities(ordered, cancelled, allocations, backordered, shipped, returned, cancel_wanted)


def _encode_shipment(shipment: Shipment) -> list[Any]:
    return [
        shipment.shipment_id,
        shipment.location,
        shipment.carrier,
        shipment.tracking_number,
        shipment.shipped_ms,
        _items_out(shipment.items),
        shipment.confirmed_ms,
    ]


def _decode_shipment(data: list[Any]) -> Shipment:
    shipment_id, location, carrier, tracking_number, shipped_ms, items, confirmed_ms = data
    return Shipment(shipment_id, location, carrier, tracking_number, shipped_ms, _items_in(items), confirmed_ms)


def _items_out(items: Any) -> dict[str, int]:
    return {str(index): units for index, units in items.items()}


def _items_in(items: dict[str, int]) -> dict[int, int]:
    return {int(index): units for index, units in items.items()}
