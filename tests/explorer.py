"""Every order that the decisions can make of a few small ones: breadth first, bounded, times and timeline left out.

A scenario names how its order comes in, what its channel may say later, and which hands may touch it; together they
take every move. `docs/lifecycle.md` shows what was seen (`tests/lifecycle_page.py`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from chalicelib.domain.allocation import decide_allocation
from chalicelib.domain.cancellation import decide_archive, decide_told
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelOrder, Payment, Problem
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.entry import decide_entry, decide_recheck
from chalicelib.domain.errors import Refused
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.holds import decide_overdue
from chalicelib.domain.lifecycle import (
    ARCHIVE_AFTER_MS,
    CLOSED,
    authorisation_ends_ms,
    funding,
    outstanding_minor,
    stage,
    status,
    unconfirmed_shipments,
)
from chalicelib.domain.orders import Order, Quantities, State, collectible_minor, refunded_minor
from chalicelib.domain.settlement import PayoutLine, decide_settlement
from chalicelib.domain.shipping import ANSWERS, decide_confirmation
from chalicelib.domain.sourcing import Sourcing
from tests.factories import T0_MS, fact, line

HOUR_MS = 3_600_000
SOURCING = Sourcing(("east", "west"))
CATALOGUE = {
    "MUG": Sku("MUG"),
    "CUP": Sku("CUP"),
    "SET": Sku("SET", components=(("MUG", 1), ("CUP", 2))),
    "NEW": Sku("NEW", release_ms=T0_MS + 48 * HOUR_MS),
}
PLENTY = {sku: {"east": 1, "west": 9} for sku in ("MUG", "CUP", "NEW")}
SHELVES: tuple[Mapping[str, Mapping[str, int]], ...] = ({}, {"MUG": {"east": 1}, "CUP": {"east": 2}}, PLENTY)
PAID, UNPAID = Payment(captured_minor=1000), Payment()
AUTHORISED = Payment(authorised_minor=1000, expires_ms=T0_MS + HOUR_MS)

Steps = Iterator[Order]


@dataclass(frozen=True)
class Node:
    """An order at a time."""

    order: Order
    now_ms: int

    @cached_property
    def key(self) -> str:
        return f"{self.order.external_id} {normal(self.order.state, self.now_ms)} {self.order.lines}"


@dataclass(frozen=True)
class Scenario:
    """`seed` comes in first, `facts` may follow in any order; `hands` are the names of what else may happen."""

    seed: ChannelOrder
    hands: str
    facts: tuple[ChannelOrder, ...] = ()
    skus: Mapping[str, Sku] = field(default_factory=lambda: CATALOGUE)
    nodes: int = 150


@dataclass
class Seen:
    """What happened: per move its flows of units, money and stage edges; words that were reached; states by key."""

    flows: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    money: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    edges: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    words: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    orders: dict[str, Node] = field(default_factory=dict)
    after: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def normal(state: State, now_ms: int) -> str:
    """The state without times (only whether a clock is set and has run out), versions and timeline."""

    def clock(at_ms: int) -> int:
        return (at_ms > 0) + (at_ms > now_ms)

    clocks = [clock(at) for at in (state.reserved_until_ms, state.wake_ms, state.ship_by_ms, state.payment.expires_ms)]
    timeless = replace(
        state,
        source=(),
        timeline=(),
        version=0,
        since_ms=0,
        due_ms=0,
        placed_ms=0,
        ship_by_ms=0,
        reserved_until_ms=0,
        wake_ms=0,
        sourcing={},
        payment=replace(state.payment, expires_ms=0),
        holds=tuple(replace(hold, since_ms=0, detail="") for hold in state.holds),
        shipments=tuple(replace(s, shipped_ms=0, confirmed_ms=min(s.confirmed_ms, 1)) for s in state.shipments),
        disputes={name: replace(d, due_ms=0) for name, d in state.disputes.items()},
    )
    return f"{clocks} {timeless}"


# ---------------------------------------------------------------------------------------------- what may happen


def _asked(node: Node, do: str, **asked: Any) -> Steps:
    """A command, if it is possible; the orders that follow."""
    try:
        outcome = COMMANDS[do].decide(node.order, asked, "test", node.now_ms)
    except Refused:
        return
    if outcome:
        yield outcome.order
        if outcome.new:
            yield outcome.new


def _allocated(node: Node) -> Steps:
    for shelf in SHELVES:
        free = {sku: dict(places) for sku, places in shelf.items()}
        plan = decide_allocation(node.order, free, SOURCING, node.now_ms, 90)
        if plan:
            yield plan.order


def _funded(node: Node) -> Steps:
    after = decide_funding(node.order, node.now_ms)
    if after:
        yield after


def _overdue(node: Node) -> Steps:
    after = decide_overdue(node.order, node.now_ms)
    if after:
        yield after


def _held(node: Node) -> Steps:
    yield from _asked(node, "hold", reason="fraud")


def _resolved(node: Node) -> Steps:
    for hold in node.order.state.holds:
        yield from _asked(node, "resolve", reason=hold.reason)


def _rejected(node: Node) -> Steps:
    for hold in node.order.state.holds:
        yield from _asked(node, "reject", reason=hold.reason)


def _rechecked(node: Node) -> Steps:
    known = {each.line_id: CATALOGUE["MUG"] for each in node.order.lines}
    after = decide_recheck(node.order, known, node.now_ms) if node.order.state.holds else None
    if after:
        yield after


def _called_off(node: Node) -> Steps:
    yield from _asked(node, "cancel", cancellation_id="all")
    yield from _asked(node, "cancel", cancellation_id="one", lines=[{"line_id": "l1", "units": 1}])


def _wanted_again(node: Node) -> Steps:
    for name in node.order.state.cancellations:
        yield from _asked(node, "uncancel", cancellation_id=name)


def _told(node: Node) -> Steps:
    for name in node.order.state.cancellations:
        for failure in ("", "too late"):
            after = decide_told(node.order, name, failure, node.now_ms)
            if after:
                yield after


def _worked(node: Node) -> Steps:
    for place in SOURCING.locations:
        for answer in ANSWERS:
            yield from _asked(node, "fulfilment", location=place, answer=answer)


def _shipped(node: Node) -> Steps:
    """One unit in a parcel, or all that a location has."""
    for place in SOURCING.locations:
        there = [
            (each.line_id, n)
            for each, units in zip(node.order.lines, node.order.state.quantities, strict=True)
            if (n := units.allocations.get(place, 0))
        ]
        parcels = [there, [(there[0][0], 1)]] if there and sum(n for _, n in there) > 1 else [there] if there else []
        for parcel in parcels:
            lines = [{"line_id": line_id, "units": n} for line_id, n in parcel]
            name = f"p{len(node.order.state.shipments)}"
            yield from _asked(node, "ship", shipment_id=name, location=place, shipped_ms=node.now_ms, lines=lines)


def _confirmed(node: Node) -> Steps:
    after = decide_confirmation(node.order, frozenset(unconfirmed_shipments(node.order)), node.now_ms)
    if after:
        yield after


def _returned(node: Node) -> Steps:
    for step in ("request", "approve", "decline", "receive", "inspect"):
        lines = [] if "r1" in node.order.state.returns else [{"line_id": "l1", "units": 1}]
        yield from _asked(node, "return", return_id="r1", step=step, lines=lines, location="east")
    yield from _asked(node, "return", return_id="r1", step="inspect", restock=[], location="east")


def _exchanged(node: Node) -> Steps:
    for in_advance in (False, True):
        yield from _asked(
            node, "exchange", return_id="r1", lines=[{"sku": {"sku": "CUP"}, "units": 1}], in_advance=in_advance
        )


def _substituted(node: Node) -> Steps:
    for sku in ("CUP", "MUG"):
        yield from _asked(node, "substitute", line_id="l1", sku={"sku": sku})


def _refunded(node: Node) -> Steps:
    state = node.order.state
    for name, part in (("f1", 2), ("f2", 1)):
        amount_minor = (collectible_minor(state) - refunded_minor(state)) // part
        yield from _asked(node, "refund", refund_id=name, amount_minor=amount_minor)
        for failure in ("", "card closed"):
            yield from _asked(node, "refund_outcome", refund_id=name, failure=failure)


def _disputed(node: Node) -> Steps:
    for word in ("open", "won", "lost"):
        amount_minor = collectible_minor(node.order.state)
        yield from _asked(
            node, "dispute", dispute_id="d1", amount_minor=amount_minor, status=word, due_ms=node.now_ms + HOUR_MS
        )


def _paid_out(node: Node) -> Steps:
    order = node.order
    for kind, amount_minor in (("sale", outstanding_minor(order.state)), ("fee", -100)):
        if amount_minor > 0 or (kind == "fee" and not order.state.fees_minor):
            booked = PayoutLine(order.channel, "po", kind, order.order_id, kind, amount_minor, "EUR", node.now_ms)
            yield decide_settlement(order, [booked], node.now_ms)


def _archived(node: Node) -> Steps:
    with_time = node.now_ms + 2 * ARCHIVE_AFTER_MS
    if stage(node.order) in CLOSED:
        after = decide_archive(node.order, "sweep", with_time)
        if after:
            yield after


HANDS: dict[str, Callable[[Node], Steps]] = {
    "allocate": _allocated,
    "fund": _funded,
    "overdue": _overdue,
    "hold": _held,
    "resolve": _resolved,
    "reject": _rejected,
    "recheck": _rechecked,
    "cancel": _called_off,
    "uncancel": _wanted_again,
    "told": _told,
    "work": _worked,
    "ship": _shipped,
    "confirm": _confirmed,
    "return": _returned,
    "exchange": _exchanged,
    "substitute": _substituted,
    "refund": _refunded,
    "dispute": _disputed,
    "payout": _paid_out,
    "archive": _archived,
}


def _said(node: Node, scenario: Scenario) -> Steps:
    """The channel's next word, newer than all before."""
    source = node.order.state.source
    for word in scenario.facts if source else ():
        newer = replace(word, version_ms=source[0] + 1)
        after = decide_entry(node.order, newer, _known(newer, scenario.skus), node.now_ms)
        if after:
            yield after


