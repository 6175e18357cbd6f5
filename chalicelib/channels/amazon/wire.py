"""One call to Amazon: counted, signed with a token, and judged by its status before its body is looked at.

Sources: the SP-API models for error shapes and the rate header, Login with Amazon for tokens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.limits import PLANS
from chalicelib.channels.fields import Node, parse
from chalicelib.channels.transport import (
    USER_AGENT,
    HttpRequest,
    HttpResponse,
    TokenRejected,
    checked,
    json_in,
    request_id,
    retry_after_s,
    with_token,
)
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unanswered, Unauthorised

GRANTLESS = "notifications"  # the name of the app's own token, which no seller's consent stands behind
_SCOPE = "sellingpartnerapi::notifications"
_LWA_URL = "https://api.amazon.com/auth/o2/token"
_EARLY_MS = 300_000  # a token is taken for ended this long before it is
_PASSING = {"InternalFailure", "InternalError", "ServiceUnavailable", "QuotaExceeded", "RequestThrottled"}
_LONGEST_LIFE_S = 86_400 - 1
_LWA_PASSING = ("server_error", "temporarily_unavailable", "slow_down")  # whatever status they come with
_SLOWEST_PER_S, _FASTEST_PER_S = 1e-5, 1e4  # a rate beyond these is an error of writing
_TIMED_OUT = (408, 425)  # a gateway gave up: what was asked for may have been done
# What may never be done twice: only its content says that it was not done, however odd its success looks.
_ONCE = {"createFeed"}


class Wire:
    """The calls of one seller account. Everything raises `Busy`, `OverBudget` (Amazon has not carried it out),
    `Refused`, or `Unauthorised` when the seller's consent is gone."""

    def __init__(self, access: Access) -> None:
        self.base_url = str(access.account["base_url"]).rstrip("/")
        self.marketplace_id = str(access.account["marketplace_id"])
        self.seller_id = str(access.account.get("seller_id", ""))
        self.now_ms = access.now_ms
        self._account = access.account
        self._transport = access.transport
        self._credentials = access.credentials
        self._tokens = access.tokens
        self._budget = access.budget
        self._denied: set[str] = set()  # operations that a new token does not open either

    def call(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of a successful answer to the seller's call, None when it has no body."""
        send = self._sender(operation, method, path, body)
        token = self._tokens.get() if operation in self._denied else ""
        try:
            return send(token) if token else with_token(self._tokens, self._sellers_token, send)
        except TokenRejected as error:  # no call of this kind asks for a new token again
            told = f"{error} to {operation}: give the app the permission for this call"
            raise Refused("not_authorised", told) from None
        except Refused as refused:
            if refused.reason == "not_authorised" and not isinstance(refused, Unauthorised):
                self._denied.add(operation)
            raise

    def call_grantless(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The same for one of the app's own operations, which needs no seller's consent."""
        send = self._sender(operation, method, path, body)
        return with_token(self._tokens, self._apps_token, send, GRANTLESS)

    def spend(self, plan: str) -> None:
        """Count a call against a plan beside that of its operation."""
        self._budget.spend(plan)

    def upload(self, url: str, content_type: str, body: bytes) -> None:
        """Put a document where Amazon wants it. The address is signed: no token of ours goes there."""
        request = HttpRequest("PUT", self._trusted(url), {"content-type": content_type}, body)
        _fetched(self._transport(request))

    def download(self, url: str) -> HttpResponse:
        """Get a document from a signed address, which ends after five minutes."""
        return _fetched(self._transport(HttpRequest("GET", self._trusted(url), {"user-agent": USER_AGENT})))

    def _sender(self, operation: str, method: str, path: str, body: Mapping[str, Any] | None) -> Callable[[str], Any]:
        def send(token: str) -> Any:
            self._budget.spend(operation)
            headers = {
                "x-amz-access-token": token,
                "x-amz-date": datetime.fromtimestamp(self.now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ"),
                "user-agent": USER_AGENT,
                "accept": "application/json",
                **({"content-type": "application/json"} if body is not None else {}),
            }
            sent = json.dumps(body).encode() if body is not None else b""
            response = self._transport(HttpRequest(method, self.base_url + path, headers, sent))
            return self._judged(operation, response)

        return send

    def _judged(self, operation: str, response: HttpResponse) -> Any:
        told_per_s = _rate(response)
        if told_per_s:
            self._budget.correct(operation, told_per_s)
        if response.status == 429:
            # Until one call is allowed again: as the answer says, else as long as one call takes to be regained.
            after_s = retry_after_s(response, math.ceil(1 / (told_per_s or PLANS[operation].rate_per_s)))
            self._budget.drain(operation, after_s)
            raise OverBudget(f"Amazon answered 429 to {operation}{request_id(response)}", after_s=after_s)
        if response.status >= 500 or response.status in _TIMED_OUT or _is_passing(response):
            told = f"Amazon answered {response.status} to {operation}{request_id(response)}"
            raise Unanswered(told, after_s=retry_after_s(response))
        answer = checked(response, "Amazon")
        if b"\\ud" in response.body.lower():
            answer = _without_surrogates(answer)
        if (
            isinstance(answer, dict) and answer.get("errors") and operation not in _ONCE
        ):  # a success that names errors is none
            code = _first_code(answer["errors"])
            if code in _PASSING:
                raise Busy(f"Amazon answered {code} to {operation}{request_id(response)}", after_s=5)
            raise Refused("channel_refused", f"Amazon answered {operation} with {code}{request_id(response)}")
        return answer

    def _trusted(self, url: str) -> str:
        """A document's address, when it is encrypted or lies where we are connected to anyway."""
        there, here = urlsplit(url), urlsplit(self.base_url)
        if there.scheme != "https" and (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise Refused("untrusted_address", f"a document of Amazon's lies at {there.scheme}://{there.netloc[:100]}")
        return url

    def _sellers_token(self) -> tuple[str, int]:
        names = ("refresh_token", "client_id", "client_secret")
        return self._new_token({"grant_type": "refresh_token", **{name: self._credentials[name] for name in names}})

    def _apps_token(self) -> tuple[str, int]:
        names = ("client_id", "client_secret")
        fields = {name: self._credentials[name] for name in names}
        return self._new_token({"grant_type": "client_credentials", "scope": _SCOPE, **fields})

    def _new_token(self, fields: Mapping[str, Any]) -> tuple[str, int]:
        """An access token of Login with Amazon and when it ends (Unix ms). `Unauthorised` when it will never give one,
        `Busy` for a page of its gateway or an answer without a token."""
        is_amazon = (urlsplit(self.base_url).hostname or "").endswith(".amazon.com")
        url = str(self._account.get("lwa_url") or (_LWA_URL if is_amazon else f"{self.base_url}/auth/o2/token"))
        headers = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8", "user-agent": USER_AGENT}
        response = self._transport(HttpRequest("POST", url, headers, urlencode(fields).encode()))
        try:
            answer = having(checked(response, "Login with Amazon"), "access_token", "expires_in")
        except (Refused, TokenRejected) as error:
            why = _why(response)
            if not why or why in _LWA_PASSING:  # a page of the gateway is no word of Login with Amazon's
                raise Busy(f"Login with Amazon answered {response.status} without a reason", after_s=30) from None
            if why == "invalid_scope":  # of the app as such: no seller's consent is gone
                raise Refused("not_authorised", f"{error}: give the app the scope {_SCOPE}") from None
            raise Unauthorised(f"{error}: authorise again, or correct the client id and secret") from None
        try:
            lifetime_s = int(answer["expires_in"])
        except (TypeError, ValueError, OverflowError):
            lifetime_s = 0
        if lifetime_s <= 0:
            raise Busy("Login with Amazon told no lifetime", after_s=5)
        lifetime_ms = min(lifetime_s, _LONGEST_LIFE_S) * 1000
        return str(answer["access_token"]), self.now_ms + lifetime_ms - min(_EARLY_MS, lifetime_ms // 2)


def having(answer: Any, *names: str) -> dict[str, Any]:
    """The answer, when it is an object with these fields; a success without them is a fault that will pass."""
    if not isinstance(answer, dict) or any(answer.get(name) is None for name in names):
        raise Busy(f"Amazon answered without {', '.join(names)}", after_s=5)
    return answer


def tree(answer: Any) -> Node:
    """An object of an answer as a tree in which a number with a point is exact, and may stand for text."""
    return parse(json.dumps(answer))


def payload(answer: Any, kind: type) -> Any:
    """What the older operations wrap in `payload`, when it is of this kind; `Busy` when it is not."""
    inner = having(answer, "payload")["payload"]
    if not isinstance(inner, kind):
        raise Busy("Amazon answered with a payload of another kind", after_s=5)
    return inner


def iso(at_ms: int) -> str:
    """A time as Amazon's parameters take it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_surrogates(answer: Any) -> Any:
    """Half a character cannot be sent back to Amazon, as a token or an id."""
    return json.loads(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


def _why(response: HttpResponse) -> str:
    """The error of OAuth 2 that it names in `error`, e.g. invalid_grant; "" when it is none."""
    answer = json_in(response)
    told = answer.get("error") if isinstance(answer, dict) else None
    return told.strip().lower() if isinstance(told, str) else ""


def _fetched(response: HttpResponse) -> HttpResponse:
    """A signed address that has ended answers 403: a new one must be asked for, so every failure may pass."""
    if response.status >= 300:
        raise Busy(f"a document's address answered {response.status}", after_s=5)
    return response


def _rate(response: HttpResponse) -> float:
    """The calls a second that Amazon says it allows; 0 when it says nothing that makes sense."""
    try:
        rate_per_s = float(response.headers.get("x-amzn-ratelimit-limit", "0"))
    except ValueError:
        return 0.0
    return rate_per_s if _SLOWEST_PER_S <= rate_per_s <= _FASTEST_PER_S else 0.0


def _is_passing(response: HttpResponse) -> bool:
    """Whether a refusal names trouble of Amazon's own: then it is no word on what was asked for."""
    if not 400 <= response.status < 500 or response.status in (401, 403):
        return False
    answer = json_in(response)
    return isinstance(answer, dict) and _first_code(answer.get("errors")) in _PASSING


def _first_code(errors: Any) -> str:
    first = errors[0] if isinstance(errors, list) and errors else errors
    return str(first.get("code", "no code") if isinstance(first, dict) else "no code")[:80]
