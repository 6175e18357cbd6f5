"""A replay through the application deployed into the local engine: orders and facts through its API."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from chalicelib.domain.lifecycle import work_due
from chalicelib.store.counters import Counts, read_counts
from chalicelib.store.dynamo import DynamoTables, to_plain
from chalicelib.store.orders import order_of
from chalicelib.store.tables import Item
from local.api import Api
from local.engine import Engine
from local.proxy import Proxy
from local.replay.backends import OPENING, seed_tables
from local.seed import api_token, put_secrets
from tools.functions import DEPLOYED
from tools.package import build

_QUIET_WITHIN_S = 300
_CLIENTS = 4


class DeployedBackend:
    """The deployed stages. Has an engine of its own, in a folder of its own, stopped at the end of the process."""

    def __init__(self, engine: Engine, queues: Mapping[str, str], address: str, token: str) -> None:
        self.engine = engine
        self._queues = queues
        self._api = Api(address, token)
        self._tables = DynamoTables(engine.client("dynamodb"), "headrace-local-")
        self._dynamo = engine.client("dynamodb")
        self._sqs = engine.client("sqs")
        self._pool = ThreadPoolExecutor(_CLIENTS)
        self._pending: list[Any] = []
        self._placed: dict[str, str] = {}

    @classmethod
    def started(cls) -> DeployedBackend:
        """Package, deploy and open the front door."""
        import atexit

        folder = Path(mkdtemp(prefix="headrace-replay-"))
        package = build(DEPLOYED["local"])
        engine = Engine(folder / "engine")
        engine.start()
        atexit.register(engine.stop)
        deployment = engine.deploy(package)
        token = api_token(folder)
        put_secrets(engine.client("ssm"), {}, token)
        proxy = Proxy(0, engine.endpoint, deployment.api_path)
        proxy.start()
        atexit.register(proxy.close)
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        return cls(engine, deployment.queues, f"http://127.0.0.1:{proxy.port}", token)

    def seed(self, opening: Mapping[str, int], channels: Iterable[str], receipt: str = OPENING) -> None:
        seed_tables(self._tables, {}, channels, 0)
        parts = [{sku: units} for sku, units in opening.items()]
        list(self._pool.map(lambda part: seed_tables(self._tables, part, (), 0, receipt), parts))

    def at(self, now_ms: int) -> None:
        """The deployed application has the clock of this machine."""

    def place(self, channel: str, document: Mapping[str, Any]) -> None:
        self._placed[f"{channel}:{document['id']}"] = document["updated_at"]
        self._later(self._api.post, f"/channels/{channel}/orders", dict(document))

    def ship(self, order_id: str, shipment: Mapping[str, Any]) -> None:
        self._later(self._api.ship, order_id, shipment)

    def take_back(self, order_id: str, returned: Mapping[str, Any]) -> None:
        from urllib.parse import quote

        self._later(self._api.post, f"/api/orders/{quote(order_id, safe='')}/returns", returned)

    def pay(self, channel: str, payout: Mapping[str, Any]) -> None:
        lines = [
            {key: value for key, value in line.items() if key != "amount_minor"}
            | {"amount": f"{line['amount_minor'] / 100:.2f}"}
            for line in payout["lines"]
        ]
        self._later(self._api.post, "/api/payouts", {**payout, "channel": channel, "lines": lines})

    def _later(self, call: Any, *arguments: Any) -> None:
        self._pending.append(self._pool.submit(call, *arguments))

    def quiet(self) -> None:
        """Wait until nothing is queued or in flight and every order stands where nothing more is due."""
        for future in self._pending:
            future.result()
        self._pending.clear()
        deadline = time.monotonic() + _QUIET_WITHIN_S
        calm = 0
        while calm < 3:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the engine is still busy after {_QUIET_WITHIN_S} s")
            calm = calm + 1 if self._is_idle() else 0
            time.sleep(0.3)

    def _is_idle(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        for queue, url in self._queues.items():
            if queue.endswith("-dlq"):
                continue
            counts = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            if any(int(value) for value in counts.values()):
                return False
        states = [order_of(item) for item in scan(self._dynamo, "orders") if item["sk"] == "STATE"]
        arrived = {order.order_id for order in states}
        return self._placed.keys() <= arrived and not any(map(work_due, states))

    def order(self, order_id: str) -> dict[str, Any] | None:
        return self._api.order(order_id)

    def orders(self, stage: str, channels: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for channel in channels:
            for order in self._api.orders(stage, channel):
                lines = self._api.order(order["id"])["lines"] if order["units"]["allocated"] else []
                yield order["id"], [line for line in lines if line["allocations"]]

    def stored(self) -> tuple[dict[str, list[Item]], Counts]:
        return stored_items(self.engine)

    def billable(self, orders: int) -> dict[str, float] | None:  # noqa: ARG002 nothing meters the engine
        return None


def stored_items(engine: Engine) -> tuple[dict[str, list[Item]], Counts]:
    """Everything that a deployed application has stored, for the audit."""
    dynamo = engine.client("dynamodb")
    counts = read_counts(DynamoTables(dynamo, "headrace-local-"))
    return {name: list(scan(dynamo, name)) for name in ("orders", "stock", "ledger")}, counts


def scan(dynamo: Any, table: str) -> Iterator[Item]:
    """Every item of a table."""
    for page in dynamo.get_paginator("scan").paginate(TableName=f"headrace-local-{table}", ConsistentRead=True):
        yield from map(to_plain, page["Items"])
