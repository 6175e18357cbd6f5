"""The seller's standing as GET_V2_SELLER_PERFORMANCE_REPORT shows it, reckoned from what he did.

Source: accountHealthReport-2020-11-18.json, whose names and required parts are kept where its example has others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_life import note_of
from local.marketplaces.amazon_order_body import SHIP_WITHIN
from local.marketplaces.shelf import Sale

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

LISTING_METRICS = (
    "listingPolicyViolations",
    "productAuthenticityCustomerComplaints",
    "productConditionCustomerComplaints",
    "productSafetyCustomerComplaints",
    "receivedIntellectualPropertyComplaints",
    "restrictedProductPolicyViolations",
    "suspectedIntellectualPropertyViolations",
    "foodAndProductSafetyIssues",
    "otherPolicyViolations",
    "documentRequests",
)


def report(market: Amazon) -> dict[str, Any]:
    """The whole report."""
    now = market.clock()
    sales = [sale for sale in market.shelf.sales.values() if note_of(market, sale).fulfilled_by == "MERCHANT"]
    shipped = [sale for sale in sales if sale.parcels]
    metrics = {
        "marketplaceId": market.marketplace_id,
        "invoiceDefectRate": _invoices(now),
        "lateShipmentRate": _late(now, _since(shipped, now, 30)),
        "orderDefectRate": {kind: _defects(now, kind) for kind in ("mfn", "afn")},
        "onTimeDeliveryRate": _on_time(now, _since(shipped, now, 30)),
        "unitOnTimeDeliveryRate": _units_on_time(now, _since(shipped, now, 14)),
        "validTrackingRate": _tracking(now, _since(shipped, now, 30)),
        "preFulfillmentCancellationRate": _cancelled(market, now, _since(sales, now, 7)),
        "warningStates": [],
        "accountHealthRating": {"ahrStatus": "GREAT", **_range(now, 180)},
        **{name: {"defectsCount": 0, **_target("GOOD", 0, "EQUALS"), **_range(now, 180)} for name in LISTING_METRICS},
    }
    status = {"marketplaceId": market.marketplace_id, "status": market.account_status}
    return {"accountStatuses": [status], "performanceMetrics": [metrics]}


def _since(sales: Sequence[Sale], now: datetime, days: int) -> list[Sale]:
    return [sale for sale in sales if sale.placed_at >= now - timedelta(days=days)]


def _range(now: datetime, days: int) -> dict[str, Any]:
    first, last = now - timedelta(days=days), now - timedelta(days=1)
    return {
        "reportingDateRange": {
            "reportingDateFrom": first.astimezone(UTC).strftime("%Y-%m-%dT00:00Z"),
            "reportingDateTo": last.astimezone(UTC).strftime("%Y-%m-%dT23:59Z"),
        }
    }


def _target(status: str, value: float, condition: str) -> dict[str, Any]:
    return {"status": status, "targetValue": value, "targetCondition": condition}


def _below(count: int, total: int, target: float) -> dict[str, Any]:
    """A rate that must be low."""
    rate = count / total if total else 0.0
    return {"rate": rate, **_target("GOOD" if rate < target else "BAD", target, "LESS_THAN")}


def _above(count: int, total: int, target: float) -> dict[str, Any]:
    """A rate that must be high; without shipments there is nothing to blame."""
    rate = count / total if total else 1.0
    return {"rate": rate, **_target("GOOD" if rate > target else "BAD", target, "GREATER_THAN")}


def _late(now: datetime, shipped: list[Sale]) -> dict[str, Any]:
    """Late is what was reported after the ship-by hour, whatever ship date the seller gave."""
    late = sum(min(each.reported_at for each in sale.parcels) > sale.placed_at + SHIP_WITHIN for sale in shipped)
    counts = {"orderCount": len(shipped), "lateShipmentCount": late}
    return {**counts, **_below(late, len(shipped), 0.04), **_range(now, 30)}


def _cancelled(market: Amazon, now: datetime, sales: list[Sale]) -> dict[str, Any]:
    """Orders that the seller cancelled; those the buyer asked to cancel do not count."""
    notes = [note_of(market, sale) for sale in sales]
    count = sum(
        not note.cancel_requested_at and any(by == "MERCHANT" for by, _ in note.cancelled.values()) for note in notes
    )
    counts = {"orderCount": len(sales), "cancellationCount": count}
    return {**counts, **_below(count, len(sales), 0.025), **_range(now, 7)}


def _tracking(now: datetime, shipped: list[Sale]) -> dict[str, Any]:
    parcels = [parcel for sale in shipped for parcel in sale.parcels]
    valid = sum(bool(parcel.tracking) for parcel in parcels)
    counts = {"shipmentCount": len(parcels), "validTrackingCount": valid}
    return {**counts, **_above(valid, len(parcels), 0.95), **_range(now, 30)}


def _on_time(now: datetime, shipped: list[Sale]) -> dict[str, Any]:
    count = len(shipped)
    counts = {"shipmentCountWithValidTracking": count, "onTimeDeliveryCount": count}
    return {**counts, **_above(count, count, 0.9), **_range(now, 30)}


def _units_on_time(now: datetime, shipped: list[Sale]) -> dict[str, Any]:
    units = sum(sale.shipped_units for sale in shipped)
    return {"unitOnTimeDeliveryCount": units, "totalUnitCount": units, **_above(units, units, 0.9), **_range(now, 14)}


def _invoices(now: datetime) -> dict[str, Any]:
    none = {name: {"count": 0, "status": "NONE"} for name in ("invoiceDefect", "missingInvoice", "lateInvoice")}
    return {"orderCount": 0, **none, **_below(0, 0, 0.05), **_range(now, 7)}


def _defects(now: datetime, kind: str) -> dict[str, Any]:
    names = ("orderWithDefects", "claims", "chargebacks", "negativeFeedback")
    none = {name: {"count": 0, "status": "NONE"} for name in names}
    return {"orderCount": 0, **none, "fulfillmentType": kind, **_below(0, 0, 0.01), **_range(now, 60)}
