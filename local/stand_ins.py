"""The stand-ins as steps of `make run`: who sells, who takes the money, who carries the parcels, and Meta."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.runtime.wiring import clock_ms
from chalicelib.store.accounts import add_account
from local.api import Api
from local.carriers.easypost import Easypost
from local.carriers.shippo import Shippo
from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE
from local.marketplaces.deliver import ask_challenge, post_webhooks, send_to_queue
from local.marketplaces.faults import EVERYDAY, FaultDie
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.woo_gateway import Gateway
from local.marketplaces.world import Marketplaces
from local.meta.graph import Graph, whole_item
from local.meta.server import Meta
from local.processors.server import Guarded, OwnShop, Processors, processor_accounts
from local.processors.stripe import Stripe
from local.seed import add_accounts, add_catalogue, put_secrets
from local.services import Services, service_accounts
from local.simulated import Every

if TYPE_CHECKING:
    from local.run import Run

SHOP_S = 6
PAYOUT_S = 45.0
PARCELS_SPEED = 2160.0  # the 36 hours of a parcel are played in a minute
MONEY_HELD_S = 15.0  # how long a marketplace keeps what a buyer has paid; days in life


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
        world.woo.gateway, world.woo.stripe_share = Gateway(world.woo, run.till), 1.0
        world.woo.habits = replace(world.woo.habits, referred=0.3)  # type: ignore[misc]
    for market in (world.amazon, world.ebay):
        market.habits = replace(market.habits, asks_to_cancel=0.04, sends_back=0.06)  # type: ignore[misc]
    world.shopify.habits = replace(world.shopify.habits, authorised=0.5, referred=0.3, sends_back=0.06)  # type: ignore[misc]
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
    graph.items = {offer.sku: whole_item(offer.sku, "out of stock") for offer in CATALOGUE}  # the merchant made them
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
def own_shop(run: Run) -> Iterator[None]:
    """An own shop whose buyers' money is held when they order, and taken when it ships."""
    assert run.till
    with Every(SHOP_S, OwnShop(Api(run.address, run.token), run.till, CATALOGUE)):
        yield
