"""Telling of a parcel: the Shipment Tracking plugin where the shop has it, else a note to the customer.

Neither takes a key of ours, so each is made by `once`. Jobs beside its own:
    tracking            {absent_ms}: the shop had no such plugin at that time; looked for again after a day
    shipped/<order>     {shipment id: {line id: units}}: what we have shipped, to know when that is all of it
Source: wc-v3-index.json (notes); samples shipment_tracking_multiple, order-notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import ShipmentConfirmation
from chalicelib.channels.woocommerce.once import once
from chalicelib.channels.woocommerce.orders import order_path, read_order
from chalicelib.channels.woocommerce.reader import refund_lines
from chalicelib.channels.woocommerce.wire import WC, Declined, WooWire, having_id, listed

TRACKING = "/wp-json/wc-shipment-tracking/v3"
_LOOK_AGAIN_MS = 86_400_000
_NO_ROUTE = "rest_no_route"
_OPEN = ("processing", "on-hold", "pending")
# The plugin's own names of carriers; it makes links for these only.
_PROVIDERS = {"ups": "UPS", "usps": "USPS", "fedex": "Fedex", "dhl": "DHL US", "dpd": "DPD.co.uk"}


def tell(wire: WooWire, jobs: Jobs, external_id: str, parcel: ShipmentConfirmation, now_ms: int) -> None:
    """Tell of a parcel once, and call the order completed when all of it has left."""
    shipped = _remembered(jobs, external_id, parcel)
    if not _told_by_plugin(wire, jobs, external_id, parcel, now_ms):
        note_once(wire, jobs, external_id, parcel.shipment_id, _words(parcel), now_ms, to_customer=True)
    order = read_order(wire, external_id)
    if str(order.get("status")) in _OPEN and _is_all(wire, order, shipped):
        having_id(wire.send("PUT", order_path(external_id), {"status": "completed"}))


def note_once(
    wire: WooWire, jobs: Jobs, external_id: str, ref: str, text: str, now_ms: int, *, to_customer: bool
) -> None:
    """Write a note that carries `ref`, unless there is one that does."""
    path, mark = f"{order_path(external_id)}/notes", f"[{ref}]"
    note = {"note": f"{text} {mark}", "customer_note": to_customer}

    def is_there() -> bool:
        return any(mark in str(each.get("note")) for each in listed(wire.get(path)))

    once(jobs, f"told/{external_id}/{ref}", now_ms, is_there, lambda: having_id(wire.send("POST", path, note)))


def _remembered(jobs: Jobs, external_id: str, parcel: ShipmentConfirmation) -> Counter[str]:
    name = f"shipped/{external_id}"
    known = dict(jobs.get(name) or {})
    if parcel.shipment_id not in known:
        known[parcel.shipment_id] = dict(parcel.items)
        jobs.put(name, known)
    return sum((Counter({line: int(units) for line, units in lines.items()}) for lines in known.values()), Counter())


def _told_by_plugin(wire: WooWire, jobs: Jobs, external_id: str, parcel: ShipmentConfirmation, now_ms: int) -> bool:
    """False where there is no plugin, or nothing that it takes: it has no parcel without a number."""
    absent = jobs.get("tracking")
    if not parcel.tracking_number.strip() or (absent and now_ms - int(absent["absent_ms"]) < _LOOK_AGAIN_MS):
        return False
    path = f"{TRACKING}{order_path(external_id).removeprefix(WC)}/shipment-trackings"
    number = _plain(parcel.tracking_number)

    def is_there() -> bool:
        return any(_plain(str(each.get("tracking_number") or "")) == number for each in listed(wire.get(path)))

    name = f"told/{external_id}/{parcel.shipment_id}"
    try:
        once(jobs, name, now_ms, is_there, lambda: wire.send("POST", path, _tracking(parcel)))
    except Declined as declined:
        if declined.status != 404 or declined.code != _NO_ROUTE:
            raise
        jobs.put("tracking", {"absent_ms": now_ms})
        return False
    return True


def _tracking(parcel: ShipmentConfirmation) -> dict[str, Any]:
    carrier = parcel.carrier.strip()
    known = _PROVIDERS.get(carrier.lower())
    provider = {"tracking_provider": known} if known else {"custom_tracking_provider": carrier}
    shipped_on = datetime.fromtimestamp(parcel.shipped_ms / 1000, UTC).strftime("%Y-%m-%d")
    return {**provider, "tracking_number": parcel.tracking_number.strip(), "date_shipped": shipped_on}


def _words(parcel: ShipmentConfirmation) -> str:
    by = f" with {parcel.carrier.strip()}" if parcel.carrier.strip() else ""
    number = parcel.tracking_number.strip()
    return f"A parcel has left{by}{f', tracking number {number}' if number else ''}."


def _is_all(wire: WooWire, order: Mapping[str, Any], shipped: Counter[str]) -> bool:
    """Whether nothing is left but what was refunded, and products that are virtual."""
    root = Node(order)
    off: Counter[str] = sum((refund_lines(refund) for refund in root.each("refunds")), Counter())
    left = [
        line
        for line in root.each("line_items")
        if line.whole("quantity") > shipped[line.text("id")] + off[line.text("id")]
    ]
    if not left:
        return True
    products = {line.text("product_id") for line in left}
    if "0" in products or any(line.whole("variation_id") for line in left):
        return False
    found = wire.pages(f"{WC}/products", include=",".join(sorted(products)))
    return products <= {str(each.get("id")) for each in found if each.get("virtual") is True}


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
