"""What buyers do at a channel: they order, pay or fail to, and change their minds; the channel tells of it."""

from __future__ import annotations

from datetime import datetime

from local.simulation.cast import Cast, Document, Turn
from local.simulation.market import KIND
from local.simulation.shop import PRICE
from local.simulation.till import ACCOUNT, Authorised


class Buyers:
    """They buy at the shop, at the marketplace and at the WooCommerce shop."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chance = cast.chance
        self.turns: tuple[Turn, ...] = (
            (self._pay, 6),
            (self._payment_fails, 2),
            (self._authorise, 1),
            (self._cancel_whole, 2),
            (self._edit_units, 3),
            (self._add_line, 1),
            (self._move_house, 1),
        )

    def place(self, number: str) -> None:
        """A new order."""
        lines = [self._line(str(n)) for n in range(self.chance.randint(1, 3))]
        world = self.cast.world
        at_market = KIND in self.cast.accounts and self.chance.random() < 0.5
        at_woo = world.woo and not at_market and self.chance.random() < 0.6
        payment = {"status": self.chance.choice(("pending", "paid", "vouched") if at_market else ("pending", "paid"))}
        if not at_market and not at_woo and self.chance.random() < 0.3:
            payment = self._at_till(number, sum(line["quantity"] for line in lines) * PRICE)
        soon = {"ship_by": "2023-11-14T23:30:00Z"} if self.chance.random() < 0.2 else {}
        shop = world.market if at_market else world.woo if world.woo and at_woo else world.shop
        shop.place(number, lines, payment, **soon)
        self.cast.say(number)

    def _at_till(self, number: str, amount_minor: int) -> Document:
        """The buyer authorises the amount at the payment processor; every other shop's word says until when."""
        ends = "2023-11-14T22:50:00Z" if self.chance.random() < 0.2 else "2033-01-01T00:00:00Z"
        ends_ms = round(datetime.fromisoformat(ends).timestamp() * 1000)
        declines = self.chance.random() < 0.1
        self.cast.world.till.payments[f"pi_{number}"] = Authorised(amount_minor, ends_ms, declines)
        named = {"processor": ACCOUNT, "reference": f"pi_{number}"}
        told = {"authorised_until": ends} if int(number) % 2 else {}  # else it is for us to ask
        return {"status": "authorised", "authorised": f"{amount_minor / 100:.2f}", **told, **named}

    def _line(self, line_id: str) -> Document:
        sku = self.chance.choice(self.cast.skus)
        return {"id": line_id, "sku": sku, "quantity": self.chance.randint(1, 3), "unit_price": "5.00"}

    def _pay(self) -> None:
        number, document = self.cast.some_document()
        at_till = self.cast.world.till.payments.get(f"pi_{number}")
        if at_till and at_till.taken_minor:  # the shop has heard of it, and says no more than that
            document["payment"] = {"status": "paid", "captured": f"{at_till.taken_minor / 100:.2f}"}
        elif not at_till and document["payment"]["status"] != "vouched":
            document["payment"] = {"status": "paid"}
        self.cast.restate(number)

    def _payment_fails(self) -> None:
        """Also after it was paid: a late failure never lowers that. A marketplace stands by what it has sold."""
        number, document = self.cast.some_document()
        if self.cast.world.market.sold[number] or f"pi_{number}" in self.cast.world.till.payments:
            return
        verdict = self.cast.verdict
        verdict.paid |= {o.external_id for o in self.cast.world.orders() if o.state.payment.captured_minor}
        document["payment"] = {"status": "failed"}
        self.cast.restate(number)

    def _authorise(self) -> None:
        number, document = self.cast.some_document()
        if document["payment"]["status"] == "pending":
            ends = "2023-11-14T22:50:00Z" if self.chance.random() < 0.5 else "2033-01-01T00:00:00Z"
            document["payment"] = {"status": "authorised", "authorised_until": ends}
            self.cast.restate(number)

    def _cancel_whole(self) -> None:
        number, document = self.cast.some_document()
        if self.chance.random() < 0.5:
            document["cancelled"] = not document.get("cancelled", False)  # also un-cancelled again
            self.cast.restate(number)

    def _edit_units(self) -> None:
        number, document = self.cast.some_document()
        line = self.chance.choice(document["lines"])
        line["cancelled"] = self.chance.randint(0, line["quantity"])
        self.cast.restate(number)

    def _add_line(self) -> None:
        """At a marketplace that is another order."""
        number, document = self.cast.some_document()
        if len(document["lines"]) < 5 and number in self.cast.world.shop.orders:
            document["lines"].append(self._line(str(len(document["lines"]))))
            self.cast.restate(number)

    def _move_house(self) -> None:
        number, document = self.cast.some_document()
        document["ship_to"]["line1"] = self.cast.name("Mill Lane ")
        self.cast.restate(number)
