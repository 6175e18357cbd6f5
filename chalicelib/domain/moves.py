"""The moves of an order as data: who makes each, when it may, what it does to units and money, what limits the wait.

Decisions say which move they make; `moved` writes it down and refuses one that does anything else than is stated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chalicelib.domain.authorisation import (
    RECKONED,
    authorisation_ends_ms,
    unsent_captures,
    unsent_void,
    wants_capture,
    wants_void,
)
from chalicelib.domain.lifecycle import (
    CLOSED,
    asked_back,
    deadline_ms,
    is_funded,
    locked_locations,
    securable_minor,
    stage,
    unsent_refunds,
)
from chalicelib.domain.orders import Happening, Order, State, collectible_minor, refunded_minor, total_units

Guard = Callable[[State], bool]


@dataclass(frozen=True)
class Move:
    """One kind of move.

    by      the stage or worker that makes it
    guard   when, in words; `may` is the same for a machine, on the state before
    flows   how units may flow, "from>to" by the names of the unit ledger; nothing before ">" means from outside
    money   the amounts that it may change
    until   what limits the wait that it leads to, beside the allowance of the stage
    """

    by: str
    guard: str
    may: Guard
    flows: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    until: str = ""


def _always(_state: State) -> bool:
    return True


def _some(bucket: str) -> Guard:
    return lambda state: total_units(state.quantities)[bucket] > 0


def _promised_unfunded(state: State) -> bool:
    return not is_funded(state) and _some("allocated")(state)


def _asked_back(state: State) -> bool:
    return any(asked_back(state, place) for place in locked_locations(state))


def _holds(state: State) -> bool:
    return bool(state.holds)


def _never_reserved(state: State) -> bool:
    return not is_funded(state) and not state.reserved_until_ms


def _refundable(state: State) -> bool:
    return collectible_minor(state) > refunded_minor(state)


def _may_have_refunded(state: State) -> bool:
    """The channel's word about a payment may come after that about a refund of it."""
    return max(collectible_minor(state), state.total_minor) > refunded_minor(state)


def _securable(state: State) -> bool:
    return state.secured_minor != securable_minor(state)


def _refund_pending(state: State) -> bool:
    return bool(unsent_refunds(state))


def _capture_pending(state: State) -> bool:
    return bool(unsent_captures(state))


def _void_pending(state: State) -> bool:
    return bool(unsent_void(state))


def _returning(state: State) -> bool:
    return bool(state.returns)


_OPENED = (">open", "open>cancelled")
_BACK = ("allocated>cancelled", "backordered>cancelled")
_PROMISED = ("open>allocated", "backordered>allocated", "open>backordered")
_SERVICES = ("open>shipped", "backordered>shipped", "allocated>shipped")
_ASKED = "called-off units at an accepted location"

