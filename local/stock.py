"""make stock ARGS="…": opening counts, bulk adjustments and costs from a CSV file, and why a SKU has the stock it has.

`import FILE` posts nothing unless told to --apply: it prints what each row would change, and every row that is wrong.
Applying a file twice changes nothing, since a row's movement id is the file's digest and the number of its line.
`costs FILE` does so with what a unit of each SKU costs; an empty amount: nobody knows any more.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from local.api import Api, ApiError

COLUMNS = ("sku", "location", "kind", "units", "note")
COST_COLUMNS = ("sku", "amount", "currency")
KINDS = ("count", "adjustment", "receipt", "safety_stock")
TOKEN_FILE = Path(__file__).resolve().parent.parent / ".local" / "token"
_CHUNK = 100  # what the API takes at once
_MOST_UNITS = 1_000_000
_NUMBERS = ("on_hand", "allocated", "available", "safety_stock", "incoming")


class Door(Protocol):
    """The two calls of the API that are needed."""

    def get(self, path: str) -> Any: ...

    def post(self, path: str, body: Mapping[str, Any]) -> Any: ...


class BadFile(Exception):
    """The file as a whole cannot be used; says what to do about it."""


@dataclass(frozen=True)
class BadRow:
    """What is wrong with one row, and what to write instead."""

    line: int
    field: str
    remedy: str


@dataclass(frozen=True)
class Row:
    """One movement of the file; `line` is where it stands."""

    line: int
    movement: dict[str, Any]


def read_rows(data: bytes) -> tuple[list[Row], list[BadRow]]:
    """The rows of a CSV file, and those that cannot be understood. Raises `BadFile`."""
    reader = _reader(data, COLUMNS, COLUMNS[:4])
    digest = hashlib.sha256(data).hexdigest()[:16]
    rows, bad = [], []
    for raw in reader:
        line = reader.line_num
        wrong = _wrong(raw)
        bad += [BadRow(line, field, remedy) for field, remedy in wrong]
        if not wrong:
            rows.append(Row(line, _movement(raw, f"csv-{digest}-{line}")))
    return rows, bad


def _reader(data: bytes, columns: Sequence[str], needed: Sequence[str]) -> csv.DictReader[str]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise BadFile(f"not UTF-8 at byte {error.start}: save it as CSV UTF-8") from None
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(f"the first line must name the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    return reader


def _wrong(raw: Mapping[str | None, Any]) -> list[tuple[str, str]]:
    """Field and remedy of all that is wrong with a row."""
    found = []
    if None in raw or any(value is None for name, value in raw.items() if name in COLUMNS[:4]):
        return [("row", "give it as many values as there are columns; put quotes around a value with a comma")]
    text = {name: str(raw.get(name) or "").strip() for name in COLUMNS}
    for name in ("sku", "location"):
        value = text[name]
        if (not value and name == "sku") or len(value) > 128 or any(c in "#/" or c.isspace() for c in value):
            found.append((name, f"1 to 128 characters without spaces, # and /, not {value!r}"))
    if text["kind"] not in KINDS:
        found.append(("kind", f"one of {', '.join(KINDS)}, not {text['kind']!r}"))
    units = _whole(text["units"])
    if units is None or abs(units) > _MOST_UNITS:
        found.append(("units", f"a whole number of at most {_MOST_UNITS}, not {text['units']!r}"))
    elif units < 0 and text["kind"] in ("count", "safety_stock"):
        found.append(("units", f"0 or more for a {text['kind']}, not {units}; a change is an adjustment"))
    if len(text["note"]) > 300:
        found.append(("note", "300 characters at most"))
    return found


def _whole(text: str) -> int | None:
    digits = text.removeprefix("+").removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else None


def _movement(raw: Mapping[str | None, Any], movement_id: str) -> dict[str, Any]:
    text = {name: str(raw.get(name) or "").strip() for name in COLUMNS}
    return {
        "movement_id": movement_id,
        "sku": text["sku"],
        "location": text["location"] or "main",
        "kind": text["kind"],
        "units": int(text["units"]),
        "note": text["note"],
    }


def import_rows(door: Door, rows: Sequence[Row], *, apply: bool) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each row with what the API says of it; of a dry run, what it would do.

    A dry run judges each chunk by itself: a SKU that stands in two chunks is shown as it is now in both.
    """
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        body = {"dry_run": not apply, "movements": [row.movement for row in chunk]}
        answers = door.post("/api/stock/movements", body)["movements"]
        print(f"{start + len(chunk)} of {len(rows)} rows", file=sys.stderr)
        yield from zip(chunk, answers, strict=True)


