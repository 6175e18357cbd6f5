"""Speaks to Stripe for one account: what `ProcessorClient` asks. Each concern has a module, which names its sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.channels.facts import Payout
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.processor_port import Seen
from chalicelib.channels.stripe import endpoints, payments, settlement
from chalicelib.channels.stripe import seen as looks
from chalicelib.channels.stripe.naming import naming_of
from chalicelib.channels.stripe.wire import StripeWire
from chalicelib.channels.transport import Transport
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.settlement import LedgerFact


class StripeClient:
    """One account; a reference is a PaymentIntent's id.

    account      base_url (https://api.stripe.com), order_key (order_id: metadata that holds the order's id),
                 order_channel (whose orders are meant where the metadata names no channel: an account, or
                 {address of the shop: account})
    credentials  api_key, a restricted key
    """

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, Any],
        now_ms: int,  # noqa: ARG002 every client is built alike; a key does not expire
    ) -> None:
        self._wire = StripeWire(transport, account, credentials)
        self._naming = naming_of(account)

    def payment(self, reference: str) -> Payment:
        """How the payment stands now. A dispute does not change it: its events tell of it."""
        return payments.payment_of(self._wire, payments.read_intent(self._wire, reference))

    def capture(self, reference: str, wish: CaptureRequest) -> int:
        """Take the money, once for each `capture_id`; how much was taken, in minor units."""
        return payments.capture(self._wire, reference, wish)

    def void(self, reference: str) -> None:
        """Give an authorisation free; gone already is fine, captured is `Refused`."""
        payments.void(self._wire, reference)

    def refund(self, reference: str, refund_id: str, amount_minor: int, currency: str, reason: str) -> bool:
        """Give money back, once for each `refund_id`: True when it is done, False while it is pending."""
        return payments.refund(self._wire, reference, refund_id, amount_minor, currency, reason)

    def seen(self, object_id: str) -> Seen | None:
        """What a PaymentIntent, charge, refund or dispute is about, as it is now."""
        return looks.seen(self._wire, self._naming, object_id)

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount booked since then (Unix ms)."""
        return settlement.read_transactions(self._wire, self._naming, since_ms)

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every automatic payout that was paid since then, whole; manual ones cannot be itemised and are skipped."""
        return settlement.read_payouts(self._wire, self._naming, since_ms)

    def newest(self, since_ms: int) -> None:
        """Nothing, where the key may read payouts and balance transactions since then (Unix ms)."""
        next(self.payouts(since_ms), None)
        next(self.transactions(since_ms), None)

    def endpoint(self, url: str) -> endpoints.Endpoint | None:
        """The webhook endpoint at this address."""
        return endpoints.find(self._wire, url)

    def make_endpoint(self, url: str, key: str) -> endpoints.Endpoint:
        """A new webhook endpoint, with its secret; under the same `key` once."""
        return endpoints.make(self._wire, url, key)

    def mend_endpoint(self, endpoint: endpoints.Endpoint, key: str) -> None:
        """Have it sent all events that we need."""
        endpoints.mend(self._wire, endpoint, key)
