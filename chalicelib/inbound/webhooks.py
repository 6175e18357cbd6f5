"""Doors for those who tell us of orders: signed webhooks, and the JSON order of any own storefront.

A door checks the signature over the raw bytes, puts the body on the entry queue and answers. Nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalice import Blueprint, Response

from chalicelib.channels.carriers import CARRIER_KINDS, tracking_reader
from chalicelib.channels.registry import OWN_KINDS, kind_of, reader_for
from chalicelib.channels.shopify import webhooks as shopify
from chalicelib.channels.signatures import (
    verify_easypost,
    verify_shopify,
    verify_standard_webhook,
    verify_stripe,
    verify_token,
    verify_woocommerce,
)
from chalicelib.channels.stripe.events import read_event
from chalicelib.channels.woocommerce.webhooks import TOPICS, is_ping, told_of
from chalicelib.domain.errors import Forged, Refused, Unreadable
from chalicelib.inbound import ebay_door
from chalicelib.inbound.guard import answer, check_token, checked_size, told
from chalicelib.inbound.payloads import for_entry
from chalicelib.inbound.tracking import messages_of
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.accounts import channels

blueprint = Blueprint(__name__)


@blueprint.route("/webhooks/{channel}", methods=["GET"])
@told
def webhook_challenge(channel: str) -> Response:
    """eBay asks before it sends anything: 200 {challengeResponse}. 404 for a channel that is asked by nobody."""
    if kind_of(channel) != ebay_door.KIND:
        raise Refused("not_found", "only eBay asks for a challenge")
    query: Mapping[str, str] = blueprint.current_request.query_params or {}
    ports = runtime()
    _check_known(channel, ports)
    return ebay_door.challenge(channel, query.get("challenge_code", ""), ports)


@blueprint.route(
    "/webhooks/{channel}",
    methods=["POST"],
    content_types=["application/json", "application/x-www-form-urlencoded"],  # the form is WooCommerce's ping
)
@told
def webhook(channel: str) -> Response:
    """Deliveries of Shopify, eBay, WooCommerce, Stripe and carriers, each signed its own way. A forged one hears 401,
    of eBay 412."""
    request = blueprint.current_request
    raw = checked_size(request.raw_body)
    ports = runtime()
    if kind_of(channel) == ebay_door.KIND:
        _check_known(channel, ports)
        return ebay_door.receive(channel, raw, request.headers.get("x-ebay-signature", ""), ports)
    if kind_of(channel) == "woocommerce":
        return _woocommerce(channel, raw, ports)
    if kind_of(channel) == "stripe":
        return _stripe(channel, raw, ports)
    if kind_of(channel) in CARRIER_KINDS:
        return _carrier(channel, raw, ports)
    return _shopify(channel, raw, ports)


def _carrier(account: str, raw: bytes, ports: Runtime) -> Response:
    """What a carrier says of parcels. Only how far each has come goes on: the rest may name whoever took it in."""
    request = blueprint.current_request
    _check_known(account, ports)
    if kind_of(account) == "easypost":
        verify_easypost(raw, request.headers.get("x-hmac-signature", ""), _secrets(account, ports))
    else:
        query: Mapping[str, str] = request.query_params or {}
        verify_token(query.get("token", ""), _secrets(account, ports))
    try:
        messages = messages_of(tracking_reader(kind_of(account))(raw))
    except Unreadable as unread:  # they would only send it again
        log("tracking_unread", channel=account, reason=unread.reason)
        return answer({"accepted": False, "reason": "this cannot be read"})
    if messages:
        ports.queues.send("tracking", messages)
    return answer({"accepted": bool(messages)})


def _woocommerce(channel: str, raw: bytes, ports: Runtime) -> Response:
    """The unsigned ping of a new webhook changes nothing. What is not the whole order is read from the shop. Its
    delivery id is one for all of a second, so nothing is told apart by it: entry compares the order itself."""
    headers = blueprint.current_request.headers
    _check_known(channel, ports)
    if is_ping(raw, headers.get("content-type", "")):
        return answer({"accepted": False, "reason": "a ping"})
    verify_woocommerce(raw, headers.get("x-wc-webhook-signature", ""), _secrets(channel, ports))
    topic = headers.get("x-wc-webhook-topic", "")
    external_id, is_whole = told_of(raw)
    if topic not in TOPICS or not external_id:
        log("topic_ignored", channel=channel, topic=topic[:80])
        return answer({"accepted": False, "reason": "this topic is not used"})
    if is_whole and topic != "order.deleted":
        ports.queues.send("entry", [for_entry(channel, raw, ports, topic=topic)])
    else:
        ports.queues.send("hints", [{"channel": channel, "external_id": external_id}])
    return answer({"accepted": True})


def _stripe(channel: str, raw: bytes, ports: Runtime) -> Response:
    """An event says where to look, and what is found there counts. Payouts are read on a schedule."""
    _check_known(channel, ports)
    signature = blueprint.current_request.headers.get("stripe-signature", "")
    verify_stripe(raw, signature, _secrets(channel, ports), ports.clock() // 1000)
    event = read_event(raw)
    if event is None or event.kind == "payout":
        return answer({"accepted": False, "reason": "this event is not used"})
    ports.queues.send("hints", [{"channel": channel, "external_id": event.object_id}])
    return answer({"accepted": True})


def _shopify(channel: str, raw: bytes, ports: Runtime) -> Response:
    """Whole orders go to entry; what only names one is read from the shop, and so is an order whose money is only
    authorised: until when, no body tells. A delivery that comes twice needs no memory: entry compares the order
    itself. Other topics are acknowledged and left alone."""
    request = blueprint.current_request
    verify_shopify(raw, request.headers.get("x-shopify-hmac-sha256", ""), _secrets(channel, ports))
    topic = request.headers.get("x-shopify-topic", "")
    if topic == shopify.UNINSTALLED:
        ports.queues.send("hints", [{"channel": channel, "uninstalled": True}])
        return answer({"accepted": True})
    found = shopify.told_of(topic, raw) if topic in shopify.TOPICS else shopify.Told("")
    if topic in shopify.ORDER_TOPICS:  # what cannot be read is kept by entry, for a person to see
        ports.queues.send("entry", [for_entry(channel, raw, ports, topic=topic)])
    elif not found.about:
        log("topic_ignored", channel=channel, topic=topic[:80])
        return answer({"accepted": False, "reason": "this topic is not used"})
    if found.about and (topic in shopify.HINT_TOPICS or found.is_authorised):
        ports.queues.send("hints", [{"channel": channel, "external_id": found.about}])
    return answer({"accepted": True})


@blueprint.route("/channels/{channel}/orders", methods=["POST"], content_types=["application/json"])
@told
def storefront_order(channel: str) -> Response:
    """An order of an own storefront or shop, in the JSON of docs/channels.md; signed, or with an API token.

    202 with the order's id; 400 names each field that is wrong.
    """
    request = blueprint.current_request
    raw = checked_size(request.raw_body)
    ports = runtime()
    kind = kind_of(channel)
    if kind not in OWN_KINDS:
        raise Forged("wrong_door", f"{channel!r} is no own channel; name it storefront or shop, or shop-<name>")
    if "webhook-signature" in request.headers:
        verify_standard_webhook(raw, request.headers, _secrets(channel, ports), ports.clock() // 1000)
    else:
        check_token(request.headers, ports)
    _check_known(channel, ports)
    orders = reader_for(kind)(raw, channel, hint={})
    ports.queues.send("entry", [for_entry(channel, raw, ports)])
    return answer({"orders": [order.order_id for order in orders]}, 202)


def _check_known(channel: str, ports: Runtime) -> None:
    """Raises `Refused` for a channel that nobody has added: no secret is looked for under a made-up name."""
    if channel not in ports.settled("channels", lambda: channels(ports.tables)) and channel not in channels(
        ports.tables
    ):
        raise Refused("unknown_channel", f"no channel account {channel!r}: add it first")


def _secrets(channel: str, ports: Runtime) -> list[str]:
    return [str(secret) for secret in ports.secrets.get(f"{channel}/webhook")["secrets"]]
