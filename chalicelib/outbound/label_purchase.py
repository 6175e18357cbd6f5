"""Buying a label: the address is looked at, an offer chosen and written down, and then taken, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from chalicelib.channels.carrier_port import Address, CarrierClient, Label, LabelRequest, Package
from chalicelib.domain.channel_order import Contact
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.orders import Order
from chalicelib.domain.parcels import Rate, RateRule, choose_rate
from chalicelib.domain.shipping import ADDRESS_UNDELIVERABLE, LABEL_REFUSED, NO_RATE, may_be_labelled
from chalicelib.runtime.clients import carrier_for, is_of_account
from chalicelib.runtime.log import alarm
from chalicelib.runtime.log import event as log
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_account
from chalicelib.store.contacts import read_contact
from chalicelib.store.labels import StoredLabel, keep_label, read_label
from chalicelib.store.orders import order_writes

T = TypeVar("T")

_ACCOUNT_BROKEN_S = 900


class HeldError(Exception):
    """The label cannot be bought until a person has looked at the order."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail[:200]


def hold_order(label: StoredLabel, order: Order, held: HeldError, runtime: Runtime) -> None:
    """The order shows what is in the way, and the label, so that it is looked at again when the hold is resolved."""
    now = read_label(runtime.tables, label.order_id, label.label_id) or label
    why = f"{held.reason}: {held.detail}" if held.detail else held.reason
    keep_label(runtime.tables, now, replace(now, why=why, rate={}, ref=""))
    after = decide_hold(order, held.reason, held.detail, "labels", runtime.clock())
    if after:
        runtime.tables.write(*order_writes(order, after))
    log("label_held", order=order.order_id, label=label.label_id, reason=held.reason)


def buy(label: StoredLabel, order: Order, runtime: Runtime) -> StoredLabel:
    """The label once it is bought. The offer is written down before it is taken: when the answer is lost, the very same
    purchase is asked for again, whatever has become of the order meanwhile."""
    client, contact = client_of(label, runtime), read_contact(runtime.tables, order.order_id)
    if not label.rate:
        if not may_be_labelled(order):
            raise Refused("on_hold", f"{order.order_id} may not ship")
        label = _chosen(label, order, contact, client, runtime)
    wish = _request(label, contact, runtime, label.ref)
    try:
        sold = asked(label.account, lambda: client.buy(wish, Rate(**label.rate)))
    except Unauthorised:
        raise
    except Refused as refused:  # certain: nothing was bought
        if refused.reason == "rate_gone":
            keep_label(runtime.tables, label, replace(label, rate={}, ref=""))
            raise Busy("the offer is gone: ask for others", after_s=2) from None
        raise HeldError(LABEL_REFUSED, str(refused)) from None
    now_ms = runtime.clock()
    bought = {**asdict(sold), "refs": dict(sold.refs)}
    after = replace(label, status="bought", why="", bought=bought, bought_ms=now_ms, heard_ms=now_ms)
    log("label_bought", order=order.order_id, label=label.label_id, carrier=sold.carrier, service=sold.service)
    return keep_label(runtime.tables, label, after)


def _chosen(
    label: StoredLabel, order: Order, contact: Contact | None, client: CarrierClient, runtime: Runtime
) -> StoredLabel:
    """The label with the offer that is to be bought. Raises `HeldError` when the address or no offer will do."""
    recipient = _recipient(contact)
    if recipient is None:
        raise HeldError(ADDRESS_UNDELIVERABLE, "no address is kept")
    try:
        verdict = asked(label.account, lambda: client.check_address(recipient))
        if not verdict.deliverable and (ADDRESS_UNDELIVERABLE, verdict.why[:200]) not in order.state.waived:
            raise HeldError(ADDRESS_UNDELIVERABLE, verdict.why)
        wish = _request(label, contact, runtime)
        choice = choose_rate(asked(label.account, lambda: client.rates(wish)), _rule(label.wish))
    except Unauthorised:
        raise
    except Refused as refused:
        raise HeldError(LABEL_REFUSED, str(refused)) from None
    if choice.rate is None:
        raise HeldError(NO_RATE, choice.why)
    rate = {**asdict(choice.rate), "refs": dict(choice.rate.refs)}
    return keep_label(runtime.tables, label, replace(label, rate=rate, ref=wish.label_id, why=""))


def client_of(label: StoredLabel, runtime: Runtime) -> CarrierClient:
    """Who speaks for the label's account. Raises `Busy` while there is none."""
    return asked(label.account, lambda: carrier_for(label.account, runtime))


def asked(account: str, call: Callable[[], T]) -> T:
    """What a carrier answers. An account that takes no key is for a person to mend; its labels wait."""
    try:
        return call()
    except Refused as refused:
        if not is_of_account(refused):
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


def sold_label(label: StoredLabel) -> Label:
    return Label(**label.bought)
