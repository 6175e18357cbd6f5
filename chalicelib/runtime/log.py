"""One JSON line an event. Only ids, versions, counts and reasons: never a payload, a name, an address or a token."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

sink: Callable[[str], object] = sys.stdout.write  # where lines go; tests and the replay turn them elsewhere


def event(name: str, **fields: str | int | float | None) -> None:
    """Write one event to the log."""
    sink(json.dumps({"event": name, **fields}, separators=(",", ":"), default=str) + "\n")
