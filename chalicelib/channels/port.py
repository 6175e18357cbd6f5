"""What the app asks of a channel, in the app's own words. What it tells is in `facts`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.channels.facts import ChannelDispute, ChannelReturn, ListedItem, Metric, Payout
from chalicelib.domain.errors import HeadraceError, Refused
from chalicelib.domain.settlement import LedgerFact


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


def id_in(order: object, name: str) -> str:
    """The id of an order as a list shows it; "" for what is no order at all."""
    return str(order.get(name, "")) if isinstance(order, dict) else ""


@dataclass(frozen=True)
class Price:
    """The price that one listing should show, in minor units of `currency`. `version` rises with every change."""

    channel_sku: str
    refs: Mapping[str, str]
    price_minor: int
    currency: str
    version: int


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


@dataclass(frozen=True)
class CaptureRequest:
    """Money to take that the buyer has authorised. `capture_id` names the wish and never changes: asking twice takes
    it once. `final`: what is authorised beyond it is given free."""

    capture_id: str
    amount_minor: int
    currency: str
    final: bool = True


Items = Sequence[tuple[str, int]]  # (the channel's line id, units)


class ChannelClient(Protocol):
    """One channel account. Everything may raise `Busy` (come back later) and `Refused` (this will never succeed)."""

    position: str
    """Where a reading of `changed_orders` that breaks off can go on; "" where it must begin again."""

    def get_order(self, external_id: str) -> bytes:
        """One order as its reader takes it."""

    def changed_orders(self, since_ms: int, skip: Skip = read_all, position: str = "") -> Iterator[tuple[bytes, int]]:
        """Every order changed since then (Unix ms) that is not to be skipped, with its own time of change; an order may
        come twice. `position`: where an earlier reading with the same `since_ms` broke off."""

    def push_availability(self, wanted: Sequence[Availability]) -> list[HeadraceError | None]:
        """Show these quantities; one outcome for each, None when the channel acknowledged it."""

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Show these prices; one outcome for each, None when the channel acknowledged it."""

    def listings(self) -> Iterator[ListedItem]:
        """Everything that the account lists now, every page."""

    def confirm_shipment(self, external_id: str, parcel: ShipmentConfirmation) -> None:
        """Tell of a parcel; telling twice is harmless."""

    def capture(self, external_id: str, wish: CaptureRequest) -> int:
        """Take authorised money; how much was taken (less than asked where less was authorised). Taken before: the
        same again."""

    def void(self, external_id: str) -> None:
        """Give free what is authorised and not captured; what is free already is no error."""

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Give money back: True when it is done, False while it is pending (ask again with the same wish)."""

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Call units off; calling off twice is harmless. `Busy` while the channel has not said what became of it."""

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        """Every return changed since then (Unix ms)."""

    def answer_return(self, external_id: str, return_id: str, status: str, items: Items = ()) -> None:
        """Say how a return of the channel's stands here: approved, declined or received, and then which `items` have
        come (none: all). Saying it twice is harmless; what the channel has gone beyond is left alone."""

    def disputes(self, since_ms: int) -> Iterator[ChannelDispute]:
        """Every dispute that began since then (Unix ms), as it stands now."""

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount booked since then (Unix ms); one whose status has changed since may come again."""

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout that was paid since then (Unix ms), whole."""

    def health(self) -> list[Metric]:
        """How the channel rates the seller. `Busy` while a report is being made: ask again."""

    def ensure_webhooks(self, delivery_url: str, secret: str) -> dict[str, str]:
        """Have the channel tell this address of every change: topic -> kept, created, enabled (it was switched off),
        moved (it told another host) or refused (the account may not have it). `secret` is what deliveries are to be
        signed with, where the channel lets us choose. {} where there is nothing to subscribe to. Doing it twice changes
        nothing."""


class Basic:
    """What a client has that does not say otherwise: nothing to read beyond orders. A person refunds and cancels at the
    channel, which then tells us."""

    position = ""

    def push_prices(self, wanted: Sequence[Price]) -> list[HeadraceError | None]:
        """Refuses each."""
        return [Refused("not_supported", f"{each.channel_sku}: change the price at the channel") for each in wanted]

    def listings(self) -> Iterator[ListedItem]:
        """Raises `Refused`: an empty list would say that nothing is on offer."""
        raise Refused("not_supported", "the listings of this channel cannot be read yet: link them one by one")

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:  # noqa: ARG002
        """None."""
        return iter(())

    def answer_return(self, external_id: str, return_id: str, status: str, items: Items = ()) -> None:  # noqa: ARG002
        """Raises `Refused`, always."""
        raise Refused("not_supported", f"return {return_id} of {external_id}: {status} is said in the seller pages")

    def disputes(self, since_ms: int) -> Iterator[ChannelDispute]:  # noqa: ARG002
        """None."""
        return iter(())

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:  # noqa: ARG002
        """None."""
        return iter(())

    def payouts(self, since_ms: int) -> Iterator[Payout]:  # noqa: ARG002
        """None."""
        return iter(())

    def health(self) -> list[Metric]:
        """None."""
        return []

    def ensure_webhooks(self, delivery_url: str, secret: str) -> dict[str, str]:  # noqa: ARG002
        """None."""
        return {}

    def capture(self, external_id: str, wish: CaptureRequest) -> int:
        """Raises `Refused`, always."""
        raise _not_supported("capture the payment of", external_id, wish.capture_id)

    def void(self, external_id: str) -> None:
        """Raises `Refused`, always."""
        raise _not_supported("void the payment of", external_id, external_id)

    def refund(self, external_id: str, wish: RefundRequest) -> bool:
        """Raises `Refused`, always."""
        raise _not_supported("refund", external_id, wish.refund_id)

    def cancel(self, external_id: str, wish: CancellationRequest) -> None:
        """Raises `Refused`, always."""
        raise _not_supported("cancel", external_id, wish.cancellation_id)


def _not_supported(verb: str, external_id: str, wish_id: str) -> Refused:
    remedy = f"{verb} order {external_id} in the channel's own seller pages; its next update brings the change here"
    return Refused("not_supported", f"{wish_id}: {remedy}")
