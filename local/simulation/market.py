"""The marketplace of the simulation: a shop that holds the money, books what becomes of it, pays, and takes returns.

It books the tax of a sale in one of three ways (`TAXES`), shows bookings late and payouts later still, and guards its
money: nobody gets back more than was paid. `MarketClient` speaks to it in the place of a real marketplace's client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from chalicelib.channels import registry
from chalicelib.channels.facts import ChannelReturn, Payout
from chalicelib.channels.storefront.client import ShopClient
from chalicelib.channels.woocommerce import orders as woo_orders
from chalicelib.domain.errors import Refused
from chalicelib.domain.settlement import LedgerFact
from chalicelib.inbound import money
from chalicelib.runtime import clients
from local.simulation.shop import PRICE, START, Shop
from local.simulation.till import TillClient

KIND = "ebay"  # the kind of channel that the marketplace stands for
TAX = 50  # minor units on each unit sold
# none · in the order's total, and passed on · beside the total, and passed on · booked beside the sale, and passed on
TAXES = ("none", "in_total", "beside_total", "beside_sale")
_BOOKING_MS = 6 * 3_600_000  # between one booking and the next, so that readings do not always begin with the first
_MOST_LATE = 6  # bookings: less than the overlap of our readings
_PAGE = 5


class Market(Shop):
    """`sold`, `refunds`: by order, in minor units of what the order's own total counts; `facts` by id.

    tax    how it is booked · names_payouts   whether the list of bookings tells which payout they are in
    """

    def __init__(self, tax: str = "none", *, names_payouts: bool = True) -> None:
        super().__init__()
        self.tax = tax
        self.names_payouts = names_payouts
        self.sold: Counter[str] = Counter()
        self.facts: dict[str, LedgerFact] = {}
        self.payouts: dict[str, tuple[int, int]] = {}  # id -> when, amount
        self.returns: dict[str, dict[str, Any]] = {}
        self.seen_refunds: list[tuple[str, int, int]] = []  # order, total and tax in it, as they stood once
        self._given_back: Counter[str] = Counter()  # with the tax that went with it
        self._tax_back: Counter[str] = Counter()
        self._bookings = 0
        self._shown_from: dict[str, int] = {}  # fact or payout -> the booking at which it shows

    def changed(self, number: str, *, late: int = 0) -> None:
        """As at a shop; what is paid more than before has been sold."""
        document = self.orders[number]
        for line in document["lines"] if self.tax in ("in_total", "beside_sale") else ():
            line["tax"] = f"{line['quantity'] * TAX / 100:.2f}"
        super().changed(number, late=late)
        if document["payment"]["status"] in ("paid", "vouched"):
            more = round(float(document["total"]) * 100) - self.sold[number]
            if more > 0:
                self._book_sale(number, more)

    def settle(self) -> None:
        """Everything shows."""
        super().settle()
        self._shown_from = {}

    def refundable(self, number: str) -> int:
        """What is left to give back."""
        return self.sold[number] - self.refunds[number]

    def refund(self, number: str, amount: int, late: int = 0) -> None:
        """Money goes back to the buyer, whoever wanted it."""
        assert 0 < amount <= self.refundable(number)
        self.refunds[number] += amount
        tax = self._tax_in(amount)
        with_tax = amount + tax if self.tax == "beside_total" else amount
        parts = [("refund", -(with_tax - tax)), ("tax", -tax)] if self.tax == "beside_sale" else [("refund", -with_tax)]
        self._book(number, [*parts, ("tax", tax)], late)
        self._given_back[number] += with_tax
        self._tax_back[number] += tax
        self.seen_refunds.append((number, self._given_back[number], self._tax_back[number]))

    def charge(self, number: str, kind: str, amount: int) -> None:
        """A fee of an order, or ("") of none; or money kept in reserve."""
        self._book(number, [(kind, amount)])

    def correct_fee(self, fact_id: str) -> None:
        """A fee that is not paid yet is another."""
        fact = self.facts[fact_id]
        if not fact.payout_id:
            self.facts[fact_id] = replace(fact, amount_minor=fact.amount_minor - 1)

    def unpaid(self) -> list[str]:
        """The bookings that are in no payout yet."""
        return sorted({name.partition("-")[0] for name, fact in self.facts.items() if not fact.payout_id})

    def hold(self, bookings: list[str], status: str) -> None:
        """Keep the money of these bookings, or release it."""
        for name, fact in self.facts.items():
            if name.partition("-")[0] in bookings and not fact.payout_id:
                self.facts[name] = replace(fact, status=status)

    def pay_out(self, numbers: set[str], late: int = 0) -> None:
        """Everything that is not held of these orders (and what is about none) goes to the bank."""
        due = [f for f in self.facts.values() if not f.payout_id and f.status != "held" and f.external_id in numbers]
        if due:
            self._bookings += 1
            name = f"mp{self._bookings}"
            at_ms = self._at_ms()
            self.payouts[name] = (at_ms, sum(fact.amount_minor for fact in due))
            self._shown_from[name] = self._bookings + late
            self.facts |= {f.fact_id: replace(f, payout_id=name, status="paid") for f in due}

    def ask_back(self, number: str, line_id: str, step: str) -> None:
        """A buyer wants to send a unit back; some returns are at a later step when we first read of them."""
        name = f"R{len(self.returns)}"
        self.returns[name] = {"order": number, "items": [[line_id, 1]]}
        self.decide_back(name, step)

    def decide_back(self, name: str, step: str) -> None:
        """A return gets on."""
        self._bookings += 1
        self.returns[name] |= {"step": step, "changed_ms": self._at_ms()}

    def _total(self, document: dict[str, Any]) -> int:
        units = sum(line["quantity"] for line in document["lines"])
        return units * (PRICE + (TAX if self.tax in ("in_total", "beside_sale") else 0))

    def _book_sale(self, number: str, more: int) -> None:
        self.sold[number] += more
        tax = self._tax_in(more)
        match self.tax:
            case "beside_total":
                parts = [("sale", more + tax), ("tax", -tax)]
            case "beside_sale":
                parts = [("sale", more - tax), ("tax", tax), ("tax", -tax)]
            case _:
                parts = [("sale", more), ("tax", -tax)]
        self._book(number, [*parts, ("fee", -max(more // 10, 1))])

    def _tax_in(self, amount: int) -> int:
        match self.tax:
            case "none":
                return 0
            case "beside_total":
                return amount * TAX // PRICE
            case _:
                return amount * TAX // (PRICE + TAX)

    def _book(self, number: str, parts: list[tuple[str, int]], late: int = 0) -> None:
        self._bookings += 1
        for nth, (kind, amount) in enumerate(parts):
            if amount:
                name = f"b{self._bookings}-{nth}"
                what = f"{parts[0][0]} booking"
                self.facts[name] = LedgerFact(name, kind, amount, "EUR", self._at_ms(), number, what=what)
                self._shown_from[name] = self._bookings + min(late, _MOST_LATE)

    def _at_ms(self) -> int:
        return round(START.timestamp() * 1000) + self._bookings * _BOOKING_MS

    def _answer(self, method: str, path: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        match method, path:
            case "GET", ["transactions" | "payouts" | "returns" as what]:
                since_ms, start = int(query["since"][0]), int(query["cursor"][0])
                listed = [(at_ms, each) for at_ms, each in self._listed(what) if at_ms >= since_ms]
                times = sorted({at_ms for at_ms, _ in listed})
                page = times[start : start + _PAGE]  # what was booked together is told together
                more = start + _PAGE < len(times)
                told = [each for at_ms, each in listed if at_ms in page]
                return 200, {what: told, "cursor": start + _PAGE if more else None}
            case "PUT", ["orders", number, "refunds", refund_id] if number in self.orders:
                amount = round(float(body["amount"]) * 100)
                if (number, refund_id) not in self.refund_ids:
                    if amount > self.refundable(number):
                        return 409, {"error": "nothing_left"}
                    self.refund_ids[number, refund_id] = amount
                    self.refund(number, amount)
                return 200, {"status": "refunded"}
        return super()._answer(method, path, query, body)

    def _listed(self, what: str) -> list[tuple[int, Any]]:
        """Everything that shows by now, oldest first, with its time."""
        if what == "returns":
            found = [(back["changed_ms"], {"id": name, **back}) for name, back in self.returns.items()]
        elif what == "payouts":
            found = [(at_ms, self._payout(name)) for name, (at_ms, _) in self.payouts.items() if self._shows(name)]
        else:
            found = [
                (fact.at_ms, asdict(self._told(fact))) for fact in self.facts.values() if self._shows(fact.fact_id)
            ]
        return sorted(found, key=lambda each: each[0])

    def _shows(self, name: str) -> bool:
        return self._shown_from.get(name, 0) <= self._bookings

    def _told(self, fact: LedgerFact) -> LedgerFact:
        return fact if self.names_payouts or not fact.payout_id else replace(fact, payout_id="", status="released")

    def _payout(self, name: str) -> dict[str, Any]:
        at_ms, amount = self.payouts[name]
        facts = [asdict(fact) for fact in self.facts.values() if fact.payout_id == name]
        return {"payout_id": name, "currency": "EUR", "paid_ms": at_ms, "amount_minor": amount, "facts": facts}


class MarketClient(ShopClient):
    """Speaks for the marketplace: as for a shop, and reads its books."""

    def transactions(self, since_ms: int) -> Iterator[LedgerFact]:
        """Every amount."""
        return (LedgerFact(**each) for each in self._each("transactions", since_ms))

    def payouts(self, since_ms: int) -> Iterator[Payout]:
        """Every payout."""
        for each in self._each("payouts", since_ms):
            yield Payout(**{**each, "facts": tuple(LedgerFact(**fact) for fact in each["facts"])})

    def returns(self, since_ms: int) -> Iterator[ChannelReturn]:
        """Every return."""
        for each in self._each("returns", since_ms):
            items = tuple((line_id, units) for line_id, units in each["items"])
            yield ChannelReturn(each["id"], each["order"], each["step"], items, changed_ms=each["changed_ms"])

    def _each(self, what: str, since_ms: int) -> Iterator[Any]:
        start: int | None = 0
        while start is not None:
            page = self._call("GET", f"/{what}?{urlencode({'since': since_ms, 'cursor': start})}")
            if not isinstance(page, dict) or what not in page:
                raise Refused("bad_page", what)
            yield from page[what]
            start = page["cursor"]


@contextmanager
def spoken() -> Iterator[None]:
    """While this lasts, `MarketClient` speaks for accounts of `KIND`, and their orders are documents of a shop."""
    real = registry.client_class
    with ExitStack() as stack:
        stack.enter_context(patch.dict(registry._ROOMS, {KIND: "storefront"}))
        stack.enter_context(patch.object(registry, "_LIMITED", ()))
        made = patch.object(clients, "client_class", lambda kind: MarketClient if kind == KIND else real(kind))
        stack.enter_context(made)
        stack.enter_context(patch.object(clients, "processor_class", lambda kind: TillClient))
        stack.enter_context(patch.object(woo_orders, "_PAGE", "2"))
        stack.enter_context(patch.object(money, "_BOOKINGS_TOGETHER", 2))  # so that few bookings are many parts
        yield
