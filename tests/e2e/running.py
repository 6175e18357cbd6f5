"""A running `make run` as the end-to-end tests drive it: through the stand-ins' controls and the API."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any, ClassVar

from local.api import Api
from local.run import Run
from local.simulated import Warehouse

Told = Callable[[str], None]  # takes a line of what was measured, for the end of the run
WITHIN_S = 400  # of a test that fails; two cores may be busy with other tests


class PatientWarehouse(Warehouse):
    """Leaves alone what a test ships by itself, and orders nothing new."""

    spared: ClassVar[set[str]] = set()

    def _ship(self, order: dict[str, Any]) -> None:
        if order["id"] not in self.spared:
            super()._ship(order)


def until(
    what: str, look: Callable[[], Any], within_s: float = WITHIN_S, found_instead: Callable[[], Any] = str
) -> tuple[Any, float]:
    """What `look` finds in the end, and after how many seconds; else fails and says what is `found_instead`."""
    started = time.monotonic()
    while not (found := look()):
        assert time.monotonic() - started < within_s, f"{what} {found_instead()}"
        time.sleep(1)
    return found, time.monotonic() - started


def control(run: Run, command: str, **body: Any) -> Any:
    """A control call of the stand-in marketplaces."""
    return _asked(f"{run.marketplaces_url}/_control/{command}", body)


def state_of(url: str) -> Any:
    """What stand-ins of other services know."""
    return _asked(f"{url}/_control/state", {})


def _asked(url: str, body: dict[str, Any]) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def sell(run: Run, marketplace: str, sku: str | None = None, n: int = 1, **wishes: Any) -> list[str]:
    """The ids of orders that are placed now."""
    body = {"marketplace": marketplace, "n": n, **({"sku": sku} if sku else {}), **wishes}
    return [f"{marketplace}:{order_id}" for order_id in control(run, "sell", **body)["order_ids"]]


def listed(api: Api) -> dict[str, Any]:
    """All orders, by id."""
    found: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/api/orders", limit=100, cursor=cursor)
        for order in page["orders"]:
            assert order["id"] not in found
            found[order["id"]] = order
        cursor = page["cursor"]
    return found


def detail(api: Api, order_id: str) -> dict[str, Any]:
    """The order, or {} while it is not here."""
    return api.order(order_id) if order_id in listed(api) else {}


def ready(api: Api, order_id: str) -> dict[str, Any]:
    """The order, once all of it is allocated, or once its buyer has not paid; {} before."""
    order = detail(api, order_id)
    allocated = order and order["units"]["allocated"] == order["units"]["ordered"] > 0
    return order if order and (allocated or order["stage"] == "cancelled") else {}
