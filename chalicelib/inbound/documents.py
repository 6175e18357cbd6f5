"""Papers for the warehouse, as PDF: what goes into an order's boxes, and what is to be fetched from the shelves.

They bear no personal data: the address stands on the label, which the API does not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from chalice import Blueprint, Response

from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import is_funded
from chalicelib.domain.orders import Order
from chalicelib.inbound.api import known_order
from chalicelib.inbound.guard import answer, guarded, page_limit
from chalicelib.inbound.pdf import A4_PT, ADVANCE, Text, pdf
from chalicelib.runtime.wiring import runtime
from chalicelib.store.accounts import channels, read_locations
from chalicelib.store.orders import list_order_ids, read_orders

blueprint = Blueprint(__name__)

Row = tuple[int, str, str]  # units, SKU, title

_MARGIN_PT, _LINE_PT, _SIZE_PT = 50, 15, 10
_UNITS_WIDTH, _SKU_WIDTH = 7, 26  # characters
_ROWS = 42  # of one page


@blueprint.route("/api/orders/{order_id}/packing-slip", methods=["GET"])
@guarded
def packing_slip(order_id: str) -> Response:
    """What goes into the boxes: the units allocated, else those that have left. Query: location (default all). Send
    Accept: application/pdf. 409 when there is nothing to pack."""
    query: Any = blueprint.current_request.query_params or {}
    location = query.get("location", "")
    order = known_order(order_id, runtime())
    rows = packed(order, location)
    if not rows:
        where = f" at {location!r}" if location else ""
        raise Refused("not_allocated", f"nothing of {order.order_id} is allocated or has left{where}")
    placed = datetime.fromtimestamp(order.content.placed_ms / 1000, UTC).date().isoformat()
    about = [f"Order {order.content.label}", order.order_id, f"Placed {placed}", *([location] if location else [])]
    return _pdf(sheets("Packing slip", about, rows))


@blueprint.route("/api/picklist", methods=["GET"])
@guarded
def pick_list() -> Response:
    """What to fetch at a location for a page of the orders that may be shipped whole, first due first, summed by SKU.

    Query: location (default main), limit (orders, 1 to 100, default 25), cursor, format (pdf or json). The header
    X-Cursor, or `cursor`, continues it; "" or null at the end. A kit is fetched as its components.
    """
    query: Any = blueprint.current_request.query_params or {}
    location, shape = query.get("location", "main"), query.get("format", "pdf")
    ports = runtime()
    locations = ports.settled("locations", lambda: read_locations(ports.tables))
    if location not in locations:
        raise Refused("bad_request", f"location must be one of {', '.join(locations)}, not {location!r}")
    if shape not in ("pdf", "json"):
        raise Refused("bad_request", "format must be pdf or json")
    limit = page_limit(query.get("limit", "25"))
    ids, cursor = list_order_ids(ports.tables, channels(ports.tables), "shipping", limit, query.get("cursor", ""))
    read = read_orders(ports.tables, ids, content=True)
    orders = [read[name] for name in ids if name in read and _may_be_picked(read[name], location)]
    rows = picked(orders, location)
    if shape == "json":
        shown = [{"sku": sku, "units": units, "title": title} for units, sku, title in rows]
        return answer({"rows": shown, "orders": [order.order_id for order in orders], "cursor": cursor or None})
    about = [f"Location {location}", f"{len(orders)} orders", "more orders follow" if cursor else "no more orders"]
    return _pdf(sheets("Pick list", about, rows), cursor)


def packed(order: Order, location: str = "") -> list[Row]:
    """What goes into the boxes, in the order of its lines."""
    promised: Counter[int] = Counter()
    gone: Counter[int] = Counter()
    for index, units in enumerate(order.state.quantities):
        promised[index] += sum(n for place, n in units.allocations.items() if location in ("", place))
    for parcel in order.state.shipments:
        if location in ("", parcel.location):
            gone.update(parcel.items)
    found = +promised or +gone
    return [(units, order.lines[i].sku, order.lines[i].title) for i, units in sorted(found.items())]


def picked(orders: Iterable[Order], location: str) -> list[Row]:
    """What is fetched for these orders, by SKU."""
    sums: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for order in orders:
        for line, units in zip(order.lines, order.state.quantities, strict=True):
            wanted = units.allocations.get(location, 0)
            for sku, each in line.parts if wanted else ():
                sums[sku] += wanted * each
                titles.setdefault(sku, line.title if sku == line.sku else f"for {line.title}")
    return [(units, sku, titles[sku]) for sku, units in sorted(sums.items())]


def _may_be_picked(order: Order, location: str) -> bool:
    is_here = any(units.allocations.get(location) for units in order.state.quantities)
    return is_here and is_funded(order.state) and not order.state.holds


def sheets(title: str, about: Sequence[str], rows: Sequence[Row]) -> list[list[Text]]:
    """The rows on as many pages as they take, each with its heading."""
    starts = range(0, max(len(rows), 1), _ROWS)
    return [
        _sheet(f"{title}  {number}/{len(starts)}", about, rows[start : start + _ROWS])
        for number, start in enumerate(starts, 1)
    ]


def _sheet(title: str, about: Sequence[str], rows: Sequence[Row]) -> list[Text]:
    width, height = A4_PT
    room = int((width - 2 * _MARGIN_PT) / (_SIZE_PT * ADVANCE))
    texts = [Text(_MARGIN_PT, height - _MARGIN_PT - 10, title, 16, bold=True)]
    lines = [(each, False) for each in about]
    lines += [("", False), (_columns("Units", "SKU", "Title", room), True)]
    lines += [(_columns(str(units), sku, name, room), False) for units, sku, name in rows]
    lines += [("", False), (f"{sum(units for units, _, _ in rows)} units", True)]
    top = height - _MARGIN_PT - 35
    return texts + [
        Text(_MARGIN_PT, top - n * _LINE_PT, line[:room], _SIZE_PT, bold)
        for n, (line, bold) in enumerate(lines)
        if line
    ]


def _columns(units: str, sku: str, title: str, room: int) -> str:
    """A SKU that is too long is cut in its middle: both its ends tell it from others."""
    if len(sku) > _SKU_WIDTH:
        sku = f"{sku[: _SKU_WIDTH // 2 - 2]}...{sku[-(_SKU_WIDTH // 2 - 1) :]}"
    return f"{units:>{_UNITS_WIDTH}}  {sku:<{_SKU_WIDTH}}  {title}"[:room]


def _pdf(pages: Sequence[Sequence[Text]], cursor: str = "") -> Response:
    headers: dict[str, str | list[str]] = {"Content-Type": "application/pdf", "Cache-Control": "no-store"}
    if cursor:
        headers["X-Cursor"] = cursor
    return Response(body=pdf(pages), status_code=200, headers=headers)
