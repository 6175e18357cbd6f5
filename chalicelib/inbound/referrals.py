"""The report of referrals: what came of the buyers that each source and campaign has sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from chalice import Blueprint, Response

from chalicelib.domain.errors import Refused
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order, refunded_minor, total_units
from chalicelib.inbound.guard import answer, guarded
from chalicelib.runtime.wiring import runtime
from chalicelib.store.referrals import orders_of_day

blueprint = Blueprint(__name__)

_MOST_DAYS = 31
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass
class _Sums:
    orders: int = 0
    cancelled: int = 0
    revenue_minor: int = 0
    refunds_minor: int = 0
    fees_minor: int = 0
    units: int = 0
    returned_units: int = 0


@blueprint.route("/api/referrals", methods=["GET"])
@guarded
def referrals() -> Response:
    """What came of each source, medium and campaign. Query: from, to (YYYY-MM-DD, UTC, both included, 31 days at most).

    Revenue is what was charged for orders that were not called off; `fees` what payouts have shown to be kept.
    """
    query: Any = blueprint.current_request.query_params or {}
    first, last = _day(query, "from"), _day(query, "to")
    if not 0 <= last - first < _MOST_DAYS:
        raise Refused("bad_request", f"to must be from 0 to {_MOST_DAYS - 1} days after from")
    tables = runtime().tables
    return answer({"referrals": report(o for day in range(first, last + 1) for o in orders_of_day(tables, day))})


def report(orders: Iterable[Order]) -> list[dict[str, Any]]:
    """One row for each source, medium, campaign and currency, the largest revenue of each currency first."""
    rows: dict[tuple[str, str, str, str], _Sums] = {}
    for order in orders:
        content = order.content
        if content and content.referral:
            told = content.referral
            _add(rows.setdefault((told.source, told.medium, told.campaign, content.currency), _Sums()), order)
    ranked = sorted(rows.items(), key=lambda row: (row[0][3], -row[1].revenue_minor, row[0]))
    return [_row(key, sums) for key, sums in ranked]


def _add(sums: _Sums, order: Order) -> None:
    state, units = order.state, total_units(order.state.quantities)
    sums.orders += 1
    sums.cancelled += state.cancelled
    sums.revenue_minor += 0 if state.cancelled else state.total_minor
    sums.refunds_minor += refunded_minor(state)
    sums.fees_minor += state.fees_minor
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
        "units": sums.units,
        "returned_units": sums.returned_units,
    }


def _day(query: Any, name: str) -> int:
    try:
        return date.fromisoformat(query.get(name, "")).toordinal() - _EPOCH_DAY
    except ValueError:
        raise Refused("bad_request", f"{name} must be a day, YYYY-MM-DD") from None
