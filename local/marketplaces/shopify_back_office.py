"""What Shopify knows beyond listings and orders: payments, refunds, jobs. Plain values, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Payment:
    """One OrderTransaction. `number` is Shopify's; `parent` the number of the transaction it is about, 0 for none."""

    number: int
    kind: str
    amount_minor: int
    at: datetime
    status: str = "SUCCESS"
    parent: int = 0
    expires_at: datetime | None = None
    multiple: bool = False


@dataclass
class RefundMade:
    """One Refund: money by transaction number, and units by line id."""

    number: int
    note: str
    at: datetime
    payments: list[int]
    units: dict[str, int]
    restock_type: str = "NO_RESTOCK"


@dataclass
class CancelJob:
    """An orderCancel that runs until `due_at`."""

    job_id: str
    order_id: str
    due_at: datetime
    done: bool = False


@dataclass
class Booking:
    """One amount on the account's balance that no payment or refund has caused; `fee_minor` is taken from it."""

    number: int
    kind: str
    amount_minor: int
    at: datetime
    fee_minor: int = 0
    order_id: str = ""
    transaction: int = 0


@dataclass
class PayoutMade:
    """What went to the seller's bank."""

    number: int
    at: datetime
    amount_minor: int
    status: str = "PAID"


@dataclass
class FulfilmentOrder:
    """Part of an order that is shipped from one place. `units`: what it still has to ship, by line id; `holds`: reasons
    (FulfillmentHoldReason) not to; `service`: a fulfilment service's people ship it."""

    number: int
    units: dict[str, int]
    updated_at: datetime
    location: int
    holds: list[str] = field(default_factory=list)
    fulfil_at: datetime | None = None
    service: bool = False


@dataclass
class Subscription:
    """Where deliveries of one topic (ORDERS_CREATE) go."""

    number: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime


@dataclass
class ReturnedLine:
    """Units of a line that come back out of one parcel. `disposed`: units by type of disposition."""

    number: int
    line_id: str
    parcel: str
    units: int
    processed: int = 0
    disposed: dict[str, int] = field(default_factory=dict)


@dataclass
class ReturnMade:
    """One Return. `exchanged`: how many items go out in exchange; `added`: the lines of the order that they became."""

    number: int
    order_id: str
    status: str
    at: datetime
    lines: list[ReturnedLine] = field(default_factory=list)
    approved_at: datetime | None = None
    closed_at: datetime | None = None
    exchanged: int = 0
    added: list[str] = field(default_factory=list)


@dataclass
class DisputeMade:
    """One dispute of Shopify Payments."""

    number: int
    order_id: str
    amount_minor: int
    at: datetime
    due_at: datetime
    status: str = "NEEDS_RESPONSE"


@dataclass
class ShopOffice:
    """Of orders, by id: what was authorised, taken and given back, and which were called off unrefunded. `payout_of`:
    numbers of balance transactions to the payout's."""

    payments: dict[str, list[Payment]] = field(default_factory=dict)
    refunds: dict[str, list[RefundMade]] = field(default_factory=dict)
    jobs: dict[str, CancelJob] = field(default_factory=dict)
    unrefunded: list[str] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    payouts: list[PayoutMade] = field(default_factory=list)
    payout_of: dict[str, int] = field(default_factory=dict)
    fulfilment: dict[str, list[FulfilmentOrder]] = field(default_factory=dict)  # orders that were divided, by id
    subscriptions: list[Subscription] = field(default_factory=list)
    topics_out_of_scope: list[str] = field(default_factory=list)  # the app may not subscribe to these
    returns: list[ReturnMade] = field(default_factory=list)
    disputes: list[DisputeMade] = field(default_factory=list)
    numbers: int = 0
    refund_status: str = "SUCCESS"  # how the money of the next refunds stands
