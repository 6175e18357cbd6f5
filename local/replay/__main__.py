"""make replay FILE=…: real orders through the real stages; several files one after the other on the same state.

Progress and what was not matched go to standard error; the last line of standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from chalicelib.domain.lifecycle import CLOSED, stage
from chalicelib.runtime import log
from local.audit import Books, audit, by_status, units_of
from local.replay.backends import OPENING, Backend, MemoryBackend
from local.replay.online_retail import Invoice, read_invoices
from local.replay.replay import Replay, Tally


def main() -> int:
    arguments = _arguments()
    log.sink = lambda line: None
    started = time.perf_counter()
    try:
        files = [list(read_invoices(file, arguments.limit)) for file in arguments.files]
    except (OSError, ValueError, EOFError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    backend = _backend(arguments.engine)
    replay = Replay(backend, lambda text: print(text, file=sys.stderr, flush=True))
    for number, invoices in enumerate(files, start=1):
        tally = replay.run(invoices, arguments.on_hand, f"opening-{number}" if number > 1 else OPENING)
    items, counts = backend.stored()
    report = report_of([invoice for file in files for invoice in file], tally, audit(items, counts), backend)
    report["seconds"] = round(time.perf_counter() - started, 1)
    _explain(tally, report["violations_found"])
    del report["violations_found"]
    print(json.dumps(report))
    return 1 if report["violations"] or report["oversold"] else 0


def report_of(invoices: list[Invoice], tally: Tally, books: Books, backend: Backend) -> dict[str, Any]:
    """The replay's result; `violations_found` holds the violated rules in words."""
    ours = {sold.order_id for sold in tally.orders.values()}
    wrong = list(books.wrong)
    wrong += [f"{order_id} was placed and is not stored" for order_id in sorted(ours - books.orders.keys())]
    accounted = len(tally.orders) + len(tally.cancellations) + len(tally.exceptions)
    if accounted != len(invoices):
        wrong.append(f"{len(invoices)} invoices, {accounted} accounted for")
    stuck = [o.order_id for o in books.orders.values() if stage(o) in ("entry", "funding") and not o.state.holds]
    wrong += [f"{order_id} is stuck before allocation" for order_id in stuck]
    held = Counter(h.reason for o in books.orders.values() if stage(o) not in CLOSED for h in o.state.holds)
    units = units_of(books.orders.values())
    return {
        "invoices": len(invoices),
        "orders": len(tally.orders),
        "cancellations": len(tally.cancellations),
        "exceptions": len(tally.exceptions),
        "exceptions_by_reason": dict(Counter(found["reason"] for found in tally.exceptions.values())),
        "partly_matched_cancellations": sum(bool(left) for left in tally.cancellations.values()),
        "lines": tally.lines,
        "by_status": by_status(books.orders.values()),
        "on_hold": dict(sorted(held.items())),
        "units": units,
        "oversold": books.oversold,
        "explained": {"skus": len(books.skus), "unbalanced": len(books.unbalanced)},
        "violations": len(wrong),
        "billable": backend.billable(len(tally.orders)),
        "violations_found": wrong,
    }


def _explain(tally: Tally, wrong: list[str]) -> None:
    for number, found in tally.exceptions.items():
        first = found["raw"][0]
        rows = f"{len(found['raw'])} lines, first: {first['StockCode']} x {first['Quantity']}"
        print(f"exception {number}: {found['reason']}: {found['detail']} ({rows})", file=sys.stderr)
    for number, left in tally.cancellations.items():
        if left:
            print(f"cancellation {number} applied in part; not matched: {', '.join(left)}", file=sys.stderr)
    for problem in wrong[:50]:
        print(f"VIOLATION {problem}", file=sys.stderr)


def _backend(engine: str) -> Backend:
    if engine == "memory":
        return MemoryBackend()
    from local.replay.deployed import DeployedBackend

    return DeployedBackend.started()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="replay", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="file", help="an Online Retail file, .csv or .csv.gz")
    parser.add_argument("--engine", choices=("memory", "local"), default="memory")
    parser.add_argument("--limit", type=int, default=0, help="only the first N invoices of each file")
    parser.add_argument("--on-hand", type=int, default=90, help="opening stock, percent of the file's demand")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
