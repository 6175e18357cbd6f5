"""What people decide, and the bank of the shop: refunds, holds, prices, orders called off, substituted, exchanged."""

from __future__ import annotations

from chalicelib.domain.lifecycle import outstanding_minor, stage, unsent_refunds
from chalicelib.domain.orders import Order, Return, collectible_minor, refunded_minor
from chalicelib.runtime.queues import SYNC_QUEUES
from chalicelib.store.listings import price_write, read_entry
from local.simulation.cast import CHANNEL, Cast, Turn
from local.simulation.market import KIND
from local.simulation.shop import PRICE


class People:
    """Those who work at Headrace's screen."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chance = cast.chance
        self.turns: tuple[Turn, ...] = (
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

    def close(self, order: Order) -> None:
        """What a person would do about an order that is not done."""
        state = order.state
        for hold in state.holds:
            if hold.reason not in ("unreadable", "unknown_sku", "exchange_awaits_return"):
                self.cast.ask(order, "resolve", reason=hold.reason)
        for name, dispute in state.disputes.items():
            if dispute.status == "open":
                amount_minor = dispute.amount_minor
                self.cast.ask(order, "dispute", dispute_id=name, amount_minor=amount_minor, status="won")
        for name, back in state.returns.items():
            step = _next_step(order, back)
            if step:
                self.cast.verdict.took_back(order, name, step)
                self.cast.ask(order, "return", return_id=name, step=step, location=self.cast.places[0])

    def close_money(self, order: Order) -> None:
        """The bank pays what is left; a marketplace does that itself."""
        is_owed = stage(order) == "settlement" and outstanding_minor(order.state) > 0
        if order.channel != KIND and is_owed and not unsent_refunds(order.state):
            self._pay_out_of(order)

    def change_mind(self, sku: str) -> None:
        """People set another price in the very moment in which the shop is told one."""
        if self.cast.world.choke.active and self.chance.random() < 0.6:
            self._reprice(sku)

    def _pay_out(self) -> None:
        order = self.cast.some(
            lambda order: order.channel != KIND and stage(order) == "settlement" and outstanding_minor(order.state) > 0
        )
        if order:
            self._pay_out_of(order)

    def _pay_out_of(self, order: Order) -> None:
        owed = outstanding_minor(order.state)
        payout = {"channel": order.channel, "payout_id": self.cast.name("po"), "order_id": order.order_id}
        lines = [
            {"line_id": "sale", "kind": "sale", "amount_minor": owed},
            {"line_id": "fee", "kind": "fee", "amount_minor": -1},
        ]
        message = {"payout": {**payout, "currency": "EUR", "paid_ms": 1, "lines": lines}}
        self.cast.send("settlement", message, copies=2)

    def refund_at(self, channel: str) -> None:
        """One of that channel's orders."""
        self._refund(channel)

    def _refund(self, channel: str = "") -> None:
        """With a return, for goodwill or a claim: a record first, then the call."""
        order = self.cast.some(
            lambda order: (
                channel in ("", order.channel) and collectible_minor(order.state) > refunded_minor(order.state)
            )
        )
        if order:
            name = f"f{len(order.state.refunds)}"
            amount_minor = self.chance.choice((1, PRICE, 2 * PRICE))
            self.cast.ask(order, "refund", refund_id=name, amount_minor=amount_minor, reason="claim")

    def _dispute(self) -> None:
        order = self.cast.some(lambda order: collectible_minor(order.state) > 0)
        if order:
            status = self.chance.choice(("open", "open", "won", "lost"))
            due_ms = self.cast.world.now_ms + 60_000
            self.cast.ask(order, "dispute", dispute_id="d", amount_minor=1, status=status, due_ms=due_ms)

    def _hold(self) -> None:
        order = self.cast.some(lambda order: True)
        if order:
            self.cast.ask(order, "hold", reason=self.chance.choice(("fraud", "manual", "payment_review")))

    def _decide_hold(self) -> None:
        order = self.cast.some(lambda order: order.state.holds)
        if order:
            hold = self.chance.choice(order.state.holds)
            self.cast.ask(order, self.chance.choice(("resolve", "resolve", "reject")), reason=hold.reason)

    def _call_off(self) -> None:
        order = self.cast.some(_has_units_left)
        if order:
            name = f"c{len(order.state.cancellations)}"
            self.cast.ask(order, "cancel", cancellation_id=name, lines=[], reason="buyer")

    def _want_after_all(self) -> None:
        order = self.cast.some(lambda order: order.state.cancellations)
        if order:
            self.cast.ask(order, "uncancel", cancellation_id=self.chance.choice(sorted(order.state.cancellations)))

    def _substitute(self) -> None:
        order = self.cast.some(lambda order: any(units.backordered for units in order.state.quantities))
        if order and len(self.cast.skus) > 1:
            index = next(i for i, units in enumerate(order.state.quantities) if units.backordered)
            self.cast.ask(order, "substitute", line_id=order.lines[index].line_id, sku={"sku": "CUP"})

    def _exchange(self) -> None:
        order = self.cast.some(lambda order: order.state.returns and not order.state.linked_to)
        if order:
            name = self.chance.choice(sorted(order.state.returns))
            lines = [{"sku": {"sku": "MUG", "title": "Mug"}, "units": 1}]
            self.cast.ask(order, "exchange", return_id=name, lines=lines, in_advance=self.chance.random() < 0.5)

    def _archive(self) -> None:
        order = self.cast.some(lambda order: stage(order) in ("settled", "cancelled"))
        if order:
            self.cast.ask(order, "archive")

    def _reprice(self, sku: str = "") -> None:
        """Only the shop takes prices of ours here."""
        sku = sku or self.chance.choice(self.cast.skus)
        tables = self.cast.world.tables
        (listing,) = [each for each in read_entry(tables, sku).listings if each.channel == CHANNEL]
        tables.write(price_write(listing, self.chance.randint(1, 9) * 100, "EUR"))
        self.cast.send(SYNC_QUEUES[CHANNEL], {"sku": sku}, copies=self.chance.choice((1, 2)))

    def _wait(self) -> None:
        """Time passes: reservations and authorisations end, pre-orders are released, deadlines pass."""
        self.cast.world.now_ms += self.chance.choice((1_900_000, 4_000_000, 90_000_000))


def _next_step(order: Order, back: Return) -> str:
    """What becomes of a return: goods that others have brought back already cannot come again."""
    if back.status == "received":
        return "inspect"
    if back.status not in ("requested", "approved"):
        return ""
    out = [units.shipped - units.returned for units in order.state.quantities]
    return "receive" if all(units <= out[index] for index, units in back.items.items()) else "decline"


def _has_units_left(order: Order) -> bool:
    return any(units.ordered - units.shipped - units.unwanted > 0 for units in order.state.quantities)
