"""The seam to other people's HTTP, given answers that nobody should give."""

from __future__ import annotations

import pytest

from chalicelib.channels.transport import HttpResponse, checked, json_in, request_id, retry_after_s
from chalicelib.domain.errors import Busy, Refused

DEEP = b"[" * 100_000
DEEP_WHOLE = DEEP + b"]" * 100_000
LONG_NUMBER = b"1" * 5_000  # Python converts no more than 4,300 digits


def test_an_absurdly_long_retry_after_is_the_longest_wait() -> None:
    assert retry_after_s(HttpResponse(429, {"retry-after": "9" * 5_000}, b"")) == 900


def test_leading_zeros_do_not_end_the_wait_before_a_second() -> None:
    assert retry_after_s(HttpResponse(429, {"retry-after": "0" * 5_000}, b"")) == 1


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [(" 7 ", 7), ("0", 1), ("901", 900), ("900", 900), ("", 33), ("-5", 33), ("1.5", 33), ("soon", 33), ("²", 33)],
)
def test_a_wait_is_kept_within_bounds_and_else_is_the_callers(told: str, wait_s: int) -> None:
    assert retry_after_s(HttpResponse(503, {"retry-after": told}, b""), 33) == wait_s


def test_a_throttle_with_an_absurd_wait_is_busy() -> None:
    with pytest.raises(Busy) as busy:
        checked(HttpResponse(429, {"retry-after": "9" * 5_000}, b""), "the shop")
    assert busy.value.after_s == 900


@pytest.mark.parametrize("body", [DEEP, DEEP_WHOLE, b'{"a":' * 100_000, LONG_NUMBER, b"<html>", b"\xff"])
def test_a_success_that_cannot_be_read_is_busy(body: bytes) -> None:
    with pytest.raises(Busy, match="the shop answered 200 with something that is no JSON") as busy:
        checked(HttpResponse(200, {}, body), "the shop")
    assert busy.value.after_s == 5


@pytest.mark.parametrize("body", [DEEP, DEEP_WHOLE, LONG_NUMBER, b"<html>", b"", b"null", b"[]", b'{"errors":[]}'])
def test_a_refusal_that_cannot_be_read_is_refused_without_a_code(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        checked(HttpResponse(400, {"x-request-id": "r1"}, body), "the shop")
    assert refused.value.detail == "the shop answered 400: no error code (request r1)"


def test_a_null_is_an_answer_and_what_is_no_json_is_none() -> None:
    assert checked(HttpResponse(200, {}, b"null"), "the shop") is None
    assert json_in(HttpResponse(200, {}, DEEP_WHOLE)) is None
    assert json_in(HttpResponse(500, {}, b'{"error": "x"}')) == {"error": "x"}


def test_a_call_is_named_by_the_channels_own_id_of_it_at_most_80_characters() -> None:
    assert request_id(HttpResponse(500, {"x-request-id": "front", "x-amzn-requestid": "a" * 90}, b"")) == (
        f" (request {'a' * 80})"
    )
    assert request_id(HttpResponse(500, {"rlogid": "r", "x-ebay-c-request-id": "e"}, b"")) == " (request e)"
    assert request_id(HttpResponse(500, {}, b"")) == ""
