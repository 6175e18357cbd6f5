"""eBay: one seller on one site, with all the APIs that an order management system calls.

The operations are in ebay_routes; who may call them, in ebay_access. This page is what happens without the seller:
buyers buy, ask, send back; refunds arrive; money is held, released and paid out; accounts are deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from local.marketplaces import ebay_access, ebay_cancellations, ebay_notifications, ebay_returns, ebay_transactions
from local.marketplaces.catalogue import Listing, derived_digits, ebay_offer_id
from local.marketplaces.ebay_back_office import Cancellation, Hold, Payout, ReturnRequest, Transfer
from local.marketplaces.ebay_errors import error_response
from local.marketplaces.ebay_notifications import Notice
from local.marketplaces.ebay_refunds import complete_refunds
from local.marketplaces.ebay_routes import ROUTES
from local.marketplaces.faults import FaultDie
from local.marketplaces.market import Clock, Habits, Market, Route
from local.marketplaces.shelf import Change, Parcel, Sale
from local.marketplaces.wire import GATEWAY_PAGE, Request, Response

SITES = {"USD": "EBAY_US", "CAD": "EBAY_CA", "GBP": "EBAY_GB", "EUR": "EBAY_DE", "AUD": "EBAY_AU"}
Challenge = Callable[[str], tuple[int, bytes]]


class Kept:
    """An attribute of the market that is kept in the back office, and so survives a restart."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, market: Any, _owner: type | None = None) -> Any:
        return self if market is None else getattr(market.shelf.ebay, self.name)

    def __set__(self, market: Any, value: Any) -> None:
        setattr(market.shelf.ebay, self.name, value)


def nobody_answers(_url: str) -> tuple[int, bytes]:
    """The challenge of an endpoint that does not exist."""
    return 0, b""


