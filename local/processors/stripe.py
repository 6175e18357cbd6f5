"""A stand-in for Stripe's API: payments that a shop has had authorised, captured or given free, refunds, payouts.

Sources: docs.stripe.com/api (errors, idempotent_requests, pagination), /payments/place-a-hold-on-a-payment-method,
/payments/multicapture, /webhooks. The first answer under an idempotency key is given again for a day.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from local.marketplaces.faults import FaultDie
from local.marketplaces.wire import GATEWAY_PAGE, RefusalError, Request, Response, json_response, to_json
from local.marketplaces.world import Delivery
from local.processors.stripe_bodies import (
    booking_body,
    charge_body,
    dispute_body,
    endpoint_body,
    intent_body,
    payout_body,
    refund_body,
)
from local.processors.stripe_books import BOOKS, KEYS_LAST_S, Books, Endpoint, Intent, Refund, Remembered

_Thing = TypeVar("_Thing")
_CAPTURE_WITHIN_S = 7 * 86_400  # a card online


class Stripe:
    """One account. `secret` signs its webhooks; `refunds_end`: what becomes of refunds, at once or, where they are
    `pending` first, at the next tick; `refuses`: paths that the key may not call; `held_s`: how long cards hold the
    money from now on, and `tells_until` whether they say so."""

    name = "stripe"

    def __init__(
        self,
        die: FaultDie | None = None,
        *,
        api_key: str = "rk_test_of_the_stand_in",
        secret: str = "whsec_of_the_stand_in",  # noqa: S107
        webhook_url: str = "https://oms.example/webhooks/stripe",
        payout_every_s: int = 86_400,
        start: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC),
    ) -> None:
        self.die = die or FaultDie()
        self.api_key, self.secret, self.webhook_url = api_key, secret, webhook_url
        self.payout_every_s = payout_every_s
        self.refunds_are_pending = False
        self.refuses: tuple[str, ...] = ()
        self.refunds_end = "succeeded"
        self.held_s, self.tells_until = _CAPTURE_WITHIN_S, True
        self.now = start
        self.books = Books(paid_out_at=self._now_s)

    # --- what is not Stripe's API: the shop, the buyer, the bank, and time --------------------------------------

    def authorise(
        self, amount_minor: int, currency: str, order_id: str, *, takes_many: bool = False, **metadata: str
    ) -> str:
        """A buyer's card holds the money; the PaymentIntent's id. `amount_minor`: as Stripe counts `currency`."""
        books = self.books
        known = {"order_id": order_id, **metadata} if order_id else metadata
        ids, before = (books.new_id("pi"), books.new_id("ch")), self._now_s + self.held_s
        intent = Intent(*ids, amount_minor, currency.lower(), known, self._now_s, before, takes_many, self.tells_until)
        books.intents[intent.intent_id] = intent
        self._tell("payment_intent.amount_capturable_updated", intent_body(books, intent))
        return intent.intent_id

    def dispute(self, intent_id: str, amount_minor: int) -> str:
        """The buyer challenges the payment at the bank; the dispute's id."""
        dispute = self.books.dispute(self.books.intents[intent_id], amount_minor, self._now_s)
        self._tell("charge.dispute.created", dispute_body(self.books, dispute))
        return dispute.dispute_id

    def decide(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides."""
        dispute = self.books.disputes[dispute_id]
        self.books.decide(dispute, self._now_s, won=won)
        self._tell("charge.dispute.closed", dispute_body(self.books, dispute))

    def tick(self, now: datetime) -> list[Delivery]:
        """Lets authorisations lapse, ends what is pending and pays out until then; the webhooks that are due."""
        self.now = max(self.now, now)
        now_s, books = self._now_s, self.books
        for intent in books.intents.values():
            if intent.status == "requires_capture" and intent.capture_before <= now_s:
                self._cancelled(intent)
        for refund in books.refunds.values():
            if refund.status == "pending":
                self._end_refund(refund)
        books.keys = {name: known for name, known in books.keys.items() if known.at > now_s - KEYS_LAST_S}
        if now_s - books.paid_out_at >= self.payout_every_s:
            books.paid_out_at = now_s
            for payout in books.pay_out(now_s):
                self._tell("payout.paid", payout_body(payout))
        due = sorted((each for each in books.outbox if each.due_at <= self.now), key=lambda each: each.due_at)
        books.outbox = [each for each in books.outbox if each.due_at > self.now]
        return [self._signed(each) for each in due]

    def save(self, path: Path) -> None:
        """Writes the state as JSON."""
        path.write_bytes(BOOKS.dump_json(self.books))

    def load(self, path: Path) -> None:
        """Goes on from a saved state."""
        self.books = BOOKS.validate_json(path.read_bytes())

    # --- the API ------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """An API call; what goes wrong is what the die says."""
        faults = self.die.faults
        if self.die.hits(faults.throttled):
            return _error(429, "invalid_request_error", "rate_limit")
        if self.die.hits(faults.unavailable):
            return GATEWAY_PAGE
        try:
            response = self._answer(request)
        except RefusalError as refusal:
            response = refusal.response
        return GATEWAY_PAGE if self.die.hits(faults.answer_lost) else response

    def _answer(self, request: Request) -> Response:
        if request.header("authorization") != f"Bearer {self.api_key}":
            raise _refusal(401, "invalid_request_error", "")
        if request.path.startswith(self.refuses):
            raise _refusal(403, "invalid_request_error", "more_permissions_required")
        if request.method == "GET":
            return json_response(200, self._read(request))
        key = request.header("idempotency-key")
        asked = f"{request.path} {request.body.decode()}"
        known = self.books.keys.get(key) if key else None
        if known and known.asked != asked:
            raise _refusal(400, "idempotency_error", "")
        if known:
            return Response(
                known.status, {"Content-Type": "application/json", "Idempotent-Replayed": "true"}, known.body
            )
        try:
            answer = json_response(200, self._change(request))
        except RefusalError as refusal:
            answer = refusal.response
        if key:
            self.books.keys[key] = Remembered(asked, self._now_s, answer.status, answer.body)
        return answer

    def _read(self, request: Request) -> Any:
        query, books = request.query, self.books
        expand = _expand(query)
        match request.path.strip("/").split("/"):
            case ["v1", "payment_intents", intent_id]:
                return intent_body(books, self._intent(intent_id), expand)
            case ["v1", "charges", charge_id]:
                return charge_body(books, self._known(charge_id, {i.charge_id: i for i in books.intents.values()}))
            case ["v1", "refunds", refund_id]:
                return refund_body(books, self._known(refund_id, books.refunds))
            case ["v1", "disputes", dispute_id]:
                return dispute_body(books, self._known(dispute_id, books.disputes))
            case ["v1", "refunds"]:
                about = query.get("payment_intent", "")
                found = [each for each in books.refunds.values() if about in ("", each.intent_id)]
                return _page(request, found, "refund_id", lambda each: refund_body(books, each, expand))
            case ["v1", "webhook_endpoints"]:
                return _page(request, books.endpoints.values(), "endpoint_id", endpoint_body)
            case ["v1", "balance_transactions"]:
                payout, since = query.get("payout", ""), int(query.get("created[gte]", "0"))
                rows = [b for b in books.bookings.values() if payout in ("", b.payout_id) and b.created >= since]
                return _page(request, rows, "booking_id", lambda each: booking_body(books, each, expand, self._now_s))
            case ["v1", "payouts"]:
                since = int(query.get("arrival_date[gte]", "0"))
                paid = [each for each in books.payouts.values() if each.created >= since]
                return _page(request, paid, "payout_id", payout_body)
        raise _refusal(404, "invalid_request_error", "")

    def _change(self, request: Request) -> Any:
        form = request.form()
        match request.path.strip("/").split("/"):
            case ["v1", "payment_intents", intent_id, "capture"]:
                return self._capture(self._intent(intent_id), form)
            case ["v1", "payment_intents", intent_id, "cancel"]:
                intent = self._intent(intent_id)
                if intent.status != "requires_capture":
                    raise _refusal(400, "invalid_request_error", "payment_intent_unexpected_state")
                self._cancelled(intent)
                return intent_body(self.books, intent)
            case ["v1", "webhook_endpoints"]:
                return self._make_endpoint(form)
            case ["v1", "webhook_endpoints", endpoint_id]:
                endpoint = self._known(endpoint_id, self.books.endpoints)
                endpoint.events = _events(form) or endpoint.events
                endpoint.status = "disabled" if form.get("disabled") == "true" else "enabled"
                return endpoint_body(endpoint)
            case ["v1", "refunds"]:
                return self._refund(self._intent(form.get("payment_intent", "")), form)
        raise _refusal(404, "invalid_request_error", "")

    def _make_endpoint(self, form: Mapping[str, str]) -> Any:
        """Two may have one address: then each event is told twice. All are signed with the account's `secret` here."""
        if not form.get("url", "").startswith("https://") or not _events(form):
            raise _refusal(400, "invalid_request_error", "url_invalid")
        made = Endpoint(self.books.new_id("we"), form["url"], _events(form), self._now_s)
        self.books.endpoints[made.endpoint_id] = made
        return endpoint_body(made) | {"secret": self.secret}

    def _capture(self, intent: Intent, form: Mapping[str, str]) -> Any:
        if intent.status != "requires_capture":
            raise _refusal(400, "invalid_request_error", "payment_intent_unexpected_state")
        if "final_capture" in form and not intent.takes_many:
            raise _refusal(400, "invalid_request_error", "parameter_unknown")
        amount = int(form.get("amount_to_capture", intent.capturable))
        if not 0 < amount <= intent.capturable:
            raise _refusal(400, "invalid_request_error", "amount_too_large")
        final = not intent.takes_many or form.get("final_capture", "true") == "true"
        self.books.capture(intent, amount, final=final, now=self._now_s)
        intent.metadata |= _metadata(form)
        self._tell("payment_intent.succeeded", intent_body(self.books, intent))
        return intent_body(self.books, intent)

    def _cancelled(self, intent: Intent) -> None:
        self.books.cancel(intent, self._now_s)
        self._tell(f"payment_intent.{intent.status}", intent_body(self.books, intent))

    def _refund(self, intent: Intent, form: Mapping[str, str]) -> Any:
        left = intent.received - self.books.refunded(intent)
        amount = int(form.get("amount", left))
        if not 0 < amount <= left:
            raise _refusal(400, "invalid_request_error", "charge_already_refunded" if not left else "amount_too_large")
        refund_id, known = self.books.new_id("re"), _metadata(form)
        refund = Refund(refund_id, intent.intent_id, amount, known, self._now_s, "pending", form.get("reason"))
        self.books.refund(refund, self._now_s)
        if not self.refunds_are_pending:
            self._end_refund(refund)
        self._tell("charge.refunded", charge_body(self.books, intent))
        return refund_body(self.books, refund)

    def _end_refund(self, refund: Refund) -> None:
        if self.refunds_end == "failed":
            self.books.fail_refund(refund, self._now_s)
        else:
            refund.status = "succeeded"
        self._tell("refund.updated", refund_body(self.books, refund))

    def _intent(self, intent_id: str) -> Intent:
        return self._known(intent_id, self.books.intents)

    def _known(self, name: str, things: Mapping[str, _Thing]) -> _Thing:
        if name not in things:
            raise _refusal(404, "invalid_request_error", "resource_missing")
        return things[name]

    # --- webhooks -----------------------------------------------------------------------------------------------

    def _tell(self, name: str, about: Mapping[str, Any]) -> None:
        """Puts an event into the outbox once, twice, late or not at all."""
        faults = self.die.faults
        if self.die.hits(faults.lost):
            return
        event = {"id": self.books.new_id("evt"), "object": "event", "api_version": None, "created": self._now_s}
        body = to_json({**event, "data": {"object": about}, "livemode": False, "type": name})
        late_s = self.die.rng.uniform(*faults.late_by_s) if self.die.hits(faults.late) else 0.0
        delivery = Delivery(self.name, self.now + timedelta(seconds=late_s), body, url=self.webhook_url)
        self.books.outbox += [delivery] * (2 if self.die.hits(faults.duplicated) else 1)

    def _signed(self, delivery: Delivery) -> Delivery:
        """Each attempt is signed when it is sent."""
        signed = hmac.digest(self.secret.encode(), b"%d." % self._now_s + delivery.body, "sha256").hex()
        delivery.headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={self._now_s},v1={signed}"}
        return delivery

    @property
    def _now_s(self) -> int:
        return int(self.now.timestamp())


def _page(request: Request, rows: Iterable[Any], name: str, body: Callable[[Any], Any]) -> dict[str, Any]:
    """One page of a list, newest first."""
    newest = list(rows)[::-1]
    after, size = request.query.get("starting_after"), int(request.query.get("limit", "10"))
    if after:
        newest = newest[[getattr(each, name) for each in newest].index(after) + 1 :]
    page = [body(each) for each in newest[:size]]
    return {"object": "list", "data": page, "has_more": len(newest) > size, "url": request.path}


def _expand(query: Mapping[str, str]) -> set[str]:
    return {value.removeprefix("data.") for name, value in query.items() if name.startswith("expand[")}


def _events(form: Mapping[str, str]) -> list[str]:
    return [value for name, value in form.items() if name.startswith("enabled_events[")]


def _metadata(form: Mapping[str, str]) -> dict[str, str]:
    return {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}


def _refusal(status: int, kind: str, code: str) -> RefusalError:
    return RefusalError(_error(status, kind, code))


def _error(status: int, kind: str, code: str) -> Response:
    error = {"type": kind, "message": "said by the stand-in", **({"code": code} if code else {})}
    return json_response(status, {"error": error}, {"Request-Id": "req_of_the_stand_in"})
