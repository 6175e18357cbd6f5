"""What an answer of Stripe's means. Sources: docs.stripe.com/api/errors, /rate-limits, /api/idempotent_requests.

Messages stay out: they may quote what we sent. Stripe's own `Stripe-Should-Retry` goes before the status.
"""

from __future__ import annotations

import json
from typing import Any

from chalicelib.channels.transport import HttpResponse, retry_after_s
from chalicelib.domain.errors import Busy, Refused, Unauthorised

_PASSING = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
_NOT_SOON_S = 60  # Stripe advises against a retry: the stored answer of this key would come again


class Declined(Refused):
    """Stripe will not do it; `code` is its word (card_declined, resource_missing), `status` the HTTP status."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__("processor_refused", detail)
        self.status = status
        self.code = code


def read_answer(response: HttpResponse) -> dict[str, Any]:
    """The object of a successful answer.

    Raises `Busy` for 409, 429, 5xx, a key in use, what Stripe says to retry and a success that is no JSON object;
    `Unauthorised` for 401; `Declined` for any other 4xx.
    """
    status, code = response.status, _code(response)
    if 200 <= status < 300:
        return _content(response)
    told = f"stripe answered {status}: {code}{_request_id(response)}"
    advice = response.headers.get("stripe-should-retry", "")
    if status in (409, 429) or status >= 500 or code in _PASSING or advice == "true":
        after_s = retry_after_s(response)
        raise Busy(told, after_s=max(after_s, _NOT_SOON_S) if advice == "false" else after_s)
    if status == 401:
        raise Unauthorised(f"{told}: put a valid restricted key into the account's secret as api_key")
    raise Declined(status, code, told)


def _content(response: HttpResponse) -> dict[str, Any]:
    content = _parsed(response)
    if content is None or "error" in content:
        raise Busy(f"stripe answered {response.status} with something that is no object", after_s=5)
    return content


def _parsed(response: HttpResponse) -> dict[str, Any] | None:
    try:
        content = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _code(response: HttpResponse) -> str:
    """`decline_code` says more than `code`, `type` is always there."""
    error = (_parsed(response) or {}).get("error")
    words = [error.get(name) for name in ("code", "type")] if isinstance(error, dict) else []
    code = next((word for word in words if isinstance(word, str) and word), "no error code")
    decline = error.get("decline_code") if isinstance(error, dict) else None
    return f"{code}/{decline}"[:80] if isinstance(decline, str) and decline else code[:80]


def _request_id(response: HttpResponse) -> str:
    found = response.headers.get("request-id", "")
    return f" (request {found[:80]})" if found else ""
