"""The front door: the Chalice app and its blueprints, nothing else."""

from chalice import Chalice

from chalicelib.inbound import (
    accounts,
    api,
    channels_api,
    checkout,
    commands,
    ebay_notifications,
    erasure,
    fetch,
    notifications,
    polls,
    prices,
    referrals,
    stock_api,
    webhooks,
)
from chalicelib.outbound import catalogue, reconcile, relay, sweep, sync, tell_meta
from chalicelib.stages import allocation, entry, funding, settlement, shipping

app = Chalice(app_name="headrace")

for module in (
    api,
    commands,
    stock_api,
    prices,
    referrals,
    channels_api,
    checkout,
    webhooks,
    notifications,
    ebay_notifications,
    erasure,
    fetch,
    polls,
    accounts,
    entry,
    funding,
    allocation,
    shipping,
    settlement,
    relay,
    sync,
    tell_meta,
    catalogue,
    sweep,
    reconcile,
):
    app.register_blueprint(module.blueprint)
