"""Planted bugs about labels and parcels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from chalicelib.channels.shippo import client as shippo
from chalicelib.domain import shipping
from chalicelib.domain.orders import Order
from chalicelib.inbound import tracking
from chalicelib.outbound import label_purchase, label_voids, labels
from chalicelib.store import labels as label_store
from chalicelib.store.labels import StoredLabel
from local.simulation.planting import Plant, planted


def purchase_under_a_new_name_each_time() -> Any:
    """A purchase whose answer was lost is begun anew."""
    numbers = itertools.count()
    request = label_purchase.LabelRequest
    return planted((label_purchase, "LabelRequest", lambda name, *rest: request(f"{name}-{next(numbers)}", *rest)))


def purchase_not_waited_for() -> Any:
    """A purchase without an answer that does not show at once was never made."""
    return planted((shippo, "SETTLED_MS", 0))


def parcel_of_a_label_recorded_twice() -> Any:
    """The parcel of a label is another one each time that the label is looked at."""
    numbers = itertools.count()
    record = labels._record

    def again(label: StoredLabel, order: Order, runtime: Any) -> None:
        record(replace(label, label_id=f"{label.label_id}/{next(numbers)}"), order, runtime)

    return planted((labels, "_record", again), (labels, "has_parcel", lambda *args: False))


def label_for_what_was_called_off() -> Any:
    """Whether a label is still for anything is looked at when it is asked for, and never again."""
    return planted((labels, "is_called_off", lambda label, order: False))


def label_forgotten_at_the_end_of_a_hold() -> Any:
    """A label that waits for its order is not looked at when the order may go on."""
    return planted((labels, "labels_of", lambda tables, order_id: []))


def label_void_unasked() -> Any:
    """A label is void when we say so."""
    return planted((label_voids, "asked", lambda account, call: True))


def postage_not_given_back() -> Any:
    """What a void label has cost stays in the sum of its order."""
    writes = label_store._postage_writes
    return planted((label_store, "_postage_writes", lambda was, label: writes(was, label) if label.postage else []))


def tracking_goes_back() -> Any:
    """The last report of a parcel counts, however old it is."""

    def newest(_before: str, event: Any) -> str:
        return str(event.status)

    return planted((shipping, "advanced", newest), (tracking, "advanced", newest))


def silent_carriers_not_asked() -> Any:
    """A carrier tells how a parcel stands, or nobody knows."""
    return planted((tracking, "unheard_labels", lambda *args: iter(())))


LABEL_PLANTS: tuple[Plant, ...] = (
    purchase_under_a_new_name_each_time,
    purchase_not_waited_for,
    parcel_of_a_label_recorded_twice,
    label_for_what_was_called_off,
    label_forgotten_at_the_end_of_a_hold,
    label_void_unasked,
    postage_not_given_back,
    tracking_goes_back,
    silent_carriers_not_asked,
)
