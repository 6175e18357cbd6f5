"""What the app asks of a channel, in the app's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.domain.errors import HeadraceError, Refused

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class ShipmentConfirmation:
    """One parcel to tell the selling channel of.

    `sequence` counts the order's shipments from 1 and never changes for a shipment. `items` are (the channel's line id,
    units). `shipped_ms` is Unix milliseconds.
    """

    shipment_id: str
    sequence: int
    carrier: str
    tracking_number: str
    shipped_ms: int
    items: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Availability:
    """The absolute quantity that one listing should show. `version` rises with every change of the stock behind it.

    `shown` is what the channel acknowledged last, None when nothing yet. `refs`: the channel's ids of the listing.
    """

    channel_sku: str
    refs: Mapping[str, str]
    quantity: int
    version: int
    shown: int | None = None


Skip = Callable[[str, int], bool]  # (the channel's order id, its time of change in Unix ms) -> nothing new to be read


def read_all(external_id: str, changed_ms: int) -> bool:  # noqa: ARG001 takes what every `Skip` takes
    """Skips nothing."""
    return False


def id_in(order: object, name: str) -> str:
    """The id of an order as a list shows it; "" for what is no order at all."""
    return str(order.get(name, "")) if isinstance(order, dict) else ""


class TokenStore(Protocol):
    """Where the access tokens of one channel account are shared. `name` tells an account's tokens apart ("" is the
    seller's, others are the app's own)."""

    def get(self, name: str = "") -> str:
        """The token, or "" when it is missing or about to expire."""

    def claim(self, rejected: str, name: str = "") -> bool:
        """Whether we are the one to fetch a new token, since there is none but `rejected`; the claim ends by itself."""

    def put(self, token: str, expires_ms: int, name: str = "") -> None:
        """Share a new token until then (Unix ms); ends our claim."""

    def lost(self, why: str) -> None:
        """The seller's consent or our own credentials are no longer good: nothing more is to be tried until a person
        has mended it."""


@dataclass(frozen=True)
class Plan:
    """What a channel allows of one operation. A bucket holds `burst` calls and regains `rate_per_s`; `per_day` calls in
    a day (0: no such limit). `shared`: the limit is the app's, for all its sellers together.

    `lease`: so many calls are taken from the shared bucket at once by one worker; what it does not use is lost.
    """

    rate_per_s: float
    burst: int
    per_day: int = 0
    shared: bool = False
    lease: int = 1


@dataclass(frozen=True)
class Revisions:
    """How often one listing may be changed in a day, which begins `day_starts_h` hours after midnight UTC."""

    per_day: int
    day_starts_h: int

    def day_of(self, now_ms: int) -> int:
        """The number of the channel's day."""
        return (now_ms - self.day_starts_h * 3_600_000) // _DAY_MS

    def wait_s(self, used: int, now_ms: int, *, keep: int, paced: bool) -> int:
        """How long a listing that was changed so often today has to wait for the next change; 0: not at all.

        `keep` changes are left for what is more urgent. `paced`: beyond a fifth of the day's changes at once, the rest
        is spread over the day.
        """
        passed_ms = (now_ms - self.day_starts_h * 3_600_000) % _DAY_MS
        most, at_once = self.per_day - keep, self.per_day // 5
        if used >= most:
            return (_DAY_MS - passed_ms) // 1000 + 1
        if not paced or used < at_once:
            return 0
        due_ms = (used + 1 - at_once) * _DAY_MS // (most - at_once)  # when the next one is due
        return max((due_ms - passed_ms + 999) // 1000, 0)


class Budget(Protocol):
    """The calls that one account may make, counted for all containers together."""

    def spend(self, operation: str) -> None:
        """Count one call. Raises `OverBudget` when it may not be made yet."""

    def correct(self, operation: str, rate_per_s: float) -> None:
        """The channel says how many calls a second it really allows."""

    def drain(self, operation: str, after_s: int) -> None:
        """The channel has refused a call: none may be made for so long."""


class Unlimited:
    """A budget for a channel that limits nobody, and for tests."""

    def spend(self, operation: str) -> None:
        """Always allowed."""

    def correct(self, operation: str, rate_per_s: float) -> None:
        """Nothing to correct."""

    def drain(self, operation: str, after_s: int) -> None:
        """Nothing to drain."""


class Jobs(Protocol):
    """What a client must remember between calls about work that the channel does over time (a feed, a refund): small
    JSON objects by name. A job is written before the call that begins it, so that a lost answer can be looked for."""

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The job, or None."""

    def put(self, name: str, job: Mapping[str, Any]) -> None:
        """Create or replace it. Raises `Stale` when another worker has written it since we read it."""

    def drop(self, name: str) -> None:
        """Forget it."""


class JobsInMemory:
    """`Jobs` that last as long as their client: for channels that need none, and for tests."""

    def __init__(self) -> None:
        self.jobs: dict[str, Mapping[str, Any]] = {}

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The job, or None."""
        return self.jobs.get(name)

    def put(self, name: str, job: Mapping[str, Any]) -> None:
        """Create or replace it."""
        self.jobs[name] = dict(job)

    def drop(self, name: str) -> None:
        """Forget it."""
        self.jobs.pop(name, None)


@dataclass(frozen=True)
class Price:
    """The price that one listing should show, in minor units of `currency`. `version` rises with every change."""

    channel_sku: str
    refs: Mapping[str, str]
    price_minor: int
    currency: str
    version: int


@dataclass(frozen=True)
class ListedItem:
    """One item as the channel lists it now. None or "" where it does not say.

    `live`: a buyer can find it. `refs`: the channel's own ids, as a listing of ours keeps them.
    """

    channel_sku: str
    refs: Mapping[str, str]
    title: str = ""
    quantity: int | None = None
    price_minor: int | None = None
    currency: str = ""
    live: bool = True


@dataclass(frozen=True)
class ChannelReturn:
    """A buyer's return as the channel tells of it, at its present step: request, approve, decline or receive.

    `items` are (the channel's line id, units). `return_id` is the channel's own.
    """

    return_id: str
    external_id: str
    step: str
    items: tuple[tuple[str, int], ...]
    reason: str = ""
    changed_ms: int = 0


MONEY_KINDS = (
    "sale",
    "refund",
    "dispute",
    "fee",
    "tax",
    "shipping_label",
    "reserve",
    "transfer",
    "adjustment",
    "other",
)


@dataclass(frozen=True)
class MoneyFact:
    """One amount that the channel has booked for or against the seller.

    fact_id      natural key within the account: the same amount always has the same one, and it is counted once
    kind         one of `MONEY_KINDS`; sale, refund and dispute are gross (what the buyer paid, got back, challenges),
                 tax is what the channel collected and passes on itself
    amount_minor signed from the seller's side, in minor units of `currency`
    external_id  the channel's id of the order it is about; "" for none
    payout_id    the payout that carries it; "" while there is none
    status       open | held | released | paid, a word of ours for where the money is; stated: said again by a payout
    what         the channel's own words for it, at most 120 characters
    """

    fact_id: str
    kind: str
    amount_minor: int
    currency: str
    at_ms: int
    external_id: str = ""
    payout_id: str = ""
    status: str = "open"
    what: str = ""


@dataclass(frozen=True)
class Payout:
    """One payment to the seller's bank with every amount in it; `amount_minor` is what the channel says it paid.

    The facts add up to it, or `settlement` shows that they do not. `restates`: they have ids of their own, which are
    not those under which `transactions` tells the same money (Amazon's settlement report).
    """

    payout_id: str
    currency: str
    paid_ms: int
    amount_minor: int
    facts: tuple[MoneyFact, ...]
    restates: bool = False


@dataclass(frozen=True)
class Metric:
    """One measure of the channel's for the seller: `value` and `limit` are decimal texts, `limit` "" when not told.

    `is_good` is the channel's own judgement, None when it gives none; `window`: its words for the time measured.
    """

    name: str
    value: str
    limit: str = ""
    is_good: bool | None = None
    window: str = ""


@dataclass(frozen=True)
class RefundRequest:
    """Money to give back to the buyer. `refund_id` names the wish and never changes: asking twice moves it once.

    `amount_minor` is positive, in minor units of `currency` (ISO 4217).
    """

    refund_id: str
    amount_minor: int
    currency: str
    reason: str = ""


@dataclass(frozen=True)
class CancellationRequest:
    """Units that the seller will not deliver. `items` are (the channel's line id, units)."""

    cancellation_id: str
    items: tuple[tuple[str, int], ...]
    reason: str = ""


@dataclass(frozen=True)
class CaptureRequest:
    """Money to take that the buyer has authorised. `capture_id` names the wish and never changes: asking twice takes
    it once. `final`: what is authorised beyond it is given free."""

    capture_id: str
    amount_minor: int
    currency: str
    final: bool = True


class ChannelClient(Protocol):
    """One channel account. Everything may raise `Busy` (come back later) and `Refused` (this will never succeed)."""

    position: str
    """Where a reading of `changed_orders` that breaks off can go on; "" where it must begin again."""

    def get_order(self, external_id: str) -> bytes:
        """One order as its reader takes it."""

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order changed since then (Unix ms) that is not to be skipped, with its own time of change; an order may
        come twice. `position`: where an earlier reading with the same `since_ms` broke off."""

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when the channel acknowledged it."""

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Show these prices; one outcome for each, None when the channel acknowledged it."""

    def listings(self) -> Iterator[ListedItem]:
        """Everything that the account lists now, every page."""

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell of a parcel; telling twice is harmless."""

    def capture(self, external_id: str, wish: CaptureRequest) -> int:
        """Take authorised money; how much was taken (less than asked where less was authorised). Taken before: the
        same again."""

    def void(self, external_id: str) -> None:
        """Give free what is authorised and not captured; what is free already is no error."""

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back: True when it is done, False while it is pending (ask again with the same wish)."""

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call units off; calling off twice is harmless. `Busy` while the channel has not said what became of it."""

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        """Every return changed since then (Unix ms)."""

    def answer_return(self, external_id: str, return_id: str, status: str) -> None:
        """Say how a return of the channel's stands here: approved, declined or received. Saying it twice is harmless;
        what the channel has gone beyond is left alone."""

    def transactions(self, since_ms: int) -> Iterator[MoneyFact]:
        """Every amount booked since then (Unix ms); one whose status has changed since may come again."""

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout that was paid since then (Unix ms), whole."""

    def health(self) -> list[Metric]:
        """How the channel rates the seller. `Busy` while a report is being made: ask again."""


class Basic:
    """What a client has that does not say otherwise: nothing to read beyond orders. A person refunds and cancels at the
    channel, which then tells us."""

    position = ""

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Refuses each."""
        return [Refused("not_supported", f"{each.channel_sku}: change the price at the channel") for each in wanted]

    def listings(self) -> Iterator[ListedItem]:
        """Raises `Refused`: an empty list would say that nothing is on offer."""
        raise Refused("not_supported", "the listings of this channel cannot be read yet: link them one by one")

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:  # noqa: ARG002
        """None."""
        return iter(())

    def answer_return(self, external_id: str, return_id: str, status: str) -> None:
        """Raises `Refused`, always."""
        raise Refused("not_supported", f"return {return_id} of {external_id}: {status} is said in the seller pages")

    def transactions(self, since_ms: int) -> Iterator[MoneyFact]:  # noqa: ARG002
        """None."""
        return iter(())

    def payouts(self, since_ms: int) -> Iterator[Payout]:  # noqa: ARG002
        """None."""
        return iter(())

    def health(self) -> list[Metric]:
        """None."""
        return []

    def capture(self, external_id: str, wish: CaptureRequest) -> int:
        """Raises `Refused`, always."""
        raise _not_supported("capture the payment of", external_id, wish.capture_id)

    def void(self, external_id: str) -> None:
        """Raises `Refused`, always."""
        raise _not_supported("void the payment of", external_id, external_id)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Raises `Refused`, always."""
        raise _not_supported("refund", external_id, wish.refund_id)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Raises `Refused`, always."""
        raise _not_supported("cancel", external_id, wish.cancellation_id)


def _not_supported(verb: str, external_id: str, wish_id: str) -> Refused:
    remedy = f"{verb} order {external_id} in the channel's own seller pages; its next update brings the change here"
    return Refused("not_supported", f"{wish_id}: {remedy}")