def _known(word: ChannelOrder, skus: Mapping[str, Sku]) -> dict[str, Sku]:
    return {each.line_id: skus[each.channel_sku] for each in word.lines if each.channel_sku in skus}


def _later_ms(node: Node) -> int:
    """When the next clock of the order runs out; 0 when none is set."""
    state = node.order.state
    clocks = (state.due_ms, state.reserved_until_ms, state.wake_ms, authorisation_ends_ms(state))
    return min((at_ms for at_ms in clocks if at_ms > node.now_ms), default=0)


# -------------------------------------------------------------------------------------------------- scenarios

_TWO = line(quantity=2)
_ORDER = fact(_TWO, payment=PAID)
_MONEY_HANDS = "fund allocate ship refund dispute payout overdue"
_CHANGED = (
    replace(_ORDER, cancelled=True),
    fact(line(quantity=2, cancelled=1), payment=PAID),
    fact(line(quantity=3), payment=PAID),
    fact(line(quantity=3), payment=Payment(captured_minor=1500)),
    fact(line(quantity=2), line("l2", "CUP"), payment=Payment(captured_minor=1500)),
    fact(line(quantity=2), line("l2", "CUP", cancelled=1), payment=Payment(captured_minor=1500)),
)

SCENARIOS = {
    "edited": Scenario(_ORDER, "fund allocate work", _CHANGED),
    "edited and called off": Scenario(_ORDER, "fund allocate cancel uncancel told", _CHANGED),
    "dearer and called off": Scenario(_ORDER, "fund allocate cancel", (fact(line(quantity=3), payment=PAID),)),
    "become a service": Scenario(
        replace(_ORDER, external_id="service"),
        "fund allocate",
        (fact(line(quantity=2, ships=False), external_id="service", payment=PAID),),
    ),
    "called off at the warehouse": Scenario(_ORDER, "fund allocate work cancel uncancel ship"),
    "rejected at the warehouse": Scenario(_ORDER, "fund allocate work hold reject told ship payout"),
    "disputed when settled": Scenario(
        fact(line(unit_minor=1000), payment=PAID), "fund allocate ship dispute payout", nodes=150
    ),
    "disputed": Scenario(
        _ORDER, f"{_MONEY_HANDS} archive", (fact(_TWO, payment=Payment(captured_minor=1000, refunded_minor=1000)),)
    ),
    "returned and exchanged": Scenario(
        fact(line(quantity=1, unit_minor=1000), payment=PAID),
        "fund allocate ship confirm return exchange payout archive resolve",
        nodes=500,
    ),
    "late to ship": Scenario(replace(_ORDER, ship_by_ms=T0_MS + HOUR_MS), "fund allocate overdue resolve reject ship"),
    "unpaid": Scenario(
        fact(_TWO, payment=UNPAID),
        "fund allocate overdue",
        (
            _ORDER,
            fact(_TWO, payment=Payment(lapsed=True)),
            fact(_TWO, payment=Payment(captured_minor=400)),
            fact(_TWO, payment=AUTHORISED),
            replace(_ORDER, payment=UNPAID, cancelled=True),
        ),
    ),
    "authorised": Scenario(
        fact(_TWO, payment=AUTHORISED),
        "fund allocate work ship overdue",
        (_ORDER, fact(_TWO, payment=replace(AUTHORISED, lapsed=True)), fact(_TWO, payment=UNPAID)),
    ),
    "authorised and called off": Scenario(fact(_TWO, payment=AUTHORISED), "fund allocate cancel", nodes=400),
    "vouched": Scenario(
        fact(_TWO, payment=Payment(vouched=True)),
        _MONEY_HANDS,
        (fact(line(quantity=1), payment=Payment(vouched=True)), fact(_TWO, payment=UNPAID)),
    ),
    "awaited": Scenario(
        fact(line(unit_minor=0), payment=Payment(awaited=True)),
        "fund allocate refund",
        (fact(_TWO, payment=Payment(vouched=True)), replace(_ORDER, payment=UNPAID, cancelled=True)),
    ),
    "kit": Scenario(fact(line(sku="SET"), line("l2", "MUG"), payment=PAID), "fund allocate work ship return"),
    "kit, substituted": Scenario(
        fact(line(sku="SET"), line("l2", "MUG"), payment=PAID), "fund allocate cancel substitute"
    ),
    "pre-order": Scenario(fact(line(sku="NEW", quantity=2), payment=PAID), "fund allocate cancel overdue substitute"),
    "unknown item": Scenario(
        fact(line(sku="??"), line("l2", "MUG"), payment=PAID, problems=(Problem("fraud", "by the channel"),)),
        "fund allocate recheck resolve reject substitute",
        (fact(line(sku="??"), line("l2", "MUG"), payment=PAID),),
    ),
    "nothing to send": Scenario(
        fact(line(ships=False), external_id="service", payment=Payment(captured_minor=500)),
        "fund allocate hold resolve payout",
        (fact(line(), external_id="service", payment=Payment(captured_minor=500)),),
        nodes=100,
    ),
    "shipped before": Scenario(
        fact(line(quantity=2, fulfilled=1), line("l2", quantity=1, cancelled=1), payment=Payment(vouched=True)),
        "fund allocate ship payout return",
    ),
    "free": Scenario(fact(line(unit_minor=0), payment=UNPAID), "fund allocate ship"),
}


