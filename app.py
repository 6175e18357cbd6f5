"""The front door: the Chalice app and its blueprints, nothing else."""

from chalice import Chalice

from chalicelib.inbound import api, commands, fetch, notifications, polls, webhooks
from chalicelib.outbound import relay, sweep, sync
from chalicelib.stages import allocation, entry, funding, settlement, shipping

app = Chalice(app_name="headrace")

for module in (
    api,
    commands,
    webhooks,
    notifications,
    fetch,
    polls,
    entry,
    funding,
    allocation,
    shipping,
    settlement,
    relay,
    sync,
    sweep,
):
    app.register_blueprint(module.blueprint)
