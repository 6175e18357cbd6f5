"""Channel sync: drives what we want a channel to show until it has acknowledged it, and records that it has.

Availability goes out as absolute numbers read at sending time, under the stock's version: an older number never follows
a newer one. Shipments are confirmed to the channel that sold. Messages: {sku} and {order} = look at it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from chalice import Blueprint

from chalicelib.channels.port import Availability, ShipmentConfirmation
from chalicelib.domain.advance import CONFIRMATION_REFUSED, decide_confirmation, decide_hold
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Stale
from chalicelib.domain.lifecycle import unconfirmed_shipments
from chalicelib.domain.orders import Order, Shipment
from chalicelib.runtime.batch import Delivery, Work, each, failed, is_done_with, put_back
from chalicelib.runtime.clients import client_for
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_locations
from chalicelib.store.listings import Listing, acknowledge, listings_of
from chalicelib.store.orders import order_writes, read_order
from chalicelib.store.stock import read_stock

blueprint = Blueprint(__name__)


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
    orders = [delivery for delivery in batch if "sku" not in delivery.body]
    return _push_skus(kind, skus, runtime) + each(queue, confirm_shipments, orders, runtime)


def confirm_shipments(message: Message, runtime: Runtime) -> None:
    """Tell the selling channel of the shipments that it has not acknowledged. Telling it twice is harmless: each
    client reads before it repeats, or names the parcel by a number that stays the same."""
    order = read_order(runtime.tables, message["order"], content=True)
    pending = unconfirmed_shipments(order) if order else ()
    if not order or not pending:
        return
    client = client_for(order.channel, runtime)
    after = None
    try:
        for sequence, shipment in enumerate(order.state.shipments, start=1):
            if shipment.shipment_id in pending:
                client.confirm_shipment(order.external_id, _confirmation(order, shipment, sequence))
        after = decide_confirmation(order, frozenset(pending), runtime.clock())
    except Refused as refused:  # a parcel that the channel will not take is for a person to see
        if not is_done_with(refused):
            raise
        after = decide_hold(order, CONFIRMATION_REFUSED, str(refused), "sync", runtime.clock())
    if after:
        runtime.tables.write(*order_writes(order, after))


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
    """Push the availability of every SKU of the batch, sold-out ones first; the ids of the messages to come again."""
    by_channel: dict[str, list[Wanted]] = defaultdict(list)
    for wanted in _wanted(kind, batch, runtime):
        by_channel[wanted.listing.channel].append(wanted)
    trouble: dict[str, HeadraceError] = {}
    for channel, listings in by_channel.items():
        trouble |= _push(channel, sorted(listings, key=lambda w: w.quantity), runtime)
    return [d.message_id for d in batch if not _done(SYNC_QUEUES[kind], d, trouble.get(d.body["sku"]), runtime)]


def _wanted(kind: str, batch: Sequence[Delivery], runtime: Runtime) -> list[Wanted]:
    """What is not acknowledged yet. A SKU whose push may have crossed another, or broke off after it was sent, goes
    out again whatever was acknowledged."""
    again = {d.body["sku"] for d in batch if d.receives > 1 or d.body.get("crossed")}
    skus = sorted({delivery.body["sku"] for delivery in batch})
    stock = read_stock(runtime.tables, skus, read_locations(runtime.tables))
    found = []
    for listing in listings_of(runtime.tables, skus, kind):
        places = stock[listing.sku]
        wanted = Wanted(
            listing,
            quantity=max(sum(place.available for place in places), 0),
            version=sum(place.version for place in places),
            changed_ms=max((place.changed_ms for place in places), default=0),
        )
        if wanted.version > listing.acked_version or listing.sku in again:
            found.append(wanted)
    return found


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
