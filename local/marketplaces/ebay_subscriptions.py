"""eBay's Notification API: configuration, destinations, subscriptions, topics, the public key.

Source: commerce_notification_v1_oas3.json (`x-response-codes`); the challenge as in
eBay/event-notification-nodejs-sdk lib/validator.js. Lists come whole: there is no continuation token.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import derived_digits
from local.marketplaces.ebay_back_office import Destination, Subscription
from local.marketplaces.ebay_errors import json_object, refuse, stamp
from local.marketplaces.ebay_notifications import DELETED, TOPICS, key_id, public_key
from local.marketplaces.shelf import Change
from local.marketplaces.wire import RefusalError, Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

NOTIFICATION = "API_NOTIFICATION"
BASE = "/commerce/notification/v1"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,80}")
# https, or a server on this machine, since this is a stand-in.
_ENDPOINT = re.compile(r"https://[^\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?/[^\s]*")


def _no(status: int, error_id: int, message: str) -> RefusalError:
    return refuse(status, error_id, message, domain=NOTIFICATION)


# --- configuration, topics, key -----------------------------------------------------------------------


def get_config(market: Ebay, _request: Request, _names: dict[str, str]) -> Response:
    """GET /config"""
    if not market.shelf.ebay.alert_email:
        raise _no(404, 195026, "Configuration Not Found.")
    return json_response(200, {"alertEmail": market.shelf.ebay.alert_email})


def update_config(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """PUT /config: needed before any destination."""
    email = json_object(request, 195025, NOTIFICATION).get("alertEmail")
    if not isinstance(email, str) or "@" not in email:
        raise _no(400, 195025, "Invalid or missing email.")
    market.shelf.ebay.alert_email = email
    return Response(204)


def get_topics(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /topic"""
    return _list(market, request, "topic", [_topic_body(topic_id) for topic_id in TOPICS])


