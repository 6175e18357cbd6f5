"""A worker that dies at any call to Amazon, or at any writing of a job: money moves once, listings end as wanted."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.channels.access import Access
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.port import CancellationRequest, RefundRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Retry
from tests.unit.channels.amazon_desk import (
    ACCOUNT,
    SECRET,
    Desk,
    StrictJobs,
    availability,
    flat_report,
    order_body,
)

SKUS = [f"S{number}" for number in range(24)]
Act = Callable[[AmazonClient], Any]


class Crash(BaseException):
    """The worker is gone."""


class Countdown:
    """Dies before or after the step of this number; 0 never."""

    def __init__(self, step: int = 0, *, is_after: bool = False) -> None:
        self.step, self.is_after, self.steps = step, is_after, 0

    def around(self, act: Callable[[], Any]) -> Any:
        self.steps += 1
        if self.steps == self.step and not self.is_after:
            raise Crash
        result = act()
        if self.steps == self.step:
            raise Crash
        return result


class MortalJobs(StrictJobs):
    """Jobs whose writing may be the worker's last act."""

    def __init__(self, shelf: dict[str, tuple[int, str]], count: Countdown) -> None:
        super().__init__(shelf)
        self.count = count

    def put(self, name: str, job: Any) -> None:
        write = super().put
        self.count.around(lambda: write(name, job))

    def drop(self, name: str) -> None:
        forget = super().drop
        self.count.around(lambda: forget(name))


def worker(desk: Desk, count: Countdown) -> AmazonClient:
    def send(request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = count.around(lambda: desk(request))
        return answer

    jobs = MortalJobs(desk.shelf, count)
    return AmazonClient(Access(send, ACCOUNT, SECRET, desk.tokens, desk.now_ms, desk.budget, jobs))


def steps_of(make: Callable[[], Desk], act: Act) -> int:
    count = Countdown()
    with suppress(Retry):
        act(worker(make(), count))
    return count.steps


def order_desk() -> Desk:
    desk = Desk()
    desk.orders["114-1"] = order_body(L1=(2, "20.00"))
    return desk


def refund(client: AmazonClient) -> Any:
    return client.refund("114-1", RefundRequest("R1", 500, "USD"))


def cancel(client: AmazonClient) -> Any:
    client.cancel("114-1", CancellationRequest("C1", (("L1", 2),)))
    return True


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("act", [refund, cancel])
def test_a_feed_is_sent_once_whenever_its_worker_dies(act: Act, is_after: bool) -> None:
    points = range(1, steps_of(order_desk, act) + 1)
    assert len(points) > 8
    for step in points:
        desk = order_desk()
        with pytest.raises(Crash):
            act(worker(desk, Countdown(step, is_after=is_after)))
        done = None
        for _ in range(4):
            desk.now_ms += 200_000
            for feed_id, feed in desk.feeds_made.items():
                if feed["processingStatus"] == "IN_QUEUE":
                    desk.finish(feed_id, flat_report(1, 1))
            with suppress(Retry):
                done = act(worker(desk, Countdown()))
        assert done is True, step
        assert list(desk.feeds_made) == ["F1"], step


def push(client: AmazonClient) -> Any:
    return client.push_availability([availability(sku, 0 if sku == "S5" else 7) for sku in SKUS])


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("is_done", [False, True])
def test_listings_end_as_wanted_whenever_the_worker_of_their_feed_dies(is_after: bool, is_done: bool) -> None:
    """`is_done`: the feed is finished, and the worker dies while it takes its outcome."""

    def begin() -> Desk:
        desk = Desk()
        if is_done:
            push(desk.client())
            finish(desk)
        return desk

    points = range(1, steps_of(begin, push) + 1)
    assert len(points) > len(SKUS)
    for step in points:
        desk = begin()
        with pytest.raises(Crash):
            push(worker(desk, Countdown(step, is_after=is_after)))
        outcome: list[Any] = []
        for _ in range(6):
            desk.now_ms += 200_000
            finish(desk)
            outcome = push(worker(desk, Countdown()))
            if not any(outcome):
                break
        assert outcome == [None] * len(SKUS), step
        assert desk.jobs("listing/") == [], step


def finish(desk: Desk) -> None:
    for feed_id, feed in desk.feeds_made.items():
        if feed["processingStatus"] == "IN_QUEUE":
            count = len(desk.uploads[desk.inputs[feed_id]].split(b'"messageId"')) - 1
            desk.finish(feed_id, json.dumps({"issues": [], "summary": {"messagesProcessed": count}}))
