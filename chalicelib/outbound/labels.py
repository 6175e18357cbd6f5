"""Labels as desired state: bought once, filed, and their parcel recorded; given back while the carrier has not come.

Messages: {order, label, account, wish} = this label is wanted · {order} = look at the labels that are wanted, each by a
message of its own, {order, only}, so that none waits for another · {order, void} = this label is not wanted any more.
See `store/labels.py` for the wish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chalice import Blueprint

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.holds import decide_resolve
from chalicelib.domain.orders import Order
from chalicelib.domain.shipping import LABEL_HOLDS, has_parcel
from chalicelib.outbound.label_purchase import HeldError, asked, buy, client_of, hold_order, sold_label
from chalicelib.outbound.label_voids import call_off, give_back, is_called_off
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.contacts import index_writes, read_contact
from chalicelib.store.labels import StoredLabel, keep_label, keep_new_label, labels_of, read_label
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)

_NOT_MADE_S = 60
_OPEN = ("wanted", "bought")


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Buy or give back each label; the ids of the messages that must come again."""
    return each("labels", look_at, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("labels"), batch_size=10, name="buy_labels")
@from_sqs(work)
def buy_labels(event: Any) -> None:
    """Lambda."""


def look_at(message: Message, runtime: Runtime) -> None:
    """Work off one message. Raises `Busy` while a carrier or its account cannot answer, `Refused` label_id_taken."""
    if "void" in message:
        give_back(message["order"], message["void"], runtime)
        return
    if "label" in message:
        label = _wanted(message, runtime)
        if label.status in _OPEN:
            _drive(label, runtime, resolves=True)
    elif "only" in message:
        found = read_label(runtime.tables, message["order"], message["only"])
        if found and found.status in _OPEN:
            _drive(found, runtime, resolves=False)
    else:
        names = [label.label_id for label in labels_of(runtime.tables, message["order"]) if label.status in _OPEN]
        runtime.queues.send("labels", [{"order": message["order"], "only": name} for name in names])


def _wanted(message: Message, runtime: Runtime) -> StoredLabel:
    """The label as it is kept. Its wish may be another one as long as nothing is being bought."""
    label = read_label(runtime.tables, message["order"], message["label"])
    account, wish = message["account"], message["wish"]
    if label is None:
        return keep_new_label(runtime.tables, StoredLabel(message["order"], message["label"], account, wish))
    if label.status != "wanted" or label.rate or (label.account, label.wish) == (account, wish):
        return label
    return keep_label(runtime.tables, label, replace(label, account=account, wish=wish))


def _drive(label: StoredLabel, runtime: Runtime, *, resolves: bool) -> None:
    """Bring a label as far as it comes now: chosen, bought, filed, its parcel recorded. Every step may be repeated.
    One whose units are gone is not bought; a purchase that was begun is ended, and then given back.

    `resolves`: somebody has asked anew, so that its success ends the holds of labels. What is merely looked at again,
    since a hold was resolved, never does: of two labels, the one would end what the other has just begun, for ever.
    """
    order = _order(label, runtime)
    if label.status == "wanted" and (label.rate or not is_called_off(label, order)):
        try:
            label = buy(label, order, runtime)
            order = _order(label, runtime)
        except HeldError as held:
            if not is_called_off(label, order):
                hold_order(label, order, held, runtime)
                return
    if not label.file_key and is_called_off(label, order):  # nobody can have printed it yet
        call_off(label, runtime)
        return
    label = label if label.file_key else _filed(label, runtime)
    _record(label, _resolved(order, runtime) if resolves else order, runtime)


def _order(label: StoredLabel, runtime: Runtime) -> Order:
    order = read_order(runtime.tables, label.order_id, content=True)
    if order is None:
        raise Refused("unknown_order", f"no order {label.order_id!r}")
    return order


def _resolved(order: Order, runtime: Runtime) -> Order:
    """The order without the holds of labels that could not be bought: one was. Any other is looked at again, and holds
    it anew."""
    after = order
    for hold in order.state.holds:
        if hold.reason in LABEL_HOLDS:
            after = decide_resolve(after, hold.reason, "labels", runtime.clock()) or after
    if after is not order:
        runtime.tables.write(*order_writes(order, after))
    return after


def _filed(label: StoredLabel, runtime: Runtime) -> StoredLabel:
    """The label's file among the bodies. It names the buyer, so it is first made to be found when he is erased."""
    key = f"labels/{label.order_id}/{label.label_id}.{label.wish.get('format', 'pdf')}"
    contact = read_contact(runtime.tables, label.order_id)
    if contact:
        kind = kind_of(label.order_id.partition(":")[0])
        for write in index_writes(kind, label.order_id, contact, runtime.clock(), claim=key):
            runtime.tables.write(write)
    client = client_of(label, runtime)
    try:
        body = asked(label.account, lambda: client.fetch_file(sold_label(label)))
    except Refused as refused:
        raise Busy(f"the label's file is not there yet: {refused.reason}", after_s=_NOT_MADE_S) from None
    runtime.bodies.put(key, body)
    return keep_label(runtime.tables, label, replace(label, file_key=key))


def _record(label: StoredLabel, order: Order, runtime: Runtime) -> None:
    """Ask shipping to record what the label is for; each is applied once. While the order is on hold nothing leaves."""
    location, lines = label.wish["location"], label.wish["lines"]
    is_all = sum(line["units"] for line in lines) >= _promised(order, location)
    messages: list[Message] = []
    # A parcel that leaves part of the location's units behind says nothing of those.
    if is_all or not label.wish.get("ship", True):
        messages.append({"do": "fulfilment", "fact": {"location": location, "answer": "label"}})
    if label.wish.get("ship", True):
        parcel = {"shipment_id": label.label_id, "location": location, "shipped_ms": label.bought_ms, "lines": lines}
        told = {name: label.bought[name] for name in ("carrier", "tracking_number")}
        messages.append({"do": "ship", "fact": {**parcel, **told}})
    if order.state.holds:
        log("label_waits", order=order.order_id, label=label.label_id, reason="on_hold")
    elif not has_parcel(order, label.label_id, label.bought["tracking_number"]) and _promised(order, location):
        runtime.queues.send("shipping", [{"order": order.order_id, "actor": "labels", **each} for each in messages])


def _promised(order: Order, location: str) -> int:
    return sum(units.allocations.get(location, 0) for units in order.state.quantities)
