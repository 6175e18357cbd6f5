"""What was found out, step by step, and how it is told: a line with a mark for people, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO, TypeVar

from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised

T = TypeVar("T")

OK, MISSING, WARNING, SKIPPED = "ok", "missing", "warning", "skipped"
_MARKS = {OK: "✓", MISSING: "✗", WARNING: "!", SKIPPED: "–"}


@dataclass(frozen=True)
class Finding:
    """One step: `state` is ok, missing, warning or skipped; `remedy` is what to do about it, "" for nothing."""

    step: str
    state: str
    detail: str = ""
    remedy: str = ""


class Findings:
    """Collects findings and tells each as soon as it is there; as JSON, all of them at the end."""

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out = out
        self._as_json = as_json
        self.all: list[Finding] = []

    @property
    def is_good(self) -> bool:
        """Nothing is missing."""
        return not [each for each in self.all if each.state == MISSING]

    def add(self, step: str, state: str, detail: str = "", remedy: str = "") -> None:
        """Note a finding."""
        found = Finding(step, state, detail, remedy)
        self.all.append(found)
        if not self._as_json:
            self._out.write(f"{_MARKS[state]} {step}{': ' + detail if detail else ''}\n")
            if remedy:
                self._out.write(f"    {remedy}\n")
            self._out.flush()

    def attempt(self, step: str, call: Callable[[], T], remedy: str) -> T | None:
        """What the call answers; None, and a finding with the remedy, when the channel or the stage refuses it."""
        try:
            return call()
        except Unauthorised as error:
            self.add(step, MISSING, error.detail or "the channel takes neither the token nor a new one", remedy)
        except Refused as error:
            self.add(step, MISSING, f"{error.reason}: {error.detail}" if error.detail else error.reason, remedy)
        except (Busy, HeadraceError) as error:
            self.add(step, MISSING, str(error) or type(error).__name__, "the channel does not answer now: try again")
        return None

    def end(self, **more: Any) -> int:
        """Say what is missing; the exit code: 0 when nothing is."""
        missing = [each.step for each in self.all if each.state == MISSING]
        warned = [each.step for each in self.all if each.state == WARNING]
        if self._as_json:
            body = {**more, "ok": self.is_good, "steps": [asdict(each) for each in self.all]}
            self._out.write(json.dumps(body, ensure_ascii=False) + "\n")
        else:
            self._out.write(
                f"\n{len(missing)} missing: {', '.join(missing)}\n" if missing else "\nnothing is missing\n"
            )
            if warned:
                self._out.write(f"{len(warned)} to look at: {', '.join(warned)}\n")
        return 0 if self.is_good else 1


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows under one another in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
