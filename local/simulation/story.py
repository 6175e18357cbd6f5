"""What happens in a simulated business: a shop sells and changes its mind, a warehouse works, people decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.commands import COMMANDS
from chalicelib.domain.errors import Stale
from chalicelib.domain.lifecycle import asked_back, is_funded, outstanding_minor, stage, unsent_refunds
from chalicelib.domain.orders import Order, Return, collectible_minor, refunded_minor
from chalicelib.domain.sourcing import STRATEGIES, Sourcing
from chalicelib.domain.stock import Movement
from chalicelib.runtime import log
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.store.accounts import add_account, set_sourcing
from chalicelib.store.listings import Listing, kit_writes, listing_writes, price_write, read_entry, sku_writes
from chalicelib.store.places import listing_changed_writes
from chalicelib.store.stock import movement_writes
from local.memory.world import WORK
from local.simulation.shop import PRICE
from local.simulation.verdict import Verdict
from local.simulation.world import FaultyWorld

CHANNEL = "shop"
PLACES = ("main", "east")
_PLAIN = ("MUG", "CUP", "JUG")
_KIT = "SET"  # two mugs and a cup
_COMPONENTS = (("MUG", 2), ("CUP", 1))
_ROUNDS_OF_PEACE = 6
Document = dict[str, Any]


class Story:
    """One seeded run. `run` returns the violated rules; none is right."""

    def __init__(self, seed: int, orders: int = 12) -> None:
        self.world = FaultyWorld(seed)
        self.chance = Random(seed ^ 0x5EED)
        self.orders = orders
        self.verdict = Verdict(self.world)
        self.places = PLACES[: self.chance.choice((1, 2))]
        self._skus = _PLAIN[: self.chance.choice((1, 2, 3))]  # few SKUs make orders race for the last unit
        if len(self._skus) > 1:
            self._skus = (*self._skus, _KIT)
        self._pause = self.chance.choice((0, 3, 12))
        self._names = 0
        turns: tuple[tuple[Callable[[], None], int], ...] = (
            (self._pay, 6),
            (self._payment_fails, 2),
            (self._authorise, 1),
            (self._cancel_whole, 2),
            (self._edit_units, 3),
            (self._add_line, 1),
            (self._move_house, 1),
            (self._ship, 6),
            (self._answer, 3),
            (self._return, 3),
            (self._receive_goods, 3),
            (self._transfer, 1),
            (self._pay_out, 2),
            (self._refund, 2),
            (self._dispute, 1),
            (self._hold, 2),
            (self._decide_hold, 2),
            (self._call_off, 2),
            (self._want_after_all, 1),
            (self._substitute, 1),
            (self._exchange, 1),
            (self._archive, 1),
            (self._reprice, 2),
            (self._wait, 1),
        )
        self._turns = [turn for turn, weight in turns for _ in range(weight)]

    def run(self) -> list[str]:
        """Set up, let things happen under faults, heal, let everybody catch up, and judge."""
        sink, log.sink = log.sink, self.world.logged.append
        try:
            return self._run()
        finally:
            log.sink = sink

    def _run(self) -> list[str]:
        self._open_shop()
        self.world.shop.while_pricing = self._change_mind
        for number in range(self.orders):
            self._place(f"{1000 + number}")
            for _ in range(self.chance.randint(0, self._pause)):
                self.world.step()
            self._something_happens()
        for _ in range(60):
            self.world.step()
            if self.chance.random() < 0.4:
                self._something_happens()
        self._make_peace()
        return self.verdict.of(self.world.shop)

    def _open_shop(self) -> None:
        """Set up without faults: what is tested is the business, not its opening."""
        tables, now_ms = self.world.tables, self.world.now_ms
        add_account(tables, CHANNEL, {"base_url": "https://shop.example"})
        self.world.secrets.kept[f"{CHANNEL}/api"] = {"token": "t"}
        set_sourcing(tables, Sourcing(self.places, self.chance.choice(sorted(STRATEGIES)), {"east": ("GB",)}))
        release_ms = now_ms + 3_600_000 if self.chance.random() < 0.2 else 0
        for sku in self._skus:
            tables.write(*sku_writes(sku, sku))
            if sku == _KIT:
                tables.write(*kit_writes(Sku(_KIT), _COMPONENTS, 0))
            else:
                tables.write(*kit_writes(Sku(sku), (), release_ms if sku == "JUG" else 0))
                for place in self.places:
                    units = self.chance.randint(2, 12)
                    self._move(Movement("receipt", "opening", sku, place, units, now_ms))
        for sku in self._skus:
            tables.write(*listing_writes(Listing(CHANNEL, sku, sku, {})))
            parts = [part for part, _ in _COMPONENTS] if sku == _KIT else [sku]
            tables.write(*listing_changed_writes(tables, parts, [CHANNEL], self.places, SYNC_QUEUES, now_ms))

    def _move(self, *movements: Movement) -> None:
        self.world.tables.write(*movement_writes(movements, self.world.now_ms))

    def _name(self, what: str) -> str:
        self._names += 1
        return f"{what}{self._names}"

    # the shop

    def _place(self, number: str) -> None:
        lines = [self._line(str(n)) for n in range(self.chance.randint(1, 3))]
        payment = {"status": self.chance.choice(("pending", "paid"))}
        soon = {"ship_by": "2023-11-14T23:30:00Z"} if self.chance.random() < 0.2 else {}
        self.world.shop.place(number, lines, payment, **soon)
        self._say(number)

    def _line(self, line_id: str) -> Document:
        sku = self.chance.choice(self._skus)
        return {"id": line_id, "sku": sku, "quantity": self.chance.randint(1, 3), "unit_price": "5.00"}

    def _say(self, number: str) -> None:
        """The shop tells of the order as it is now: not at all, once, twice; sometimes with rubbish beside it."""
        if not self.world.choke.strikes("lost_webhook"):
            self._send("entry", self._webhook(number), copies=self.chance.choice((1, 1, 1, 2)))
        if self.world.choke.strikes("poison"):
            self.verdict.poisoned += 1
            self._send("entry", {"channel": CHANNEL, "raw": f'{{"rubbish": {self.verdict.poisoned}}}', "hint": {}})
            self._send(self.chance.choice(sorted(WORK)), {"order": f"{CHANNEL}:none"})

    def _webhook(self, number: str) -> Document:
        return {"channel": CHANNEL, "raw": self.world.shop.document(number), "hint": {}}

    def _send(self, queue: str, message: Mapping[str, Any], copies: int = 1) -> None:
        self.world.queues.send(queue, [message] * copies)

    def _some_document(self) -> tuple[str, Document]:
        number = self.chance.choice(sorted(self.world.shop.orders))
        return number, self.world.shop.orders[number]

    def _restate(self, number: str) -> None:
        self.world.shop.changed(number, late=self.chance.choice((0, 0, 2)))
        self._say(number)

    def _something_happens(self) -> None:
        self.chance.choice(self._turns)()

    def _pay(self) -> None:
        number, document = self._some_document()
        document["payment"] = {"status": "paid"}
        self._restate(number)

    def _payment_fails(self) -> None:
        """Also after it was paid: a late failure never lowers that."""
        number, document = self._some_document()
        self.verdict.paid |= {o.external_id for o in self.world.orders() if o.state.payment.captured_minor}
        document["payment"] = {"status": "failed"}
        self._restate(number)

    def _authorise(self) -> None:
        number, document = self._some_document()
        if document["payment"]["status"] == "pending":
            ends = "2023-11-14T22:50:00Z" if self.chance.random() < 0.5 else "2033-01-01T00:00:00Z"
            document["payment"] = {"status": "authorised", "authorised_until": ends}
            self._restate(number)

    def _cancel_whole(self) -> None:
        number, document = self._some_document()
        if self.chance.random() < 0.5:
            document["cancelled"] = not document.get("cancelled", False)  # also un-cancelled again
            self._restate(number)

    def _edit_units(self) -> None:
        number, document = self._some_document()
        line = self.chance.choice(document["lines"])
        line["cancelled"] = self.chance.randint(0, line["quantity"])
        self._restate(number)

    def _add_line(self) -> None:
        number, document = self._some_document()
        if len(document["lines"]) < 5:
            document["lines"].append(self._line(str(len(document["lines"]))))
            self._restate(number)

    def _move_house(self) -> None:
        number, document = self._some_document()
        document["ship_to"]["line1"] = self._name("Mill Lane ")
        self._restate(number)

    # the warehouse

    def _some(self, fits: Callable[[Order], object]) -> Order | None:
        found = [order for order in self.world.orders() if fits(order)]
        return self.chance.choice(found) if found else None

    def _ask(self, order: Order, do: str, **fact: Any) -> None:
        """A command to an order, on its stage's queue, often twice."""
        message = {"order": order.order_id, "do": do, "fact": fact, "actor": "people"}
        self._send(COMMANDS[do].stage, message, copies=self.chance.choice((1, 2)))

    def _ship(self) -> None:
        order = self._some(_may_ship)
        if order:
            self._ship_from(order, self.chance.choice(_places_of(order)), whole=self.chance.random() < 0.6)

    def _ship_from(self, order: Order, place: str, *, whole: bool) -> None:
        lines = [
            {"line_id": line.line_id, "units": units.allocations[place] if whole else 1}
            for line, units in zip(order.lines, order.state.quantities, strict=True)
            if units.allocations.get(place)
        ]
        if not whole:
            lines = lines[:1]
        name = f"p{len(order.state.shipments)}-{place}"
        self.verdict.parcels.add((order.order_id, name))
        self._ask(order, "ship", shipment_id=name, location=place, shipped_ms=1, lines=lines)

    def _answer(self) -> None:
        order = self._some(_places_of)
        if order:
            answer = self.chance.choice(("accept", "accept", "label", "reopen", "yield", "refuse_cancel", "reroute"))
            self._ask(order, "fulfilment", location=self.chance.choice(_places_of(order)), answer=answer)

    def _return(self) -> None:
        """A new return at some step, or an old one further."""
        order = self._some(lambda order: order.state.returns)
        if order and self.chance.random() < 0.6:
            name = self.chance.choice(sorted(order.state.returns))
            step = self.chance.choice(("approve", "decline", "receive", "inspect"))
            self._ask(order, "return", return_id=name, step=step, location=self.places[0], restock=None)
            return
        order = self._some(_has_goods_out)
        if order:
            index = self.chance.choice(
                [i for i, units in enumerate(order.state.quantities) if units.shipped > units.returned]
            )
            lines = [{"line_id": order.lines[index].line_id, "units": 1}]
            step = self.chance.choice(("request", "request", "receive", "inspect"))
            restock = self.chance.choice((None, []))
            name = f"r{len(order.state.returns)}"
            self._ask(order, "return", return_id=name, step=step, lines=lines, location=self.places[0], restock=restock)

    def _receive_goods(self) -> None:
        sku = self.chance.choice([sku for sku in self._skus if sku != _KIT])
        self._move(Movement("receipt", self._name("d"), sku, self.chance.choice(self.places), 3, self.world.now_ms))

    def _change_mind(self, sku: str) -> None:
        """People set another price in the very moment in which the shop is told one."""
        if self.world.choke.active and self.chance.random() < 0.3:
            self._reprice(sku)

    def _reprice(self, sku: str = "") -> None:
        sku = sku or self.chance.choice(self._skus)
        (listing,) = read_entry(self.world.tables, sku).listings
        self.world.tables.write(price_write(listing, self.chance.randint(1, 9) * 100, "EUR"))
        self._send(SYNC_QUEUES[CHANNEL], {"sku": sku}, copies=self.chance.choice((1, 2)))

    def _transfer(self) -> None:
        if len(self.places) > 1:
            name, now_ms = self._name("t"), self.world.now_ms
            there, back = (
                Movement("transfer", name, "MUG", "east", -1, now_ms),
                Movement("transfer", name, "MUG", "main", 1, now_ms),
            )
            with suppress(Stale):  # nothing is free to be moved
                self._move(there, back)

    # people and the bank

    def _pay_out(self) -> None:
        order = self._some(lambda order: stage(order) == "settlement" and outstanding_minor(order.state) > 0)
        if order:
            self._pay_out_of(order)

    def _pay_out_of(self, order: Order) -> None:
        owed = outstanding_minor(order.state)
        payout = {"channel": CHANNEL, "payout_id": self._name("po"), "order_id": order.order_id}
        lines = [
            {"line_id": "sale", "kind": "sale", "amount_minor": owed},
            {"line_id": "fee", "kind": "fee", "amount_minor": -1},
        ]
        message = {"payout": {**payout, "currency": "EUR", "paid_ms": 1, "lines": lines}}
        self._send("settlement", message, copies=2)

    def _refund(self) -> None:
        """With a return, for goodwill or a claim: a record first, then the call."""
        order = self._some(lambda order: collectible_minor(order.state) > refunded_minor(order.state))
        if order:
            name = f"f{len(order.state.refunds)}"
            self._ask(
                order, "refund", refund_id=name, amount_minor=self.chance.choice((1, PRICE, 2 * PRICE)), reason="claim"
            )

    def _dispute(self) -> None:
        order = self._some(lambda order: collectible_minor(order.state) > 0)
        if order:
            status = self.chance.choice(("open", "open", "won", "lost"))
            self._ask(
                order, "dispute", dispute_id="d", amount_minor=1, status=status, due_ms=self.world.now_ms + 60_000
            )

    def _hold(self) -> None:
        order = self._some(lambda order: True)
        if order:
            self._ask(order, "hold", reason=self.chance.choice(("fraud", "manual", "payment_review")))

    def _decide_hold(self) -> None:
        order = self._some(lambda order: order.state.holds)
        if order:
            hold = self.chance.choice(order.state.holds)
            self._ask(order, self.chance.choice(("resolve", "resolve", "reject")), reason=hold.reason)

    def _call_off(self) -> None:
        order = self._some(_has_units_left)
        if order:
            self._ask(order, "cancel", cancellation_id=f"c{len(order.state.cancellations)}", lines=[], reason="buyer")

    def _want_after_all(self) -> None:
        order = self._some(lambda order: order.state.cancellations)
        if order:
            self._ask(order, "uncancel", cancellation_id=self.chance.choice(sorted(order.state.cancellations)))

    def _substitute(self) -> None:
        order = self._some(lambda order: any(units.backordered for units in order.state.quantities))
        if order and len(self._skus) > 1:
            index = next(i for i, units in enumerate(order.state.quantities) if units.backordered)
            self._ask(order, "substitute", line_id=order.lines[index].line_id, sku={"sku": "CUP"})

    def _exchange(self) -> None:
        order = self._some(lambda order: order.state.returns and not order.state.linked_to)
        if order:
            name = self.chance.choice(sorted(order.state.returns))
            lines = [{"sku": {"sku": "MUG", "title": "Mug"}, "units": 1}]
            self._ask(order, "exchange", return_id=name, lines=lines, in_advance=self.chance.random() < 0.5)

    def _archive(self) -> None:
        order = self._some(lambda order: stage(order) in ("settled", "cancelled"))
        if order:
            self._ask(order, "archive")

    def _wait(self) -> None:
        """Time passes: reservations and authorisations end, pre-orders are released, deadlines pass."""
        self.world.now_ms += self.chance.choice((1_900_000, 4_000_000, 90_000_000))

    # peace

    def _make_peace(self) -> None:
        """No more faults; everybody does what is asked of him until nothing is left to do."""
        self._rest()
        self.world.shop.settle()
        for number, document in self.world.shop.orders.items():
            if document["payment"]["status"] == "authorised":
                document["payment"] = {"status": "paid"}
                self.world.shop.changed(number)
                self._send("entry", self._webhook(number))
        polls = (
            ["poll_shop"] if self.world.choke.mix.lost_webhook else []
        )  # else there is nothing to be found by polling
        for _ in range(_ROUNDS_OF_PEACE):
            self.world.now_ms += 90_000_000
            for schedule in (*polls, "sweep"):
                self.world.tick(schedule)
            self._rest()
            for order in self.world.orders():
                self._close(order)
            self._rest()

    def _rest(self) -> None:
        self.world.heal()
        self.verdict.at_rest()

    def _close(self, order: Order) -> None:
        """What a person would do about an order that is not done."""
        state = order.state
        for hold in state.holds:
            if hold.reason not in ("unreadable", "unknown_sku", "exchange_awaits_return"):
                self._ask(order, "resolve", reason=hold.reason)
        for name, dispute in state.disputes.items():
            if dispute.status == "open":
                self._ask(order, "dispute", dispute_id=name, amount_minor=dispute.amount_minor, status="won")
        for name, back in state.returns.items():
            step = _next_step(order, back)
            if step:
                self._ask(order, "return", return_id=name, step=step, location=self.places[0])
        self._close_at_locations(order)
        if stage(order) == "settlement" and outstanding_minor(state) > 0 and not unsent_refunds(state):
            self._pay_out_of(order)

    def _close_at_locations(self, order: Order) -> None:
        for place, word in order.state.fulfilment.items():
            if asked_back(order.state, place):
                self._ask(order, "fulfilment", location=place, answer="yield")
            elif word == "rejected" or not is_funded(order.state):
                self._ask(order, "fulfilment", location=place, answer="reopen")
        if _may_ship(order):
            for place in _places_of(order):
                self._ship_from(order, place, whole=True)


def _next_step(order: Order, back: Return) -> str:
    """What becomes of a return: goods that others have brought back already cannot come again."""
    if back.status == "received":
        return "inspect"
    if back.status not in ("requested", "approved"):
        return ""
    out = [units.shipped - units.returned for units in order.state.quantities]
    return "receive" if all(units <= out[index] for index, units in back.items.items()) else "decline"


def _places_of(order: Order) -> list[str]:
    return sorted({place for units in order.state.quantities for place in units.allocations})


def _may_ship(order: Order) -> bool:
    return bool(_places_of(order)) and is_funded(order.state) and not order.state.holds


def _has_goods_out(order: Order) -> bool:
    return any(units.shipped > units.returned for units in order.state.quantities)


def _has_units_left(order: Order) -> bool:
    return any(units.ordered - units.shipped - units.unwanted > 0 for units in order.state.quantities)
