"""make run, whole: three marketplaces sell, workers are killed, and every order still reaches its end."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from chalicelib.domain.lifecycle import CLOSED
from local.api import Api
from local.audit import audit
from local.engine import Engine
from local.replay.deployed import stored_items
from local.run import STEPS, Run
from tests.e2e.running import control, listed
from tools.functions import DEPLOYED
from tools.package import build

pytestmark = pytest.mark.engine

ORDERS_EACH = 6
WITHIN_S = 240


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run")
    package = build(DEPLOYED["local"])
    with ExitStack() as running:
        engine = running.enter_context(Engine(folder / "engine"))
        run = Run(0, folder, package, engine, engine.deploy(package), orders_per_s=0)
        for step in STEPS:
            running.enter_context(step(run))
        yield run


def kill_workers(run: Run) -> int:
    """Kill -9 every Lambda worker that runs just now."""
    killed = 0
    for pid in run.engine.workers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def sold(run: Run) -> set[str]:
    return {f"{name}:{order_id}" for name, ids in control(run, "state")["order_ids"].items() for order_id in ids}


def test_every_order_of_three_channels_ends_although_workers_are_killed(run: Run) -> None:
    api = Api(run.address, run.token)
    killed = 0
    for round_ in range(ORDERS_EACH):
        for marketplace in ("shopify", "amazon", "ebay"):
            control(run, "sell", marketplace=marketplace, n=1)
        time.sleep(1.5)
        if round_ in (2, 4):
            killed += kill_workers(run)
    assert killed > 0
    placed = sold(run)
    assert {order_id.partition(":")[0] for order_id in placed} == {"shopify", "amazon", "ebay"}

    deadline = time.monotonic() + WITHIN_S
    while True:
        found = {order_id: summary for order_id, summary in listed(api).items() if order_id in placed}
        open_orders = {i for i in placed if i not in found or found[i]["stage"] not in CLOSED}
        if not open_orders:
            break
        if time.monotonic() > deadline:
            states = Counter(found[i]["status"] if i in found else "missing" for i in open_orders)
            pytest.fail(f"{len(open_orders)} of {len(placed)} orders are still open: {dict(states)}")
        time.sleep(2)

    settled = {i.partition(":")[0] for i, summary in found.items() if summary["stage"] == "settled"}
    assert settled == {"shopify", "amazon", "ebay"}
    assert set(listed(api)) == placed, "an order appeared twice or under another name"
    books = audit(*stored_items(run.engine))
    assert books.wrong == []


def test_every_channel_shows_the_present_availability(run: Run) -> None:
    """Each listing of each marketplace comes to show what is available here, acknowledged and recorded."""
    api = Api(run.address, run.token)

    def differing() -> dict[str, Any]:
        listings = control(run, "state")["listings"]
        found = {}
        for name, quantities in listings.items():
            for sku, shown in quantities.items():
                available = api.get(f"/api/stock/{sku}")["available"]
                if shown != available:
                    found[f"{name} {sku}"] = (shown, available)
        return found

    deadline = time.monotonic() + 120
    while wrong := differing():
        assert time.monotonic() < deadline, wrong
        time.sleep(2)
