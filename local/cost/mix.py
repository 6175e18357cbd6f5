"""A marketplace mix from sale to settlement: real routes, real readers, stand-in marketplaces, simulated time.

Own shop 40 % (its webhooks), Amazon 30 % (notifications, fetches), eBay 20 % (polls), own storefront 10 % (the API).
1 to 3 lines, 1.4 on average; 200 SKUs, each listed on all three marketplaces, few of which sell most. A parcel for
each order, confirmed to the channel that sold; a payout of a sale and a fee line for each.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from chalicelib.domain.lifecycle import CLOSED, outstanding_minor, stage
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Order
from chalicelib.inbound.polls import poll
from chalicelib.runtime import log
from chalicelib.store.orders import content_key, order_of, state_key
from local.cost.door import Door, opened
from local.cost.pace import TICK_MS, Pace
from local.marketplaces.catalogue import Listing
from local.marketplaces.world import Delivery, Marketplaces
from local.memory.meter import LOG_BYTES, Meter
from local.seed import LOCATION
from local.trade import Business

SHARES = {"shopify": 0.4, "amazon": 0.3, "ebay": 0.2, "storefront": 0.1}
LINES = {1: 0.7, 2: 0.2, 3: 0.1}
SKUS = 200
FEE_PERCENT = 12
STATEMENT_ORDERS = 250  # orders of one payout statement, two lines each
PARCELS_AT_ONCE = 50
WAREHOUSE_TELLS_S = 10
SHIPS_AFTER_S = (60.0, 300.0)
POLLS_S = {"shopify": 300, "ebay": 300, "amazon": 900}  # as in chalicelib/inbound/polls.py
_SETTLES_BY_S = 14_400  # a run that has not come to rest by then is wrong


def catalogue() -> tuple[Listing, ...]:
    """Goods that never sell out; the stand-ins sell the first best (the nth with weight 1/n)."""
    titles = ("Stoneware mug, {} ml, slate", "Oak desk lamp, {} cm", "Olive oil soap, set of {}", "Wool throw, {} cm")
    return tuple(
        Listing(f"SKU-{n:03}-{n * 7919 % 997:03}", titles[n % 4].format(100 + n), 900 + n * 37 % 9000, "USD", 1_000_000)
        for n in range(SKUS)
    )


@dataclass
class Ran:
    """What a run came to."""

    meter: Meter
    rate_per_s: float
    orders: int
    lines: int
    statuses: Counter[str] = field(default_factory=Counter)


class Mix:
    """One run: `orders` sales at `rate_per_s` on average, then parcels and payouts until all is settled."""

    def __init__(self, orders: int, rate_per_s: float, seed: int = 1) -> None:
        self.orders = orders
        self.rate_per_s = rate_per_s
        self.chance = Random(seed)
        self.catalogue = catalogue()
        self.business = Business(self.catalogue, seed=seed)
        _lift_limits(self.business.markets)
        self.world = self.business.world
        self.business.pass_clock(60)  # the opening stock has reached every channel before anything is metered
        self.world.run()
        self.pace = Pace(self.world)
        self._weights = [1 / (1 + place) for place in range(SKUS)]
        self._open: dict[str, float] = {}  # order id -> when the warehouse looks at it
        self._shipped: dict[str, list[str]] = defaultdict(list)
        self._now_s = 0.0

    def run(self, progress: Callable[[str], None] = lambda text: None) -> Ran:
        """Sell, ship, poll and pay out; returns what was spent. Raises RuntimeError when orders do not settle."""
        meter = self.world.meter
        meter.units.clear()
        quiet, log.sink = log.sink, lambda line: meter.count(LOG_BYTES, "own", len(line))
        try:
            return self._run(progress)
        finally:
            log.sink = quiet

    def _run(self, progress: Callable[[str], None]) -> Ran:
        with opened(self.world) as door:
            self._sell(door)
            progress(f"{self.orders} orders sold at {self.rate_per_s:g} a second")
            self._until(door, lambda: not self._open)
            every_poll_s = self._now_s + max(POLLS_S.values())  # what polls find again belongs to the orders too
            self._until(door, lambda: self._now_s > every_poll_s)
            self._pay_out(door)
            self._until(door, lambda: True)
        ran = [self._order(order_id) for order_id in self._ids()]
        lines = sum(len(order.lines) for order in ran)
        # One that its buyer called off while its parcel was on the way is held for a person.
        left = [order for order in ran if stage(order) not in CLOSED and not order.state.holds]
        assert not left, f"{left[0].order_id} was left unsettled"
        return Ran(self.world.meter, self.rate_per_s, self.orders, lines, Counter(map(stage, ran)))

    def _sell(self, door: Door) -> None:
        next_s = self.chance.expovariate(self.rate_per_s)
        for number in range(self.orders):
            while self._now_s < next_s:
                self._tick(door)
            next_s += self.chance.expovariate(self.rate_per_s)
            channel = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
            looks_s = self._now_s + self.chance.uniform(*SHIPS_AFTER_S)
            if channel == "storefront":
                document = self._document(number)
                door.call("POST", "/channels/{channel}/orders", json.dumps(document).encode(), channel=channel)
                self._open[f"{channel}:{document['id']}"] = looks_s
            else:
                (order_id,) = self.business.markets.sell(channel)
                self._open[f"{channel}:{order_id}"] = looks_s

    def _until(self, door: Door, is_done: Callable[[], bool]) -> None:
        while not (self.pace.is_quiet and is_done()):
            self._tick(door)
            if self._now_s > self.orders / self.rate_per_s + _SETTLES_BY_S:
                raise RuntimeError(f"{len(self._open)} orders never came to rest, such as {list(self._open)[:3]}")

    def _tick(self, door: Door) -> None:
        self.business.pass_clock(TICK_MS / 1000)
        self._now_s = round(self._now_s + TICK_MS / 1000, 3)
        if self._now_s % 1 == 0 or self.business.markets.shopify.shelf.changes or self._notifies():
            for delivery in self.business.markets.tick(self.business.now):
                self._hear(delivery, door)
        if self._now_s % 1 == 0:
            if self._now_s % WAREHOUSE_TELLS_S == 0:
                self._ship_due(door)
            for kind, every_s in POLLS_S.items():
                if self._now_s % every_s == 0:
                    with self.world.meter.invocation(f"poll_{kind}"):
                        poll(kind, self.world.runtime)
        self.pace.tick()

    def _notifies(self) -> bool:
        return bool(self.business.markets.amazon.shelf.changes)

    def _hear(self, delivery: Delivery, door: Door) -> None:
        if delivery.marketplace == "shopify":
            door.call("POST", "/webhooks/{channel}", delivery.body, headers=delivery.headers, channel="shopify")
        else:  # Amazon pays for sending to the queue of ours
            self.world.queues.send("amazon-notifications", [json.loads(delivery.body)])

    def _document(self, number: int) -> dict[str, Any]:
        count = self.chance.choices(list(LINES), list(LINES.values()))[0]
        goods = dict.fromkeys(self.chance.choices(self.catalogue, self._weights, k=count * 3))
        lines = [
            {
                "id": f"{n}",
                "sku": one.sku,
                "title": one.title,
                "quantity": 1,
                "unit_price": to_text(one.price_minor, "USD"),
            }
            for n, one in enumerate(list(goods)[:count], start=1)
        ]
        total_minor = 495 + sum(one.price_minor for one in list(goods)[:count])
        at = self.business.now.isoformat()
        address = {"name": "Greta Eklund", "line1": f"{number % 900} Penstock Avenue", "city": "Portland"}
        return {
            "id": f"A-{100_000 + number}",
            "placed_at": at,
            "updated_at": at,
            "currency": "USD",
            "total": to_text(total_minor, "USD"),
            "lines": lines,
            "charges": [{"kind": "shipping", "amount": "4.95"}],
            "payment": {"status": "paid"},
            "customer": {"name": "Greta Eklund", "email": f"greta{number}@mail.example", "phone": "+1 555 0110"},
            "ship_to": {**address, "region": "OR", "postal_code": "97205", "country": "US"},
        }

    def _ship_due(self, door: Door) -> None:
        """The warehouse tells of what left since it told last, up to `PARCELS_AT_ONCE` in a request."""
        parcels = []
        for order_id in [order_id for order_id, due_s in self._open.items() if due_s <= self._now_s]:
            order = self._order(order_id)
            if order is None or stage(order) not in ("shipping", "settlement", *CLOSED):
                self._open[order_id] = self._now_s + 30
                continue
            del self._open[order_id]
            self._shipped[order.channel].append(order_id)
            if stage(order) == "shipping":
                parcels.append(_parcel(order))
        for start in range(0, len(parcels), PARCELS_AT_ONCE):
            body = json.dumps({"shipments": parcels[start : start + PARCELS_AT_ONCE]}).encode()
            door.call("POST", "/api/shipments", body)

    def _pay_out(self, door: Door) -> None:
        for channel, ids in self._shipped.items():
            for start in range(0, len(ids), STATEMENT_ORDERS):
                orders = [self._order(order_id) for order_id in ids[start : start + STATEMENT_ORDERS]]
                lines = [line for order in orders for line in _payout_lines(order)]
                statement = {"channel": channel, "payout_id": f"{channel}-{start}", "currency": "USD"}
                body = json.dumps({**statement, "paid_ms": self.world.now_ms, "lines": lines}).encode()
                if lines:
                    door.call("POST", "/api/payouts", body)

    def _ids(self) -> list[str]:
        return sorted(order_id for ids in self._shipped.values() for order_id in ids)

    def _order(self, order_id: str) -> Any:
        """The order as it is stored; looking costs nothing, since it is not the application that looks."""
        items = self.world.tables.items
        state = items.get(state_key(order_id))
        return order_of(state, items.get(content_key(order_id))) if state else None


def _parcel(order: Order) -> dict[str, Any]:
    digits = "".join(filter(str.isalnum, order.external_id))
    return {
        "order_id": order.order_id,
        "shipment_id": f"{order.external_id}-1",
        "carrier": "UPS",
        "tracking_number": f"1Z{digits:0>16.16}",
        "location": LOCATION,
        "lines": [
            {"line_id": line.line_id, "units": units.allocations[LOCATION]}
            for line, units in zip(order.lines, order.state.quantities, strict=True)
            if units.allocations.get(LOCATION)
        ],
    }


def _payout_lines(order: Order) -> list[dict[str, str]]:
    owed_minor = outstanding_minor(order.state)
    fee_minor = owed_minor * FEE_PERCENT // 100
    named = {"sale": owed_minor, "fee": -fee_minor}
    return [
        {
            "line_id": f"{kind}-{order.external_id}",
            "order_id": order.order_id,
            "kind": kind,
            "amount": to_text(minor, "USD"),
        }
        for kind, minor in named.items()
        if owed_minor > 0
    ]


def _lift_limits(markets: Marketplaces) -> None:
    """No throttling: a burst of calls that takes seconds when deployed happens here at one moment of simulated time."""
    for bucket in (markets.shopify.points, *markets.amazon.buckets.values()):
        bucket.burst = bucket.tokens = 1e12
