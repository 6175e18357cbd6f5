"""How orders and stock look from outside: plain JSON, amounts as decimal text with their currency, times in Unix ms.

An allow-list: nothing that is stored reaches a reader unless it is named here. Personal data is not.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.attribution import Referral
from chalicelib.domain.availability import AvailabilityRule, published, sellable
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.lifecycle import funding, is_funded, outstanding_minor, stage, status
from chalicelib.domain.money import to_text
from chalicelib.domain.moves import open_moves
from chalicelib.domain.orders import Order, OrderLine, Quantities, collectible_minor, refunded_minor, total_units
from chalicelib.domain.stock import Stock
from chalicelib.store.explain import Explanation
from chalicelib.store.listings import ChannelRule, Entry, Listing

_MOST_MOVEMENTS = 200  # shown of one SKU, newest first


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
        "referral": _referral(content.referral),
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
            "captor": state.payment.captor,
            "void": state.void,
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
                "tracking": s.tracking,
                "delivered_ms": s.delivered_ms,
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
        "captures": {
            name: {"amount": text(c.amount_minor), "taken": text(c.taken_minor), "status": c.status, "detail": c.detail}
            for name, c in state.captures.items()
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


def _referral(referral: Referral | None) -> dict[str, str] | None:
    """Null for an order of which nobody has told how its buyer came."""
    if referral is None:
        return None
    names = ("source", "medium", "campaign", "evidence")
    return {name: getattr(referral, name) for name in names}


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


def stock_units(stock: Stock) -> dict[str, int]:
    """The numbers of one record."""
    return {
        "on_hand": stock.on_hand,
        "allocated": stock.allocated,
        "available": stock.available,
        "safety_stock": stock.safety_stock,
        "incoming": stock.incoming,
    }


def stock_row(sku: Sku, stock: Mapping[str, Sequence[Stock]]) -> dict[str, Any]:
    """One SKU of a list: sums over its locations; of a kit what its components make. `stock`: by SKU, its parts too."""
    sums = Counter[str]()
    for place in stock[sku.sku]:
        sums.update(stock_units(place))
    return {
        "sku": sku.sku,
        "title": sku.title,
        "is_kit": bool(sku.components),
        **{name: sums[name] for name in ("on_hand", "allocated", "safety_stock", "incoming")},
        "available": sellable(sku, stock),
    }


def stock_view(entry: Entry, stock: Mapping[str, Sequence[Stock]], rules: Mapping[str, ChannelRule]) -> dict[str, Any]:
    """One SKU over its locations, and for each channel how much it may show (`published`), what it acknowledged last
    (`shown`) and how long that took from the change of stock (`latency_ms`). Null until there is one."""
    available = sellable(entry.sku, stock)
    return {
        "sku": entry.sku.sku,
        "title": entry.sku.title,
        "available": available,
        "release_ms": entry.sku.release_ms or None,
        "components": [
            {"sku": part, "units": units, "available": sum(place.available for place in stock[part])}
            for part, units in entry.sku.components
        ],
        "kits": list(entry.kits),
        "locations": [{"location": place.location, **stock_units(place)} for place in stock[entry.sku.sku]],
        "listings": [_listing_view(listing, available, rules[listing.channel].rule) for listing in entry.listings],
    }


def _listing_view(listing: Listing, available_units: int, channel_rule: AvailabilityRule) -> dict[str, Any]:
    return {
        "channel": listing.channel,
        "channel_sku": listing.channel_sku,
        "rule": {**vars(listing.rule or channel_rule), "inherited": listing.rule is None},
        "published": published(listing.rule or channel_rule, available_units),
        "shown": listing.acked_quantity if listing.acked_ms else None,
        "acknowledged_ms": listing.acked_ms or None,
        "latency_ms": listing.acked_ms - listing.changed_ms if listing.acked_ms else None,
    }


def explanation_view(found: Explanation) -> dict[str, Any]:
    """Each location's numbers with the sums of its movements by kind, who holds what is promised, and the newest
    movements. `balanced`: the numbers are exactly what movements and orders say."""
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for movement in found.movements:
        by_kind[movement.location][movement.kind] += movement.units
    newest = heapq.nlargest(_MOST_MOVEMENTS, found.movements, key=lambda m: (m.at_ms, m.kind, m.movement_id))
    return {
        "sku": found.sku,
        "balanced": not any(found.problems.values()),
        "locations": [
            {
                "location": place.location,
                **stock_units(place),
                "movements": dict(sorted(by_kind[place.location].items())),
                "problems": found.problems[place.location],
            }
            for place in found.places
        ],
        "held": [{"order": order, "location": location, "units": units} for order, location, units in found.held],
        "movements_in_all": len(found.movements),
        "movements": [
            {
                "at_ms": movement.at_ms,
                "kind": movement.kind,
                "movement_id": movement.movement_id,
                "location": movement.location,
                "units": movement.units,
                "cause": movement.cause,
            }
            for movement in newest
        ],
    }
