"""What people and systems may ask of an order: one table of commands, each decided by one stage.

A command's `fact` is JSON as it stands in a message: line ids, whole units, minor units, Unix ms; `silent` where
no channel is to be told. The API decides it to answer at once, and the stage decides it again on the order as it is
then; both by this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from chalicelib.domain.allocation import decide_substitution
from chalicelib.domain.cancellation import decide_archive, decide_cancel, decide_exchange, decide_uncancel
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Refused
from chalicelib.domain.funding import (
    decide_dispute,
    decide_expiry,
    decide_refund,
    decide_refund_outcome,
    decide_refund_sent_back,
    decide_refunds_seen,
)
from chalicelib.domain.holds import decide_hold, decide_reject, decide_resolve
from chalicelib.domain.money import to_text
from chalicelib.domain.orders import Dispute, Order, Shipment
from chalicelib.domain.settlement import tax_beside
from chalicelib.domain.shipping import (
    Decided,
    ReturnStep,
    decide_exchanged,
    decide_fulfilment,
    decide_return,
    decide_shipment,
)
from chalicelib.domain.stock import StockMove

Fact = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a command leads to: the order, stock moves, SKUs that it waits for no more, and a new order beside it.

    `movement` is (kind, id) of the stock movement that the moves are booked under; ("", "") for promises only.
    """

    order: Order
    moves: list[StockMove] = field(default_factory=list)
    backorders: Mapping[str, int] = field(default_factory=dict)
    new: Order | None = None
    movement: tuple[str, str] = ("", "")


Decide = Callable[[Order, Fact, str, int], Outcome | None]  # order, fact, actor, now_ms


class Command(NamedTuple):
    """Which stage makes the move, and how it is decided. None: it has been done before."""

    stage: str
    decide: Decide


def _alone(after: Order | None) -> Outcome | None:
    return Outcome(after) if after else None


