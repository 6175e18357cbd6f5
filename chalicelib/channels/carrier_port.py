"""What the app asks of a carrier, or of a service that speaks for many carriers, in the app's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.domain.parcels import TRACKING, Rate, TrackingEvent

__all__ = (
    "TRACKING",
    "Address",
    "AddressVerdict",
    "CarrierClient",
    "Label",
    "LabelRequest",
    "Package",
    "Rate",
    "TrackingEvent",
)


@dataclass(frozen=True)
class Address:
    """Where a parcel goes or comes from. `country` is ISO 3166 alpha-2; personal data, never logged."""

    name: str
    line1: str
    city: str
    postcode: str
    country: str
    company: str = ""
    line2: str = ""
    region: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True)
class Package:
    """One box: weight in grams, sides in millimetres (0: not known)."""

    weight_g: int
    length_mm: int = 0
    width_mm: int = 0
    height_mm: int = 0


@dataclass(frozen=True)
class LabelRequest:
    """A label that is wanted. `label_id` names the wish and never changes: asking twice buys once.

    `file_format`: pdf or png.
    """

    label_id: str
    sender: Address
    recipient: Address
    package: Package
    file_format: str = "pdf"


@dataclass(frozen=True)
class Label:
    """A label that was bought. `file_url` is where its file can be fetched; `refs`: the ids to void or find it by."""

    carrier: str
    service: str
    tracking_number: str
    amount_minor: int
    currency: str
    file_url: str
    refs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AddressVerdict:
    """Whether a parcel can be delivered to an address, and if not, why: the service's codes, no personal data.

    `why` is not_checked when the service knows nothing of the address; that alone is no reason to hold a parcel back.
    """

    deliverable: bool
    why: str = ""


class CarrierClient(Protocol):
    """One account. Everything may raise `Busy` (come back later) and `Refused` (this will never succeed)."""

    def rates(self, wish: LabelRequest) -> Sequence[Rate]:
        """Every offer for this parcel; asking twice for one `label_id` makes one shipment there."""

    def buy(self, wish: LabelRequest, rate: Rate) -> Label:
        """Buy that offer: once for each `label_id`, also after an answer was lost."""

    def void(self, label: Label) -> bool:
        """Give a label back: True when the carrier took it, False while it has not decided: ask again later."""

    def fetch_file(self, label: Label) -> bytes:
        """The label's file, for printing."""

    def track(self, tracking_number: str, carrier: str) -> Sequence[TrackingEvent]:
        """What is known of a parcel, oldest first."""

    def check_address(self, address: Address) -> AddressVerdict:
        """Whether the address can be delivered to."""

    def carriers(self) -> Sequence[str]:
        """Whom the account may ship with."""

    def ensure_webhook(self, url: str, secret: str) -> str:
        """Have parcels told to this address, under this secret: kept, enabled (it was switched off), moved (it told
        another secret) or created. Doing it twice changes nothing."""
