"""The seam to other people's HTTP: one request, one answer, short timeouts, and errors of our own tree.

Status comes before body: gateways answer HTML. Nothing here logs or repeats a token or a payload.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.channels.memory import TokenStore
from chalicelib.domain.errors import Busy, Refused, Retry, Unanswered, Unauthorised

USER_AGENT = "Headrace/0.1 (Language=Python)"  # Amazon asks for a name, a version and the language
_CONNECT_S = 2.0
_READ_S = 20.0
_LONGEST_WAIT_S = 900
_REQUEST_IDS = ("x-amzn-requestid", "x-ebay-request-id", "x-ebay-c-request-id", "x-request-id", "rlogid")


@dataclass(frozen=True)
class HttpRequest:
    """One request; `url` is absolute and encoded."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class HttpResponse:
    """One answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Transport = Callable[[HttpRequest], HttpResponse]


class TokenRejected(Retry):
    """The channel does not take this access token (401, 403): fetch a new one, once."""


def urllib3_transport() -> Transport:
    """Sends over urllib3: no redirects, no retries of its own; `Unanswered` when the other side cannot be reached."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=4, timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S), retries=False)

    def send(request: HttpRequest) -> HttpResponse:
        try:
            answer = pool.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                body=request.body or None,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unanswered(f"no answer: {type(error).__name__}", after_s=5) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(answer.status, headers, answer.data)

    return send


def checked(response: HttpResponse, channel: str) -> Any:
    """The JSON of a successful answer, None when it has no body.

    429 is `Busy`; 5xx, or a success that is no JSON, is `Unanswered`; 401 and 403 are `TokenRejected`; any other 4xx is
    `Refused` with the channel's own code.
    """
    status = response.status
    if status == 429:
        raise Busy(f"{channel} answered {status}", after_s=retry_after_s(response))
    if status >= 500:
        raise Unanswered(f"{channel} answered {status}", after_s=retry_after_s(response))
    if status in (401, 403):
        raise TokenRejected(f"{channel} answered {status}")
    if status >= 300:
        raise Refused("channel_refused", f"{channel} answered {status}: {_code(response)}{request_id(response)}")
    if not response.body:
        return None
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise Unanswered(f"{channel} answered {status} with something that is no JSON", after_s=5) from None


def retry_after_s(response: HttpResponse, otherwise_s: int = 2) -> int:
    """How many seconds the answer asks to wait, within bounds; `otherwise_s` when it does not say."""
    text = response.headers.get("retry-after", "").strip()
    wanted_s = int(text[:9]) if text.isdecimal() else otherwise_s  # nine digits are too long a wait already
    return min(max(wanted_s, 1), _LONGEST_WAIT_S)


def json_in(response: HttpResponse) -> Any:
    """What the body holds whatever the status; None when it is no JSON, or JSON too deep to be read."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def request_id(response: HttpResponse) -> str:
    """The channel's name for the call in brackets, for the log and for its support; "" when it gives none."""
    found = next((response.headers[name] for name in _REQUEST_IDS if name in response.headers), "")
    return f" (request {found[:80]})" if found else ""


def with_token(
    tokens: TokenStore, fetch: Callable[[], tuple[str, int]], call: Callable[[str], Any], name: str = ""
) -> Any:
    """`call` with the shared access token; when it is missing or refused, with a new one, once.

    `fetch` gives a token and when it ends (Unix ms). One worker fetches, the others come back in a moment. A fetch that
    is `Unauthorised` says that consent is gone, and the account is paused; a new token that is refused too is
    `Refused`: the app may not make this one call.
    """
    token = tokens.get(name)
    if token:
        try:
            return call(token)
        except TokenRejected:
            pass  # it may just have expired
    if not tokens.claim(token, name):
        raise Busy("another worker is fetching a token", after_s=1)
    try:
        token, expires_ms = fetch()
    except Unauthorised as error:
        tokens.lost(error.detail)
        raise
    tokens.put(token, expires_ms, name)
    try:
        return call(token)
    except TokenRejected as error:
        raise Refused("not_authorised", f"{error} to a new token: give the app the permission for this call") from None


def _code(response: HttpResponse) -> str:
    """The channel's own error code. Messages stay out: they may quote what we sent."""
    try:
        answer = json_in(response)
        errors = answer.get("errors") or answer.get("error") or []
        first = errors[0] if isinstance(errors, list) else errors
        code = first.get("code") or first.get("errorId") if isinstance(first, dict) else first
        return str(code)[:80]
    except (AttributeError, IndexError, TypeError):
        return "no error code"
