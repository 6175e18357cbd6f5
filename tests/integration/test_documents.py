"""Packing slips and pick lists: what stands on them, and that a viewer can open them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.documents
import chalicelib.inbound.guard
from app import app
from chalicelib.domain.sourcing import Sourcing
from chalicelib.inbound.documents import sheets
from chalicelib.inbound.pdf import Text, pdf, winansi
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import sku_writes
from chalicelib.store.stock import receipt_writes
from local.memory.world import World
from tests.integration.test_api import TOKEN, call
from tests.integration.test_lifecycle import document, send, ship

ORDER = "/api/orders/storefront:1001"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.secrets.kept = {"api-tokens": {hashlib.sha256(TOKEN.encode()).hexdigest(): "tests"}}
    add_account(world.tables, "storefront", {})
    set_sourcing(world.tables, Sourcing(("main", "spare")))
    for sku, place in (("MUG", "main"), ("CUP", "spare")):
        world.tables.write(*sku_writes(sku, sku.title()))
        world.tables.write(*receipt_writes("opening", sku, place, 10, world.now_ms))
    for module in (chalicelib.inbound.documents, chalicelib.inbound.guard):
        monkeypatch.setattr(module, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def fetched(client: Client, path: str) -> tuple[list[str], dict[str, str]]:
    """The texts of a PDF, in their order, and the answer's headers."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/pdf"}
    answer = client.http.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    return texts(answer.body), dict(answer.headers)


def texts(file: bytes) -> list[str]:
    return [found.decode("cp1252") for found in re.findall(rb"Td \((.*)\) Tj", file)]


def test_a_packing_slip_says_what_goes_into_the_box(world: World, client: Client) -> None:
    lines = [{"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.00", "title": "Becher (groß)"}]
    send(world, document(lines=lines, ship_to={"name": "A Buyer", "line1": "2 Elm Street", "country": "DE"}))
    found, _ = fetched(client, f"{ORDER}/packing-slip")
    assert [line.split() for line in found if "MUG" in line] == [["2", "MUG", "Becher", r"\(groß\)"]]
    assert not [line for line in found if "Elm" in line or "Buyer" in line]
    ship(world)
    assert fetched(client, f"{ORDER}/packing-slip?location=main")[0][-1] == "2 units"
    status, answer = call(client, "GET", f"{ORDER}/packing-slip?location=spare")
    assert (status, answer["error"]["reason"]) == (409, "not_allocated")


def test_a_pick_list_sums_what_may_leave_a_location(world: World, client: Client) -> None:
    for number in ("1", "2", "3"):
        send(world, document(number))
    send(world, document("4", sku="CUP"), {**document("5"), "payment": {"status": "pending"}})
    world.queues.send("entry", [{"order": "storefront:3", "do": "hold", "fact": {"reason": "fraud"}}])
    world.run()
    found, headers = fetched(client, "/api/picklist?location=main")
    assert [line.split()[:2] for line in found if "MUG" in line] == [["4", "MUG"]]
    assert not [line for line in found if "CUP" in line]
    assert "X-Cursor" not in headers


def test_a_pick_list_comes_in_pages_of_orders(world: World, client: Client) -> None:
    for number in ("1", "2", "3"):
        send(world, document(number))
    units, orders, cursor, pages = 0, [], "", 0
    while pages == 0 or cursor:
        status, page = call(client, "GET", f"/api/picklist?format=json&limit=2&cursor={cursor}".replace("#", "%23"))
        assert status == 200
        units += sum(row["units"] for row in page["rows"])
        orders += page["orders"]
        cursor, pages = page["cursor"] or "", pages + 1
    assert (units, sorted(orders), pages) == (6, [f"storefront:{n}" for n in "123"], 2)
    assert fetched(client, "/api/picklist?limit=2")[1]["X-Cursor"]


@pytest.mark.parametrize(
    ("query", "named"), [("location=moon", "location"), ("format=xml", "format"), ("limit=0", "limit")]
)
def test_a_wrong_question_is_refused_by_name(world: World, client: Client, query: str, named: str) -> None:
    status, answer = call(client, "GET", f"/api/picklist?{query}")
    assert status == 400
    assert named in answer["error"]["detail"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Größe €5 – “x”", "Größe €5 – “x”"), ("Dvořák", "Dvorák"), ("ﬁn", "fin"), ("茶 cup", "? cup"), ("a\nb", "a b")],
)
def test_what_the_font_lacks_is_replaced(text: str, shown: str) -> None:
    assert winansi(text) == shown.encode("cp1252")


def test_every_object_begins_where_the_table_says() -> None:
    file = pdf([[Text(1, 2, f"({n}) \\")] for n in range(3)])
    (table_at,) = re.findall(rb"startxref\n(\d+)\n", file)
    assert file[int(table_at) :].startswith(b"xref\n")
    starts = [int(each) for each in re.findall(rb"(\d{10}) 00000 n ", file)]
    assert [file[at:].split(b" ")[0] for at in starts] == [str(n).encode() for n in range(1, len(starts) + 1)]
    for length, stream in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", file, re.DOTALL):
        assert len(stream) == int(length)
    assert texts(file) == [rf"\({n}\) \\" for n in range(3)]
    assert file.count(b"/Type /Page ") == 3


def test_rows_go_on_on_another_page() -> None:
    pages = sheets("Pick list", ["x"], [(1, f"SKU-{n}", "A thing") for n in range(100)])
    shown = [text.text for page in pages for text in page]
    assert (len(pages), sum("SKU-" in line for line in shown)) == (3, 100)
    assert all(text.y > 20 for page in pages for text in page)


def test_a_long_sku_keeps_both_ends() -> None:
    rows: list[Any] = [(1, "A" * 20 + "B" * 20, "t" * 200)]
    (page,) = sheets("Pick list", [], rows)
    (row,) = [text.text for text in page if "AAA" in text.text]
    assert re.fullmatch(r" +1  A+\.\.\.B+ +t+", row)
