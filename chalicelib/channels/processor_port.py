"""What the app asks of a payment processor, in the app's own words. Amounts are minor units of `currency`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.channels.facts import Payout
from chalicelib.channels.port import CaptureRequest
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.orders import Dispute
from chalicelib.domain.settlement import LedgerFact


@dataclass(frozen=True)
class Seen:
    """A payment that something has happened to: the order it pays (`channel:external id`), what has been given back in
    all, in minor units of `currency`, the dispute that was looked at, by its id, and the refund that was looked at if
    the buyer's bank has sent it back, by our name of it, else the processor's."""

    order_id: str
    currency: str
    refunded_minor: int
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    sent_back: Mapping[str, int] = field(default_factory=dict)


class ProcessorClient(Protocol):
    """One account. Everything may raise `Busy` (come back later) and `Refused` (this will never succeed)."""

    def payment(self, reference: str) -> Payment:
        """How the payment stands now."""

    def capture(self, reference: str, wish: CaptureRequest) -> int:
        """Take the money; how much was taken (less than asked where less was authorised). Taken before: the same."""

    def void(self, reference: str) -> None:
        """Give an authorisation free. One that is gone already is no error; one that was captured is `Refused`."""

    def refund(self, reference: str, refund_id: str, amount_minor: int, currency: str, reason: str) -> bool:
        """Give money back, once for each `refund_id`: True when it is done, False while it is pending."""

    def seen(self, object_id: str) -> Seen | None:
        """What the thing that a notification names is about, as it is now; None where that is no order of ours."""

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount booked since then (Unix ms); `external_id` is the order's `channel:id` where that is told."""

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout that was paid since then (Unix ms), whole."""
