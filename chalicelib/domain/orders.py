"""The order: immutable content, and a state of quantities and money that always add up.

Units of a line:  ordered = open + allocated + backordered + shipped + cancelled,  returned <= shipped.
Money:            refunded <= captured;  captured = settled + refunded + lost to disputes + still to come.
`Order` refuses to exist when one of these does not hold, so no decision can write a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chalicelib.domain.attribution import Referral
from chalicelib.domain.catalogue import Parts
from chalicelib.domain.channel_order import Charge, Payment

COMPUTED = "computed"  # owner of a hold that follows from the order itself and vanishes with its cause


@dataclass(frozen=True)
class OrderLine:
    """What was ordered: never changes. `sku` is "" while no listing says which stock this is.

    components   what a kit was made of when it was ordered; empty for a plain SKU
    release_ms   a pre-order is promised stock from then on (Unix ms)
    """

    line_id: str
    sku: str
    channel_sku: str
    title: str
    price_minor: int
    discount_minor: int
    tax_minor: int
    ships: bool = True
    listing_ref: str = ""
    components: Parts = ()
    release_ms: int = 0

    @property
    def parts(self) -> Parts:
        """What has to be in stock for one unit of this line."""
        return self.components or ((self.sku, 1),)


@dataclass(frozen=True)
class Content:
    """The order as bought; rewritten only when the channel edits the order or somebody substitutes an item.

    region   where it goes, coarse enough to be no personal data: country and postcode area ("GB-BA1")
    referral  where the buyer came from; None where no storefront has told, as with every marketplace
    """

    label: str
    country: str
    placed_ms: int
    currency: str
    lines: tuple[OrderLine, ...]
    charges: tuple[Charge, ...]
    region: str = ""
    referral: Referral | None = None


@dataclass(frozen=True)
class Quantities:
    """The unit ledger of one line. `allocations` maps location to units promised there.

    cancel_wanted    what the channel has called off in all
    called_off       what we have called off in all
    cancelled        what has been taken out of the work
    cancel_refused   what a location would not give back any more
    """

    ordered: int
    cancelled: int = 0
    allocations: Mapping[str, int] = field(default_factory=dict)
    backordered: int = 0
    shipped: int = 0
    returned: int = 0
    cancel_wanted: int = 0
    called_off: int = 0
    cancel_refused: int = 0

    @property
    def allocated(self) -> int:
        return sum(self.allocations.values())

    @property
    def open(self) -> int:
        """Units that nobody has promised, refused or shipped yet."""
        return self.ordered - self.cancelled - self.allocated - self.backordered - self.shipped

    @property
    def unwanted(self) -> int:
        """Units that channel and we together want out of the work."""
        return min(max(self.cancel_wanted, self.called_off), self.ordered)

    @property
    def to_cancel(self) -> int:
        """Units still to be taken out of the work; what has shipped can only come back as a return."""
        wanted = self.unwanted - self.cancelled - self.cancel_refused
        return min(wanted, self.ordered - self.cancelled - self.shipped)

    def violations(self) -> list[str]:
        """The parts of the ledger that are negative; none may be."""
        parts = (self.ordered, self.cancelled, self.backordered, self.shipped, self.returned, self.open)
        left = (self.shipped - self.returned, self.called_off, self.cancel_refused, *self.allocations.values())
        if min(*parts, *left) >= 0:
            return []
        return [f"the ledger {self} has {self.open} open units"]


@dataclass(frozen=True)
class Hold:
    """A named reason why the order may not advance. `owner` is `computed` or who placed it."""

    reason: str
    detail: str
    since_ms: int
    owner: str = COMPUTED


@dataclass(frozen=True)
class Shipment:
    """What left. `items` maps line index to units; `confirmed_ms` is 0 until the selling channel acknowledged it.

    tracking      how the parcel stands, one of `parcels.TRACKING`; "" until its carrier has said anything
    delivered_ms  when it was delivered, by the carrier's own clock (Unix ms); 0 until then
    """

    shipment_id: str
    location: str
    carrier: str
    tracking_number: str
    shipped_ms: int
    items: Mapping[int, int]
    confirmed_ms: int = 0
    tracking: str = ""
    delivered_ms: int = 0


@dataclass(frozen=True)
class Return:
    """Goods on their way back: requested -> approved (or declined) -> received -> inspected.

    items      line index -> units asked for (or, once received, that came)
    restocked  line index -> units good to sell again; the rest of an inspected return is scrap
    exchange   id of the order that sends other goods for these, which is this one where the channel adds them to it
               as new lines; "" for none
    told       how the return stands at the channel that told us of it; "" for one that the channel does not know
    """

    items: Mapping[int, int]
    status: str
    location: str = ""
    restocked: Mapping[int, int] = field(default_factory=dict)
    exchange: str = ""
    told: str = ""


@dataclass(frozen=True)
class Refund:
    """Money that we give back: a record before it is a call. created -> confirmed or failed (and created again)."""

    amount_minor: int
    reason: str
    status: str = "created"
    detail: str = ""


@dataclass(frozen=True)
class Capture:
    """Authorised money that we take, a record before it is a call: created -> confirmed or failed.

    taken_minor       what was taken in the end
    captured_minor, authorised_minor  how the payment stood when this was wanted
    spared_minor      what of the order's total is left to the buyer, since it was called off or paid back before
    """

    amount_minor: int
    status: str = "created"
    detail: str = ""
    taken_minor: int = 0
    captured_minor: int = 0
    authorised_minor: int = 0
    spared_minor: int = 0


@dataclass(frozen=True)
class Cancellation:
    """What we have called off under one id, units by line index: created -> told to the channel, or failed there; or
    silent, where no channel is to be told."""

    items: Mapping[int, int]
    reason: str = ""
    status: str = "created"


@dataclass(frozen=True)
class Dispute:
    """The buyer's challenge of `amount_minor`: open -> won or lost; an answer is due by `due_ms` (0: not told)."""

    amount_minor: int
    status: str
    due_ms: int = 0


