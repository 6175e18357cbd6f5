"""A poll that breaks off goes on where it was, loses no order, and remembers no more than an item holds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from chalicelib.channels.port import Basic, Skip
from chalicelib.domain.errors import Busy, Refused
from chalicelib.inbound.polls import OVERLAP_MS, poll
from chalicelib.runtime import clients
from chalicelib.runtime.queues import LARGEST_BODY_BYTES
from chalicelib.store.accounts import Cursor, move_cursor, read_cursor
from local.memory.world import World
from tests.accounts import NOW_MS, connected, quiet_world


@dataclass
class Pages(Basic):
    """Orders in pages, found again by the number of the page. `breaks`: pages that raise this, once each."""

    pages: list[dict[str, int]] = field(default_factory=list)
    breaks: dict[int, Exception] = field(default_factory=dict)
    asked: list[tuple[int, str]] = field(default_factory=list)
    position: str = ""
    raw: Callable[[str], bytes] = str.encode

    def changed_orders(self, since_ms: int, skip: Skip, position: str = "") -> Iterator[tuple[bytes, int]]:
        self.asked.append((since_ms, position))
        self.position = position
        for number in range(int(position or 0), len(self.pages)):
            if number in self.breaks:
                raise self.breaks.pop(number)
            for name, changed_ms in self.pages[number].items():
                if not skip(name, changed_ms):
                    yield self.raw(name), changed_ms
            self.position = str(number + 1) if number + 1 < len(self.pages) else ""


@pytest.fixture
def world() -> World:
    return quiet_world()


@pytest.fixture
def amazon(world: World, monkeypatch: pytest.MonkeyPatch) -> Pages:
    connected(world, monkeypatch, "amazon")
    pages = Pages()
    monkeypatch.setattr(clients, "client_class", lambda kind: lambda *more: pages)
    return pages


def handed_on(world: World) -> list[str]:
    messages = [json.loads(body) for _, body, _ in world.queues.waiting["entry"]]
    world.queues.waiting["entry"].clear()
    return [message.get("raw") or world.bodies.kept[message["claim"]].decode().strip() for message in messages]


def page(first: int, size: int, at_ms: int) -> dict[str, int]:
    return {f"303-{number:07}-{number * 7919 % 10_000_000:07}": at_ms + number for number in range(first, first + size)}


def test_a_window_of_twenty_thousand_orders_fits_its_cursor_however_often_it_breaks_off(
    world: World, amazon: Pages
) -> None:
    amazon.pages = [page(number * 100, 100, NOW_MS - 600_000) for number in range(200)]
    amazon.breaks = {number: Busy("used up", after_s=1) for number in range(10, 200, 20)}
    found: list[str] = []
    for _ in range(20):
        poll("amazon", world.runtime)
        found += handed_on(world)
        item = next(value for key, value in world.tables.items.items() if key.sk == "CURSOR")
        assert len(item["seen"]) < 200_000
    assert set(found) == {name for each in amazon.pages for name in each}
    assert not read_cursor(world.tables, "amazon").position


def test_what_changes_while_a_reading_is_broken_off_is_in_the_next_window(world: World, amazon: Pages) -> None:
    """It goes to a page that was read by then; others that changed later still do not hide it."""
    amazon.pages = [page(0, 3, NOW_MS - 600_000), page(3, 3, NOW_MS - 600_000)]
    amazon.breaks = {1: Busy("used up", after_s=1)}
    poll("amazon", world.runtime)
    world.now_ms += 3_600_000
    changed_ms, later_ms = NOW_MS + 60_000, NOW_MS + 3_000_000
    amazon.pages[0]["303-9-9"] = changed_ms
    amazon.pages[1]["303-8-8"] = later_ms
    poll("amazon", world.runtime)
    handed_on(world)
    amazon.pages = [{"303-9-9": changed_ms, "303-8-8": later_ms}]
    poll("amazon", world.runtime)
    assert amazon.asked[-1][0] <= changed_ms
    assert "303-9-9" in handed_on(world)
    assert read_cursor(world.tables, "amazon").read_to_ms == later_ms


def test_a_reading_in_parts_counts_what_all_parts_have_shown(world: World, amazon: Pages) -> None:
    amazon.pages = [{"newest": NOW_MS - 400_000}, {"oldest": NOW_MS - 900_000}]
    amazon.breaks = {1: Busy("used up", after_s=1)}
    poll("amazon", world.runtime)
    poll("amazon", world.runtime)
    assert handed_on(world) == ["newest", "oldest"]
    assert read_cursor(world.tables, "amazon").read_to_ms == NOW_MS - 400_000


def test_a_page_that_is_gone_is_read_from_the_beginning_again(world: World, amazon: Pages) -> None:
    amazon.pages = [page(0, 3, NOW_MS - 600_000), page(3, 3, NOW_MS - 600_000)]
    amazon.breaks = {1: Busy("used up", after_s=1)}
    poll("amazon", world.runtime)
    amazon.breaks = {1: Refused("channel_refused", "400: the token has expired")}
    poll("amazon", world.runtime)
    poll("amazon", world.runtime)
    assert [position for _, position in amazon.asked] == ["", "1", ""]
    assert set(handed_on(world)) == {name for each in amazon.pages for name in each}


def test_an_order_that_could_not_be_stored_is_shown_again(
    world: World, amazon: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is too large for a message, and the bucket does not answer: its page is read again, and it is not skipped."""
    amazon.pages = [{"first": NOW_MS - 9_000}, {"second": NOW_MS - 8_000, "third": NOW_MS - 7_000}]
    amazon.raw = lambda name: name.encode() if name != "third" else b"third" + b" " * LARGEST_BODY_BYTES
    put = world.bodies.put

    def busy(key: str, body: bytes) -> None:
        monkeypatch.setattr(world.bodies, "put", put)
        raise Busy("the bucket is slow", after_s=1)

    monkeypatch.setattr(world.bodies, "put", busy)
    poll("amazon", world.runtime)
    assert handed_on(world) == ["first", "second"]
    poll("amazon", world.runtime)
    assert handed_on(world) == ["third"]


def test_a_lambda_that_runs_out_of_time_goes_on_where_it_was(world: World, amazon: Pages) -> None:
    amazon.pages = [page(number * 3, 3, NOW_MS - 600_000) for number in range(20)]
    left = [0]

    class Killed(BaseException):
        """Lambda ends the process: nothing of ours sees it."""

    def slow(name: str) -> bytes:
        world.now_ms += 3_000
        left[0] -= 1
        if not left[0]:
            raise Killed
        return name.encode()

    amazon.raw = slow
    found: list[str] = []
    for _ in range(4):
        left[0] = 21
        with contextlib.suppress(Killed):
            poll("amazon", world.runtime)
        found += handed_on(world)
    assert set(found) == {name for each in amazon.pages for name in each}
    assert not read_cursor(world.tables, "amazon").position


def test_a_cursor_of_the_version_before_is_understood(world: World, amazon: Pages) -> None:
    amazon.pages = [page(0, 3, NOW_MS - 600_000), page(3, 3, NOW_MS - 600_000)]
    move_cursor(world.tables, "amazon", Cursor(NOW_MS - 900_000, {}, "1", NOW_MS - 900_000 - OVERLAP_MS))
    poll("amazon", world.runtime)
    assert len(handed_on(world)) == 3
    assert read_cursor(world.tables, "amazon").read_to_ms == NOW_MS - 600_000 + 5
