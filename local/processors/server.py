"""Serves the stand-in of Stripe over HTTP as the marketplaces are, and an own shop whose buyers pay there.

Base URL: http://127.0.0.1:PORT/stripe.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any

from local.api import Api
from local.marketplaces.buyers import invent_buyer
from local.marketplaces.catalogue import Listing
from local.marketplaces.faults import Faults
from local.marketplaces.wire import Request, Response
from local.marketplaces.woo_gateway import SITE_URL
from local.marketplaces.world import Delivery
from local.processors.stripe import Stripe

SHOP = "storefront-web"
_RETRY_S = 5.0
_MOST_ATTEMPTS = 8
_HELD = timedelta(days=7)
_CALLED_OFF = 6  # one order in so many


class Processors:
    """What a `MarketplaceServer` serves in the place of marketplaces."""

    paused = False

    def __init__(self, stripe: Stripe) -> None:
        self.markets = {stripe.name: stripe}
        self.stripe = stripe

    def handle(self, _name: str, request: Request) -> Response:
        """One API call."""
        return self.stripe.handle(request)

    def tick(self, now: datetime) -> list[Delivery]:
        """Time has come so far; the webhooks that are due."""
        return self.stripe.tick(now)

    def undelivered(self, delivery: Delivery, now: datetime) -> None:
        """Tried again later, and signed anew then."""
        due_at = now + timedelta(seconds=_RETRY_S * 2**delivery.attempts)
        if delivery.attempts < _MOST_ATTEMPTS:
            self.stripe.books.outbox.append(replace(delivery, attempts=delivery.attempts + 1, due_at=due_at))

    def set_faults(self, faults: Faults) -> None:
        """From now on."""
        self.stripe.die.faults = faults

    def summary(self) -> dict[str, Any]:
        """How many payments stand how, what was paid out, and what was taken for each order, one by one."""
        books = self.stripe.books
        statuses = [each.status for each in books.intents.values()]
        paid_out = sum(each.amount for each in books.payouts.values())
        captures = {each.metadata.get("order_id", ""): each.captures for each in books.intents.values()}
        counts = {name: statuses.count(name) for name in sorted(set(statuses))}
        return {"payments": counts, "paid_out": paid_out, "captures": captures}

    def save(self, path: Path) -> None:
        """Writes the state."""
        self.stripe.save(path)

    def load(self, path: Path) -> None:
        """Goes on from a saved state."""
        self.stripe.load(path)


class Guarded:
    """Stripe for others in this process, one call at a time: the own shop, the gateway of the WooCommerce shop. Whoever
    holds `lock` must wait for neither."""

    def __init__(self, stripe: Stripe, lock: Lock) -> None:
        self.api_key, self.name = stripe.api_key, stripe.name
        self._stripe, self._lock = stripe, lock

    @property
    def now(self) -> datetime:
        """Its time."""
        return self._stripe.now

    def handle(self, request: Request) -> Response:
        """One API call."""
        with self._lock:
            return self._stripe.handle(request)

    def authorise(self, amount_minor: int, currency: str, order_id: str, **metadata: Any) -> str:
        """A buyer's card holds the money; the PaymentIntent's id."""
        with self._lock:
            return self._stripe.authorise(amount_minor, currency, order_id, **metadata)


class OwnShop:
    """One order at each call, authorised at Stripe; one in a few is called off at the next call."""

    def __init__(self, api: Api, stripe: Guarded, offers: Sequence[Listing]) -> None:
        self._api, self._stripe, self._offers = api, stripe, offers
        self._unwanted: list[dict[str, Any]] = []
        self._count = 0

    def __call__(self) -> None:
        while self._unwanted:
            order = self._unwanted[-1]
            self._place({**order, "updated_at": self._stripe.now.isoformat(), "cancelled": True})
            self._unwanted.pop()
        self._count += 1
        order = self._order(f"W{time.time_ns() // 1_000_000}", self._offers[self._count % len(self._offers)])
        self._place(order)
        if self._count % _CALLED_OFF == 0:
            self._unwanted.append(order)

    def _order(self, number: str, offer: Listing) -> dict[str, Any]:
        units = 1 + self._count % 2
        reference = self._stripe.authorise(offer.price_minor * units, offer.currency, f"{SHOP}:{number}")
        now = self._stripe.now
        price = f"{offer.price_minor / 100:.2f}"
        payment = {"status": "authorised", "processor": self._stripe.name, "reference": reference}
        return {
            "id": number,
            "updated_at": now.isoformat(),
            "placed_at": now.isoformat(),
            "currency": offer.currency,
            "total": f"{offer.price_minor * units / 100:.2f}",
            "lines": [{"id": "1", "sku": offer.sku, "quantity": units, "unit_price": price}],
            "payment": {**payment, "authorised_until": (now + _HELD).isoformat()},
            **_buyer(number),
        }

    def _place(self, order: Mapping[str, Any]) -> None:
        self._api.post(f"/channels/{SHOP}/orders", order)


def _buyer(number: str) -> dict[str, Any]:
    """Who has placed this order, and where it goes."""
    buyer = invent_buyer(Random(number))
    place = {"name": buyer.name, "line1": buyer.street, "line2": buyer.street_2, "city": buyer.town.name}
    place |= {"region": buyer.town.state_code, "postcode": buyer.town.postal_code, "country": "US"}
    return {"customer": {"name": buyer.name, "email": f"{buyer.handle}@example.com"}, "ship_to": place}


def processor_accounts(stripe: Stripe, public_url: str) -> dict[str, dict[str, Any]]:
    """As `accounts` of the marketplaces: the processor's, and the shop's."""
    own = {"api": {"api_key": stripe.api_key}, "webhook": {"secrets": [stripe.secret]}}
    settings = {"base_url": f"{public_url}/stripe", "order_channel": {SITE_URL: "woocommerce"}}
    return {stripe.name: {"settings": settings, **own}, SHOP: {"settings": {}}}
