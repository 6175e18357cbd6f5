"""What a marketplace does by itself: it refunds buyers past us, keeps money and lets it go, pays out, takes returns."""

from __future__ import annotations

from collections import Counter

from local.simulation.cast import Cast, Turn
from local.simulation.market import KIND, Market
from local.simulation.shop import PRICE

_LATE = (0, 0, 3, 6)  # bookings until something shows


class Marketplace:
    """Acts on the `Market` of the world; has no turns where no such account is open."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chance = cast.chance
        self.market: Market = cast.world.market
        turns: tuple[Turn, ...] = (
            (self._refund_alone, 3),
            (self._tell_old_refunds, 2),
            (self._keep_money, 2),
            (self._correct_fee, 1),
            (self._charge, 1),
            (self._pay_out, 4),
            (self._ask_back, 3),
            (self._decide_back, 4),
            (self._be_read, 5),
        )
        self.turns = turns if KIND in cast.accounts else ()

    def close(self) -> None:
        """All money that was kept is let go, and everything is paid out."""
        self.market.hold(self.market.unpaid(), "released")
        self.market.pay_out({"", *self.market.orders})
        self.market.settle()

    def _known(self) -> list[str]:
        """The orders that we have by now: a marketplace's books run days behind its orders."""
        return sorted(order.external_id for order in self.cast.world.orders() if order.channel == KIND)

    def _refund_alone(self) -> None:
        """The channel gives money back, and tells nobody but its books."""
        found = [number for number in self._known() if self.market.refundable(number) > 0]
        if found:
            number = self.chance.choice(found)
            amount = min(self.chance.choice((1, PRICE, 2 * PRICE)), self.market.refundable(number))
            self.market.refund(number, amount, late=self.chance.choice(_LATE))

    def _tell_old_refunds(self) -> None:
        """A word about refunds comes again, or late: what it says was true once."""
        if self.market.seen_refunds:
            number, total_minor, tax_minor = self.chance.choice(self.market.seen_refunds)
            fact = {"total_minor": total_minor, "tax_minor": tax_minor, "currency": "EUR"}
            message = {"order": f"{KIND}:{number}", "do": "refunds_seen", "fact": fact, "actor": KIND}
            self.cast.send("funding", message, copies=self.chance.choice((1, 2)))

    def _keep_money(self) -> None:
        unpaid = self.market.unpaid()
        if unpaid:
            some = self.chance.sample(unpaid, self.chance.randint(1, len(unpaid)))
            self.market.hold(some, self.chance.choice(("held", "released")))

    def _correct_fee(self) -> None:
        fees = [name for name, fact in self.market.facts.items() if fact.kind == "fee" and not fact.payout_id]
        if fees:
            self.market.correct_fee(self.chance.choice(fees))

    def _charge(self) -> None:
        number = self.chance.choice(["", *self._known()])
        kind = self.chance.choice(("fee", "shipping_label", "adjustment", "reserve"))
        self.market.charge(number, kind, self.chance.choice((-40, -3, 7)))

    def _pay_out(self) -> None:
        self.market.pay_out({"", *self._known()}, late=self.chance.choice(_LATE))

    def _ask_back(self) -> None:
        """A buyer sends back what has come to him, once."""
        left: Counter[tuple[str, str]] = Counter()
        for (number, _), units in self.market.parcels.items():
            left.update({(number, line_id): n for line_id, n in units.items()})
        left.subtract((back["order"], line_id) for back in self.market.returns.values() for line_id, _ in back["items"])
        found = sorted(key for key, n in left.items() if n > 0)
        if found:
            self.market.ask_back(
                *self.chance.choice(found), self.chance.choice(("request", "request", "approve", "receive"))
            )

    def _decide_back(self) -> None:
        following = {"request": ("approve", "approve", "decline"), "approve": ("receive",)}
        found = sorted(name for name, back in self.market.returns.items() if back["step"] in following)
        if found:
            name = self.chance.choice(found)
            self.market.decide_back(name, self.chance.choice(following[self.market.returns[name]["step"]]))

    def _be_read(self) -> None:
        self.cast.world.tick(self.chance.choice(("poll_money", "poll_money", "poll_returns")))