class Ebay(Market):
    """One seller on one site. `base_url` is what links in answers begin with.

    `challenge` GETs the URL that a new destination is asked with: (status, body). `consented`: the seller has not
    taken back his consent. `out_of_stock_control`: a listing may stand at 0. `requires_signature`: he is in the EU or
    the UK. `throttled_until`, `down_until`: until then every call gets 429, or a gateway's 503. `over_budget` counts
    the calls, grants and revisions that were refused because a day's limit was used up; `limit_scale` multiplies those
    limits, for a shop that sells in minutes what others sell in days.
    """

    name: ClassVar[str] = "ebay"
    habits: ClassVar[Habits] = Habits(cancelled=0.03, discounted=0.1)
    routes: ClassVar[tuple[Route, ...]] = ROUTES

    seller_id: ClassVar[str] = "millrace_goods"
    client_id: ClassVar[str] = "MillraceG-Local-PRD-0000000000-00000000"
    client_secret: ClassVar[str] = "local-ebay-client-secret"  # noqa: S105 - opens nothing but this stand-in
    refresh_token: ClassVar[str] = "v^1.1#local-ebay-refresh-token"  # noqa: S105

    consented: bool = Kept()  # type: ignore[assignment]
    out_of_stock_control: bool = Kept()  # type: ignore[assignment]
    requires_signature: bool = Kept()  # type: ignore[assignment]
    throttled_until: datetime | None = Kept()  # type: ignore[assignment]
    down_until: datetime | None = Kept()  # type: ignore[assignment]
    over_budget: Counter[str] = Kept()  # type: ignore[assignment]

    # How long eBay takes, in seconds: to process a payment, to refund a buyer, to make funds available.
    payment_takes_s: float = 0.0
    refund_takes_s: float = 60.0
    # What goes wrong with refunds: an errorId from 34925 to 34930 refuses them at once; or they end as FAILED.
    refund_refusal: int = 0
    refunds_fail: bool = False
    funds_take_s: float = 2 * 86_400.0

    def __init__(
        self,
        catalogue: Sequence[Listing],
        clock: Clock,
        die: FaultDie | None = None,
        *,
        base_url: str = "https://api.ebay.com",
        challenge: Challenge = nobody_answers,
        limit_scale: float = 1.0,
    ) -> None:
        super().__init__(catalogue, clock, die)
        self.site = SITES[self.currency]
        self.base_url = base_url
        self.challenge = challenge
        self.limit_scale = limit_scale
        self.sku_of_offer = {ebay_offer_id(listing.sku): listing.sku for listing in catalogue}

    def order_id(self, number: int) -> str:
        """2-5-5 digits."""
        return f"12-{derived_digits(f'ebay/{number // 100_000}', 5)}-{number % 100_000:05}"

    def line_id(self, number: int, index: int) -> str:
        """lineItemId"""
        return str(10_080_000_000_000 + number * 10 + index)

    # --- answers ----------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """An outage and a throttle that were set come before everything else."""
        now = self.clock()
        if self.down_until and now < self.down_until:
            return GATEWAY_PAGE
        if self.throttled_until and now < self.throttled_until:
            return self.throttled(request)
        return super().handle(request)

    def carry_out(self, route: Route, request: Request, names: dict[str, str]) -> Response:
        """The token is checked before every operation but the one that grants it."""
        if route.operation != "token":
            ebay_access.admit(self, route, request)
        return super().carry_out(route, request, names)

    def token_scope(self, request: Request) -> str:
        """USER or APPLICATION, of the token sent."""
        return ebay_access.scope_of(ebay_access.token_sent(request)[1])

    def throttled(self, _request: Request) -> Response:
        """429, error 2001"""
        details = "The request limit has been reached for the resource."
        return error_response(429, 2001, "Too many requests.", details, domain="ACCESS")

    def not_found(self, request: Request) -> Response:
        """404 for a path that is no operation."""
        return error_response(404, 2002, "Resource not found", request.path, domain="ACCESS")

    # --- life -------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Refunds that were asked for arrive, too."""
        super().advance(now)
        complete_refunds(self, now)

    def cancel(self, sale: Sale, now: datetime) -> None:
        """A request that waited for the seller is answered by it."""
        super().cancel(sale, now)
        if sale.cancelled_at:
            ebay_cancellations.complete_open(self, sale)

    def ship(self, sale: Sale, parcel: Parcel) -> None:
        """The change says which parcel it is about, for several may leave before anybody is told."""
        super().ship(sale, parcel)
        self.shelf.changes[-1] = replace(self.shelf.changes[-1], kind=f"shipped:{parcel.reference}")

    def notices(self, change: Change) -> list[Notice]:
        """The signed messages that a change causes, each with its endpoint."""
        return ebay_notifications.notices(self, change)

    def signed(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        """Any body as eBay would sign it, with the headers."""
        return ebay_notifications.signed(self, body)

    def request_cancel(self, sale: Sale, now: datetime) -> Cancellation | None:
        """The buyer asks to call the order off; None when it is too late or has been asked before."""
        return ebay_cancellations.request_by_buyer(self, sale, now)

    def open_return(self, sale: Sale, line_id: str, units: int, now: datetime) -> ReturnRequest:
        """The buyer wants to send units back. Raises ValueError for units that he has not got."""
        return ebay_returns.open_by_buyer(self, sale, line_id, units, now)

    def ship_return(self, found: ReturnRequest, now: datetime) -> None:
        """The buyer sends the parcel, once the seller has agreed."""
        ebay_returns.ship_by_buyer(found, now)

    def delete_buyer(self, username: str, now: datetime) -> None:
        """A buyer's account is deleted: everybody is told, and his orders show nothing of him any more."""
        if username not in self.shelf.ebay.deleted_buyers:
            self.shelf.ebay.deleted_buyers.append(username)
            self.shelf.changes.append(Change(username, "buyer_deleted", now))

    def revoke_consent(self, now: datetime) -> None:
        """The seller takes back his consent: his tokens are worth nothing."""
        self.consented = False
        tokens = self.shelf.tokens
        self.shelf.tokens = {token: tokens[token] for token in tokens if ebay_access.scope_of(token) != "USER"}
        self.shelf.changes.append(Change(self.seller_id, "revoked", now))

    def hold_funds(self, sale: Sale, now: datetime, reason: str = "SELLER_IS_ON_BLOCK_LIST") -> None:
        """The money of an order is held back."""
        self.shelf.ebay.holds[sale.order_id] = Hold(reason, now)
        sale.touch(now)

    def release_funds(self, sale: Sale, now: datetime) -> None:
        """The money held back is the seller's after all."""
        self.shelf.ebay.holds[sale.order_id].released_at = now
        sale.touch(now)

    def transfer(self, amount_minor: int, now: datetime) -> Transfer:
        """Money between eBay and the seller's bank; positive is a credit to his funds."""
        made = Transfer(f"18{self.shelf.ebay.number():09}", now, amount_minor)
        self.shelf.ebay.transfers.append(made)
        return made

    def pay_out(self, now: datetime) -> Payout | None:
        """Sends all available funds to the bank; None when there are none."""
        return ebay_transactions.pay_out(self, now)
