"""The report of referrals: what came of the buyers that each source and campaign has sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chalice import Blueprint, Response

from chalicelib.domain.attribution import UNKNOWN
from chalicelib.domain.errors import Refused
from chalicelib.domain.margin import Outlay, margin_minor, outlay_of, parts_kept
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order, refunded_minor, total_units
from chalicelib.inbound.guard import answer, guarded
from chalicelib.runtime.wiring import runtime
from chalicelib.store.labels import BOUGHT, labels_of
from chalicelib.store.listings import read_skus
from chalicelib.store.referrals import orders_of_day
from chalicelib.store.tables import Tables

blueprint = Blueprint(__name__)

_MOST_DAYS = 31
_MOST_NAMED = 20  # things of which no amount is known
_EPOCH_DAY = date(1970, 1, 1).toordinal()


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
    orders = [order for day in range(first, last + 1) for order in orders_of_day(tables, day)]
    return answer({"referrals": report(tables, orders)})


def report(tables: Tables, orders: Iterable[Order]) -> list[dict[str, Any]]:
    """One row for each source, medium, campaign and currency, the largest revenue of each currency first."""
    known = [order for order in orders if order.content and order.content.referral]
    skus = read_skus(tables, [name for order in known for name, _ in parts_kept(order)])
    rows: dict[tuple[str, str, str, str], _Sums] = {}
    for order in known:
        content = order.content
        if content and content.referral:
            told = content.referral
            sums = rows.setdefault((told.source, told.medium, told.campaign, content.currency), _Sums())
            _add(sums, order, outlay_of(order, skus, _postage(tables, order)))
    ranked = sorted(rows.items(), key=lambda row: (row[0][3], -row[1].revenue_minor, row[0]))
    return [_row(key, sums) for key, sums in ranked]


def _postage(tables: Tables, order: Order) -> list[tuple[int, str]]:
    """The price and currency of each label that was bought for an order here."""
    if not order.state.fulfilment and not order.state.shipments:
        return []
    bought = [label.bought for label in labels_of(tables, order.order_id) if label.status in BOUGHT]
    return [(int(each["amount_minor"]), str(each["currency"])) for each in bought]


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


def _row(key: tuple[str, str, str, str], sums: _Sums) -> dict[str, Any]:
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


def _day(query: Any, name: str) -> int:
    try:
        return date.fromisoformat(query.get(name, "")).toordinal() - _EPOCH_DAY
    except ValueError:
        raise Refused("bad_request", f"{name} must be a day, YYYY-MM-DD") from None
