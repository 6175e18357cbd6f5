"""How the stand-in Shopify divides an order into fulfilment orders, which are held, scheduled, split and moved.

An order has one until somebody in the shop divides it. Each change is told, and leaves the order's own time alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from local.marketplaces.shelf import Change, Sale
from local.marketplaces.shopify_back_office import FulfilmentOrder

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

_FIRST = 7_000_000_000_000
_MOST_ORDERS = 10**7
_GID = "gid://shopify/FulfillmentOrder/"


def gid(part: FulfilmentOrder) -> str:
    """Its global id."""
    return f"{_GID}{part.number}"


def line_gid(part: FulfilmentOrder, line_id: str) -> str:
    """The global id of a line inside its fulfilment order."""
    return f"gid://shopify/FulfillmentOrderLineItem/{(part.number - _FIRST) // _MOST_ORDERS + 3}{int(line_id):016}"


def parts(shop: Shopify, sale: Sale) -> list[FulfilmentOrder]:
    """An order's fulfilment orders with what each still has to ship; called-off units leave the first ones."""
    known = shop.office.fulfilment.get(sale.order_id)
    if known is None:
        units = {line.line_id: sale.open_units(line.line_id) for line in sale.lines}
        return [FulfilmentOrder(_FIRST + sale.number, units, sale.updated_at, location=shop.location)]
    for line in sale.lines:
        beyond = sum(part.units.get(line.line_id, 0) for part in known) - sale.open_units(line.line_id)
        for part in known:
            taken = min(beyond, part.units.get(line.line_id, 0))
            if taken > 0:
                part.units[line.line_id] -= taken
                beyond -= taken
    return known


def part_of(shop: Shopify, sale: Sale, number: int = 0) -> FulfilmentOrder:
    """One of them, the first when none is named, as it is kept from now on."""
    known = shop.office.fulfilment.setdefault(sale.order_id, parts(shop, sale))
    return next(part for part in known if number in (0, part.number))


def next_number(shop: Shopify, sale: Sale) -> int:
    """The number of one more fulfilment order of an order that is divided already."""
    return _FIRST + sale.number + len(shop.office.fulfilment[sale.order_id]) * _MOST_ORDERS


def find(shop: Shopify, global_id: str) -> tuple[Sale, FulfilmentOrder] | None:
    """The order and the fulfilment order behind gid://shopify/FulfillmentOrder/N."""
    number = global_id.removeprefix(_GID)
    sale = shop.shelf.sales.get(shop.order_id((int(number) - _FIRST) % _MOST_ORDERS)) if number.isdecimal() else None
    found = [part for part in parts(shop, sale) if gid(part) == global_id] if sale else []
    return (sale, found[0]) if sale and found else None


def status(sale: Sale, part: FulfilmentOrder) -> str:
    """FulfillmentOrderStatus"""
    if sale.cancelled_at or not any(part.units.values()):
        return "CLOSED"
    if part.holds:
        return "ON_HOLD"
    if part.fulfil_at:
        return "SCHEDULED"
    return "IN_PROGRESS" if sale.shipped_units else "OPEN"


def hold(shop: Shopify, sale: Sale, now: datetime, reason: str = "OTHER", number: int = 0) -> None:
    """Somebody holds it; one may be held for several reasons."""
    part = part_of(shop, sale, number)
    part.holds.append(reason)
    _told(shop, sale, part, now, "placed_on_hold")


def release(shop: Shopify, sale: Sale, now: datetime, number: int = 0) -> None:
    """All its holds are taken away."""
    part = part_of(shop, sale, number)
    part.holds = []
    _told(shop, sale, part, now, "hold_released")


def schedule(shop: Shopify, sale: Sale, now: datetime, fulfil_at: datetime | None, number: int = 0) -> None:
    """It is to wait until then; None: it is due."""
    part = part_of(shop, sale, number)
    part.fulfil_at = fulfil_at
    _told(shop, sale, part, now, "rescheduled" if fulfil_at else "scheduled_fulfillment_order_ready")


def split(shop: Shopify, sale: Sale, now: datetime, units: dict[str, int], *, topic: str = "split") -> FulfilmentOrder:
    """So many units go into a fulfilment order of their own."""
    part = part_of(shop, sale)
    new = FulfilmentOrder(next_number(shop, sale), dict(units), now, location=part.location)
    part.units = {line_id: left - units.get(line_id, 0) for line_id, left in part.units.items()}
    shop.office.fulfilment[sale.order_id].append(new)
    _told(shop, sale, part, now, topic)
    return new


def move(shop: Shopify, sale: Sale, now: datetime, location: int, *, service: bool = False) -> FulfilmentOrder:
    """All that the first one has to ship is shipped from elsewhere, by another one."""
    new = split(shop, sale, now, dict(part_of(shop, sale).units), topic="moved")
    new.location, new.service = location, service
    return new


def _told(shop: Shopify, sale: Sale, part: FulfilmentOrder, now: datetime, event: str) -> None:
    part.updated_at = now
    shop.shelf.changes.append(Change(sale.order_id, f"fulfillment_orders/{event}", now))
