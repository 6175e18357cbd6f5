"""Tracking: carriers tell how parcels stand, by their webhooks or when they are asked; the order never goes back.

Messages: {tracking_number, status, at_ms, carrier} = so far it has come, in the words of `domain/parcels.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from chalice import Blueprint, Rate

from chalicelib.domain.errors import HeadraceError, Refused, Unanswered
from chalicelib.domain.parcels import TrackingEvent, advanced
from chalicelib.domain.shipping import decide_tracking, has_parcel
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.clients import carrier_for, is_of_account
from chalicelib.runtime.lambdas import from_sqs, on_schedule, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.labels import ENDED, StoredLabel, keep_label, labels_tracked_by, unheard_labels
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

UNHEARD_MS = 6 * 3_600_000  # a carrier that tells by itself is asked only when it has been silent for so long
LOST_MS = 60 * 86_400_000  # of a parcel that was bought so long ago nothing more is asked
_ASKED_AT_ONCE = 100
_MOST_MISSES = 3  # an account that has not answered so often is left alone until the next run


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Bring each parcel as far as its carrier says; the ids of the messages that must come again."""
    return each("tracking", follow, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("tracking"), batch_size=10, name="tracking")
@from_sqs(work)
def tracking(event: Any) -> None:
    """Lambda."""


@blueprint.schedule(Rate(30, unit=Rate.MINUTES), name="poll_tracking")
@on_schedule(lambda runtime: ask_carriers(runtime))
def poll_tracking(event: Any) -> None:
    """Lambda."""


def messages_of(events: Iterable[TrackingEvent]) -> list[Message]:
    """One message for each parcel: the furthest report, when its carrier made it."""
    furthest: dict[str, TrackingEvent] = {}
    for event in events:
        known = furthest.get(event.tracking_number)
        if known is None or advanced(known.status, event) != known.status:
            furthest[event.tracking_number] = event
    return [
        {"tracking_number": number, "status": e.status, "at_ms": e.at_ms, "carrier": e.carrier}
        for number, e in furthest.items()
    ]


def follow(message: Message, runtime: Runtime) -> None:
    """One parcel's report. The order is written before the label: what breaks off in between is done again."""
    event = TrackingEvent(message["tracking_number"], message["status"], message["at_ms"], message.get("carrier", ""))
    for label in labels_tracked_by(runtime.tables, event.tracking_number):
        _follow(label, event, runtime)


def _follow(label: StoredLabel, event: TrackingEvent, runtime: Runtime) -> None:
    """The label's parcel. What comes before the parcel is recorded is kept with the label, whose end is awaited until
    the order has it too."""
    now_ms = runtime.clock()
    if event.at_ms < label.bought_ms - UNHEARD_MS:  # of a parcel that had this number before
        event = replace(event, status="unknown")
    status = advanced(label.tracking, event)
    order = read_order(runtime.tables, label.order_id)
    after = decide_tracking(order, replace(event, status=status), now_ms) if order else None
    if order and after:
        runtime.tables.write(*order_writes(order, after))
        log("tracked", order=label.order_id, label=label.label_id, status=status)
    if order and status in ENDED and not has_parcel(order, label.label_id, event.tracking_number):
        status = label.tracking
    is_lost = now_ms - label.bought_ms > LOST_MS
    keep_label(runtime.tables, label, replace(label, tracking=status, heard_ms=0 if is_lost else now_ms))


def ask_carriers(runtime: Runtime) -> None:
    """Ask about parcels of which nothing was heard for long, those first that are unheard of longest; and once more for
    labels whose giving back was not decided. What goes wrong with one parcel or account stops no other."""
    misses: Counter[str] = Counter()  # by account
    bugs: list[Exception] = []
    before_ms = runtime.clock() - UNHEARD_MS
    silent = unheard_labels(runtime.tables, before_ms, lambda account: misses[account] >= _MOST_MISSES)
    for label in islice(silent, _ASKED_AT_ONCE):
        if label.status == "voiding":
            runtime.queues.send("labels", [{"order": label.order_id, "void": label.label_id}])
        else:
            runtime.queues.send("tracking", [_heard_of(label, misses, bugs, runtime)])
    log("parcels_asked", misses=misses.total(), bugs=len(bugs))
    if bugs:
        raise bugs[0]  # now that all have had their turn


def _heard_of(label: StoredLabel, misses: Counter[str], bugs: list[Exception], runtime: Runtime) -> Message:
    """What its carrier says of the parcel; where that is nothing, that it was asked. That counts as heard, whatever
    went wrong: else those that never answer would be the first each time, and no other had its turn."""
    try:
        if heard := _asked(label, runtime):
            return heard
    except Exception as error:  # noqa: BLE001 a bug is raised when all have had their turn
        if not isinstance(error, HeadraceError):
            bugs.append(error)
        if is_of_account(error):
            misses[label.account] += 1 if isinstance(error, Unanswered) else _MOST_MISSES
        reason = error.reason if isinstance(error, Refused) else ""
        log("parcel_not_asked", label=label.label_id, error=type(error).__name__, reason=reason)
    return {"tracking_number": label.bought["tracking_number"], "status": "unknown", "at_ms": runtime.clock()}


def _asked(label: StoredLabel, runtime: Runtime) -> Message | None:
    """What its carrier says of the parcel, if anything."""
    number, carrier = label.bought["tracking_number"], label.bought["carrier"]
    events = carrier_for(label.account, runtime).track(number, carrier)
    told = [message for message in messages_of(events) if message["tracking_number"] == number]
    return told[0] if told else None
