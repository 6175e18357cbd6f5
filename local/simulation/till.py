"""The payment processor of the simulation: it holds what buyers have authorised, takes it, gives it free, pays it back.

It does each wish once under its name, refuses what is no longer there, and often takes money without an answer.
`TillClient` speaks to it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from chalicelib.channels.facts import Payout
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.transport import HttpRequest, HttpResponse, Transport
from chalicelib.domain.channel_order import Payment
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.settlement import LedgerFact

ACCOUNT, HOST = "stripe", "till.example"
_UNANSWERED = 2  # of so many captures one


@dataclass
class Authorised:
    """One payment, in minor units. `declines`: the bank gives nothing for now."""

    amount_minor: int
    ends_ms: int
    declines: bool = False
    voided: bool = False
    taken_minor: int = 0


class Till:
    """`payments` by reference; `effects`: how often money was moved under each name; `watch` is told of every move."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.payments: dict[str, Authorised] = {}
        self.effects: Counter[tuple[str, str]] = Counter()
        self.refunds: dict[tuple[str, str], int] = {}
        self.watch: Callable[[str, str], None] = lambda what, reference: None
        self._taken: dict[tuple[str, str], int] = {}
        self._clock = clock

    def is_open(self, reference: str) -> bool:
        """Whether the money is still reserved, and nothing of it taken."""
        each = self.payments[reference]
        return not each.voided and not each.taken_minor and self._clock() < each.ends_ms

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _, reference, what, *name = (unquote(part) for part in urlsplit(request.url).path.split("/")[1:])
        minor = json.loads(request.body or b"{}").get("minor", 0)
        try:
            answer = getattr(self, f"_{what}")(reference, "".join(name), minor)
        except Refused as refused:
            return HttpResponse(409, {}, str(refused).encode())
        except Busy:
            return HttpResponse(503, {}, b"<html>Service Unavailable</html>")
        return HttpResponse(200, {}, json.dumps({"minor": answer}).encode())

    def _captures(self, reference: str, name: str, minor: int) -> int:
        each = self.payments[reference]
        if (reference, name) in self._taken:
            return self._taken[reference, name]
        if each.declines or not self.is_open(reference):
            raise Refused("cannot_capture", "declined, gone or taken")
        self._taken[reference, name] = each.taken_minor = min(minor, each.amount_minor)
        self.effects[reference, name] += 1
        self.watch("capture", reference)
        if len(self._taken) % _UNANSWERED == 0:
            raise Busy("taken, and no answer")
        return each.taken_minor

    def _ends(self, reference: str, _name: str, _minor: int) -> int:
        return self.payments[reference].ends_ms

    def _void(self, reference: str, _name: str, _minor: int) -> int:
        each = self.payments[reference]
        if each.taken_minor:
            raise Refused("captured", "the money was taken")
        if not each.voided:
            each.voided = True
            self.watch("void", reference)
        return 0

    def _refunds(self, reference: str, name: str, minor: int) -> int:
        if (reference, name) not in self.refunds:
            back = sum(amount for (payment, _), amount in self.refunds.items() if payment == reference)
            if back + minor > self.payments[reference].taken_minor:
                raise Refused("nothing_left", "")
            self.refunds[reference, name] = minor
        return minor


class TillClient:
    """Speaks for an account at the till."""

    def __init__(self, transport: Transport, _account: Mapping[str, Any], _secret: Any, _now_ms: int) -> None:
        self._transport = transport

    def payment(self, reference: str) -> Payment:
        """Until when it stands; the rest nobody asks for."""
        return Payment(expires_ms=self._call(reference, "ends"))

    def capture(self, reference: str, wish: CaptureRequest) -> int:
        """Take money."""
        return self._call(reference, "captures", wish.capture_id, wish.amount_minor)

    def void(self, reference: str) -> None:
        """Give it free."""
        self._call(reference, "void")

    def refund(self, reference: str, refund_id: str, amount_minor: int, currency: str, reason: str) -> bool:  # noqa: ARG002
        """Give it back."""
        self._call(reference, "refunds", refund_id, amount_minor)
        return True

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:  # noqa: ARG002
        """None."""
        return iter(())

    def payouts(self, since_ms: int) -> Iterator[Payout]:  # noqa: ARG002
        """None."""
        return iter(())

    def _call(self, reference: str, what: str, name: str = "", minor: int = 0) -> int:
        path = "/".join(quote(part, safe="") for part in ("payments", reference, what, name) if part)
        response = self._transport(
            HttpRequest("PUT", f"https://{HOST}/{path}", {}, json.dumps({"minor": minor}).encode())
        )
        if response.status == 409:
            raise Refused("cannot", response.body.decode())
        if response.status != 200:
            raise Busy("the till is out", after_s=1)
        return int(json.loads(response.body)["minor"])
