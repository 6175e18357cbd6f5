"""Entry: what a channel says of an order becomes our order, once, whatever arrives twice, late or out of order.

Messages: {channel, raw | claim, hint} = a raw payload; {order} = look at a held order again; {order, do, …} = a
command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from chalice import Blueprint

from chalicelib.channels.registry import kind_of, reader_for
from chalicelib.domain.attribution import TOUCHES
from chalicelib.domain.cancellation import AWAITS_RETURN, has_come_back
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelOrder, Contact
from chalicelib.domain.entry import decide_entry, decide_readdress, decide_recheck, is_news, unreadable
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.funding import decide_funding
from chalicelib.domain.holds import decide_resolve
from chalicelib.domain.orders import Order
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.bodies import claim_of, digest, unclose
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.stages.turns import do
from chalicelib.store.contacts import buyers_of, contact_write, index_writes, is_erased, read_contact
from chalicelib.store.listings import resolve_skus
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.referrals import new_referral_write
from chalicelib.store.tables import Put

blueprint = Blueprint(__name__)

_LARGEST_ITEM_BYTES = 390_000  # DynamoDB keeps 400 KB
_ERASING = ("ebay",)  # kinds of channel that tell us to erase a buyer


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Enter each payload; the ids of the messages that must come again."""
    return each("entry", enter, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("entry"), batch_size=10, name="entry")
@from_sqs(work)
def entry(event: Any) -> None:
    """Lambda."""


def enter(message: Message, runtime: Runtime) -> None:
    """Enter one payload, or look at one held order again."""
    if "do" in message:
        do(message, runtime)
        return
    if "order" in message:
        _recheck(message["order"], runtime)
        return
    raw = unclose(runtime.bodies, message)
    channel = message["channel"]
    try:
        facts = reader_for(kind_of(channel))(raw, channel, hint=message.get("hint", {}))
    except Unreadable as error:
        _keep_unread(channel, raw, error, runtime)
        return
    for fact in facts:
        _enter_fact(fact, raw, runtime)


def _enter_fact(fact: ChannelOrder, raw: bytes, runtime: Runtime) -> None:
    """Enter or edit, and secure the money that the same word of the channel vouches for: one write for both."""
    now_ms = runtime.clock()
    before = read_order(runtime.tables, fact.order_id, content=True)
    if before and not is_news(before, fact):
        return
    known = {line.line_id for line in before.lines if line.sku} if before else set()
    unknown = [line for line in fact.lines if line.line_id not in known]
    after = decide_entry(before, fact, _skus_of(fact.channel, unknown, runtime), now_ms)
    if after is None:
        return
    after = decide_funding(after, now_ms) or after
    buyer = _buyer_of(fact)
    erased = buyer is not None and _is_erased(fact.channel, buyer, runtime)
    if buyer and not erased:
        after = _keep_contact(after, buyer, before, raw, runtime)
    if after.state.holds and not erased and (not before or after.state.holds != before.state.holds):
        runtime.bodies.put(f"held/{after.order_id}", raw)
    writes = order_writes(before, after)
    if max(len(write.item["body"]) for write in writes if isinstance(write, Put)) > _LARGEST_ITEM_BYTES:
        _keep_unread(fact.channel, raw, Unreadable("order_too_large", "split the order"), runtime)
        return
    if day := new_referral_write(before, after):
        runtime.tables.write(day)  # first, so that no order is missing from its day
    runtime.tables.write(*writes)
    log("entered", order=after.order_id, version=after.state.version, holds=len(after.state.holds))


def _buyer_of(fact: ChannelOrder) -> Contact | None:
    """The buyer with what identifies his browser: kept apart from the order, and expiring."""
    tracking = fact.attribution.tracking if fact.attribution else {}
    return replace(fact.contact or Contact(), tracking=tracking) if fact.attribution else fact.contact


def _recheck(order_id: str, runtime: Runtime) -> None:
    """The catalogue may know the SKUs by now; the goods that an exchange waits for may be here."""
    before = read_order(runtime.tables, order_id, content=True)
    if before is None or not before.state.holds:
        return
    original = read_order(runtime.tables, before.state.linked_to) if before.state.linked_to else None
    if original and has_come_back(original, order_id):
        after = decide_resolve(before, AWAITS_RETURN, "entry", runtime.clock())
    else:
        after = decide_recheck(before, _skus_of(before.channel, before.lines, runtime), runtime.clock())
    if after:
        runtime.tables.write(*order_writes(before, after))


def _skus_of(channel: str, lines: Iterable[Any], runtime: Runtime) -> dict[str, Sku]:
    """What we sell by line id, for the lines whose item is linked: by the channel's SKU, else by its listing."""
    named = [(line.line_id, line.channel_sku or line.listing_ref) for line in lines if line.ships]
    skus = resolve_skus(runtime.tables, channel, [name for _, name in named])
    return {line_id: skus[name] for line_id, name in named if name in skus}


def _is_erased(channel: str, buyer: Contact, runtime: Runtime) -> bool:
    """Whether the marketplace has had us forget this buyer: nothing is kept of him, the raw payload included."""
    kind = kind_of(channel)
    return kind in _ERASING and is_erased(runtime.tables, buyers_of(kind, buyer))


def _keep_contact(order: Order, new: Contact, before: Order | None, raw: bytes, runtime: Runtime) -> Order:
    """Keep the buyer's data, and hold the order if its address changes under somebody's hands. A later payload that
    lacks personal data (it decays at the marketplaces) never blanks what is known; what identifies the browser of one
    who does not consent any more goes."""
    kind = kind_of(order.channel)
    known = read_contact(runtime.tables, order.order_id) if before else None
    if known:
        filled = {name: value for name, value in vars(new).items() if value}
        new = replace(known, **filled)
    if not order.state.referred:
        new = replace(new, tracking={name: text for name, text in new.tracking.items() if name in TOUCHES})
    if new == (known or Contact()):
        return order
    if kind in _ERASING:
        for index in index_writes(kind, order.order_id, new, runtime.clock(), claim_of(order.channel, raw)):
            runtime.tables.write(index)
    runtime.tables.write(contact_write(order.order_id, new, runtime.clock()))
    return decide_readdress(order, known, new, runtime.clock()) or order


def _keep_unread(channel: str, raw: bytes, error: Unreadable, runtime: Runtime) -> None:
    """Nothing is dropped: what nobody could read becomes an order on hold, its payload kept."""
    after = unreadable(channel, f"unreadable-{digest(raw)}", str(error), runtime.clock())
    if read_order(runtime.tables, after.order_id):
        return
    runtime.bodies.put(f"held/{after.order_id}", raw)
    runtime.tables.write(*order_writes(None, after))
    log("unreadable", order=after.order_id, reason=error.reason)