# ------------------------------------------------------------------------------------------------- exploration


@cache
def explored() -> Seen:
    """All scenarios together."""
    seen = Seen()
    for name, scenario in SCENARIOS.items():
        _explore(scenario, seen, name)
    return seen


def _explore(scenario: Scenario, seen: Seen, name: str) -> None:
    first = decide_entry(None, scenario.seed, _known(scenario.seed, scenario.skus), T0_MS)
    assert first is not None
    hands = [HANDS[hand] for hand in scenario.hands.split()]
    waiting = deque([_met(None, Node(first, T0_MS), seen)])
    expanded: set[str] = set()
    while waiting and len(expanded) < scenario.nodes:
        node = waiting.popleft()
        if node.key in expanded:
            continue
        expanded.add(node.key)
        try:
            nexts = [_met(node, after, seen) for after in _successors(node, scenario, hands)]
        except AssertionError as error:
            moves = [h.move for h in node.order.state.timeline]
            raise AssertionError(f"{name}: after {moves} at {node.order}: {error}") from error
        waiting.extend(after for after in nexts if after.key not in expanded)


def _successors(node: Node, scenario: Scenario, hands: Sequence[Callable[[Node], Steps]]) -> Iterator[Node]:
    for after in _said(node, scenario):
        yield Node(after, node.now_ms)
    for hand in hands:
        for after in hand(node):
            yield Node(after, node.now_ms)
    if later_ms := _later_ms(node):
        yield Node(node.order, later_ms)