@dataclass(frozen=True)
class Happening:
    """One line of the order's timeline: when (Unix ms), who, which move, why, and the stage before and after."""

    at_ms: int
    actor: str
    move: str
    cause: str
    before: str
    after: str


@dataclass(frozen=True)
class State:
    """All that moves. Amounts are minor units of the order's currency; `quantities` run parallel to the lines.

    source        precedence of the newest fact applied; an older one changes nothing
    secured_minor money sure enough to ship against (captured, authorised or vouched)
    payouts       payout id -> (gross amount that it accounts for, what the channel kept of it)
    waived        (reason, detail) of computed holds that a person has waved through
    fulfilment    location -> accepted, labelled or rejected: what the fulfilment order there has come to
    sourcing      location -> why it was chosen or passed over, at the last allocation
    reserved_until_ms  promises to an unfunded order are taken back then; 0 when it has not been tried
    void          whether the authorisation is to be given free: "" | wanted | done | failed
    wake_ms       when the next pre-ordered line may be promised stock; 0 for none
    linked_to     the order whose returned goods this one replaces; the channel does not know this one
    referred      the buyer lets his purchase be told to where he came from
    """

    total_minor: int
    quantities: tuple[Quantities, ...]
    source: tuple[int, ...] = ()
    payment: Payment = Payment()
    secured_minor: int = 0
    payouts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    waived: tuple[tuple[str, str], ...] = ()
    shipments: tuple[Shipment, ...] = ()
    returns: Mapping[str, Return] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    captures: Mapping[str, Capture] = field(default_factory=dict)
    void: str = ""
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    cancellations: Mapping[str, Cancellation] = field(default_factory=dict)
    fulfilment: Mapping[str, str] = field(default_factory=dict)
    sourcing: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False
    archived: bool = False
    linked_to: str = ""
    timeline: tuple[Happening, ...] = ()
    version: int = 0
    since_ms: int = 0
    due_ms: int = 0
    placed_ms: int = 0
    ship_by_ms: int = 0
    reserved_until_ms: int = 0
    wake_ms: int = 0
    referred: bool = False

    @property
    def settled_minor(self) -> int:
        """Gross amount that payouts have accounted for."""
        return sum(gross for gross, _ in self.payouts.values())

    @property
    def fees_minor(self) -> int:
        """What the channel has kept of it."""
        return sum(fees for _, fees in self.payouts.values())


