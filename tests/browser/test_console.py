"""The console in a real browser, over the real routes and an in-memory world."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config
from chalice.local import LocalDevServer
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

import chalicelib.inbound.api
import chalicelib.inbound.guard
from app import app
from chalicelib.domain.channel_order import Payment
from chalicelib.runtime import log
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import sku_writes
from chalicelib.store.orders import order_writes, read_order
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
COUNT_OVERLAPS = """
window.most = 0;
let underWay = 0;
const ask = window.fetch;
window.fetch = async (...all) => {
  window.most = Math.max(window.most, ++underWay);
  try { return await ask(...all); } finally { underWay--; }
};
"""
LOW_CONTRAST = (Path(__file__).parent / "low_contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
    admit(world, TOKEN)
    for channel in ("storefront-shop", "storefront-wholesale"):
        add_account(world.tables, channel, {})
    world.tables.write(*sku_writes("MUG", "Mug"))
    world.tables.write(*receipt_writes("opening", "MUG", "main", 60, 0))
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
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def admit(world: World, token: str) -> None:
    """Make this the one token that the API knows."""
    world.secrets.kept = {"api-tokens": {hashlib.sha256(token.encode()).hexdigest(): "browser"}}


def place(world: World, channel: str, external_id: str, **more: Any) -> None:
    raw = json.dumps(document(external_id) | more)
    world.queues.send("entry", [{"channel": channel, "raw": raw, "hint": {}}])
    world.run()


def place_mixture(world: World) -> None:
    """Orders in shipping, funding, allocation and on hold, over two channels."""
    place(world, "storefront-shop", "1")
    place(world, "storefront-wholesale", "2", payment={"status": "pending"})
    place(
        world,
        "storefront-wholesale",
        "3",
        total="500.00",
        lines=[{"id": "1", "sku": "MUG", "quantity": 100, "unit_price": "5.00"}],
    )
    place(
        world,
        "storefront-shop",
        "4",
        total="5.00",
        lines=[{"id": "1", "sku": "LAMP", "quantity": 1, "unit_price": "5.00"}],
    )


def enter(page: Page, address: str) -> None:
    page.goto(f"{address}/#token={TOKEN}")
    expect(page.get_by_role("status")).to_have_text("live, every 2 s")


def count(page: Page, stage: str) -> Any:
    return page.locator("#flow li", has=page.get_by_text(stage, exact=True)).locator(".count")


def order_rows(page: Page) -> Any:
    return page.locator("#orders tbody tr:not(.detail)")


def api_stages(address: str) -> Any:
    request = urllib.request.Request(f"{address}/api/stages", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def test_every_count_shown_is_the_one_of_the_api(world: World, address: str, page: Page) -> None:
    place_mixture(world)
    world.now_ms += 150_000
    told = api_stages(address)
    assert told["on_hold"] == 1
    enter(page, address)
    expect(count(page, "on hold")).to_have_text("1")
    for stage in ("entry", "funding", "allocation", "shipping", "settlement", "settled", "cancelled"):
        expect(count(page, stage)).to_have_text(str(sum(counts[stage] for counts in told["channels"].values())))
        for channel, counts in told["channels"].items():
            cell = page.get_by_role("button", name=f"{counts[stage]} in {stage} from {channel}", exact=True)
            expect(cell).to_have_text(str(counts[stage]))
    assert told["oldest_waiting_s"]["funding"] == 150
    expect(page.get_by_role("button", name="funding 1 oldest 2 min")).to_be_visible()


def test_a_new_order_appears_by_itself_and_its_count_flashes(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    enter(page, address)
    expect(count(page, "shipping")).to_have_text("1")
    expect(page.locator(".flash")).to_have_count(0)
    place(world, "storefront-shop", "2")
    expect(count(page, "shipping")).to_have_text("2", timeout=15_000)
    expect(count(page, "shipping")).to_have_class("count flash")
    expect(count(page, "funding")).to_have_class("count")
    expect(order_rows(page)).to_have_count(2)


def test_the_token_leaves_the_address_and_outlives_a_reload(world: World, address: str, page: Page) -> None:
    enter(page, address)
    assert page.url == f"{address}/"
    page.reload()
    expect(page.get_by_role("status")).to_have_text("live, every 2 s")


def test_an_order_opens_with_its_timeline_lines_and_money(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    enter(page, address)
    page.get_by_role("button", name="1", exact=True).click()
    detail = page.locator("tr.detail")
    expect(detail).to_contain_text("entry: enter")
    expect(detail).to_contain_text("allocation: allocate: +2 at main")
    expect(detail).to_contain_text("2 × MUG")
    expect(detail).to_contain_text("charged10.00 EUR")
    expect(detail).to_contain_text("fundingcaptured")
    page.get_by_role("button", name="1", exact=True).click()
    expect(detail).to_have_count(0)


def test_an_authorisation_shows_its_end_as_a_time_and_a_return_its_status(
    world: World, address: str, page: Page
) -> None:
    place(world, "storefront-shop", "1")
    _turn(
        world,
        "ship",
        {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": [{"line_id": "1", "units": 2}]},
    )
    _turn(world, "return", {"return_id": "r1", "step": "request", "lines": [{"line_id": "1", "units": 1}]})
    before = read_order(world.tables, "storefront-shop:1")
    assert before
    payment = Payment(authorised_minor=1000, expires_ms=1_767_607_200_000)
    authorised = before.having(payment=payment, version=before.state.version + 1)
    world.tables.write(*order_writes(before, authorised))
    enter(page, address)
    page.get_by_role("button", name="1", exact=True).click()
    detail = page.locator("tr.detail")
    expect(detail).to_contain_text("r1: requested, 1 unit")
    expect(detail).to_contain_text("authorised10.00 EUR")
    expect(detail.get_by_text("2026", exact=False).first).to_be_visible()
    expect(detail).not_to_contain_text("1767607200000")


def _turn(world: World, do: str, turn: dict[str, Any]) -> None:
    world.queues.send("shipping", [{"order": "storefront-shop:1", "do": do, "fact": turn}])
    world.run()


def test_an_order_with_a_slash_and_a_hash_in_its_id_opens(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "A/1#2?3%41")
    enter(page, address)
    page.get_by_role("button", name="A/1#2?3%41").click()
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")


def test_a_cell_filters_the_orders_until_all_are_asked_for(world: World, address: str, page: Page) -> None:
    place_mixture(world)
    enter(page, address)
    expect(order_rows(page)).to_have_count(4)
    cell = page.get_by_role("button", name="1 in funding from storefront-wholesale")
    cell.click()
    expect(cell).to_have_attribute("aria-pressed", "true")
    expect(order_rows(page)).to_have_count(1)
    expect(order_rows(page)).to_contain_text("awaiting funds")
    page.get_by_role("button", name="Show all").click()
    expect(order_rows(page)).to_have_count(4)
    expect(cell).to_have_attribute("aria-pressed", "false")


def test_more_orders_come_page_by_page(world: World, address: str, page: Page) -> None:
    for number in range(25):
        place(world, "storefront-shop", str(number))
    enter(page, address)
    expect(order_rows(page)).to_have_count(20)
    page.get_by_role("button", name="More").click()
    expect(order_rows(page)).to_have_count(25)
    expect(page.get_by_role("button", name="More")).to_be_hidden()


def test_an_opened_order_stays_when_newer_ones_push_it_off_the_page(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "first")
    enter(page, address)
    page.get_by_role("button", name="first").click()
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")
    for number in range(20):
        place(world, "storefront-shop", str(number), placed_at="2026-01-06T10:00:00Z")
    expect(order_rows(page)).to_have_count(21, timeout=15_000)
    expect(order_rows(page).first).to_contain_text("first")
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")


def test_the_keyboard_opens_an_order_and_keeps_its_place(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    enter(page, address)
    opener = page.get_by_role("button", name="1", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")
    place(world, "storefront-shop", "newer", placed_at="2026-01-06T10:00:00Z")
    expect(order_rows(page)).to_have_count(2, timeout=15_000)
    expect(opener).to_be_focused()


def test_what_an_order_is_called_is_text_and_never_runs(world: World, address: str, page: Page) -> None:
    lines = [{"id": "1", "sku": "MUG", "title": NASTY, "quantity": 2, "unit_price": "5.00"}]
    place(world, "storefront-shop", "1", number=NASTY, lines=lines)
    enter(page, address)
    page.get_by_role("button", name=NASTY).click()
    expect(page.locator("tr.detail")).to_contain_text(NASTY)
    expect(page.locator("img")).to_have_count(0)
    assert page.title() == "Headrace"


def test_a_wrong_token_is_asked_for_again_and_a_right_one_opens(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    page.goto(f"{address}/#token=wrong")
    expect(page.get_by_role("status")).to_have_text("an API token is needed")
    expect(page.get_by_label("API token")).to_be_focused()
    page.get_by_label("API token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(count(page, "shipping")).to_have_text("1")
    expect(page.locator("#door")).to_be_hidden()


def test_a_token_that_ends_leaves_the_view_as_it_was(world: World, address: str, page: Page) -> None:
    place_mixture(world)
    enter(page, address)
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")
    admit(world, "another")
    expect(page.get_by_label("API token")).to_be_visible(timeout=15_000)
    expect(order_rows(page)).to_have_count(4)
    page.get_by_label("API token").fill("another")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("status")).to_have_text("live, every 2 s")
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")


def test_an_api_that_fails_is_told_and_asked_again(world: World, address: str, page: Page) -> None:
    place(world, "storefront-shop", "1")
    enter(page, address)
    page.route("**/api/**", lambda route: route.fulfill(status=503, body="{}"))
    expect(page.get_by_role("status")).to_contain_text("reconnecting…", timeout=15_000)
    expect(order_rows(page)).to_have_count(1)
    page.unroute("**/api/**")
    expect(page.get_by_role("status")).to_have_text("live, every 2 s", timeout=15_000)


def test_requests_never_overlap_however_fast_one_clicks(world: World, address: str, page: Page) -> None:
    place_mixture(world)
    page.add_init_script(COUNT_OVERLAPS)
    enter(page, address)
    for cell in page.locator("#channels td button").all():
        cell.click()
    expect(page.locator("#filter")).to_have_text("storefront-wholesale · cancelled")
    expect(page.locator("#empty")).to_be_visible()
    assert page.evaluate("window.most") == 1


def test_a_hidden_tab_asks_nothing(world: World, address: str, page: Page) -> None:
    page.clock.install()
    enter(page, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    show = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    show += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(show, True)
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request("**/api/stages"):
        page.evaluate(show, False)


@pytest.mark.parametrize("shown_at", ["prod", "prod/"])
def test_a_stage_in_the_path_is_kept(world: World, address: str, page: Page, shown_at: str) -> None:
    def strip(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("/prod", "", 1) or "/"))

    place(world, "storefront-shop", "1")
    page.route("**/api/**", lambda route: route.abort())
    page.route("**/prod**", strip)
    page.route("**/prod/**", strip)
    page.goto(f"{address}/{shown_at}#token={TOKEN}")
    expect(order_rows(page)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(world: World, address: str, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    place_mixture(world)
    enter(page, address)
    page.get_by_role("button", name="1 in funding from storefront-wholesale").click()
    expect(order_rows(page)).to_have_count(1)
    page.get_by_role("button", name="2", exact=True).click()
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")
    assert page.evaluate(LOW_CONTRAST) == []
    page.locator("#flow button").nth(1).click()
    admit(world, "another")
    expect(page.locator("#door")).to_be_visible(timeout=15_000)
    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_page_is_as_wide_as_the_screen(world: World, address: str, page: Page, width: int) -> None:
    place_mixture(world)
    page.set_viewport_size({"width": width, "height": 740})
    enter(page, address)
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.locator("tr.detail")).to_contain_text("2 × MUG")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
