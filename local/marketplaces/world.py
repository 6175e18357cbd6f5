"""The three marketplaces together: they sell at a set rate, and tell the seller about it, more or less reliably.

No socket and no clock of its own: `tick(now)` moves the world on and returns what is to be delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter

from local.marketplaces import shopify_balance, shopify_payments, shopify_subscriptions
from local.marketplaces.amazon import Amazon
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.ebay import Ebay
from local.marketplaces.faults import CALM, FaultDie, Faults
from local.marketplaces.market import Clock, Market
from local.marketplaces.shelf import Change, Shelf
from local.marketplaces.shopify import Shopify
from local.marketplaces.wire import Request, Response
from local.marketplaces.woocommerce import WooCommerce

RandomState = tuple[int, tuple[int, ...], float | None]
SALES_SHARES = {"shopify": 0.45, "amazon": 0.35, "ebay": 0.2}
WOO_SHARE = 0.2  # beside the others, where there is such a shop
# Shopify tries a webhook again 8 times in 4 hours; here the first pause is 5 s and each next one twice as long.
MAX_ATTEMPTS = 9
FIRST_RETRY_S = 5


@dataclass
class Delivery:
    """One notification on its way: a webhook to POST (with headers), or the body of an SQS message (without).

    `url`: where it goes, when the marketplace knows that itself (eBay).
    """

    marketplace: str
    due_at: datetime
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    url: str = ""


@dataclass
class WorldState:
    """What survives a restart."""

    shelves: dict[str, Shelf]
    outbox: list[Delivery]
    dice: dict[str, RandomState]
    now: datetime
    paused: bool


_STATE = TypeAdapter(WorldState)


class Marketplaces:
    """Shopify, Amazon and eBay with one catalogue.

    `rate_per_s`: orders a second over all three. `clock`: the time of API calls; by default the time of the last tick.
    `payout_every_s`: how often Shopify, Amazon and eBay pay the seller; 0: only when told to.
    `woocommerce`: a WooCommerce shop sells beside them; `webhooks_on`: it tells of its orders, once.
    `ebay_limit_scale` multiplies eBay's limits of a day; by default as much as Amazon's rates are multiplied.
    """

    def __init__(
        self,
        seed: int,
        catalogue: Sequence[Listing] = CATALOGUE,
        faults: Faults = CALM,
        *,
        rate_per_s: float = 1.0,
        start: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC),
        clock: Clock | None = None,
        amazon_rate_scale: float = 1.0,
        ebay_limit_scale: float | None = None,
        public_url: str = "",
        payout_every_s: float = 0.0,
        woocommerce: bool = False,
    ) -> None:
        self.rate_per_s = rate_per_s
        self.payout_every_s = payout_every_s
        self.paid_out_at = start
        self.now = start
        self.paused = False
        self.outbox: list[Delivery] = []
        self.next_sale_at: datetime | None = None
        self.webhooks_on = True
        self.shares = {**SALES_SHARES, **({"woocommerce": WOO_SHARE} if woocommerce else {})}
        self.dice = {name: FaultDie(faults, Random(f"{seed}/{name}")) for name in ("sales", "deliveries", *self.shares)}
        clock = clock or (lambda: self.now)
        self.shopify = Shopify(catalogue, clock, self.dice["shopify"])
        amazon_url = f"{public_url}/amazon" if public_url else "https://sellingpartnerapi-na.amazon.com"
        self.amazon = Amazon(catalogue, clock, self.dice["amazon"], rate_scale=amazon_rate_scale, base_url=amazon_url)
        ebay_url = f"{public_url}/ebay" if public_url else "https://api.ebay.com"
        limit_scale = amazon_rate_scale if ebay_limit_scale is None else ebay_limit_scale
        self.ebay = Ebay(catalogue, clock, self.dice["ebay"], base_url=ebay_url, limit_scale=limit_scale)
        self.markets: dict[str, Market] = {market.name: market for market in (self.shopify, self.amazon, self.ebay)}
        self.woo = WooCommerce(catalogue, clock, self.dice["woocommerce"]) if woocommerce else None
        if self.woo:
            self.markets["woocommerce"] = self.woo

    def handle(self, marketplace: str, request: Request) -> Response:
        """An API call to one of them."""
        return self.markets[marketplace].handle(request)

    def set_faults(self, faults: Faults) -> None:
        """From now on, this goes wrong."""
        for die in self.dice.values():
            die.faults = faults

    # --- time ---------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> list[Delivery]:
        """Sells, pays and cancels what happens until `now`; returns the notifications that are due, oldest first."""
        self.now = max(self.now, now)
        self.amazon.put_due_quantities_live()
        self._sell_until(now)
        for market in self.markets.values():
            market.advance(now)
        if 0 < self.payout_every_s <= (now - self.paid_out_at).total_seconds():
            self.pay_out(now)
        self.notify()
        due = sorted((delivery for delivery in self.outbox if delivery.due_at <= now), key=lambda each: each.due_at)
        self.outbox = [delivery for delivery in self.outbox if delivery.due_at > now]
        return due

    def pay_out(self, now: datetime) -> None:
        """Each marketplace that holds money pays what is due to the seller, with a statement of it."""
        self.paid_out_at = now
        self.amazon.close_settlement(now)
        self.ebay.pay_out(now)
        shopify_balance.pay_out(self.shopify, now)

    def sell(self, marketplace: str, count: int = 1, sku: str | None = None, **as_wished: bool) -> list[str]:
        """Sells on demand (`as_wished`: of `Market.sell`); returns the ids of the orders, fewer than `count` when stock
        runs out."""
        rng = self.dice["sales"].rng
        sales = [self.markets[marketplace].sell(rng, self.now, sku, **as_wished) for _ in range(count)]
        return [sale.order_id for sale in sales if sale]

    def _sell_until(self, now: datetime) -> None:
        if self.paused or self.rate_per_s <= 0:
            self.next_sale_at = None
            return
        rng = self.dice["sales"].rng
        if self.next_sale_at is None:
            self.next_sale_at = now + timedelta(seconds=rng.expovariate(self.rate_per_s))
        while self.next_sale_at <= now:
            name = rng.choices(list(self.shares), list(self.shares.values()))[0]
            self.markets[name].sell(rng, self.next_sale_at)
            self.next_sale_at += timedelta(seconds=rng.expovariate(self.rate_per_s))

    # --- notifications ------------------------------------------------------------------------------

    def notify(self) -> None:
        """Writes a notification for each change since the last call, with the order as it is now."""
        for change in self.shopify.drain_changes():
            for webhook in self.shopify.webhooks(change):
                self._send("shopify", change, webhook.body, webhook.headers, webhook.url)
        for change in self.amazon.drain_changes():
            self._send("amazon", change, self.amazon.notification(change))
        for change in self.ebay.drain_changes():
            for notice in self.ebay.notices(change):
                self._send("ebay", change, notice.body, notice.headers, notice.url)
        if self.woo:
            # what waits for the same order is one delivery, of the order as it is then
            for change in {change.order_id: change for change in self.woo.drain_changes()}.values():
                if self.webhooks_on:
                    webhook = self.woo.webhook(change)
                    self._send("woocommerce", change, webhook.body, webhook.headers)

    def _send(
        self, marketplace: str, change: Change, body: bytes, headers: dict[str, str] | None = None, url: str = ""
    ) -> None:
        """Puts it into the outbox once, twice, late, or not at all."""
        die = self.dice["deliveries"]
        if die.hits(die.faults.lost):
            return
        late_s = die.rng.uniform(*die.faults.late_by_s) if die.hits(die.faults.late) else 0.0
        due_at = change.at + timedelta(seconds=late_s)
        self.outbox.append(Delivery(marketplace, due_at, body, headers or {}, url=url))
        if die.hits(die.faults.duplicated):
            again_at = due_at + timedelta(seconds=die.rng.uniform(0, 20))
            self.outbox.append(Delivery(marketplace, again_at, body, headers or {}, url=url))

    def undelivered(self, delivery: Delivery, now: datetime) -> None:
        """The seller did not take it: tried again later, with the original body, until the attempts are used up.
        WooCommerce never tries again."""
        if delivery.marketplace == "woocommerce":
            return
        delivery.attempts += 1
        if delivery.attempts < MAX_ATTEMPTS:
            delivery.due_at = now + timedelta(seconds=FIRST_RETRY_S * 2 ** (delivery.attempts - 1))
            self.outbox.append(delivery)
        elif delivery.marketplace == "shopify":
            shopify_subscriptions.remove_failed(self.shopify, delivery.headers["X-Shopify-Topic"], delivery.url)

    # --- state --------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """What a console or a test wants to know: listings, orders, shipments of each marketplace."""
        markets = self.markets.items()
        sales = {name: list(market.shelf.sales.values()) for name, market in markets}
        return {
            "paused": self.paused,
            "rate_per_s": self.rate_per_s,
            "listings": {
                name: {sku: listing.available for sku, listing in market.shelf.listings.items()}
                for name, market in markets
            },
            "orders": {name: len(found) for name, found in sales.items()},
            "order_ids": {name: [sale.order_id for sale in found] for name, found in sales.items()},
            "cancelled_ids": {
                name: [sale.order_id for sale in found if sale.cancelled_at] for name, found in sales.items()
            },
            "shipped_ids": {
                name: [sale.order_id for sale in found if sale.fully_shipped] for name, found in sales.items()
            },
            "captures": shopify_payments.captures(self.shopify),
            "undelivered": len(self.outbox),
        }

    def save(self, path: Path) -> None:
        """Writes the state as JSON; a reader sees the old file or the new one, never half of one."""
        dice: dict[str, RandomState] = {name: die.rng.getstate() for name, die in self.dice.items()}
        shelves = {name: market.shelf for name, market in self.markets.items()}
        state = WorldState(shelves, self.outbox, dice, self.now, self.paused)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(_STATE.dump_json(state))
        draft.replace(path)

    def load(self, path: Path) -> None:
        """Goes on from a saved state. Raises pydantic.ValidationError for a file of another shape."""
        state = _STATE.validate_json(path.read_bytes())
        for name, shelf in state.shelves.items():
            self.markets[name].shelf = shelf
        for name, saved in state.dice.items():
            self.dice[name].rng.setstate(saved)
        self.outbox, self.now, self.paused = state.outbox, state.now, state.paused
        self.next_sale_at = None
