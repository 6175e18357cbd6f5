"""Speaks to EasyPost, API v2. Sources: EasyPost/examples (fixtures, recorded answers); docs.easypost.com, pagination.

A shipment costs nothing until it is bought, and is bought once: so there is one for each label that is wanted, which
the job `label-<label_id>` remembers, and before every purchase it is looked at.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.channels.budgets import Budget
from chalicelib.channels.carrier_port import (
    Address,
    AddressVerdict,
    Customs,
    CustomsItem,
    Label,
    LabelRequest,
    Package,
    Rate,
    TrackingEvent,
)
from chalicelib.channels.carrier_wire import (
    MOST_PAGES,
    PAGE,
    CarrierWire,
    days_of,
    inches,
    ounces,
    ounces_within,
    path_of,
    postal,
    since,
)
from chalicelib.channels.easypost import setup
from chalicelib.channels.easypost.notifications import tracker_events
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.transport import Transport
from chalicelib.domain.errors import Busy, Refused, Unreadable
from chalicelib.domain.money import to_text

BASE_URL = "https://api.easypost.com/v2"

_REFUSED_REFUNDS = ("rejected", "not_applicable")


class EasypostClient:
    """Speaks for one account. `account`: base_url, by default EasyPost's; `credentials`: api_key."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, Any],
        jobs: Jobs,
        now_ms: int,
        budget: Budget,
    ) -> None:
        key = base64.b64encode(f"{credentials['api_key']}:".encode()).decode()
        base_url = str(account.get("base_url") or BASE_URL)
        self._wire = CarrierWire(transport, base_url, f"Basic {key}", "EasyPost", budget)
        self._jobs = jobs
        self._now_ms = now_ms

    def rates(self, wish: LabelRequest) -> Sequence[Rate]:
        """Every offer for this parcel; one that cannot be read is left out."""
        shipment = self._shipment(wish)
        return [rate for each in shipment.each("rates") if (rate := _rate(each, shipment.text("id")))]

    def buy(self, wish: LabelRequest, rate: Rate) -> Label:
        """Buy that offer, or give the label that was bought for this `label_id` before, at whatever offer.

        Raises `Refused` rate_gone for an offer of another shipment: ask for rates again.
        """
        shipment = self._shipment(wish)
        if not shipment.has("postage_label"):
            if rate.refs.get("shipment_id") != shipment.text("id"):
                raise Refused("rate_gone", f"{wish.label_id}: the offer is of another shipment; ask for rates again")
            shipment = self._bought(shipment.identity("id"), rate.refs["rate_id"])
        return _label(shipment)

    def void(self, label: Label) -> bool:
        """Ask for the refund of a label, once; afterwards only look at what became of it.

        Raises `Refused` label_not_void when the carrier keeps the money.
        """
        path = ("shipments", label.refs["shipment_id"])
        shipment = self._wire.get(*path)
        if not shipment.has("refund_status"):
            shipment = self._wire.post(path_of(*path, "refund"), {})
        status = shipment.text("refund_status")
        if status in _REFUSED_REFUNDS:
            raise Refused("label_not_void", f"EasyPost says {status}: the label is paid for")
        return status == "refunded"

    def fetch_file(self, label: Label) -> bytes:
        """The label's file, in the format of the wish; found again when its address is no longer good."""
        try:
            return self._wire.file(label.file_url)
        except Refused:
            return self._wire.file(_label(self._wire.get("shipments", label.refs["shipment_id"])).file_url)

    def track(self, tracking_number: str, carrier: str) -> Sequence[TrackingEvent]:
        """What is known of a parcel, oldest first. EasyPost gives the tracker that is there already."""
        wanted = {"tracking_code": tracking_number, **({"carrier": carrier} if carrier else {})}
        return tracker_events(self._wire.post("/trackers", {"tracker": wanted}))

    def check_address(self, address: Address) -> AddressVerdict:
        """Whether EasyPost finds the address among those that are delivered to."""
        found = self._wire.post("/addresses", {"address": postal(address), "verify": True})
        delivery = found.at("verifications").at("delivery")
        if not delivery.has("success"):
            return AddressVerdict(True, "not_checked")
        codes = [error.text("code") or "unknown" for error in delivery.each("errors")]
        return AddressVerdict(delivery.flag("success"), ", ".join(codes))

    def carriers(self) -> Sequence[str]:
        """Whom the account may ship with; `Unauthorised` with a test key."""
        return setup.carriers(self._wire)

    def ensure_webhook(self, url: str, secret: str) -> str:
        """Have trackers told to this address, signed with the secret."""
        return setup.ensure_webhook(self._wire, url, secret)

    def _shipment(self, wish: LabelRequest) -> Node:
        """The one shipment of this wish: that of the job, else one whose making was never answered, else a new one."""
        name = f"label-{wish.label_id}"
        job = self._jobs.get(name)
        if job and job.get("shipment_id"):
            return self._wire.get("shipments", str(job["shipment_id"]))
        asked_ms = int(job["asked_ms"]) if job else self._now_ms
        shipment = self._lost(wish.label_id, asked_ms) if job else None
        if shipment is None:
            if not job:
                self._jobs.put(name, {"asked_ms": asked_ms})
            shipment = self._wire.post("/shipments", {"shipment": _asked(wish)})
        if not shipment.text("id"):
            raise Busy("EasyPost answered without the id of a shipment", after_s=5)
        self._jobs.put(name, {"asked_ms": asked_ms, "shipment_id": shipment.text("id")})
        return shipment

    def _lost(self, label_id: str, asked_ms: int) -> Node | None:
        """A shipment that was made since then under this reference. The list shows the newest first, and unless told
        otherwise only what is bought."""
        query = {"page_size": str(PAGE), "purchased": "false", "start_datetime": since(asked_ms)}
        for _ in range(MOST_PAGES):
            page = self._wire.list("/shipments", query, "shipments")
            shipments = page.each("shipments")
            found = next((each for each in shipments if each.at("reference").value == label_id), None)
            if found is not None or not shipments or not page.flag("has_more"):
                return found
            query["before_id"] = shipments[-1].identity("id")
        return None

    def _bought(self, shipment_id: str, rate_id: str) -> Node:
        """Another worker may have bought it in between: then EasyPost refuses, and the label is there."""
        try:
            return self._wire.post(path_of("shipments", shipment_id, "buy"), {"rate": {"id": rate_id}})
        except Refused:
            shipment = self._wire.get("shipments", shipment_id)
            if not shipment.has("postage_label"):
                raise
            return shipment