def get_topic(_market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /topic/{topic_id}"""
    if names["topic_id"] not in TOPICS:
        raise _no(404, 195002, "Invalid or missing topic id.")
    return json_response(200, _topic_body(names["topic_id"]))


def get_public_key(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /public_key/{public_key_id}"""
    if names["public_key_id"] != key_id(market):
        raise _no(404, 195001, "The specified key id is invalid.")
    return json_response(200, {"key": public_key(market), "algorithm": "ECDSA", "digest": "SHA1"})


def _topic_body(topic_id: str) -> dict[str, Any]:
    payload = {"format": ["JSON"], "schemaVersion": "1.0", "deliveryProtocol": "HTTPS", "deprecated": False}
    return {
        "topicId": topic_id,
        "description": topic_id.replace("_", " ").capitalize(),
        "authorizationScopes": ["https://api.ebay.com/oauth/api_scope"],
        "context": "COMMERCE",
        "scope": TOPICS[topic_id],
        "status": "ENABLED",
        "supportedPayloads": [payload],
        "filterable": False,
    }


def _list(market: Ebay, request: Request, name: str, items: list[dict[str, Any]]) -> Response:
    limit = request.query.get("limit", "20")
    if not limit.isdecimal() or not 10 <= int(limit) <= 100:
        raise _no(400, 195004, "Invalid limit. Supported ranges 10 - 100.")
    href = f"{market.base_url}{BASE}/{name}?limit={limit}"
    return json_response(200, {f"{name}s": items, "href": href, "limit": int(limit), "total": len(items)})


# --- destinations -------------------------------------------------------------------------------------


def get_destinations(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /destination"""
    bodies = [_destination_body(each) for each in market.shelf.ebay.destinations]
    return _list(market, request, "destination", bodies)


def create_destination(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /destination -> 201 and a Location, once the endpoint has answered the challenge."""
    wanted = _wanted_destination(request)
    office = market.shelf.ebay
    if not office.alert_email:
        raise _no(409, 195003, "Please provide configurations required for notifications. Refer to /config")
    if any(each.endpoint == wanted.endpoint for each in office.destinations):
        raise _no(409, 195021, "Destination exists for this endpoint")
    _challenge(market, wanted)
    wanted.destination_id = f"dest-{office.number():06}"
    office.destinations.append(wanted)
    return Response(201, {"Location": f"{market.base_url}{BASE}/destination/{wanted.destination_id}"})


def get_destination(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /destination/{destination_id}"""
    return json_response(200, _destination_body(_destination(market, names)))


def update_destination(market: Ebay, request: Request, names: dict[str, str]) -> Response:
    """PUT /destination/{destination_id}: the endpoint is challenged again."""
    found, wanted = _destination(market, names), _wanted_destination(request)
    if any(each.endpoint == wanted.endpoint and each is not found for each in market.shelf.ebay.destinations):
        raise _no(409, 195021, "Destination exists for this endpoint")
    _challenge(market, wanted)
    found.name, found.status = wanted.name, wanted.status
    found.endpoint, found.verification_token = wanted.endpoint, wanted.verification_token
    return Response(204)


def delete_destination(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """DELETE /destination/{destination_id}; not while a subscription names it."""
    found = _destination(market, names)
    if any(each.destination_id == found.destination_id for each in market.shelf.ebay.subscriptions):
        raise _no(409, 195024, "Destination is in use and cannot be deleted.")
    market.shelf.ebay.destinations.remove(found)
    return Response(204)


def _destination(market: Ebay, names: dict[str, str]) -> Destination:
    for each in market.shelf.ebay.destinations:
        if each.destination_id == names["destination_id"]:
            return each
    raise _no(404, 195022, "Invalid or missing destination id.")


def _wanted_destination(request: Request) -> Destination:
    body = json_object(request, 195017, NOTIFICATION)
    config = body.get("deliveryConfig")
    config = config if isinstance(config, dict) else {}
    name, status = body.get("name", ""), body.get("status")
    endpoint, token = str(config.get("endpoint", "")), str(config.get("verificationToken", ""))
    if not isinstance(name, str) or len(name) > 64 or "<" in name:
        raise _no(400, 195016, "Invalid name. Markups or lengths greater than 64 not supported")
    if not _ENDPOINT.fullmatch(endpoint):
        raise _no(400, 195017, "Invalid or missing endpoint.")
    if status not in {"ENABLED", "DISABLED"}:
        raise _no(400, 195018, "Invalid or missing destination status. Supported values:[ENABLED,DISABLED]")
    if not _TOKEN.fullmatch(token):
        raise _no(400, 195019, "Invalid or missing verification token for this endpoint.")
    return Destination("", name, endpoint, token, status)


def _challenge(market: Ebay, destination: Destination) -> None:
    """The endpoint must know its verification token."""
    code = derived_digits(f"challenge/{market.shelf.ebay.number()}", 30)
    proof = hashlib.sha256(f"{code}{destination.verification_token}{destination.endpoint}".encode()).hexdigest()
    separator = "&" if "?" in destination.endpoint else "?"
    status, body = market.challenge(f"{destination.endpoint}{separator}challenge_code={code}")
    try:
        answered = json.loads(body).get("challengeResponse")
    except (ValueError, AttributeError):
        answered = None
    if status != 200 or answered != proof:
        raise _no(409, 195020, "Challenge verification failed for requested endpoint")


def _destination_body(each: Destination) -> dict[str, Any]:
    return {
        "destinationId": each.destination_id,
        "name": each.name,
        "status": each.status,
        "deliveryConfig": {"endpoint": each.endpoint, "verificationToken": each.verification_token},
    }


# --- subscriptions ------------------------------------------------------------------------------------


def get_subscriptions(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """GET /subscription: those of the kind of token that asks."""
    scope = market.token_scope(request)
    found = [each for each in market.shelf.ebay.subscriptions if TOPICS[each.topic_id] == scope]
    return _list(market, request, "subscription", [_subscription_body(each) for each in found])


def create_subscription(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /subscription -> 201 and a Location; one for each topic and destination."""
    body = json_object(request, 195027, NOTIFICATION)
    office = market.shelf.ebay
    topic_id, status, payload = body.get("topicId"), body.get("status"), body.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    destination = next((d for d in office.destinations if d.destination_id == body.get("destinationId")), None)
    if topic_id not in TOPICS:
        raise _no(400, 195027, "Invalid or missing topic id.")
    if status not in {"ENABLED", "DISABLED"}:
        raise _no(400, 195006, "Invalid or missing subscription status.")
    if destination is None:
        raise _no(400, 195007, "Invalid or missing destination id.")
    _check_payload(payload)
    if market.token_scope(request) != TOPICS[topic_id]:
        raise _no(403, 195011, "Not authorized for this topic.")
    if not office.alert_email:
        raise _no(409, 195003, "Please provide configurations required for notifications. Refer to /config")
    if any((s.topic_id, s.destination_id) == (topic_id, destination.destination_id) for s in office.subscriptions):
        raise _no(409, 195012, "Subscription already exists")
    if status == "ENABLED":
        _check_open(destination)
    made = Subscription(
        subscription_id=f"sub-{office.number():06}",
        topic_id=topic_id,
        destination_id=destination.destination_id,
        status=status,
        schema_version=str(payload["schemaVersion"]),
        created_at=market.clock(),
    )
    office.subscriptions.append(made)
    return Response(201, {"Location": f"{market.base_url}{BASE}/subscription/{made.subscription_id}"})


def get_subscription(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /subscription/{subscription_id}"""
    return json_response(200, _subscription_body(_subscription(market, names)))


def delete_subscription(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """DELETE /subscription/{subscription_id}"""
    market.shelf.ebay.subscriptions.remove(_subscription(market, names))
    return Response(204)


def enable_subscription(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /subscription/{subscription_id}/enable"""
    found = _subscription(market, names)
    _check_open(next(d for d in market.shelf.ebay.destinations if d.destination_id == found.destination_id))
    found.status = "ENABLED"
    return Response(204)


def disable_subscription(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /subscription/{subscription_id}/disable"""
    _subscription(market, names).status = "DISABLED"
    return Response(204)


def send_test(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """POST /subscription/{subscription_id}/test: a message about nothing that has happened will come."""
    found = _subscription(market, names)
    subject = "test_user" if found.topic_id == DELETED else ""
    market.shelf.changes.append(Change(subject, f"test:{found.subscription_id}", market.clock()))
    return Response(202)


def _check_payload(payload: dict[str, Any]) -> None:
    if payload.get("schemaVersion") != "1.0":
        raise _no(400, 195008, "Invalid or missing schema version.")
    if payload.get("format") != "JSON":
        raise _no(400, 195009, "Specified format is not supported for the topic.")
    if payload.get("deliveryProtocol") != "HTTPS":
        raise _no(400, 195010, "Invalid or missing protocol")


def _check_open(destination: Destination) -> None:
    if destination.status != "ENABLED":
        raise _no(409, 195015, "The subscription cannot be enabled since the destination is not enabled.")


def _subscription(market: Ebay, names: dict[str, str]) -> Subscription:
    for each in market.shelf.ebay.subscriptions:
        if each.subscription_id == names["subscription_id"]:
            return each
    raise _no(404, 195013, "The subscription id does not exist.")


def _subscription_body(each: Subscription) -> dict[str, Any]:
    return {
        "subscriptionId": each.subscription_id,
        "topicId": each.topic_id,
        "status": each.status,
        "creationDate": stamp(each.created_at),
        "destinationId": each.destination_id,
        "payload": {"format": "JSON", "schemaVersion": each.schema_version, "deliveryProtocol": "HTTPS"},
    }
