"""The front door: the Chalice app and its blueprints, nothing else."""

from chalice import Chalice

from chalicelib.inbound import (
    accounts,
    api,
    channels_api,
    checkout,
    commands,
    documents,
    ebay_notifications,
    erasure,
    fetch,
    labels_api,
    notifications,
    polls,
    prices,
    referrals,
    stock_api,
    tracking,
    webhooks,
)
from chalicelib.outbound import catalogue, labels, reconcile, relay, sweep, sync, tell_meta
from chalicelib.stages import allocation, entry, funding, settlement, shipping

app = Chalice(app_name="headrace")
app.api.binary_types.append("application/pdf")  # whoever fetches one says so in Accept

for module in (
    api,
    commands,
    labels_api,
    documents,
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
    labels,
    tracking,
    sweep,
    reconcile,
):
    app.register_blueprint(module.blueprint)
