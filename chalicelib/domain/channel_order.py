"""The canonical order as its channel states it at one moment: what every reader in `channels/` produces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.domain.attribution import Attribution


@dataclass(frozen=True)
class Problem:
    """A named reason why the order needs a decision; `reason` becomes a hold, `detail` names field and remedy."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ChannelLine:
    """One line. Quantities are whole units, amounts minor units of the order's currency.

    line_id      the channel's own id of the line, unique within the order
    channel_sku  what the channel calls the item; "" when it names none
    listing_ref  the channel's id of the listing or variant; "" when it names none
    quantity     units first ordered
    cancelled    units the channel no longer wants delivered (edited away, cancelled, refunded before shipment)
    fulfilled    units the channel says have been shipped
    price_minor  quantity x unit price before discount
    discount_minor, tax_minor  for the whole line; tax only where it is added on top of the price
    ships        False for gift cards, downloads and services: nothing to allocate
    """

    line_id: str
    channel_sku: str
    quantity: int
    price_minor: int
    listing_ref: str = ""
    title: str = ""
    cancelled: int = 0
    fulfilled: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    ships: bool = True


@dataclass(frozen=True)
class Charge:
    """An amount of the order that is no stocked line: shipping, tax, discount, fee, tip, duty, service, other."""

    kind: str
    amount_minor: int
    label: str = ""


@dataclass(frozen=True)
class Payment:
    """What the channel says of the money, in minor units, all gross and never negative.

    `vouched`: the marketplace holds the money and pays out later, so the order may ship.
    `awaited`: the channel still awaits the buyer's payment and may not even tell the price yet; nothing may ship.
    `lapsed`: an authorisation has expired or was voided; a captured amount is never lowered by it.
    `expires_ms`: when the authorisation lapses unless it is captured (Unix ms, 0: not told).
    `captor`: whom to ask for authorised money: "channel" where the selling channel takes it for us, else the account
    of a payment processor ("stripe"); "" for nobody whom we can ask.
    `reference`: the processor's id of the payment.
    `expiry`: how `expires_ms` is known. "": the channel has told it; "reckoned": it has not, so it is by a rule of ours
    (0: none fits) and the captor may know better; "read": the captor was asked.
    """

    vouched: bool = False
    authorised_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    lapsed: bool = False
    awaited: bool = False
    expires_ms: int = 0
    captor: str = ""
    reference: str = ""
    expiry: str = ""


@dataclass(frozen=True)
class Contact:
    """The buyer's personal data. Kept apart from the order and never logged. `address` keys: name, company,
    line1, line2, line3, city, region, postcode, country (ISO 3166 alpha-2), phone. `tracking`: see
    `Attribution.tracking`."""

    name: str = ""
    email: str = ""
    phone: str = ""
    buyer_ref: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    tracking: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChannelOrder:
    """One order at one version of its source.

    version_ms   the source's own time of last change (Unix ms): what makes a fact newer or older
    placed_ms    when the buyer ordered (Unix ms)
    total_minor  what the buyer was charged at first, in `currency`, before any refund
    cancelled    the channel calls the whole order off
    fulfilled_is_exact  False where the channel's word for "shipped" does not count units (eBay)
    ship_by_ms   until when the channel wants it shipped (Unix ms, 0: not told)
    told_ms      the time of the newest thing told beside the change itself (Unix ms, 0: nothing): of two words of one
                 change, that which tells more, or later, is newer
    untold       reasons of which this word says nothing: holds of these names stay as they are
    """

    channel: str
    external_id: str
    version_ms: int
    placed_ms: int
    currency: str
    total_minor: int
    lines: tuple[ChannelLine, ...]
    charges: tuple[Charge, ...] = ()
    payment: Payment = Payment()
    cancelled: bool = False
    fulfilled_is_exact: bool = True
    label: str = ""
    country: str = ""
    ship_by_ms: int = 0
    told_ms: int = 0
    untold: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    contact: Contact | None = None
    attribution: Attribution | None = None

    @property
    def order_id(self) -> str:
        """Channel account and the channel's own id: the same order always gets the same key."""
        return f"{self.channel}:{self.external_id}"

    def stated_minor(self) -> int:
        """The sum of lines and charges; differs from `total_minor` when the payload does not add up."""
        lines = sum(line.price_minor - line.discount_minor + line.tax_minor for line in self.lines)
        return lines + sum(charge.amount_minor for charge in self.charges)
