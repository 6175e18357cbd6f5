"""How orders and stock look from outside: plain JSON, amounts as decimal text with their currency, times in Unix ms.

An allow-list: nothing that is stored reaches a reader unless it is named here. Personal data is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.lifecycle import funding, is_funded, outstanding_minor, stage, status
from chalicelib.domain.money import to_text
from chalicelib.domain.moves import open_moves
from chalicelib.domain.orders import Order, OrderLine, Quantities, collectible_minor, refunded_minor, total_units
from chalicelib.domain.stock import Stock
from chalicelib.store.listings import Listing


def order_summary(order: Order) -> dict[str, Any]:
    """One row of a list."""
    content = order.content
    assert content
    state = order.state
    return {
        "id": order.order_id,
        "channel": order.channel,
        "external_id": order.external_id,
        "label": content.label,
        "country": content.country,
        "stage": stage(order),
        "status": status(order),
        "holds": [hold.reason for hold in state.holds],
        "total": {"amount": to_text(state.total_minor, content.currency), "currency": content.currency},
        "units": total_units(state.quantities),
        "placed_ms": state.placed_ms,
        "since_ms": state.since_ms,
        "due_ms": state.due_ms,
        "version": state.version,
        "timeline": [
            {
                "at_ms": h.at_ms,
                "actor": h.actor,
                "move": h.move,
                "cause": h.cause,
                "what": f"{h.move.replace('_', ' ')}: {h.cause}" if h.cause else h.move.replace("_", " "),
                "before": h.before,
                "after": h.after,
            }
            for h in state.timeline
        ],
    }


def order_detail(order: Order) -> dict[str, Any]:
    """Everything about one order but the buyer."""
    content = order.content
    assert content
    state = order.state

    def text(amount_minor: int) -> str:
        return to_text(amount_minor, content.currency)

    return {
        **order_summary(order),
        "lines": [
            _line(line, units, content.currency) for line, units in zip(order.lines, state.quantities, strict=True)
        ],
        "charges": [{"kind": c.kind, "amount": text(c.amount_minor), "label": c.label} for c in content.charges],
        "money": {
            "currency": content.currency,
            "funding": funding(state),
            "authorised_until_ms": state.payment.expires_ms,
            "charged": text(state.total_minor),
            "vouched": state.payment.vouched,
            "authorised": text(state.payment.authorised_minor),
            "captured": text(collectible_minor(state)),
            "refunded": text(refunded_minor(state)),
            "secured": text(state.secured_minor),
            "settled": text(state.settled_minor),
            "fees": text(state.fees_minor),
            "outstanding": text(outstanding_minor(state)),
        },
        "hold_details": [
            {"reason": h.reason, "detail": h.detail, "owner": h.owner, "since_ms": h.since_ms} for h in state.holds
        ],
        "shipments": [
            {
                "shipment_id": s.shipment_id,
                "location": s.location,
                "carrier": s.carrier,
                "tracking_number": s.tracking_number,
                "shipped_ms": s.shipped_ms,
                "confirmed_ms": s.confirmed_ms,
                "lines": _units_of(order, s.items),
            }
            for s in state.shipments
        ],
        "returns": {
            name: {
                "status": back.status,
                "location": back.location,
                "lines": _units_of(order, back.items),
                "restocked": _units_of(order, back.restocked),
                "exchange": back.exchange,
            }
            for name, back in state.returns.items()
        },
        "refunds": {
            name: {"amount": text(r.amount_minor), "reason": r.reason, "status": r.status, "detail": r.detail}
            for name, r in state.refunds.items()
        },
        "disputes": {
            name: {"amount": text(d.amount_minor), "status": d.status, "due_ms": d.due_ms}
            for name, d in state.disputes.items()
        },
        "cancellations": {
            name: {"status": each.status, "reason": each.reason, "lines": _units_of(order, each.items)}
            for name, each in state.cancellations.items()
        },
        "fulfilment": dict(state.fulfilment),
        "sourcing": dict(state.sourcing),
        "reserved_until_ms": 0 if is_funded(state) else state.reserved_until_ms,
        "linked_to": state.linked_to,
        "archived": state.archived,
        "open_moves": open_moves(order),
    }


def _units_of(order: Order, items: Mapping[int, int]) -> list[dict[str, Any]]:
    return [{"line_id": order.lines[index].line_id, "units": units} for index, units in items.items()]


def _line(line: OrderLine, units: Quantities, currency: str) -> dict[str, Any]:
    return {
        "line_id": line.line_id,
        "sku": line.sku,
        "channel_sku": line.channel_sku,
        "components": [{"sku": part, "units": each} for part, each in line.components],
        "release_ms": line.release_ms,
        "title": line.title,
        "amount": to_text(line.price_minor - line.discount_minor + line.tax_minor, currency),
        "units": total_units([units]),
        "to_cancel": units.to_cancel,
        "allocations": dict(units.allocations),
    }


def stock_view(sku: str, places: Sequence[Stock], listings: Sequence[Listing]) -> dict[str, Any]:
    """One SKU over its locations, and what each channel acknowledged last: how many units, and how long it took from
    the change of stock to the channel's word (`latency_ms`). Null until there is one."""
    return {
        "sku": sku,
        "available": sum(stock.available for stock in places),
        "locations": [
            {"location": s.location, "on_hand": s.on_hand, "allocated": s.allocated, "available": s.available}
            for s in places
        ],
        "listings": [
            {
                "channel": listing.channel,
                "channel_sku": listing.channel_sku,
                "shown": listing.acked_quantity if listing.acked_ms else None,
                "acknowledged_ms": listing.acked_ms or None,
                "latency_ms": listing.acked_ms - listing.changed_ms if listing.acked_ms else None,
            }
            for listing in listings
        ],
    }
