"""What a channel's statement of an order makes of the order we hold."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

from chalicelib.domain.attribution import newest_referral
from chalicelib.domain.authorisation import READ, RECKONED
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelLine, ChannelOrder, Contact, Payment, Problem
from chalicelib.domain.holds import computed_holds, decide_hold, late_cancellation
from chalicelib.domain.lifecycle import cancel_open, locked_locations
from chalicelib.domain.moves import moved
from chalicelib.domain.orders import (
    COMPUTED,
    Content,
    Hold,
    Order,
    OrderLine,
    Quantities,
    Shipment,
    State,
    refunded_minor,
)
from chalicelib.domain.sourcing import region_of

BEFORE_IMPORT = "before-import"  # shipment id of units that had left before we first saw the order


def decide_entry(order: Order | None, fact: ChannelOrder, skus: Mapping[str, Sku], now_ms: int) -> Order | None:
    """The order after `fact`, or None when the fact is old or already applied.

    `skus` maps the ids of new lines to what we sell; one without puts the order on hold. The newest fact wins, whatever
    the order of arrival: facts are compared by `precedence`, and captured or refunded money never falls.
    """
    if order and not is_news(order, fact):
        return None
    source = precedence(fact)
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
        payment=_payment(before, fact.payment),
        void=before.void if _same_payment(before, fact.payment) else "",
        cancelled=fact.cancelled,
        placed_ms=before.placed_ms if order else fact.placed_ms,
        ship_by_ms=before.ship_by_ms if order else fact.ship_by_ms,
        referred=fact.attribution.referral.consent if fact.attribution else before.referred,
        shipments=before.shipments if order else _shipped_before(quantities, fact),
    )
    content = _content(order.content if order else None, fact, lines, state.placed_ms)
    if fact.cancelled:
        problems = late_cancellation(state) if order else []  # what had gone before we saw it was decided elsewhere
    else:
        problems = _problems(_told_in(order), fact, lines, state)
    state = replace(state, holds=computed_holds(before, problems, now_ms))
    after = Order(fact.channel, fact.external_id, state, content)
    return moved(order, after, "edit" if order else "enter", now_ms=now_ms)


def decide_recheck(order: Order, skus: Mapping[str, Sku], now_ms: int) -> Order | None:
    """A held order looked at again after the catalogue has changed; None when nothing is different."""
    assert order.content
    lines = tuple(line if line.sku else _known_as(line, skus.get(line.line_id)) for line in order.lines)
    others = [Problem(hold.reason, hold.detail) for hold in order.state.holds if hold.reason != "unknown_sku"]
    holds = computed_holds(order.state, others + _unknown_skus(lines, order.state), now_ms)
    if holds == order.state.holds and lines == order.lines:
        return None
    after = replace(order.having(holds=holds), content=replace(order.content, lines=lines))
    return moved(order, after, "recheck", now_ms=now_ms)


def decide_readdress(order: Order, known: Contact | None, new: Contact, now_ms: int) -> Order | None:
    """Hold an order whose address has changed when a location has begun to work on it; None when nobody has."""
    changed = known is not None and bool(new.address) and dict(known.address) != dict(new.address)
    at_work = sorted(locked_locations(order.state))
    if not changed or not at_work:
        return None
    detail = f"the address has changed after {', '.join(at_work)} took the order: have it relabelled"
    return decide_hold(order, "address", detail, "entry", now_ms)


def unreadable(channel: str, external_id: str, detail: str, now_ms: int) -> Order:
    """An order made of a payload that nobody could read: on hold, so that it is seen and nothing is dropped."""
    content = Content("unreadable", "", now_ms, "", (), ())
    holds = (Hold("unreadable", detail, now_ms, owner="entry"),)
    state = State(total_minor=0, quantities=(), holds=holds, placed_ms=now_ms)
    return moved(None, Order(channel, external_id, state, content), "enter", now_ms=now_ms, cause="kept unread")


def is_news(order: Order, fact: ChannelOrder) -> bool:
    """Whether the fact is newer than the newest that was applied."""
    return order.state.source < precedence(fact)


def precedence(fact: ChannelOrder) -> tuple[int, ...]:
    """Total order of the facts of one order: the source's own time, then how far the order had come, then how much of
    it is told.

    Channels stamp whole seconds, so two facts may share a time; the checksum only breaks a full tie the same way
    everywhere.
    """
    pay = fact.payment
    called_off = sum(line.cancelled for line in fact.lines)
    checksum = zlib.crc32(repr(replace(fact, contact=None, attribution=None)).encode())
    checksum += bool(fact.attribution) << 32  # of two words of one time, the one that knows where he came from is newer
    taken_minor = max(pay.captured_minor, fact.total_minor * pay.vouched)
    told = (fact.told_ms, pay.authorised_minor, checksum)
    return (fact.version_ms, int(fact.cancelled), called_off, pay.refunded_minor, taken_minor, *told)


def _content(known: Content | None, fact: ChannelOrder, lines: tuple[OrderLine, ...], placed_ms: int) -> Content:
    address = fact.contact.address if fact.contact else {}
    country = fact.country or address.get("country", "")
    region = region_of(country, address.get("postcode", "")) or (known.region if known else "")
    referral = newest_referral(
        known.referral if known else None, fact.attribution.referral if fact.attribution else None
    )
    return Content(fact.label, fact.country, placed_ms, fact.currency, lines, fact.charges, region, referral)


def _lines(known: tuple[OrderLine, ...], fact: ChannelOrder, skus: Mapping[str, Sku]) -> tuple[OrderLine, ...]:
    """Known lines keep their place and what they are, new ones follow; a line is never taken away, only cancelled."""
    by_id = {line.line_id: line for line in known}
    for line in fact.lines:
        old = by_id.get(line.line_id)
        new = OrderLine(
            line_id=line.line_id,
            sku=old.sku if old else "",
            channel_sku=old.channel_sku if old else line.channel_sku,
            title=line.title,
            price_minor=line.price_minor,
            discount_minor=line.discount_minor,
            tax_minor=line.tax_minor,
            ships=line.ships,
            listing_ref=line.listing_ref,
            components=old.components if old else (),
            release_ms=old.release_ms if old else 0,
        )
        by_id[line.line_id] = new if new.sku else _known_as(new, skus.get(line.line_id))
    return tuple(by_id.values())


def _known_as(line: OrderLine, sku: Sku | None) -> OrderLine:
    """The line as the SKU that it is, with the makeup of a kit at this moment."""
    return replace(line, sku=sku.sku, components=sku.components, release_ms=sku.release_ms) if sku else line


def _units(units: Quantities | None, line: ChannelLine | None, *, called_off: bool, imported: bool) -> Quantities:
    """The ledger of a line after the channel's word. A line that the channel no longer lists is called off. What the
    channel has shipped is taken over only with an order that is `imported`, seen for the first time."""
    units = units or Quantities(ordered=line.quantity if line else 0)
    wanted = line.quantity - line.cancelled if line and not called_off else 0
    ordered = max(units.ordered, line.quantity if line else 0)
    units = replace(units, ordered=ordered, cancel_wanted=ordered - min(max(wanted, 0), ordered))
    if imported and line:
        units = replace(units, shipped=min(max(line.fulfilled, 0), ordered))
    return settle_cancellation(units)


def settle_cancellation(units: Quantities) -> Quantities:
    """Called-off units that are still open leave the work; units wanted again are open and must be promised anew."""
    refused = max(min(units.cancel_refused, units.unwanted - units.cancelled), 0)
    units = replace(units, cancelled=min(units.cancelled, units.unwanted), cancel_refused=refused)
    return cancel_open(units)


def _shipped_before(quantities: list[Quantities], fact: ChannelOrder) -> tuple[Shipment, ...]:
    items = {index: units.shipped for index, units in enumerate(quantities) if units.shipped}
    if not items:
        return ()
    return (Shipment(BEFORE_IMPORT, "", "", "", fact.version_ms, items, confirmed_ms=fact.version_ms),)


def _payment(before: State, now: Payment) -> Payment:
    """Captured and refunded money only ever grows; only vouching and authorisation may be withdrawn. What has been
    paid back was collected before, also where the marketplace that collected it vouches no more."""
    refunded = max(refunded_minor(before), now.refunded_minor)
    captured = max(before.payment.captured_minor, now.captured_minor, refunded)
    kept = _same_payment(before, now)
    if kept and now.expiry == RECKONED and before.payment.expiry == READ:
        now = replace(now, expires_ms=before.payment.expires_ms, expiry=READ)
    return replace(
        now,
        captured_minor=captured,
        refunded_minor=refunded,
        captor=now.captor or before.payment.captor,
        reference=now.reference or before.payment.reference,
        lapsed=now.lapsed or (kept and before.void == "done"),
        expires_ms=now.expires_ms or (before.payment.expires_ms if kept and before.payment.reference else 0),
    )


def _same_payment(before: State, now: Payment) -> bool:
    """Whether the word is about the payment that we know: who has given an authorisation free says `authorised` of it
    no more, but the shop that sends us its order may not know that yet."""
    return now.reference in ("", before.payment.reference)


def _told_in(order: Order | None) -> str:
    """The currency of the price that is known; "" while the channel has not told the price."""
    return order.content.currency if order and order.content and not order.state.payment.awaited else ""


def _problems(known_currency: str, fact: ChannelOrder, lines: tuple[OrderLine, ...], state: State) -> list[Problem]:
    untold = [hold for hold in state.holds if hold.owner == COMPUTED and hold.reason in fact.untold]
    found = [*fact.problems, *(Problem(hold.reason, hold.detail) for hold in untold), *_unknown_skus(lines, state)]
    if fact.stated_minor() != fact.total_minor and not any(p.reason == "total_mismatch" for p in found):
        found.append(
            Problem("total_mismatch", f"lines and charges add up to {fact.stated_minor()}, not {fact.total_minor}")
        )
    if fact.total_minor < 0:
        found.append(Problem("negative_total", f"the total is {fact.total_minor}"))
    if not fact.lines and not fact.charges:
        found.append(Problem("no_lines", "the order lists nothing to deliver or to pay"))
    if known_currency not in ("", fact.currency):
        found.append(
            Problem("currency_changed", f"was {known_currency}, is {fact.currency}: amounts cannot be compared")
        )
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
