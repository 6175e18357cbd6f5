"""What eBay knows beyond listings and orders: money, requests of buyers, keys, subscriptions. Plain values, saved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Destination:
    """Where notifications go. `status`: ENABLED, DISABLED, or MARKED_DOWN, which eBay alone sets."""

    destination_id: str
    name: str
    endpoint: str
    verification_token: str
    status: str


@dataclass
class Subscription:
    """A topic that goes to a destination."""

    subscription_id: str
    topic_id: str
    destination_id: str
    status: str
    schema_version: str
    created_at: datetime


@dataclass
class SigningKey:
    """A key pair of Key Management; what is private of it is never kept. Times in seconds since 1970."""

    key_id: str
    jwe: str
    public_key: str
    created_s: int
    expires_s: int


@dataclass
class Refund:
    """Money on its way to the buyer. `gross_minor` is before the marketplace's fee credit, and without tax."""

    refund_id: str
    order_id: str
    asked_at: datetime
    gross_minor: int
    lines: dict[str, int]
    reason: str
    done_at: datetime | None = None
    failed: bool = False

    @property
    def status(self) -> str:
        """RefundStatusEnum"""
        if self.done_at is None:
            return "PENDING"
        return "FAILED" if self.failed else "REFUNDED"


@dataclass
class Cancellation:
    """A request to call off a whole order. `initiator`: BUYER or SELLER; `state`: REQUESTED, COMPLETED, REJECTED."""

    cancel_id: str
    order_id: str
    initiator: str
    reason: str
    state: str
    asked_at: datetime
    closed_at: datetime | None = None


@dataclass
class ReturnRequest:
    """Units of one line that the buyer wants to send back. `state` is a key of ebay_returns.STATUSES."""

    return_id: str
    order_id: str
    line_id: str
    units: int
    reason: str
    state: str
    opened_at: datetime
    changed_at: datetime
    refund_id: str = ""


@dataclass
class Hold:
    """Money of an order that the seller gets later."""

    reason: str
    held_at: datetime
    released_at: datetime | None = None


@dataclass
class Transfer:
    """Money between eBay and the seller's bank: positive is a credit to the seller's funds."""

    transfer_id: str
    at: datetime
    amount_minor: int


@dataclass
class Payout:
    """Money sent to the seller's bank; what it is made of is in `BackOffice.payout_of`."""

    payout_id: str
    at: datetime
    amount_minor: int
    transactions: int


@dataclass
class BackOffice:
    """All of it. `refunds`: by order id. `payout_of`: type/id of a transaction -> payout id. `day`: of the counters."""

    consented: bool = True
    out_of_stock_control: bool = True
    requires_signature: bool = False
    alert_email: str = ""
    destinations: list[Destination] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    signing_keys: list[SigningKey] = field(default_factory=list)
    refunds: dict[str, list[Refund]] = field(default_factory=dict)
    cancellations: list[Cancellation] = field(default_factory=list)
    returns: list[ReturnRequest] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    payout_of: dict[str, str] = field(default_factory=dict)
    deleted_buyers: list[str] = field(default_factory=list)
    numbers_given: int = 0
    day: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    revisions: Counter[str] = field(default_factory=Counter)
    over_budget: Counter[str] = field(default_factory=Counter)
    throttled_until: datetime | None = None
    down_until: datetime | None = None

    def number(self) -> int:
        """The next number for whatever needs an id."""
        self.numbers_given += 1
        return self.numbers_given
