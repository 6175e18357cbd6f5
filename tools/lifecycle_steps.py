"""What may happen to a small order: each step of a channel, a stage, a carrier or a person, and what people who do
their work would do next. Nothing is stored: stock is what a step says there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain.allocation import decide_allocation
from chalicelib.domain.authorisation import (
    price_minor,
    unsent_captures,
    unsent_void,
    wants_capture,
    wants_void,
)
from chalicelib.domain.cancellation import AWAITS_RETURN, decide_told
from chalicelib.domain.capture import decide_capture, decide_capture_outcome, decide_void_outcome
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Contact, Payment
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.entry import decide_entry, decide_readdress, decide_recheck
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.holds import decide_overdue
from chalicelib.domain.lifecycle import (
    ARCHIVE_AFTER_MS,
    RESERVE_MS,
    asked_back,
    outstanding_minor,
    securable_minor,
    unconfirmed_shipments,
    unsent_refunds,
    untold_cancellations,
    untold_returns,
)
from chalicelib.domain.orders import Order, State
from chalicelib.domain.parcels import TrackingEvent
from chalicelib.domain.settlement import PayoutLine, decide_settlement
from chalicelib.domain.shipping import decide_confirmation, decide_return_told, decide_tracking
from chalicelib.domain.sourcing import Available
from tools.lifecycle_starts import (
    EDIT_MS,
    HOUR_MS,
    PARTS,
    PLACES,
    SOURCING,
    STOCK,
    T0_MS,
    UNIT_MINOR,
    Node,
    line,
    skus_of,
)

Step = Callable[[Node], Node | None]

BORN: dict[str, Order] = {}  # an exchange comes into being beside the order that a step is about


def _says(change: Callable[[ChannelOrder], ChannelOrder]) -> Step:
    """The channel restates the order, changed."""

    def step(node: Node) -> Node | None:
        if node.said is None or len(node.order.state.timeline) > 40:
            return None
        fact = replace(change(node.said), version_ms=node.said.version_ms + EDIT_MS)
        if replace(fact, version_ms=0) == replace(node.said, version_ms=0):
            return None
        after = decide_entry(node.order, fact, skus_of(fact), node.now_ms)
        return replace(node, order=after, said=fact) if after else None

    return step


def _pays(**payment: Any) -> Step:
    return _says(lambda said: replace(said, payment=Payment(**payment)))


def _paid(said: ChannelOrder) -> ChannelOrder:
    return replace(said, payment=Payment(captured_minor=said.total_minor))


def _with_first(change: Callable[[ChannelLine], ChannelLine]) -> Step:
    return _says(lambda said: replace(said, lines=(change(said.lines[0]), *said.lines[1:])))


def _more_lines(said: ChannelOrder) -> ChannelOrder:
    if len(said.lines) > 1:
        return said
    return replace(said, lines=(*said.lines, line("z", "CUP")), total_minor=said.total_minor + UNIT_MINOR)


def _fewer_lines(said: ChannelOrder) -> ChannelOrder:
    if len(said.lines) < 2:
        return said
    return replace(said, lines=said.lines[:1], total_minor=said.total_minor - said.lines[1].price_minor)


def _asks(do: str, actor: str = "people", **fact: Any) -> Step:
    """A command, as the API, the warehouse or the channel gives it."""

    def step(node: Node) -> Node | None:
        outcome = COMMANDS[do].decide(node.order, fact, actor, node.now_ms)
        if outcome is None:
            return None
        if outcome.new:
            BORN["order"] = outcome.new
        return replace(node, order=outcome.order)

    return step


def _ships(place: str) -> Step:
    def step(node: Node) -> Node | None:
        state = node.order.state
        if not _may_ship(node.order):
            return None
        lines = [
            {"line_id": each.line_id, "units": units.allocations[place]}
            for each, units in zip(node.order.lines, state.quantities, strict=True)
            if units.allocations.get(place)
        ]
        name = f"p{len(state.shipments)}"
        if not lines:
            return None
        parcel = {"shipment_id": name, "tracking_number": _NUMBER, "location": place, "shipped_ms": node.now_ms}
        return _asks("ship", **parcel, lines=lines)(node)

    return step


def _may_ship(order: Order) -> bool:
    return not order.state.holds and order.state.secured_minor >= price_minor(order.state)


def _returns(step_name: str, restock: list[Any] | None = None, actor: str = "people") -> Step:
    """One unit of the first line goes a step back; it is named when it is first heard of."""

    def step(node: Node) -> Node | None:
        known = node.order.state.returns.get("r")
        lines = [] if known else [{"line_id": node.order.lines[0].line_id, "units": 1}]
        fact = {"return_id": "r", "step": step_name, "location": "main", "lines": lines, "restock": restock}
        return _asks("return", actor, **fact)(node)

    return step


def _allocates(there: Available) -> Step:
    def step(node: Node) -> Node | None:
        available = {sku: dict(places) for sku, places in there.items()}
        plan = decide_allocation(node.order, available, SOURCING, node.now_ms, 40)
        return replace(node, order=plan.order) if plan else None

    return step


def _is_funded_by_word(node: Node) -> Node | None:
    after = decide_funding(node.order, node.now_ms) or decide_capture(node.order, node.now_ms)
    return replace(node, order=after) if after else None


def _time_passes(node: Node) -> Node | None:
    """Until the order's deadline, when the sweep looks at it; a closed one until it may be put away."""
    now_ms = node.order.state.due_ms or node.order.state.since_ms + ARCHIVE_AFTER_MS
    after = decide_overdue(node.order, now_ms)
    return Node(after or node.order, node.said, max(now_ms, node.now_ms))


