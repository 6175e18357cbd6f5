"""eBay's door: answers its challenge, and lets in only what eBay has signed.

eBay signs with a key that is fetched by the id in the signature's header. Whoever makes up ids must not use up the
day's calls: keys are shared for an hour, unknown ids are remembered, and few are asked for in a minute.
Source: Notification API, getPublicKey; eBay/event-notification-nodejs-sdk for the statuses of the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from chalice import Response

from chalicelib.channels.access import Access
from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.notifications import (
    DELETED,
    Told,
    challenge_response,
    is_key,
    key_id_of,
    told_of,
    verify,
)
from chalicelib.channels.registry import client_class
from chalicelib.domain.errors import Busy, Forged, Refused, Retry, Unauthorised, Unreadable
from chalicelib.inbound.guard import answer
from chalicelib.runtime.bodies import digest
from chalicelib.runtime.log import alarm
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.contacts import buyer_of
from chalicelib.store.signing_keys import (
    FRESH_MS,
    STALE_MS,
    KeptKey,
    is_unknown,
    keep_key,
    keep_unknown,
    may_look_up,
    read_key,
)

KIND = "ebay"
_BAD_SIGNATURE = 412  # what eBay's own SDKs answer
_NO_SUCH_KEY = (400, 404)
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def challenge(channel: str, code: str, ports: Runtime) -> Response:
    """Prove to eBay that the endpoint is ours. Raises `Refused` while the channel has no webhook secret."""
    if not code:
        raise Refused("bad_request", "eBay asks with ?challenge_code=…")
    secret = ports.secrets.get(f"{channel}/webhook")
    if not secret.get("verification_token") or not secret.get("endpoint"):
        raise Refused("no_secret", f"{channel}/webhook needs verification_token and endpoint")
    proof = challenge_response(code, str(secret["verification_token"]), str(secret["endpoint"]))
    return answer({"challengeResponse": proof})


def receive(channel: str, raw: bytes, header: str, ports: Runtime) -> Response:
    """Take a notification: 204 when it is eBay's, 412 when it is not. Raises `Busy` when eBay's key is out of reach.

    What eBay has signed is acknowledged even if nobody here can read it: the same bytes would come again for a day, and
    then none would. A person is called instead.
    """
    try:
        verify(raw, header, _key(_key_id(header), channel, ports))
    except Forged as error:
        log("notification_refused", channel=channel, reason=error.reason)
        return answer({"error": {"reason": error.reason, "detail": error.detail}}, _BAD_SIGNATURE)
    try:
        told = told_of(raw)
    except Unreadable:
        alarm("notification_unread", channel=channel)
    else:
        _pass_on(channel, told, told.notification_id or digest(raw), ports)
    return Response(body="", status_code=204)


def _pass_on(channel: str, told: Told, notification_id: str, ports: Runtime) -> None:
    """Whom eBay deletes is passed on as digests: his name waits in no queue."""
    if told.topic == DELETED:
        buyers = [buyer_of(KIND, name) for name in (told.user_id, told.username) if name]
        ports.queues.send("erasure", [{"notification_id": notification_id, "buyers": buyers}])
        return
    sellers = [name for name in (told.user_id, told.username) if name]
    about = {"channel": channel, "topic": told.topic, "notification_id": notification_id}
    message = {**about, "sellers": sellers, "order_ids": list(told.order_ids)}
    ports.queues.send("ebay-notifications", [message])


def _key_id(header: str) -> str:
    """The id of the key that the header names. Raises `Forged`, also for one that is no id: it goes into a path."""
    found = key_id_of(header)
    if not _KEY_ID.fullmatch(found):
        raise Forged("bad_signature", "x-ebay-signature names no key")
    return found


def _key(key_id: str, channel: str, ports: Runtime) -> str:
    """The public key. Raises `Forged` for an id that eBay does not know, `Busy` when eBay cannot be asked."""
    tables, now_ms = ports.tables, ports.clock()
    name = f"signing key/{KIND}/{key_id}"
    kept: KeptKey | None = ports.settled(name, lambda: read_key(tables, KIND, key_id))
    if kept and kept.is_younger(FRESH_MS, now_ms):
        return kept.pem
    if is_unknown(tables, KIND, key_id, now_ms):
        raise Forged("unknown_key", "eBay knows no such key")
    try:
        pem = _looked_up(key_id, channel, ports)
    except Retry:
        if kept and kept.is_younger(STALE_MS, now_ms):
            return kept.pem
        raise
    except Refused:
        keep_unknown(tables, KIND, key_id, now_ms)
        raise Forged("unknown_key", "eBay knows no such key") from None
    keep_key(tables, KIND, key_id, pem, now_ms)
    ports.unsettle(name)
    return pem


def _looked_up(key_id: str, channel: str, ports: Runtime) -> str:
    """Ask eBay. Raises `Refused` only when eBay says that there is no such key."""
    if not may_look_up(ports.tables, KIND, ports.clock()):
        raise Busy("too many unknown keys are asked for", after_s=60)
    try:
        account = {"base_url": ports.secrets.get(f"{channel}/webhook").get("base_url", "")}
        secret = ports.secrets.get(f"{channel}/api")
        tokens = _OwnTokens(account["base_url"], secret, ports.clock())
        client: Any = client_class(KIND)(Access(ports.transport(), account, secret, tokens, ports.clock()))
        pem = str(client.public_key(key_id)["key"])
    except Refused as refused:
        if _is_of_the_app(refused):
            log("keys_out_of_reach", channel=channel, reason=refused.reason)
            raise Busy("eBay's keys are out of reach", after_s=60) from None
        raise
    if not is_key(pem):
        log("keys_out_of_reach", channel=channel, reason="bad_key")
        raise Busy("eBay gave a key that cannot be read", after_s=60)
    return pem


def _is_of_the_app(refused: Refused) -> bool:
    """Whether it says something of us, and nothing of the key. Source: getPublicKey, 400 and 404."""
    if isinstance(refused, Declined):
        return refused.status not in _NO_SUCH_KEY
    return isinstance(refused, Unauthorised) or refused.reason in ("not_authorised", "no_secret")


class _OwnTokens:
    """The application's token, kept by this container: those that the workers share are out of this function's reach,
    and eBay grants 1,000 a day, which made-up key ids must not use up."""

    _kept: ClassVar[dict[str, tuple[str, int]]] = {}  # digest of the application -> token, end (Unix ms)

    def __init__(self, base_url: str, secret: Mapping[str, Any], now_ms: int) -> None:
        app = [base_url, str(secret.get("client_id")), str(secret.get("client_secret"))]
        self._app = digest(json.dumps(app).encode())
        self._now_ms = now_ms

    def get(self, name: str = "") -> str:  # noqa: ARG002
        """The token, while it lasts."""
        token, expires_ms = self._kept.get(self._app, ("", 0))
        return token if self._now_ms < expires_ms else ""

    def claim(self, rejected: str, name: str = "") -> bool:  # noqa: ARG002
        """Always."""
        return True

    def put(self, token: str, expires_ms: int, name: str = "") -> None:  # noqa: ARG002
        """Kept until then."""
        self._kept[self._app] = token, expires_ms

    def lost(self, why: str) -> None:
        """The workers will find out, and pause the account."""
