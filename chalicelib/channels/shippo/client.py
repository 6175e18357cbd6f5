"""Speaks to Shippo, version 2018-02-08. Sources: recorded calls of Shippo's SDK; docs.goshippo.com (shipments,
transactions, filtering).

Nothing there keeps a label from being bought twice. So the job `label-<label_id>` remembers the purchase before it is
made, and an answer that was lost is looked for among the transactions of its rate before anything is bought again.
"""

from __future__ import annotations

import re
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
from chalicelib.channels.carrier_wire import MOST_PAGES, PAGE, CarrierWire, days_of, postal, since
from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.shippo import setup
from chalicelib.channels.shippo.notifications import track_events
from chalicelib.channels.transport import Transport
from chalicelib.domain.errors import Busy, OverBudget, Refused, Unreadable
from chalicelib.domain.money import to_text

BASE_URL = "https://api.goshippo.com"
SETTLED_MS = (
    150_000  # a purchase without an answer may be under way for so long: the Lambda lives for 90 s, then Shippo
)

_LONGEST_METADATA = 100
_CONTENTS = {"returned_goods": "RETURN_MERCHANDISE"}
_BOUGHT = ("SUCCESS", "REFUNDED", "REFUNDPENDING", "REFUNDREJECTED")


class ShippoClient:
    """Speaks for one account. `account`: base_url, by default Shippo's; `credentials`: api_key."""

    def __init__(
        self,
        transport: Transport,
        account: Mapping[str, Any],
        credentials: Mapping[str, Any],
        jobs: Jobs,
        now_ms: int,
        budget: Budget,
    ) -> None:
        authorization = f"ShippoToken {credentials['api_key']}"
        base_url = str(account.get("base_url") or BASE_URL)
        self._wire = CarrierWire(transport, base_url, authorization, "Shippo", budget)
        self._is_test = str(credentials["api_key"]).startswith("shippo_test_")
        self._jobs = jobs
        self._now_ms = now_ms

    def rates(self, wish: LabelRequest) -> Sequence[Rate]:
        """Every offer for this parcel; one that cannot be read is left out. `Busy` while Shippo is asking carriers."""
        shipment = self._shipment(wish)
        if shipment.text("status") in ("QUEUED", "WAITING"):
            raise Busy("Shippo is still asking the carriers for rates", after_s=2)
        return [rate for each in shipment.each("rates") if (rate := _rate(each))]

    def buy(self, wish: LabelRequest, rate: Rate) -> Label:
        """Buy that offer, or give the label that was bought for this `label_id` before, at whatever offer.

        `Busy` while Shippo is at it, and for `SETTLED_MS` after an answer was lost. Raises `Refused` label_refused with
        the carrier's codes; then another offer may be bought.
        """
        name = _job_name(wish)
        job = dict(self._jobs.get(name) or {})
        found = self._found(wish, job) if "buying" in job else None
        if found is None:
            found = self._purchase(wish, rate, name, job)
        return self._label(name, job, found)

    def void(self, label: Label) -> bool:
        """Ask for the refund of a label, once; afterwards only look at what became of it.

        Raises `Refused` label_not_void when the carrier keeps the money.
        """
        transaction_id = label.refs["transaction_id"]
        status = self._wire.get("transactions", transaction_id).text("status")
        if status == "SUCCESS":
            refund = self._wire.post("/refunds/", {"transaction": transaction_id, "async": False})
            status = {"SUCCESS": "REFUNDED", "ERROR": "REFUNDREJECTED"}.get(refund.text("status"), "REFUNDPENDING")
        if status == "REFUNDREJECTED":
            raise Refused("label_not_void", "Shippo says REFUNDREJECTED: the label is paid for")
        return status == "REFUNDED"

    def fetch_file(self, label: Label) -> bytes:
        """The label's file, in the format of the wish; found again when its address has expired."""
        try:
            return self._wire.file(label.file_url)
        except Refused:
            return self._wire.file(_url(self._wire.get("transactions", label.refs["transaction_id"])))

    def track(self, tracking_number: str, carrier: str) -> Sequence[TrackingEvent]:
        """What is known of a parcel, oldest first. `carrier` may be a name (DHL Express) or Shippo's token for it."""
        token = "_".join(carrier.lower().split())
        return track_events(self._wire.get("tracks", token, tracking_number))

    def check_address(self, address: Address) -> AddressVerdict:
        """Whether Shippo finds the address among those that are delivered to."""
        results = self._wire.post("/addresses/", {**postal(address), "validate": True}).at("validation_results")
        if not results.has("is_valid"):
            return AddressVerdict(True, "not_checked")
        return AddressVerdict(results.flag("is_valid"), _codes(results))

    def carriers(self) -> Sequence[str]:
        """Whom the account may ship with."""
        return setup.carriers(self._wire)

    def ensure_webhook(self, url: str, secret: str) -> str:
        """Have parcels told to this address, which repeats the secret; of a test key, those of tests."""
        return setup.ensure_webhook(self._wire, url, secret, is_test=self._is_test)

    def _shipment(self, wish: LabelRequest) -> Node:
        """The one shipment of this wish: that of the job, else one whose making was never answered, else a new one."""
        name = _job_name(wish)
        job = dict(self._jobs.get(name) or {})
        if job.get("shipment_id"):
            return self._wire.get("shipments", str(job["shipment_id"]))
        shipment = self._lost(wish.label_id, int(job["asked_ms"])) if "asked_ms" in job else None
        if shipment is None:
            asked = _asked(wish)
            if "asked_ms" not in job:
                job["asked_ms"] = self._now_ms
                self._jobs.put(name, job)
            shipment = self._wire.post("/shipments/", asked)
        if not shipment.text("object_id"):
            raise Busy("Shippo answered without the id of a shipment", after_s=5)
        self._jobs.put(name, job | {"shipment_id": shipment.text("object_id")})
        return shipment

    def _lost(self, label_id: str, asked_ms: int) -> Node | None:
        """A shipment that was made since then with this label's id."""
        return self._first("/shipments/", {"object_created_gte": since(asked_ms)}, label_id, ())

    def _found(self, wish: LabelRequest, job: Mapping[str, Any]) -> Node | None:
        """The transaction of the purchase that the job remembers; None when there was none and will be none."""
        buying = job["buying"]
        if buying.get("transaction_id"):
            return self._wire.get("transactions", str(buying["transaction_id"]))
        failed = job.get("failed", ())
        found = self._first("/transactions/", {"rate": str(buying["rate_id"])}, wish.label_id, failed)
        if found is None and self._now_ms - int(buying["at_ms"]) < SETTLED_MS:
            raise Busy("a purchase was not answered; it may be under way", after_s=SETTLED_MS // 1000)
        return found

    def _first(self, path: str, query: Mapping[str, str], label_id: str, without: Sequence[str]) -> Node | None:
        """The first object of a list that carries this label's id."""
        for page in range(1, MOST_PAGES + 1):
            answer = self._wire.list(path, {**query, "results": str(PAGE), "page": str(page)}, "results")
            for each in answer.each("results"):
                if each.at("metadata").value == label_id and each.text("object_id") not in without:
                    return each
            if not answer.has("next"):
                return None
        return None

    def _purchase(self, wish: LabelRequest, rate: Rate, name: str, job: dict[str, Any]) -> Node:
        """Buy; the job says so first. A refusal is certain, and so is what was not sent: nothing was bought."""
        job["buying"] = {
            "rate_id": rate.refs["rate_id"],
            "carrier": rate.carrier,
            "service": rate.service,
            "amount_minor": rate.amount_minor,
            "currency": rate.currency,
            "at_ms": self._now_ms,
        }
        self._jobs.put(name, job)
        asked = {"rate": rate.refs["rate_id"], "label_file_type": wish.file_format.upper(), "metadata": wish.label_id}
        try:
            return self._wire.post("/transactions/", {**asked, "async": False})
        except (Refused, OverBudget):
            del job["buying"]
            self._jobs.put(name, job)
            raise

    def _label(self, name: str, job: dict[str, Any], transaction: Node) -> Label:
        """The label, when the transaction has come to one."""
        status, transaction_id = transaction.text("status"), transaction.text("object_id")
        buying = job["buying"]
        if status == "ERROR":
            del job["buying"]
            self._jobs.put(name, job | {"failed": [*job.get("failed", ()), transaction_id]})
            raise Refused("label_refused", f"Shippo refuses the label: {_codes(transaction)}")
        if transaction_id and buying.get("transaction_id") != transaction_id:
            job["buying"] = {**buying, "transaction_id": transaction_id}
            self._jobs.put(name, job)
        if status not in _BOUGHT:
            raise Busy("Shippo is still buying the label", after_s=5)
        return Label(
            str(buying["carrier"]),
            str(buying["service"]),
            _having(transaction, "tracking_number"),
            int(buying["amount_minor"]),
            str(buying["currency"]),
            _url(transaction),
            {"transaction_id": transaction_id, "rate_id": str(buying["rate_id"])},
        )


def _job_name(wish: LabelRequest) -> str:
    if len(wish.label_id) > _LONGEST_METADATA:
        raise Refused("label_id_too_long", f"Shippo keeps {_LONGEST_METADATA} characters of a label's id")
    return f"label-{wish.label_id}"


def _asked(wish: LabelRequest) -> dict[str, Any]:
    declared = {"customs_declaration": _customs(wish.customs)} if wish.customs else {}
    return {
        "address_from": postal(wish.sender),
        "address_to": postal(wish.recipient),
        "parcels": [_parcel(wish.package)],
        "metadata": wish.label_id,
        "async": False,
        **declared,
    }


def _customs(customs: Customs) -> dict[str, Any]:
    """Values and weights are those of all units. Source: the models of Shippo's SDK, customs declarations and items."""
    return {
        "contents_type": _CONTENTS.get(customs.contents, customs.contents.upper()),
        "certify": True,
        "certify_signer": customs.signer,
        "non_delivery_option": customs.non_delivery.upper(),
        **_export(customs.eel_pfc),
        "items": [_customs_item(item) for item in customs.items],
    }


def _export(eel_pfc: str) -> dict[str, str]:
    """NOEEI 30.37(a) is NOEEI_30_37_a here, and a number of its own kind goes beside the word AES_ITN."""
    if eel_pfc.startswith("AES "):
        return {"eel_pfc": "AES_ITN", "aes_itn": eel_pfc}
    return {"eel_pfc": re.sub(r"[ .(]", "_", eel_pfc).rstrip(")")} if eel_pfc else {}


def _customs_item(item: CustomsItem) -> dict[str, Any]:
    return {
        "description": item.description,
        "quantity": item.units,
        "net_weight": str(item.weight_g),
        "mass_unit": "g",
        "value_amount": to_text(item.value_minor, item.currency),
        "value_currency": item.currency,
        "origin_country": item.origin_country,
        **({"tariff_number": item.hs_code} if item.hs_code else {}),
    }


def _parcel(package: Package) -> dict[str, str]:
    """Shippo rates no parcel without its sides."""
    sides = {"length": package.length_mm, "width": package.width_mm, "height": package.height_mm}
    if not all(sides.values()):
        raise Refused("no_dimensions", "Shippo needs length, width and height of the parcel")
    measured = {name: str(side) for name, side in sides.items()}
    return {**measured, "distance_unit": "mm", "weight": str(package.weight_g), "mass_unit": "g"}


def _rate(offer: Node) -> Rate | None:
    try:
        if not offer.has("amount"):
            return None
        currency = offer.currency("currency")
        return Rate(
            offer.text("provider"),
            offer.at("servicelevel").text("token"),
            offer.minor("amount", currency),
            currency,
            days_of(offer, "days", "estimated_days"),
            {"rate_id": offer.identity("object_id")},
        )
    except Unreadable:
        return None


def _codes(answer: Node) -> str:
    """The codes of its messages, each once. Their words stay out: they may quote what we sent."""
    codes = [message.text("code") or "no code" for message in answer.each("messages")]
    return ", ".join(dict.fromkeys(codes))[:200]


def _url(transaction: Node) -> str:
    """The file's address, which may be longer than any text that `Node` reads."""
    url = transaction.at("label_url").value
    if not isinstance(url, str) or not url:
        raise Busy("Shippo answered without the address of the label's file", after_s=10)
    return url


def _having(transaction: Node, name: str) -> str:
    if not transaction.text(name):
        raise Busy(f"Shippo answered without {name}", after_s=10)
    return transaction.text(name)
