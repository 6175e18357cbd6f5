"""Drives a backend with real invoices: the shop places and calls off, warehouse and bank close each day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import to_text
from local.replay.backends import LOCATION, OPENING, Backend
from local.replay.online_retail import CURRENCY, Invoice, Row

CHANNELS = ("storefront-shop", "storefront-wholesale", "storefront-outlet", "storefront-referral")
_DAY_MS = 86_400_000
_FEE_PERCENT = 3
_BATCH_INVOICES = 10  # placed together before the application is left to work them off


@dataclass
class Sold:
    """An order as the shop knows it: its document, and what of each row may still be called off."""

    channel: str
    customer: str
    document: dict[str, Any]
    rows: list[Row]
    left_units: list[int]
    left_minor: list[int]
    refunds: list[tuple[str, int]] = field(default_factory=list)  # (cancelling invoice, pence)
    paid_minor: int = 0

    @property
    def order_id(self) -> str:
        return f"{self.channel}:{self.document['id']}"


@dataclass
class Tally:
    """What became of the invoices; every one is in exactly one of the three."""

    orders: dict[str, Sold] = field(default_factory=dict)
    cancellations: dict[str, list[str]] = field(default_factory=dict)  # invoice -> rows left unmatched
    exceptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: int = 0


class Replay:
    """One run over one file, possibly after others on the same backend."""

    def __init__(self, backend: Backend, progress: Callable[[str], None] = lambda text: None) -> None:
        self.backend = backend
        self.progress = progress
        self.tally = Tally()
        self._by_goods: dict[tuple[str, str], list[tuple[Sold, int]]] = defaultdict(list)
        self._parcels = Counter[str]()

    def run(self, invoices: list[Invoice], on_hand_percent: int, receipt: str = OPENING) -> Tally:
        """Feed all invoices; days follow the invoices' own dates. `receipt`: id of the movement that brings the
        stock for them, another one for each file."""
        self.backend.seed(opening_stock(invoices, on_hand_percent), CHANNELS, receipt)
        by_day: dict[int, list[Invoice]] = defaultdict(list)
        for invoice in invoices:
            by_day[invoice.placed_ms // _DAY_MS].append(invoice)
        for number, day in enumerate(sorted(by_day), start=1):
            for start in range(0, len(by_day[day]), _BATCH_INVOICES):
                for invoice in by_day[day][start : start + _BATCH_INVOICES]:
                    self._feed(invoice)
                self.backend.quiet()
            self._close_day(day)
            self.progress(f"day {number} of {len(by_day)}: {len(self.tally.orders)} orders")
        self._close_day(max(by_day, default=0) + 1)
        return self.tally

    def _feed(self, invoice: Invoice) -> None:
        self.backend.at(invoice.placed_ms)
        self.tally.lines += len(invoice.raw)
        if invoice.trouble or not invoice.number:
            self._except(invoice, "not_understood", invoice.trouble or "the invoice has no number")
        elif invoice.is_cancellation:
            self._call_off(invoice)
        else:
            self._sell(invoice)

    def _except(self, invoice: Invoice, reason: str, detail: str) -> None:
        self.tally.exceptions[invoice.number] = {"reason": reason, "detail": detail, "raw": invoice.raw}

    def _sell(self, invoice: Invoice) -> None:
        document = order_document(invoice)
        channel = CHANNELS[int("".join(filter(str.isdigit, invoice.number)) or 0) % len(CHANNELS)]
        rows = list(invoice.rows)
        sold = Sold(
            channel=channel,
            customer=invoice.customer,
            document=document,
            rows=rows,
            left_units=[max(row.quantity, 0) if row.is_goods else 0 for row in rows],
            left_minor=[max(row.amount_minor, 0) for row in rows],
        )
        self.tally.orders[invoice.number] = sold
        for index, row in enumerate(rows):
            self._by_goods[invoice.customer, row.code].append((sold, index))
        self.backend.place(channel, document)

    def _call_off(self, invoice: Invoice) -> None:
        """Rows of a C invoice against earlier orders of the same customer and code, the latest first."""
        self.backend.quiet()  # the shop calls off what it sees, so what was placed before must have arrived
        changed: dict[str, Sold] = {}
        returns: dict[str, Counter[str]] = defaultdict(Counter)
        unmatched = []
        for row in invoice.rows:
            left = self._match(invoice, row, changed, returns) if invoice.customer else -row.quantity
            if left:
                unmatched.append(f"{row.code} x {left}")
        for sold in changed.values():
            sold.document["updated_at"] = _later(sold.document["updated_at"], invoice.placed_ms)
            self.backend.place(sold.channel, sold.document)
        for order_id, lines in returns.items():
            units = [{"line_id": line_id, "units": n} for line_id, n in lines.items()]
            if units:
                self.backend.take_back(order_id, {"return_id": invoice.number, "location": LOCATION, "lines": units})
        if changed or returns:
            self.tally.cancellations[invoice.number] = unmatched
            self.backend.quiet()
        else:
            self._except(
                invoice, "unmatched_cancellation", "no earlier order of this customer has these goods or charges"
            )

    def _match(self, invoice: Invoice, row: Row, changed: dict[str, Sold], returns: dict[str, Counter[str]]) -> int:
        """Call off what one row asks for; what no earlier order covers is returned (units, or pence of a charge)."""
        wanted = -row.quantity if row.is_goods else -row.amount_minor
        for sold, index in reversed(self._by_goods[invoice.customer, row.code]):
            if wanted <= 0:
                break
            left = sold.left_units if row.is_goods else sold.left_minor
            taken = min(wanted, left[index])
            if not taken:
                continue
            left[index] -= taken
            wanted -= taken
            if row.is_goods:
                self._take_units(sold, index, taken, returns)
            self._refund(sold, index, invoice.number, int(row.unit_price * 100 * taken) if row.is_goods else taken)
            changed[sold.order_id] = sold
        return wanted

    def _take_units(self, sold: Sold, index: int, units: int, returns: dict[str, Counter[str]]) -> None:
        """Units not shipped yet are called off on the order; shipped ones come back."""
        line_id = f"{index + 1}"
        line = next(line for line in sold.document["lines"] if line["id"] == line_id)
        seen = self.backend.order(sold.order_id)
        assert seen, f"{sold.order_id} was placed and is not there"
        ledger = next(entry["units"] for entry in seen["lines"] if entry["line_id"] == line_id)
        out = ledger["shipped"] - ledger["returned"] - returns[sold.order_id][line_id]
        in_house = ledger["ordered"] - ledger["shipped"] - line["cancelled"]
        called_off = min(units, max(in_house, 0))
        line["cancelled"] += called_off
        if back := min(units - called_off, out):
            returns[sold.order_id][line_id] += back
        returns[sold.order_id] = +returns[sold.order_id]

    def _refund(self, sold: Sold, index: int, number: str, amount_minor: int) -> None:
        """Give back what was paid for it, and never more than the order took in."""
        captured = Decimal(sold.document["payment"]["captured"]) * 100
        refunded = Decimal(sold.document["payment"]["refunded"]) * 100
        given = int(min(amount_minor, captured - refunded))
        if given > 0:
            sold.refunds.append((f"{number}-{index + 1}", given))
            sold.document["payment"]["refunded"] = to_text(int(refunded) + given, CURRENCY)

    def _close_day(self, day: int) -> None:
        """The warehouse ships what is allocated; then the bank pays what has been shipped and takes back refunds."""
        self.backend.at((day + 1) * _DAY_MS - 1)
        self.backend.quiet()
        for stage in ("shipping", "allocation"):
            for order_id, lines in list(self.backend.orders(stage, CHANNELS)):
                self._ship(order_id, lines)
        self.backend.quiet()
        self._pay(day)
        self.backend.quiet()

    def _ship(self, order_id: str, allocated: list[dict[str, Any]]) -> None:
        lines = [{"line_id": line["line_id"], "units": line["allocations"][LOCATION]} for line in allocated]
        if lines:
            self._parcels[order_id] += 1
            parcel = f"{order_id.partition(':')[2]}-{self._parcels[order_id]}"
            shipment = {"shipment_id": parcel, "location": LOCATION, "carrier": "Parcel", "tracking_number": parcel}
            self.backend.ship(order_id, {**shipment, "lines": lines})

    def _pay(self, day: int) -> None:
        waiting = {order_id for order_id, _ in self.backend.orders("settlement", CHANNELS)}
        lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for sold in self.tally.orders.values():
            if sold.order_id in waiting or sold.paid_minor:
                lines[sold.channel] += _payout_lines(sold)
        for channel, own in lines.items():
            statement = {"payout_id": f"{channel}-{day}", "currency": CURRENCY, "paid_ms": day * _DAY_MS}
            if own:
                self.backend.pay(channel, {**statement, "lines": own})


def _payout_lines(sold: Sold) -> list[dict[str, Any]]:
    """The amounts of one order that have not been paid out yet; each under an id of its own."""
    lines = []
    captured = int(Decimal(sold.document["payment"]["captured"]) * 100)
    if not sold.paid_minor and captured:
        sold.paid_minor = captured
        lines += [("sale", "sale", captured), ("fee", "fee", -(captured * _FEE_PERCENT // 100))]
    lines += [(f"refund-{name}", "refund", -amount) for name, amount in sold.refunds]
    sold.refunds.clear()
    return [
        {"line_id": f"{name}-{sold.document['id']}", "kind": kind, "order_id": sold.order_id, "amount_minor": amount}
        for name, kind, amount in lines
    ]


def opening_stock(invoices: Iterable[Invoice], percent: int) -> dict[str, int]:
    """Units of each SKU at the start: a share of what the file will ask for."""
    demand: Counter[str] = Counter()
    for invoice in invoices:
        if not invoice.is_cancellation:
            for row in invoice.rows:
                if row.is_goods:
                    demand[row.code] += max(row.quantity, 0)
    return {sku: units * percent // 100 for sku, units in sorted(demand.items())}


def order_document(invoice: Invoice) -> dict[str, Any]:
    """An invoice in the storefront's JSON (docs/channels.md). All invoices count as paid."""
    lines = [
        {
            "id": f"{index + 1}",
            "sku": row.code,
            "title": row.title,
            "quantity": row.quantity,
            "total": to_text(row.amount_minor, CURRENCY),
            "cancelled": 0,
        }
        for index, row in enumerate(invoice.rows)
        if row.is_goods
    ]
    charges = [
        {"kind": row.charge_kind, "amount": to_text(row.amount_minor, CURRENCY), "label": row.code}
        for row in invoice.rows
        if not row.is_goods
    ]
    total = sum(row.amount_minor for row in invoice.rows)
    at = _iso(invoice.placed_ms)
    document: dict[str, Any] = {
        "id": invoice.number,
        "number": invoice.number,
        "placed_at": at,
        "updated_at": at,
        "currency": CURRENCY,
        "total": to_text(total, CURRENCY),
        "lines": lines,
        "charges": charges,
        "payment": {"status": "paid", "captured": to_text(max(total, 0), CURRENCY), "refunded": "0.00"},
    }
    if invoice.customer:
        document["customer"] = {"id": invoice.customer}
    return document


def _iso(at_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _later(text: str, at_ms: int) -> str:
    """A time of change after `text`, and not before `at_ms`: two changes in one minute stay apart."""
    from datetime import datetime

    last_ms = round(datetime.fromisoformat(text).timestamp() * 1000)
    return _iso(max(last_ms + 1, at_ms))