def _hold(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _alone(decide_hold(order, fact["reason"], fact.get("detail", ""), actor, now_ms))


def _resolve(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _alone(decide_resolve(order, fact["reason"], actor, now_ms))


def _reject(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _alone(_told(decide_reject(order, fact["reason"], actor, now_ms), fact))


def _cancel(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    items = items_of(order, fact.get("lines", ()))
    after = decide_cancel(order, fact["cancellation_id"], items, fact.get("reason", ""), actor, now_ms)
    return _alone(_told(after, fact))


def _told(after: Order | None, fact: Fact) -> Order | None:
    """Where no channel is to be told, a cancellation waits for nobody and can always be taken back."""
    if not after or not fact.get("silent"):
        return after
    cancellations = {
        name: replace(each, status="silent") if each.status == "created" else each
        for name, each in after.state.cancellations.items()
    }
    return after.having(cancellations=cancellations)


def _uncancel(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _alone(decide_uncancel(order, fact["cancellation_id"], actor, now_ms))


def _archive(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:  # noqa: ARG001 a command takes a fact
    return _alone(decide_archive(order, actor, now_ms))


def _expiry(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _alone(decide_expiry(order, fact["reference"], fact["expires_ms"], actor, now_ms))


def _refund(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    refund = decide_refund(order, fact["refund_id"], fact["amount_minor"], fact.get("reason", ""), actor, now_ms)
    return _alone(refund)


def _refund_outcome(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:  # noqa: ARG001
    return _alone(decide_refund_outcome(order, fact["refund_id"], fact.get("failure", ""), now_ms))


def _refunds_seen(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    """What the channel says it has refunded in all, less the tax in it that the order's total does not hold."""
    if order.content and fact.get("currency", order.content.currency) != order.content.currency:
        raise Refused("currency_mismatch", f"refunds in {fact['currency']} of an order in {order.content.currency}")
    total_minor = fact["total_minor"] - tax_beside(order, fact.get("tax_minor", 0))
    return _alone(decide_refunds_seen(order, total_minor, actor, now_ms))


def _refund_sent_back(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    amount = to_text(fact["amount_minor"], fact["currency"])
    return _alone(decide_refund_sent_back(order, fact["refund_id"], f"{amount} {fact['currency']}", actor, now_ms))


def _dispute(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    dispute = Dispute(fact["amount_minor"], fact["status"], fact.get("due_ms", 0))
    return _alone(decide_dispute(order, fact["dispute_id"], dispute, actor, now_ms))


def _substitute(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    plan = decide_substitution(order, fact["line_id"], sku_of(fact["sku"]), actor, now_ms)
    return Outcome(plan.order, backorders=plan.backorders) if plan else None


def _exchange(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    wanted = [(sku_of(line["sku"]), line["units"]) for line in fact["lines"]]
    in_advance = bool(fact.get("in_advance"))
    pair = decide_exchange(order, fact["return_id"], wanted, in_advance=in_advance, actor=actor, now_ms=now_ms)
    return Outcome(pair[0], new=pair[1]) if pair else None


def _fulfilment(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    return _moving(decide_fulfilment(order, fact["location"], fact["answer"], actor, now_ms))


def _ship(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:  # noqa: ARG001
    shipment = Shipment(
        shipment_id=fact["shipment_id"],
        location=fact["location"],
        carrier=fact.get("carrier", ""),
        tracking_number=fact.get("tracking_number", ""),
        shipped_ms=fact["shipped_ms"],
        items=items_of(order, fact["lines"]),
        confirmed_ms=fact["shipped_ms"] if fact.get("silent") else 0,
    )
    return _moving(decide_shipment(order, shipment, now_ms), ("shipment", shipment.shipment_id))


def _return(order: Order, fact: Fact, actor: str, now_ms: int) -> Outcome | None:
    """One step of a return. `through`: steps before it that whoever tells of it has taken for granted; those that are
    missing are taken with it, in one go, since messages come in any order."""
    through = list(fact.get("through", ()))
    if through:
        return _through(order, fact, through, actor, now_ms)
    restock = fact.get("restock")
    step = ReturnStep(
        return_id=fact["return_id"],
        step=fact.get("step") or "inspect",
        items=items_of(order, fact.get("lines", ())),
        location=fact.get("location", ""),
        restock=None if restock is None else items_of(order, restock),
        exchange=fact.get("exchange", ""),
    )
    decided = _moving(decide_return(order, step, actor, now_ms), ("return", step.return_id))
    return decided or _alone(decide_exchanged(order, step, actor, now_ms))


def _through(order: Order, fact: Fact, through: list[str], actor: str, now_ms: int) -> Outcome | None:
    """Steps that move no stock, one after the other."""
    assert {*through, fact["step"]} <= {"request", "approve", "decline"}, f"a step that moves goods: {fact['step']}"
    after = order
    for step in (*through, fact["step"]):
        outcome = _return(after, {**fact, "step": step, "through": ()}, actor, now_ms)
        after = outcome.order if outcome else after
    return Outcome(after) if after is not order else None


def _moving(decided: Decided | None, movement: tuple[str, str] = ("", "")) -> Outcome | None:
    return Outcome(decided[0], decided[1], movement=movement) if decided else None


COMMANDS = {
    "hold": Command("entry", _hold),
    "resolve": Command("entry", _resolve),
    "reject": Command("entry", _reject),
    "cancel": Command("entry", _cancel),
    "uncancel": Command("entry", _uncancel),
    "exchange": Command("entry", _exchange),
    "archive": Command("entry", _archive),
    "refund": Command("funding", _refund),
    "expiry": Command("funding", _expiry),
    "refund_outcome": Command("funding", _refund_outcome),
    "refunds_seen": Command("funding", _refunds_seen),
    "refund_sent_back": Command("funding", _refund_sent_back),
    "dispute": Command("funding", _dispute),
    "substitute": Command("allocation", _substitute),
    "fulfilment": Command("shipping", _fulfilment),
    "ship": Command("shipping", _ship),
    "return": Command("shipping", _return),
}


def items_of(order: Order, lines: Any) -> dict[int, int]:
    """Units by line index of [{line_id, units}]. Raises `Refused` for a line that the order does not have."""
    places = {line.line_id: index for index, line in enumerate(order.lines)}
    items: dict[int, int] = {}
    for line in lines:
        if line["line_id"] not in places:
            raise Refused("unknown_line", f"{order.order_id} has no line {line['line_id']!r}")
        index = places[line["line_id"]]
        items[index] = items.get(index, 0) + line["units"]
    return items


def sku_of(data: Mapping[str, Any]) -> Sku:
    """The SKU that a fact brings with it, as the catalogue had it when it was asked for."""
    parts = tuple((part, each) for part, each in data.get("components", ()))
    return Sku(data["sku"], data.get("title", ""), parts, data.get("release_ms", 0))


def parts_of(order: Order, fact: Fact, room: int) -> list[Fact]:
    """A shipment or return in parts that fit a transaction of `room` items each; a larger one is numbered by part, so
    each part is applied once. A part of a line is two items: its stock and the movement that explains it."""
    name = next((name for name in ("shipment_id", "return_id") if name in fact), "")
    lines = fact.get("lines", ())
    if name == "return_id" and not lines:
        known = [key for key in order.state.returns if key.partition("/")[0] == fact[name]]
        return [{**fact, name: key} for key in known] or [fact]
    size = room // (2 * max((len(line.parts) for line in order.lines), default=1))
    if not name or len(lines) <= size:
        return [fact]
    starts = range(0, len(lines), size)
    return [
        {**fact, name: f"{fact[name]}/{start // size + 1}", "lines": lines[start : start + size]} for start in starts
    ]
