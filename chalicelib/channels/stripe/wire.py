"""One call to Stripe: Bearer, pinned version, form-encoded bodies, an idempotency key on every POST, pages by id.

Sources: docs.stripe.com/api/versioning, /api/pagination, /api/idempotent_requests (a key has 255 characters at most).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from chalicelib.channels.fields import Node
from chalicelib.channels.stripe.answers import read_answer
from chalicelib.channels.transport import HttpRequest, Transport
from chalicelib.domain.errors import Busy, Refused, Unauthorised

VERSION = "2026-08-26.dahlia"
_AGENT = "Headrace/0.1 (Language=Python)"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PAGE = 100
_LONGEST_KEY = 255


class StripeWire:
    """Speaks for one account. `account`: base_url (https://api.stripe.com); `credentials`: api_key."""

    def __init__(self, transport: Transport, account: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
        self._transport = transport
        self._base_url = _safe_url(str(account.get("base_url") or "https://api.stripe.com"))
        self._key = str(credentials.get("api_key") or "").strip()
        if not self._key:
            raise Unauthorised("the Stripe account's secret lacks api_key")

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Node:
        """One object, read."""
        return self._call("GET", f"{path}?{form(query)}" if query else path)

    def post(self, path: str, fields: Mapping[str, Any], key: str) -> Node:
        """One object, changed. `key` names what is wanted: the same one does it once for at least 24 hours."""
        headers = {"content-type": "application/x-www-form-urlencoded", "idempotency-key": idempotency_key(key)}
        return self._call("POST", path, headers, form(fields).encode())

    def each(self, path: str, query: Mapping[str, Any]) -> Iterator[Node]:
        """Every object of a list, newest first. Raises `Busy` where a page does not lead on."""
        last, wanted = "", {**query, "limit": _PAGE}
        while True:
            page = self.get(path, {**wanted, "starting_after": last} if last else wanted)
            if not page.has("data"):  # what is looked for in vain is done again
                raise Busy(f"stripe answered {path} without a list", after_s=5)
            rows = page.each("data")
            yield from rows
            if not page.flag("has_more"):
                return
            if not rows or rows[-1].identity("id") == last:
                raise Busy(f"stripe says that {path} has more and does not show it", after_s=5)
            last = rows[-1].identity("id")

    def _call(self, method: str, path: str, more: Mapping[str, str] | None = None, body: bytes = b"") -> Node:
        headers = {
            "authorization": f"Bearer {self._key}",
            "stripe-version": VERSION,
            "accept": "application/json",
            "user-agent": _AGENT,
            **(more or {}),
        }
        return Node(read_answer(self._transport(HttpRequest(method, self._base_url + path, headers, body))))


def form(fields: Mapping[str, Any] | None) -> str:
    """Nested fields as Stripe takes them: {"a": {"b": 1}, "c": ["x"]} is a[b]=1&c[0]=x, percent-encoded."""
    return urlencode([pair for name, value in (fields or {}).items() for pair in _pairs(name, value)])


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _pairs(f"{name}[{key}]", each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _pairs(f"{name}[{index}]", each)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    else:
        yield name, str(value)


def idempotency_key(key: str) -> str:
    """The key as a header can carry it: one that is too long or not ASCII becomes its SHA-256."""
    if len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable():
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def _safe_url(base_url: str) -> str:
    """The address without its last slash. A key never travels in the clear beyond this machine."""
    url = urlsplit(base_url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        raise Refused("not_authorised", "base_url of the account must begin with https://")
    return base_url.rstrip("/")
