"""How often Amazon may be asked, for each seller and app. Source: the usage plans in the SP-API models.

An answer's `x-amzn-RateLimit-Limit` tells the rate that really holds; a bucket follows it.
"""

from __future__ import annotations

from chalicelib.channels.budgets import Plan

PLANS = {
    "searchOrders": Plan(0.0056, 20),
    "getOrder": Plan(0.5, 30, lease=10),
    "confirmShipment": Plan(2, 10, lease=5),
    "patchListingsItem": Plan(5, 5, lease=5),
    "searchListingsItems": Plan(5, 5),
    "createFeed": Plan(0.0083, 15),
    "JSON_LISTINGS_FEED": Plan(5 / 300, 5),  # this type of feed has a limit of its own: five in five minutes
    "createFeedDocument": Plan(0.5, 15),
    "getFeed": Plan(2, 15),
    "getFeeds": Plan(0.0222, 10),
    "getFeedDocument": Plan(0.0222, 10),
    "createReport": Plan(0.0167, 15),
    "getReport": Plan(2, 15),
    "getReports": Plan(0.0222, 10),
    "getReportDocument": Plan(0.0167, 15),
    "listTransactions": Plan(0.5, 10),
    "getMarketplaceParticipations": Plan(0.016, 15),
    "createDestination": Plan(1, 5),
    "getDestinations": Plan(1, 5),
    "createSubscription": Plan(1, 5),
    "getSubscription": Plan(1, 5),
}
