"""What the app asks of a channel, in the app's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ShipmentConfirmation:
    """One parcel to tell the selling channel of.

    `sequence` counts the order's shipments from 1 and never changes for a shipment. `items` are (the channel's line id,
    units). `shipped_ms` is Unix milliseconds.
    """

    shipment_id: str
    sequence: int
    carrier: str
    tracking_number: str
    shipped_ms: int
    items: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Availability:
    """The absolute quantity that one listing should show. `version` rises with every change of the stock behind it.

    `shown` is what the channel acknowledged last, None when nothing yet. `refs`: the channel's ids of the listing.
    """

    channel_sku: str
    refs: Mapping[str, str]
    quantity: int
    version: int
    shown: int | None = None


@dataclass(frozen=True)
class RefundRequest:
    """Money to be given back, in minor units; the same `refund_id` is the same refund, however often asked for."""

    refund_id: str
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True)
class CancellationRequest:
    """Units that will not be delivered, as (the channel's line id, units); `cancellation_id` as `refund_id`."""

    cancellation_id: str
    items: tuple[tuple[str, int], ...]
    reason: str


Skip = Callable[[str, int], bool]  # (the channel's order id, its time of change in Unix ms) -> nothing new to be read


def read_all(external_id: str, changed_ms: int) -> bool:  # noqa: ARG001 takes what every `Skip` takes
    """Skips nothing."""
    return False


class TokenStore(Protocol):
    """Where the access token of one channel account is shared."""

    def get(self) -> str:
        """The token, or "" when it is missing or about to expire."""

    def put(self, token: str, expires_ms: int) -> None:
        """Share a new token until then (Unix ms)."""
