"""Order <-> what is kept of it: compact JSON, compressed with a dictionary of our own words, so that a move costs one
write unit.

`SCHEMA` stands on every item; `decode_*` reads every schema that was ever written. Schema 1 kept JSON objects without a
dictionary; schema 2 keeps lists, whose trailing dull values are left away.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.domain.attribution import Referral
from chalicelib.domain.channel_order import Charge, Payment
from chalicelib.domain.orders import (
    Cancellation,
    Capture,
    Content,
    Dispute,
    Happening,
    Hold,
    OrderLine,
    Quantities,
    Refund,
    Return,
    Shipment,
    State,
)

SCHEMA = 2
_ZLIB = b"\x78"  # first byte of the zlib streams of schema 1, whose other bodies begin with "{"
_WITH_WORDS = b"\x02"

# What the bodies of schema 2 say again and again, commonest last. Never to be changed: it is part of the schema.
_WORDS = (
    b'"dispute""refund_confirmed","refund","inspect_return","receive_return","approve_return","request_return","fraud"'
    b'"manual","reject""hold","resolve""substitute","reroute","yield","label","accept","cancel","uncancel","release"'
    b'"expire","reserve","lapse","edit","payment_review","stock_shortfall","total_mismatch","unknown_sku","computed"'
    b'"discount","tax","shipping","GB-","DE-","US-","GBP","EUR","USD","storefront","ebay has ","amazon has "'
    b'"shopify has "'
    b'"sale in payout ","fee, sale in payout ","units as ","+1 at main","+2 at main","backordered"'
    b'["shop","",[[0,0,0,0,0,0,0,0,0,0]],true,false,null,{"main":1},{"main":2},{"0":1},{"0":2},'
    b',"entry","enter","","","allocation"],[17,"funding","secure","","allocation","allocation"],'
    b'[17,"allocation","allocate","+1 at main","allocation","shipping"],[17,"shipping","ship","1 units as ",'
    b'"shipping","settlement"],[17,"sync","confirm","","settlement","settlement"],[17,"settlement","settle",'
    b'"fee, sale in payout ","settlement","settled"]]'
)


def pack(data: Any) -> bytes:
    """JSON bytes, compressed."""
    plain = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_WORDS)
    return _WITH_WORDS + squeeze.compress(plain) + squeeze.flush()


def unpack(body: bytes) -> Any:
    """What `pack` was given, in this schema or the first."""
    if body[:1] == _WITH_WORDS:
        return json.loads(zlib.decompressobj(-15, zdict=_WORDS).decompress(body[1:]))
    return json.loads(zlib.decompress(body) if body[:1] == _ZLIB else body)


def encode_state(state: State) -> list[Any]:
    """The state, to be packed, without the attributes that stand beside it (version, since, due)."""
    pay = state.payment
    return _trimmed(
        [
            state.total_minor,
            [_encode_units(units) for units in state.quantities],
            state.source,
            _trimmed(
                [
                    int(pay.vouched),
                    pay.authorised_minor,
                    pay.captured_minor,
                    pay.refunded_minor,
                    int(pay.lapsed),
                    int(pay.awaited),
                    pay.expires_ms,
                    pay.captor,
                    pay.reference,
                    pay.expiry,
                ]
            ),
            state.secured_minor,
            state.placed_ms,
            _encode_timeline(state.timeline),
            {name: list(amounts) for name, amounts in state.payouts.items()},
            [_encode_shipment(shipment) for shipment in state.shipments],
            state.ship_by_ms,
            state.reserved_until_ms,
            [[h.reason, h.detail, h.since_ms, h.owner] for h in state.holds],
            state.waived,
            dict(state.fulfilment),
            dict(state.sourcing),
            {
                name: [
                    _out(b.items),
                    b.status,
                    b.location,
                    _out(b.restocked),
                    b.exchange,
                    *([b.told] if b.told else []),
                ]
                for name, b in state.returns.items()
            },
            {name: [r.amount_minor, r.reason, r.status, r.detail] for name, r in state.refunds.items()},
            {name: [d.amount_minor, d.status, d.due_ms] for name, d in state.disputes.items()},
            {name: [_out(c.items), c.reason, c.status] for name, c in state.cancellations.items()},
            int(state.cancelled),
            int(state.archived),
            state.linked_to,
            state.wake_ms,
            {
                name: _trimmed(
                    [
                        c.amount_minor,
                        c.status,
                        c.detail,
                        c.taken_minor,
                        c.captured_minor,
                        c.authorised_minor,
                        c.spared_minor,
                    ]
                )
                for name, c in state.captures.items()
            },
            state.void,
            int(state.referred),
        ]
    )


_DULL: tuple[Any, ...] = (0, [], (), [], 0, 0, [], {}, [], 0, 0, [], [], {}, {}, {}, {}, {}, {}, 0, 0, "", 0, {}, "", 0)


def decode_state(data: Any, *, version: int, since_ms: int, due_ms: int) -> State:
    """The state again; the attributes beside the body are given."""
    state = _decode_state_1(data) if isinstance(data, dict) else _decode_state_2(data)
    return replace(state, version=version, since_ms=since_ms, due_ms=due_ms)


def _decode_state_2(data: Sequence[Any]) -> State:
    full = [*data, *_DULL[len(data) :]]
    return State(
        total_minor=full[0],
        quantities=tuple(_decode_units(units) for units in full[1]),
        source=tuple(full[2]),
        payment=_decode_payment(full[3]),
        secured_minor=full[4],
        placed_ms=full[5],
        timeline=_decode_timeline(full[6]),
        payouts={name: (gross, fees) for name, (gross, fees) in full[7].items()},
        shipments=tuple(_decode_shipment(shipment) for shipment in full[8]),
        ship_by_ms=full[9],
        reserved_until_ms=full[10],
        holds=tuple(Hold(*hold) for hold in full[11]),
        waived=tuple((reason, detail) for reason, detail in full[12]),
        fulfilment=full[13],
        sourcing=full[14],
        returns={name: Return(_in(b[0]), b[1], b[2], _in(b[3]), *b[4:]) for name, b in full[15].items()},
        refunds={name: Refund(*refund) for name, refund in full[16].items()},
        disputes={name: Dispute(*dispute) for name, dispute in full[17].items()},
        cancellations={name: Cancellation(_in(c[0]), *c[1:]) for name, c in full[18].items()},
        cancelled=bool(full[19]),
        archived=bool(full[20]),
        linked_to=full[21],
        wake_ms=full[22],
        captures={name: Capture(*capture) for name, capture in full[23].items()},
        void=full[24],
        referred=bool(full[25]),
    )


def _decode_payment(data: Sequence[Any]) -> Payment:
    full = [*data, *(0, 0, 0, 0, 0, 0, 0, "", "", "")[len(data) :]]
    vouched, authorised, captured, refunded, lapsed, awaited, *rest = full
    return Payment(bool(vouched), authorised, captured, refunded, bool(lapsed), bool(awaited), *rest)


def _decode_state_1(data: dict[str, Any]) -> State:
    """A state of schema 1. Its returns were all restocked at once, its timeline told moves in free words."""
    vouched, authorised, captured, refunded, lapsed, awaited = data["pay"]
    return State(
        total_minor=data["total"],
        quantities=tuple(
            Quantities(ordered, cancelled, allocations, backordered, shipped, returned, wanted)
            for ordered, cancelled, backordered, shipped, returned, wanted, allocations in data["units"]
        ),
        source=tuple(data["source"]),
        payment=Payment(bool(vouched), authorised, captured, refunded, bool(lapsed), bool(awaited)),
        secured_minor=data["secured"],
        payouts={"": (data["settled"], data["fees"])} if data["settled"] or data["fees"] else {},
        holds=tuple(Hold(*hold) for hold in data["holds"]),
        shipments=tuple(_decode_shipment(shipment) for shipment in data["shipments"]),
        returns={name: Return(_in(items), "inspected", "", _in(items)) for name, items in data["returns"].items()},
        timeline=tuple(Happening(at, actor, what, "", was, now) for at, actor, what, was, now in data["timeline"]),
        placed_ms=data["placed"],
    )


def encode_content(content: Content) -> list[Any]:
    """The content, to be packed."""
    return [
        content.label,
        content.country,
        content.placed_ms,
        content.currency,
        [
            _trimmed(
                [
                    line.line_id,
                    line.sku,
                    line.channel_sku if line.channel_sku != line.sku else 0,
                    line.title,
                    line.price_minor,
                    line.discount_minor,
                    line.tax_minor,
                    int(not line.ships),
                    line.listing_ref,
                    line.components,
                    line.release_ms,
                ]
            )
            for line in content.lines
        ],
        [[c.kind, c.amount_minor, c.label] for c in content.charges],
        content.region,
        *([_encode_referral(content.referral)] if content.referral else []),
    ]


def decode_content(data: Any) -> Content:
    """The content again."""
    if isinstance(data, dict):
        lines = tuple(OrderLine(*line) for line in data["lines"])
        charges = tuple(Charge(*charge) for charge in data["charges"])
        return Content(data["label"], data["country"], data["placed"], data["currency"], lines, charges)
    label, country, placed_ms, currency, lines, charges, region, *referral = data
    return Content(
        label=label,
        country=country,
        placed_ms=placed_ms,
        currency=currency,
        lines=tuple(_decode_line(line) for line in lines),
        charges=tuple(Charge(*charge) for charge in charges),
        region=region,
        referral=_decode_referral(referral[0]) if referral else None,
    )


def _decode_referral(data: Sequence[Any]) -> Referral:
    source, medium, campaign, evidence, consent = data
    return Referral(source, medium, campaign, evidence, bool(consent))


def _encode_referral(referral: Referral) -> list[Any]:
    return [referral.source, referral.medium, referral.campaign, referral.evidence, int(referral.consent)]


def _decode_line(data: Sequence[Any]) -> OrderLine:
    full = [*data, *(0, "", 0, "", 0, 0, 0, 0, "", [], 0)[len(data) :]]
    line_id, sku, channel_sku, title, price, discount, tax, no_goods, listing_ref, components, release_ms = full
    return OrderLine(
        line_id=line_id,
        sku=sku,
        channel_sku=sku if channel_sku == 0 else channel_sku,
        title=title,
        price_minor=price,
        discount_minor=discount,
        tax_minor=tax,
        ships=not no_goods,
        listing_ref=listing_ref,
        components=tuple((part, each) for part, each in components),
        release_ms=release_ms,
    )


def _encode_units(units: Quantities) -> list[Any]:
    numbers = [units.ordered, units.cancelled, units.backordered, units.shipped, units.returned]
    return _trimmed([*numbers, units.cancel_wanted, dict(units.allocations), units.called_off, units.cancel_refused])


def _decode_units(data: Sequence[Any]) -> Quantities:
    full = [*data, *(0, 0, 0, 0, 0, 0, {}, 0, 0)[len(data) :]]
    ordered, cancelled, backordered, shipped, returned, cancel_wanted, allocations, called_off, refused = full
    return Quantities(
        ordered, cancelled, allocations, backordered, shipped, returned, cancel_wanted, called_off, refused
    )


def _encode_shipment(parcel: Shipment) -> list[Any]:
    """How it is tracked comes last, and only where that is known."""
    named = [parcel.shipment_id, parcel.location, parcel.carrier, parcel.tracking_number]
    tracked = [parcel.tracking, parcel.delivered_ms] if parcel.tracking else []
    return [*named, parcel.shipped_ms, _out(parcel.items), parcel.confirmed_ms, *tracked]


def _decode_shipment(data: Sequence[Any]) -> Shipment:
    shipment_id, location, carrier, tracking_number, shipped_ms, items, *rest = data
    return Shipment(shipment_id, location, carrier, tracking_number, shipped_ms, _in(items), *rest)


def _encode_timeline(timeline: Sequence[Happening]) -> list[Any]:
    """Times as the distance from the line before, the stage before only where it is not the last one's after."""
    lines, at_ms, stage = [], 0, ""
    for each in timeline:
        before = each.before if each.before != stage else 0
        lines.append([each.at_ms - at_ms, each.actor, each.move, each.cause, before, each.after])
        at_ms, stage = each.at_ms, each.after
    return lines


def _decode_timeline(lines: Sequence[Any]) -> tuple[Happening, ...]:
    timeline, at_ms, stage = [], 0, ""
    for since_ms, actor, move, cause, before, after in lines:
        at_ms += since_ms
        timeline.append(Happening(at_ms, actor, move, cause, stage if before == 0 else before, after))
        stage = after
    return tuple(timeline)


def _trimmed(values: list[Any]) -> list[Any]:
    """Without the dull values at the end, which `decode_*` puts back."""
    while values and not values[-1]:
        values.pop()
    return values


def _out(items: Mapping[int, int]) -> dict[str, int]:
    return {str(index): units for index, units in items.items()}


def _in(items: Mapping[str, int]) -> dict[int, int]:
    return {int(index): units for index, units in items.items()}
