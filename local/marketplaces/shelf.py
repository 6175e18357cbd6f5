"""What a marketplace knows: its listings, its orders, what will happen to them. Plain values, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.marketplaces.amazon_back_office import AmazonOffice
from local.marketplaces.buyers import Buyer
from local.marketplaces.ebay_back_office import BackOffice
from local.marketplaces.shopify_back_office import ShopOffice
from local.marketplaces.visits import Visit
from local.marketplaces.woo_back_office import WooOffice


@dataclass
class ShelfListing:
    """One SKU on offer. Of eBay alone: `offer_quantity` caps what is shown (None: no cap); not `live`, nothing is."""

    sku: str
    title: str
    price_minor: int
    currency: str
    quantity: int
    offer_quantity: int | None = None
    live: bool = True

    @property
    def available(self) -> int:
        """How many units a buyer can buy now; never negative."""
        if not self.live:
            return 0
        return max(0, self.quantity if self.offer_quantity is None else min(self.quantity, self.offer_quantity))

    def take(self, quantity: int) -> None:
        """Sells units; raises ValueError for more than are available."""
        if quantity > self.available:
            raise ValueError(f"{self.sku}: {quantity} of {self.available}")
        self.put_back(-quantity)

    def put_back(self, quantity: int) -> None:
        """Offers units again."""
        self.quantity += quantity
        if self.offer_quantity is not None:
            self.offer_quantity += quantity


@dataclass
class SoldLine:
    """One line of an order; amounts are for the whole line, the unit price is before discount and tax."""

    line_id: str
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        """Unit price times quantity."""
        return self.unit_price_minor * self.quantity

    @property
    def net_minor(self) -> int:
        """What is left after the discount, before tax."""
        return self.gross_minor - self.discount_minor


@dataclass
class Parcel:
    """One shipment as the seller reported it: units per line id."""

    reference: str
    carrier: str
    tracking: str
    shipped_at: datetime
    reported_at: datetime
    units: dict[str, int]
    service: str = ""
    url: str = ""


@dataclass
class Sale:
    """One order."""

    number: int
    order_id: str
    placed_at: datetime
    updated_at: datetime
    buyer: Buyer
    currency: str
    lines: list[SoldLine]
    shipping_minor: int = 0
    discount_code: str = ""
    paid: bool = True
    cancelled_at: datetime | None = None
    parcels: list[Parcel] = field(default_factory=list)
    gone: dict[str, int] = field(default_factory=dict)  # units by line that were called off one by one (Shopify)
    returned: dict[str, int] = field(default_factory=dict)  # units by line that a return has taken back (Shopify)
    visit: Visit | None = None  # of own shops: how the buyer came, where anything tells

    def touch(self, now: datetime) -> None:
        """Moves `updated_at` on by a second at least: marketplaces print seconds, and two versions must differ."""
        self.updated_at = max(now, self.updated_at + timedelta(seconds=1))

    @property
    def notes(self) -> dict[str, str]:
        """What the theme has handed over with the cart."""
        return self.visit.notes if self.visit else {}

    @property
    def subtotal_minor(self) -> int:
        """All lines before discount and tax."""
        return sum(line.gross_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """All discounts."""
        return sum(line.discount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        """All sales tax."""
        return sum(line.tax_minor for line in self.lines)

    @property
    def before_tax_minor(self) -> int:
        """Lines after discount, and shipping."""
        return self.subtotal_minor - self.discount_minor + self.shipping_minor

    def line(self, line_id: str) -> SoldLine | None:
        """The line with this id."""
        return next((line for line in self.lines if line.line_id == line_id), None)

    def shipped(self, line_id: str) -> int:
        """Units of the line that have left in any parcel."""
        return sum(parcel.units.get(line_id, 0) for parcel in self.parcels)

    def open_units(self, line_id: str) -> int:
        """Units of the line still to ship; none once the order is cancelled."""
        line = self.line(line_id)
        return (
            0
            if line is None or self.cancelled_at
            else line.quantity - self.shipped(line_id) - self.gone.get(line_id, 0)
        )

    def current_units(self, line_id: str) -> int:
        """Units of the line that the buyer has or is to get (Shopify)."""
        line = self.line(line_id)
        if line is None or self.cancelled_at:
            return 0
        return line.quantity - self.gone.get(line_id, 0) - self.returned.get(line_id, 0)

    @property
    def shipped_units(self) -> int:
        """Units that have left, over all lines."""
        return sum(self.shipped(line.line_id) for line in self.lines)

    @property
    def fully_shipped(self) -> bool:
        """True when every ordered unit has left."""
        return all(self.shipped(line.line_id) >= line.quantity - self.gone.get(line.line_id, 0) for line in self.lines)


@dataclass(frozen=True)
class Change:
    """Something happened to an order: created, paid, cancelled, shipped or returned."""

    order_id: str
    kind: str
    at: datetime


@dataclass(frozen=True)
class Due:
    """Something will happen to an order: pay or cancel."""

    at: datetime
    order_id: str
    action: str


@dataclass(frozen=True)
class QuantityDue:
    """An accepted quantity that is not live yet."""

    at: datetime
    sku: str
    quantity: int


@dataclass
class Replay:
    """What was asked under an idempotency key, and the answer given (JSON text)."""

    asked: str
    answered: str


@dataclass
class Shelf:
    """All a marketplace must not forget."""

    listings: dict[str, ShelfListing]
    sales: dict[str, Sale] = field(default_factory=dict)
    sales_made: int = 0
    due: list[Due] = field(default_factory=list)
    quantities_due: list[QuantityDue] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    tokens: dict[str, datetime] = field(default_factory=dict)
    tokens_issued: int = 0
    replays: dict[str, Replay] = field(default_factory=dict)
    submissions: int = 0
    ebay: BackOffice = field(default_factory=BackOffice)
    amazon: AmazonOffice | None = None
    shopify: ShopOffice | None = None
    woo: WooOffice | None = None
