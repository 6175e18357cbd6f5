"""What a channel's statement of an order makes of the order we hold."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Payment, Problem
from chalicelib.domain.lifecycle import cancel_open, moved
from chalicelib.domain.orders import COMPUTED, Content, Hold, Order, OrderLine, Quantities, Shipment, State

BEFORE_IMPORT = "before-import"  # shipment id of units that had left before we first saw the order


def decide_entry(order: Order | None, fact: ChannelOrder, skus: Mapping[str, str], now_ms: int) -> Order | None:
    """The order after `fact`, or None when the fact is old or already applied.

    `skus` maps line ids to our SKUs; a line without one puts the order on hold. The newest fact wins whatever the
    order of arrival: facts are compared by `precedence`, and captured or refunded money never falls.
    """
    source = precedence(fact)
    if order and order.state.source >= source:
        return None
    before = order.state if order else State(total_minor=0, quantities=())
    lines = _lines(order.lines if order else (), fact, skus)
    stated = {line.line_id: line for line in fact.lines}
    quantities = []
    for index, line in enumerate(lines):
        units = before.quantities[index] if index < len(before.quantities) else None
        word = stated.get(line.line_id)
        quantities.append(_units(units, word, called_off=fact.cancelled, imported=order is None))
    state = replace(
        before,
        total_minor=fact.total_minor,
        quantities=tuple(quantities),
        source=source,
        payment=_payment(before.payment, fact.payment),
        placed_ms=before.placed_ms if order else fact.placed_ms,
        shipments=before.shipments if order else _shipped_before(quantities, fact),
    )
    state = replace(state, holds=_holds(before.holds, _problems(fact, lines, state), now_ms))
    content = Content(fact.label, fact.country, state.placed_ms, fact.currency, lines, fact.charges)
    after = Order(fact.channel, fact.external_id, state, content)
    return moved(order, after, now_ms=now_ms, actor="entry", what="edited" if order else "entered")


def decide_recheck(order: Order, skus: Mapping[str, str], now_ms: int) -> Order | None:
    """A held order looked at again after the catalogue has changed; None when nothing is different."""
    assert order.content
    lines = tuple(replace(line, sku=line.sku or skus.get(line.line_id, "")) for line in order.lines)
    others = [Problem(hold.reason, hold.detail) for hold in order.state.holds if hold.reason != "unknown_sku"]
    holds = _holds(order.state.holds, others + _unknown_skus(lines, order.state), now_ms)
    if holds == order.state.holds and lines == order.lines:
        return None
    after = replace(order.having(holds=holds), content=replace(order.content, lines=lines))
    return moved(order, after, now_ms=now_ms, actor="entry", what="rechecked")


def unreadable(channel: str, external_id: str, detail: str, now_ms: int) -> Order:
    """An order made of a payload that nobody could read: on hold, so that it is seen and nothing is dropped."""
    content = Content("unreadable", "", now_ms, "", (), ())
    holds = (Hold("unreadable", detail, now_ms, owner="entry"),)
    state = State(total_minor=0, quantities=(), holds=holds, placed_ms=now_ms)
    after = Order(channel, external_id, state, content)
    return moved(None, after, now_ms=now_ms, actor="entry", what="kept unread")


def precedence(fact: ChannelOrder) -> tuple[int, ...]:
    """Total order of the facts of one order: the source's own time, then how far the order had come.

    Channels stamp whole seconds, so two facts may share a time; the checksum only breaks a full tie the same way
    everywhere.
    """
    pay = fact.payment
    called_off = sum(line.cancelled for line in fact.lines)
    checksum = zlib.crc32(repr(replace(fact, contact=None)).encode())
    money = (pay.refunded_minor, max(pay.captured_minor, fact.total_minor * pay.vouched), pay.authorised_minor)
    return (fact.version_ms, int(fact.cancelled), called_off, *money, checksum)


def _lines(known: tuple[OrderLine, ...], fact: ChannelOrder, skus: Mapping[str, str]) -> tuple[OrderLine, ...]:
    """Known lines keep their place and their SKU, new ones follow; a line is never taken away, only cancelled."""
    by_id = {line.line_id: line for line in known}
    for line in fact.lines:
        old = by_id.get(line.line_id)
        by_id[line.line_id] = OrderLine(
            line_id=line.line_id,
            sku=(old.sku if old else "") or skus.get(line.line_id, ""),
            channel_sku=old.channel_sku if old else line.channel_sku,
            title=line.title,
            price_minor=line.price_minor,
            discount_minor=line.discount_minor,
            tax_minor=line.tax_minor,
            ships=line.ships,
            listing_ref=line.listing_ref,
        )
    return tuple(by_id.values())


def _units(units: Quantities | None, line: ChannelLine | None, *, called_off: bool, imported: bool) -> Quantities:
    """The ledger of a line after the channel's word. A line that the channel no longer lists is called off. What the
    channel has shipped is taken over only with an order that is `imported`, seen for the first time."""
    units = units or Quantities(ordered=line.quantity if line else 0)
    wanted = line.quantity - line.cancelled if line and not called_off else 0
    ordered = max(units.ordered, line.quantity if line else 0)
    units = replace(units, ordered=ordered, cancel_wanted=ordered - min(max(wanted, 0), ordered))
    if imported and line:
        units = replace(units, shipped=min(max(line.fulfilled, 0), ordered))
    if units.cancelled > units.cancel_wanted:  # un-cancelled: the units are open again and must be promised anew
        units = replace(units, cancelled=units.cancel_wanted)
    return cancel_open(units)


def _shipped_before(quantities: list[Quantities], fact: ChannelOrder) -> tuple[Shipment, ...]:
    items = {index: units.shipped for index, units in enumerate(quantities) if units.shipped}
    if not items:
        return ()
    return (Shipment(BEFORE_IMPORT, "", "", "", fact.version_ms, items, confirmed_ms=fact.version_ms),)


def _payment(before: Payment, now: Payment) -> Payment:
    """Captured and refunded money only ever grows; only vouching and authorisation may be withdrawn."""
    refunded = max(before.refunded_minor, now.refunded_minor)
    captured = max(before.captured_minor, now.captured_minor, refunded)
    return replace(now, captured_minor=captured, refunded_minor=refunded)


def _problems(fact: ChannelOrder, lines: tuple[OrderLine, ...], state: State) -> list[Problem]:
    if fact.cancelled:
        return []
    found = [*fact.problems, *_unknown_skus(lines, state)]
    if fact.stated_minor() != fact.total_minor and not any(p.reason == "total_mismatch" for p in found):
        found.append(
            Problem("total_mismatch", f"lines and charges add up to {fact.stated_minor()}, not {fact.total_minor}")
        )
    if fact.total_minor < 0:
        found.append(Problem("negative_total", f"the total is {fact.total_minor}"))
    if not fact.lines and not fact.charges:
        found.append(Problem("no_lines", "the order lists nothing to deliver or to pay"))
    return [*found, *_shipped_elsewhere(fact, lines, state), *_other_item(fact, lines)]


def _unknown_skus(lines: tuple[OrderLine, ...], state: State) -> list[Problem]:
    missing = [
        line.channel_sku or line.listing_ref or line.line_id
        for line, units in zip(lines, state.quantities, strict=True)
        if line.ships and not line.sku and units.ordered - units.cancelled - units.shipped > 0
    ]
    return [Problem("unknown_sku", f"link a listing for: {', '.join(sorted(set(missing))[:20])}")] if missing else []


def _other_item(fact: ChannelOrder, lines: tuple[OrderLine, ...]) -> list[Problem]:
    """A line that names another item than before: what was promised for it may be the wrong goods."""
    known = {line.line_id: line.channel_sku for line in lines}
    changed = [line.line_id for line in fact.lines if line.ships and known[line.line_id] != line.channel_sku]
    return [Problem("item_changed", f"the channel names another item on lines {changed}")] if changed else []


def _shipped_elsewhere(fact: ChannelOrder, lines: tuple[OrderLine, ...], state: State) -> list[Problem]:
    """Units that the channel calls shipped and we do not: somebody shipped them past us."""
    if not fact.fulfilled_is_exact:
        return []
    stated = {line.line_id: line.fulfilled for line in fact.lines}
    beyond = [
        line.line_id
        for line, units in zip(lines, state.quantities, strict=True)
        if line.ships and stated.get(line.line_id, 0) > units.shipped
    ]
    return (
        [Problem("shipped_elsewhere", f"the channel calls more units shipped than we do: {beyond}")] if beyond else []
    )


def _holds(known: tuple[Hold, ...], problems: list[Problem], now_ms: int) -> tuple[Hold, ...]:
    """Holds that people placed stay; computed ones follow the problems and keep the time they began."""
    kept = {hold.reason: hold for hold in known if hold.owner != COMPUTED}
    since = {hold.reason: hold.since_ms for hold in known}
    for problem in problems:
        if problem.reason not in kept:
            kept[problem.reason] = Hold(problem.reason, problem.detail, since.get(problem.reason, now_ms))
    return tuple(kept[reason] for reason in sorted(kept))