_ENTRY = {
    "enter": Move(
        "entry", "the channel names an order that we do not have", _always, (*_OPENED, ">shipped"), ("total", "payment")
    ),
    "edit": Move(
        "entry", "a newer word of the channel", _always, (*_OPENED, "cancelled>open"), ("total", "payment", "void")
    ),
    "recheck": Move("entry", "on hold, and the catalogue has changed", _holds),
    "hold": Move("any", "not held for that reason", _always),
    "resolve": Move("entry", "held for that reason", _holds),
    "reject": Move("entry", "held for that reason; all that has not left is called off", _holds, ("open>cancelled",)),
    "cancel": Move("entry", "units that have not left", _always, ("open>cancelled",), until="the location's word"),
    "uncancel": Move("entry", "the channel has not been told yet", _always, ("cancelled>open",)),
    "exchange": Move("entry", "a return that no order replaces yet", _always, (">open",), until="the goods"),
    "archive": Move("sweep", "closed, and nobody can come back on it", lambda state: not state.archived),
    "overdue": Move("sweep", "its deadline has passed", lambda state: state.due_ms > 0, until="twice the wait so far"),
}
_FUNDING = {
    "secure": Move(
        "funding",
        "the channel's word is good for another amount",
        _securable,
        money=("secured",),
        until="the authorisation's end",
    ),
    "lapse": Move(
        "funding",
        "the authorisation has run out",
        lambda state: authorisation_ends_ms(state) > 0,
        money=("payment", "secured"),
        until="the reservation's end",
    ),
    "read_expiry": Move(
        "funding",
        "until when the authorisation stands was reckoned, and who has the money was asked",
        lambda state: state.payment.expiry == RECKONED,
        money=("payment",),
        until="the authorisation's end",
    ),
    "refund": Move(
        "funding",
        "no more than is collected and not refunded",
        _refundable,
        money=("refunds",),
        until="the channel's answer",
    ),
    "refund_confirmed": Move("sync", "the channel has paid the buyer", _refund_pending, money=("refunds", "payment")),
    "refund_failed": Move("sync", "the channel will not", _refund_pending, money=("refunds",)),
    "refunds_seen": Move(
        "funding",
        "the channel has given back more than we know of, and no more than was collected or is to be paid",
        _may_have_refunded,
        money=("payment",),
    ),
    "capture": Move(
        "funding",
        "goods have left, and the money is only authorised",
        wants_capture,
        money=("captures",),
        until="the authorisation's end",
    ),
    "capture_confirmed": Move(
        "sync", "the money has been taken", _capture_pending, money=("captures", "payment", "secured")
    ),
    "capture_failed": Move("sync", "whoever has the money gives none", _capture_pending, money=("captures",)),
    "void": Move(
        "funding",
        "nothing (more) is to be paid, and money is still authorised",
        lambda state: wants_void(state) or wants_capture(state),
        money=("void",),
        until="the authorisation's end",
    ),
    "void_confirmed": Move(
        "sync", "the authorisation has been given free", _void_pending, money=("void", "payment", "secured")
    ),
    "void_failed": Move("sync", "it will not be given free", _void_pending, money=("void",)),
    "dispute": Move(
        "funding",
        "the buyer challenges a payment, or the case is decided",
        _always,
        money=("disputes",),
        until="the answer's due date",
    ),
}
_ALLOCATION = {
    "reserve": Move(
        "allocation",
        "not funded, not tried before",
        _never_reserved,
        ("open>allocated", *_BACK),
        until="the reservation's end",
    ),
    "expire": Move(
        "allocation", "not funded when the reservation ends", _promised_unfunded, ("allocated>open", *_BACK)
    ),
    "allocate": Move(
        "allocation",
        "funded, no hold",
        is_funded,
        (*_PROMISED, *_SERVICES, *_BACK),
        until="the ship-by date, the release of a pre-order",
    ),
    "release": Move("allocation", "units are called off", _always, _BACK),
    "substitute": Move(
        "allocation",
        "nothing of the line is promised or has left",
        _always,
        ("backordered>open", "backordered>cancelled"),
    ),
}
_SHIPPING = {
    "accept": Move("shipping", "units are promised there, no hold", _some("allocated"), until="the ship-by date"),
    "label": Move("shipping", "units are promised there, no hold", _some("allocated"), until="the ship-by date"),
    "reopen": Move("shipping", "accepted, labelled or rejected", lambda state: bool(state.fulfilment)),
    "reroute": Move(
        "shipping",
        "the location cannot; another is sought",
        _some("allocated"),
        ("allocated>open", "allocated>cancelled"),
    ),
    "yield": Move("shipping", f"{_ASKED}, which agrees", _asked_back, ("allocated>cancelled",)),
    "refuse_cancel": Move("shipping", f"{_ASKED}, which does not agree", _asked_back),
    "ship": Move(
        "shipping",
        "no more than is promised at the location",
        _some("allocated"),
        ("allocated>shipped",),
        until="the payout",
    ),
    "confirm": Move("sync", "a parcel that the channel has not acknowledged", lambda state: bool(state.shipments)),
    "track": Move(
        "tracking", "a parcel of which its carrier says something further", lambda state: bool(state.shipments)
    ),
    "cancel_told": Move("sync", "units called off by us, no location asked", lambda state: bool(state.cancellations)),
    "return_told": Move("sync", "a return that came further than the channel knows", _returning),
    "request_return": Move("shipping", "units that are out", _some("shipped"), until="the goods"),
    "approve_return": Move("shipping", "requested", _returning, until="the goods"),
    "decline_return": Move("shipping", "requested or approved", _returning),
    "receive_return": Move("shipping", "units that are out", _some("shipped"), (">returned",), until="the inspection"),
    "inspect_return": Move(
        "shipping", "received, or come unannounced; good units are stock again", _some("shipped"), (">returned",)
    ),
}
_SETTLEMENT = {
    "settle": Move("settlement", "a payout line that has not been booked", _always, money=("settled", "fees")),
}
MOVES = {**_ENTRY, **_FUNDING, **_ALLOCATION, **_SHIPPING, **_SETTLEMENT}