def _sync(node: Node) -> Node | None:
    """The channel acknowledges what is still to be told."""
    order = node.order
    if parcels := unconfirmed_shipments(order):
        after = decide_confirmation(order, frozenset(parcels), node.now_ms)
    elif untold := untold_cancellations(order.state):
        after = decide_told(order, untold[0], "", node.now_ms)
    elif unsent := unsent_refunds(order.state):
        return _asks("refund_outcome", refund_id=unsent[0])(node)
    elif captures := unsent_captures(order.state):
        wanted_minor = order.state.captures[captures[0]].amount_minor
        after = decide_capture_outcome(order, captures[0], wanted_minor, "", node.now_ms)
    elif unsent_void(order.state):
        after = decide_void_outcome(order, "", node.now_ms)
    elif returns := untold_returns(order.state):
        after = decide_return_told(order, returns[0], node.now_ms)
    else:
        return None
    return replace(node, order=after) if after else None


def _is_delivered(node: Node) -> Node | None:
    after = decide_tracking(node.order, TrackingEvent(_NUMBER, "delivered", node.now_ms), node.now_ms)
    return replace(node, order=after) if after else None


def _sync_fails(node: Node) -> Node | None:
    """The channel will not."""
    order = node.order
    if untold := untold_cancellations(order.state):
        after = decide_told(order, untold[0], "too late", node.now_ms)
        return replace(node, order=after) if after else None
    if captures := unsent_captures(order.state):
        after = decide_capture_outcome(order, captures[0], 0, "no", node.now_ms)
        return replace(node, order=after) if after else None
    if unsent_void(order.state):
        after = decide_void_outcome(order, "no", node.now_ms)
        return replace(node, order=after) if after else None
    unsent = unsent_refunds(order.state)
    return _asks("refund_outcome", refund_id=unsent[0], failure="no")(node) if unsent else None


def _is_paid_out(node: Node) -> Node | None:
    owed = outstanding_minor(node.order.state)
    if not owed:
        return None
    shared: tuple[Any, ...] = ("EUR", node.now_ms)
    payout = f"po{len(node.order.state.payouts)}"
    lines = [
        PayoutLine("market", payout, "1", node.order.order_id, "sale", owed, *shared),
        PayoutLine("market", payout, "2", node.order.order_id, "fee", -1, *shared),
    ]
    return replace(node, order=decide_settlement(node.order, lines, node.now_ms))


def _catalogue_knows(node: Node) -> Node | None:
    skus = {each.line_id: Sku(each.channel_sku) for each in node.order.lines if each.channel_sku}
    if not node.order.state.holds:
        return None
    after = decide_recheck(node.order, skus, node.now_ms)
    return replace(node, order=after) if after else None


def _moves_house(node: Node) -> Node | None:
    old, new = Contact(address={"line1": "1 Old Row"}), Contact(address={"line1": "2 New Row"})
    after = decide_readdress(node.order, old, new, node.now_ms)
    return replace(node, order=after) if after else None


def _goods_are_here(node: Node) -> Node | None:
    return _asks("resolve", reason=AWAITS_RETURN)(node)


_NUMBER = "1Z"
_REFUND = {"refund_id": "f", "amount_minor": 100}
_DISPUTE = {"dispute_id": "d", "amount_minor": 100}

