"""make bench-cost: what orders cost. Progress and tables on standard error; the last line printed is one JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from chalicelib.inbound.polls import poll
from chalicelib.outbound.sweep import sweep_due
from chalicelib.runtime import log
from local.cost.bill import billed, usd_of
from local.cost.mix import POLLS_S, Mix
from local.cost.reads import measured
from local.cost.report import summary, table
from local.memory.world import LISTENERS
from local.prices import PRICES_OF, USD
from local.replay.backends import MemoryBackend
from local.replay.online_retail import read_invoices
from local.replay.replay import Replay
from local.trade import Business

MONTH_S = 30 * 86_400
POLLERS = 5  # Source: Lambda developer guide, SQS: five long polls at least run for each mapping, 20 s each
LONG_POLL_S = 20
OTHER_RATES = (1, 100)


def main() -> int:
    arguments = _arguments()
    log.sink = lambda line: None
    mix = _mix(arguments.orders, arguments.rate, show=True)
    rates = {f"{rate:g}": _mix(arguments.orders, rate)["usd_per_million_orders"] for rate in OTHER_RATES}
    rates[f"{arguments.rate:g}"] = mix["usd_per_million_orders"]
    for rate, usd in sorted(rates.items(), key=lambda entry: float(entry[0])):
        _say(f"at {rate:>4} orders a second: {usd:.2f} USD for a million orders")
    fixed = fixed_usd_per_month()
    _say(f"beside the orders, whatever their number, each month: {fixed}")
    report = {
        "prices_of": PRICES_OF,
        "mix": {**mix, "usd_by_rate": rates},
        "month": _month(arguments.file),
        "fixed_usd_per_month": fixed,
        "reads": {str(orders): _reads(orders) for orders in (1000, arguments.stored)},
    }
    print(json.dumps(report))
    return 0


def _mix(orders: int, rate_per_s: float, *, show: bool = False) -> dict[str, Any]:
    ran = Mix(orders, rate_per_s).run(_say)
    found = summary(ran.meter, ran.orders, ran.lines) | {"rate_per_s": rate_per_s}
    if show:
        _show("marketplace mix", found, table(ran.meter, ran.orders))
    return found


def _month(file: Path) -> dict[str, Any] | None:
    """A month of the Online Retail file through the replay; None, said aloud, where it is not there."""
    if not file.is_file():
        _say(f"month: {file} is not there; name one with FILE=month.csv.gz")
        return None
    backend = MemoryBackend()
    tally = Replay(backend, lambda text: None).run(list(read_invoices(file)), 90)
    orders, lines = len(tally.orders), sum(len(sold.rows) for sold in tally.orders.values())
    found = summary(backend.world.meter, orders, lines) | {"file": file.name}
    _show(f"month {file.name}", found, table(backend.world.meter, orders))
    return found


def _reads(orders: int) -> dict[str, float]:
    units = measured(orders)
    _say(f"read units with {orders} orders stored: {units}")
    return units


def fixed_usd_per_month() -> dict[str, float]:
    """What runs without any order: schedules that find nothing, long polls that bring nothing."""
    world = Business().world
    runs = {"sweep": MONTH_S / 60, **{f"poll_{kind}": MONTH_S / every_s for kind, every_s in POLLS_S.items()}}
    usd = {}
    for name, times in runs.items():
        world.meter.units.clear()
        with world.meter.invocation(name):
            sweep_due(world.runtime) if name == "sweep" else poll(name.removeprefix("poll_"), world.runtime)
        usd[name] = usd_of(billed(world.meter).values()) * times
    usd["empty receives"] = len(LISTENERS) * POLLERS * MONTH_S / LONG_POLL_S * USD["SQS request"]
    return {name: round(amount, 2) for name, amount in usd.items()}


def _show(title: str, found: dict[str, Any], rows: str) -> None:
    _say(f"\n{title}: {found['orders']} orders, {found['lines'] / found['orders']:.2f} lines each")
    _say(rows)
    _say(f"{found['usd_per_million_orders']:.2f} USD for a million orders; the largest parts:")
    for part in found["largest"]:
        _say(f"  {part['part']}, {part['usd']:.2f} USD, mostly {part['mostly']}: {part['reason']}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    shared = Path(os.environ.get("HEADRACE_SHARED", "../shared"))
    parser = argparse.ArgumentParser(prog="bench-cost", description=__doc__)
    parser.add_argument("--file", type=Path, default=shared / "data/online-retail/2011-01.csv.gz", help="the month")
    parser.add_argument("--rate", type=float, default=10.0, help="orders a second, on average")
    parser.add_argument("--orders", type=int, default=3000, help="orders of the mix")
    parser.add_argument("--stored", type=int, default=1_000_000, help="most orders stored when reads are measured")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
