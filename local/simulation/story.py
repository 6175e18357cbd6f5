"""What happens in a simulated business: buyers change their minds, a warehouse works, people decide, all goes wrong."""

from __future__ import annotations

from random import Random

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.sourcing import STRATEGIES, Sourcing
from chalicelib.domain.stock import Movement
from chalicelib.runtime import log
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import Listing, kit_writes, listing_writes, sku_writes
from chalicelib.store.places import listing_changed_writes
from local.simulation.buyers import Buyers
from local.simulation.cast import COMPONENTS, KIT, Cast
from local.simulation.dispatch import Dispatch
from local.simulation.market import spoken
from local.simulation.marketplace import Marketplace
from local.simulation.people import People
from local.simulation.till import ACCOUNT as TILL
from local.simulation.warehouse import Warehouse
from local.simulation.woo import KIND as WOO
from local.simulation.world import HOSTS, FaultyWorld

_ROUNDS_OF_PEACE = 6


class Story:
    """One seeded run. `run` returns the violated rules; none is right."""

    def __init__(self, seed: int, orders: int = 12) -> None:
        self.world = FaultyWorld(seed)
        self.chance = Random(seed ^ 0x5EED)
        self.orders = orders
        self.cast = Cast(self.world, self.chance)
        self.buyers = Buyers(self.cast)
        self.warehouse = Warehouse(self.cast)
        self.people = People(self.cast)
        self.marketplace = Marketplace(self.cast)
        self.dispatch = Dispatch(self.cast)
        self._pause = self.chance.choice((0, 3, 12))
        everybody = (self.buyers, self.warehouse, self.people, self.marketplace)
        turns = [turn for each in everybody for turn in each.turns]
        self._turns = [turn for turn, weight in turns for _ in range(weight)]

    def run(self) -> list[str]:
        """Set up, let things happen under faults, heal, let everybody catch up, and judge."""
        sink, log.sink = log.sink, self.world.logged.append
        try:
            with spoken():
                return self._run()
        finally:
            log.sink = sink

    def _run(self) -> list[str]:
        self._open()
        self.world.shop.while_pricing = self.people.change_mind
        if self.world.woo:
            self.world.woo.open(self.cast.skus)
            self.world.woo.heard = self.cast.say
        for number in range(self.orders):
            self.buyers.place(f"{1000 + number}")
            for _ in range(self.chance.randint(0, self._pause)):
                self.world.step()
            self._something_happens()
        for _ in range(60):
            self.world.step()
            if self.chance.random() < 0.4:
                self._something_happens()
        self._make_peace()
        return self.cast.verdict.of(self.cast.accounts)

    def _open(self) -> None:
        """Set up without faults: what is tested is the business, not its opening."""
        tables, now_ms, places = self.world.tables, self.world.now_ms, self.cast.places
        for account in self.cast.accounts:
            shop = self.world.shops[account]
            add_account(tables, account, {"base_url": f"https://{HOSTS[account]}", **shop.settings})
            self.world.secrets.kept[f"{account}/api"] = shop.secret
        self.world.secrets.kept[f"{TILL}/api"] = {"key": "k"}
        if carrier := self.world.carrier:
            add_account(tables, carrier.account, carrier.settings)
            self.world.secrets.kept[f"{carrier.account}/api"] = {"api_key": carrier.desk.api_key}
        set_sourcing(tables, Sourcing(places, self.chance.choice(sorted(STRATEGIES)), {"east": ("GB",)}))
        release_ms = now_ms + 3_600_000 if self.chance.random() < 0.2 else 0
        for sku in self.cast.skus:
            tables.write(*sku_writes(sku, sku))
            if sku == KIT:
                tables.write(*kit_writes(Sku(KIT), COMPONENTS, 0))
            else:
                tables.write(*kit_writes(Sku(sku), (), release_ms if sku == "JUG" else 0))
                for place in places:
                    units = self.chance.randint(2, 12)
                    self.cast.move(Movement("receipt", "opening", sku, place, units, now_ms))
        for sku in self.cast.skus:
            parts = [part for part, _ in COMPONENTS] if sku == KIT else [sku]
            for account in self.cast.accounts:
                tables.write(*listing_writes(Listing(account, sku, sku, self.world.shops[account].refs(sku))))
                tables.write(*listing_changed_writes(tables, parts, [account], places, SYNC_QUEUES, now_ms))

    def _something_happens(self) -> None:
        self.chance.choice(self._turns)()
        self.dispatch.get_on()
        if self.world.woo and self.chance.random() < 0.2:
            self.people.refund_at(WOO)

    def _make_peace(self) -> None:
        """No more faults; everybody does what is asked of him until nothing is left to do."""
        self._rest()
        if woo := self.world.woo:  # what was in the bin is looked at again, as its seller would have it
            for sku in sorted(woo.binned):
                self.cast.send(SYNC_QUEUES[WOO], {"sku": sku})
            woo.binned.clear()
            self._rest()
        for payment in self.world.till.payments.values():
            payment.declines = False
        for shop in self.world.shops.values():
            shop.settle()
            for number, document in shop.orders.items():
                if document["payment"]["status"] == "authorised" and "processor" not in document["payment"]:
                    document["payment"] = {"status": "paid"}
                    shop.changed(number)
                    self.cast.hear(number)
        # Where no word gets lost, nothing is to be found by polling.
        is_lost, is_mute = self.world.choke.mix.lost_webhook, self.world.woo and self.world.woo.is_mute
        polls = [f"poll_{account}" for account in self.cast.accounts if is_lost or (account == WOO and is_mute)]
        for _ in range(_ROUNDS_OF_PEACE):
            self.world.now_ms += 90_000_000
            self.marketplace.close()
            self.dispatch.close_day()
            for schedule in (*polls, "sweep", "poll_money", "poll_returns", "poll_tracking"):
                self.world.tick(schedule)
            self._rest()
            for order in self.world.orders():
                self.people.close(order)
                self.dispatch.close(order)
                self.warehouse.close(order)
                self.people.close_money(order)
            self._rest()

    def _rest(self) -> None:
        self.world.heal()
        self.cast.verdict.at_rest()
