"""The relay: each committed change becomes messages for the stage that has work and for the channels that must know.

Woken by the streams of the orders and the stock table; it holds no cursor of its own. A batch stops at its first
failure and comes again. Messages say what to look at, so one sent twice is harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chalice import Blueprint

from chalicelib.channels.registry import PROCESSORS, kind_of
from chalicelib.domain.authorisation import asks_expiry
from chalicelib.domain.cancellation import has_come_back
from chalicelib.domain.lifecycle import (
    asks_processor,
    is_funded,
    unsaid_to_channel,
    untold_cancellations,
    waits_for_stock,
    work_due,
)
from chalicelib.domain.orders import Order, total_units
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime, runtime
from chalicelib.store.counters import Moved, count
from chalicelib.store.orders import order_of
from chalicelib.store.stock import is_stock
from chalicelib.store.tables import Item

blueprint = Blueprint(__name__)


class Record(NamedTuple):
    """One committed change: the item before and after (None where it did not exist) and its place in the stream."""

    event_id: str
    sequence: int
    old: Item | None
    new: Item | None


@blueprint.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:000000000000:table/headrace-orders/stream/0", batch_size=100, name="relay"
)
def relay(event: Any) -> Mapping[str, Any]:
    """Lambda. A batch that fails is raised and comes again whole, from its first record."""
    work([_record(raw) for raw in event.to_dict()["Records"]], runtime())
    return {"batchItemFailures": []}


def _record(raw: Mapping[str, Any]) -> Record:
    from chalicelib.store.dynamo import image_to_plain

    change = raw["dynamodb"]
    old, new = (image_to_plain(change[name]) if name in change else None for name in ("OldImage", "NewImage"))
    return Record(raw["eventID"], int(change["SequenceNumber"]), old, new)


def work(records: Sequence[Record], runtime: Runtime) -> None:
    """Send what follows from the records, then count the orders that changed stage. Raises: nothing is lost, the whole
    batch comes again."""
    messages: dict[str, dict[str, Message]] = defaultdict(dict)
    for record in records:
        for queue, message in _follow_up(record):
            messages[queue][str(message)] = message
    for queue, unique in messages.items():
        runtime.queues.send(queue, list(unique.values()))
    moved = [Moved(record.event_id, record.sequence, _stage_changes(record)) for record in records]
    if moved:
        count(runtime.tables, moved)


def _follow_up(record: Record) -> list[tuple[str, Message]]:
    new = record.new
    if new is None:
        return []
    if new["sk"] == "STATE":
        return _after_order(record.old, new)
    return _after_stock(record.old or {}, new) if is_stock(new["sk"]) else []


def _after_order(old: Item | None, new: Item) -> list[tuple[str, Message]]:
    """The stage that has work, the channel that must be told, and the exchanges whose goods have come back."""
    order, before = order_of(new), order_of(old) if old else None
    sync = SYNC_QUEUES.get(kind_of(order.channel), "")
    due = [work_due(order)]
    if waits_for_stock(order) and _waits_anew(order, before):
        due.append("allocation")
    if unsaid_to_channel(order):
        due.append(sync or (SYNC_QUEUES["shop"] if asks_processor(order.state) else ""))
    if before and _frees_labels(order, before):
        due.append("labels")
    if _is_purchase(order) and not (before and _is_purchase(before)):
        due.append("meta")
    follow_up: list[tuple[str, Message]] = [(queue, {"order": order.order_id}) for queue in due]
    payment = order.state.payment
    if asks_expiry(order.state) and kind_of(payment.captor) in PROCESSORS and not _asked_before(order, before):
        hint = {"channel": payment.captor, "external_id": payment.reference, "expiry_of": order.order_id}
        follow_up.append(("hints", hint))
    if _may_have_restocked(order, before):
        follow_up.append((sync, {"restocked_by": order.order_id}))
    return [(queue, message) for queue, message in follow_up if queue] + [
        ("entry", {"order": back.exchange})
        for name, back in order.state.returns.items()
        if back.exchange and has_come_back(order, back.exchange) and before and before.state.returns.get(name) != back
    ]


def _asked_before(order: Order, before: Order | None) -> bool:
    """Whether the end of this very payment has been asked for: once, however often the order changes meanwhile."""
    if before is None or not asks_expiry(before.state):
        return False
    was, now = before.state.payment, order.state.payment
    return (was.captor, was.reference) == (now.captor, now.reference)


def _frees_labels(order: Order, before: Order) -> bool:
    """Whether a label that is wanted may have waited for this: a hold has ended, or an order is paid, and it may have
    been before: a line that is added costs more, and what was kept for it stays."""
    is_paid = is_funded(order.state) and not is_funded(before.state)
    has_units = total_units(before.state.quantities)["allocated"] > 0
    return bool(before.state.holds and not order.state.holds) or (is_paid and has_units)


def _may_have_restocked(order: Order, before: Order | None) -> bool:
    """Whether the channel has heard of a cancellation, or told us of one: it may put the units back on sale by itself,
    also those of an order that was never promised any, or that is first heard of now, whose end changes no stock of
    ours."""
    if order.state.linked_to or untold_cancellations(order.state):
        return False
    if before is None:
        return _cancelled(order) > 0
    return _cancelled(order) > _cancelled(before) or bool(untold_cancellations(before.state))


def _cancelled(order: Order) -> int:
    return sum(units.cancelled for units in order.state.quantities)


def _is_purchase(order: Order) -> bool:
    """Whether it may be told to where its buyer came from: he consents, and the money is sure."""
    return order.state.referred and is_funded(order.state) and not order.state.cancelled and not order.state.linked_to


def _waits_anew(order: Order, before: Order | None) -> bool:
    """An order that begins to wait for stock is looked at once more: stock that came in while it was being decided has
    asked who waits before it stood there. So is one that a location takes back."""
    return not before or not waits_for_stock(before) or before.state.fulfilment != order.state.fulfilment


def _after_stock(old: Item, new: Item) -> list[tuple[str, Message]]:
    """Every channel that lists the SKU hears of a changed availability; a rise may serve backordered orders."""
    before, after = old.get("available", 0), new.get("available", 0)
    message: Message = {"sku": new["pk"]}
    queues = [SYNC_QUEUES[kind] for kind in new.get("listed_on", ())] if before != after or not old else []
    if old.get("listings") != new.get("listings"):
        queues = [SYNC_QUEUES[kind] for kind in new.get("listed_on", ())]
    if after > before:
        queues.append("allocation")
    return [(queue, message) for queue in queues]


def _stage_changes(record: Record) -> tuple[tuple[str, str, int], ...]:
    changes = []
    for item, sign in ((record.old, -1), (record.new, +1)):
        if item and item["sk"] == "STATE":
            channel = item["pk"].partition(":")[0]
            changes.append((channel, item["stage"], sign))
            if item["held"]:
                changes.append((channel, "on_hold", sign))
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for channel, stage, sign in changes:
        totals[channel, stage] += sign
    return tuple((channel, stage, total) for (channel, stage), total in totals.items() if total)
