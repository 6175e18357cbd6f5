"""Giving a label back, and ending one that was never bought."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.orders import Order
from chalicelib.domain.parcels import is_taken
from chalicelib.domain.shipping import has_parcel, lacks_units
from chalicelib.outbound.label_purchase import asked, client_of, sold_label
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.labels import StoredLabel, keep_label, labels_of, read_label
from chalicelib.store.orders import read_order

UNITS_CALLED_OFF = "units_called_off"  # why a label has ended: cancelled, shipped otherwise or allocated elsewhere

_BEING_BOUGHT_S = 60


def is_called_off(label: StoredLabel, order: Order) -> bool:
    """Whether units of the label are gone: cancelled, shipped otherwise or allocated elsewhere. Those that have left as
    its own parcel are not."""
    has_left = label.bought and has_parcel(order, label.label_id, label.bought["tracking_number"])
    return not has_left and lacks_units(order, label.wish["location"], label.wish["lines"])


def call_off(label: StoredLabel, runtime: Runtime) -> None:
    """End a label that is for nothing any more; one that is bought goes back to the carrier."""
    if label.status == "wanted":
        keep_label(runtime.tables, label, replace(label, status="voided", why=UNITS_CALLED_OFF, rate={}, ref=""))
    else:
        now_ms = runtime.clock()
        keep_label(runtime.tables, label, replace(label, status="voiding", why=UNITS_CALLED_OFF, heard_ms=now_ms))
        runtime.queues.send("labels", [{"order": label.order_id, "void": label.label_id}])
    log("label_called_off", order=label.order_id, label=label.label_id, was=label.status)


def give_back(order_id: str, label_id: str, runtime: Runtime) -> None:
    """Void a label. One that is being bought just now is bought first; what a carrier decides later is asked again by
    `poll_tracking`."""
    label = read_label(runtime.tables, order_id, label_id)
    if label is None:
        raise Refused("unknown_label", f"{order_id} has no label {label_id!r}")
    if label.status == "wanted" and label.rate:
        raise Busy("the label is being bought", after_s=_BEING_BOUGHT_S)
    if label.status == "wanted":
        keep_label(runtime.tables, label, replace(label, status="voided"))
        return
    if label.status == "voided" or (label.status == "bought" and is_taken(label.tracking)):
        return
    now_ms, why = runtime.clock(), label.why if label.status == "voiding" else ""
    label = keep_label(runtime.tables, label, replace(label, status="voiding", why=why, heard_ms=now_ms))
    client = client_of(label, runtime)
    try:
        is_void = asked(label.account, lambda: client.void(sold_label(label)))
    except Refused as refused:
        keep_label(runtime.tables, label, replace(label, status="bought", why=str(refused)[:200]))
        return
    if is_void:
        _reopen(label, runtime)
        keep_label(runtime.tables, label, replace(label, status="voided"))
    log("label_void", order=order_id, label=label_id, done=is_void)


def _reopen(label: StoredLabel, runtime: Runtime) -> None:
    """A location whose only label is void has work again, unless its parcel was recorded: that stays as it is."""
    order, location = read_order(runtime.tables, label.order_id), label.wish["location"]
    others = [
        each
        for each in labels_of(runtime.tables, label.order_id)
        if each.label_id != label.label_id and each.status == "bought" and each.wish["location"] == location
    ]
    if order and not others and order.state.fulfilment.get(location) == "labelled":
        fact = {"location": location, "answer": "reopen"}
        runtime.queues.send("shipping", [{"order": label.order_id, "do": "fulfilment", "fact": fact}])
