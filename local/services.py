"""Serves stand-ins of other services over HTTP as the marketplaces are: carriers, Meta.

Base URL: http://127.0.0.1:PORT/NAME. Control: GET /_control/state, POST /_control/faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.carriers.desk import Desk
from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request, Response
from local.marketplaces.world import Delivery
from local.meta.server import Meta

_RETRY_S = 5.0
_MOST_ATTEMPTS = 8
SENDER = {
    "name": "Millrace Goods",
    "line1": "1 Sluice Street",
    "city": "Springfield",
    "region": "IL",
    "postcode": "62701",
    "country": "US",
}


class Services:
    """What a `MarketplaceServer` serves in the place of marketplaces."""

    paused = False

    def __init__(self, meta: Meta, *desks: Desk) -> None:
        self.desks: Mapping[str, Desk] = {desk.name: desk for desk in desks}
        self.meta = meta
        self.markets: Mapping[str, Desk | Meta] = {**self.desks, meta.name: meta}

    def handle(self, name: str, request: Request) -> Response:
        """One API call."""
        return self.markets[name].handle(request)

    def tick(self, now: datetime) -> list[Delivery]:
        """Time has come so far; the webhooks that are due."""
        return [delivery for service in self.markets.values() for delivery in service.tick(now)]

    def undelivered(self, delivery: Delivery, now: datetime) -> None:
        """Tried again later."""
        due_at = now + timedelta(seconds=_RETRY_S * 2**delivery.attempts)
        if delivery.attempts < _MOST_ATTEMPTS:
            again = replace(delivery, attempts=delivery.attempts + 1, due_at=due_at)
            self.desks[delivery.marketplace].state.outbox.append(again)

    def set_faults(self, faults: Faults) -> None:
        """From now on."""
        for service in self.markets.values():
            service.die.faults = faults

    def summary(self) -> dict[str, Any]:
        """Each label that was ever sold, by the name that we gave it, and what Meta knows."""
        sold = {
            name: [desk.state.shipments[each].reference for each in desk.state.labels]
            for name, desk in self.desks.items()
        }
        return {"labels": sold, "meta": self.meta.summary()}

    def save(self, folder: Path) -> None:
        """Writes the state of each."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, service in self.markets.items():
            service.save(folder / f"{name}.json")

    def load(self, folder: Path) -> None:
        """Goes on from a saved state, each as far as it was saved."""
        for name, service in self.markets.items():
            if (file := folder / f"{name}.json").exists():
                service.load(file)


def service_accounts(services: Services, public_url: str, shop: str, shop_url: str) -> dict[str, dict[str, Any]]:
    """As `accounts` of the marketplaces. Meta is fed with what `shop` lists, whose buyers land on `shop_url`."""
    graph = services.meta.graph
    found: dict[str, dict[str, Any]] = {
        "meta": {
            "settings": {
                "enabled": True,
                "base_url": f"{public_url}/meta/v26.0",
                "dataset_id": graph.dataset_id,
                "catalogue_id": graph.catalogue_id,
                "shop": shop,
                "shop_url": shop_url,
            },
            "api": {"access_token": graph.token},
        }
    }
    for name, desk in services.desks.items():
        desk.base_url = f"{public_url}/{name}"
        found[name] = {
            "settings": {"base_url": desk.base_url, "sender": SENDER},
            "api": {"api_key": desk.api_key},
            "webhook": {"secrets": [desk.secret]},
        }
    return found
