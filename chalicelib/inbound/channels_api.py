"""The API's views of channel accounts, and of the money that a channel has booked about an order.

Accounts are shown as `show_accounts` kept them, at most five minutes ago: access tokens stand beside what they are read
from, and what is open to the world must not reach those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

from chalice import Blueprint, Response

from chalicelib.channels.registry import PROCESSORS, kind_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import ALLOWANCE_MS
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order
from chalicelib.domain.settlement import LedgerFact, PayoutLine, told_ways
from chalicelib.inbound.api import known_order
from chalicelib.inbound.guard import answer, guarded, page_limit
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import channels
from chalicelib.store.counters import read_counts
from chalicelib.store.findings import Health, list_health, read_account_views, read_unlinked
from chalicelib.store.ledger import read_facts, read_payout_lines

blueprint = Blueprint(__name__)

T = TypeVar("T")
_NOT_SEEN: Mapping[str, Any] = {"settings": {}, "paused": None, "read_to_ms": 0, "payouts_read_to_ms": 0, "budgets": []}


@blueprint.route("/api/channels", methods=["GET"])
@guarded
def all_channels() -> Response:
    """Every channel account: kind, whether it is paused, how far it has been read, open orders, the last measures of
    the seller with the bad ones by name, and how many listed items are linked to no SKU."""
    ports = runtime()
    names = channels(ports.tables)
    views, counts = read_account_views(ports.tables, names), read_counts(ports.tables)
    return answer({"channels": [_summary(name, views.get(name, _NOT_SEEN), counts, ports) for name in names]})


@blueprint.route("/api/channels/{channel}", methods=["GET"])
@guarded
def one_channel(channel: str) -> Response:
    """One account with its settings (no secrets), measures of the last 30 days, calls left as they were counted last,
    and a page of its unlinked items. Query: limit (1 to 100, default 25), cursor. `cursor` is null on the last page."""
    ports, name = runtime(), unquote(channel)
    if name not in channels(ports.tables):
        raise Refused("unknown_channel", f"no channel account {name!r}")
    view = read_account_views(ports.tables, [name]).get(name, _NOT_SEEN)
    found = read_unlinked(ports.tables, name)
    page, cursor = _page(found.items)
    return answer(
        {
            **_summary(name, view, read_counts(ports.tables), ports),
            "settings": view["settings"],
            "health": [_health_view(each) for each in list_health(ports.tables, name)],
            "budgets": view["budgets"],
            "unlinked_items": [{"channel_sku": sku, "title": title} for sku, title in page],
            "unlinked_read_ms": found.read_ms or None,
            "cursor": cursor,
        }
    )


@blueprint.route("/api/orders/{order_id}/money", methods=["GET"])
@guarded
def money(order_id: str) -> Response:
    """What the channel, or who takes the money for it, has booked about one order: sums by kind, each amount counted
    once, a page of the amounts, oldest first, and what each payout said of it. Query: limit (1 to 100, default 25),
    cursor."""
    ports = runtime()
    order = known_order(order_id, ports)
    found = read_facts(ports.tables, order.channel, order.external_id)
    if _payer(order) != order.channel:
        found += read_facts(ports.tables, _payer(order), order.order_id)
    facts = sorted(found, key=lambda fact: (fact.at_ms, fact.fact_id))
    page, cursor = _page(facts)
    booked, stated = told_ways(facts)
    return answer(
        {
            "order": order.order_id,
            "sums": _sums((fact.currency, fact.kind, fact.amount_minor) for fact in booked or stated),
            "facts": [_fact_view(fact) for fact in page],
            "cursor": cursor,
            "payouts": [_payout_view(payout_id, order, ports) for payout_id in order.state.payouts],
        }
    )


def _payer(order: Order) -> str:
    """The account that pays the order's money out: a payment processor's, else the channel's."""
    captor = order.state.payment.captor
    return captor if kind_of(captor) in PROCESSORS else order.channel


def _summary(channel: str, view: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]], ports: Runtime) -> Any:
    by_stage = counts.get(channel, {})
    newest = next(iter(list_health(ports.tables, channel, 1)), None)
    return {
        "channel": channel,
        "kind": kind_of(channel),
        "paused": view["paused"],
        "read_to_ms": view["read_to_ms"] or None,
        "payouts_read_to_ms": view["payouts_read_to_ms"] or None,
        "open_orders": sum(by_stage.get(name, 0) for name in ALLOWANCE_MS),
        "on_hold": by_stage.get("on_hold", 0),
        "health": {"day": newest.day, "beyond_limit": _beyond(newest)} if newest else None,
        "unlinked": read_unlinked(ports.tables, channel).in_all,
    }


def _beyond(health: Health) -> list[str]:
    return sorted(metric["name"] for metric in health.metrics if metric.get("is_good") is False)


def _health_view(health: Health) -> dict[str, Any]:
    return {"day": health.day, "read_ms": health.read_ms, "metrics": health.metrics, "beyond_limit": _beyond(health)}


def _fact_view(fact: LedgerFact) -> dict[str, Any]:
    """`converted`: what it is in the currency that the order is paid in, where that is another, and at which rate."""
    sold = {"amount": to_text(fact.sold_minor, fact.sold_currency), "currency": fact.sold_currency, "rate": fact.rate}
    return {
        "fact_id": fact.fact_id,
        "kind": fact.kind,
        "amount": to_text(fact.amount_minor, fact.currency),
        "currency": fact.currency,
        "at_ms": fact.at_ms,
        "payout_id": fact.payout_id or None,
        "status": fact.status,
        "what": fact.what,
        "converted": sold if fact.sold_currency else None,
    }


def _payout_view(payout_id: str, order: Order, ports: Runtime) -> dict[str, Any]:
    """What one payout said of the order, and what of it counts for the order and as fees."""
    lines = read_payout_lines(ports.tables, _payer(order), payout_id, order.order_id)
    gross, fees = order.state.payouts[payout_id]
    currency = order.content.currency if order.content else ""
    return {
        "payout_id": payout_id,
        "paid_ms": lines[0].paid_ms if lines else None,
        "settled": {"amount": to_text(gross, currency), "currency": currency},
        "fees": {"amount": to_text(fees, currency), "currency": currency},
        "sums": _sums((line.currency, line.kind, line.amount_minor) for line in lines),
        "lines": [_line_view(line) for line in lines],
    }


def _line_view(line: PayoutLine) -> dict[str, Any]:
    amount = to_text(line.amount_minor, line.currency)
    return {"line_id": line.line_id, "kind": line.kind, "amount": amount, "currency": line.currency}


def _sums(amounts: Iterable[tuple[str, str, int]]) -> list[dict[str, str]]:
    """Sums by currency and kind."""
    sums: Counter[tuple[str, str]] = Counter()
    for currency, kind, amount_minor in amounts:
        sums[currency, kind] += amount_minor
    return [
        {"kind": kind, "amount": to_text(amount_minor, currency), "currency": currency}
        for (currency, kind), amount_minor in sorted(sums.items())
    ]


def _page(items: Sequence[T]) -> tuple[Sequence[T], str | None]:
    """One page by the query's limit and cursor, which is a position, and the cursor after it."""
    query: Any = blueprint.current_request.query_params or {}
    limit, cursor = page_limit(query.get("limit", "25")), query.get("cursor", "0")
    if not cursor.isdecimal() or len(cursor) > 6:
        raise Refused("bad_request", f"cursor must be one that an answer gave, not {cursor!r}")
    end = int(cursor) + limit
    return items[int(cursor) : end], str(end) if end < len(items) else None