def _met(before: Node | None, node: Node, seen: Seen) -> Node:
    """Write down what has happened between the two."""
    key = node.key
    if before:
        seen.after[before.key].add(key)
    if before is None or before.order is not node.order:
        _note_move(before, node, seen)
    if key not in seen.orders:
        seen.orders[key] = node
        seen.words["stage"].add(stage(node.order))
        seen.words["status"].add(status(node.order))
        seen.words["funding"].add(funding(node.order.state))
    return node


def _note_move(before: Node | None, node: Node, seen: Seen) -> None:
    same = before is not None and before.order.order_id == node.order.order_id
    old = before.order.state if before and same else State(0, ())
    new = node.order.state
    made = new.timeline[len(old.timeline) :]
    for happening in made:
        seen.edges[happening.move].add((happening.before, happening.after))
    if len(made) == 1:
        seen.flows[made[0].move] |= flows(old.quantities, new.quantities)
        seen.money[made[0].move] |= {name for name, value in money(new).items() if value != money(old)[name]}


def flows(before: Sequence[Quantities], after: Sequence[Quantities]) -> set[str]:
    """How the units of each line went, "from>to", where that can be told without doubt."""
    seen: set[str] = set()
    for index, now in enumerate(after):
        was = before[index] if index < len(before) else Quantities(0)
        change = {name: getattr(now, name) - getattr(was, name) for name in _BUCKETS}
        lost = [name for name, units in change.items() if units < 0] + [""] * (now.ordered > was.ordered)
        gained = [name for name, units in change.items() if units > 0]
        if len(lost) == 1 or len(gained) == 1:
            seen |= {f"{source}>{target}" for source in lost for target in gained}
        if now.returned > was.returned:
            seen.add(">returned")
    return seen


