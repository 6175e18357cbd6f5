"""What all three marketplaces share: listings that sell, orders that live, and a request that may fail.

A `Market` keeps one truth (`Shelf`) in plain values; each subclass only turns it into its wire format and
back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar
from urllib.parse import unquote

from local.marketplaces.buyers import invent_buyer
from local.marketplaces.catalogue import Listing, common_currency
from local.marketplaces.faults import FaultDie
from local.marketplaces.shelf import Change, Due, Parcel, Sale, Shelf, ShelfListing, SoldLine
from local.marketplaces.visits import CONSENTS, from_facebook
from local.marketplaces.wire import GATEWAY_PAGE, RefusalError, Request, Response

Clock = Callable[[], datetime]
Handler = Callable[[Any, Request, dict[str, str]], Response]


@dataclass(frozen=True)
class Route:
    """One operation: `pattern` is a regular expression over the percent-encoded path with named groups."""

    method: str
    pattern: str
    operation: str
    handler: Handler


@dataclass(frozen=True)
class Habits:
    """How buyers behave here: shares of all orders, and how long a thing takes (seconds, from and to).

    `asks_to_cancel`: of paid orders, those whose buyer then asks the seller; `sends_back`: those of which a unit comes
    back once it was shipped. Only marketplaces that know cancel requests and returns have such buyers. `authorised`:
    of all orders, those whose money is only held until they ship; `referred`: those whose buyer Facebook has sent. Only
    own shops know of these.
    """

    pending: float = 0.0
    pending_cancelled: float = 0.0
    cancelled: float = 0.0
    discounted: float = 0.0
    asks_to_cancel: float = 0.0
    sends_back: float = 0.0
    authorised: float = 0.0
    referred: float = 0.0
    pays_after_s: tuple[float, float] = (8.0, 40.0)
    cancels_after_s: tuple[float, float] = (3.0, 30.0)
    asks_after_s: tuple[float, float] = (0.0, 1.0)  # soon, or the parcel has left
    sends_back_after_s: tuple[float, float] = (15.0, 45.0)


class Market:
    """One marketplace account. `clock` tells the time of requests; `sell` and `advance` are told theirs."""

    name: ClassVar[str]
    habits: ClassVar[Habits]
    routes: ClassVar[tuple[Route, ...]]

    def __init__(self, catalogue: Sequence[Listing], clock: Clock, die: FaultDie | None = None) -> None:
        self.currency = common_currency(catalogue)
        self.clock = clock
        self.die = die or FaultDie()
        self.shelf = Shelf(
            listings={
                listing.sku: ShelfListing(
                    listing.sku, listing.title, listing.price_minor, listing.currency, listing.quantity
                )
                for listing in catalogue
            }
        )

    # --- requests ---------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answers one API call as the real marketplace would, or fails as it sometimes does."""
        faults = self.die.faults
        if self.die.hits(faults.unavailable):
            return GATEWAY_PAGE
        if self.die.hits(faults.throttled):
            return self.throttled(request)
        response = self.answer(request)
        return GATEWAY_PAGE if self.die.hits(faults.answer_lost) else response

    def answer(self, request: Request) -> Response:
        """The answer without injected faults."""
        try:
            for route in self.routes:
                match = re.fullmatch(route.pattern, request.path)
                if match and route.method == request.method.upper():
                    names = {key: unquote(value) for key, value in match.groupdict().items()}
                    return self.carry_out(route, request, names)
        except RefusalError as refusal:
            return refusal.response
        return self.not_found(request)

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """Runs the operation; the place for what a marketplace checks before every one."""
        return route.handler(self, request, names)

    def throttled(self, _request: Request, /) -> Response:
        """The marketplace's way to say 'too many requests'."""
        raise NotImplementedError

    def not_found(self, _request: Request, /) -> Response:
        """The answer for a path that is no operation."""
        raise NotImplementedError

    # --- tokens -----------------------------------------------------------------------------------

    def issue_token(self, prefix: str, lifetime_s: int) -> str:
        """A new access token, valid for `lifetime_s` from now."""
        now = self.clock()
        self.shelf.tokens = {token: until for token, until in self.shelf.tokens.items() if until > now}
        self.shelf.tokens_issued += 1
        token = f"{prefix}{self.name}-{self.shelf.tokens_issued:08}"
        self.shelf.tokens[token] = now + timedelta(seconds=lifetime_s)
        return token

    def token_valid(self, token: str) -> bool:
        """True while the token lives."""
        until = self.shelf.tokens.get(token)
        return until is not None and until > self.clock()

    # --- selling ----------------------------------------------------------------------------------

    def sell(
        self, rng: Random, now: datetime, sku: str | None = None, *, authorised: bool = False, referred: bool = False
    ) -> Sale | None:
        """One believable order out of what is in stock (of `sku` at least, when given); None when nothing is.

        `authorised`, `referred`: it is so for certain, and whom Facebook has sent then consents.
        """
        lines = self._fill_basket(rng, sku)
        if not lines:
            return None
        number = self.shelf.sales_made = self.shelf.sales_made + 1
        buyer = invent_buyer(rng)
        discounted = rng.random() < self.habits.discounted
        sale = Sale(
            number=number,
            order_id=self.order_id(number),
            placed_at=now,
            updated_at=now,
            buyer=buyer,
            currency=self.currency,
            lines=[
                self._sold_line(number, index, line, discounted, buyer.town.tax_per_mille)
                for index, line in enumerate(lines)
            ],
            shipping_minor=rng.choice((0, 0, 0, 495, 995)),
            discount_code="WELCOME10" if discounted else "",
        )
        for line in sale.lines:
            self.shelf.listings[line.sku].take(line.quantity)
        self.shelf.sales[sale.order_id] = sale
        self._plan(rng, sale, now)
        if referred or self._now_and_then(rng, self.habits.referred):
            sale.visit = from_facebook(rng, now, consents=referred or rng.random() < CONSENTS)
        if authorised or self._now_and_then(rng, self.habits.authorised):
            self.authorise(sale)
        self.changed(sale, "created")
        return sale

    def authorise(self, _sale: Sale, /) -> Any:
        """The buyer's money is held, and not taken. Nothing that was planned with the order comes to pass."""
        raise NotImplementedError

    def _now_and_then(self, rng: Random, share: float) -> bool:
        """A share of 0 draws nothing."""
        return share > 0 and rng.random() < share

    def order_id(self, number: int) -> str:
        """The marketplace's id of its `number`th order."""
        raise NotImplementedError

    def line_id(self, number: int, index: int) -> str:
        """The marketplace's id of one line of that order."""
        raise NotImplementedError

    def _fill_basket(self, rng: Random, sku: str | None) -> list[tuple[ShelfListing, int]]:
        wanted = rng.choices((1, 2, 3), (0.7, 0.2, 0.1))[0]
        if sku is not None:
            first = self.shelf.listings.get(sku)
            if first is None or first.available < 1:
                return []
        skus = [] if sku is None else [sku]
        in_stock = {
            listing.sku: 1 / (1 + place)
            for place, listing in enumerate(self.shelf.listings.values())
            if listing.available
        }
        while len(skus) < min(wanted, len(in_stock)):
            left = [candidate for candidate in in_stock if candidate not in skus]
            skus.append(rng.choices(left, [in_stock[candidate] for candidate in left])[0])
        listings = [self.shelf.listings[chosen] for chosen in skus]
        return [(listing, min(listing.available, rng.choices((1, 2, 3), (0.85, 0.1, 0.05))[0])) for listing in listings]

    def _sold_line(
        self,
        number: int,
        index: int,
        basket_line: tuple[ShelfListing, int],
        discounted: bool,
        tax_per_mille: int,
    ) -> SoldLine:
        listing, quantity = basket_line
        gross_minor = listing.price_minor * quantity
        discount_minor = gross_minor // 10 if discounted else 0
        tax_minor = round((gross_minor - discount_minor) * tax_per_mille / 1000)
        return SoldLine(
            self.line_id(number, index),
            listing.sku,
            listing.title,
            quantity,
            listing.price_minor,
            discount_minor,
            tax_minor,
        )

    def _plan(self, rng: Random, sale: Sale, now: datetime) -> None:
        habits = self.habits
        sale.paid = rng.random() >= habits.pending
        cancelled = rng.random() < (habits.cancelled if sale.paid else habits.pending_cancelled)
        if cancelled:
            self._due(rng, sale, now, "cancel", habits.cancels_after_s)
        elif not sale.paid:
            self._due(rng, sale, now, "pay", habits.pays_after_s)
        elif habits.asks_to_cancel and rng.random() < habits.asks_to_cancel:
            self._due(rng, sale, now, "ask_to_cancel", habits.asks_after_s)
        elif habits.sends_back and rng.random() < habits.sends_back:
            self._due(rng, sale, now, "send_back", habits.sends_back_after_s)

    def _due(self, rng: Random, sale: Sale, now: datetime, action: str, after_s: tuple[float, float]) -> None:
        self.shelf.due.append(Due(now + timedelta(seconds=rng.uniform(*after_s)), sale.order_id, action))

    # --- the life of an order ---------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Pays and cancels what is due by `now`, in the order of the due times."""
        ripe = sorted((due for due in self.shelf.due if due.at <= now), key=lambda due: due.at)
        self.shelf.due = [due for due in self.shelf.due if due.at > now]
        for due in ripe:
            sale = self.shelf.sales[due.order_id]
            match due.action:
                case "pay":
                    self.pay(sale, due.at)
                case "ask_to_cancel":
                    self.request_cancel(sale, due.at)
                case "send_back":
                    self._send_back(sale, now)
                case _:
                    self.cancel(sale, due.at)

    def _send_back(self, sale: Sale, now: datetime) -> None:
        """A unit comes back; of what was not shipped yet, later."""
        line = next((line for line in sale.lines if sale.shipped(line.line_id)), None)
        if line:
            self.open_return(sale, line.line_id, 1, now)
        elif not sale.cancelled_at:
            self.shelf.due.append(Due(now + timedelta(seconds=5), sale.order_id, "send_back"))

    def request_cancel(self, _sale: Sale, _now: datetime, /) -> Any:
        """The buyer asks the seller to cancel."""
        raise NotImplementedError

    def open_return(self, _sale: Sale, _line_id: str, _units: int, _now: datetime, /) -> Any:
        """The buyer wants to send units back."""
        raise NotImplementedError

    def pay(self, sale: Sale, now: datetime) -> None:
        """The buyer's payment goes through."""
        if sale.paid or sale.cancelled_at:
            return
        sale.paid = True
        sale.touch(now)
        self.changed(sale, "paid")

    def cancel(self, sale: Sale, now: datetime) -> None:
        """The order is called off and its units go back on offer; nothing happens once a parcel has left."""
        if sale.cancelled_at or sale.parcels:
            return
        sale.touch(now)
        sale.cancelled_at = sale.updated_at
        for line in sale.lines:
            self.shelf.listings[line.sku].put_back(line.quantity)
        self.changed(sale, "cancelled")

    def ship(self, sale: Sale, parcel: Parcel) -> None:
        """Records a parcel; one with the reference of an earlier parcel takes its place."""
        sale.parcels = [*(kept for kept in sale.parcels if kept.reference != parcel.reference), parcel]
        sale.touch(self.clock())
        self.changed(sale, "shipped")

    def changed(self, sale: Sale, kind: str) -> None:
        """Notes a change that the seller may be notified of."""
        self.shelf.changes.append(Change(sale.order_id, kind, sale.updated_at))

    def drain_changes(self) -> list[Change]:
        """The changes noted since the last call."""
        changes, self.shelf.changes = self.shelf.changes, []
        return changes
