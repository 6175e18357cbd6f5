"""The summary of a session tells what was counted, in one process or in several."""

from __future__ import annotations

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from tests.contract.official_counts import COUNTS, Counts, told
from tests.contract.official_models import Recorder, held_answer, held_request

ORDERS = "/orders/2026-01-01/orders"


def test_the_counts_of_several_processes_add_up() -> None:
    one, all_of_them = Counts(), Counts()
    assert not one
    one.requests["a"] += 2
    one.altered["v"] += 300
    for _ in range(2):
        all_of_them.add(one.plain())
    assert all_of_them
    assert (all_of_them.requests, all_of_them.altered) == ({"a": 4}, {"v": 600})


def test_the_summary_says_what_was_held_and_what_has_no_model() -> None:
    counts = Counts()
    counts.add(
        {
            "requests": {"a": 4000, "b": 812},
            "answers": {"a": 4790},
            "paths_only": {"p": 3},
            "unmodelled": {"token": 412},
            "vectors": {"v": 1},
            "altered": {"v": 50},
        }
    )
    reasons = {"": "paths are all it has", "token": "prose only"}
    assert told(counts, reasons, ["x", "stranger"], ["x", "y"]) == [
        "contract: 2 operations, 4,812 requests and 4,790 answers validated against the official models",
        "  by method and path alone: 1 operations, 3 requests (paths are all it has)",
        "  without a model: token (prose only): 412 calls",
        "  samples used: 1 of 2; signature vectors: 1 passed, 1 altered refused (50 bytes)",
    ]


def test_what_fits_is_counted_once_and_what_does_not_never() -> None:
    before = COUNTS.plain()
    recorder = Recorder(lambda request: HttpResponse(200, {}, b'{"orders": []}'), "/amazon")
    recorder(HttpRequest("GET", f"https://x.example/amazon{ORDERS}"))
    with pytest.raises(AssertionError, match="unknown parameter"):
        held_request("GET", f"{ORDERS}?since=now", {}, b"")
    with pytest.raises(AssertionError, match="answered 200"):
        held_answer("GET", ORDERS, 200, {}, b'{"orders": 1}')
    held_answer("GET", ORDERS, 503, {}, b"<html>")
    name = "amazon orders_2026-01-01 searchOrders"
    for counter in ("requests", "answers"):
        assert COUNTS.plain()[counter][name] - before[counter].get(name, 0) == 1
