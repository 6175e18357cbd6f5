"""The stock CSV: shown before it is applied, applied once, and every bad row named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

import chalicelib.inbound.prices
from chalicelib.store.listings import read_entry
from local import stock
from local.memory.world import World
from tests.integration.test_api import call, client, world

__all__ = ["client", "world"]

FILE = b"""sku,location,kind,units,note
MUG,main,count,47,"shelf 3, counted twice"
CUP,main,receipt,12,
MUG,,safety_stock,5,
"""


class InProcess:
    """The API without a network."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.posts = 0

    def get(self, path: str) -> Any:
        status, body = call(self.client, "GET", path)
        assert status == 200, body
        return body

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        self.posts += 1
        status, found = call(self.client, "POST", path, dict(body))
        assert status == 200, found
        return found


def on_hand(client: Client, sku: str = "MUG") -> int:
    found: int = call(client, "GET", f"/api/stock/{sku}")[1]["locations"][0]["on_hand"]
    return found


def test_a_dry_run_shows_before_and_after_and_changes_nothing(
    world: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stock.run_import(InProcess(client), FILE, apply=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "line 2: MUG at main, count 47: on_hand 10 -> 47, available 10 -> 47"
    assert lines[1].endswith("on_hand 0 -> 12, available 0 -> 12 (a new SKU)")
    assert lines[2].endswith("available 47 -> 42, safety_stock 0 -> 5")
    assert json.loads(lines[-1]) == {"rows": 3, "changes": 3, "known": 0, "bad": 0, "applied": False}
    assert on_hand(client) == 10


def test_a_file_applied_twice_is_applied_once(world: World, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    for changes in (3, 0):
        assert stock.run_import(InProcess(client), FILE, apply=True) == 0
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (summary["changes"], summary["known"], summary["applied"]) == (changes, 3 - changes, True)
    assert (on_hand(client), on_hand(client, "CUP")) == (47, 12)


def test_every_bad_row_is_named_and_stops_the_file(
    world: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    file = FILE + b"A B,main,count,1,\nMUG,main,stolen,1,\nMUG,main,count,1.5,\nMUG,main,count,-1,\nMUG,main\n"
    assert stock.run_import(InProcess(client), file, apply=True) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["line 5", "sku"],
        ["line 6", "kind"],
        ["line 7", "units"],
        ["line 8", "units"],
        ["line 9", "row"],
    ]
    assert json.loads(lines[-1])["applied"] is False
    assert on_hand(client) == 10


def test_what_the_api_refuses_is_told_by_its_line(
    world: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    file = b"sku,location,kind,units,note\nMUG,mian,count,1,\n"
    assert stock.run_import(InProcess(client), file, apply=False) == 1
    assert "line 2: MUG at mian, count 1: bad_request: location must be one of main" in capsys.readouterr().out


def test_rows_go_to_the_api_in_hundreds(world: World, client: Client) -> None:
    rows = "".join(f"SKU-{number},main,receipt,1,\n" for number in range(201))
    door = InProcess(client)
    assert stock.run_import(door, f"sku,location,kind,units,note\n{rows}".encode(), apply=True) == 0
    assert door.posts == 3


def test_a_file_without_its_columns_is_refused_with_the_columns_named(tmp_path: Path) -> None:
    with pytest.raises(stock.BadFile, match="missing: location, kind, units"):
        stock.read_rows(b"sku,amount\nMUG,1\n")
    assert stock.main(["--token", "t", "import", str(tmp_path / "none.csv")]) == 2


def test_explain_prints_the_movements_that_make_the_number(
    world: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    stock.run_import(InProcess(client), FILE, apply=True)
    capsys.readouterr()
    assert stock.run_explain(InProcess(client), "MUG") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  movements: count +37 receipt +10 safety_stock +5"
    assert json.loads(lines[-1]) == {"sku": "MUG", "balanced": True, "movements": 3}


def test_costs_are_shown_then_kept_and_a_bad_row_stops_no_other(
    world: World, client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chalicelib.inbound.prices, "runtime", lambda: world.runtime)
    file = b"sku,amount,currency\nMUG,3.10,EUR\nMUGG,1,EUR\nMUG,three,EUR\nMUG\n"
    for apply in (False, True):
        assert stock.run_costs(InProcess(client), file.replace(b"MUG\n", b""), apply=apply) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "line 2: MUG: 3.10 EUR"
        assert lines[1].startswith("line 3: MUGG: unknown_sku")
        assert "amount must be a decimal number" in lines[2]
        assert json.loads(lines[-1]) == {"rows": 3, "bad": 2, "applied": apply}
        assert read_entry(world.tables, "MUG").sku.cost_minor == (310 if apply else None)
    assert stock.run_costs(InProcess(client), b"sku,amount,currency\nMUG\n", apply=True) == 0
    assert capsys.readouterr().out.splitlines()[0] == "line 2: MUG: not known"
    assert read_entry(world.tables, "MUG").sku.cost_minor is None
    with pytest.raises(stock.BadFile, match="missing: currency"):
        stock.run_costs(InProcess(client), b"sku,amount\n", apply=True)