def moved(before: Order | None, after: Order, move: str, *, now_ms: int, actor: str = "", cause: str = "") -> Order:
    """`after` as the next version: clock of the stage, deadline and one line of timeline added."""
    rule = MOVES[move]
    _check(rule, move, before.state if before else None, after)
    was = stage(before) if before else ""
    state = replace(after.state, archived=move == "archive")
    after = replace(after, state=state)
    now = stage(after)
    since = state.since_ms if was == now else now_ms
    state = replace(
        state,
        version=state.version + 1,
        since_ms=since,
        due_ms=deadline_ms(after, now, since, now_ms),
        timeline=(*state.timeline, Happening(now_ms, actor or rule.by, move, cause, was, now)),
    )
    return replace(after, state=state)


def _check(rule: Move, move: str, before: State | None, after: Order) -> None:
    """The guard held, units flowed and money changed only as the move says."""
    assert before is None or rule.may(before), f"{after.order_id}: {move} although not: {rule.guard}"
    old = total_units(before.quantities) if before else {}
    change = {name: n - old.get(name, 0) for name, n in total_units(after.state.quantities).items()}
    sources = {flow.partition(">")[0] for flow in rule.flows}
    targets = {flow.partition(">")[2] for flow in rule.flows}
    for bucket, by in change.items():
        assert by >= 0 or bucket in sources, f"{after.order_id}: {move} took {-by} units from {bucket}"
        grows = bucket in targets or (bucket == "ordered" and "" in sources)
        assert by <= 0 or grows, f"{after.order_id}: {move} added {by} units to {bucket}"
    moved_money = {name for name, was, now in money_of(before, after.state) if was != now}
    assert moved_money <= set(rule.money), f"{after.order_id}: {move} changed {moved_money - set(rule.money)}"


_MONEY = ("total", "payment", "secured", "settled", "fees", "refunds", "captures", "void", "disputes")


def money_of(before: State | None, after: State) -> Iterator[tuple[str, object, object]]:
    """Every amount by its name in `Move.money`, before and after."""
    return zip(_MONEY, _money(before), _money(after), strict=True)


def _money(state: State | None) -> tuple[object, ...]:
    state = state or State(0, ())
    return (
        state.total_minor,
        state.payment,
        state.secured_minor,
        state.settled_minor,
        state.fees_minor,
        dict(state.refunds),
        dict(state.captures),
        state.void,
        dict(state.disputes),
    )


def open_moves(order: Order) -> list[str]:
    """The moves that people may ask for now, for whoever shows the order."""
    state = order.state
    closed = stage(order) in CLOSED
    asked = {
        "hold": not closed,
        "resolve": bool(state.holds),
        "reject": bool(state.holds),
        "cancel": any(units.ordered - units.shipped - units.unwanted > 0 for units in state.quantities),
        "uncancel": any(units.called_off for units in state.quantities),
        "refund": collectible_minor(state) > refunded_minor(state),
        "substitute": any(units.open + units.backordered for units in state.quantities),
        "ship": _some("allocated")(state) and is_funded(state),
        "return": any(units.shipped > units.returned for units in state.quantities),
        "archive": closed and not state.archived,
    }
    return [name for name, may in asked.items() if may]