_BUCKETS = ("open", "allocated", "backordered", "shipped", "cancelled")


def money(state: State) -> dict[str, object]:
    """The amounts of an order by the names that `Move.money` uses."""
    return {
        "total": state.total_minor,
        "payment": state.payment,
        "secured": state.secured_minor,
        "settled": state.settled_minor,
        "fees": state.fees_minor,
        "refunds": dict(state.refunds),
        "disputes": dict(state.disputes),
    }


# ---------------------------------------------------------------------------------------------------- closing


def closes(node: Node, good: set[str]) -> bool:
    """Whether people who want the order out of the way get it closed."""
    way = []
    for _ in range(40):
        if stage(node.order) in CLOSED or node.key in good:
            good.update(way)
            return True
        way.append(node.key)
        after = next(_ways_out(node), None)
        if after is None:
            return False
        node = Node(after, node.now_ms)
    return False


def _ways_out(node: Node) -> Steps:
    yield from _rejected(node)
    yield from _asked(node, "cancel", cancellation_id="way-out")
    for place in SOURCING.locations:
        yield from _asked(node, "fulfilment", location=place, answer="yield")
    yield from _funded(node)
    yield from _allocated(node)
    yield from _shipped(node)
    for name in node.order.state.cancellations:
        after = decide_told(node.order, name, "", node.now_ms)
        if after:
            yield after
    for name in node.order.state.refunds:
        yield from _asked(node, "refund_outcome", refund_id=name)
    for name in node.order.state.returns:
        yield from _asked(node, "return", return_id=name, step="decline")
        yield from _asked(node, "return", return_id=name, step="inspect")
    for name, dispute in node.order.state.disputes.items():
        asked = {"dispute_id": name, "amount_minor": dispute.amount_minor}
        yield from _asked(node, "dispute", **asked, status="won")
    yield from (after for after in _paid_out(node) if outstanding_minor(node.order.state) > 0)
    yield from _vouched_for(node)


def _vouched_for(node: Node) -> Steps:
    """The buyer pays what is still owed for goods that have left."""
    order, state = node.order, node.order.state
    owed = replace(state.payment, captured_minor=max(state.total_minor, 0), awaited=False)
    if state.payment != owed and state.source:
        lines = tuple(
            line(each.line_id, each.channel_sku, units.ordered, 0, cancelled=units.cancel_wanted, ships=each.ships)
            for each, units in zip(order.lines, state.quantities, strict=True)
        )
        word = fact(*lines, version_ms=state.source[0] + 1, payment=owed, total_minor=state.total_minor)
        after = decide_entry(order, word, {}, node.now_ms)
        if after:
            yield after


def closable(seen: Seen) -> set[str]:
    """Keys of the states from which a closed one is reached on the explored graph."""
    before: dict[str, set[str]] = defaultdict(set)
    for key, nexts in seen.after.items():
        for following in nexts:
            before[following].add(key)
    good = {key for key, node in seen.orders.items() if stage(node.order) in CLOSED}
    waiting = deque(good)
    while waiting:
        for key in before[waiting.popleft()] - good:
            good.add(key)
            waiting.append(key)
    return good
