"""What the stand-in of Stripe keeps: payments, refunds, disputes, and every amount that it has booked.

Amounts are Stripe's own smallest units, times Unix seconds. Money moves here only, so that the books can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from local.marketplaces.world import Delivery

FEE_PER_MILLE, FEE_FIXED = 15, 25
DISPUTE_FEE = 2000
AVAILABLE_AFTER_S = 60
KEYS_LAST_S = 24 * 3600


@dataclass
class Intent:
    """A PaymentIntent with its one charge. `captures`: the amounts taken, one by one."""

    intent_id: str
    charge_id: str
    amount: int
    currency: str
    metadata: dict[str, str]
    created: int
    capture_before: int
    takes_many: bool = False
    tells_until: bool = True
    status: str = "requires_capture"
    captures: list[int] = field(default_factory=list)
    canceled_at: int | None = None
    booking_id: str | None = None

    @property
    def received(self) -> int:
        return sum(self.captures)

    @property
    def capturable(self) -> int:
        return self.amount - self.received if self.status == "requires_capture" else 0


@dataclass
class Refund:
    """`is_release`: what a partial capture gave free, which shows as a refund too."""

    refund_id: str
    intent_id: str
    amount: int
    metadata: dict[str, str]
    created: int
    status: str
    reason: str | None = None
    booking_id: str | None = None
    is_release: bool = False
    failure_booking_id: str | None = None


@dataclass
class Booking:
    """A balance transaction."""

    booking_id: str
    category: str
    amount: int
    fee: int
    currency: str
    created: int
    source_id: str
    payout_id: str = ""
    rate: float | None = None

    @property
    def net(self) -> int:
        return self.amount - self.fee

    @property
    def available_on(self) -> int:
        return self.created + AVAILABLE_AFTER_S


@dataclass
class Dispute:
    dispute_id: str
    intent_id: str
    amount: int
    created: int
    status: str = "needs_response"


@dataclass
class Payout:
    payout_id: str
    amount: int
    currency: str
    created: int
    booking_id: str


@dataclass
class Remembered:
    """The answer to the first request under an idempotency key."""

    asked: str
    at: int
    status: int
    body: bytes


@dataclass
class Endpoint:
    """Where events go. Its secret is shown in the answer that makes it only."""

    endpoint_id: str
    url: str
    events: list[str]
    created: int
    status: str = "enabled"


@dataclass
class Books:
    """What survives a restart. `rates`: what is paid in a currency without a bank account is booked in another, at that
    rate."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    bookings: dict[str, Booking] = field(default_factory=dict)
    payouts: dict[str, Payout] = field(default_factory=dict)
    keys: dict[str, Remembered] = field(default_factory=dict)
    outbox: list[Delivery] = field(default_factory=list)
    count: int = 0
    paid_out_at: int = 0
    rates: dict[str, tuple[str, float]] = field(default_factory=dict)

    def new_id(self, prefix: str) -> str:
        """Ids of one kind sort by their age."""
        self.count += 1
        return f"{prefix}_{self.count:024d}"

    def capture(self, intent: Intent, amount: int, *, final: bool, now: int) -> None:
        """Take money; the rest is given free when this is final."""
        intent.captures.append(amount)
        rest = intent.amount - intent.received
        fee = amount * FEE_PER_MILLE // 1000 + FEE_FIXED
        is_whole = final and len(intent.captures) == 1
        intent.booking_id = self._book("charge", intent.amount if is_whole else amount, fee, intent, now)
        if final or not rest:
            intent.status = "succeeded"
        if is_whole and rest:
            self._release(intent, rest, now)

    def _release(self, intent: Intent, rest: int, now: int) -> None:
        release = Refund(self.new_id("re"), intent.intent_id, rest, {}, now, "succeeded", is_release=True)
        release.booking_id = self._book("partial_capture_reversal", -rest, 0, intent, now, release.refund_id)
        self.refunds[release.refund_id] = release

    def cancel(self, intent: Intent, now: int) -> None:
        """What was taken stays taken: then the payment has succeeded."""
        intent.status, intent.canceled_at = ("succeeded", None) if intent.captures else ("canceled", now)

    def refund(self, refund: Refund, now: int) -> None:
        """Book it; one that is pending is booked, too."""
        intent = self.intents[refund.intent_id]
        refund.booking_id = self._book("refund", -refund.amount, 0, intent, now, refund.refund_id)
        self.refunds[refund.refund_id] = refund

    def fail_refund(self, refund: Refund, now: int) -> None:
        """The bank has sent it back."""
        refund.status = "failed"
        intent = self.intents[refund.intent_id]
        refund.failure_booking_id = self._book("refund_failure", refund.amount, 0, intent, now, refund.refund_id)

    def refunded(self, intent: Intent, *, releases: bool = False) -> int:
        """What has gone back to the buyer; `releases`: with what was never taken, as Stripe counts it on a charge."""
        return sum(
            each.amount
            for each in self.refunds.values()
            if each.intent_id == intent.intent_id and each.status != "failed" and (releases or not each.is_release)
        )

    def dispute(self, intent: Intent, amount: int, now: int) -> Dispute:
        """The money goes to the bank until it is decided."""
        dispute = Dispute(self.new_id("dp"), intent.intent_id, amount, now)
        self.disputes[dispute.dispute_id] = dispute
        self._book("dispute", -amount, DISPUTE_FEE, intent, now, dispute.dispute_id)
        return dispute

    def decide(self, dispute: Dispute, now: int, *, won: bool) -> None:
        """A dispute that is won brings the money back, but for the fee."""
        dispute.status = "won" if won else "lost"
        if won:
            intent = self.intents[dispute.intent_id]
            self._book("dispute_reversal", dispute.amount, 0, intent, now, dispute.dispute_id)

    def pay_out(self, now: int) -> list[Payout]:
        """Pay all that is available, one payout for each currency."""
        due = [each for each in self.bookings.values() if not each.payout_id and each.available_on <= now]
        paid = []
        for currency in sorted({each.currency for each in due}):
            carried = [each for each in due if each.currency == currency]
            amount = sum(each.net for each in carried)
            if amount <= 0:
                continue
            payout_id, booking_id = self.new_id("po"), self.new_id("txn")
            own = Booking(booking_id, "payout", -amount, 0, currency, now, payout_id, payout_id)
            self.bookings[booking_id] = own
            for each in carried:
                each.payout_id = payout_id
            self.payouts[payout_id] = Payout(payout_id, amount, currency, now, booking_id)
            paid.append(self.payouts[payout_id])
        return paid

    def _book(self, category: str, amount: int, fee: int, intent: Intent, now: int, source_id: str = "") -> str:
        booking_id = self.new_id("txn")
        source = source_id or intent.charge_id
        currency, rate = self.rates.get(intent.currency, (intent.currency, None))
        amount, fee = (round(each * (rate or 1)) for each in (amount, fee))
        self.bookings[booking_id] = Booking(booking_id, category, amount, fee, currency, now, source, rate=rate)
        return booking_id


BOOKS = TypeAdapter(Books)
