"""What the app asks of a channel, in the app's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.domain.errors import HeadraceError, Refused


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


@dataclass(frozen=True)
class RefundRequest:
    """Money to give back to the buyer. `refund_id` names the wish and never changes: asking twice moves it once.

    `amount_minor` is positive, in minor units of `currency` (ISO 4217).
    """

    refund_id: str
    amount_minor: int
    currency: str
    reason: str = ""


@dataclass(frozen=True)
class CancellationRequest:
    """Units that the seller will not deliver. `items` are (the channel's line id, units)."""

    cancellation_id: str
    items: tuple[tuple[str, int], ...]
    reason: str = ""


class ChannelClient(Protocol):
    """One channel account. Everything may raise `Busy` (come back later) and `Refused` (this will never succeed)."""

    def get_order(self, external_id: str) -> bytes:
        """One order as its reader takes it."""

    def changed_orders(self, since_ms: int, skip: Skip = read_all) -> Iterator[tuple[bytes, int]]:
        """Every order changed since then (Unix ms) that is not to be skipped, with its own time of change; an order may
        come twice."""

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when the channel acknowledged it."""

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell of a parcel; telling twice is harmless."""

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back: True when it is done, False while it is pending (ask again with the same wish)."""

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call units off; calling off twice is harmless."""


class ManualReversals:
    """For a client that cannot refund or cancel yet: the seller does it there, and the channel tells us."""

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Raises `Refused`, always."""
        raise _not_supported("refund", external_id, wish.refund_id)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Raises `Refused`, always."""
        raise _not_supported("cancel", external_id, wish.cancellation_id)


def _not_supported(verb: str, external_id: str, wish_id: str) -> Refused:
    remedy = f"{verb} order {external_id} in the channel's own seller pages; its next update brings the change here"
    return Refused("not_supported", f"{wish_id}: {remedy}")
