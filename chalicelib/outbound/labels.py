"""Labels as desired state: bought once, filed, and their parcel recorded; given back while the carrier has not come.

Messages: {order, label, account, wish} = this label is wanted · {order} = look at the labels that are wanted ·
{order, void} = this label is not wanted any more. See `store/labels.py` for the wish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from chalice import Blueprint

from chalicelib.channels.carrier_port import Address, CarrierClient, Label, LabelRequest, Package
from chalicelib.channels.registry import kind_of
from chalicelib.domain.channel_order import Contact
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.domain.holds import decide_hold, decide_resolve
from chalicelib.domain.orders import Order
from chalicelib.domain.parcels import Rate, RateRule, choose_rate, is_taken
from chalicelib.domain.shipping import (
    ADDRESS_UNDELIVERABLE,
    LABEL_HOLDS,
    LABEL_REFUSED,
    NO_RATE,
    has_parcel,
    may_be_labelled,
)
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.clients import carrier_for
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import alarm
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_account
from chalicelib.store.contacts import index_writes, read_contact
from chalicelib.store.labels import StoredLabel, keep_label, keep_new_label, labels_of, read_label
from chalicelib.store.orders import order_writes, read_order

blueprint = Blueprint(__name__)
T = TypeVar("T")

_ACCOUNT_BROKEN_S = 900
_NOT_MADE_S = 60


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
        _give_back(message["order"], message["void"], runtime)
        return
    is_asked = "label" in message
    for label in [_wanted(message, runtime)] if is_asked else labels_of(runtime.tables, message["order"]):
        if label.status in ("wanted", "bought"):
            _drive(label, runtime, resolves=is_asked)


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

    `resolves`: somebody has asked anew, so that its success ends the holds of labels. What is merely looked at again,
    since a hold was resolved, never does: of two labels, the one would end what the other has just begun, for ever.
    """
    order = read_order(runtime.tables, label.order_id, content=True)
    if order is None:
        raise Refused("unknown_order", f"no order {label.order_id!r}")
    client = _asked(label.account, lambda: carrier_for(label.account, runtime))
    if label.status == "wanted":
        try:
            label = _bought(label, order, client, runtime)
        except _HeldError as held:
            _hold(label, order, held, runtime)
            return
    if label.status == "bought":
        label = label if label.file_key else _filed(label, client, runtime)
        _record(label, _resolved(order, runtime) if resolves else order, runtime)


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


