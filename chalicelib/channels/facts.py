"""What a channel tells, in the app's own words; what it has booked is a `LedgerFact`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.settlement import LedgerFact


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

    `items` are (the channel's line id, units). `return_id` is the channel's own. `exchanged`: other goods go out for
    them, as new lines of the same order.
    """

    return_id: str
    external_id: str
    step: str
    items: tuple[tuple[str, int], ...]
    reason: str = ""
    changed_ms: int = 0
    exchanged: bool = False


@dataclass(frozen=True)
class ChannelDispute:
    """A buyer's challenge of `amount_minor` (in `currency`): open, won or lost. An answer is due by `due_ms`, 0 when
    that is not told."""

    dispute_id: str
    external_id: str
    amount_minor: int
    currency: str
    status: str
    due_ms: int = 0


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
    facts: tuple[LedgerFact, ...]
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