def _asked(wish: LabelRequest) -> dict[str, Any]:
    declared = {"customs_info": _customs(wish.customs)} if wish.customs else {}
    return {
        "reference": wish.label_id,
        "from_address": postal(wish.sender),
        "to_address": postal(wish.recipient),
        "parcel": _parcel(wish.package),
        "options": {"label_format": wish.file_format.upper()},
        **declared,
    }


def _customs(customs: Customs) -> dict[str, Any]:
    """Values and weights are those of all units. Source: docs.easypost.com, customs infos and customs items."""
    return {
        "contents_type": customs.contents,
        "customs_certify": True,
        "customs_signer": customs.signer,
        "non_delivery_option": customs.non_delivery,
        "restriction_type": "none",
        **({"eel_pfc": customs.eel_pfc} if customs.eel_pfc else {}),
        "customs_items": [_customs_item(item) for item in customs.items],
    }


def _customs_item(item: CustomsItem) -> dict[str, Any]:
    return {
        "description": item.description,
        "quantity": item.units,
        "weight": ounces_within(item.weight_g),
        "value": float(to_text(item.value_minor, item.currency)),
        "currency": item.currency,
        "origin_country": item.origin_country,
        **({"hs_tariff_number": item.hs_code} if item.hs_code else {}),
    }


def _parcel(package: Package) -> dict[str, float]:
    sides = {"length": package.length_mm, "width": package.width_mm, "height": package.height_mm}
    return {"weight": ounces(package.weight_g), **{name: inches(side) for name, side in sides.items() if side}}


def _rate(offer: Node, shipment_id: str) -> Rate | None:
    try:
        if not offer.has("rate"):
            return None
        currency = offer.currency("currency")
        return Rate(
            offer.text("carrier"),
            offer.text("service"),
            offer.minor("rate", currency),
            currency,
            days_of(offer, "delivery_days", "est_delivery_days"),
            {"rate_id": offer.identity("id"), "shipment_id": shipment_id},
        )
    except Unreadable:
        return None


def _label(shipment: Node) -> Label:
    """The label of a bought shipment; `Busy` while the answer does not tell all of it."""
    sold, file = shipment.at("selected_rate"), shipment.at("postage_label")
    try:
        currency = sold.currency("currency")
        if not sold.has("rate"):
            sold.at("rate").refuse("what the label costs")
        return Label(
            sold.text("carrier"),
            sold.text("service"),
            shipment.identity("tracking_code"),
            sold.minor("rate", currency),
            currency,
            _url(file),
            {"shipment_id": shipment.identity("id")},
        )
    except Unreadable as error:
        raise Busy(f"EasyPost answered with an unfinished label: {error.detail}", after_s=10) from None


def _url(file: Node) -> str:
    """The file's address, which may be longer than any text that `Node` reads."""
    url = file.at("label_url").value or file.at("label_pdf_url").value
    if not isinstance(url, str):
        file.at("label_url").refuse("an address")
    return url