@dataclass(frozen=True)
class Order:
    """One order. `content` may be absent where only the state was read (the relay, most stages)."""

    channel: str
    external_id: str
    state: State
    content: Content | None = None

    def __post_init__(self) -> None:
        wrong = violations(self.state)
        assert not wrong, f"{self.order_id}: {'; '.join(wrong)}"

    @property
    def order_id(self) -> str:
        return f"{self.channel}:{self.external_id}"

    @property
    def lines(self) -> tuple[OrderLine, ...]:
        """The lines; only for an order that was read with its content."""
        assert self.content is not None, f"{self.order_id} was read without its content"
        return self.content.lines

    def having(self, **changes: object) -> Order:
        """This order with its state changed; nothing else moves."""
        return replace(self, state=replace(self.state, **changes))  # type: ignore[arg-type]


def violations(state: State) -> list[str]:
    """Every rule of units and money that `state` breaks; empty when it is sound."""
    wrong = [
        f"line {index}: {problem}" for index, units in enumerate(state.quantities) for problem in units.violations()
    ]
    payment = state.payment
    if refunded_minor(state) > collectible_minor(state):
        wrong.append(f"refunded {refunded_minor(state)} of {collectible_minor(state)} captured")
    if min(payment.captured_minor, payment.refunded_minor, payment.authorised_minor) < 0:
        wrong.append("a payment amount is negative")
    return wrong + _capture_violations(state)


def _capture_violations(state: State) -> list[str]:
    wrong = []
    for name, wish in state.captures.items():
        if wish.captured_minor + wish.amount_minor > max(wish.authorised_minor, wish.captured_minor):
            wrong.append(f"{name} is for more than was authorised")
        if wish.status == "confirmed" and wish.captured_minor + wish.taken_minor > state.payment.captured_minor:
            wrong.append(f"{name} took {wish.taken_minor} that are not counted")
    pending = sum(wish.status == "created" for wish in state.captures.values())
    if pending > 1 or (pending and state.void in ("wanted", "done")):
        wrong.append("authorised money is wanted twice, or taken and given free")
    if state.captures and not any(units.shipped for units in state.quantities):
        wrong.append("money is taken before anything has left")
    return wrong


def collectible_minor(state: State) -> int:
    """Money taken from the buyer: captured by us, or collected by the marketplace that vouches for it."""
    if state.payment.vouched:
        return max(state.total_minor, state.payment.captured_minor)
    return state.payment.captured_minor


def refunded_minor(state: State) -> int:
    """Money given back: what the channel says, which follows what it has confirmed to us."""
    confirmed = sum(refund.amount_minor for refund in state.refunds.values() if refund.status == "confirmed")
    return max(state.payment.refunded_minor, confirmed)


UNITS = ("ordered", "open", "allocated", "backordered", "shipped", "cancelled", "returned")


def total_units(quantities: Iterable[Quantities]) -> dict[str, int]:
    """Sums over lines, by the names in `UNITS`."""
    sums = [0] * len(UNITS)
    for units in quantities:
        allocated = units.allocated
        live = units.ordered - units.cancelled - allocated - units.backordered - units.shipped
        parts = (units.ordered, live, allocated, units.backordered, units.shipped, units.cancelled, units.returned)
        sums = [so_far + part for so_far, part in zip(sums, parts, strict=True)]
    return dict(zip(UNITS, sums, strict=True))
