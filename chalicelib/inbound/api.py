"""The API's reads, and the console's page. Reads stored counters and keyed queries; never a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from chalice import Blueprint, Response

from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import ALLOWANCE_MS, CLOSED, STAGES, stage
from chalicelib.domain.orders import Order
from chalicelib.inbound.guard import answer, guarded, page_limit
from chalicelib.inbound.views import order_detail, order_summary
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import channels
from chalicelib.store.counters import read_counts
from chalicelib.store.orders import list_order_ids, oldest_since_ms, read_order, read_orders

blueprint = Blueprint(__name__)

_CLOSED_PAGES = 10  # pages of newest orders looked through for closed ones, which no index holds
_CONSOLE = Path(__file__).resolve().parents[2] / "console" / "index.html"


@blueprint.route("/", methods=["GET"])
def console() -> Response:
    """The console's page. It holds no data: it asks the API, with the token that its user gives it."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Response(body=_CONSOLE.read_text(encoding="utf-8"), status_code=200, headers=headers)


@blueprint.route("/api/stages", methods=["GET"])
@guarded
def stages() -> Response:
    """Orders by channel and stage, how long the order due first has waited in each stage, and how many are on hold."""
    ports = runtime()
    counts = read_counts(ports.tables)
    by_channel = {channel: {name: found.get(name, 0) for name in STAGES} for channel, found in sorted(counts.items())}
    return answer(
        {
            "channels": by_channel,
            "oldest_waiting_s": {name: _waiting_s(name, by_channel, ports) for name in ALLOWANCE_MS},
            "on_hold": sum(found.get("on_hold", 0) for found in counts.values()),
        }
    )


def _waiting_s(stage_name: str, by_channel: dict[str, dict[str, int]], ports: Runtime) -> int:
    since = [
        oldest_since_ms(ports.tables, stage_name, channel)
        for channel, counts in by_channel.items()
        if counts[stage_name] > 0
    ]
    oldest = min((ms for ms in since if ms), default=0)
    return max((ports.clock() - oldest) // 1000, 0) if oldest else 0


@blueprint.route("/api/orders", methods=["GET"])
@guarded
def orders() -> Response:
    """A page of orders. Query: stage, channel, limit (1 to 100, default 25), cursor.

    Open stages list what is due first; everything else lists the newest first. `cursor` is null on the last page.
    """
    query: Any = blueprint.current_request.query_params or {}
    stage_name, channel = query.get("stage", ""), query.get("channel", "")
    if stage_name and stage_name not in STAGES:
        raise Refused("bad_request", f"stage must be one of {', '.join(STAGES)}")
    ports = runtime()
    names = [channel] if channel else sorted({*read_counts(ports.tables), *channels(ports.tables)})
    page, cursor = _page(ports, names, stage_name, page_limit(query.get("limit", "25")), query.get("cursor", ""))
    return answer({"orders": [order_summary(order) for order in page], "cursor": cursor or None})


def _page(ports: Runtime, names: list[str], stage_name: str, limit: int, cursor: str) -> tuple[list[Order], str]:
    closed = stage_name in CLOSED
    found: list[Order] = []
    for _ in range(_CLOSED_PAGES if closed else 1):
        ids, cursor = list_order_ids(ports.tables, names, "" if closed else stage_name, limit, cursor)
        read = read_orders(ports.tables, ids, content=True)
        found += [read[i] for i in ids if i in read and (not closed or stage(read[i]) == stage_name)]
        if not cursor or len(found) >= limit:
            break
    return found, cursor


@blueprint.route("/api/orders/{order_id}", methods=["GET"])
@guarded
def order(order_id: str) -> Response:
    """One order with its lines, money, shipments and timeline."""
    return answer(order_detail(known_order(order_id, runtime())))


def known_order(order_id: str, ports: Runtime) -> Any:
    """The order with its content. Raises `Refused` (404) when there is none."""
    found = read_order(ports.tables, unquote(order_id), content=True)
    if found is None:
        raise Refused("unknown_order", f"no order {unquote(order_id)!r}; ids read channel:external-id")
    return found
