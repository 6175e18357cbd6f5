"""The replay of real orders: every invoice ends as exactly one thing, whatever the file holds."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.runtime import log
from local.audit import audit
from local.replay.__main__ import report_of
from local.replay.backends import MemoryBackend
from local.replay.online_retail import read_invoices
from local.replay.replay import Replay, Tally, opening_stock
from tests.shared_data import shared

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
# invoice, stock code, quantity, price, customer
ODD_ROWS = [
    ("600001", "22423", 10, "12.75", "12346.0"),
    ("600001", "22423", 4, "12.75", "12346.0"),  # the same goods on two lines
    ("600001", "POST", 1, "18.00", "12346.0"),
    ("600002", "85123a", 6, "2.55", "12346.0"),
    ("600003", "22423", -5, "0.0", ""),  # a write-off: no sale, but never dropped
    ("600004", "22423", 3, "0.0", ""),  # given away
    ("600005", "PADS", 1, "0.001", "13000.0"),  # finer than a penny
    ("600006", "M", 1, "-11.50", "13000.0"),  # a charge back to the buyer: a negative total
    ("A600007", "B", 1, "-11062.06", ""),  # bad debt
    ("600008", "gift_0001_20", 1, "16.67", "13000.0"),
    ("600009", "22423", 2, "12.75", "13000.0"),
    ("600009", "22423", -1, "12.75", "13000.0"),  # both signs in one invoice
    ("600010", "", 1, "1.00", "13000.0"),  # no stock code
    ("600011", "22423", "two", "1.00", "13000.0"),  # no number
    ("600012", "22423", "1.5", "1.00", "13000.0"),
    ("600013", "22423", 1, "abc", "13000.0"),
    ("600014", "22423", 80995, "2.08", "16446.0"),
    ("C600015", "22423", -80995, "2.08", "16446.0"),
    ("C600016", "85123A", -2, "2.55", "12346.0"),
    ("C600016", "POST", -1, "18.00", "12346.0"),
    ("C600017", "85123A", -100, "2.55", "12346.0"),  # more than was bought: in part
    ("C600018", "85123A", -1, "2.55", "12346.0"),  # nothing is left
    ("C600019", "22423", -1, "12.75", ""),  # nobody's
    ("C600020", "D", -1, "27.50", "13000.0"),
    ("c600021", "22423", -1, "12.75", "13000.0"),
    ("C600022", "22423", 1, "12.75", "13000.0"),  # a cancellation that adds
    ("600023", "22423", 0, "12.75", "13000.0"),
    ("", "22423", 1, "12.75", "13000.0"),
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "sink", lambda line: None)


def write_file(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, (invoice, code, quantity, price, customer) in enumerate(rows):
            day = f"2011-06-{number // 4 + 1:02d} 10:{number:02d}:00"
            writer.writerow([invoice, code, 'A "thing", large', quantity, day, price, customer, "United Kingdom"])
    return path


def replayed(path: Path, on_hand: int = 90) -> tuple[Tally, dict[str, Any]]:
    invoices = list(read_invoices(path))
    backend = MemoryBackend()
    tally = Replay(backend).run(invoices, on_hand)
    return tally, report_of(invoices, tally, audit(*backend.stored()), backend)


@pytest.mark.parametrize("on_hand", [0, 50, 90, 100, 200])
def test_a_file_of_oddities_is_accounted_for_to_the_last_row(tmp_path: Path, on_hand: int) -> None:
    tally, report = replayed(write_file(tmp_path / "odd.csv.gz", ODD_ROWS), on_hand)
    assert report["violations_found"] == []
    assert report["oversold"] == 0
    assert report["lines"] == len(ODD_ROWS)
    numbers = {str(row[0]) for row in ODD_ROWS}
    ends = [*tally.orders, *tally.cancellations, *tally.exceptions]
    assert sorted(ends) == sorted(numbers)
    assert {n for n, found in tally.exceptions.items() if found["reason"] == "not_understood"} == {
        "600011",
        "600012",
        "600013",
        "",
    }
    assert {"C600018", "C600019", "C600020", "C600022"} <= tally.exceptions.keys()
    assert tally.cancellations["C600017"]
    held = report["on_hold"]
    assert held["negative_total"] == 2
    assert held["quantity_not_positive"] == 3
    assert tally.exceptions["C600019"]["raw"][0]["StockCode"] == "22423"


def test_the_unit_ledger_of_a_whole_file_adds_up(tmp_path: Path) -> None:
    _, report = replayed(write_file(tmp_path / "odd.csv.gz", ODD_ROWS))
    units = report["units"]
    parts = ("open", "allocated", "backordered", "shipped", "cancelled")
    assert units["ordered"] == sum(units[part] for part in parts)
    assert units["returned"] <= units["shipped"]


def test_opening_stock_is_a_share_of_the_demand(tmp_path: Path) -> None:
    invoices = list(read_invoices(write_file(tmp_path / "odd.csv.gz", ODD_ROWS[:4])))
    assert opening_stock(invoices, 50) == {"22423": 7, "85123A": 3}


def test_another_file_is_refused_by_the_column_it_lacks(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    done = subprocess.run(
        [sys.executable, "-m", "local.replay", str(other)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "column InvoiceNo is missing" in done.stderr


def test_a_month_of_real_orders_breaks_no_rule() -> None:
    """The first 400 invoices; `make replay` takes the whole month."""
    path = shared("data/online-retail/2011-01.csv.gz")
    done = subprocess.run(
        [sys.executable, "-m", "local.replay", str(path), "--limit", "400"], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["violations"], report["oversold"]) == (0, 0)
    assert report["orders"] + report["cancellations"] + report["exceptions"] == report["invoices"] == 400
    assert report["exceptions_by_reason"].keys() <= {"unmatched_cancellation"}
    assert report["units"]["backordered"] > 0
    assert report["billable"]["write_units"] > 0
