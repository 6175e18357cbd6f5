"""Stripe's signature vectors, what the sample events point at, its minor units, and single effects of the client."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.signatures import verify_stripe
from chalicelib.channels.stripe.amounts import from_stripe, to_stripe
from chalicelib.channels.stripe.client import StripeClient
from chalicelib.channels.stripe.events import read_event
from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.domain.errors import Busy, Forged, Refused
from tests.shared_data import shared

NOW_S = 1_700_000_000
KINDS = {
    "balance.available": "",
    "charge.captured": "",
    "charge.succeeded": "",
    "charge.dispute.created": "dispute",
    "charge.refund.updated.2022-08-01": "refund",
    "charge.refunded": "refund",
    "payment_intent.amount_capturable_updated": "payment",
    "payment_intent.payment_failed": "payment",
    "payment_intent.succeeded": "payment",
    "payout.paid": "payout",
}


def vectors() -> list[dict[str, Any]]:
    return json.loads((shared("samples") / "stripe/signature-vectors.json").read_text())["vectors"]


def accepted(raw: bytes, header: str, secret: str, now_s: int = NOW_S) -> bool:
    try:
        verify_stripe(raw, header, [secret], now_s)
    except Forged:
        return False
    return True


def test_each_vector_is_taken_or_refused_as_it_says() -> None:
    for vector in vectors():
        got = accepted(vector["body"].encode(), vector["Stripe-Signature"], vector["secret"])
        assert got is vector["valid"], vector


def test_altered_in_any_byte_it_is_refused() -> None:
    vector = vectors()[0]
    parts = [vector["body"].encode(), vector["Stripe-Signature"].encode(), vector["secret"].encode()]
    for part, content in enumerate(parts):
        for place in range(len(content)):
            altered = list(parts)
            altered[part] = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            assert not accepted(altered[0], altered[1].decode("latin-1"), altered[2].decode("latin-1")), (part, place)


def test_too_old_too_new_and_without_a_secret_it_is_refused() -> None:
    vector = vectors()[0]
    raw, header = vector["body"].encode(), vector["Stripe-Signature"]
    for away_s, taken in ((300, True), (-300, True), (301, False), (-301, False)):
        assert accepted(raw, header, vector["secret"], NOW_S + away_s) is taken
    assert not accepted(raw, header, "")
    verify_stripe(raw, header, ["the new one", vector["secret"]], NOW_S)


def test_each_sample_event_points_at_what_it_is_about() -> None:
    folder = shared("samples") / "stripe/events"
    assert {path.stem for path in folder.iterdir()} == KINDS.keys()
    for name, kind in KINDS.items():
        event = read_event((folder / f"{name}.json").read_bytes())
        assert (event.kind if event else "") == kind, name


def test_currencies_are_counted_as_stripe_counts_them() -> None:
    for ours, currency, theirs in ((5, "ISK", 500), (5, "UGX", 500), (500, "MGA", 5), (500, "JPY", 500), (1, "EUR", 1)):
        assert (to_stripe(ours, currency), from_stripe(theirs, currency)) == (theirs, ours)
    for amount, currency in ((1234, "KWD"), (501, "MGA")):
        with pytest.raises(Refused, match="amount_not_possible"):
            to_stripe(amount, currency)


class Forgetful:
    """One authorised payment; every answer to a POST is lost after it was carried out."""

    def __init__(self) -> None:
        self.intent: dict[str, Any] = {"id": "pi_1", "currency": "eur", "status": "requires_capture", "amount": 900}
        self.intent |= {"amount_capturable": 900, "amount_received": 0, "metadata": {}}
        self.refunds: list[dict[str, Any]] = []
        self.posts: list[str] = []

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            found: Any = {"data": self.refunds, "has_more": False} if "/refunds" in request.url else self.intent
            return HttpResponse(200, {}, json.dumps(found).encode())
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        metadata = {name[9:-1]: value for name, value in fields.items() if name.startswith("metadata[")}
        self.posts.append(request.headers["idempotency-key"])
        if request.url.endswith("/capture"):
            taken = int(fields["amount_to_capture"])
            self.intent |= {"status": "succeeded", "amount_received": taken, "metadata": metadata}
        elif request.url.endswith("/cancel"):
            self.intent |= {"status": "canceled"}
        else:
            self.refunds.append({"id": "re_1", "status": "succeeded", "metadata": metadata})
        raise Busy("no answer")


@pytest.mark.parametrize("what", ["capture", "void", "refund"])
def test_a_lost_answer_ends_in_one_effect(what: str) -> None:
    stripe = Forgetful()
    client = StripeClient(stripe, {}, {"api_key": "rk_test"}, 0)
    calls: dict[str, Any] = {
        "capture": lambda: client.capture("pi_1", CaptureRequest("cap-1", 700, "EUR")),
        "void": lambda: client.void("pi_1"),
        "refund": lambda: client.refund("pi_1", "ref-1", 300, "EUR", "damaged"),
    }
    with pytest.raises(Busy):
        calls[what]()
    assert calls[what]() == {"capture": 700, "void": None, "refund": True}[what]
    assert stripe.posts == [{"capture": "capture/pi_1/cap-1", "void": "void/pi_1", "refund": "refund/pi_1/ref-1"}[what]]


@pytest.mark.parametrize("what", ["capture", "refund"])
def test_the_same_wish_of_two_payments_has_two_keys(what: str) -> None:
    """A wish is named within its order; a key that two payments shared would have Stripe do one of them only."""
    keys = []
    for reference in ("pi_1", "pi_2"):
        stripe = Forgetful()
        stripe.intent["id"] = reference
        client = StripeClient(stripe, {}, {"api_key": "rk_test"}, 0)
        wish: tuple[Any, ...] = (CaptureRequest("capture-1", 700, "EUR"),)
        with pytest.raises(Busy):
            getattr(client, what)(reference, *(wish if what == "capture" else ("refund-1", 300, "EUR", "")))
        keys += stripe.posts
    assert keys == [f"{what}/pi_1/{what}-1", f"{what}/pi_2/{what}-1"]
