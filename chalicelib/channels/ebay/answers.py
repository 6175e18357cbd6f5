"""What an answer of eBay's means: status before body, and the error id before the status where it tells more.

Sources: the `x-response-codes` of the OpenAPI documents; Error of sell_inventory_v1_oas3.json. Errors come as `errors`,
as `error` (a list, or OAuth's word) or as Post-Order's `errorMessage.error`.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import Any

from chalicelib.channels.transport import HttpResponse, TokenRejected, json_in, request_id
from chalicelib.domain.errors import Busy, Refused, Unanswered

# Conflicts that pass, whatever status and category they come with, and have left nothing behind. 34922: the refund
# before is still on its way; 34929: the buyer's payment is.
_PASSING = frozenset({2001, 25025, 34922, 34929})
_SYSTEM = frozenset({25001, 30500, 34900, 135000, 195000})  # nobody knows what they have left behind
# Conflicts that stay: 409 says otherwise that somebody else is at the same thing now.
_FINAL = frozenset({25803, 34918, 34919, 34924, 34925, 34926, 34927, 34928, 34930})
_FINAL |= {195003, 195012, 195014, 195015, 195020, 195021, 195024}
_ACCESS = frozenset({1001, 1100})
_SIGNATURE = range(215000, 216000)
_ERRORS_ONLY = frozenset({"errors", "error", "errorMessage", "warnings"})
_TIMED_OUT = 408
_DRAINED_S = 5  # a 429 without Retry-After
_AGAIN_S = 2
_LONGEST_S = 900
_LONGEST_ID = 12  # digits


class Declined(Refused):
    """eBay will not do it; `codes` are its error ids, `status` the HTTP status."""

    def __init__(self, status: int, codes: tuple[int, ...], detail: str) -> None:
        super().__init__("channel_refused", detail)
        self.status = status
        self.codes = codes


class Throttled(Busy):
    """eBay has counted too many calls; nothing was done."""


def read_answer(response: HttpResponse, now_ms: int = 0) -> Any:
    """The JSON of a success, None when it has no body. `now_ms` (Unix) is what a date to wait for is compared with.

    Raises `TokenRejected`, `Throttled`, `Unanswered` or another `Busy` for what passes, `Declined` for what does not,
    and `Refused` (signing_key_expired) where eBay demands a digital signature that it has not got.
    """
    status = response.status
    if 200 <= status < 300:
        return _content(response)
    codes, passing = errors_of(json_in(response))
    told = f"ebay answered {status}: {_listed(codes)}{request_id(response)}"
    if status == 429:
        raise Throttled(told, after_s=_after_s(response, now_ms, _DRAINED_S))
    if status >= 500 or status == _TIMED_OUT:
        raise Unanswered(told, after_s=_after_s(response, now_ms, _AGAIN_S))
    if any(code in _SIGNATURE for code in codes):
        remedy = "make a new signing key (Key Management) and put it into the account's secret as signing_key"
        raise Refused("signing_key_expired", f"{told}; {remedy}")
    if status == 401 or (status == 403 and (not codes or _ACCESS.intersection(codes))):
        raise TokenRejected(told)
    raise _refusal(status, codes, told, passing=passing)


def _refusal(status: int, codes: tuple[int, ...], told: str, *, passing: bool) -> Busy | Refused:
    """What eBay's own words of a failure mean, the ids before the category."""
    if _PASSING.intersection(codes):
        return Busy(told, after_s=5)
    if passing or _SYSTEM.intersection(codes):
        return Unanswered(told, after_s=5)
    if status == 409 and not _FINAL.intersection(codes):
        return Busy(told, after_s=5)
    return Declined(status, codes, told)


def _after_s(response: HttpResponse, now_ms: int, otherwise_s: int) -> int:
    """How long Retry-After asks to wait, given in seconds or as a date. Source: RFC 9110, 10.2.3."""
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_ms / 1000
        except (ValueError, TypeError, IndexError, OverflowError):
            return otherwise_s
    return min(max(ceil(seconds), 1), _LONGEST_S) if isfinite(seconds) else otherwise_s


def errors_of(body: Any) -> tuple[tuple[int, ...], bool]:
    """The error ids in a body, and whether eBay says that the fault is its own (category APPLICATION)."""
    found: Any = None
    if isinstance(body, dict):
        found = body.get("errors") or body.get("error") or body.get("errorMessage")
    if isinstance(found, dict) and isinstance(found.get("error"), dict | list):
        found = found["error"]
    errors = [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]
    codes = [str(each.get("errorId") or "") for each in errors]
    passing = any(each.get("category") == "APPLICATION" for each in errors)
    return tuple(
        int(code) for code in codes if code.isascii() and code.isdecimal() and len(code) < _LONGEST_ID
    ), passing


def oauth_error(response: HttpResponse) -> str:
    """OAuth's word for what is wrong, e.g. invalid_grant; "" when the answer is none of OAuth's."""
    body = json_in(response)
    word = body.get("error") if isinstance(body, dict) else None
    return word[:80] if isinstance(word, str) else ""


def _content(response: HttpResponse) -> Any:
    if not response.body.strip():
        return None
    content = json_in(response)
    if content is None:
        raise Unanswered(f"ebay answered {response.status} with something that is no JSON", after_s=5)
    if isinstance(content, dict) and content.keys() <= _ERRORS_ONLY:
        codes, passing = errors_of(content)
        if codes or passing:
            told = f"ebay answered {response.status}, and an error: {_listed(codes)}{request_id(response)}"
            raise _refusal(response.status, codes, told, passing=passing)
    return content


def _listed(codes: tuple[int, ...]) -> str:
    """Messages stay out: they may quote what we sent."""
    return ", ".join(map(str, codes[:5])) or "no error id"
