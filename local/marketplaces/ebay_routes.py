"""Every operation of the stand-in eBay. Finances and Key Management live on another host in reality (apiz)."""

from __future__ import annotations

from local.marketplaces import (
    ebay_access,
    ebay_account,
    ebay_budget,
    ebay_cancellations,
    ebay_finances,
    ebay_fulfillments,
    ebay_inventory,
    ebay_offers,
    ebay_orders,
    ebay_refunds,
    ebay_returns,
    ebay_signing,
    ebay_subscriptions,
)
from local.marketplaces.market import Handler, Route


def _api(base: str, *operations: tuple[str, str, str, Handler]) -> tuple[Route, ...]:
    """Routes of one API: a name in braces in a path matches up to the next slash."""
    return tuple(
        Route(method, base + path.replace("{", "(?P<").replace("}", ">[^/]+)"), name, handler)
        for method, path, name, handler in operations
    )


ROUTES: tuple[Route, ...] = (
    *_api("/identity/v1", ("POST", "/oauth2/token", "token", ebay_access.grant_token)),
    *_api(
        "/sell/fulfillment/v1/order",
        ("GET", "", "getOrders", ebay_orders.get_orders),
        ("GET", "/{order_id}", "getOrder", ebay_orders.get_order),
        ("POST", "/{order_id}/issue_refund", "issueRefund", ebay_refunds.issue_refund),
        ("POST", "/{order_id}/shipping_fulfillment", "createShippingFulfillment", ebay_fulfillments.create),
        ("GET", "/{order_id}/shipping_fulfillment", "getShippingFulfillments", ebay_fulfillments.get_all),
        (
            "GET",
            "/{order_id}/shipping_fulfillment/{fulfillment_id}",
            "getShippingFulfillment",
            ebay_fulfillments.get_one,
        ),
    ),
    *_api(
        "/sell/inventory/v1",
        (
            "POST",
            "/bulk_update_price_quantity",
            "bulkUpdatePriceQuantity",
            ebay_inventory.bulk_update_price_quantity,
        ),
        ("GET", "/inventory_item", "getInventoryItems", ebay_offers.get_inventory_items),
        ("GET", "/inventory_item/{sku}", "getInventoryItem", ebay_offers.get_inventory_item),
        ("GET", "/offer", "getOffers", ebay_offers.get_offers),
        ("POST", "/offer/{offer_id}/publish/?", "publishOffer", ebay_offers.publish_offer),
        ("POST", "/offer/{offer_id}/withdraw", "withdrawOffer", ebay_offers.withdraw_offer),
    ),
    *_api(
        "/sell/account",
        ("GET", "/v1/program/get_opted_in_programs", "getOptedInPrograms", ebay_account.get_opted_in_programs),
        ("POST", "/v1/program/opt_in", "optInToProgram", ebay_account.opt_in),
        ("POST", "/v1/program/opt_out", "optOutOfProgram", ebay_account.opt_out),
        ("GET", "/v2/user_preferences", "getUserPreferences", ebay_account.get_user_preferences),
        ("PATCH", "/v2/user_preferences", "setUserPreferences", ebay_account.set_user_preferences),
    ),
    *_api(
        "/sell/finances/v1",
        ("GET", "/transaction", "getTransactions", ebay_finances.get_transactions),
        ("GET", "/payout", "getPayouts", ebay_finances.get_payouts),
        ("GET", "/payout/{payout_id}", "getPayout", ebay_finances.get_payout),
        ("GET", "/payout_summary", "getPayoutSummary", ebay_finances.get_payout_summary),
    ),
    *_api(
        "/sell/analytics/v1/seller_standards_profile",
        ("GET", "", "findSellerStandardsProfiles", ebay_account.find_seller_standards),
        ("GET", "/{program}/{cycle}", "getSellerStandardsProfile", ebay_account.get_seller_standards),
    ),
    *_api(
        "/commerce/notification/v1",
        ("GET", "/config", "getConfig", ebay_subscriptions.get_config),
        ("PUT", "/config", "updateConfig", ebay_subscriptions.update_config),
        ("GET", "/topic", "getTopics", ebay_subscriptions.get_topics),
        ("GET", "/topic/{topic_id}", "getTopic", ebay_subscriptions.get_topic),
        ("GET", "/public_key/{public_key_id}", "getPublicKey", ebay_subscriptions.get_public_key),
        ("GET", "/destination", "getDestinations", ebay_subscriptions.get_destinations),
        ("POST", "/destination", "createDestination", ebay_subscriptions.create_destination),
        ("GET", "/destination/{destination_id}", "getDestination", ebay_subscriptions.get_destination),
        ("PUT", "/destination/{destination_id}", "updateDestination", ebay_subscriptions.update_destination),
        ("DELETE", "/destination/{destination_id}", "deleteDestination", ebay_subscriptions.delete_destination),
        ("GET", "/subscription", "getSubscriptions", ebay_subscriptions.get_subscriptions),
        ("POST", "/subscription", "createSubscription", ebay_subscriptions.create_subscription),
        ("GET", "/subscription/{subscription_id}", "getSubscription", ebay_subscriptions.get_subscription),
        ("DELETE", "/subscription/{subscription_id}", "deleteSubscription", ebay_subscriptions.delete_subscription),
        (
            "POST",
            "/subscription/{subscription_id}/enable",
            "enableSubscription",
            ebay_subscriptions.enable_subscription,
        ),
        (
            "POST",
            "/subscription/{subscription_id}/disable",
            "disableSubscription",
            ebay_subscriptions.disable_subscription,
        ),
        ("POST", "/subscription/{subscription_id}/test", "testSubscription", ebay_subscriptions.send_test),
    ),
    *_api(
        "/developer",
        ("GET", "/analytics/v1_beta/rate_limit/?", "getRateLimits", ebay_budget.rate_limits),
        ("GET", "/analytics/v1_beta/user_rate_limit/?", "getUserRateLimits", ebay_budget.rate_limits),
        ("POST", "/key_management/v1/signing_key", "createSigningKey", ebay_signing.create_signing_key),
        ("GET", "/key_management/v1/signing_key", "getSigningKeys", ebay_signing.get_signing_keys),
        ("GET", "/key_management/v1/signing_key/{signing_key_id}", "getSigningKey", ebay_signing.get_signing_key),
    ),
    *_api(
        "/post-order/v2",
        (
            "POST",
            "/cancellation/check_eligibility",
            "checkCancellationEligibility",
            ebay_cancellations.check_eligibility,
        ),
        ("POST", "/cancellation/?", "createCancellation", ebay_cancellations.create),
        ("GET", "/cancellation/search", "searchCancellations", ebay_cancellations.search),
        ("GET", "/cancellation/{cancel_id}", "getCancellation", ebay_cancellations.get),
        ("POST", "/cancellation/{cancel_id}/approve", "approveCancellation", ebay_cancellations.approve),
        ("POST", "/cancellation/{cancel_id}/reject", "rejectCancellation", ebay_cancellations.reject),
        ("GET", "/return/search", "searchReturns", ebay_returns.search),
        ("GET", "/return/{return_id}", "getReturn", ebay_returns.get),
        ("POST", "/return/{return_id}/decide", "processReturnRequest", ebay_returns.decide),
        ("POST", "/return/{return_id}/mark_as_received", "markReturnReceived", ebay_returns.mark_as_received),
        ("POST", "/return/{return_id}/issue_refund", "issueReturnRefund", ebay_returns.issue_refund),
    ),
)
