"""Channel sync: drives what we want a channel to show until it has acknowledged it, and records that it has.

Availability goes out as absolute numbers read at sending time, under the stock's version: an older number never follows
a newer one. Shipments are confirmed to the channel that sold. Messages: {sku} and {order} = look at it; {rule_of} = the
rule of that channel has changed, look at all SKUs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from chalice import Blueprint

from chalicelib.channels.port import Availability, CancellationRequest, RefundRequest, ShipmentConfirmation
from chalicelib.channels.registry import kind_of
from chalicelib.domain.availability import published, sellable
from chalicelib.domain.cancellation import cancelled_items, decide_told
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Stale
from chalicelib.domain.funding import decide_refund_outcome
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.lifecycle import unconfirmed_shipments, unsent_refunds, untold_cancellations
from chalicelib.domain.orders import Order, Shipment
from chalicelib.domain.shipping import CONFIRMATION_REFUSED, decide_confirmation
from chalicelib.domain.stock import Stock
from chalicelib.runtime.batch import Delivery, Work, each, failed, is_done_with, put_back
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import ChannelRule, Entry, Listing, acknowledge, list_skus, read_entry, read_rules
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.stock import read_stock

blueprint = Blueprint(__name__)

_SKUS_A_PAGE = 100


def work_for(kind: str) -> Work:
    """The worker of one kind of channel."""
    return lambda batch, runtime: _work(kind, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-shopify"), batch_size=10, name="sync_shopify")
@from_sqs(work_for("shopify"))
def sync_shopify(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-amazon"), batch_size=10, name="sync_amazon")
@from_sqs(work_for("amazon"))
def sync_amazon(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-ebay"), batch_size=10, name="sync_ebay")
@from_sqs(work_for("ebay"))
def sync_ebay(event: Any) -> None:
    """Lambda."""


@blueprint.on_sqs_message(queue_arn=queue_arn("sync-shop"), batch_size=10, name="sync_shop")
@from_sqs(work_for("shop"))
def sync_shop(event: Any) -> None:
    """Lambda."""


def _work(kind: str, batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    queue = SYNC_QUEUES[kind]
    skus = [delivery for delivery in batch if "sku" in delivery.body]
    rules = [delivery for delivery in batch if "rule_of" in delivery.body]
    orders = [delivery for delivery in batch if not {"sku", "rule_of"} & delivery.body.keys()]
    return [
        *_push_skus(kind, skus, runtime),
        *each(queue, lambda message, runtime: spread_rule(queue, message, runtime), rules, runtime),
        *each(queue, tell, orders, runtime),
    ]


def spread_rule(queue: str, message: Message, runtime: Runtime) -> None:
    """Have one page of all SKUs looked at, and then the next. The version of a rule is part of what is acknowledged, so
    what the rule does not touch is told once more and no harm done."""
    skus, cursor = list_skus(runtime.tables, _SKUS_A_PAGE, message.get("cursor", ""))
    following: list[Message] = [{**message, "cursor": cursor}] if cursor else []
    runtime.queues.send(queue, [*({"sku": sku} for sku in skus), *following])


def tell(message: Message, runtime: Runtime) -> None:
    """Tell the selling channel of the shipments, refunds and cancellations that it has not acknowledged, one by one.

    Telling it twice is harmless: each client reads before it repeats, or names the thing by an id that stays the same.
    """
    order = read_order(runtime.tables, message["order"], content=True)
    if not order or order.state.linked_to:  # the channel does not know of an exchange
        return
    steps = [
        *((_confirm, name) for name in unconfirmed_shipments(order)),
        *((_refund, name) for name in unsent_refunds(order.state)),
        *((_cancel, name) for name in untold_cancellations(order.state)),
    ]
    client = client_for(order.channel, runtime) if steps else None
    for step, name in steps:
        after = step(client, order, name, runtime.clock())
        if after:
            runtime.tables.write(*order_writes(order, after))
            order = after


def _confirm(client: Any, order: Order, shipment_id: str, now_ms: int) -> Order | None:
    """A parcel that the channel will not take is for a person to see."""
    numbered = enumerate(order.state.shipments, start=1)
    sequence, shipment = next((n, shipment) for n, shipment in numbered if shipment.shipment_id == shipment_id)
    refusal = _refusal(lambda: client.confirm_shipment(order.external_id, _confirmation(order, shipment, sequence)))
    if refusal:
        return decide_hold(order, CONFIRMATION_REFUSED, refusal, "sync", now_ms)
    return decide_confirmation(order, frozenset((shipment_id,)), now_ms)


def _refund(client: Any, order: Order, refund_id: str, now_ms: int) -> Order | None:
    """A refund is confirmed when the channel has paid; while it is pending, the channel's own word will tell."""
    assert order.content
    refund = order.state.refunds[refund_id]
    request = RefundRequest(refund_id, refund.amount_minor, order.content.currency, refund.reason)
    paid: list[bool] = []
    refusal = _refusal(lambda: paid.append(client.refund(order.external_id, request)))
    if not refusal and not paid[0]:
        raise Busy("the refund is pending at the channel", after_s=60)
    return decide_refund_outcome(order, refund_id, refusal, now_ms)


def _cancel(client: Any, order: Order, cancellation_id: str, now_ms: int) -> Order | None:
    cancelled = cancelled_items(order, cancellation_id)
    items = tuple((order.lines[index].line_id, units) for index, units in cancelled.items())
    request = CancellationRequest(cancellation_id, items, order.state.cancellations[cancellation_id].reason)
    refusal = _refusal(lambda: client.cancel(order.external_id, request)) if items else ""
    return decide_told(order, cancellation_id, refusal, now_ms)