class _HeldError(Exception):
    """The label cannot be bought until a person has looked at the order."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail[:200]


def _hold(label: StoredLabel, order: Order, held: _HeldError, runtime: Runtime) -> None:
    """The order shows what is in the way, and the label, so that it is looked at again when the hold is resolved."""
    now = read_label(runtime.tables, label.order_id, label.label_id) or label
    why = f"{held.reason}: {held.detail}" if held.detail else held.reason
    keep_label(runtime.tables, now, replace(now, why=why, rate={}, ref=""))
    after = decide_hold(order, held.reason, held.detail, "labels", runtime.clock())
    if after:
        runtime.tables.write(*order_writes(order, after))
    log("label_held", order=order.order_id, label=label.label_id, reason=held.reason)


def _bought(label: StoredLabel, order: Order, client: CarrierClient, runtime: Runtime) -> StoredLabel:
    """The label once it is bought. The offer is written down before it is taken: when the answer is lost, the very same
    purchase is asked for again, whatever has become of the order meanwhile."""
    contact = read_contact(runtime.tables, order.order_id)
    if not label.rate:
        if not may_be_labelled(order):
            raise Refused("on_hold", f"{order.order_id} may not ship")
        label = _chosen(label, order, contact, client, runtime)
    wish = _request(label, contact, runtime, label.ref)
    try:
        sold = _asked(label.account, lambda: client.buy(wish, Rate(**label.rate)))
    except Unauthorised:
        raise
    except Refused as refused:  # certain: nothing was bought
        if refused.reason == "rate_gone":
            keep_label(runtime.tables, label, replace(label, rate={}, ref=""))
            raise Busy("the offer is gone: ask for others", after_s=2) from None
        raise _HeldError(LABEL_REFUSED, str(refused)) from None
    now_ms = runtime.clock()
    bought = {**asdict(sold), "refs": dict(sold.refs)}
    after = replace(label, status="bought", why="", bought=bought, bought_ms=now_ms, heard_ms=now_ms)
    log("label_bought", order=order.order_id, label=label.label_id, carrier=sold.carrier, service=sold.service)
    return keep_label(runtime.tables, label, after)


def _chosen(
    label: StoredLabel, order: Order, contact: Contact | None, client: CarrierClient, runtime: Runtime
) -> StoredLabel:
    """The label with the offer that is to be bought. Raises `_HeldError` when the address or no offer will do."""
    recipient = _recipient(contact)
    if recipient is None:
        raise _HeldError(ADDRESS_UNDELIVERABLE, "no address is kept")
    try:
        verdict = _asked(label.account, lambda: client.check_address(recipient))
        if not verdict.deliverable and (ADDRESS_UNDELIVERABLE, verdict.why[:200]) not in order.state.waived:
            raise _HeldError(ADDRESS_UNDELIVERABLE, verdict.why)
        wish = _request(label, contact, runtime)
        choice = choose_rate(_asked(label.account, lambda: client.rates(wish)), _rule(label.wish))
    except Unauthorised:
        raise
    except Refused as refused:
        raise _HeldError(LABEL_REFUSED, str(refused)) from None
    if choice.rate is None:
        raise _HeldError(NO_RATE, choice.why)
    rate = {**asdict(choice.rate), "refs": dict(choice.rate.refs)}
    return keep_label(runtime.tables, label, replace(label, rate=rate, ref=wish.label_id, why=""))


def _asked(account: str, call: Callable[[], T]) -> T:
    """What a carrier answers. An account that takes no key is for a person to mend; its labels wait."""
    try:
        return call()
    except Refused as refused:
        if not isinstance(refused, Unauthorised) and refused.reason not in ("no_secret", "unknown_channel"):
            raise
        alarm("carrier_account_broken", channel=account, reason=refused.reason)
        raise Busy(f"{account} cannot be asked: {refused.reason}", after_s=_ACCOUNT_BROKEN_S) from None


def _rule(wish: Mapping[str, Any]) -> RateRule:
    return RateRule(
        prefer=wish.get("prefer", "cheapest"),
        services=tuple(wish.get("services", ())),
        latest_days=wish.get("latest_days"),
        most_amount_minor=wish.get("most_amount_minor"),
        currency=wish.get("currency", ""),
    )


def _request(label: StoredLabel, contact: Contact | None, runtime: Runtime, ref: str = "") -> LabelRequest:
    """The wish in the carrier's words. Its name there changes with what it is made of, as long as nothing is being
    bought: a service keeps the address and the parcel that it was first asked with."""
    sender = _sender(label, runtime)
    recipient = _recipient(contact) or Address("", "", "", "", "")
    package = Package(**label.wish["package"])
    file_format = label.wish.get("format", "pdf")
    made_of = hashlib.sha256(repr((sender, recipient, package, file_format)).encode()).hexdigest()[:8]
    return LabelRequest(ref or f"{label.label_id}~{made_of}", sender, recipient, package, file_format)


def _sender(label: StoredLabel, runtime: Runtime) -> Address:
    """Where the parcel is sent from: the account's `senders` by location, or its `sender`."""
    account = runtime.settled(f"account/{label.account}", lambda: read_account(runtime.tables, label.account))
    found = account.get("senders", {}).get(label.wish["location"]) or account.get("sender", {})
    try:
        return Address(**found)
    except TypeError:  # none, or with other names
        where = f"the account {label.account!r} has no sender address of {label.wish['location']!r}"
        raise Refused("no_sender", f"{where}: set name, line1, city, postcode, country") from None


def _recipient(contact: Contact | None) -> Address | None:
    """Where the buyer wants it; None when too little is kept. A third line goes with the second."""
    address = contact.address if contact else {}
    if not contact or not (address.get("line1") and address.get("country")):
        return None
    lines = [address.get(name, "") for name in ("line2", "line3")]
    return Address(
        name=address.get("name") or contact.name,
        line1=address["line1"],
        city=address.get("city", ""),
        postcode=address.get("postcode", ""),
        country=address["country"],
        company=address.get("company", ""),
        line2=", ".join(line for line in lines if line),
        region=address.get("region", ""),
        phone=address.get("phone") or contact.phone,
        email=contact.email,
    )


def _filed(label: StoredLabel, client: CarrierClient, runtime: Runtime) -> StoredLabel:
    """The label's file among the bodies. It names the buyer, so it is first made to be found when he is erased."""
    key = f"labels/{label.order_id}/{label.label_id}.{label.wish.get('format', 'pdf')}"
    contact = read_contact(runtime.tables, label.order_id)
    if contact:
        kind = kind_of(label.order_id.partition(":")[0])
        for write in index_writes(kind, label.order_id, contact, runtime.clock(), claim=key):
            runtime.tables.write(write)
    try:
        body = _asked(label.account, lambda: client.fetch_file(_label(label)))
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


def _label(label: StoredLabel) -> Label:
    return Label(**label.bought)


def _give_back(order_id: str, label_id: str, runtime: Runtime) -> None:
    """Void a label. One that is being bought just now is bought first; what a carrier decides later is asked again by
    `poll_tracking`."""
    label = read_label(runtime.tables, order_id, label_id)
    if label is None:
        raise Refused("unknown_label", f"{order_id} has no label {label_id!r}")
    if label.status == "wanted" and label.rate:
        raise Busy("the label is being bought", after_s=_NOT_MADE_S)
    if label.status == "wanted":
        keep_label(runtime.tables, label, replace(label, status="voided"))
        return
    if label.status == "voided" or (label.status == "bought" and is_taken(label.tracking)):
        return
    now_ms = runtime.clock()
    label = keep_label(runtime.tables, label, replace(label, status="voiding", why="", heard_ms=now_ms))
    client = _asked(label.account, lambda: carrier_for(label.account, runtime))
    try:
        is_void = _asked(label.account, lambda: client.void(_label(label)))
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
