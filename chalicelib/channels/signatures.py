"""Signatures of those who tell us of orders, checked over the raw bytes in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import unicodedata
from collections.abc import Mapping, Sequence

from chalicelib.domain.errors import Forged

TOLERANCE_S = 300


def verify_shopify(raw: bytes, header: str, secrets: Sequence[str]) -> None:
    """`X-Shopify-Hmac-Sha256` is base64(HMAC-SHA256(app secret, raw body)). Raises `Forged`.

    Several secrets are accepted while one replaces another. Source: shopify.dev, verify webhook deliveries.
    """
    _check_base64(raw, header, [secret.strip().encode() for secret in secrets], "X-Shopify-Hmac-Sha256")


def verify_woocommerce(raw: bytes, header: str, secrets: Sequence[str]) -> None:
    """`X-WC-Webhook-Signature` is base64(HMAC-SHA256(secret, raw body)). Raises `Forged`.

    WordPress may keep a secret with HTML entities; it is decoded before it signs. Source:
    WC_Webhook::generate_signature.
    """
    keys = [html.unescape(secret.strip()).encode() for secret in secrets]
    _check_base64(raw, header, keys, "X-WC-Webhook-Signature")


def verify_standard_webhook(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now_s: int) -> None:
    """`webhook-signature` lists `v1,` + base64(HMAC-SHA256(secret, "id.timestamp.body")), space-separated.

    The secret is `whsec_` + base64. Older or newer than `TOLERANCE_S` is refused. Raises `Forged`.
    Source: the Standard Webhooks specification.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdecimal():
        raise Forged("bad_signature", "send webhook-id, webhook-timestamp (Unix seconds) and webhook-signature")
    if abs(now_s - int(timestamp[:12])) > TOLERANCE_S:
        raise Forged("stale_signature", f"webhook-timestamp is more than {TOLERANCE_S} s away from now")
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + raw
    versions = [part.partition(",") for part in headers.get("webhook-signature", "").split()]
    sent = [_decoded(signature) for version, _, signature in versions if version == "v1"]
    for key in _usable([_decoded(secret.strip().removeprefix("whsec_")) for secret in secrets]):
        fits = hmac.digest(key, signed, hashlib.sha256)
        if any(hmac.compare_digest(one, fits) for one in sent):
            return
    raise Forged("bad_signature", "webhook-signature does not fit webhook-id, webhook-timestamp and the body")


def verify_easypost(raw: bytes, header: str, secrets: Sequence[str]) -> None:
    """`X-Hmac-Signature` is `hmac-sha256-hex=` + hex(HMAC-SHA256(secret in Unicode form NFKD, raw body)).

    Raises `Forged`. Source: the webhook fixtures of EasyPost's client libraries.
    """
    sent = header.strip().encode("utf-8", "replace")
    for key in _usable([unicodedata.normalize("NFKD", secret.strip()).encode() for secret in secrets]):
        fits = "hmac-sha256-hex=" + hmac.digest(key, raw, hashlib.sha256).hex()
        if hmac.compare_digest(sent, fits.encode()):
            return
    raise Forged("bad_signature", "X-Hmac-Signature does not fit the body")


def verify_token(sent: str, secrets: Sequence[str]) -> None:
    """A secret of our own that the sender repeats in the URL, since it signs nothing. Raises `Forged`.

    Source: docs.goshippo.com, webhook security.
    """
    for key in _usable([secret.strip().encode() for secret in secrets]):
        if hmac.compare_digest(sent.encode(), key):
            return
    raise Forged("bad_token", "the token in the URL is not the one that was set for this account")


def verify_stripe(raw: bytes, header: str, secrets: Sequence[str], now_s: int) -> None:
    """`Stripe-Signature` is t=<Unix s> and one or more v1=hex(HMAC-SHA256(secret, "t.body")).

    Other schemes are ignored. Older or newer than `TOLERANCE_S` is refused. Several secrets are accepted while one
    replaces another. Raises `Forged`. Source: docs.stripe.com/webhooks, verify manually.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal()):
        raise Forged("bad_signature", "Stripe-Signature must hold one t=<Unix seconds>")
    if abs(now_s - int(times[0][:12])) > TOLERANCE_S:
        raise Forged("stale_signature", f"t of Stripe-Signature is more than {TOLERANCE_S} s away from now")
    sent = [value.encode("utf-8", "replace") for name, _, value in parts if name == "v1"]
    for key in _usable([secret.strip().encode() for secret in secrets]):
        fits = hmac.new(key, times[0].encode() + b"." + raw, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(one, fits) for one in sent):
            return
    raise Forged("bad_signature", "Stripe-Signature does not fit t and the body")


def _check_base64(raw: bytes, header: str, keys: Sequence[bytes], name: str) -> None:
    """The text is compared, not what it decodes to: base64 ends in bits that stand for nothing."""
    sent = header.strip().encode("utf-8", "replace")
    for key in _usable(keys):
        if hmac.compare_digest(sent, base64.b64encode(hmac.digest(key, raw, hashlib.sha256))):
            return
    raise Forged("bad_signature", f"{name} does not fit the body")


def _usable(keys: Sequence[bytes]) -> list[bytes]:
    """Never check against an empty key: anybody could sign with it. A secret that is no base64 decodes to one."""
    usable = [key for key in keys if key]
    if not usable:
        raise Forged("no_secret", "no usable webhook secret is set for this channel")
    return usable


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip().encode(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def verify_meta(raw: bytes, header: str, secrets: Sequence[str]) -> None:
    """`X-Hub-Signature-256` is "sha256=" + hex HMAC-SHA256(app secret, raw body). Raises `Forged`.

    Over the bytes as sent: Meta escapes what is not ASCII, and another writing of the same JSON would not fit.
    Source: Graph API webhooks, getting started.
    """
    sent = header.strip().encode("utf-8", "replace")
    for key in _usable([secret.strip().encode() for secret in secrets]):
        if hmac.compare_digest(sent, b"sha256=" + hmac.digest(key, raw, hashlib.sha256).hex().encode()):
            return
    raise Forged("bad_signature", "X-Hub-Signature-256 does not fit the body")


def meta_handshake(query: Mapping[str, str], verify_token: str) -> str:
    """The challenge to be echoed as plain text when Meta subscribes with our own `verify_token`. Raises `Forged`."""
    told = query.get("hub.verify_token", "").encode()
    fits = bool(verify_token) and hmac.compare_digest(told, verify_token.encode())
    challenge = query.get("hub.challenge", "")
    if query.get("hub.mode") != "subscribe" or not fits or not challenge.isalnum():
        raise Forged("bad_handshake", "hub.mode, hub.verify_token or hub.challenge does not fit")
    return challenge
