"""What Amazon knows beside listings and orders: feeds, reports, money, returns, subscriptions. Saved with the shelf."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Document:
    """A file of a feed or report. `urls`: signature -> when it dies; `puts` are those that take an upload."""

    document_id: str
    content_type: str
    body_base64: str | None = None
    compressed: bool = False
    urls: dict[str, datetime] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    @property
    def body(self) -> bytes | None:
        """The file, never compressed; None until one was uploaded."""
        return None if self.body_base64 is None else base64.b64decode(self.body_base64)

    def fill(self, body: bytes) -> None:
        """Puts the file in; a later one takes its place."""
        self.body_base64 = base64.b64encode(body).decode()


@dataclass
class Job:
    """A feed (with `input_id`) or a report (with a range of dates); `document_id` is what came of it."""

    job_id: str
    kind: str
    marketplace_ids: list[str]
    created_at: datetime
    starts_at: datetime
    ends_at: datetime
    status: str = "IN_QUEUE"
    input_id: str = ""
    document_id: str = ""
    data_start: datetime | None = None
    data_end: datetime | None = None


@dataclass
class MoneyItem:
    """One item of a transaction: minor units per label (Principal, Tax, Commission …), signed as the seller sees it."""

    line_id: str
    sku: str
    title: str
    units: int
    amounts_minor: dict[str, int]


@dataclass
class Transaction:
    """A movement of money. A deferred one names its release, a release the deferred one it stands for."""

    transaction_id: str
    kind: str
    status: str
    posted_at: datetime
    order_id: str = ""
    shipment_id: str = ""
    description: str = ""
    items: list[MoneyItem] = field(default_factory=list)
    other_minor: dict[str, int] = field(default_factory=dict)
    matures_at: datetime | None = None
    release_id: str = ""
    deferred_id: str = ""
    settlement: int = 0

    @property
    def total_minor(self) -> int:
        """What the seller gains."""
        parts = [*(item.amounts_minor for item in self.items), self.other_minor]
        return sum(sum(part.values()) for part in parts)


@dataclass
class Destination:
    """Where notifications go: a queue."""

    destination_id: str
    name: str
    arn: str


@dataclass
class Subscription:
    """One kind of notification that the seller wants; `directive` is the processingDirective as JSON text."""

    subscription_id: str
    kind: str
    payload_version: str
    destination_id: str
    directive: str = ""


@dataclass
class ReturnRequest:
    """A buyer sends units of a line back."""

    rma_id: str
    order_id: str
    line_id: str
    units: int
    requested_at: datetime
    reason: str


@dataclass
class Refund:
    """What a buyer got back for a line."""

    order_id: str
    line_id: str
    at: datetime
    reason: str
    principal_minor: int = 0
    tax_minor: int = 0
    shipping_minor: int = 0


@dataclass
class OrderNote:
    """What only Amazon knows of an order. `cancelled`: line id -> (by whom, why); `status` overrides the real one."""

    fulfilled_by: str = "MERCHANT"
    status: str = ""
    amazon_label: bool = False
    decayed: bool = False
    cancel_requested_at: datetime | None = None
    cancel_reason: str = ""
    cancelled: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class AmazonOffice:
    """All of it. `serial` numbers whatever needs an id; `held`: deferred transactions, the first to mature first."""

    serial: int = 0
    notes: dict[str, OrderNote] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    feeds: dict[str, Job] = field(default_factory=dict)
    reports: dict[str, Job] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    destinations: dict[str, Destination] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    returns: list[ReturnRequest] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    issues: dict[str, list[str]] = field(default_factory=dict)
    settlements_closed: int = 0
    settled_until: datetime | None = None

    def next_id(self) -> int:
        """A number that was never given before."""
        self.serial += 1
        return self.serial

    def note(self, order_id: str) -> OrderNote:
        """The order's note, opened when there is none."""
        return self.notes.setdefault(order_id, OrderNote())

    def subscribed(self, kind: str) -> bool:
        """True when the seller asked for this kind of notification."""
        return any(subscription.kind == kind for subscription in self.subscriptions.values())
