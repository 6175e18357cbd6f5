"""Every turn that small orders can take: the decisions of the domain, applied breadth first to a bounded depth.

States that differ in nothing but times and history are one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.authorisation import authorisation_ends_ms
from chalicelib.domain.channel_order import ChannelOrder, Payment
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import CLOSED, outstanding_minor, stage, status
from chalicelib.domain.orders import Order, Quantities, State, collectible_minor, refunded_minor
from tools.lifecycle_starts import STARTS, T0_MS, Node, skus_of
from tools.lifecycle_steps import BORN, STEPS, Step, closing_steps

_MOST_STEPS_TO_CLOSE = 60


_IN_HAND = ["money is looked at", "allocation, plenty at east", "accept at east"]
_HALF = ["money is looked at", "allocation, a unit at main"]
_EACH = ["money is looked at", "allocation, a unit at each"]
_GONE = ["money is looked at", "allocation, plenty at east", "ship from east"]

# Where an exploration begins anew, so that it comes deep as well as wide: steps from a start.
WAYS: Mapping[str, Sequence[list[str]]] = {
    "one unit, paid": (
        _IN_HAND,
        [*_IN_HAND, "cancel"],
        _GONE,
        [*_GONE, "sync", "payout"],
        [*_GONE, "sync", "return: request"],
        ["money is looked at", "cancel", "sync"],
        ["money is looked at", "allocation, no stock", "cancel"],
    ),
    "two units, paid": (
        _GONE,
        [*_HALF, "a line more", "cancel"],
        [*_HALF, "hold", "cancel"],
        [*_IN_HAND, "cancel", "a line more", "reroute at east"],
        [*_IN_HAND, "cancel", "reroute at east", "hold"],
    ),
    "two units, authorised until a time": (
        [*_HALF, "time passes", "money is looked at", "cancel", "time passes"],
        [*_EACH, "accept at main", "time passes", "money is looked at", "cancel", "reroute at main", "time passes"],
    ),
    "vouched by the marketplace": (["money is looked at", "refund", "payment failed"],),
    "one unit, authorised at a processor": (
        ["money is looked at", "allocation, plenty at east", "ship from east", "money is looked at"],
        ["money is looked at", "cancel", "money is looked at"],
    ),
    "two lines, shipped by a date": (_HALF, _IN_HAND),
    "a pre-order": (["money is looked at", "allocation, no stock"],),
    "unpaid": (["allocation, a unit at main"], ["allocation, a unit at main", "time passes"]),
    "authorised until a time": (["money is looked at", "allocation, a unit at main", "time passes"],),
}


@dataclass(frozen=True)
class Seen:
    """One move that was made, from a state (None: there was no order) to the next."""

    move: str
    before: State | None
    after: State
    stages: tuple[str, str]


@dataclass
class Space:
    """What was found. `stuck`: states without a way to the end; `broken`: steps that broke a rule of the domain."""

    nodes: dict[Any, Node] = field(default_factory=dict)
    moves: list[Seen] = field(default_factory=list)
    stuck: list[Node] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def stages(self) -> set[str]:
        return {stage(node.order) for node in self.nodes.values()}

    @property
    def statuses(self) -> set[str]:
        return {status(node.order) for node in self.nodes.values()}


def explore(most_nodes_each: int) -> Space:
    """Every start, breadth first; of each start, so many states are followed up."""
    space = Space()
    closing: set[Any] = set()
    for name, start in STARTS.items():
        order = decide_entry(None, start, skus_of(start), T0_MS)
        assert order
        _note(space, None, order)
        first = Node(order, start, T0_MS)
        for way in ([], *WAYS.get(name, ())):
            _explore_from(_gone(first, way, space), most_nodes_each, space, closing)
    return space


def _gone(node: Node, way: Sequence[str], space: Space) -> Node:
    """The state at the end of a way; every step of it has to be possible."""
    for name in way:
        node = next(_made(node, STEPS[name], space))
    return node


def _explore_from(first: Node, most: int, space: Space, closing: set[Any]) -> None:
    queue = deque([first])
    space.nodes.setdefault(key_of(first), first)
    expanded = 0
    while queue:
        node = queue.popleft()
        if not _closes(node, space, closing):
            space.stuck.append(node)
        if expanded < most:
            expanded += 1
            for after in _successors(node, space):
                key = key_of(after)
                if key not in space.nodes:
                    space.nodes[key] = after
                    queue.append(after)


def _successors(node: Node, space: Space) -> Iterator[Node]:
    for step in STEPS.values():
        yield from _made(node, step, space)


def _made(node: Node, step: Step, space: Space) -> Iterator[Node]:
    """The state after a step, if it changes anything, and an order that came into being beside it."""
    try:
        after = step(node)
    except Refused:
        return
    except AssertionError as wrong:
        space.broken.append(f"{[happening.move for happening in node.order.state.timeline]}: {wrong}")
        return
    if after is None:
        return
    _note(space, node.order, after.order)
    yield after
    born = BORN.pop("order", None)
    if born:
        _note(space, None, born)
        yield Node(born, None, after.now_ms)


def _note(space: Space, before: Order | None, after: Order) -> None:
    """Write down the moves that the timeline tells of. Of several in one step only a last one counts whose
    predecessors changed neither units nor money, so each is judged by what it did itself."""
    known = len(before.state.timeline) if before else 0
    fresh = after.state.timeline[known:]
    for happening in fresh[:-1]:
        space.moves.append(Seen(happening.move, after.state, after.state, (happening.before, happening.after)))
    if fresh:
        last = fresh[-1]
        space.moves.append(Seen(last.move, before.state if before else None, after.state, (last.before, last.after)))


# the way to the end


def _closes(node: Node, space: Space, closing: set[Any]) -> bool:
    """Whether people who do their work bring the order to a closed stage; `closing` remembers what is on the way."""
    way: list[Any] = []
    for _ in range(_MOST_STEPS_TO_CLOSE):
        key = key_of(node)
        way.append(key)
        if stage(node.order) in CLOSED or key in closing:
            closing.update(way)
            return True
        after = next(_towards_the_end(node, space), None)
        if after is None:
            return False
        node = after
    return False


def _towards_the_end(node: Node, space: Space) -> Iterator[Node]:
    """What the stages and people would do next, one after the other until something is done."""
    for step in closing_steps(node):
        for after in _made(node, step, space):
            if key_of(after) != key_of(node):
                yield after


# one state or two


def key_of(node: Node) -> Any:
    """What makes a state another one: all but names, times and history; of a clock whether it runs or has run out."""
    order, state = node.order, node.order.state
    said = node.said
    return (
        tuple((each.sku, each.ships) for each in order.lines),
        tuple(_ledger(units) for units in state.quantities),
        state.total_minor,
        _money(state.payment),
        (state.secured_minor, outstanding_minor(state), refunded_minor(state), collectible_minor(state)),
        tuple(sorted(hold.reason for hold in state.holds)),
        tuple(sorted(reason for reason, _ in state.waived)),
        tuple((parcel.location, tuple(parcel.items.items()), bool(parcel.confirmed_ms)) for parcel in state.shipments),
        tuple(
            (name, back.status, back.exchange, back.told, *back.items.items(), *back.restocked.items())
            for name, back in state.returns.items()
        ),
        tuple((name, refund.status) for name, refund in state.refunds.items()),
        tuple((name, wish.status) for name, wish in state.captures.items()),
        state.void,
        tuple((name, dispute.status) for name, dispute in state.disputes.items()),
        tuple((name, each.status) for name, each in state.cancellations.items()),
        tuple(sorted(state.fulfilment.items())),
        (state.cancelled, state.archived),
        _clocks(node),
        _word(said) if said else (),
    )


def _ledger(units: Quantities) -> tuple[Any, ...]:
    promised = tuple(sorted(units.allocations.items()))
    ledger = (units.ordered, units.cancelled, units.backordered, units.shipped, units.returned)
    return (*ledger, promised, units.cancel_wanted, units.called_off, units.cancel_refused)


def _word(said: ChannelOrder) -> tuple[Any, ...]:
    lines = tuple((each.line_id, each.quantity, each.cancelled, each.ships) for each in said.lines)
    return lines, said.cancelled, _money(said.payment)


def _money(payment: Payment) -> tuple[Any, ...]:
    return tuple(vars(payment).values())


def _clocks(node: Node) -> tuple[bool, ...]:
    state = node.order.state
    clocks = (state.reserved_until_ms, authorisation_ends_ms(state), state.wake_ms, state.ship_by_ms)
    return tuple(0 < clock <= node.now_ms for clock in clocks) + (bool(state.reserved_until_ms),)
