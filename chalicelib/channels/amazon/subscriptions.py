"""Where Amazon sends its notifications: a destination of the app, and a subscription of the seller for each type.

Source: notifications.json. Destinations are the app's own (no seller's consent), subscriptions are the seller's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.amazon.wire import Wire, having, payload
from chalicelib.domain.errors import Refused

NOTIFICATION_TYPES = (
    "ORDER_CHANGE",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
    "FEED_PROCESSING_FINISHED",
    "REPORT_PROCESSING_FINISHED",
    "TRANSACTION_UPDATE",
)
_ROOT = "/notifications/v1"
_VERSIONS = {"FEED_PROCESSING_FINISHED": "2020-09-04", "REPORT_PROCESSING_FINISHED": "2020-09-04"}
_FILTERED = ("ORDER_CHANGE",)  # the only one of ours whose events can be filtered by store


def ensure_destination(wire: Wire, sqs_arn: str, name: str) -> str:
    """The id of the app's destination for this queue, made when it is missing. A queue can be a destination once."""
    found = _destination(wire, sqs_arn)
    if found:
        return found
    body = {"name": name, "resourceSpecification": {"sqs": {"arn": sqs_arn}}}
    try:
        answer = wire.call_grantless("createDestination", "POST", f"{_ROOT}/destinations", body)
    except Refused:
        found = _destination(wire, sqs_arn)  # 409: another worker was faster, or an earlier answer was lost
        if found:
            return found
        raise
    return str(having(payload(answer, dict), "destinationId")["destinationId"])


def ensure_subscription(wire: Wire, notification_type: str, destination_id: str) -> str:
    """The id of the seller's subscription to this type, made when it is missing.

    Raises `Refused` subscribed_elsewhere when it exists and sends to another destination: who made it may need it.
    """
    found = _subscription(wire, notification_type, destination_id)
    if found:
        return found
    body: dict[str, Any] = {"payloadVersion": _version(notification_type), "destinationId": destination_id}
    if notification_type in _FILTERED:
        chosen = {"eventFilterType": notification_type, "marketplaceIds": [wire.marketplace_id]}
        body["processingDirective"] = {"eventFilter": chosen}
    path = f"{_ROOT}/subscriptions/{quote(notification_type, safe='')}"
    try:
        answer = wire.call("createSubscription", "POST", path, body)
    except Refused:
        found = _subscription(wire, notification_type, destination_id)
        if found:
            return found
        raise
    return str(having(payload(answer, dict), "subscriptionId")["subscriptionId"])


def participations(wire: Wire) -> list[dict[str, Any]]:
    """The stores that the seller sells in: marketplace {id, countryCode, name, defaultCurrencyCode, ..} and
    participation {isParticipating, hasSuspendedListings} of each, as Amazon tells them (sellers.json)."""
    answer = wire.call("getMarketplaceParticipations", "GET", "/sellers/v1/marketplaceParticipations")
    stores: list[dict[str, Any]] = payload(answer, list)
    return [store for store in stores if isinstance(store, dict)]


def _destination(wire: Wire, sqs_arn: str) -> str:
    answer = wire.call_grantless("getDestinations", "GET", f"{_ROOT}/destinations")
    for destination in payload(answer, list):
        try:
            if destination["resource"]["sqs"]["arn"] == sqs_arn:
                return str(destination["destinationId"])
        except (KeyError, TypeError):
            continue  # one of another kind
    return ""


def _subscription(wire: Wire, notification_type: str, destination_id: str) -> str:
    query = urlencode({"payloadVersion": _version(notification_type)})
    path = f"{_ROOT}/subscriptions/{quote(notification_type, safe='')}?{query}"
    try:
        subscription = having(payload(wire.call("getSubscription", "GET", path), dict), "subscriptionId")
    except Refused as refused:
        if refused.reason != "channel_refused":
            raise
        return ""  # 404: there is none
    if subscription.get("destinationId") != destination_id:
        where = str(subscription.get("destinationId"))[:80]
        remedy = "delete that subscription, or give its destination"
        raise Refused("subscribed_elsewhere", f"{notification_type} goes to destination {where}: {remedy}")
    return str(subscription["subscriptionId"])


def _version(notification_type: str) -> str:
    return _VERSIONS.get(notification_type, "1.0")
