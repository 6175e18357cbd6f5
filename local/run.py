"""`make run`: packages the app as for AWS, deploys it into the local engine, and keeps it up until Ctrl-C.

A run is a list of steps. Each is a context manager over the `Run`: what it sets up it also takes down, in
reverse order.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from chalicelib.channels.carriers import CARRIER_KINDS
from chalicelib.channels.transport import urllib3_transport
from chalicelib.runtime.wiring import clock_ms
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Tables
from cli import commands
from cli.ebay import Wishes
from cli.findings import Findings
from cli.stage import Stage
from local.api import Api
from local.engine import CREDENTIALS, REGION, Deployment, Engine, EngineError, is_port_taken
from local.marketplaces.catalogue import CATALOGUE
from local.processors.server import Guarded
from local.proxy import Proxy
from local.seed import api_token
from local.simulated import Bank, Desk, Every, Warehouse
from local.stand_ins import marketplaces, own_shop, services, till
from tools.functions import DEPLOYED
from tools.package import ROOT, Package, PackageError, build

FOLDER = ROOT / ".local"
RESTOCKED = CATALOGUE
CONNECT_ATTEMPTS = 5  # the stand-ins fail now and then, as they do in life
POLL_S = 10
ACCOUNTS_S = 20
TICK = json.dumps(
    dict.fromkeys(("version", "id", "detail-type", "source", "account", "time", "region"), "")
    | {"resources": [], "detail": {}}
).encode()  # a schedule's event, as EventBridge writes it


class RunError(Exception):
    """The run cannot start; the message says what to do."""


@dataclass
class Run:
    """What the steps share. Fields are filled by the steps, in their order."""

    port: int
    folder: Path
    package: Package
    engine: Engine
    deployment: Deployment
    orders_per_s: float = 0.3  # half an order a second left some waiting for two minutes on two cores
    marketplaces_url: str = ""
    services_url: str = ""
    stripe_url: str = ""
    till: Guarded | None = None

    @property
    def token(self) -> str:
        return api_token(self.folder)

    def tables(self) -> Tables:
        """The deployed tables."""
        return DynamoTables(self.engine.client("dynamodb"), "headrace-local-")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Step = Callable[[Run], AbstractContextManager[None]]


@contextmanager
def front_door(run: Run) -> Iterator[None]:
    """The API and the console, on the port that was asked for."""
    with Proxy(run.port, run.engine.endpoint, run.deployment.api_path) as door:
        run.port = door.port
        yield


@contextmanager
def connections(run: Run) -> Iterator[None]:
    """Amazon and eBay are connected as an operator would: destinations, subscriptions, the challenge, the programs."""
    ssm, sqs = run.engine.client("ssm"), run.engine.client("sqs")
    stage = Stage("local", run.tables(), sqs, ssm, urllib3_transport, clock_ms)
    wishes = Wishes(run.address, "operator@example.org", fix=True, digital_signatures=False, act=True)
    for channel in ("amazon", "ebay"):
        for _ in range(CONNECT_ATTEMPTS):
            told = io.StringIO()
            if commands.check(channel, stage, Findings(told, as_json=False), wishes) == 0:
                break
        else:
            print(f"{channel} is not connected whole:\n{told.getvalue()}", flush=True)
    yield


@contextmanager
def business(run: Run) -> Iterator[None]:
    """The warehouse ships and restocks, the banks pay, and polls run more often than a schedule's minute."""
    api = Api(run.address, run.token)
    restock = {offer.sku: offer.quantity for offer in RESTOCKED}
    lambdas = run.engine.client("lambda")

    def wake(*names: str) -> Callable[[], None]:
        def invoke() -> None:
            for name in names:
                lambdas.invoke(FunctionName=f"headrace-local-{name}", InvocationType="Event", Payload=TICK)

        return invoke

    with (
        Every(2, Warehouse(api, restock, CARRIER_KINDS)),
        Every(4, Bank(api, run.folder / "bank.json", ("storefront",))),
        Every(5, Desk(api)),
        Every(POLL_S, wake("poll_ebay", "poll_shopify", "poll_amazon", "poll_woocommerce")),
        Every(ACCOUNTS_S, wake("poll_money", "poll_returns", "check_listings", "show_accounts", "feed_catalogue")),
    ):
        yield


STEPS: tuple[Step, ...] = (front_door, till, marketplaces, services, connections, business)


def main() -> int:
    options = parse_arguments()
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, interrupt)
    try:
        with only_one_run(FOLDER):
            if options.fresh:
                forget(FOLDER)
            go(options.port)
    except (RunError, PackageError, EngineError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # before everything was up: nothing was seeded, so nothing is lost
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs saved")
    return parser.parse_args()


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def only_one_run(folder: Path) -> Iterator[None]:
    """Holds .local/run.lock, which also names the process that holds it."""
    folder.mkdir(exist_ok=True)
    with (folder / "run.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise RunError(f"it already runs here ({lock.read().strip()}); stop that one first") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def forget(folder: Path) -> None:
    for kept in folder.iterdir():
        if kept.name == "run.lock":
            continue
        if kept.is_dir():
            shutil.rmtree(kept)
        else:
            kept.unlink()


def go(port: int) -> None:
    if is_port_taken(port):
        raise RunError(f"port {port} is taken; choose another with PORT=...")
    print("packaging ...", flush=True)
    package = build(DEPLOYED["local"])
    with ExitStack() as running:
        engine = running.enter_context(Engine(FOLDER / "engine"))
        print("deploying ...", flush=True)
        run = Run(port, FOLDER, package, engine, engine.deploy(package))
        for step in (*STEPS, own_shop):
            running.enter_context(step(run))
        print(greeting(run), flush=True)
        wait_for_ctrl_c(engine)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the saving short
        print("\nstopping; what there is will be there at the next start ...", flush=True)


def greeting(run: Run) -> str:
    owner = " ".join(f"{name}={value}" for name, value in {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION}.items())
    news = "as you left it" if run.deployment.took_over else "deployed"
    return f"""
Headrace is running ({news}). Orders come in from stand-in marketplaces and an own shop.

  console   {run.address}/#token={run.token}
  stages    curl -s -H "Authorization: Bearer $(cat .local/token)" {run.address}/api/stages
  an order  see README, "Send your first own order"
  markets   {run.marketplaces_url}/_control/state
  services  {run.services_url}/_control/state
  channels  AWS_ENDPOINT_URL={run.engine.endpoint} {owner} ./headrace channels list --stage local

Ctrl-C stops all of it and keeps what there is; make run FRESH=1 starts over."""


def wait_for_ctrl_c(engine: Engine) -> None:
    try:
        while engine.is_running:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise EngineError(f"the engine ended by itself, see {engine.folder}/engine.log")


if __name__ == "__main__":
    raise SystemExit(main())