STEPS: Mapping[str, Step] = {
    "money is looked at": _is_funded_by_word,
    **{f"allocation, {there}": _allocates(stock) for there, stock in STOCK.items()},
    "ship from main": _ships("main"),
    "ship from east": _ships("east"),
    "sync": _sync,
    "sync fails": _sync_fails,
    "the carrier delivers": _is_delivered,
    "payout": _is_paid_out,
    "time passes": _time_passes,
    "paid": _says(_paid),
    "partly paid": _pays(captured_minor=200),
    "payment failed": _pays(lapsed=True),
    "payment authorised anew": _pays(
        authorised_minor=UNIT_MINOR, captor="stripe", reference="second", expiry="reckoned"
    ),
    "the processor tells until when": _asks("expiry", reference="second", expires_ms=T0_MS + 40 * HOUR_MS),
    "authorised": _pays(authorised_minor=2000, expires_ms=T0_MS + 40 * HOUR_MS),
    "vouched": _pays(vouched=True),
    "the channel refunds": _says(
        lambda said: replace(said, payment=replace(said.payment, refunded_minor=min(200, said.payment.captured_minor)))
    ),
    "called off": _says(lambda said: replace(said, cancelled=not said.cancelled)),
    "a unit called off": _with_first(lambda first: replace(first, cancelled=min(first.cancelled + 1, first.quantity))),
    "a unit more": _says(
        lambda said: replace(
            said,
            lines=(replace(said.lines[0], quantity=2, price_minor=2 * UNIT_MINOR), *said.lines[1:]),
            total_minor=said.total_minor + 2 * UNIT_MINOR - said.lines[0].price_minor,
        )
    ),
    "becomes a service": _with_first(lambda first: replace(first, ships=False)),
    "a line more": _says(_more_lines),
    "a line fewer": _says(_fewer_lines),
    "moves house": _moves_house,
    "the catalogue knows it": _catalogue_knows,
    "hold": _asks("hold", reason="fraud"),
    "resolve": lambda node: _resolve_first(node),
    "reject": lambda node: _reject_first(node),
    "cancel": _asks("cancel", cancellation_id="c", lines=[]),
    "uncancel": _asks("uncancel", cancellation_id="c"),
    "substitute": lambda node: _asks("substitute", line_id=node.order.lines[0].line_id, sku={"sku": "CUP"})(node),
    "exchange": _asks("exchange", return_id="r", lines=[{"sku": {"sku": "CUP"}, "units": 1}]),
    "archive": _asks("archive"),
    "refund": _asks("refund", **_REFUND),
    "refunds are seen": _asks("refunds_seen", total_minor=200),
    **{f"dispute {word}": _asks("dispute", **_DISPUTE, status=word) for word in ("open", "won", "lost")},
    **{
        f"{answer} at {place}": _asks("fulfilment", location=place, answer=answer)
        for place in PLACES
        for answer in ("accept", "label", "reopen", "yield", "refuse_cancel", "reroute")
    },
    **{f"return: {name}": _returns(name) for name in ("request", "approve", "decline", "receive", "inspect")},
    "return: scrapped": _returns("inspect", []),
    "return: requested at the channel": _returns("request", actor="market"),
}


def _resolve_first(node: Node) -> Node | None:
    holds = node.order.state.holds
    return _asks("resolve", reason=holds[0].reason)(node) if holds else None


def _reject_first(node: Node) -> Node | None:
    holds = node.order.state.holds
    return _asks("reject", reason=holds[0].reason)(node) if holds else None


def closing_steps(node: Node) -> Iterator[Step]:
    state = node.order.state
    if any(hold.reason == "unknown_sku" for hold in state.holds):
        yield _catalogue_knows
    yield from (_asks("resolve", reason=hold.reason) for hold in state.holds if hold.reason != "unknown_sku")
    yield from (
        _asks("dispute", dispute_id=name, amount_minor=dispute.amount_minor, status="won")
        for name, dispute in state.disputes.items()
        if dispute.status == "open"
    )
    for place in PLACES:
        if asked_back(state, place):
            yield _asks("fulfilment", location=place, answer="yield")
    yield from (
        (STEPS["return: inspect"], STEPS["return: receive"], STEPS["return: decline"]) if _under_way(state) else ()
    )
    yield _sync
    if state.secured_minor != securable_minor(state) or wants_capture(state) or wants_void(state):
        yield _is_funded_by_word
    if state.secured_minor < price_minor(state) or state.payment.awaited:
        yield STEPS["paid"]
    if any(units.open or units.backordered or units.to_cancel for units in state.quantities):
        yield _allocates(_PLENTY)
    yield from (
        _asks("fulfilment", location=p, answer="reopen") for p, w in state.fulfilment.items() if w == "rejected"
    )
    yield from (_ships(place) for place in PLACES)
    if _to_be_captured(state):
        yield STEPS["paid"]
    yield _is_paid_out
    yield _time_passes


_PLENTY: Available = {sku: dict.fromkeys(PLACES, 99) for sku in PARTS}


def _to_be_captured(state: State) -> bool:
    payment = state.payment
    return not payment.vouched and payment.authorised_minor > payment.captured_minor


def _under_way(state: State) -> bool:
    return any(back.status in ("requested", "approved", "received") for back in state.returns.values())


assert RESERVE_MS < HOUR_MS  # a reservation ends before the authorisation of the start that has one
