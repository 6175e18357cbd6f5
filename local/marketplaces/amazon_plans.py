"""Amazon's usage plans: default rate and burst of each operation. Source: the operations' texts in the models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UsagePlan:
    """Default rate and burst of an operation, for each pair of seller and application."""

    rate_per_s: float
    burst: int


_NOTIFICATIONS = UsagePlan(1, 5)
USAGE_PLANS = {
    "searchOrders": UsagePlan(0.0056, 20),
    "getOrder": UsagePlan(0.5, 30),
    "confirmShipment": UsagePlan(2, 10),
    "getListingsItem": UsagePlan(5, 10),
    "patchListingsItem": UsagePlan(5, 5),
    "searchListingsItems": UsagePlan(5, 5),
    "getMarketplaceParticipations": UsagePlan(0.016, 15),
    "createFeed": UsagePlan(0.0083, 15),
    "createFeedDocument": UsagePlan(0.5, 15),
    "getFeed": UsagePlan(2, 15),
    "getFeeds": UsagePlan(0.0222, 10),
    "getFeedDocument": UsagePlan(0.0222, 10),
    "createReport": UsagePlan(0.0167, 15),
    "getReport": UsagePlan(2, 15),
    "getReports": UsagePlan(0.0222, 10),
    "getReportDocument": UsagePlan(0.0167, 15),
    "listTransactions": UsagePlan(0.5, 10),
    "createDestination": _NOTIFICATIONS,
    "getDestinations": _NOTIFICATIONS,
    "getDestination": _NOTIFICATIONS,
    "deleteDestination": _NOTIFICATIONS,
    "createSubscription": _NOTIFICATIONS,
    "getSubscription": _NOTIFICATIONS,
    "getSubscriptionById": _NOTIFICATIONS,
    "deleteSubscriptionById": _NOTIFICATIONS,
}
# JSON_LISTINGS_FEED: five submissions in five minutes, beside createFeed's own plan.
FEED_TYPE_LIMITS = {"JSON_LISTINGS_FEED": (5, 300)}
