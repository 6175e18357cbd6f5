"""The summary of a session tells what was counted, in one process or in several."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chalicelib.channels.transport import HttpRequest, HttpResponse
from tests import conftest
from tests.contract.official_counts import COUNTS, Counts, told
from tests.contract.official_models import Recorder, held_answer, held_request
from tests.contract.test_samples_used import used_by
from tests.shared_data import shared

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
            "requests": {"ebay a": 4000, "shopify b": 812},
            "answers": {"ebay a": 4790},
            "paths_only": {"ebay p": 3},
            "unmodelled": {"token": 412},
            "vectors": {"shippo v": 1},
            "altered": {"shippo v": 50},
        }
    )
    reasons = {"": "paths are all it has", "token": "prose only"}
    assert told(counts, reasons, ["ebay/x", "ebay/stranger"], ["ebay/x", "carriers/shippo/y"]) == [
        "contract: 2 operations, 4,812 requests and 4,790 answers validated against the official models",
        "  ebay: 1 operations, 4,000 requests and 4,790 answers; samples 1 of 1",
        "  shippo: samples 0 of 1; vectors 1, altered bytes refused 50",
        "  shopify: 1 operations, 812 requests (GraphQL documents and variables, by the Admin API 2026-10)",
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


class Config:
    """What a session was asked for."""

    def __init__(self, keyword: str = "", *args: str) -> None:
        self.option = SimpleNamespace(keyword=keyword)
        self.args = list(args)


def test_a_whole_run_that_leaves_a_sample_unused_fails_and_a_chosen_few_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shared("samples")
    named = {test for tests in used_by().values() for test in tests}
    outcomes = dict.fromkeys(named | {"test_samples_used.test_every_named_test_is_there"}, True)
    monkeypatch.setattr(conftest, "_outcomes", outcomes)
    assert conftest._unused(Config()) == []  # type: ignore[arg-type]
    outcomes["test_samples_meta.test_every_vector_of_the_sdk_is_ours"] = False
    assert conftest._unused(Config()) == ["meta/sdk-normalize-and-hash-vectors.json"]  # type: ignore[arg-type]
    del outcomes["test_samples_meta.test_every_vector_of_the_sdk_is_ours"]
    assert conftest._unused(Config()) == ["meta/sdk-normalize-and-hash-vectors.json"]  # type: ignore[arg-type]
    for few in (Config("sdk"), Config("", "tests/contract/test_x.py::test_y")):
        assert conftest._unused(few) == []  # type: ignore[arg-type]
    for name in [name for name in outcomes if name.startswith("test_samples_meta.")]:
        del outcomes[name]
    assert conftest._unused(Config()) == []  # type: ignore[arg-type]
