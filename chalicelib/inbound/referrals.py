"""The report of referrals: what came of the buyers that each source and campaign has sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from chalice import Blueprint, Response

from chalicelib.domain.attribution import UNKNOWN
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Refused
from chalicelib.domain.margin import Outlay, margin_minor, outlay_of, parts_kept
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order, refunded_minor, total_units
from chalicelib.inbound.guard import answer, guarded
from chalicelib.runtime.wiring import runtime
from chalicelib.store.labels import postage_of
from chalicelib.store.listings import read_skus
from chalicelib.store.orders import read_orders
from chalicelib.store.referrals import referred_on
from chalicelib.store.tables import Tables

blueprint = Blueprint(__name__)

_MOST_DAYS = 31
_MOST_ORDERS = 10_000  # measured: twice as many might outlast API Gateway's 29 seconds
_READ_TOGETHER = 100
_MOST_NAMED = 20  # things of which no amount is known
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Kind = tuple[str, str, str, str]  # source, medium, campaign, currency


@dataclass
class _Sums:
    orders: int = 0
    cancelled: int = 0
    revenue_minor: int = 0
    refunds_minor: int = 0
    fees_minor: int = 0
    goods_minor: int = 0
    postage_minor: int = 0
    margin_minor: int = 0
    unsettled: int = 0
    units: int = 0
    returned_units: int = 0
    unknown: dict[str, None] = field(default_factory=dict)


@blueprint.route("/api/referrals", methods=["GET"])
@guarded
def referrals() -> Response:
    """What came of each source, medium and campaign. Query: from, to (YYYY-MM-DD, UTC, both included, 31 days at most).

    Revenue is what was charged for orders that were not called off, taxes and all; `fees` what payouts have shown to be
    kept, while `unsettled` orders are in none yet. Where the cost of an item is not known, nor is the margin:
    `unknown` names what is missing.
    """
    query: Any = blueprint.current_request.query_params or {}
    first, last = _day(query, "from"), _day(query, "to")
    if not 0 <= last - first < _MOST_DAYS:
        raise Refused("bad_request", f"to must be from 0 to {_MOST_DAYS - 1} days after from")
    tables = runtime().tables
    return answer({"referrals": report(tables, _order_ids(tables, first, last))})


def _order_ids(tables: Tables, first: int, last: int) -> list[str]:
    """The orders referred from the first to the last of these days. Raises `Refused` where they are too many."""
    found: list[str] = []
    for day in range(first, last + 1):
        found += islice(referred_on(tables, day), _MOST_ORDERS + 1 - len(found))
        if len(found) > _MOST_ORDERS:
            remedy = f"to must be before {_date_of(day)}" if day > first else f"from: {_date_of(day)} is too much"
            raise Refused("too_many_orders", f"{remedy}: one answer adds up {_MOST_ORDERS} orders at most")
    return found


def report(tables: Tables, order_ids: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each source, medium, campaign and currency, the largest revenue of each currency first."""
    rows: dict[Kind, _Sums] = {}
    skus: dict[str, Sku] = {}
    for start in range(0, len(order_ids), _READ_TOGETHER):
        _add_up(tables, order_ids[start : start + _READ_TOGETHER], skus, rows)
    ranked = sorted(rows.items(), key=lambda row: (row[0][3], -row[1].revenue_minor, row[0]))
    return [_row(key, sums) for key, sums in ranked]


def _add_up(tables: Tables, order_ids: Sequence[str], skus: dict[str, Sku], rows: dict[Kind, _Sums]) -> None:
    """Add these orders to their rows; what is not known of their SKUs yet is read into `skus`."""
    found = read_orders(tables, order_ids, content=True)
    known = {name: order for name, order in found.items() if order.content and order.content.referral}
    skus |= read_skus(tables, {part for order in known.values() for part, _ in parts_kept(order)} - skus.keys())
    postage = postage_of(tables, known)
    for name, order in known.items():
        content = order.content
        if content and content.referral:
            told = content.referral
            sums = rows.setdefault((told.source, told.medium, told.campaign, content.currency), _Sums())
            _add(sums, order, outlay_of(order, skus, postage.get(name, ())))


def _add(sums: _Sums, order: Order, outlay: Outlay) -> None:
    state, units = order.state, total_units(order.state.quantities)
    sums.orders += 1
    sums.cancelled += state.cancelled
    sums.revenue_minor += 0 if state.cancelled else state.total_minor
    sums.refunds_minor += refunded_minor(state)
    sums.fees_minor += state.fees_minor
    sums.goods_minor += outlay.goods_minor
    sums.postage_minor += outlay.postage_minor
    sums.margin_minor += margin_minor(order, outlay)
    sums.unsettled += state.total_minor > 0 and not state.cancelled and not state.payouts
    sums.unknown |= dict.fromkeys(outlay.unknown)
    sums.units += units["ordered"] - units["cancelled"]
    sums.returned_units += units["returned"]


def _row(key: Kind, sums: _Sums) -> dict[str, Any]:
    source, medium, campaign, currency = key
    return {
        "source": source,
        "medium": medium,
        "campaign": campaign,
        "currency": currency,
        "orders": sums.orders,
        "cancelled": sums.cancelled,
        "revenue": to_text(sums.revenue_minor, currency),
        "refunds": to_text(sums.refunds_minor, currency),
        "fees": to_text(sums.fees_minor, currency),
        "cost_of_goods": _text(sums.goods_minor, currency, sums.unknown, "cost"),
        "postage": _text(sums.postage_minor, currency, sums.unknown, "postage"),
        "margin": _text(sums.margin_minor, currency, sums.unknown, ""),
        "unknown": list(sums.unknown)[:_MOST_NAMED],
        "unsettled": sums.unsettled,
        "units": sums.units,
        "returned_units": sums.returned_units,
    }


def _text(minor: int, currency: str, unknown: Iterable[str], kind: str) -> str:
    """The amount, or that it is not known because something of its kind is not."""
    return UNKNOWN if any(name.startswith(kind) for name in unknown) else to_text(minor, currency)


def _date_of(day: int) -> date:
    return date.fromordinal(day + _EPOCH_DAY)


def _day(query: Any, name: str) -> int:
    try:
        return date.fromisoformat(query.get(name, "")).toordinal() - _EPOCH_DAY
    except ValueError:
        raise Refused("bad_request", f"{name} must be a day, YYYY-MM-DD") from None
