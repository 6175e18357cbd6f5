"""The judge of a marketplace's money and returns: what it has booked is what we hold, each amount once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from chalicelib.domain.authorisation import READ, asks_expiry
from chalicelib.domain.orders import Order, refunded_minor, total_units
from chalicelib.store.ledger import read_facts, read_statement
from local.simulation.market import KIND, Market
from local.simulation.world import FaultyWorld


def market_wrong(world: FaultyWorld, orders: Mapping[str, Order]) -> list[str]:
    """What is wrong when all money has been paid out and everything has been read."""
    market = world.market
    ours = {number: orders[f"{KIND}:{number}"] for number in market.orders if f"{KIND}:{number}" in orders}
    return [
        *_facts_wrong(world, market),
        *_payouts_wrong(world, market),
        *(problem for number, order in ours.items() for problem in _order_wrong(number, order, market)),
        *(problem for number, order in ours.items() for problem in _returns_wrong(number, order, market)),
    ]


def till_wrong(world: FaultyWorld, orders: Mapping[str, Order]) -> Iterator[str]:
    """What the payment processor has taken is what we hold, each wish once; nothing is left undone there."""
    till = world.till
    for (reference, name), times in till.effects.items():
        if times > 1:
            yield f"5 {reference}: {name} was taken {times} times"
    by_number = {order.external_id: order for order in orders.values() if not order.state.linked_to}
    for reference, payment in till.payments.items():
        order = by_number.get(reference.removeprefix("pi_"))
        if order is None:
            continue
        units = total_units(order.state.quantities)
        if order.state.payment.captured_minor != payment.taken_minor:
            yield f"5 {reference}: {payment.taken_minor} were taken, we say {order.state.payment.captured_minor}"
        if asks_expiry(order.state):
            yield f"{reference}: nobody has asked until when the money stands"
        if order.state.payment.expiry == READ and order.state.payment.expires_ms != payment.ends_ms:
            yield f"{reference}: the money stands until {payment.ends_ms}, not {order.state.payment.expires_ms}"
        if payment.voided and units["shipped"]:
            yield f"5 {reference}: goods have left against money that was given free"
        if till.is_open(reference) and (units["shipped"] or units["cancelled"] == units["ordered"]):
            yield f"5 {reference}: the money was neither taken nor given free"


def woo_wrong(world: FaultyWorld) -> Iterator[str]:
    """WooCommerce takes no keys: what it was told or asked for twice is there twice."""
    for number in world.woo.orders if world.woo else ():
        assert world.woo
        for name, times in (world.woo.told(number) + world.woo.paid_back(number)).items():
            if times > 1:
                yield f"woocommerce:{number} was told of {name} {times} times"


def _facts_wrong(world: FaultyWorld, market: Market) -> Iterator[str]:
    """The ledger holds each amount once, as it stands now, under the order that it is about."""
    for number in ("", *market.orders):
        booked = {f.fact_id: vars(f) for f in market.facts.values() if f.external_id == number}
        held = {fact.fact_id: vars(fact) for fact in read_facts(world.tables, KIND, number)}
        amounts = [sum(fact["amount_minor"] for fact in facts.values()) for facts in (booked, held)]
        if amounts[0] != amounts[1]:
            yield f"5 {number or 'no order'}: {amounts[0]} are booked, the ledger holds {amounts[1]}"
        elif booked != held:
            differing = sorted(name for name in {*booked, *held} if booked.get(name) != held.get(name))
            yield f"5 {number or 'no order'}: the ledger holds {differing} otherwise than they are booked"
    known = sum(key.table == "ledger" and key.pk.startswith("FACT#") for key in world.tables.items)
    if known != len(market.facts):
        yield f"5 {len(market.facts)} amounts are booked, the ledger holds {known}"


def _payouts_wrong(world: FaultyWorld, market: Market) -> Iterator[str]:
    """Each payout was worked off, adds up, and found its orders."""
    for name, (paid_ms, amount_minor) in market.payouts.items():
        statement = read_statement(world.tables, KIND, name)
        if statement is None:
            yield f"5 payout {name} was not worked off"
        elif (statement.amount_minor, statement.sum_minor, statement.paid_ms) != (amount_minor, amount_minor, paid_ms):
            yield f"5 payout {name} of {amount_minor} was worked off as {statement}"
    unmatched = sorted(key.sk for key, item in world.tables.items.items() if item.get("matched") is False)
    if unmatched:
        yield f"5 payouts were matched to no order: {unmatched}"


def _order_wrong(number: str, order: Order, market: Market) -> Iterator[str]:
    """What has been given back, and what the payouts account for, is what the marketplace says, without its tax."""
    if refunded_minor(order.state) != market.refunds[number]:
        yield f"5 {order.order_id}: {market.refunds[number]} were given back, we say {refunded_minor(order.state)}"
    net_minor = market.sold[number] - market.refunds[number]
    if order.state.settled_minor != net_minor:
        yield f"5 {order.order_id}: {net_minor} were paid out, we say {order.state.settled_minor}"
    fees = -sum(f.amount_minor for f in market.facts.values() if f.external_id == number and f.kind in _FEES)
    if sum(kept for _, kept in order.state.payouts.values()) != fees:
        yield f"5 {order.order_id}: the channel has kept {fees}, we say {dict(order.state.payouts)}"


_FEES = ("fee", "shipping_label", "adjustment")


def _returns_wrong(number: str, order: Order, market: Market) -> Iterator[str]:
    """Every return is known, unless the warehouse has taken goods back by itself; none has come twice."""
    asked = {name: back for name, back in market.returns.items() if back["order"] == number}
    of_the_channel = {name for name in order.state.returns if name.startswith("R")}
    if not of_the_channel <= asked.keys():
        yield f"4 {order.order_id}: nobody has asked for {sorted(of_the_channel - asked.keys())}"
    if of_the_channel == order.state.returns.keys() and of_the_channel != asked.keys():
        yield f"{order.order_id}: the returns {sorted(asked.keys() - of_the_channel)} were forgotten"
    back_units: Counter[int] = Counter()
    for back in order.state.returns.values():
        if back.status in ("received", "inspected"):
            back_units.update(back.items)
    for index, units in enumerate(order.state.quantities):
        if back_units[index] != units.returned:
            yield f"4 {order.order_id} line {index}: {back_units[index]} came back, we count {units.returned}"
