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
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from chalicelib.channels.transport import urllib3_transport
from chalicelib.runtime.wiring import clock_ms
from chalicelib.store.accounts import add_account
from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Tables
from cli import commands
from cli.ebay import Wishes
from cli.findings import Findings
from cli.stage import Stage
from local.api import Api
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.engine import CREDENTIALS, REGION, Deployment, Engine, EngineError, is_port_taken
from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.deliver import ask_challenge, post_webhooks, send_to_queue
from local.marketplaces.faults import EVERYDAY, FaultDie
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.woo_gateway import Gateway
from local.marketplaces.world import Marketplaces
from local.meta.graph import Graph
from local.meta.server import Meta
from local.processors.server import Guarded, OwnShop, Processors, processor_accounts
from local.processors.stripe import Stripe
from local.proxy import Proxy
from local.seed import add_accounts, add_catalogue, api_token, put_secrets
from local.services import Services, service_accounts
from local.simulated import Bank, Desk, Every, Warehouse
from tools.functions import CARRIERS, DEPLOYED
from tools.package import ROOT, Package, PackageError, build

FOLDER = ROOT / ".local"
RESTOCKED = CATALOGUE
CONNECT_ATTEMPTS = 5  # the stand-ins fail now and then, as they do in life
POLL_S = 10
ACCOUNTS_S = 20
SHOP_S = 6
PAYOUT_S = 45.0
PARCELS_SPEED = 2160.0  # the 36 hours of a parcel are played in a minute
MONEY_HELD_S = 15.0  # how long a marketplace keeps what a buyer has paid; days in life
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
    orders_per_s: float = 0.5
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
def marketplaces(run: Run) -> Iterator[None]:
    """The stand-in shops and marketplaces, and all that the app must know to work with them."""
    world = Marketplaces(
        seed=7,
        faults=EVERYDAY,
        rate_per_s=run.orders_per_s,
        start=utc_now(),
        clock=utc_now,
        amazon_rate_scale=100,  # a week of payouts and reports is played in minutes
        ebay_limit_scale=1000,
        payout_every_s=PAYOUT_S,
        woocommerce=True,
    )
    if run.till and world.woo:
        world.woo.gateway, world.woo.facebook_share = Gateway(world.woo, run.till), 0.3
    for market in (world.amazon, world.ebay):
        market.habits = replace(market.habits, asks_to_cancel=0.04, sends_back=0.06)  # type: ignore[misc]
    world.shopify.habits = replace(world.shopify.habits, authorised=0.5, referred=0.3)  # type: ignore[misc]
    queue_url = run.deployment.queues["amazon-notifications"]
    notify = {
        "shopify": post_webhooks(f"{run.address}/webhooks/shopify"),
        "amazon": send_to_queue(queue_url, run.engine.client("sqs")),
        "ebay": post_webhooks(),
        "woocommerce": post_webhooks(f"{run.address}/webhooks/woocommerce"),
    }
    world.ebay.challenge = ask_challenge
    world.amazon.deferred_days, world.ebay.funds_take_s = MONEY_HELD_S / 86_400, MONEY_HELD_S
    state = run.folder / "marketplaces.json"
    server = MarketplaceServer(world, lambda delivery: notify[delivery.marketplace](delivery), state=state)
    run.marketplaces_url = f"http://127.0.0.1:{server.port}"
    world.ebay.base_url = f"{run.marketplaces_url}/ebay"
    world.amazon.base_url = f"{run.marketplaces_url}/amazon"
    seed(run, accounts(world, run.marketplaces_url), world.shopify.location_id)
    with server:
        yield


def seed(run: Run, connected: dict[str, dict[str, Any]], location_id: str) -> None:
    """Accounts, secrets and catalogue; what is there already stays."""
    tables = run.tables()
    put_secrets(run.engine.client("ssm"), connected, run.token)
    now_ms = time.time_ns() // 1_000_000
    add_accounts(tables, connected, now_ms)
    add_catalogue(tables, CATALOGUE, location_id, now_ms, woocommerce="woocommerce" in connected)


@contextmanager
def services(run: Run) -> Iterator[None]:
    """Those who carry the parcels, and Meta, who is told of purchases and of what the Shopify shop sells."""
    faults, at = FaultDie(replace(EVERYDAY, lost=0.0)), run.address  # a carrier's webhook comes again until it is taken
    desks = [
        kind(faults, base_url="", webhook_url=f"{at}/webhooks/{kind.name}", start=utc_now(), speed=PARCELS_SPEED)
        for kind in (Easypost, Shippo)
    ]
    graph = Graph("token-of-the-stand-in", "d-1", clock_ms(), FaultDie(EVERYDAY))
    served = Services(Meta(graph), *desks)
    server = MarketplaceServer(served, post_webhooks(), state=run.folder / "services")
    run.services_url = f"http://127.0.0.1:{server.port}"
    connect(run, service_accounts(served, run.services_url, "shopify", "https://millrace-goods.myshopify.com/"))
    with server:
        yield


def connect(run: Run, connected: dict[str, dict[str, Any]]) -> None:
    """Secrets and settings of accounts that sell nothing."""
    put_secrets(run.engine.client("ssm"), connected, run.token)
    for name, account in connected.items():
        add_account(run.tables(), name, {**account["settings"], "import_from_ms": clock_ms()})


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
        Every(2, Warehouse(api, restock, CARRIERS)),
        Every(4, Bank(api, run.folder / "bank.json", ("storefront",))),
        Every(5, Desk(api)),
        Every(POLL_S, wake("poll_ebay", "poll_shopify", "poll_amazon", "poll_woocommerce")),
        Every(ACCOUNTS_S, wake("poll_money", "poll_returns", "check_listings", "show_accounts", "feed_catalogue")),
    ):
        yield


@contextmanager
def till(run: Run) -> Iterator[None]:
    """The stand-in of Stripe, where buyers of the WooCommerce shop and of the own shop pay."""
    webhooks = f"{run.address}/webhooks/stripe"
    stripe = Stripe(FaultDie(EVERYDAY), webhook_url=webhooks, payout_every_s=int(PAYOUT_S), start=utc_now())
    server = MarketplaceServer(Processors(stripe), post_webhooks(), state=run.folder / "stripe.json")
    run.stripe_url, run.till = f"http://127.0.0.1:{server.port}", Guarded(stripe, server.lock)
    connect(run, processor_accounts(stripe, run.stripe_url))
    with server:
        yield


@contextmanager
def own_shop(run: Run) -> Iterator[None]:
    """An own shop whose buyers' money is held when they order, and taken when it ships."""
    assert run.till
    with Every(SHOP_S, OwnShop(Api(run.address, run.token), run.till, CATALOGUE)):
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
