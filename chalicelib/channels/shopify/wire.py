"""One way to ask Shopify: a GraphQL document with variables, under the shop's shared token and its bucket of points.

Answers are HTTP 200 whatever happened: a throttle or a refused document stands in `errors`, a refused wish in
`userErrors`. Every answer tells what is left of the bucket (`extensions.cost.throttleStatus`) and what the document was
priced at; a document whose price is known to be more than is left is not sent. Source: shopify.dev, API rate limits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from chalicelib.channels.access import Access
from chalicelib.channels.fields import Node
from chalicelib.channels.shopify import documents
from chalicelib.channels.transport import HttpRequest, checked, with_token
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unanswered, Unauthorised, Unreadable

USER_AGENT = "Headrace/0.1 (Language=Python)"
_EARLY_MS = 300_000  # a token is taken for ended this long before it is
_TOKEN_LIVES_S = 86_399  # where its answer does not say
_LONGEST_WAIT_S = 60
_STANDARD_RESTORE = 50  # points a second, where an answer does not say
_MOST = 10**9  # a larger number says nothing


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

    def ask(self, document: str, variables: Mapping[str, Any]) -> Node:
        """The data of an answer. Raises `Busy` (throttled: after as long as the bucket needs) and `Declined`."""
        self._check_points(document)
        body = json.dumps({"query": document, "variables": variables}).encode()
        url = f"{self._base_url}/admin/api/{documents.VERSION}/graphql.json"

        def call(token: str) -> Node:
            headers = {"x-shopify-access-token": token, "content-type": "application/json", "user-agent": USER_AGENT}
            answer = checked(self._transport(HttpRequest("POST", url, headers, body)), "Shopify")
            self._note_points(document, answer)
            return _data(answer)

        data: Node = with_token(self._tokens, self._fetch_token, call)
        return data

    def do(self, document: str, variables: Mapping[str, Any], field: str, reason: str) -> Node:
        """The payload of a mutation. Raises `Declined(reason)` for userErrors; they may quote what we sent, so only
        code and field are told."""
        payload, errors = self.tell(document, variables, field)
        if errors:
            raise _declined(reason, errors[0])
        return payload

    def tell(self, document: str, variables: Mapping[str, Any], field: str) -> tuple[Node, list[Node]]:
        """The payload of a mutation and its userErrors. Raises `Unanswered` where it does not say what became of the
        wish, which may have been carried out."""
        payload = self.ask(document, variables).at(field)
        try:
            errors = [*payload.each("userErrors"), *payload.each("orderCancelUserErrors")]
        except Unreadable as unread:
            raise Unanswered(f"Shopify's answer cannot be read: {unread.detail}", after_s=5) from None
        if not payload:
            raise Unanswered(f"Shopify has not said what became of {field}", after_s=5)
        return payload, errors

    def pages(self, document: str, variables: Mapping[str, Any], *way: str) -> Iterator[Node]:
        """The nodes of a connection that lies at the end of `way`, page after page; none where what it is of is not
        there."""
        *owners, name = way

        def owner(after: str | None) -> Node:
            found = self.ask(document, {**variables, "after": after})
            for each in owners:
                found = found.at(each)
            return found

        if first := owner(None):
            yield from nodes_of(first.at(name), lambda after: owner(after).at(name))

    def _check_points(self, document: str) -> None:
        if self._left is None:
            return
        lacking = self._prices.get(document, 0) - self._left[0]
        if lacking > 0:
            after_s = _seconds(lacking, self._left[1])
            self._left = None  # who comes back with this wire has waited
            raise OverBudget("Shopify has too few points left", after_s=after_s)

    def _note_points(self, document: str, answer: Any) -> None:
        price, left, rate = _cost(answer)
        if left is not None:
            self._prices[document] = price
            self._left = (left, rate)

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
        lives_s = int(_number(answer.get("expires_in")) or _TOKEN_LIVES_S)
        return str(answer["access_token"]), self.now_ms + lives_s * 1000 - _EARLY_MS


def gid(kind: str, number: str) -> str:
    """A global id: "Order", "450789469" -> gid://shopify/Order/450789469"""
    return f"gid://shopify/{kind}/{number}"


def number(global_id: str) -> str:
    """The number in a global id."""
    return global_id.partition("?")[0].rpartition("/")[2]


def key_of(*parts: object) -> str:
    """An idempotency key that is the same for the same parts."""
    return str(UUID(bytes=hashlib.sha256(json.dumps(parts).encode()).digest()[:16]))


def nodes_of(first: Node, more: Callable[[str], Node]) -> Iterator[Node]:
    """All nodes of a connection whose first page is here; `more` gives the page after a cursor."""
    page, after = first, None
    while True:
        yield from page.listed("nodes")
        after = next_cursor(page, after)
        if after is None:
            return
        page = more(after)


def next_cursor(page: Node, after: str | None = None) -> str | None:
    """The cursor of what comes after this page, which came after `after`; None when it is the last. Raises `Busy` where
    a page does not lead on."""
    info = page.at("pageInfo")
    if not info.has("hasNextPage"):
        info.at("hasNextPage").refuse("true or false")
    if not info.flag("hasNextPage"):
        return None
    cursor = info.at("endCursor").value
    if not isinstance(cursor, str) or cursor == after:
        raise Busy("Shopify says that there is more and does not show it", after_s=5)
    return cursor


def _declined(reason: str, error: Node) -> Declined:
    """Where an error type has no code, the code may stand in its words."""
    code, message, field = (error.at(name).value for name in ("code", "message", "field"))
    if not isinstance(code, str) or not code:
        words = message.split() if isinstance(message, str) else ()
        code = next((word.strip(".:,") for word in words if word.startswith("IDEMPOTENCY_")), "")
    where = ".".join(map(str, field)) if isinstance(field, list) and field else "the wish"
    return Declined(reason, f"Shopify refused {where}{': ' if code else ''}{code}", code)


def _data(answer: Any) -> Node:
    """The data of an answer; a success without it will pass. A throttle says how much was asked for and how fast it
    comes back."""
    if not isinstance(answer, dict):
        raise Busy("Shopify answered without data", after_s=5)
    if errors := answer.get("errors"):
        code = _code(errors[0] if isinstance(errors, list) else errors)
        if code in ("THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"):
            raise Busy(f"Shopify answered {code}", after_s=_wait_s(answer))
        raise Declined("channel_refused", f"Shopify answered {code or 'an error'}", code)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise Busy("Shopify answered without data", after_s=5)
    return Node(data)


def _code(error: Any) -> str:
    code = _part(_part(error, "extensions"), "code")
    return code if isinstance(code, str) else ""


def _part(of: Any, name: str) -> Any:
    """What a part of an answer that we can do without holds; None where it is no object."""
    return of.get(name) if isinstance(of, dict) else None


def _cost(answer: Any) -> tuple[float, float | None, float]:
    """The points that the document was priced at, how many are left (None: not told), and how many come back in a
    second."""
    cost = _part(_part(answer, "extensions"), "cost")
    status = _part(cost, "throttleStatus")
    left, rate = _number(_part(status, "currentlyAvailable")), _number(_part(status, "restoreRate"))
    return _number(_part(cost, "requestedQueryCost")) or 0, left, rate if rate and rate > 0 else _STANDARD_RESTORE


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < _MOST else None


def _wait_s(answer: Mapping[str, Any]) -> int:
    price, left, rate = _cost(answer)
    return _seconds(price - (left or 0), rate)


def _seconds(lacking: float, restored_per_s: float) -> int:
    return min(max(ceil(lacking / restored_per_s), 1), _LONGEST_WAIT_S)