def _refusal(call: Callable[[], Any]) -> str:
    """Why the channel will never take this; "" when it has taken it."""
    try:
        call()
    except Refused as refused:
        if not is_done_with(refused):
            raise
        return str(refused)[:200]
    return ""


def _confirmation(order: Order, shipment: Shipment, sequence: int) -> ShipmentConfirmation:
    return ShipmentConfirmation(
        shipment_id=shipment.shipment_id,
        sequence=sequence,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        shipped_ms=shipment.shipped_ms,
        items=tuple((order.lines[index].line_id, units) for index, units in shipment.items.items()),
    )


class Crossed(Busy):
    """Another worker pushed meanwhile: which of the two numbers the channel shows is not known."""


class Wanted(NamedTuple):
    """What a listing should show, and the stock that says so."""

    listing: Listing
    quantity: int
    version: int
    changed_ms: int


def _push_skus(kind: str, batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Push the availability of every SKU of the batch and of the kits they are in, sold-out ones first; the ids of the
    messages to come again."""
    entries = {sku: read_entry(runtime.tables, sku) for sku in sorted({d.body["sku"] for d in batch})}
    by_channel: dict[str, list[Wanted]] = defaultdict(list)
    for wanted in _wanted(kind, batch, entries, runtime):
        by_channel[wanted.listing.channel].append(wanted)
    trouble: dict[str, HeadraceError] = {}
    for channel, listings in by_channel.items():
        trouble |= _push(channel, sorted(listings, key=lambda w: w.quantity), runtime)
    return [d.message_id for d in batch if not _done(SYNC_QUEUES[kind], d, _trouble_of(d, entries, trouble), runtime)]


def _trouble_of(
    delivery: Delivery, entries: Mapping[str, Entry], trouble: Mapping[str, HeadraceError]
) -> HeadraceError | None:
    """What went wrong with the SKU or one of its kits; first what is worth another try."""
    sku = delivery.body["sku"]
    found = [trouble[name] for name in (sku, *entries[sku].kits) if name in trouble]
    return next((error for error in found if isinstance(error, Busy)), found[0] if found else None)


def _wanted(kind: str, batch: Sequence[Delivery], entries: Mapping[str, Entry], runtime: Runtime) -> list[Wanted]:
    """What is not acknowledged yet. A SKU whose push may have crossed another, or broke off after it was sent, goes
    out again whatever was acknowledged; so do the kits that it is in."""
    crossed = {d.body["sku"] for d in batch if d.receives > 1 or d.body.get("crossed")}
    again = crossed.union(*(entries[sku].kits for sku in crossed))
    kits = sorted({kit for entry in entries.values() for kit in entry.kits} - entries.keys())
    listed = [*entries.values(), *(read_entry(runtime.tables, kit) for kit in kits)]
    listings = [(entry.sku, each) for entry in listed for each in entry.listings if kind_of(each.channel) == kind]
    rules = read_rules(runtime.tables, [listing.channel for _, listing in listings])
    locations = runtime.settled("locations", lambda: read_locations(runtime.tables))
    needed = sorted({part for sku, _ in listings for part in sku.versioned_by})
    stock = read_stock(runtime.tables, needed, locations)
    wanted = [_offer(sku, listing, rules[listing.channel], stock) for sku, listing in listings]
    return [each for each in wanted if each.version > each.listing.acked_version or each.listing.sku in again]


def _offer(sku: Sku, listing: Listing, default: ChannelRule, stock: Mapping[str, Sequence[Stock]]) -> Wanted:
    """What the rule lets the listing show. Its version is made of numbers that only ever rise."""
    places = [place for part in sku.versioned_by for place in stock[part]]
    return Wanted(
        listing,
        quantity=published(listing.rule or default.rule, sellable(sku, stock)),
        version=sum(place.version for place in places) + default.changes,
        changed_ms=max((place.changed_ms for place in places), default=0),
    )


def _push(channel: str, listings: Sequence[Wanted], runtime: Runtime) -> dict[str, HeadraceError]:
    """Push to one account and record what it acknowledged; what went wrong, by SKU."""
    try:
        outcome = client_for(channel, runtime).push_availability([_availability(wanted) for wanted in listings])
    except HeadraceError as error:
        return {wanted.listing.sku: error for wanted in listings}
    trouble: dict[str, HeadraceError] = {}
    for wanted, refusal in zip(listings, outcome, strict=True):
        if refusal:
            trouble[wanted.listing.sku] = refusal
            continue
        try:
            acknowledge(
                runtime.tables, wanted.listing, wanted.quantity, wanted.version, wanted.changed_ms, runtime.clock()
            )
        except Stale:
            trouble[wanted.listing.sku] = Crossed("two workers pushed at once", after_s=1)
    return trouble


def _availability(wanted: Wanted) -> Availability:
    listing = wanted.listing
    shown = listing.acked_quantity if listing.acked_quantity >= 0 else None
    return Availability(listing.channel_sku, listing.refs, wanted.quantity, wanted.version, shown)


def _done(queue: str, delivery: Delivery, error: HeadraceError | None, runtime: Runtime) -> bool:
    if error is None:
        return True
    body = {**delivery.body, "crossed": True} if isinstance(error, Crossed) else delivery.body
    if isinstance(error, Busy) and put_back(queue, body, error, runtime):
        return True
    if isinstance(error, Refused) and is_done_with(error):
        log("push_refused", queue=queue, sku=delivery.body["sku"], reason=error.reason)
        return True
    failed(queue, delivery, error)
    return False
