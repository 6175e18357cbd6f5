"""One JSON line an event. Only ids, versions, counts and reasons: never a payload, a name, an address or a token."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

sink: Callable[[str], object] = sys.stdout.write  # where lines go; tests and the replay turn them elsewhere


def event(name: str, **fields: str | int | float | None) -> None:
    """Write one event to the log."""
    sink(json.dumps({"event": name, **fields}, separators=(",", ":"), default=str) + "\n")


def alarm(name: str, **fields: str | int) -> None:
    """An event that a person must hear of: CloudWatch makes the metric `Headrace/Alarms` of it, which an alarm watches.

    Source: CloudWatch embedded metric format.
    """
    metrics = [{"Namespace": "Headrace", "Dimensions": [["Stage"]], "Metrics": [{"Name": "Alarms", "Unit": "Count"}]}]
    told = {"_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": metrics}, "Alarms": 1}
    told |= {"Stage": os.environ.get("HEADRACE_STAGE", "local")}
    sink(json.dumps({"event": name, **fields, **told}, separators=(",", ":"), default=str) + "\n")
