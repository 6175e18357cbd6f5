"""The console in a real browser, over the real routes and an in-memory world."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.config import Config
from chalice.local import LocalDevServer
from playwright.sync_api import Page, expect, sync_playwright

import chalicelib.inbound.api
import chalicelib.inbound.guard
from app import app
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import sku_writes
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.integration.test_lifecycle import document

pytestmark = pytest.mark.browser

TOKEN = "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# The background services are off, so that the browser asks nobody but the page.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
NASTY = "<img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        reason = "Chromium is not installed: the browser suite cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.secrets.kept = {"api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "browser"}}
    for channel in ("storefront-shop", "storefront-wholesale"):
        add_account(world.tables, channel, {})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 7, 0))
    for module in (chalicelib.inbound.api, chalicelib.inbound.guard):
        monkeypatch.setattr(module, "runtime", lambda: world.runtime)
    monkeypatch.setattr(log, "sink", lambda line: None)
    return world


@pytest.fixture
def address(world: World) -> Iterator[str]:
    server = LocalDevServer(app, Config(), "127.0.0.1", 0)
    thread = threading.Thread(target=server.server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server.server_address[1]}"
    server.server.shutdown()
    server.server.server_close()
    thread.join()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def place(world: World, channel: str, external_id: str, **more: Any) -> None:
    raw = json.dumps(document(external_id) | more)
    world.queues.send("entry", [{"channel": channel, "raw": raw, "hint": {}}])
    world.run()


def count(page: Page, stage: str) -> Any:
    return page.locator("#flow li", has=page.get_by_text(stage, exact=True)).locator(".count")


def test_the_counts_are_those_of_the_api_and_change_by_themselves(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    place(world, "storefront-wholesale", "2", payment={"status": "pending"})
    page.goto(f"{address}/#token={TOKEN}")
    expect(count(page, "shipping")).to_have_text("1")
    expect(count(page, "funding")).to_have_text("1")
    assert "token" not in page.url
    place(world, "storefront-shop", "3")
    expect(count(page, "shipping")).to_have_text("2", timeout=15_000)
    expect(page.locator("#orders tbody tr")).to_have_count(3)


def test_an_order_opens_with_its_timeline_lines_and_money(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    page.goto(f"{address}/#token={TOKEN}")
    page.get_by_role("button", name="1", exact=True).first.click()
    detail = page.locator("tr.detail")
    expect(detail).to_contain_text("entry: entered")
    expect(detail).to_contain_text("allocated 2")
    expect(detail).to_contain_text("2 × MUG")
    expect(detail).to_contain_text("captured 10.00 EUR")


def test_a_cell_filters_the_orders(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    place(world, "storefront-wholesale", "2", payment={"status": "pending"})
    page.goto(f"{address}/#token={TOKEN}")
    page.get_by_role("button", name="show storefront-wholesale funding").click()
    expect(page.locator("#orders tbody tr")).to_have_count(1)
    expect(page.locator("#orders tbody")).to_contain_text("awaiting funds")


def test_what_an_order_is_called_is_text_and_never_runs(world: World, address: str, page: Page) -> None:
    lines = [{"id": "1", "sku": "MUG", "title": NASTY, "quantity": 2, "unit_price": "5.00"}]
    place(world, "storefront-shop", "1", number=NASTY, lines=lines)
    page.goto(f"{address}/#token={TOKEN}")
    page.get_by_role("button", name=NASTY).click()
    expect(page.locator("tr.detail")).to_contain_text(NASTY)
    expect(page.locator("main img")).to_have_count(0)
    assert page.title() == "Headrace"


def test_a_wrong_token_is_asked_for_again_and_a_right_one_opens(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    page.goto(f"{address}/#token=wrong")
    expect(page.get_by_role("status")).to_have_text("an API token is needed")
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(count(page, "shipping")).to_have_text("1")
    expect(page.locator("#door")).to_be_hidden()


def test_the_page_fits_a_phone(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{address}/#token={TOKEN}")
    expect(count(page, "shipping")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
