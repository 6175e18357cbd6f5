"""What we call off ourselves, what we want after all, what we send instead, and what is put away for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.entry import settle_cancellation
from chalicelib.domain.errors import Refused
from chalicelib.domain.lifecycle import ARCHIVE_AFTER_MS, CLOSED, stage
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import Cancellation, Content, Hold, Order, OrderLine, Quantities, State

AWAITS_RETURN = "exchange_awaits_return"  # hold of an exchange that is not to be sent before the old goods are here


def decide_cancel(
    order: Order, cancellation_id: str, items: Mapping[int, int], reason: str, actor: str, now_ms: int
) -> Order | None:
    """Ask for units to be taken out of the work, all that have not left when `items` is empty; None when this
    cancellation is known. What a location has accepted waits for the location's word."""
    if cancellation_id in order.state.cancellations:
        return None
    quantities = list(order.state.quantities)
    left = {i: units.ordered - units.shipped - units.unwanted for i, units in enumerate(quantities)}
    items = dict(items) or {index: n for index, n in left.items() if n > 0}
    if not items:
        raise Refused("nothing_left", f"nothing of {order.order_id} is left to cancel")
    for index, units in items.items():
        if not 0 < units <= left[index]:
            line_id = order.lines[index].line_id
            raise Refused("nothing_left", f"line {line_id!r}: {units} units cancelled of {left[index]} that are left")
        wanted = quantities[index].unwanted + units
        quantities[index] = settle_cancellation(replace(quantities[index], called_off=wanted))
    cancellations = {**order.state.cancellations, cancellation_id: Cancellation(items, reason)}
    after = order.having(quantities=tuple(quantities), cancellations=cancellations)
    return moved(order, after, "cancel", now_ms=now_ms, actor=actor, cause=cancellation_id)


def decide_uncancel(order: Order, cancellation_id: str, actor: str, now_ms: int) -> Order | None:
    """Take a cancellation of ours back: its units are open again and must be promised anew. None when it is not there;
    `Refused` when the channel knows of it already."""
    cancellation = order.state.cancellations.get(cancellation_id)
    if cancellation is None:
        return None
    if cancellation.status == "told":
        raise Refused("already_told", f"the channel has cancelled {cancellation_id!r}: place a new order there")
    quantities = list(order.state.quantities)
    for index, units in cancellation.items.items():
        called_off = max(quantities[index].called_off - units, 0)
        quantities[index] = settle_cancellation(replace(quantities[index], called_off=called_off))
    left = {name: each for name, each in order.state.cancellations.items() if name != cancellation_id}
    after = order.having(quantities=tuple(quantities), cancellations=left)
    return moved(order, after, "uncancel", now_ms=now_ms, actor=actor, cause=cancellation_id)


def cancelled_items(order: Order, cancellation_id: str) -> dict[int, int]:
    """The units of a cancellation that were really taken out: a location may have refused some."""
    items = order.state.cancellations[cancellation_id].items
    cancelled = {index: min(units, order.state.quantities[index].cancelled) for index, units in items.items()}
    return {index: units for index, units in cancelled.items() if units}


def decide_told(order: Order, cancellation_id: str, failure: str, now_ms: int) -> Order | None:
    """The channel has taken our cancellation, or will not; None when that is known."""
    cancellation = order.state.cancellations.get(cancellation_id)
    if cancellation is None or cancellation.status != "created":
        return None
    told = replace(cancellation, status="failed" if failure else "told")
    cancellations = {**order.state.cancellations, cancellation_id: told}
    cause = f"{cancellation_id} refused: {failure}" if failure else cancellation_id
    return moved(order, order.having(cancellations=cancellations), "cancel_told", now_ms=now_ms, cause=cause)


def decide_exchange(
    order: Order, return_id: str, wanted: Sequence[tuple[Sku, int]], *, in_advance: bool, actor: str, now_ms: int
) -> tuple[Order, Order] | None:
    """The order with its return marked, and a new order of other goods for the returned ones, at no charge; it waits
    for the goods unless `in_advance`. None when there is one already."""
    back = order.state.returns.get(return_id)
    if back is None:
        raise Refused("unknown_return", f"{order.order_id} has no return {return_id!r}: announce it first")
    if back.exchange:
        return None
    assert order.content
    external_id = f"{order.external_id}~{return_id}"
    lines = tuple(
        OrderLine(f"x{n}", sku.sku, sku.sku, sku.title, 0, 0, 0, components=sku.components, release_ms=sku.release_ms)
        for n, (sku, _) in enumerate(wanted, start=1)
    )
    waits = not in_advance and back.status not in ("received", "inspected")
    holds = (Hold(AWAITS_RETURN, f"{order.order_id} {return_id}", now_ms, "entry"),) if waits else ()
    state = State(
        total_minor=0,
        quantities=tuple(Quantities(ordered=units) for _, units in wanted),
        holds=holds,
        linked_to=order.order_id,
        placed_ms=now_ms,
    )
    content = Content(
        f"{order.content.label} exchange",
        order.content.country,
        now_ms,
        order.content.currency,
        lines,
        (),
        order.content.region,
    )
    new = moved(
        None,
        Order(order.channel, external_id, state, content),
        "exchange",
        now_ms=now_ms,
        actor=actor,
        cause=order.order_id,
    )
    returns = {**order.state.returns, return_id: replace(back, exchange=new.order_id)}
    marked = moved(order, order.having(returns=returns), "exchange", now_ms=now_ms, actor=actor, cause=new.order_id)
    return marked, new


def has_come_back(original: Order, exchange_id: str) -> bool:
    """Whether the goods that an exchange waits for have been received."""
    return any(
        back.exchange == exchange_id and back.status in ("received", "inspected")
        for back in original.state.returns.values()
    )


def decide_archive(order: Order, actor: str, now_ms: int) -> Order | None:
    """Put a closed order away once nobody can come back on it; None when it is put away, or too early by itself.
    Anything that happens to it afterwards brings it back."""
    if order.state.archived:
        return None
    if stage(order) not in CLOSED:
        raise Refused("still_open", f"{order.order_id} is in {stage(order)}")
    if actor == "sweep" and now_ms - order.state.since_ms < ARCHIVE_AFTER_MS:
        return None
    return moved(order, order, "archive", now_ms=now_ms, actor=actor)
