"""Amazon's Notifications API v1: where notifications go, and which ones. Source: notifications.json.

ORDER_CHANGE is told in any case, also to a seller who has subscribed to nothing; all others only to one who has.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from local.marketplaces.amazon_back_office import Destination, Subscription
from local.marketplaces.amazon_errors import invalid, json_object, refuse
from local.marketplaces.amazon_notifications import BUILDERS, ORDER_CHANGE
from local.marketplaces.market import Route
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.amazon import Amazon

KINDS = frozenset({ORDER_CHANGE, *BUILDERS})
NAME_LENGTH = 256


def _new_id(market: Amazon) -> str:
    return str(uuid.UUID(int=0x9E7A83EE773011E98F9E000000000000 + market.office.next_id()))


def _conflict(details: str) -> Exception:
    return refuse(409, "Conflict", "The resource specified conflicts with the current state.", details)


def create_destination(market: Amazon, request: Request, _names: dict[str, str]) -> Response:
    """POST /notifications/v1/destinations; a queue only."""
    asked = json_object(request)
    name, specification = asked.get("name"), asked.get("resourceSpecification")
    sqs = specification.get("sqs") if isinstance(specification, dict) else None
    arn = sqs.get("arn") if isinstance(sqs, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH:
        raise invalid("name is required.")
    if not isinstance(arn, str) or not arn.startswith("arn:aws:sqs:"):
        raise invalid("resourceSpecification.sqs.arn is required.")
    if any(arn == known.arn for known in market.office.destinations.values()):
        raise _conflict("A destination with this resource exists.")
    destination = Destination(_new_id(market), name, arn)
    market.office.destinations[destination.destination_id] = destination
    return json_response(200, {"payload": _destination(destination)})


def _destination(destination: Destination) -> dict[str, Any]:
    return {
        "destinationId": destination.destination_id,
        "name": destination.name,
        "resource": {"sqs": {"arn": destination.arn}},
    }


def get_destinations(market: Amazon, _request: Request, _names: dict[str, str]) -> Response:
    """GET /notifications/v1/destinations"""
    return json_response(200, {"payload": [_destination(known) for known in market.office.destinations.values()]})


def _known_destination(market: Amazon, destination_id: str) -> Destination:
    destination = market.office.destinations.get(destination_id)
    if destination is None:
        raise refuse(404, "NotFound", "The destination is not found.", destination_id)
    return destination


def get_destination(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /notifications/v1/destinations/{destinationId}"""
    return json_response(200, {"payload": _destination(_known_destination(market, names["destination_id"]))})


def delete_destination(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """DELETE /notifications/v1/destinations/{destinationId}; 409 while a subscription uses it."""
    destination = _known_destination(market, names["destination_id"])
    users = [each.destination_id for each in market.office.subscriptions.values()]
    if destination.destination_id in users:
        raise _conflict("A subscription uses the destination.")
    del market.office.destinations[destination.destination_id]
    return json_response(200, {})


def create_subscription(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """POST /notifications/v1/subscriptions/{notificationType}; one for each type and payload version."""
    kind, asked = names["kind"], json_object(request)
    version = asked.get("payloadVersion")
    if kind not in KINDS:
        raise invalid(f"notificationType is not one of {', '.join(sorted(KINDS))}.")
    if not isinstance(version, str) or not version:
        raise invalid("payloadVersion is required.")
    destination_id = asked.get("destinationId")
    if not isinstance(destination_id, str) or destination_id not in market.office.destinations:
        raise invalid("destinationId names no destination.")
    if _found(market, kind, version):
        raise _conflict("A subscription of this type exists.")
    directive = asked.get("processingDirective")
    _check_directive(directive)
    text = json.dumps(directive) if directive else ""
    subscription = Subscription(_new_id(market), kind, version, destination_id, text)
    market.office.subscriptions[subscription.subscription_id] = subscription
    return json_response(200, {"payload": _subscription(subscription)})


def _check_directive(directive: object) -> None:
    if directive is None:
        return
    if not isinstance(directive, dict) or len(directive.keys() & {"eventFilter", "filterExpression"}) != 1:
        raise invalid("processingDirective holds either an eventFilter or a filterExpression.")
    if "eventFilter" in directive and not isinstance((directive["eventFilter"] or {}).get("eventFilterType"), str):
        raise invalid("eventFilter.eventFilterType is required.")


def _subscription(subscription: Subscription) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "subscriptionId": subscription.subscription_id,
        "payloadVersion": subscription.payload_version,
        "destinationId": subscription.destination_id,
    }
    return shown | ({"processingDirective": json.loads(subscription.directive)} if subscription.directive else {})


def _found(market: Amazon, kind: str, version: str) -> Subscription | None:
    known = market.office.subscriptions.values()
    return next((each for each in known if each.kind == kind and version in {"", each.payload_version}), None)


def get_subscription(market: Amazon, request: Request, names: dict[str, str]) -> Response:
    """GET /notifications/v1/subscriptions/{notificationType}"""
    subscription = _found(market, names["kind"], request.query.get("payloadVersion", ""))
    if subscription is None:
        raise refuse(404, "NotFound", "The subscription is not found.", names["kind"])
    return json_response(200, {"payload": _subscription(subscription)})


def _known_subscription(market: Amazon, names: dict[str, str]) -> Subscription:
    subscription = market.office.subscriptions.get(names["subscription_id"])
    if subscription is None or subscription.kind != names["kind"]:
        raise refuse(404, "NotFound", "The subscription is not found.", names["subscription_id"])
    return subscription


def get_subscription_by_id(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """GET /notifications/v1/subscriptions/{notificationType}/{subscriptionId}"""
    return json_response(200, {"payload": _subscription(_known_subscription(market, names))})


def delete_subscription(market: Amazon, _request: Request, names: dict[str, str]) -> Response:
    """DELETE /notifications/v1/subscriptions/{notificationType}/{subscriptionId}"""
    del market.office.subscriptions[_known_subscription(market, names).subscription_id]
    return json_response(200, {})


_DESTINATION = r"/notifications/v1/destinations/(?P<destination_id>[^/]+)"
_KIND = r"/notifications/v1/subscriptions/(?P<kind>[^/]+)"
_BY_ID = rf"{_KIND}/(?P<subscription_id>[^/]+)"
ROUTES = (
    Route("POST", r"/notifications/v1/destinations", "createDestination", create_destination),
    Route("GET", r"/notifications/v1/destinations", "getDestinations", get_destinations),
    Route("GET", _DESTINATION, "getDestination", get_destination),
    Route("DELETE", _DESTINATION, "deleteDestination", delete_destination),
    Route("POST", _KIND, "createSubscription", create_subscription),
    Route("GET", _KIND, "getSubscription", get_subscription),
    Route("GET", _BY_ID, "getSubscriptionById", get_subscription_by_id),
    Route("DELETE", _BY_ID, "deleteSubscriptionById", delete_subscription),
)