def run_import(door: Door, data: bytes, *, apply: bool) -> int:
    """Print a line for each row and the summary; 0 when no row was wrong. With a wrong row nothing is applied."""
    rows, bad = read_rows(data)
    summary = {"rows": len(rows) + len({wrong.line for wrong in bad}), "changes": 0, "known": 0, "bad": 0}
    bad_lines = {wrong.line for wrong in bad}
    for wrong in bad:
        print(f"line {wrong.line}: {wrong.field}: {wrong.remedy}")
    if bad and apply:
        print("nothing was applied: correct these lines first", file=sys.stderr)
        rows = []
    for row, told in import_rows(door, rows, apply=apply):
        print(f"line {row.line}: {_told(row, told)}")
        if "error" in told:
            bad_lines.add(row.line)
        else:
            summary["known" if told["known"] else "changes"] += 1
    print(json.dumps(summary | {"bad": len(bad_lines), "applied": apply and not bad}))
    return 1 if bad_lines else 0


def _told(row: Row, told: Mapping[str, Any]) -> str:
    what = "{sku} at {location}, {kind} {units}".format(**row.movement)
    if "error" in told:
        return f"{what}: {told['error']['reason']}: {told['error']['detail']}"
    if told["known"]:
        return f"{what}: applied already"
    before, after = told["before"], told["after"]
    changed = [f"{name} {before[name]} -> {after[name]}" for name in _NUMBERS if before[name] != after[name]]
    return f"{what}: {', '.join(changed) or 'no change'}{' (a new SKU)' if told.get('new_sku') else ''}"


def run_costs(door: Door, data: bytes, *, apply: bool) -> int:
    """Print a line for each row; 0 when no row was wrong. Rows are judged by the API, each by itself."""
    reader = _reader(data, COST_COLUMNS, COST_COLUMNS)
    rows = [(reader.line_num, {name: str(raw.get(name) or "").strip() for name in COST_COLUMNS}) for raw in reader]
    bad = 0
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        costs = [{**row, "amount": row["amount"] or None} for _, row in chunk]
        answers = door.post("/api/costs", {"dry_run": not apply, "costs": costs})["costs"]
        for (line, row), told in zip(chunk, answers, strict=True):
            wrong = told.get("error")
            bad += bool(wrong)
            price = f"{row['amount']} {row['currency']}" if row["amount"] else "not known"
            print(f"line {line}: {row['sku']}: " + (f"{wrong['reason']}: {wrong['detail']}" if wrong else price))
    print(json.dumps({"rows": len(rows), "bad": bad, "applied": apply}))
    return 1 if bad else 0


def run_explain(door: Door, sku: str) -> int:
    """Print why the SKU has the stock that it has; 0 when all of it is explained."""
    found = door.get(f"/api/stock/{quote(sku, safe='')}/explain")
    for place in found["locations"]:
        numbers = ", ".join(f"{name} {place[name]}" for name in _NUMBERS)
        folded = " ".join(f"{kind} {units:+d}" for kind, units in place["movements"].items())
        print(f"{sku} at {place['location']}: {numbers}\n  movements: {folded or 'none'}")
        for held in found["held"]:
            if held["location"] == place["location"]:
                print(f"  {held['units']} promised to {held['order']}")
        for problem in place["problems"]:
            print(f"  NOT EXPLAINED: {problem}")
    print(json.dumps({"sku": sku, "balanced": found["balanced"], "movements": found["movements_in_all"]}))
    return 0 if found["balanced"] else 1


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        door = Api(given.url.rstrip("/"), given.token or _local_token())
        if given.do == "explain":
            return run_explain(door, given.sku)
        run = run_costs if given.do == "costs" else run_import
        return run(door, given.file.read_bytes(), apply=given.apply)
    except (ApiError, HTTPError, OSError, BadFile) as error:
        print(f"stock: {error}", file=sys.stderr)
        return 2


def _local_token() -> str:
    if not TOKEN_FILE.exists():
        raise BadFile(f"no {TOKEN_FILE}: start `make run`, or give --token")
    return TOKEN_FILE.read_text(encoding="utf-8").strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stock", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="address of the API (default: the local run)")
    parser.add_argument("--token", default="", help="API token (default: the local run's, .local/token)")
    commands = parser.add_subparsers(dest="do", required=True)
    for name, what, columns in (("import", "movements", COLUMNS), ("costs", "costs", COST_COLUMNS)):
        reading = commands.add_parser(name, help=f"{what} from a CSV file: {', '.join(columns)}")
        reading.add_argument("file", type=Path)
        reading.add_argument("--apply", action="store_true", help="apply them (default: only show what they would do)")
    why = commands.add_parser("explain", help="why a SKU has the stock that it has")
    why.add_argument("sku")
    return parser


if __name__ == "__main__":
    sys.exit(main())
