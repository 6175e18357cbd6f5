"""One way to ask Shopify: a GraphQL document with variables, under the shop's shared token and its bucket of points.

Answers are HTTP 200 whatever happened: a throttle or a refused document stands in `errors`, a refused wish in
`userErrors`. Every answer tells what is left of the bucket (`extensions.cost.throttleStatus`) and what the document was
priced at; a document whose price is known to be more than is left is not sent. Source: shopify.dev, API rate limits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from chalicelib.channels.access import Access
from chalicelib.channels.shopify import documents
from chalicelib.channels.transport import HttpRequest, checked, with_token
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unauthorised

USER_AGENT = "Headrace/0.1 (Language=Python)"
_EARLY_MS = 300_000  # a token is taken for ended this long before it is
_LONGEST_WAIT_S = 60
_STANDARD_RESTORE = 50  # points a second, where an answer does not say


class Declined(Refused):
    """Shopify says no: `code` is its own word for why, "" when it has none."""

    def __init__(self, reason: str, detail: str, code: str = "") -> None:
        super().__init__(reason, detail)
        self.code = code


class ShopifyWire:
    """Speaks for one shop. `account`: base_url or shop_domain; `credentials`: client_id and client_secret."""

    def __init__(self, access: Access) -> None:
        account = access.account
        self.now_ms = access.now_ms
        self._transport = access.transport
        self._base_url = str(account.get("base_url") or f"https://{account['shop_domain']}").rstrip("/")
        self._credentials = access.credentials
        self._tokens = access.tokens
        self._prices: dict[str, float] = {}
        self._left: tuple[float, float] | None = None  # points, and how many come back in a second

    def ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of an answer. Raises `Busy` (throttled: after as long as the bucket needs) and `Declined`."""
        self._check_points(document)
        body = json.dumps({"query": document, "variables": variables}).encode()
        url = f"{self._base_url}/admin/api/{documents.VERSION}/graphql.json"

        def call(token: str) -> dict[str, Any]:
            headers = {"x-shopify-access-token": token, "content-type": "application/json", "user-agent": USER_AGENT}
            answer = checked(self._transport(HttpRequest("POST", url, headers, body)), "Shopify")
            self._note_points(document, answer)
            return _data(answer)

        data: dict[str, Any] = with_token(self._tokens, self._fetch_token, call)
        return data

    def do(self, document: str, variables: Mapping[str, Any], field: str, reason: str) -> dict[str, Any]:
        """The payload of a mutation. Raises `Declined(reason)` for userErrors; they may quote what we sent, so only
        code and field are told."""
        payload: dict[str, Any] = self.ask(document, variables).get(field) or {}
        errors = [*(payload.get("userErrors") or []), *(payload.get("orderCancelUserErrors") or [])]
        if errors:
            raise _declined(reason, errors[0])
        return payload

    def pages(self, document: str, variables: Mapping[str, Any], *way: str) -> Iterator[dict[str, Any]]:
        """The nodes of a connection that lies at the end of `way`, page after page; none where a part is missing."""
        after = None
        while True:
            found: Any = self.ask(document, {**variables, "after": after})
            for name in way:
                found = (found or {}).get(name)
            if not found:
                return
            yield from found["nodes"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    def _check_points(self, document: str) -> None:
        if self._left is None:
            return
        lacking = self._prices.get(document, 0) - self._left[0]
        if lacking > 0:
            after_s = _seconds(lacking, self._left[1])
            self._left = None  # who comes back with this wire has waited
            raise OverBudget("Shopify has too few points left", after_s=after_s)

    def _note_points(self, document: str, answer: Any) -> None:
        cost = _cost(answer)
        if status := cost.get("throttleStatus"):
            self._prices[document] = float(cost.get("requestedQueryCost") or 0)
            rate = float(status.get("restoreRate") or _STANDARD_RESTORE)
            self._left = (float(status.get("currentlyAvailable") or 0), rate)

    def _fetch_token(self) -> tuple[str, int]:
        """Client credentials grant. Source: shopify.dev, client credentials grant; a token lives 24 hours."""
        fields = {"grant_type": "client_credentials"} | {
            name: str(self._credentials[name]) for name in ("client_id", "client_secret")
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": USER_AGENT}
        url = f"{self._base_url}/admin/oauth/access_token"
        response = self._transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
        if response.status in (400, 401, 403):
            raise Unauthorised("Shopify refused the client id and secret")
        answer = checked(response, "Shopify")
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise Busy("Shopify granted no token", after_s=5)
        return str(answer["access_token"]), self.now_ms + int(answer.get("expires_in", 86_399)) * 1000 - _EARLY_MS


def gid(kind: str, number: str) -> str:
    """A global id: "Order", "450789469" -> gid://shopify/Order/450789469"""
    return f"gid://shopify/{kind}/{number}"


def number(global_id: str) -> str:
    """The number in a global id."""
    return global_id.partition("?")[0].rpartition("/")[2]


def key_of(*parts: object) -> str:
    """An idempotency key that is the same for the same parts."""
    return str(UUID(bytes=hashlib.sha256(json.dumps(parts).encode()).digest()[:16]))


def _declined(reason: str, error: Mapping[str, Any]) -> Declined:
    """Where an error type has no code, the code may stand in its words."""
    code = str(error.get("code") or "")
    if not code:
        words = str(error.get("message") or "").split()
        code = next((word.strip(".:,") for word in words if word.startswith("IDEMPOTENCY_")), "")
    field = ".".join(map(str, error.get("field") or [])) or "the wish"
    return Declined(reason, f"Shopify refused {field}{': ' if code else ''}{code}", code)


def _data(answer: Any) -> dict[str, Any]:
    """The data of an answer; a success without it will pass. A throttle says how much was asked for and how fast it
    comes back."""
    if not isinstance(answer, dict):
        raise Busy("Shopify answered without data", after_s=5)
    for error in answer.get("errors") or []:
        code = (error.get("extensions") or {}).get("code") if isinstance(error, dict) else None
        if code in ("THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"):
            raise Busy(f"Shopify answered {code}", after_s=_wait_s(answer))
        raise Declined("channel_refused", f"Shopify answered {code or 'an error'}", str(code or ""))
    data = answer.get("data")
    if not isinstance(data, dict):
        raise Busy("Shopify answered without data", after_s=5)
    return data


def _cost(answer: Any) -> dict[str, Any]:
    extensions = answer.get("extensions") if isinstance(answer, dict) else None
    cost: dict[str, Any] = (extensions or {}).get("cost") or {}
    return cost


def _wait_s(answer: Mapping[str, Any]) -> int:
    cost = _cost(answer)
    status = cost.get("throttleStatus") or {}
    lacking = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return _seconds(lacking, float(status.get("restoreRate") or _STANDARD_RESTORE))


def _seconds(lacking: float, restored_per_s: float) -> int:
    return min(max(ceil(lacking / restored_per_s), 1), _LONGEST_WAIT_S)
