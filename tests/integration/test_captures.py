"""Authorised money of an own shop through the real handlers, with a payment processor that is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.port import CaptureRequest
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.domain.lifecycle import stage
from chalicelib.domain.orders import Order
from chalicelib.inbound.views import order_detail
from chalicelib.runtime import clients
from chalicelib.store.accounts import read_pause
from chalicelib.store.orders import read_order
from local.memory.world import World
from tests.integration.test_lifecycle import books, document, send, world

__all__ = ["world"]
PAYMENT = {
    "status": "authorised",
    "processor": "stripe",
    "reference": "pi_1",
    "authorised_until": "2033-01-01T00:00:00Z",
}
LATER = "2026-01-05T11:00:00Z"


class Till:
    """A processor that does each wish once; `troubles` are raised first, after the wish is done."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, str], int] = {}
        self.voided: list[str] = []
        self.refunds: dict[tuple[str, str], int] = {}
        self.troubles: list[Exception] = []
        self.calls = 0

    def capture(self, reference: str, wish: CaptureRequest) -> int:
        assert wish.final
        self._trouble(Refused)
        self.taken.setdefault((reference, wish.capture_id), wish.amount_minor)
        self._trouble(Exception)
        return self.taken[reference, wish.capture_id]

    def void(self, reference: str) -> None:
        self._trouble(Exception)
        self.voided.append(reference)

    def refund(self, reference: str, refund_id: str, amount_minor: int, currency: str, reason: str) -> bool:  # noqa: ARG002
        self._trouble(Exception)
        self.refunds[reference, refund_id] = amount_minor
        return True

    def _trouble(self, kind: type[Exception]) -> None:
        self.calls += 1
        if self.troubles and isinstance(self.troubles[0], kind):
            raise self.troubles.pop(0)


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch, world: World) -> Till:
    till = Till()
    monkeypatch.setattr(clients, "processor_class", lambda kind: lambda *_: till)
    world.secrets.kept["stripe/api"] = {"key": "sk"}
    world.runtime = _speaking(world)
    return till


def _speaking(world: World) -> Any:
    from dataclasses import replace

    return replace(world.runtime, transport=lambda: None)


def held(world: World) -> Order:
    order = read_order(world.tables, "storefront:1001", content=True)
    assert order
    return order


def ship(world: World, units: int = 2) -> None:
    fact = {"shipment_id": "p1", "location": "main", "shipped_ms": 1, "lines": [{"line_id": "1", "units": units}]}
    world.queues.send("shipping", [{"order": "storefront:1001", "do": "ship", "fact": fact}])
    world.run()


def test_money_is_taken_when_goods_have_left_and_not_before(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    assert (stage(held(world)), till.calls) == ("shipping", 0)
    ship(world)
    assert till.taken == {("pi_1", "capture-1"): 1000}
    view = order_detail(held(world))
    assert (view["money"]["captured"], view["captures"]["capture-1"]["status"]) == ("10.00", "confirmed")
    moves = [line.move for line in held(world).state.timeline]
    assert moves[-3:] == ["ship", "capture", "capture_confirmed"]
    send(world, document(at=LATER, payment={"status": "paid"}))
    assert held(world).state.payment.captured_minor == 1000
    books(world)


def test_a_lost_answer_is_asked_for_again_under_the_same_name(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    till.troubles = [Busy("no answer", after_s=5)]
    ship(world)
    assert stage(held(world)) == "settlement"
    assert held(world).state.payment.captured_minor == 0
    world.now_ms += 10_000
    world.run()
    assert till.taken == {("pi_1", "capture-1"): 1000}
    assert held(world).state.payment.captured_minor == 1000


def test_an_order_called_off_before_it_ships_gives_the_money_free(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    send(world, document(at=LATER, payment=PAYMENT, cancelled=True))
    assert (till.voided, till.taken, stage(held(world))) == (["pi_1"], {}, "cancelled")
    assert held(world).state.void == "done"
    books(world)


def test_a_refused_capture_holds_the_order_and_a_resolved_one_is_tried_again(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    till.troubles = [Refused("card_declined", "insufficient funds")]
    ship(world)
    assert [hold.reason for hold in held(world).state.holds] == ["capture_refused"]
    resolve = {"order": "storefront:1001", "do": "resolve", "fact": {"reason": "capture_refused"}}
    world.queues.send("entry", [resolve])
    world.run()
    assert till.taken == {("pi_1", "capture-2"): 1000}
    assert held(world).state.holds == ()


def test_a_refund_goes_to_whoever_took_the_money(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    ship(world)
    wish = {"refund_id": "f1", "amount_minor": 300, "reason": "claim"}
    world.queues.send("funding", [{"order": "storefront:1001", "do": "refund", "fact": wish}])
    world.run()
    assert till.refunds == {("pi_1", "f1"): 300}
    assert held(world).state.refunds["f1"].status == "confirmed"


def test_a_processor_that_takes_our_key_no_more_is_paused_and_asked_nothing(world: World, till: Till) -> None:
    send(world, document(payment=PAYMENT))
    till.troubles = [Unauthorised("key revoked")]
    ship(world)
    assert read_pause(world.tables, "stripe")
    assert (held(world).state.captures["capture-1"].status, held(world).state.holds) == ("created", ())
    calls = till.calls
    world.queues.send("sync-shop", [{"order": "storefront:1001"}])
    world.run()
    assert till.calls == calls


def test_an_unknown_processor_is_for_a_person_to_see(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send(world, document(payment={**PAYMENT, "processor": "coins"}))
    ship(world)
    (hold,) = held(world).state.holds
    assert (hold.reason, "unknown_processor" in hold.detail) == ("capture_refused", True)
