"""What connecting an account takes: programmes, notifications, a signing key. Every step may be done again.

Sources: sell_account_v1_oas3.json, commerce_notification_v1_oas3.json, developer_key_management_v1_oas3.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.domain.errors import Refused

_PROGRAM = "/sell/account/v1/program"
_NOTIFICATION = "/commerce/notification/v1"
_IN_ALREADY = 25803
_DESTINATION_EXISTS, _SUBSCRIPTION_EXISTS = 195021, 195012
_MOST_PAGES = 100
APP_TOPICS = frozenset({"MARKETPLACE_ACCOUNT_DELETION", "AUTHORIZATION_REVOCATION"})  # the application's, no seller's


def opted_in_programs(wire: EbayWire) -> list[str]:
    """The seller's programmes, e.g. OUT_OF_STOCK_CONTROL."""
    found = wire.found(Call("GET", f"{_PROGRAM}/get_opted_in_programs"))
    programs = [each for each in found.get("programs") or [] if isinstance(each, dict)]
    return [str(each["programType"]) for each in programs if each.get("programType")]


def opt_in(wire: EbayWire, program: str) -> None:
    """Takes the seller into a programme; in already is in."""
    _unless(_IN_ALREADY, lambda: wire.call(Call("POST", f"{_PROGRAM}/opt_in", {"programType": program})))


def ensure_config(wire: EbayWire, alert_email: str) -> None:
    """Whom eBay writes to when an endpoint fails; without it no destination can be made."""
    wire.call(Call("PUT", f"{_NOTIFICATION}/config", {"alertEmail": alert_email}, as_app=True))


def ensure_destination(wire: EbayWire, endpoint: str, verification_token: str, name: str) -> str:
    """The id of the destination with this endpoint, enabled and with this verification token. eBay challenges the
    endpoint at once, so it must answer before."""
    body = {
        "name": name,
        "status": "ENABLED",
        "deliveryConfig": {"endpoint": endpoint, "verificationToken": verification_token},
    }
    call = Call("POST", f"{_NOTIFICATION}/destination", body, as_app=True)
    if made := _unless(_DESTINATION_EXISTS, lambda: wire.created(call)):
        return str(made)
    for found in _listed(wire, "destination", as_app=True):
        config = found.get("deliveryConfig")
        if isinstance(config, dict) and config.get("endpoint") == endpoint:
            known = str(found.get("destinationId"))
            if config.get("verificationToken") != verification_token or found.get("status") != "ENABLED":
                path = f"{_NOTIFICATION}/destination/{quote(known, safe='')}"
                wire.call(Call("PUT", path, body, as_app=True))
            return known
    raise Refused("no_destination", f"eBay says that {endpoint} is a destination already, and does not list it")


def ensure_subscription(wire: EbayWire, topic: str, destination_id: str) -> str:
    """The id of the subscription of this topic for this destination, enabled."""
    as_app = topic in APP_TOPICS
    body = {
        "topicId": topic,
        "status": "ENABLED",
        "destinationId": destination_id,
        "payload": {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"},
    }
    call = Call("POST", f"{_NOTIFICATION}/subscription", body, as_app=as_app)
    if made := _unless(_SUBSCRIPTION_EXISTS, lambda: wire.created(call)):
        return str(made)
    for found in _listed(wire, "subscription", as_app=as_app):
        if (found.get("topicId"), found.get("destinationId")) == (topic, destination_id):
            known = str(found.get("subscriptionId"))
            if found.get("status") != "ENABLED":
                path = f"{_NOTIFICATION}/subscription/{quote(known, safe='')}/enable"
                wire.call(Call("POST", path, as_app=as_app))
            return known
    raise Refused("no_subscription", f"eBay says that {topic} is subscribed to already, and does not list it")


def create_signing_key(wire: EbayWire) -> dict[str, Any]:
    """A new key for digital signatures as the account's secret keeps it: jwe, private_key, expires_ms. eBay gives the
    private key this once."""
    path = "/developer/key_management/v1/signing_key"
    made = wire.ask(Call("POST", path, {"signingKeyCipher": "ED25519"}, as_app=True), "privateKey")
    if not made.get("jwe"):
        raise Refused("no_signing_key", "eBay made a signing key without its jwe: make another")
    expires_s = made.get("expirationTime")
    return {
        "jwe": str(made["jwe"]),
        "private_key": str(made["privateKey"]),
        "expires_ms": expires_s * 1000 if isinstance(expires_s, int) else 0,
    }


def public_key(wire: EbayWire, kid: str) -> Mapping[str, Any]:
    """The key that a notification says it is signed with: key, algorithm, digest. Keep it for an hour. Raises `Refused`
    for an unknown one."""
    return wire.ask(Call("GET", f"{_NOTIFICATION}/public_key/{quote(kid, safe='')}", as_app=True), "key")


def _unless(exists: int, work: Any) -> Any:
    """What `work` gives; None when eBay says that it is there already."""
    try:
        return work()
    except Declined as error:
        if exists not in error.codes:
            raise
        return None


def _listed(wire: EbayWire, name: str, *, as_app: bool) -> Iterator[Mapping[str, Any]]:
    query = {"limit": "100"}
    for _ in range(_MOST_PAGES):
        found = wire.found(Call("GET", f"{_NOTIFICATION}/{name}?{urlencode(query)}", as_app=as_app))
        yield from (each for each in found.get(f"{name}s") or [] if isinstance(each, dict))
        following = parse_qs(urlsplit(str(found.get("next") or "")).query).get("continuation_token")
        if not following:
            return
        query["continuation_token"] = following[0]
